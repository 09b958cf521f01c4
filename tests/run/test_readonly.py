"""Maildirs that can be read but not written: a read-only file system, missing rights, a full disk."""

import os
import poplib
import random
import subprocess
import threading
import time

import pytest

pytestmark = pytest.mark.root

MAIL = "Subject: {0}\r\n\r\nthis is {0}\r\n"


def mount(*args):
    subprocess.run(["mount", *map(str, args)], check=True)


class Tree:
    """anna's Maildir on a file system of its own, which can lose its room or its writability."""

    def __init__(self, server, messages=3):
        self.server, self.anna = server, server.accounts["anna"]
        self.mounted = False
        for i in range(messages):
            self.anna.deliver(MAIL.format(f"old{i}"))

    def on_tmpfs(self, size="256k"):
        """Moves the Maildir to a tmpfs of that size."""
        aside = self.anna.home / "aside"
        self.anna.maildir.rename(aside)
        self.anna.maildir.mkdir()
        mount("-t", "tmpfs", "-o", f"size={size},mode=0700,uid={self.anna.uid},gid={self.anna.uid}",
              "tmpfs", self.anna.maildir)
        self.mounted = True
        subprocess.run(["cp", "-a", f"{aside}/.", str(self.anna.maildir)], check=True)
        return self

    def open(self):
        """All that is there gets its UID and its index."""
        talk = self.server.imap_talk()
        assert talk.cmd("SELECT INBOX").ok
        talk.cmd("LOGOUT")
        talk.close()

    def fill(self):
        """Until nothing more fits, not even a lock file's few octets."""
        n = 0
        while True:
            try:
                with open(self.anna.maildir / "tmp" / f"filler{n}", "wb", buffering=0) as f:
                    while f.write(b"x" * 4096) == 4096:
                        pass
                n += 1
            except OSError:
                return

    def make_room(self):
        for path in (self.anna.maildir / "tmp").glob("filler*"):
            path.unlink()

    def bind_readonly(self):
        mount("--bind", self.anna.maildir, self.anna.maildir)
        self.mounted = True
        mount("-o", "remount,bind,ro", self.anna.maildir)

    def remount(self, how):
        mount("-o", f"remount,bind,{how}", self.anna.maildir)

    def take_rights(self):
        subprocess.run(["chmod", "-R", "a-w", str(self.anna.maildir)], check=True)

    def give_rights(self):
        subprocess.run(["chmod", "-R", "u+w", str(self.anna.maildir)], check=True)

    def end(self):
        if self.mounted:
            subprocess.run(["umount", "-l", str(self.anna.maildir)], check=True)


@pytest.fixture
def tree(serve):
    t = Tree(serve())
    yield t
    t.end()


def exists(answer):
    return int(answer.find(rb"^\* (\d+) EXISTS")[-1][1])


def closed(tree, how):
    """After the tree was opened a message comes, and then nothing can be written any more."""
    tree.open()
    tree.anna.deliver(MAIL.format("new"), "9999999999.late.test")
    getattr(tree, how)()


HOW = {"bind_readonly": lambda t: t.remount("rw"), "take_rights": lambda t: t.give_rights()}


@pytest.mark.parametrize("how", HOW)
def test_mend04_readonly_imap(tree, how):
    closed(tree, how)
    talk = tree.server.imap_talk()
    selected = talk.cmd("SELECT INBOX")
    assert selected.ok and selected.text.startswith("[READ-ONLY]"), selected
    assert exists(selected) == 3
    assert selected.find(rb"PERMANENTFLAGS \(\)")
    assert talk.cmd("STATUS INBOX (MESSAGES UIDNEXT UNSEEN)").find(rb"MESSAGES 3 UIDNEXT 4 UNSEEN 3")
    assert talk.cmd("FETCH 2 BODY[TEXT]").find(rb"this is old1")
    assert talk.cmd("FETCH 1:3 (UID ENVELOPE BODYSTRUCTURE)").ok
    assert talk.cmd("SEARCH BODY old2").find(rb"^\* SEARCH 3$")
    files = tree.anna.files()
    for write in ("STORE 1 +FLAGS (\\Seen)", "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "UID EXPUNGE 1",
                  "MOVE 1 INBOX", "COPY 1 INBOX", "CREATE Sub", "SUBSCRIBE INBOX"):
        assert talk.cmd(write).no and talk.last.text.startswith("[NOPERM]"), (write, talk.last)
    assert talk.append("INBOX", "x").text.startswith("[NOPERM]"), talk.last
    assert talk.cmd('LIST "" *').find(rb"INBOX")
    assert tree.anna.files() == files
    # The same session, once it may write again.
    HOW[how](tree)
    news = talk.cmd("NOOP")
    assert news.find(rb"^\* OK \[READ-WRITE\]") and exists(news) == 4, news
    assert news.find(rb"PERMANENTFLAGS \([^)]*Seen")
    assert talk.cmd("FETCH 4 (UID BODY[TEXT])").find(rb"UID 4 .*this is new")
    assert talk.cmd("STORE 1 +FLAGS (\\Deleted)").ok and talk.cmd("EXPUNGE").find(rb"1 EXPUNGE")
    talk.close()
    tree.server.wait_log("INBOX: 1 new messages are not shown yet")


