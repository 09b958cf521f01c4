"""rows.py: the rows of the table, in groups that share mailboxes and sessions.

A group has a function of (server, size, turn) that yields one Figure for each row of the group.  The benchmark calls
it for each server in turn: once or twice without counting, so that every cache is warm unless the row says cold, then
several times.
"""

import dataclasses
import os
import pathlib
import socket
import statistics
import time

from servers import IS_ROOT, Lacks, Misbehaved, Watch


@dataclasses.dataclass
class Size:
    """How many messages, folders, clients.  QUICK has sizes that try the benchmark, not the servers."""

    small: int = 1000
    big: int = 10000
    huge: int = 100000
    gone: int = 5000
    part: int = 1000  # of big: copied, moved, changed one by one
    changes: int = 100
    appends: int = 100
    folders: int = 200
    logins: int = 20
    refusals: int = 2000
    resumed: int = 50
    crowd: int = 500
    deliveries: int = 5
    vast: int = 0  # messages of the largest folder to deliver into; 0: not measured


QUICK = Size(small=100, big=1000, huge=5000, gone=500, part=100, appends=20, folders=20, logins=5, crowd=50,
             deliveries=2)
USERS = ["small", "big", "new", "huge", "append", "gone", "crowd", "folders", "idle"]
VAST = 300000  # messages; their mail takes 6 GB
PAUSE = 2.0  # s after a delivery; a server may put off part of its work until the folder's times are older
APPEND_SIZE = 8192
ALL = "FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
FOLDER_MESSAGES = 10
RESUMED = 98  # %
EXPUNGED = 10  # of the changes; the others are flags


@dataclasses.dataclass
class Figure:
    wall: float = None  # ms
    cpu: float = None  # ms
    memory: float = None  # KiB
    client: float = None  # ms: the client's CPU time, which should be less than the server's
    note: str = ""
    wrong: bool = False  # the goal is missed whatever the figure is


def figure(watch, answer, each=1, **more):
    return Figure(answer["ns"] / 1e6 / each, watch.cpu * 1e3 / each, client=watch.client * 1e3 / each, **more)


def expect(server, condition, what):
    if not condition:
        raise Misbehaved(f"{server.name}: {what}")


def measured(server, say, *words):
    with Watch(server) as w:
        answer = say(*words)
    return w, answer


def select(server, user, count, mailbox="INBOX", mode="plain"):
    say = server.client("imap", mode, user)
    say("open")
    answer = say("ask SELECT", mailbox)
    expect(server, answer["exists"] == count, f"SELECT {user} {mailbox}: {answer['exists']}, not {count}")
    return say


def needs(server, say, word):
    if not say("has", word)["has"]:
        say("logout")
        raise Lacks(f"no {word}")


# --- logins ---


def imap_logins(mode):
    def one(server, size, _):
        server.fill("small", size.small)
        say = server.client("imap", mode, "small")
        n = size.logins
        if mode == "resumed":
            say("logins imap 1 0")  # there is a session to resume
            n = size.resumed
        w, answer = measured(server, say, "logins imap", n, 0)
        share = 100 * answer["resumed"] / n
        expect(server, mode != "full" or not share, "a full handshake was a resumed one")
        note = f"{share:.0f} % resumed" if mode == "resumed" else ""
        yield figure(w, answer, n, note=note, wrong=mode == "resumed" and share < RESUMED)

    return one


def pop3_logins(server, size, _):
    server.fill("small", size.small)
    say = server.client("pop3", "plain", "small")
    yield figure(*measured(server, say, "logins pop3", size.logins, size.small), size.logins)


def poll(server, size, _):
    server.fill("big", size.big)
    yield figure(*measured(server, server.client("pop3", "plain", "big"), "poll", size.big))


def refusals(server, size, _):
    if server.name != "sallyport":
        raise Lacks("not compared")
    server.client("pop3", "plain", "small")
    with server.one_connection() as port:
        before = time.monotonic_ns()
        with Watch(server) as w:
            for _ in range(size.refusals):
                with socket.create_connection(("127.0.0.1", port), 5) as s:
                    expect(server, s.recv(4096).startswith(b"-ERR"), "a connection over the limit is not refused")
            ns = time.monotonic_ns() - before
    yield figure(w, {"ns": ns}, size.refusals)


# --- idling clients ---


