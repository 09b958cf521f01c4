"""tests/lint.sh: an include that goes up is a finding."""

import shutil
import subprocess

import pytest

from conftest import ROOT

PLANTED = [
    ("maildir/base/text.c", "maildir/folder/scan.h", "maildir/base/ includes what stands above it"),
    ("maildir/message/mime.h", "maildir/index/index.h", "maildir/message/ includes what stands above it"),
    ("maildir/folder/scan.c", "maildir/tree/tree.h", "maildir/folder/ includes what stands above it"),
    ("maildir/tree/tree.c", "maildir/check/check.h", "maildir/tree/ includes what stands above it"),
    ("maildir/base/text.c", "server/log.h", "maildir/ is a leaf"),
    ("tls/join.c", "auth/sasl.h", "tls/ is a leaf"),
    ("server/log.h", "server/master/master.h", "server/ itself includes a part"),
    ("server/sallyport.c", "server/master/master.h", "server/ itself includes a part"),
    ("server/key/key.c", "server/worker/worker.h", "server/key/ includes a part that it may not know"),
    ("server/worker/relay.c", "server/imap/imap.h", "server/worker/ includes a part that it may not know"),
    ("server/reader/reader.h", "server/master/limits.h", "server/reader/ includes a part that it may not know"),
    ("server/imap/idle.c", "server/pop3/pop3.h", "server/imap/ includes a part that it may not know"),
    ("server/pop3/pop3.c", "server/key/key.h", "server/pop3/ includes a part that it may not know"),
    ("server/master/admit.c", "server/imap/imap.h", "server/master/ includes a part that it may not know"),
    ("server/cmd/check.c", "server/reader/reader.h", "server/cmd/ includes a part that it may not know"),
]


def walls(tree):
    return subprocess.run(["tests/lint.sh", "walls"], cwd=tree, capture_output=True, text=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the sources."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("server", "auth", "maildir", "tls"):
        shutil.copytree(ROOT / folder, copy / folder)
    (copy / "tests").mkdir()
    shutil.copy(ROOT / "tests/lint.sh", copy / "tests/lint.sh")
    return copy


def test_the_walls_stand(tree):
    done = walls(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path, header, finding", PLANTED)
def test_an_include_that_goes_up_is_found(tree, path, header, finding):
    file = tree / path
    text = file.read_text()
    try:
        file.write_text(f'#include "{header}"\n{text}')
        done = walls(tree)
        assert done.returncode == 1 and f"lint: {finding}" in done.stdout and f"{path}:1:" in done.stdout, done.stdout
    finally:
        file.write_text(text)
