"""An attacker who has taken over a worker, a reader or the key process reaches no other process and no file of another
user.

The server is build/captured/sallyport, whose processes run the attacks of tests/captured on request."""

import os
import re
import signal

import pytest

from conftest import ASAN, until
from test_processes import by_title, one

SIGNALS = ["kill", pytest.param("own", marks=pytest.mark.skipif(ASAN, reason="a sanitizer needs fcntl"))]


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
@pytest.mark.parametrize("attack", SIGNALS)
def test_a_captured_worker_ends_no_other(serve, attack, landlock):
    server = serve(captured=True, landlock=landlock)
    victim = server.login("ben")
    pid = by_title(server, "worker")[0]
    worker = server.capture()
    worker.run(f"{attack} {pid}")
    if not worker.dead:
        worker.run("stat /")  # the octets that would send the signal
    assert victim.noop().startswith(b"+OK")
    assert pid in by_title(server, "worker")
    if not ASAN:
        server.wait_log(r"worker died .*how=.killed by signal 31 \(a forbidden system call\)")
    victim.quit()


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
@pytest.mark.parametrize("attack", SIGNALS)
def test_a_captured_reader_ends_no_other(serve, attack, landlock):
    """Two sessions of one user have one uid, and so have virtual users."""
    server = serve(captured=True, landlock=landlock)
    victim = server.imap_talk("anna")
    pid = until(lambda: by_title(server, "reader"), 5)[0]
    reader = server.capture("anna", tls=True)
    reader.run(f"{attack} {pid}")
    if not reader.dead:
        reader.run("there-is-no-such-attack")  # the octets that would send the signal
    assert victim.cmd("NOOP").ok
    assert pid in by_title(server, "reader")
    if not ASAN:
        server.wait_log(r"reader died .*how=.killed by signal 31 \(a forbidden system call\)")


@pytest.mark.parametrize("name", [None, "anna"])
def test_an_abort_is_not_a_forbidden_call(serve, name):
    server = serve(captured=True)
    captured = server.capture(name, tls=True)
    assert captured.run("abort") == [] and captured.dead
    server.wait_log(rf"{'reader' if name else 'worker'} died .*how=.killed by signal {int(signal.SIGABRT)}.\s")
    assert "forbidden" not in server.log()


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
def test_a_captured_reader_sees_nothing_outside_its_maildir(serve, landlock):
    """Not even of a virtual user who has the same uid: no file, no size, no time; and it hears and changes nothing."""
    server = serve(start=False, captured=True, landlock=landlock)
    anna, ben = server.accounts["anna"], server.accounts["ben"]
    ben.uid = anna.uid
    ben.make()
    server.write_users()
    server.start()
    theirs = ben.maildir / "new" / ben.deliver(b"Subject: secret\n\nx\n")
    mine = anna.maildir / "tmp"
    before = theirs.stat()
    reader = server.capture("anna", tls=True)
    pid = one(server, "reader")
    for path in (theirs, ben.maildir, ben.maildir / "new", mine, "/etc/passwd", "/proc/self/status", "/home",
                 f"..{theirs}", f"../../ben/Maildir/new/{theirs.name}", f"/cur/../../../ben/Maildir/new/{theirs.name}"):
        for attack, call in (("open", "open"), ("stat", "stat"), ("watch", "inotify_add_watch"), ("touch", "utimensat")):
            assert reader.run(f"{attack} {path}") == [f"{call}: ENOENT"], f"{attack} {path}"
    assert (theirs.stat().st_atime_ns, theirs.stat().st_mtime_ns) == (before.st_atime_ns, before.st_mtime_ns)
    # The control: the same attacks work on a directory of the Maildir.
    for attack, call in (("open", "open"), ("stat", "stat"), ("watch", "inotify_add_watch"), ("touch", "utimensat")):
        assert reader.run(f"{attack} /cur/../tmp") == [f"{call}: done"]
    assert mine.stat().st_mtime == 1
    assert os.readlink(f"/proc/{pid}/root") == str(anna.maildir)
    reader.close()


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
def test_a_captured_worker_sees_no_file(serve, landlock):
    server = serve(captured=True, landlock=landlock)
    if not landlock:
        assert "landlock=0" in server.log() and "missing=Landlock" in server.log()
    for attack, call in (("open", "open"), ("stat", "stat"), ("watch", "inotify_add_watch"), ("touch", "utimensat")):
        worker = server.capture()
        said = worker.run(f"{attack} /")
        assert worker.dead and said == [] or ASAN and said == [f"{call}: EPERM"]


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
@pytest.mark.parametrize("attack", ["open /", "stat /", "watch /", "touch /", "kill {}", "abort"])
def test_a_captured_key_process_can_only_die(serve, attack, landlock):
    server = serve(captured=True, landlock=landlock)
    session = server.login("ben")
    key = one(server, "key")
    said = server.capture().run("key " + attack.format(server.pid))
    assert said == ["key: dead"] or ASAN and re.fullmatch(r"key: \w+: EPERM", said[0])
    if said == ["key: dead"]:
        until(lambda: key not in by_title(server, "key") and by_title(server, "key"), 10, "a new key process")
    assert session.noop().startswith(b"+OK")
    until(lambda: server.login("anna").quit(), 5)
    session.quit()


def test_a_captured_worker_has_no_digest_signed(serve):
    """The key process signs what a server signs in a handshake and hashes that itself, so the signature is good for
    nothing else: no certificate, no login elsewhere."""
    server = serve(captured=True)
    assert server.capture().run("sign digest") == ["sign: refused"]
    server.wait_log("key refused .*not a handshake's")
    assert server.capture().run("sign handshake") == ["sign: done"]