class ManyInotify:
    """Lets one user have more inotify instances than the 128 of Linux' default; without them servers poll."""

    path, wanted = pathlib.Path("/proc/sys/fs/inotify/max_user_instances"), 8192

    def __enter__(self):
        self.before = self.path.read_text()
        if IS_ROOT and int(self.before) < self.wanted:
            self.path.write_text(str(self.wanted))

    def __exit__(self, *_):
        if IS_ROOT:
            self.path.write_text(self.before)


def crowd(mode):
    def one(server, size, _):
        server.fill("crowd", size.small, fresh=True)
        server.changed("crowd")
        with ManyInotify():
            select(server, "crowd", size.small, mode=mode)("logout")
            server.settle()
            before, _ = server.private()
            say = server.client("imap", mode, "crowd")
            say("crowd", size.crowd, size.small)
            server.settle()
            after, processes = server.private()
            yield Figure(memory=(after - before) / size.crowd, note=f"{processes} processes in all")
            if mode == "plain":
                yield told(server, say, size)
            say("disperse")

    return one


def told(server, say, size):
    walls, cpus, clients, halves = [], [], [], []
    for n in range(1, size.deliveries + 1):
        with Watch(server) as w:
            answer = say("told", server.deliver("crowd", n), size.small + n)
        walls.append(answer["ns"] / 1e6)
        halves.append(answer["half"] / 1e6)
        cpus.append(w.cpu * 1e3)
        clients.append(w.client * 1e3)
        time.sleep(0.2)  # so that servers do not join the next delivery with this one
    return Figure(statistics.median(walls), statistics.median(cpus), client=statistics.median(clients),
                  note=f"half of them in {statistics.median(halves):.1f} ms")


def delivery(messages):
    """Deliveries into a folder of so many messages while one client idles in it."""

    def one(server, size, _):
        server.fill("idle", messages, fresh=True)
        server.changed("idle")
        select(server, "idle", messages)("logout")  # cold
        say = server.client("imap", "plain", "idle")
        say("crowd", 1, messages)
        walls = []

        def deliver():
            n = len(walls) + 1
            walls.append(say("told", server.deliver("idle", n), messages + n)["ns"] / 1e6)
            time.sleep(PAUSE)

        deliver()  # does not count: the first delivery ends what the session began at its start
        with Watch(server) as w:
            for _ in range(size.deliveries):
                deliver()
        say("disperse")
        yield Figure(statistics.median(walls[1:]), w.cpu * 1e3 / size.deliveries,
                     client=w.client * 1e3 / size.deliveries)

    return one


# --- everything ---


def imap_everything(mode):
    def one(server, size, _):
        server.fill("small", size.small)
        say = select(server, "small", size.small, mode=mode)
        w, answer = measured(server, say, "ask FETCH 1:* (FLAGS BODY.PEEK[])")
        expect(server, answer["FETCH"] == size.small, "FETCH: not all")
        expect(server, answer["literals"] == server.bench.octets(size.small), f"BODY[]: {answer['literals']} octets")
        say("logout")
        yield figure(w, answer)

    return one


def pop3_everything(mode):
    def one(server, size, _):
        server.fill("small", size.small)
        say = server.client("pop3", mode, "small")
        say("popopen")
        w, answer = measured(server, say, "retr", size.small)
        expect(server, answer["octets"] == server.bench.octets(size.small), f"RETR: {answer['octets']} octets")
        say("popquit")
        yield figure(w, answer)

    return one


# --- looking ---


def synchronise(server, size, user):
    say = server.client("imap", "plain", user)
    with Watch(server) as w:
        answer = say("open")
        ns = answer["ns"] + say("ask SELECT INBOX")["ns"]
        answer = say("sum RFC822.SIZE ask", ALL)
        ns += answer["ns"] + say("logout")["ns"]
    expect(server, answer["FETCH"] == size.big, "FETCH: not all")
    expect(server, answer["sum"] == server.bench.octets(size.big), f"RFC822.SIZE: {answer['sum']} in all")
    return figure(w, {"ns": ns})


def first_synchronisation(server, size, _):
    server.fill("new", size.big)
    server.forget("new")
    os.sync()  # so that the kernel does not write while the row is measured
    yield synchronise(server, size, "new")
    synchronise(server, size, "new")  # a server may keep only what a second client asks for
    yield synchronise(server, size, "new")


