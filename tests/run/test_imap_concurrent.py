"""Postfix delivers while clients idle; and several clients, a deliverer and a mail program that renames files work on
the same folders at once.  Afterwards no message is lost or doubled, every client knows what is on disk, and no UID has
ever meant two messages."""

import collections
import os
import random
import re
import shutil
import threading
import time

import pytest

import wire
from conftest import until
from test_postfix import letter as postfix_letter
from test_postfix import postfix, without_trace  # noqa: F401: a fixture

MARKS = {"F": rb"\Flagged", "R": rb"\Answered", "S": rb"\Seen", "T": rb"\Deleted", "D": rb"\Draft"}


class Idler(threading.Thread):
    """Idles in INBOX and notes when it is told which number of messages."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.account, self.talk, self.told, self.error = name, server.imap_talk(name), {}, None
        assert self.talk.cmd("SELECT INBOX").ok
        self.tag = self.talk.start("IDLE")
        while not self.talk.line().startswith(b"+"):
            pass
        self.start()

    def run(self):
        try:
            while True:
                line = self.talk.line()
                if not line.startswith(b"* "):
                    assert line.startswith(self.tag + b" OK"), line
                    return
                m = re.fullmatch(rb"\* (\d+) EXISTS", line)
                if m:
                    self.told[int(m[1])] = time.monotonic()
        except Exception as e:  # told by the test
            self.error = e

    def done(self):
        self.talk.send("DONE\r\n")
        self.join(10)
        assert self.error is None and not self.is_alive(), self.error


@pytest.mark.root
@pytest.mark.skipif(shutil.which("postfix") is None, reason="needs postfix: see etc/need.sh")
def test_postfix_while_clients_idle(server, postfix):  # noqa: F811
    """Each of the idle clients hears within a second of the file's appearing, and reads what was sent."""
    idlers = [Idler(server, name) for name in ("anna", "ben", "anna", "anna", "ben")]
    count = 8
    appeared = {"anna": {}, "ben": {}}
    with postfix.connect() as smtp:
        for n in range(count):
            for name in appeared:
                postfix.send(name, postfix_letter(name, n), smtp=smtp)
                until(lambda: len(server.accounts[name].files()) > n, 10, "the delivery")
                appeared[name][n + 1] = time.monotonic()
                for i in idlers:
                    if i.account == name:
                        until(lambda: n + 1 in i.told, 5, f"an idle client of {name} is told")
    for i in idlers:
        late = {n: i.told[n] - at for n, at in appeared[i.account].items()}
        assert max(late.values()) < 1, late
        i.done()
        got = [m[1] for m in i.talk.cmd("UID FETCH 1:* (BODY.PEEK[])").find(rb"BODY\[\] \{\d+\}\r\n(.*)\)$")]
        assert collections.Counter(map(without_trace, got)) == collections.Counter(
            postfix_letter(i.account, n) for n in range(count))
        assert i.talk.cmd("LOGOUT").ok


# --- all at once ---

FOLDERS = ("INBOX", "Work", "Archive/Old")
SECONDS = 5
CLIENTS = 4


def disk_folder(name):
    return None if name == "INBOX" else name


def content(who, n):
    return (f"From: {who}@example.org\r\nTo: anna@localhost\r\nMessage-ID: <{who}.{n}@x>\r\nSubject: {n}\r\n\r\n"
            + "text\r\n" * (n % 7)).encode()


