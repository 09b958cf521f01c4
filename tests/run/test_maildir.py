"""A Maildir in which something is wrong: that one message costs itself, its neighbours are served."""

import os
import poplib
import re
import socket
import subprocess
import time

import pytest

from conftest import IS_ROOT, until

GOOD = b"Subject: good %d\n\nbody\n"


def fill(account, n=3):
    for i in range(n):
        account.deliver(GOOD % i, f"{1000 + i}.M{i}.good")


def texts(p):
    return [b"\n".join(p.retr(i + 1)[1]) + b"\n" for i in range(p.stat()[0])]


@pytest.mark.parametrize("where", ["cur", "new"])
def test_req31_what_is_no_message(server, where):
    anna = server.accounts["anna"]
    fill(anna)
    folder = anna.maildir / where
    secret = server.dir / "secret"
    secret.write_text("root's own\n")
    (folder / "1.dir:2,").mkdir()
    os.mkfifo(folder / "1.fifo:2,")
    (folder / "1.link:2,").symlink_to(secret)
    (folder / "1.dangling:2,").symlink_to("/nonexistent")
    (folder / ".hidden").write_text("Subject: hidden\n")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(folder / "1.socket:2,"))
    if IS_ROOT:
        os.mknod(folder / "1.device:2,", 0o600 | 0o020000, os.makedev(1, 3))
    p = server.login()
    assert sorted(texts(p)) == [GOOD % i for i in range(3)]
    p.quit()
    server.wait_log("maildir notice user=anna")


@pytest.mark.root
def test_req31_unreadable_message(server):
    anna = server.accounts["anna"]
    fill(anna)
    bad = anna.maildir / "cur" / "1001.bad:2,"
    bad.write_text("Subject: unreadable\n")
    bad.chmod(0)  # and root's
    p = server.login()
    assert sorted(texts(p)) == [GOOD % i for i in range(3)]
    p.quit()
    server.wait_log(r"maildir notice user=anna text=.*1001\.bad.*(denied|permitted)")
    assert bad.exists()


def test_odd_names(server):
    anna = server.accounts["anna"]
    names = ["1.a:2,SF", "1.b:2,SSFFzZ", "1.c:2,abc", "1.d:1,exp", "1.e", "1.f:2,S:2,F", "1.g with blank:2,", "1.h=\u00e4:2,",
             "1.i,S=7,W=9:2,", "1.j,S=99999999:2,S", "x" * 200 + ":2,"]
    for i, name in enumerate(names):
        anna.deliver(GOOD % i, name, sub="cur")
    (anna.maildir / "cur" / b"1.new\nline:2,".decode()).write_bytes(GOOD % 99)
    p = server.login()
    assert sorted(texts(p)) == sorted(GOOD % i for i in range(len(names)))
    sizes = [int(line.split()[1]) for line in p.list()[1]]
    assert sizes == [p.retr(i + 1)[2] for i in range(len(names))], "req 30: S= and W= of a name are nobody's word"
    uidls = p.uidl()[1]
    p.quit()
    p = server.login()
    assert p.uidl()[1] == uidls, "req 39: UIDLs survive the renames of RETR"
    p.quit()


@pytest.mark.parametrize("one, two", [("7.same:2,", "7.same:2,S"), ("7.same", "7.same:2,"), ("7.same:2,F", "7.same:2,")])
def test_req32_doubled_base_names(server, one, two):
    """Two messages with the same base name, in one folder or in new/ and cur/: both are kept and served."""
    anna = server.accounts["anna"]
    anna.deliver(GOOD % 1, one, sub="new" if ":" not in one else "cur")
    anna.deliver(GOOD % 2, two, sub="cur")
    for _ in range(3):
        p = server.login()
        assert sorted(texts(p)) == [GOOD % 1, GOOD % 2]
        uidls = [u.split()[1] for u in p.uidl()[1]]
        assert len(set(uidls)) == 2
        p.quit()
    assert len(anna.files()) == 2


def test_changes_under_a_session(server):
    anna = server.accounts["anna"]
    fill(anna, 5)
    p = server.login()
    assert p.stat()[0] == 5
    cur = anna.maildir / "cur"
    by = {name.split(".")[0]: cur / name for name in os.listdir(cur)}
    by["1000"].unlink()
    by["1001"].rename(cur / (by["1001"].name + "FS"))  # mutt sets flags
    with pytest.raises(poplib.error_proto):
        p.retr(1)
    assert b"good 1" in b"\n".join(p.retr(2)[1])
    p.dele(2)
    by["1002"].unlink()
    p.dele(3)
    assert b"good 3" in b"\n".join(p.retr(4)[1])
    assert p.quit().startswith(b"+OK"), "what is gone already is no failure"
    assert sorted(n.split(".")[0] for n in anna.files()) == ["1003", "1004"]


def test_req30_message_that_shrinks_while_it_is_sent(server):
    anna = server.accounts["anna"]
    anna.deliver(b"Subject: big\n\n" + (b"z" * 76 + b"\n") * 400000, "1.big")
    s, f = server.raw(tls=True)
    s.sendall(b"USER anna\r\nPASS sesame\r\nRETR 1\r\n")
    assert all(f.readline().startswith(b"+OK") for _ in range(3))
    (path,) = (anna.maildir / "cur").iterdir()
    os.truncate(path, 1000)
    rest = f.read()
    assert not rest.endswith(b"\r\n.\r\n"), "an answer that cannot be whole has no end"
    server.wait_log("could not be read to its end")


