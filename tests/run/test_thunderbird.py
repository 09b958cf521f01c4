"""Thunderbird itself, without a window: an account with the settings that `make demo` prints, the folders for special uses,
a flag, a move to the trash, and mail that arrives while it idles."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from conftest import until

INSTALLED = pathlib.Path("/usr/lib/thunderbird")
SCRIPT = pathlib.Path(__file__).with_name("thunderbird.js")
LETTER = "From: =?utf-8?q?Z=C3=B6e?= <zoe@example.org>\nTo: anna@localhost\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {}\n" \
         "Message-ID: <{}@example.org>\nDate: Thu, 1 Jan 2026 12:00:00 +0000\n\nHello.\n"

pytestmark = pytest.mark.skipif(not (INSTALLED / "thunderbird-bin").exists(), reason="needs thunderbird: etc/need.sh desktop")


def links(directory, to, but=()):
    """A directory of links to what is in another."""
    directory.mkdir()
    for p in to.iterdir():
        if p.name not in but:
            (directory / p.name).symlink_to(p.resolve())


@pytest.fixture
def server(serve):
    return serve({"make_special_folders": "yes"})  # and subscribed to: Thunderbird shows no others


@pytest.fixture
def thunderbird(server):
    """A copy, mostly of links, that has our script and our CA, and nothing of the user's."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-thunderbird."))
    program = home / "program"
    links(program, INSTALLED, but=("thunderbird-bin", "thunderbird", "defaults", "distribution"))
    shutil.copy(INSTALLED / "thunderbird-bin", program)  # it looks for the rest beside its own file
    links(program / "defaults", INSTALLED / "defaults", but=("pref",))
    links(program / "defaults" / "pref", INSTALLED / "defaults" / "pref")
    (program / "defaults" / "pref" / "autoconfig.js").write_text(
        'pref("general.config.filename", "test.cfg");\npref("general.config.obscure_value", 0);\n'
        'pref("general.config.sandbox_enabled", false);\n')
    (program / "test.cfg").write_text("// the first line is passed over\n" + SCRIPT.read_text())
    (program / "distribution").mkdir()
    policies = {"Certificates": {"Install": [str(server.ca)]}, "DisableAppUpdate": True, "DisableTelemetry": True}
    (program / "distribution" / "policies.json").write_text(json.dumps({"policies": policies}))
    (home / "profile").mkdir()
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("door", ["STARTTLS", "TLS"])
def test_thunderbird(server, thunderbird, door):
    anna = server.accounts["anna"]
    for i in (1, 2):
        anna.deliver(LETTER.format(i, i), name=f"160000000{i}.M1P1.test")
    out = thunderbird / "out"
    environment = {"PATH": os.environ["PATH"], "HOME": str(thunderbird), "MOZ_HEADLESS": "1", "TB_OUT": str(out),
                   "TB_PORT": str(server.imaps if door == "TLS" else server.imap),
                   "TB_SOCKET": "3" if door == "TLS" else "2"}
    process = subprocess.Popen([thunderbird / "program" / "thunderbird-bin", "--headless", "--profile",
                                thunderbird / "profile"], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def said():
        return out.read_text().splitlines() if out.exists() else []

    try:
        until(lambda: {"waiting", "done"} & set(said()) or "error" in "".join(said()) or process.poll() is not None, 60)
        assert "waiting" in said(), said()
        until(lambda: not any("1600000002" in f for f in anna.files()), 10, "the move on disk")
        time.sleep(1)  # IDLE comes within that; its look every ten minutes would be too late
        anna.deliver(LETTER.format(3, 3))
        until(lambda: said()[-1] == "done" or "error" in said()[-1], 30)
    finally:
        process.terminate()
        process.wait(20)
    assert said() == [
        "message 1 Grüße 1 from Zöe <zoe@example.org>",
        "message 2 Grüße 2 from Zöe <zoe@example.org>",
        "Drafts is Drafts", "SentMail is Sent", "Trash is Trash", "Junk is Junk", "Archive is Archive",
        "waiting", "heard of new mail", "done"]
    assert any(f.startswith("1600000001.M1P1.test") and f.endswith(":2,FS") for f in anna.files()), anna.files()
    assert len(anna.files("Trash")) == 1
    assert "name=Thunderbird" in server.log()