@pytest.mark.parametrize("how", HOW)
def test_mend04_readonly_pop3(tree, how):
    closed(tree, how)
    p = tree.server.login()
    assert p.stat()[0] == 3
    assert b"this is old1" in b"\n".join(p.retr(2)[1])
    p.dele(1)
    with pytest.raises(poplib.error_proto, match="-ERR"):
        p.quit()
    assert len(tree.anna.files()) == 4
    HOW[how](tree)
    p = tree.server.login()
    assert p.stat()[0] == 4
    p.dele(1)
    p.quit()
    assert len(tree.anna.files()) == 3


def test_mend04_readonly_without_index(tree):
    """UIDs are enough; and where there are none, a list of nothing is no answer."""
    tree.open()
    for path in tree.anna.maildir.glob("sallyport.*"):
        path.unlink()
    tree.bind_readonly()
    talk = tree.server.imap_talk()
    selected = talk.cmd("SELECT INBOX")
    assert selected.text.startswith("[READ-ONLY]") and exists(selected) == 3
    assert talk.cmd("FETCH 1:* (UID FLAGS)").find(rb"3 FETCH \(UID 3 ")
    tree.remount("rw")
    (tree.anna.maildir / "dovecot-uidlist").unlink()
    tree.remount("ro")
    other = tree.server.imap_talk()
    assert other.cmd("SELECT INBOX").text.startswith("[NOPERM]"), other.last


def test_mend04_readonly_follows_others(tree):
    """What another program does to a tree that a session may only read from now on is seen."""
    tree.open()
    talk = tree.server.imap_talk()
    assert exists(talk.cmd("SELECT INBOX")) == 3 and talk.cmd("STORE 3 +FLAGS (\\Flagged)").ok
    tree.take_rights()
    assert talk.cmd("NOOP").find(rb"^\* OK \[READ-ONLY\]")
    assert talk.cmd("STORE 3 -FLAGS (\\Flagged)").text.startswith("[NOPERM]")
    cur = tree.anna.maildir / "cur"
    first, second, _ = sorted(cur.iterdir())
    first.rename(cur / (first.name + "S"))
    second.unlink()
    news = talk.cmd("NOOP")
    assert news.find(rb"2 EXPUNGE") and news.find(rb"1 FETCH .*Seen"), news
    with open(tree.anna.maildir / "dovecot-uidlist", "a") as f:
        f.write("4 :9999999999.other.test\n")
    tree.anna.deliver(MAIL.format("other"), "9999999999.other.test")
    assert exists(talk.cmd("NOOP")) == 3
    assert talk.cmd("FETCH 3 (UID BODY[TEXT])").find(rb"UID 4 .*this is other")


@pytest.mark.parametrize("missing", ["new", "cur", "tmp"])
def test_mend04_readonly_without_a_part(tree, missing):
    """git, rsync and backups leave out empty directories, and a backup may be mounted for reading."""
    tree.open()
    anna = tree.anna
    for name in anna.files():
        if missing == "cur":
            (anna.maildir / "cur" / name).rename(anna.maildir / "new" / name.split(":")[0])
    (anna.maildir / missing).rmdir()
    tree.bind_readonly()
    talk = tree.server.imap_talk()
    assert exists(talk.cmd("SELECT INBOX")) == 3 and talk.last.text.startswith("[READ-ONLY]")
    assert talk.cmd("FETCH 2 BODY[TEXT]").find(rb"this is old1")
    p = tree.server.login()
    assert p.stat()[0] == 3 and b"this is old1" in b"\n".join(p.retr(2)[1])
    tree.remount("rw")
    anna.own(anna.maildir)
    assert talk.cmd("STORE 1 +FLAGS (\\Flagged)").ok, talk.last
    assert (anna.maildir / missing).exists() or missing == "tmp"


