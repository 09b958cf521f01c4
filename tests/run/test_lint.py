"""tests/lint.sh: the walls between files hold, and a file that breaks one is named."""

import shutil
import subprocess

import pytest

from conftest import ROOT

UPWARD = [
    ("maildir/base/buf.c", "maildir/folder/scan.h", "maildir/base/ includes what stands above it"),
    ("maildir/message/mime.h", "maildir/index/index.h", "maildir/message/ includes what stands above it"),
    ("maildir/folder/scan.c", "maildir/tree/tree.h", "maildir/folder/ includes what stands above it"),
    ("maildir/tree/tree.c", "maildir/check/check.h", "maildir/tree/ includes what stands above it"),
    ("maildir/base/buf.c", "server/log.h", "maildir/ is a leaf"),
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
    ("server/log.c", "log.h", "an own header is named by its path from the top"),
    ("server/imap/serve.c", "../log.h", "an own header is named by its path from the top"),
]
LONGEST = 600  # lines of a file that is no table


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A copy of the sources."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("server", "auth", "maildir", "tls", "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("corpus", "__pycache__"))
    shutil.copy(ROOT / "README.md", copy)
    return copy


class Tree:
    """The copy, into which a test plants files; undo() puts it right again."""

    def __init__(self, top):
        self.top, self.before = top, {}

    def plant(self, path, text):
        file = self.top / path
        self.before.setdefault(file, file.read_text() if file.exists() else None)
        file.write_text(text)

    def undo(self):
        for file, text in self.before.items():
            if text is None:
                file.unlink()
            else:
                file.write_text(text)

    def lint(self):
        return subprocess.run(["tests/lint.sh", "walls"], cwd=self.top, capture_output=True, text=True)

    def must_find(self, finding, *words):
        done = self.lint()
        assert done.returncode == 1 and f"lint: {finding}\n" in done.stdout, done.stdout + done.stderr
        for word in words:
            assert word in done.stdout, done.stdout


@pytest.fixture
def tree(sources):
    t = Tree(sources)
    yield t
    t.undo()


def test_the_walls_stand(tree):
    done = tree.lint()
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("path, header, finding", UPWARD)
def test_an_include_against_the_table_is_found(tree, path, header, finding):
    tree.plant(path, f'#include "{header}"\n{(tree.top / path).read_text()}')
    tree.must_find(finding, f"{path}:1:")


def test_a_circle_of_files_is_found(tree):
    """Three files, of which one closes the circle in its .c and another in its .h."""
    tree.plant("server/planted_a.h", '#include "server/imap/planted_b.h"\n')
    tree.plant("server/imap/planted_b.h", "")
    tree.plant("server/imap/planted_b.c", '/* Runs as: root. */\n#include "server/planted_c.h"\n')
    tree.plant("server/planted_c.h", '#include "server/planted_a.h"\n')
    done = tree.lint()
    circle = ["server/planted_a", "server/imap/planted_b", "server/planted_c"] * 2
    assert done.returncode == 1 and "lint: these files include each other in a circle\n" in done.stdout, done.stdout
    assert any(" -> ".join(circle[i:i + 4]) in done.stdout for i in range(3)), done.stdout


def test_two_circles_are_both_named(tree):
    for a, b in ("a", "b"), ("c", "d"):
        tree.plant(f"tls/planted_{a}.h", f'#include "tls/planted_{b}.h"\n')
        tree.plant(f"tls/planted_{b}.h", f'#include "tls/planted_{a}.h"\n')
    tree.must_find("these files include each other in a circle", "tls/planted_a -> ", "tls/planted_c -> ")


def test_a_file_that_includes_its_own_header_is_no_circle(tree):
    tree.plant("tls/planted.h", "")
    tree.plant("tls/planted.c", '/* Runs as: root. */\n#include "tls/planted.h"\n')
    assert tree.lint().returncode == 0


@pytest.mark.parametrize("page", ["README.md", "server/README.md"])
def test_a_page_that_names_what_is_gone_is_found(tree, page):
    gone = "planted" + "_name"  # not whole here: this file is searched, too
    tree.plant(page, (tree.top / page).read_text() + f"\nThe loop calls `{gone}` and `conf_load`.\n")
    tree.must_find("a page names what is not in the tree", f"{gone}\n")
    assert "conf_load" not in tree.lint().stdout


@pytest.mark.parametrize("path", ["server/planted.c", "maildir/base/planted.h"])
def test_a_long_file_is_found(tree, path):
    head = "/* Runs as: root. */\n"
    tree.plant(path, head + "int x;\n" * (LONGEST - 1))
    assert tree.lint().returncode == 0
    tree.plant(path, head + "int x;\n" * LONGEST)
    tree.must_find(f"a file of more than {LONGEST} lines that is no table", f"{path}: {LONGEST + 1} lines")


def test_a_table_may_be_long(tree):
    code, row = "int x;\n" * (LONGEST // 2), '\t{"name", 1},\n'
    tree.plant("server/planted.c", "/* Runs as: root. */\n" + code + row * (LONGEST // 2 + 2))
    assert tree.lint().returncode == 0
    tree.plant("server/planted.c", "/* Runs as: root. */\n" + code + row * (LONGEST // 2))
    tree.must_find(f"a file of more than {LONGEST} lines that is no table", "server/planted.c: ")