class View:
    """A mailbox as the protocol tells it: UIDs by number, "* n EXISTS", "* n EXPUNGE", "* n FETCH"."""

    def __init__(self, talk, folder, ids):
        self.talk, self.folder, self.ids = talk, folder, ids
        self.uids, self.flags = [], {}
        self.cmd(f'SELECT "{folder}"')
        self.learn()

    def cmd(self, command, *literals, ok=("OK",)):
        answer = self.talk.cmd(command, *literals)
        assert answer.status in ok, (command, answer)
        for line in answer.untagged:
            self.take(line, command)
        return answer

    def take(self, line, command=""):
        m = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)", line)
        if not m:
            return
        n = int(m[1])
        if m[2] == b"EXISTS":
            assert n >= len(self.uids), "EXISTS never takes away"
            self.uids += [None] * (n - len(self.uids))
            return
        assert 1 <= n <= len(self.uids), (line, len(self.uids))
        if m[2] == b"EXPUNGE":
            assert not re.match(r"(FETCH|STORE|SEARCH)", command), "numbers were in use"
            del self.uids[n - 1]
            return
        uid = re.search(rb"UID (\d+)", line)
        if uid:
            uid = int(uid[1])
            assert self.uids[n - 1] in (None, uid), "a number is another message's"
            self.uids[n - 1] = uid
            known = [u for u in self.uids if u is not None]
            assert known == sorted(set(known)), "UIDs rise"
            id_ = re.search(rb"<([^>]*)@x>", line)
            if id_:
                assert self.ids.setdefault((self.folder, uid), id_[1]) == id_[1], "a UID is another message's"
        flags = re.search(rb"FLAGS \(([^)]*)\)", line)
        if flags and self.uids[n - 1]:
            self.flags[self.uids[n - 1]] = frozenset(flags[1].split()) - {rb"\Recent"}

    def learn(self, command="UID FETCH {}:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"):
        """The UIDs and Message-IDs of what is new."""
        first = next((i for i, u in enumerate(self.uids) if u is None), len(self.uids))
        if first < len(self.uids):
            self.cmd(command.format(self.uids[first - 1] + 1 if first else 1))

    def mine(self, who):
        """UIDs of messages that are this client's business, by Message-ID."""
        found = {}
        for u in self.uids:
            m = re.fullmatch(rb"[a-z]+\d*\.(\d+)", self.ids.get((self.folder, u), b""))
            if m and int(m[1]) % CLIENTS == who:
                found[u] = m[0]
        return found


class Worker(threading.Thread):
    def __init__(self, work, stop):
        super().__init__(daemon=True)
        self.work, self.stop_at, self.error, self.turns = work, stop, None, 0
        self.start()

    def run(self):
        try:
            while not self.stop_at.is_set():
                self.work()
                self.turns += 1
        except BaseException as e:  # told by the test
            self.error = e
            self.stop_at.set()


class Client:
    """Reads, marks, moves, appends and expunges; of each message only one client decides where it is."""

    def __init__(self, server, who, ids):
        self.who, self.ids, self.random = who, ids, random.Random(who)
        self.talk = server.imap_talk(tls=True)
        self.view = View(self.talk, FOLDERS[who % len(FOLDERS)], ids)
        self.made, self.removed = [], []

    def turn(self):
        view, one = self.view, self.random
        view.learn()
        what = one.randrange(12)
        uids = list(view.mine(self.who))
        if what < 2:
            view.cmd("NOOP")
        elif what == 2:
            n = 4 * len(self.made) + self.who
            message = content(f"client{self.who}", n)
            self.made.append(b"client%d.%d" % (self.who, n))
            folder = one.choice(FOLDERS)
            view.cmd(f'APPEND "{folder}" {{{len(message)}}}', message)
        elif what < 5 and view.uids:
            flags = one.choice([r"\Seen", r"\Flagged", r"\Answered", r"$Label1", r"\Seen \Flagged"])
            number = one.randint(1, len(view.uids))
            view.cmd(f"STORE {number}:* {one.choice('+-')}FLAGS ({flags})", ok=("OK", "NO"))
        elif what < 7 and uids:
            some = one.sample(uids, min(len(uids), 5))
            target = one.choice([f for f in FOLDERS if f != view.folder])
            view.cmd(f'UID MOVE {",".join(map(str, some))} "{target}"')
        elif what == 7 and uids:
            uid = one.choice(uids)
            self.removed.append(self.ids[view.folder, uid])
            view.cmd(rf"UID STORE {uid} +FLAGS.SILENT (\Deleted)")
            view.cmd(f"UID EXPUNGE {uid}")
            assert uid not in view.uids
        elif what == 8:
            view.cmd("UNSELECT")
            self.view = View(self.talk, one.choice(FOLDERS), self.ids)
        elif what == 9 and view.uids:
            view.cmd(f"FETCH 1:{len(view.uids)} (UID FLAGS RFC822.SIZE)", ok=("OK", "NO"))
        elif what == 10:
            view.cmd("UID SEARCH NOT SEEN")
        else:
            tag = self.talk.start("IDLE")
            line = self.talk.line()
            while not line.startswith(b"+"):
                view.take(line)
                line = self.talk.line()
            time.sleep(0.05)
            self.talk.send("DONE\r\n")
            for line in self.talk.finish(tag).untagged:
                view.take(line)
            assert self.talk.last.ok


