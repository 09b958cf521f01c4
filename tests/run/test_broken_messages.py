"""A Maildir with a broken message: only that message fails, and the others are served."""

import os
import poplib
import re
import socket
import subprocess
import time

import pytest

from conftest import ASAN, IS_ROOT, until

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


def regular(path, secret):
    path.write_bytes(b"Subject: unreadable\n")
    path.chmod(0)


ODD = {
    "directory": lambda path, secret: path.mkdir(),
    "fifo": lambda path, secret: os.mkfifo(path),
    "link": lambda path, secret: path.symlink_to(secret),
    "dangling link": lambda path, secret: path.symlink_to("/nonexistent"),
    "unreadable": regular,
    "gone": lambda path, secret: None,
}


@pytest.fixture
def secret(server):
    """A file that everybody may read, but for a session of anna's."""
    path = server.dir / "secret"
    path.write_text("3 V1 N1 G\nnot anna's\n")
    path.chmod(0o666)
    yield path
    assert path.read_text() == "3 V1 N1 G\nnot anna's\n"
    assert "not anna's" not in server.log()


@pytest.mark.root
def test_req31_each_is_told_to_the_log(server, secret):
    """One after the other, so that none hides behind the log's "and maybe more like it"."""
    anna = server.accounts["anna"]
    fill(anna)
    for i, (kind, make) in enumerate(ODD.items()):
        for where in ("cur", "new"):
            path = anna.maildir / where / f"9.{where}{i}.odd:2,"
            make(path, secret)
            p = server.login()
            assert sorted(texts(p)) == [GOOD % i for i in range(3)], (where, kind)
            p.quit()
            if kind != "gone":
                server.wait_log(rf"maildir notice user=anna .*text=.*9\.{where}{i}\.odd")
            for left in anna.maildir.glob(f"*/9.{where}{i}.odd:2,"):
                left.rmdir() if kind == "directory" else left.unlink()
    for name, told in (("1.a\nb:2,", r"1\.a.*b:2,"), ("1.\x01:2,", r"1\..*01:2,"), (":2,S", "/:2,S")):
        (anna.maildir / "cur" / name).write_text("no message\n")
        p = server.login()
        assert p.stat()[0] == 3
        p.quit()
        server.wait_log(f"notice user=anna .*text=.*{told} has a name that no message can have")
        (anna.maildir / "cur" / name).unlink()


@pytest.mark.root
@pytest.mark.parametrize("kind", ODD)
def test_req31_becomes_odd_under_a_session(server, secret, kind):
    anna = server.accounts["anna"]
    fill(anna)
    p = server.login()
    (path,) = (anna.maildir / "cur").glob("1001.*")
    path.unlink()
    ODD[kind](path, secret)
    for command in (lambda: p.retr(2), lambda: p.top(2, 0), lambda: p.retr(2)):
        with pytest.raises(poplib.error_proto, match="-ERR"):
            command()
    assert b"good 0" in b"\n".join(p.retr(1)[1]) and b"good 2" in b"\n".join(p.retr(3)[1])
    p.dele(3)
    assert p.quit().startswith(b"+OK")
    if kind != "gone":
        server.wait_log(r"maildir notice user=anna .*text=.*1001\.M1\.good")
    p = server.login()
    assert p.stat()[0] == 1
    p.quit()


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
    server.wait_log(r"maildir notice user=anna .*text=.*1001\.bad.*(denied|permitted)")
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


def assert_same_for_three_sessions(server, content):
    seen = []
    for _ in range(3):
        p = server.login()
        assert sorted(texts(p)) == sorted(content)
        seen.append(p.uidl()[1])
        p.quit()
    assert seen[0] == seen[1] == seen[2]


def test_names_of_strange_octets(server):
    anna = server.accounts["anna"]
    names = [b"5.\xff\xfe.x:2,", b"6.\x7f:2,", b"7.%s%n%d:2,", b"8. blank :2,", b"-rf:2,", b"10.a :b:2,", b"11.x::2,S",
             b"12.x:,S", b"14.\"'`$(id)\\:2,", b"3 V1 N1:2,", b"15.x:2,\xff", b"9999999999999999999999.x:2,"]
    for i, name in enumerate(names):
        path = os.path.join(os.fsencode(anna.maildir), b"cur" if i % 2 else b"new", name)
        with open(path, "wb") as f:
            f.write(GOOD % i)
        anna.own(path)
    assert_same_for_three_sessions(server, [GOOD % i for i in range(len(names))])