def full(tree, opened=True, lock=True):
    tree.on_tmpfs()
    if opened:
        tree.open()
    if not lock:
        (tree.anna.maildir / "sallyport.lock").unlink()
    tree.anna.deliver(MAIL.format("new"), "9999999999.late.test")
    tree.fill()


def test_mend04_full_disk_imap(tree):
    full(tree)
    talk, other = tree.server.imap_talk(), tree.server.imap_talk()
    for t in (talk, other):
        selected = t.cmd("SELECT INBOX")
        assert selected.text.startswith("[READ-WRITE]") and exists(selected) == 3, selected
    assert talk.cmd("STATUS INBOX (MESSAGES)").find(rb"MESSAGES 3")
    assert talk.cmd("FETCH 2 BODY[TEXT]").find(rb"this is old1")
    assert talk.append("INBOX", "x" * 5000).text.startswith("[OVERQUOTA]"), talk.last
    # Room is made by removing.
    assert talk.cmd("STORE 1 +FLAGS (\\Deleted)").ok, talk.last
    assert talk.cmd("EXPUNGE").find(rb"1 EXPUNGE"), talk.last
    assert len(tree.anna.files()) == 3
    tree.make_room()
    for t in (talk, other):
        assert t.cmd("NOOP").ok
        assert t.cmd("FETCH 3 (UID BODY[TEXT])").find(rb"UID 4 .*this is new"), t.last


def test_mend04_full_disk_pop3(tree):
    full(tree)
    p = tree.server.login()
    assert p.stat()[0] == 3
    p.dele(1)
    p.dele(2)
    p.quit()
    assert len(tree.anna.files()) == 2
    tree.make_room()
    p = tree.server.login()
    assert p.stat()[0] == 2
    p.quit()


def test_mend04_full_disk_idle(tree):
    """A session that idles hears of the message once there is room."""
    full(tree)
    talk = tree.server.imap_talk()
    assert exists(talk.cmd("SELECT INBOX")) == 3
    tag = talk.start("IDLE")
    assert talk.line().startswith(b"+")
    tree.make_room()
    assert talk.line() == b"* 4 EXISTS"
    talk.send("DONE\r\n")
    talk.finish(tag)


def test_mend04_no_inode_for_the_lock(tree):
    """Where not even an empty lock file can be made messages are removed without it."""
    tree.on_tmpfs("256k,nr_inodes=40")
    tree.open()
    (tree.anna.maildir / "sallyport.lock").unlink()
    n = 0
    with pytest.raises(OSError):
        while True:
            (tree.anna.maildir / "tmp" / f"filler{n}").touch()
            n += 1
    talk = tree.server.imap_talk()
    assert exists(talk.cmd("SELECT INBOX")) == 3
    assert talk.cmd("STORE 1 +FLAGS (\\Deleted)").ok, talk.last
    assert talk.cmd("EXPUNGE").find(rb"1 EXPUNGE"), talk.last
    p = tree.server.login()
    assert p.stat()[0] == 2
    p.dele(1)
    p.quit()
    assert len(tree.anna.files()) == 1
    tree.make_room()
    assert talk.cmd("NOOP").find(rb"1 EXPUNGE") and talk.cmd("FETCH 1 UID").find(rb"UID 3"), talk.last