def select_huge(server, size, _):
    server.fill("huge", size.huge)
    say = server.client("imap", "plain", "huge")
    say("open")
    w, answer = measured(server, say, "ask SELECT INBOX")
    say("logout")
    server.huge = answer["exists"]
    expect(server, size.huge - 1000 <= server.huge <= size.huge, f"SELECT: {server.huge}")
    yield figure(w, answer)


def qresync(server, size, _):
    server.fill("huge", size.huge)
    say = server.client("imap", "plain", "huge")
    say("open")
    needs(server, say, "QRESYNC")
    say("ask ENABLE QRESYNC")
    flags, middle = size.changes - EXPUNGED, size.huge // 2
    changed = f"{middle}:{middle + flags - 1}"
    say("ask SELECT INBOX")
    say("ask STORE", changed, "-FLAGS.SILENT (\\Flagged)")
    known = say("ask SELECT INBOX")
    say("logout")
    say("open")
    say("ask SELECT INBOX")
    say("ask STORE", changed, "+FLAGS (\\Flagged)")
    say(f"ask STORE 100:{99 + EXPUNGED} +FLAGS (\\Deleted)")
    say("ask EXPUNGE")
    say("logout")
    say("open")
    say("ask ENABLE QRESYNC")
    w, answer = measured(server, say, f"ask SELECT INBOX (QRESYNC ({known['uidvalidity']} {known['modseq']}))")
    say("logout")
    expect(server, answer["exists"] == known["exists"] - EXPUNGED and answer["VANISHED"] > 0
           and flags <= answer["FETCH"] <= size.changes, f"QRESYNC: {answer}")
    yield figure(w, answer)


def search_subject(server, size, _):
    server.fill("big", size.big)
    say = select(server, "big", size.big)
    w, answer = measured(server, say, 'ask SEARCH SUBJECT "number 77"')
    say("logout")
    wanted = sum(str(i).startswith("77") for i in range(size.big))
    expect(server, answer["numbers"] == wanted, f"SEARCH: {answer['numbers']}, not {wanted}")
    yield figure(w, answer)


def status_of_folders(server, size, _):
    server.fill("folders", FOLDER_MESSAGES, tuple(f".f{i}" for i in range(1, size.folders + 1)))
    say = server.client("imap", "plain", "folders")
    say("open")
    w, answer = measured(server, say, f"each 1 {size.folders} STATUS {server.prefix}f% "
                         "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")
    say("logout")
    expect(server, answer["STATUS"] == size.folders, "STATUS: not all")
    yield figure(w, answer)


# --- changing ---


def store(server, size, turn):
    server.fill("big", size.big)
    say = select(server, "big", size.big)
    # The first turn sets the flags whatever an earlier run has left: a STORE that changes nothing has no answers.
    for flag in ("Flagged", "Answered"):
        say(f"ask STORE 1:* {'+-'[turn % 2]}FLAGS.SILENT (\\{flag})")
    sign = "-+"[turn % 2]
    os.sync()
    w, answer = measured(server, say, f"ask STORE 1:* {sign}FLAGS (\\Flagged)")
    expect(server, answer["FETCH"] == size.big, f"STORE: {answer['FETCH']}")
    yield figure(w, answer)
    os.sync()
    w, answer = measured(server, say, f"each 1 {size.part} STORE % {sign}FLAGS (\\Answered)")
    expect(server, answer["FETCH"] >= size.part, f"STORE one by one: {answer['FETCH']}")
    say("logout")
    yield figure(w, answer)


def append(server, size, _):
    server.fill("append", size.small, fresh=True)
    say = select(server, "append", size.small)
    say("has LITERAL+")
    say("message", APPEND_SIZE)
    os.sync()
    w, answer = measured(server, say, "append", size.appends, "INBOX")
    say("logout")
    select(server, "append", size.small + size.appends)("logout")
    yield figure(w, answer, size.appends)