def test_names_as_long_as_can_be(server):
    """Those without room for flags are served all the same, and can be removed."""
    anna = server.accounts["anna"]
    names = ["5." + "x" * 253, "6." + "y" * 251, "7." + "z" * 250 + ":2,", "8." + "w" * 249 + ":2,S"]
    for i, name in enumerate(names):
        anna.deliver(GOOD % i, name, sub="cur" if ":" in name else "new")
    assert_same_for_three_sessions(server, [GOOD % i for i in range(4)])
    p = server.login()
    for i in range(4):
        p.dele(i + 1)
    p.quit()
    assert anna.files() == []


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


@pytest.mark.parametrize("content", [b"Subject: new\n\nshort\n", b"Subject: new\n\n" + b"long\n" * 9000, b"", None],
                         ids=["shorter", "longer", "empty", "appended to"])
def test_req30_replaced_under_a_session(server, content):
    """Another file under the same name: the new one is sent whole, and as long as is announced."""
    anna = server.accounts["anna"]
    fill(anna)
    p = server.login()
    (path,) = (anna.maildir / "cur").glob("1001.*")
    if content is None:
        content = GOOD % 1 + b"more\n"
    anna.deliver(content, "1.replacement", sub="tmp")
    (anna.maildir / "tmp" / "1.replacement").rename(path)
    first, lines, octets = p.retr(2)
    assert b"".join(line + b"\n" for line in lines) == content
    assert int(first.split()[1]) == octets
    assert b"good 2" in b"\n".join(p.retr(3)[1])
    p.quit()


def test_req30_message_that_shrinks_while_it_is_sent(server):
    anna = server.accounts["anna"]
    big = b"Subject: big\n\n" + (b"z" * 76 + b"\n") * 400000
    anna.deliver(big, "1.big")
    s, f = server.raw(tls=True)
    s.sendall(b"USER anna\r\nPASS sesame\r\nRETR 1\r\n")
    assert all(f.readline().startswith(b"+OK") for _ in range(3))
    (path,) = (anna.maildir / "cur").iterdir()
    os.truncate(path, 1000)
    rest = f.read()
    assert not rest.endswith(b"\r\n.\r\n"), "an answer that cannot be whole has no end"
    assert big.replace(b"\n", b"\r\n").startswith(rest), "and nothing that the file did not hold"
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


@pytest.mark.root
def test_req39_one_message_that_cannot_be_removed(server):
    anna = server.accounts["anna"]
    fill(anna, 4)
    p = server.login()
    uidls = [u.split()[1] for u in p.uidl()[1]]
    (path,) = (anna.maildir / "cur").glob("1001.*")
    if subprocess.run(["chattr", "+i", path], capture_output=True).returncode != 0:
        pytest.skip("this file system has no immutable files")
    try:
        p.retr(2)
        for n in (1, 2, 3):
            p.dele(n)
        with pytest.raises(poplib.error_proto, match="^b'-ERR .* 1 message"):
            p.quit()
    finally:
        subprocess.run(["chattr", "-i", path], check=True)
    server.wait_log("pop3 end user=anna .*removed=2 ")
    p = server.login()
    assert [u.split()[1] for u in p.uidl()[1]] == [uidls[1], uidls[3]]
    p.quit()


@pytest.mark.root
def test_new_mail_in_a_maildir_that_cannot_be_changed(server):
    """What cannot move to cur/ is served from new/, and keeps its UIDL when it moves at last."""
    anna = server.accounts["anna"]
    fill(anna, 2)
    server.login().quit()
    anna.deliver(GOOD % 7, "3000.M.new")
    (anna.maildir / "cur").chmod(0o500)
    content = [GOOD % 0, GOOD % 1, GOOD % 7]
    assert_same_for_three_sessions(server, content)
    p = server.login()
    before = p.uidl()[1]
    p.quit()
    (anna.maildir / "cur").chmod(0o700)
    assert_same_for_three_sessions(server, content)
    p = server.login()
    assert p.uidl()[1] == before
    p.quit()
    assert os.listdir(anna.maildir / "new") == []


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