@pytest.mark.parametrize("seed", range(3))
def test_mend04_comes_and_goes(tree, seed):
    """Two sessions go on while rights and room come and go: no UID means two messages, and none is lost."""
    rng = random.Random(seed)
    tree.on_tmpfs("512k").open()
    anna, bodies, there = tree.anna, {}, {f"old{i}" for i in range(3)}
    talks = [tree.server.imap_talk() for _ in range(2)]
    validity = {t.cmd("SELECT INBOX").find(rb"UIDVALIDITY (\d+)")[0][1] for t in talks}
    state, n = "open", 0

    def look(talk):
        assert talk.cmd("NOOP").ok
        found = set()
        for m in talk.cmd("UID FETCH 1:* (UID BODY.PEEK[TEXT])").find(rb"UID (\d+) .*this is (\w+)"):
            assert bodies.setdefault(m[1], m[2]) == m[2], "a UID of two messages"
            found.add(m[2].decode())
        return found

    for step in range(40):
        talk, what = rng.choice(talks), rng.choice(["state", "deliver", "deliver", "store", "expunge", "append"])
        if what == "state":
            tree.give_rights()
            tree.make_room()
            state = rng.choice(["open", "rights", "full"])
            if state == "full":
                tree.fill()
            elif state == "rights":
                tree.take_rights()
        elif what == "deliver":
            try:
                anna.deliver(MAIL.format(f"m{n}"), f"{2000 + n}.m{n}")
                there.add(f"m{n}")
            except OSError:
                assert state == "full"
            n += 1
        elif what == "store":
            answer = talk.cmd("STORE 1:* +FLAGS.SILENT (\\Flagged)")
            assert answer.ok or "[NOPERM]" in answer.text and state == "rights" or not look(talk), (state, answer)
        elif what == "append":
            answer = talk.append("INBOX", MAIL.format(f"m{n}"))
            assert answer.ok or state != "open", (state, answer)
            there |= {f"m{n}"} if answer.ok else set()
            n += 1
        elif (seen := look(talk)) and len(there) > 2:
            gone = rng.choice(sorted(seen))
            uid = next(u for u, b in bodies.items() if b.decode() == gone)
            stored = talk.cmd(b"UID STORE %s +FLAGS (\\Deleted)" % uid)
            done = talk.cmd(b"UID EXPUNGE %s" % uid)
            assert (stored.ok and done.ok) == (state != "rights"), (state, stored, done)
            there -= {gone} if done.ok else set()
        assert look(talk) <= there, "what is gone is told"
    tree.give_rights()
    tree.make_room()
    for talk in talks:
        assert look(talk) == there, "nothing is lost, and all of it is seen by the same sessions"
    again = tree.server.imap_talk()
    assert again.cmd("SELECT INBOX").find(rb"UIDVALIDITY (\d+)")[0][1] in validity and len(validity) == 1
    assert look(again) == there


def test_store_on_a_message_that_stays_in_new(server):
    """Without rights to new/ a message cannot move to cur/, nor get flags: RFC 5530 calls that NOPERM."""
    anna = server.accounts["anna"]
    anna.deliver(MAIL.format("stays"), "1000.a")
    (anna.maildir / "new").chmod(0o500)
    talk = server.imap_talk()
    assert exists(talk.cmd("SELECT INBOX")) == 1
    assert talk.cmd("STORE 1 +FLAGS (\\Seen)").no and talk.last.text.startswith("[NOPERM]"), talk.last
    (anna.maildir / "new").chmod(0o700)
    assert talk.cmd("STORE 1 +FLAGS (\\Seen)").ok


def test_idle_looks_in_time_while_events_pour_in(server):
    """A message that waits for a UID is shown within seconds, though inotify tells of a file that means nothing."""
    anna = server.accounts["anna"]
    anna.deliver(MAIL.format("first"), "1000.a")
    noise = anna.maildir / "noise"
    noise.touch()
    talk = server.imap_talk()
    assert exists(talk.cmd("SELECT INBOX")) == 1
    talk.cmd("NOOP")
    (anna.maildir).chmod(0o500)
    anna.deliver(MAIL.format("waits"), "1001.b")
    tag = talk.start("IDLE")
    while not talk.line().startswith(b"+"):
        pass
    stop = threading.Event()

    def pour():
        for _ in range(200):
            noise.write_text("x")
            if stop.wait(0.05):
                return

    pouring = threading.Thread(target=pour)
    pouring.start()
    time.sleep(1.5)
    begun = time.monotonic()
    anna.maildir.chmod(0o700)  # a watch does not hear of this
    try:
        while b"2 EXISTS" not in talk.line():
            pass
        assert time.monotonic() - begun < 4
    finally:
        stop.set()
        pouring.join()
    talk.send("DONE\r\n")
    assert talk.finish(tag).ok
