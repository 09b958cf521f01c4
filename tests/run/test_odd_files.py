"""Odd files in a Maildir under names of sallyport or Dovecot: each costs only what it holds."""

import os
import socket
import subprocess
import time

import pytest

from conftest import PROGRAM

pytestmark = pytest.mark.root

MAIL = "Subject: {0}\r\n\r\nthis is {0}\r\n"
OUTSIDE = "what is outside stays as it is\n"


def mode_000(path, outside):
    path.touch()
    path.chmod(0)


def foreign(path, outside):
    path.touch()
    os.chown(path, 0, 0)
    path.chmod(0o600)


def directory(path, outside):
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "inside").write_text("kept")


def fifo(path, outside):
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def unix_socket(path, outside):
    path.unlink(missing_ok=True)
    where = os.getcwd()
    os.chdir(path.parent)
    s = socket.socket(socket.AF_UNIX)
    s.bind(path.name)
    s.close()
    os.chdir(where)


def symbolic(path, outside):
    path.unlink(missing_ok=True)
    path.symlink_to(outside)


def linked(path, outside):
    path.unlink(missing_ok=True)
    os.link(outside, path)


def linked_as_it_is(path, outside):
    """As a backup by hard links leaves it."""
    if path.exists():
        os.link(path, outside.parent / "backup")


KINDS = [mode_000, foreign, directory, fifo, unix_socket, symbolic, linked, linked_as_it_is]
FILES = ["sallyport.lock", "sallyport.keywords", "dovecot-keywords", "dovecot-uidlist", "sallyport.index",
         "sallyport.log", "sallyport.texts", "subscriptions", "sallyport.special-use", "dovecot-uidvalidity",
         "dovecot-uidlist.lock", "subscriptions.lock", "sallyport.uidlist", "sallyport.index.new",
         "sallyport.dotlock", "sallyport.subscriptions"]


@pytest.fixture
def prepared(server):
    """anna has three messages, of which one has a keyword beyond the letters, and a folder; all as files."""
    anna = server.accounts["anna"]
    for i in range(3):
        anna.deliver(MAIL.format(f"old{i}"))
    talk = server.imap_talk()
    assert talk.cmd("CREATE Sub").ok and talk.cmd("SUBSCRIBE Sub").ok and talk.cmd("SELECT INBOX").ok
    for i in range(28):
        assert talk.cmd(f"STORE 1 +FLAGS (k{i})").ok
    assert talk.cmd("CREATE Mine (USE (\\Archive))").ok
    talk.cmd("FETCH 1:* (ENVELOPE BODYSTRUCTURE)")
    talk.cmd("LOGOUT")
    talk.close()
    aside = anna.home / "aside"
    subprocess.run(["cp", "-a", str(anna.maildir), str(aside)], check=True)

    def again():
        anna.maildir.rename(anna.home / f"used{time.monotonic_ns()}")  # a session may not be over yet
        subprocess.run(["cp", "-a", str(aside), str(anna.maildir)], check=True)
        (anna.home / "backup").unlink(missing_ok=True)
        outside = anna.home / "outside"
        outside.unlink(missing_ok=True)
        outside.write_text(OUTSIDE)
        anna.own(outside)
        return outside

    server.again = again
    return server


def check(server, *more):
    return subprocess.run([PROGRAM, "maildir", "check", str(server.accounts["anna"].maildir), *more],
                          capture_output=True, text=True)


def use(server, name, kind):
    """All that a client does but for what the file itself holds."""
    anna = server.accounts["anna"]
    talk = server.imap_talk()
    selected = talk.cmd("SELECT INBOX")
    assert selected.ok and selected.text.startswith("[READ-WRITE]") and selected.find(rb"^\* 3 EXISTS"), selected
    validity = int(selected.find(rb"UIDVALIDITY (\d+)")[0][1])
    assert talk.cmd("FETCH 2 BODY[TEXT]").find(rb"this is old1"), talk.last
    assert talk.cmd("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)").ok
    listed = talk.cmd('LIST "" *')
    assert listed.ok and listed.find(rb"INBOX") and listed.find(rb"Sub") and listed.find(rb"Mine"), listed
    if name != "subscriptions":
        assert talk.cmd('LSUB "" *').find(rb"Sub"), talk.last
        assert talk.cmd("UNSUBSCRIBE Sub").ok
    else:
        talk.cmd("SUBSCRIBE Mine")
    assert talk.cmd("STORE 2 +FLAGS (\\Flagged)").ok, talk.last
    flags = talk.cmd("FETCH 1 FLAGS").untagged[0]
    if name != "dovecot-keywords":
        assert b"k3" in flags
    if name != "sallyport.keywords":
        assert b"k27" in flags
    talk.cmd("STORE 1 +FLAGS (k26 brandnew)")
    assert talk.append("INBOX", "Subject: x\r\n\r\nappended").ok, talk.last
    anna.deliver(MAIL.format("new"))
    assert talk.cmd("NOOP").ok and talk.cmd("FETCH 5 BODY[TEXT]").find(rb"this is new"), talk.last
    assert talk.cmd("STORE 5 +FLAGS (\\Deleted)").ok and talk.cmd("EXPUNGE").find(rb"5 EXPUNGE")
    assert talk.cmd("COPY 1 Sub").ok, talk.last
    talk.cmd("LOGOUT")
    talk.close()
    p = server.login()
    assert p.stat()[0] == 4 and b"this is old1" in b"\n".join(p.retr(2)[1])
    p.dele(4)
    p.quit()
    assert len(anna.files()) == 3
    return validity