@pytest.mark.root
def test_req39_quit_says_what_could_not_be_removed(server):
    anna = server.accounts["anna"]
    fill(anna)
    p = server.login()
    uidls = p.uidl()[1]
    p.dele(1)
    p.dele(2)
    (anna.maildir / "cur").chmod(0o500)
    with pytest.raises(poplib.error_proto, match="2 messages could not be removed"):
        p.quit()
    (anna.maildir / "cur").chmod(0o700)
    p = server.login()
    assert p.uidl()[1] == uidls
    p.quit()


@pytest.fixture
def small_disk(server):
    """anna's Maildir on a file system of its own of 64 KiB; fill() leaves no room on it."""
    anna = server.accounts["anna"]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", anna.maildir], check=True)
    anna.make()
    try:
        yield server
    finally:
        subprocess.run(["umount", "-l", anna.maildir], check=True)


@pytest.mark.root
def test_req34_full_disk(small_disk):
    server, anna = small_disk, small_disk.accounts["anna"]
    fill(anna)
    p = server.login()
    before = p.uidl()[1]
    p.quit()
    anna.deliver(GOOD % 7, "2000.M.new")
    filler = anna.maildir / "filler"
    try:
        with open(filler, "wb", 0) as f:
            while f.write(b"x" * 512):
                pass
    except OSError:
        pass
    for _ in range(2):
        try:
            p = server.login()
            assert p.uidl()[1][:3] == before, "UIDs do not change on a full disk"
            p.quit()
        except poplib.error_proto as e:
            assert "SYS/TEMP" in str(e)
    filler.unlink()
    p = server.login()
    after = p.uidl()[1]
    assert after[:3] == before and len(after) == 4 and len(anna.files()) == 4, "and nothing is lost"
    p.quit()


DAMAGE = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_text(""),
    "garbage": lambda path: path.write_bytes(os.urandom(3000)),
    "cut": lambda path: os.truncate(path, path.stat().st_size - 9),
    "no header": lambda path: path.write_text("".join(path.read_text().splitlines(True)[1:])),
    "header only": lambda path: path.write_text(path.read_text().splitlines(True)[0]),
    "old version": lambda path: path.write_text("1 12345 6\n1 1000.M0.good:2,\n"),
    "falling UIDs": lambda path: path.write_text("".join(
        [path.read_text().splitlines(True)[0]] + path.read_text().splitlines(True)[:0:-1])),
    "large numbers": lambda path: path.write_text("3 V99999999999 N99999999999\n99999999999 :1000.M0.good\n"),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_req35_damaged_uidlist(server, damage):
    anna = server.accounts["anna"]
    fill(anna, 5)
    p = server.login()
    before = [u.split()[1] for u in p.uidl()[1]]
    content = dict(zip(before, texts(p)))
    p.quit()
    path = anna.maildir / "dovecot-uidlist"
    DAMAGE[damage](path)
    if damage == "a directory":
        with pytest.raises(poplib.error_proto, match="SYS"):
            server.login()
        path.rmdir()
    p = server.login()
    after = [u.split()[1] for u in p.uidl()[1]]
    assert sorted(texts(p)) == sorted(content.values()), "all mail is served in the first session"
    for uidl, text in zip(after, texts(p)):
        assert content.setdefault(uidl, text) == text, "no UIDL for another message"
    assert all(u[8:] >= before[0][8:] for u in after), "UIDVALIDITY only rises"
    p.quit()
    p = server.login()
    assert [u.split()[1] for u in p.uidl()[1]] == after
    p.quit()


def test_req36_locks_die_with_their_holder(server):
    anna = server.accounts["anna"]
    fill(anna)
    for _ in range(5):
        held = server.login()
        (reader,) = until(lambda: [pid for pid, (_, t) in server.children().items() if t.startswith("sallyport: reader")], 5)
        os.kill(reader, 9)
        start = time.monotonic()
        server.login("anna").quit()
        assert time.monotonic() - start < 2
        held.close()


def test_req36_killed_in_the_middle_of_a_first_session(serve):
    """A reader that dies at any moment of a large take-over leaves all mail, and UIDs that hold."""
    server = serve({"login_in_clear": "loopback"})
    anna = server.accounts["anna"]
    for i in range(2000):
        anna.deliver(GOOD % i, f"{100000 + i}.M{i}.many")
    known = {}
    for attempt in range(8):
        s, f = server.raw()
        s.sendall(b"USER anna\r\nPASS sesame\r\nUIDL\r\n")
        time.sleep(0.004 * attempt)
        for pid, (_, title) in server.children().items():
            if title.startswith(("sallyport: reader", "sallyport: login")):
                os.kill(pid, 9)
        s.close()
        f.close()
    for _ in range(2):
        start = time.monotonic()
        p = server.login()
        assert time.monotonic() - start < 5
        lines = [u.split()[1] for u in p.uidl()[1]]
        assert len(lines) == len(set(lines)) == 2000
        assert known.setdefault("all", lines) == lines
        p.quit()


def test_many_messages(server):
    anna = server.accounts["anna"]
    for i in range(20000):
        anna.deliver(GOOD % i, f"{100000 + i}.M{i}.many")
    p = server.login(timeout=60)
    assert p.stat()[0] == len(p.uidl()[1]) == len(p.list()[1]) == 20000
    assert b"good 19999" in b"\n".join(p.retr(20000)[1])
    p.quit()


def test_hard_links(server):
    """One file with two names is one message somebody is moving, or two: nothing is lost either way."""
    anna = server.accounts["anna"]
    fill(anna, 1)
    os.link(anna.maildir / "new" / "1000.M0.good", anna.maildir / "cur" / "2000.other:2,")
    p = server.login()
    assert set(texts(p)) == {GOOD % 0}
    p.quit()
    assert not re.search("died", server.log())