def leave_room(anna, pages):
    """Fills anna's disk up to so many pages."""
    page = os.sysconf("SC_PAGESIZE")
    with open(anna.maildir / "filler", "wb", 0) as f:
        try:
            while f.write(b"x" * page):
                pass
        except OSError:
            pass
        f.truncate(f.tell() - pages * page)


@pytest.mark.root
@pytest.mark.parametrize("known", [0, 100])
@pytest.mark.parametrize("pages", [0, 1, 2, 4])
def test_req34_disk_that_fills_up_in_a_sync(small_disk, known, pages):
    """Room for a part of what is to be written: new mail is there whole, or waits (mend04)."""
    server, anna = small_disk, small_disk.accounts["anna"]
    subprocess.run(["mount", "-o", "remount,size=2m", anna.maildir], check=True)
    seen = {}

    def look():
        p = server.login()
        uidls = [u.split()[1] for u in p.uidl()[1]]
        for uidl, text in zip(uidls, texts(p)):
            assert seen.setdefault(uidl, text) == text, "a UIDL for two messages"
        p.quit()
        return len(uidls)

    fill(anna, known)
    assert look() == known
    for i in range(known, 250):
        anna.deliver(GOOD % i, f"{1000 + i}.M{i}.good")
    leave_room(anna, pages)
    for _ in range(2):
        assert look() in (known, 250)
    (anna.maildir / "filler").unlink()
    assert look() == look() == 250
    assert sorted(seen.values()) == sorted(GOOD % i for i in range(250)), "nothing lost, no second UIDL"
    # Mail can be removed from a full disk: that is what it needs.
    p = server.login()
    leave_room(anna, 0)
    for n in range(1, 11):
        p.dele(n)
    assert p.quit().startswith(b"+OK")
    assert look() == 240
    (anna.maildir / "filler").unlink()
    assert look() == 240 and len(seen) == 250


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
    "zeros": lambda path: path.write_bytes(bytes(300)),
    "link": lambda path: (path.unlink(), path.symlink_to(path.parents[3] / "secret")),
    "fifo": lambda path: (path.unlink(), os.mkfifo(path)),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
}
# No UID in these can be trusted.  Of the others some lines can, and may stay as they are.
ALL_NEW = {"gone", "empty", "garbage", "no header", "old version", "falling UIDs", "large numbers", "zeros", "link", "fifo",
           "a directory"}


@pytest.mark.parametrize("damage", DAMAGE)
def test_req35_damaged_uidlist(server, secret, damage):
    anna = server.accounts["anna"]
    fill(anna, 5)
    p = server.login()
    before = [u.split()[1] for u in p.uidl()[1]]
    content = dict(zip(before, texts(p)))
    p.quit()
    path = anna.maildir / "dovecot-uidlist"
    DAMAGE[damage](path)
    p = server.login()
    after = [u.split()[1] for u in p.uidl()[1]]
    assert sorted(texts(p)) == sorted(content.values()), "all mail is served in the first session"
    for uidl, text in zip(after, texts(p)):
        assert content.setdefault(uidl, text) == text, "no UIDL for another message"
    assert all(u[8:] >= before[0][8:] for u in after), "UIDVALIDITY only rises"
    if damage in ALL_NEW:
        assert all(u[8:] > before[0][8:] for u in after), "and does so when UIDs are lost"
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


def test_req36_killed_in_the_middle_of_a_sync(serve):
    """A reader that dies at any moment of a large sync leaves all mail, no lock, and UIDs that hold."""
    server = serve({"login_in_clear": "loopback"})
    anna = server.accounts["anna"]
    known, at_once = [], 2000
    for attempt in range(6):
        for i in range(len(known), len(known) + at_once):
            anna.deliver(GOOD % i, f"{100000 + i}.M{i}.many")
        s, f = server.raw()
        s.sendall(b"USER anna\r\nPASS sesame\r\n")
        until(lambda: len(os.listdir(anna.maildir / "new")) < at_once - attempt * 300, 10, "the sync began")
        for pid, (_, title) in server.children().items():
            if title.startswith("sallyport: reader"):
                os.kill(pid, 9)
        s.close()
        f.close()
        start = time.monotonic()
        p = server.login()
        assert time.monotonic() - start < (10 if ASAN else 2)
        uidls = [u.split()[1] for u in p.uidl()[1]]
        assert len(uidls) == len(set(uidls)) == len(known) + at_once
        assert uidls[:len(known)] == known
        known = uidls
        p.quit()