class Mua:
    """Marks messages as a program does that reads the Maildir itself: by renaming."""

    def __init__(self, account):
        self.account, self.random, self.renamed = account, random.Random(7), 0

    def turn(self):
        folder = self.account.folder(disk_folder(self.random.choice(FOLDERS)))
        files = [p for sub in ("new", "cur") for p in (folder / sub).iterdir()]
        for path in self.random.sample(files, min(len(files), 5)):
            base, _, flags = path.name.partition(":2,")
            flags = set(flags) ^ {self.random.choice("FRS")}  # letters of keywords stay
            try:
                os.rename(path, folder / "cur" / (base + ":2," + "".join(sorted(flags))))
                self.renamed += 1
            except FileNotFoundError:
                pass  # somebody else renamed it
        time.sleep(0.005)


class Deliverer:
    def __init__(self, account):
        self.account, self.sent = account, []

    def turn(self):
        n = len(self.sent)
        self.account.deliver(content("mx", n), folder=disk_folder(FOLDERS[n // 5 % 2]))
        self.sent.append(b"mx.%d" % n)
        time.sleep(0.01)


def test_everybody_at_once(serve):
    server = serve({"make_special_folders": "no"})
    anna = server.accounts["anna"]
    for folder in FOLDERS[1:]:
        anna.make_folder(folder)
    ids = {}  # (folder, UID) -> Message-ID, of all clients together
    deliverer, mua = Deliverer(anna), Mua(anna)
    for _ in range(80):
        deliverer.turn()
    clients = [Client(server, who, ids) for who in range(CLIENTS)]
    watchers = [View(server.imap_talk(), folder, ids) for folder in FOLDERS]  # they only look
    stop = threading.Event()
    workers = [Worker(w.turn, stop) for w in (*clients, deliverer, mua)]
    workers += [Worker(lambda w=w: (w.cmd("NOOP"), w.learn(), time.sleep(0.05)), stop) for w in watchers]
    stop.wait(SECONDS)
    stop.set()
    for w in workers:
        w.join(20)
        assert not w.is_alive()
        if w.error is not None:
            raise w.error
    assert min(w.turns for w in workers) > 10 and mua.renamed > 50, [w.turns for w in workers]

    expected = collections.Counter(deliverer.sent)
    for c in clients:
        expected.update(c.made)
        expected.subtract(c.removed)
    on_disk = {}
    for folder in FOLDERS:
        on_disk[folder] = {}
        for sub in ("cur", "new"):
            for path in (anna.folder(disk_folder(folder)) / sub).iterdir():
                text = wire.wire(path.read_bytes())
                id_ = re.search(rb"<([^>]*)@x>", text)[1]
                who, n = id_.decode().split(".")
                assert text == content(who, int(n)), "whole and unchanged"
                assert id_ not in on_disk[folder], "doubled"
                on_disk[folder][id_] = {MARKS[c] for c in path.name.partition(":2,")[2] if c in MARKS}
    assert collections.Counter(i for f in on_disk.values() for i in f) == +expected, "none lost, none doubled"

    time.sleep(1.2)  # what the MUA did in the moment of a change of ours is seen within a second
    # Everybody's view: told step by step, it is what a new session reads, and what the disk has.
    views = [*watchers, *(c.view for c in clients)]
    for folder in FOLDERS:
        fresh = View(server.imap_talk(), folder, ids)
        assert {ids[folder, u] for u in fresh.uids} == set(on_disk[folder])
        assert len(fresh.uids) == len(on_disk[folder])
        for uid in fresh.uids:
            system = {f for f in fresh.flags[uid] if f.startswith(b"\\")}
            assert system == on_disk[folder][ids[folder, uid]], (folder, uid)
        for view in (v for v in views if v.folder == folder):
            view.cmd("NOOP")
            view.learn()
            assert view.uids == fresh.uids
            assert {u: view.flags[u] for u in view.uids} == fresh.flags, folder
        # The list on disk may still name what is gone, but each file has one UID, and it is the told one.
        said = (anna.folder(disk_folder(folder)) / "dovecot-uidlist").read_text().splitlines()[1:]
        listed = [(int(line.split()[0]), line.partition(":")[2]) for line in said]
        assert len(dict(listed)) == len({name for _, name in listed}) == len(listed)
        files = {p.name.partition(":")[0]: re.search(rb"<([^>]*)@x>", p.read_bytes())[1]
                 for sub in ("cur", "new") for p in (anna.folder(disk_folder(folder)) / sub).iterdir()}
        assert {u: files[name.partition(":")[0]] for u, name in listed if name.partition(":")[0] in files} == {
            u: ids[folder, u] for u in fresh.uids}
    assert not [p for f in FOLDERS for p in (anna.folder(disk_folder(f)) / "tmp").iterdir()]