def copy_and_move(server, size, _):
    server.fill("big", size.big)
    copies, moved = server.prefix + "Copies", server.prefix + "Moved"
    say = select(server, "big", size.big)
    say("ask CREATE", copies)
    say("ask CREATE", moved)
    os.sync()
    w, answer = measured(server, say, f"ask COPY 1:{size.part} {copies}")
    expect(server, say("ask SELECT", copies)["exists"] == size.part, "COPY: not all")
    yield figure(w, answer)
    try:
        if not say("has MOVE")["has"]:
            raise Lacks("no MOVE")
        os.sync()
        w, answer = measured(server, say, "ask MOVE 1:*", moved)
        expect(server, answer["EXPUNGE"] == size.part, f"MOVE: {answer['EXPUNGE']} EXPUNGE")
        expect(server, say("ask SELECT", moved)["exists"] == size.part, "MOVE: not all")
        yield figure(w, answer)
    finally:
        if server.talker.process.poll() is None:
            say("ask SELECT INBOX")
            say("ask DELETE", copies)
            say("ask DELETE", moved)
            say("logout")


def expunge(server, size, _):
    server.fill("gone", size.gone, fresh=True)
    say = select(server, "gone", size.gone)
    say("ask STORE 1:* +FLAGS.SILENT (\\Deleted)")
    os.sync()
    w, answer = measured(server, say, "ask EXPUNGE")
    expect(server, answer["EXPUNGE"] == size.gone, f"EXPUNGE: {answer['EXPUNGE']}")
    say("logout")
    select(server, "gone", 0)("logout")
    yield figure(w, answer)


@dataclasses.dataclass
class Row:
    """what: the figure whose ratio has a goal: cpu, wall or memory; with " ms" the figure itself has it."""

    name: str
    goal: float
    what: str = "cpu"


@dataclasses.dataclass
class Group:
    one: object
    rows: list
    protocol: str = "imap"
    before: int = 1  # rounds that do not count
    rounds: int = 5


def groups(s):
    """The table, in the order of the output.  s: the sizes."""
    return [
        Group(imap_logins("plain"), [Row("IMAP login, plain", 0.12)]),
        Group(imap_logins("full"), [Row("IMAP login, full TLS handshake", 0.18)]),
        Group(imap_logins("resumed"), [Row("IMAP login, resumed TLS", 0.12)]),
        Group(pop3_logins, [Row("POP3 login and STAT, plain", 0.12)], "pop3"),
        Group(refusals, [Row("a refused connection (0.05 ms)", 0.05, "cpu ms")], "pop3"),
        Group(crowd("plain"), [Row(f"each of {s.crowd} idling clients, plain", 0.10, "memory"),
                               Row(f"delivery to EXISTS in all of {s.crowd}", 0.03, "wall")], before=0, rounds=1),
        Group(crowd("full"), [Row(f"each of {s.crowd} idling clients, TLS", 0.08, "memory")], before=0, rounds=1),
        *(Group(delivery(n), [Row(f"delivery, one client idles in {n:,} (4 ms)", 4.0, "cpu ms")], before=0, rounds=1)
          for n in (s.big, s.huge, s.vast) if n),
        Group(imap_everything("plain"), [Row(f"IMAP, all of {s.small:,}, plain", 0.35)]),
        Group(imap_everything("full"), [Row(f"IMAP, all of {s.small:,}, TLS", 1.0)]),
        Group(pop3_everything("plain"), [Row(f"POP3, all of {s.small:,}, pipelined, plain", 0.2)], "pop3"),
        Group(pop3_everything("full"), [Row(f"POP3, all of {s.small:,}, pipelined, TLS", 1.0)], "pop3"),
        Group(first_synchronisation, [Row(f"first synchronisation of {s.big:,}, cold", 0.5),
                                      Row("  the same, warm", 0.15)], before=0),
        Group(select_huge, [Row(f"SELECT of {s.huge:,}, warm (2 ms)", 2.0, "wall ms")], before=2),
        Group(qresync, [Row(f"QRESYNC after {s.changes} changes of {s.huge:,}", 0.05)]),
        Group(store, [Row(f"STORE of {s.big:,}", 0.5), Row(f"  {s.part:,} of them one by one", 0.1)]),
        Group(append, [Row("APPEND of 8 kB", 0.5)]),
        Group(copy_and_move, [Row(f"COPY of {s.part:,} of {s.big:,}", 0.3), Row(f"MOVE of {s.part:,}", 0.3)]),
        Group(expunge, [Row(f"EXPUNGE of {s.gone:,}", 0.7)]),
        Group(search_subject, [Row(f"SEARCH SUBJECT in {s.big:,}, warm", 0.1)]),
        Group(status_of_folders, [Row(f"STATUS of {s.folders} folders", 0.2)]),
        Group(poll, [Row(f"POP3 poll of {s.big:,}, warm", 0.1)], "pop3"),
    ]