def test_many_messages(server):
    anna = server.accounts["anna"]
    for i in range(20000):
        anna.deliver(GOOD % i, f"{100000 + i}.M{i}.many")
    p = server.login(timeout=60)
    assert p.stat()[0] == len(p.uidl()[1]) == len(p.list()[1]) == 20000
    assert b"good 19999" in b"\n".join(p.retr(20000)[1])
    p.quit()


@pytest.mark.parametrize("other", ["new", "cur"])
def test_one_file_by_two_names_of_one_base(server, other):
    """Somebody was between link and unlink, or died there: one message, and DELE takes both names."""
    anna = server.accounts["anna"]
    fill(anna, 2)
    server.login().quit()
    (path,) = (anna.maildir / "cur").glob("1001.*")
    os.link(path, anna.maildir / other / ("1001.M1.good" if other == "new" else path.name + "F"))
    for _ in range(2):
        p = server.login()
        assert sorted(texts(p)) == [GOOD % 0, GOOD % 1]
        p.quit()
    p = server.login()
    p.dele(2)
    p.quit()
    assert [n.split(".")[0] for n in anna.files()] == ["1000"]


def test_hard_links(server):
    """One file with two names is one message somebody is moving, or two: nothing is lost either way."""
    anna = server.accounts["anna"]
    fill(anna, 1)
    os.link(anna.maildir / "new" / "1000.M0.good", anna.maildir / "cur" / "2000.other:2,")
    p = server.login()
    assert set(texts(p)) == {GOOD % 0}
    p.quit()
    assert not re.search("died", server.log())


# --- names with several colons ---

def test_mend05_names_with_several_colons(server):
    """mutt, mbsync and Dovecot read and write the info at the last colon; we keep what stands before it."""
    anna = server.accounts["anna"]
    names = ["1.a:2,:2,S", "2.a 12:30:59:2,", "3.a:1,x:2,RS", "4.a:2,F:2,", "5.a:1,x"]
    for name in names:
        anna.deliver(b"Subject: %s\n\nx\n" % name.encode(), name, "cur")
    anna.deliver(b"Subject: 6\n\nx\n", "6.a:2,:2,", "new")

    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").find(rb"\* 6 EXISTS")
    found = {int(m[1]): m[2].decode().replace("\\Recent", "").split()
             for m in talk.cmd("UID FETCH 1:* (FLAGS)").find(rb"UID (\d+).*FLAGS \((.*?)\)")}
    assert found == {1: ["\\Seen"], 2: [], 3: ["\\Answered", "\\Seen"], 4: [], 5: [], 6: []}
    assert talk.cmd("UID STORE 1:6 +FLAGS (\\Flagged)").ok
    assert anna.files() == ["1.a:2,:2,FS", "2.a 12:30:59:2,F", "3.a:1,x:2,FRS", "4.a:2,F:2,F", "5.a:1,x:2,F", "6.a:2,:2,F"]
    assert re.findall(r":(.*)\n", (anna.maildir / "dovecot-uidlist").read_text()) == ["1.a", "2.a 12", "3.a", "4.a", "5.a", "6.a"]
    # Others change flags as they do; the messages stay the same ones.
    for old, new in ("1.a:2,:2,FS", "1.a:2,:2,S"), ("5.a:1,x:2,F", "5.a:2,S"):
        (anna.maildir / "cur" / old).rename(anna.maildir / "cur" / new)
    assert talk.cmd("NOOP").ok and talk.cmd("UID SEARCH SEEN").untagged == [b"* SEARCH 1 3 5"]
    assert talk.cmd("UID SEARCH FLAGGED").untagged == [b"* SEARCH 2 3 4 6"]
    p = server.login()
    assert len(p.list()[1]) == 6