@pytest.mark.parametrize("kind", KINDS)
def test_mend30_each_costs_only_what_it_holds(prepared, kind):
    anna = prepared.accounts["anna"]
    validities = {}
    for name in FILES:
        outside = prepared.again()
        path = anna.maildir / name
        kind(path, outside)
        if name in ("dovecot-uidlist.lock", "subscriptions.lock") and path.exists():
            os.utime(path, (time.time() - 200,) * 2)  # older than a lock may be
        before = (anna.home / "backup").read_bytes() if kind is linked_as_it_is and path.exists() else b""
        told = check(prepared)
        if path.exists() and name in FILES[:10]:
            assert told.returncode == 1 and f"odd: {name} " in told.stdout, (name, told)
        logged = len(prepared.log())
        try:
            validities[name] = use(prepared, name, kind)
        except AssertionError as e:
            raise AssertionError(f"{name}: {e}\n{prepared.log()[logged:]}") from e
        assert outside.read_text() == OUTSIDE, name
        if before:
            assert (anna.home / "backup").read_bytes() == before, name
        if kind in (mode_000, foreign) and name in ("sallyport.keywords", "dovecot-keywords", "subscriptions"):
            assert (anna.maildir / name).stat().st_mode & 0o77 == 0
            assert f"{name} cannot be used" in prepared.log()[logged:], name
            assert (anna.maildir / name).read_bytes() == (anna.home / "aside" / name).read_bytes(), "not overwritten"
        if kind in (mode_000, foreign) and name in ("sallyport.index", "sallyport.log", "sallyport.texts"):
            assert f"{name} cannot be used: Permission denied" in prepared.log()[logged:], name
        if kind is directory and name in FILES[:4]:
            assert any((anna.maildir / n / "inside").exists() for n in (name, f"{name}.odd")), "kept"
        if kind is directory and name in ("sallyport.index", "sallyport.log", "sallyport.texts"):
            assert path.is_file() and (anna.maildir / f"{name}.odd" / "inside").exists(), name
            assert f"{name} cannot be used, and is {name}.odd now" in prepared.log()[logged:], name
    kept = [n for n in FILES if n != "dovecot-uidlist" or kind in (mode_000, foreign, linked_as_it_is)]
    assert len({validities[n] for n in kept}) == 1, validities


def test_mend30_uids_come_from_the_index(prepared):
    """A dovecot-uidlist that cannot be read is kept aside, and its UIDs live on."""
    anna = prepared.accounts["anna"]
    path = anna.maildir / "dovecot-uidlist"
    before = path.read_bytes()
    foreign(path, None)
    talk = prepared.imap_talk()
    assert talk.cmd("SELECT INBOX").ok
    assert [u.split()[0] for u in path.read_text().splitlines()[1:]] == ["1", "2", "3"]
    assert path.read_bytes()[:60] == before[:60]
    assert (anna.maildir / "dovecot-uidlist.odd").read_bytes() == before
    assert "dovecot-uidlist cannot be used" in prepared.log()


def test_mend30_lsub_does_not_lie(prepared):
    """A list of nothing would have a client show no folders."""
    mode_000(prepared.accounts["anna"].maildir / "subscriptions", None)
    talk = prepared.imap_talk()
    for command in ('LSUB "" *', 'LIST (SUBSCRIBED) "" *', "SUBSCRIBE Mine"):
        assert talk.cmd(command).text.startswith("[NOPERM]"), talk.last
