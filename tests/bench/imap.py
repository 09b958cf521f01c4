"""imap.py: the measures by IMAP.  A session logs in and selects before the clock runs, where the row does not say
otherwise; each row's mailbox is warm: every server has had a session with it before."""

import os
import re
import selectors
import ssl
import statistics
import time

from client import Imap, expect
from measure import IDLE, ORDINARY, ROUNDS, alternate, fill, memory, sessions, system_calls
from pop3 import BULK, BULK_SIZE, MANY, SMALL
from servers import Watch, letter, message

SYNC, SYNC_SIZE = 10000, 3000
IDLE_MESSAGES, DELIVERIES, DELIVERY_TIMEOUT = 1000, 10, 10
ONE_BY_ONE = 1000
APPENDS = 200
COPIES = 1000
GONE = 5000
FOLDERS, FOLDER_MESSAGES = 200, 10
ALL = "FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE)"


def select(server, user, count, mailbox="INBOX"):
    s = server.login(Imap, user)
    data = s.ask(f"SELECT {mailbox}")
    expect(b"* %d EXISTS\r\n" % count in data, f"{server.name}: SELECT {user} {mailbox}: not {count}: {data[-400:]}")
    return s


def measure(servers, table, name, user, count, commands, right, each=1, rounds=ROUNDS, warm=True):
    """A row: commands in a session with the user's INBOX of count messages, pipelined; right(server, data): so is
    what came.  each: how many things are done.  commands may be a function of the round."""
    turn = dict.fromkeys(servers, 0)

    def one(server, watch):
        with select(server, user, count) as s:
            now = commands(turn[server]) if callable(commands) else commands
            turn[server] += 1
            octets = s.pack(now)
            with watch:
                data = s.run(octets)
            s.check(data, len(now))
            right(server, data)
            s.quit()

    if warm:
        alternate(servers, one, 2)  # the second sees what the first has left
    table.times(f"{name} (ms)", alternate(servers, one, rounds), rounds * each)


def told(server, what, pattern, data, count):
    found = re.findall(pattern, data, re.M)
    expect(len(found) == count, f"{server.name}: {what}: {len(found)}, not {count}: {data[:300]} ... {data[-300:]}")
    return found


# --- sessions ---


def short_session(server, user, resume=None):
    """LOGIN, SELECT, LOGOUT."""
    with server.login(Imap, user, resume) as s:
        expect(b"* %d EXISTS\r\n" % ORDINARY in s.ask("SELECT INBOX"), f"{server.name}: SELECT")
        resumed, next_ = s.tls.session_reused, s.tls.session
        s.quit()
    return resumed, next_


def imap_full_sessions(servers, table):
    sessions(servers, table, short_session, "LOGIN, SELECT, LOGOUT", False)


def imap_resumed_sessions(servers, table):
    sessions(servers, table, short_session, "LOGIN, SELECT, LOGOUT", True)


def imap_system_calls(servers, table):
    system_calls(servers, table, short_session, "IMAP session")


# --- idle clients ---


def idle(server, _=0):
    s = select(server, "idle", IDLE_MESSAGES + server.delivered)
    s.tls.sendall(s.pack(["IDLE"]))
    while (line := s.line("IDLE")).startswith(b"* "):
        pass
    expect(line.startswith(b"+"), f"{server.name}: IDLE: {line!r}")
    return s


def done(s):
    s.tls.setblocking(True)
    s.check(s.run(b"DONE\r\n"), 1)
    s.quit()


def until_told(selector, wanted):
    """Seconds at which each idling client has been told the line."""
    times, end = [], time.monotonic() + DELIVERY_TIMEOUT
    left = {key.data for key in selector.get_map().values()}
    while left:
        expect(time.monotonic() < end, f"{len(left)} clients were not told {wanted!r}")
        for key, _ in selector.select(1):
            s = key.data
            try:
                while True:
                    expect(s.more(), f"{s.what}: the connection ended in IDLE")
            except ssl.SSLWantReadError:
                pass
            if s in left and wanted in s.data:
                times.append(time.perf_counter())
                left.remove(s)
    return times


def imap_idle(servers, table):
    """Memory of idling clients, and how soon they hear of new mail."""
    middle, last, watches = {}, {}, {}
    fill(servers, "idle", IDLE_MESSAGES, 2000)
    for s in servers:
        s.delivered = 0
        idle(s).tls.close()
    memory(servers, table, "IDLE client", idle, done)
    for server in servers:
        clients = [idle(server) for _ in range(IDLE)]
        selector = selectors.DefaultSelector()
        for c in clients:
            c.tls.setblocking(False)
            selector.register(c.tls, selectors.EVENT_READ, c)
        middle[server], last[server], watches[server] = [], [], Watch(server)
        with watches[server]:
            for _ in range(DELIVERIES):
                server.delivered += 1
                before = server.deliver("idle", server.delivered, 2000)
                times = until_told(selector, b"* %d EXISTS\r\n" % (IDLE_MESSAGES + server.delivered))
                middle[server].append(statistics.median(times) - before)
                last[server].append(max(times) - before)
                time.sleep(0.1)  # the next is another delivery
        selector.close()
        for c in clients:
            done(c)
    for s in servers:
        watches[s].cpu /= DELIVERIES
    for name, told_at in (("half", middle), ("all", last)):
        for s in servers:
            watches[s].wall = statistics.median(told_at[s])
        table.times(f"delivery until {name} of {IDLE} IDLE clients know (ms)", watches, 1)
    for s in servers:
        s.filled.pop("idle")


# --- fetching ---


def right_sync(server, data):
    told(server, "FETCH", rb"^\* \d+ FETCH \(", data, SYNC)
    sizes = told(server, "sizes", rb"RFC822\.SIZE (\d+)", data, SYNC)
    expect(sum(map(int, sizes)) == server.octets["sync"], f"{server.name}: sizes")
    ids = told(server, "ENVELOPE", rb'"<(\d+)@example\.org>"\)', data, SYNC)
    expect(sorted(map(int, ids)) == list(range(SYNC)), f"{server.name}: ENVELOPE: Message-IDs")
    names = told(server, "BODYSTRUCTURE", rb'(?i)"boundary" "mixed(\d+)"', data, SYNC)
    expect(sorted(map(int, names)) == list(range(SYNC)), f"{server.name}: BODYSTRUCTURE: boundaries")
    told(server, "BODYSTRUCTURE", rb'(?i)"application" "pdf" \("name" "\d+\.pdf"\)', data, SYNC)


def imap_sync(servers, table):
    """What a client fetches that sees the mailbox for the first time."""
    def cold(server, watch):
        server.forget("sync")
        os.sync()  # not while it is measured
        with watch:
            with select(server, "sync", SYNC) as s:
                data = s.ask(ALL)
                s.quit()
        right_sync(server, data)

    def warm(server, watch):
        with watch:
            with select(server, "sync", SYNC) as s:
                data = s.ask(ALL)
                s.quit()
        right_sync(server, data)

    fill(servers, "sync", SYNC, SYNC_SIZE, make=letter)
    table.times(f"first synchronisation of {SYNC:,} (ms)", alternate(servers, cold, 2), 2)
    alternate(servers, warm, 1)
    table.times("  the same again (ms)", alternate(servers, warm), ROUNDS)


def imap_fetch_bodies(servers, table):
    wanted = [message(i, BULK_SIZE) for i in range(BULK)]

    def right(server, data):
        found = []
        for m in re.finditer(rb"BODY\[\] \{(\d+)\}\r\n", data):
            found.append(data[m.end():m.end() + int(m[1])])
        expect(found == wanted, f"{server.name}: BODY[] of many: not the messages")

    fill(servers, "bulk", BULK, BULK_SIZE)
    measure(servers, table, f"FETCH 1:* BODY.PEEK[] of {BULK:,} of 8 kB", "bulk", BULK,
            ["FETCH 1:* BODY.PEEK[]"], right)


def imap_many(servers, table):
    def opened(server, watch):
        with server.login(Imap, "many") as s:
            with watch:
                data = s.ask("SELECT INBOX")
            expect(b"* %d EXISTS\r\n" % MANY in data, f"{server.name}: SELECT")
            s.quit()

    def right(server, data):
        line = rb"^\* \d+ FETCH \((?:UID (\d+) FLAGS \(.*?\)|FLAGS \(.*?\) UID (\d+))\)\r$"
        uids = told(server, "FLAGS", line, data, MANY)
        expect([int(a or b) for a, b in uids] == list(range(1, MANY + 1)), f"{server.name}: UIDs")

    fill(servers, "many", MANY, SMALL)
    alternate(servers, opened, 2)
    table.times(f"SELECT of {MANY:,} (ms)", alternate(servers, opened), ROUNDS)
    measure(servers, table, f"UID FETCH 1:* FLAGS of {MANY:,}", "many", MANY, ["UID FETCH 1:* FLAGS"], right)
    for s in servers:
        s.fill("many", 0, 0)


def imap_search(servers, table):
    def finds(numbers):
        wanted = sorted(numbers)

        def right(server, data):
            found = b" ".join(told(server, "SEARCH", rb"^\* SEARCH ?(.*)\r$", data, 1))
            expect(sorted(map(int, found.split())) == wanted, f"{server.name}: SEARCH: {found[:200]}")

        return right

    fill(servers, "sync", SYNC, SYNC_SIZE, make=letter)
    subject = [i + 1 for i in range(SYNC) if "77" in str(i)]
    # Between the encoded words, and across a soft line break: only who decodes finds them.
    measure(servers, table, f"SEARCH SUBJECT in {SYNC:,}", "sync", SYNC, ['SEARCH SUBJECT "77 no"'],
            finds([i for i in subject if str(i - 1).endswith("77")]), rounds=2)
    measure(servers, table, f"SEARCH BODY in {SYNC:,}", "sync", SYNC, ['SEARCH BODY "77!"'],
            finds([i + 1 for i in range(SYNC) if str(i).endswith("77")]), rounds=2)


# --- changing ---


def imap_store(servers, table):
    def right(count):
        return lambda server, data: told(server, "STORE", rb"^\* \d+ FETCH \(", data, count)

    def all_at_once(turn):
        return [f"STORE 1:* {'+-'[turn % 2]}FLAGS (\\Flagged)"]

    def one_by_one(turn):
        return [f"STORE {i * 7 % SYNC + 1} {'+-'[turn % 2]}FLAGS (\\Answered)" for i in range(ONE_BY_ONE)]

    fill(servers, "sync", SYNC, SYNC_SIZE, make=letter)
    measure(servers, table, f"STORE of {SYNC:,}", "sync", SYNC, all_at_once, right(SYNC), rounds=2)
    measure(servers, table, f"  {ONE_BY_ONE:,} of them one by one, pipelined", "sync", SYNC, one_by_one,
            right(ONE_BY_ONE), rounds=2, warm=False)


def imap_append(servers, table):
    messages = [message(i, BULK_SIZE) for i in range(APPENDS)]
    commands = [b"APPEND INBOX (\\Seen) {%d+}\r\n%s" % (len(m), m) for m in messages]

    def one(server, watch):
        server.fill("append", ORDINARY, 2000)
        with select(server, "append", ORDINARY) as s:
            s.ask("UNSELECT")
            octets = s.pack(commands)
            os.sync()  # not while it is measured
            with watch:
                data = s.run(octets)
            s.check(data, APPENDS)
            told(server, "APPEND", rb"^\d+ OK \[APPENDUID \d+ \d+\]", data, APPENDS)
            expect(b"* %d EXISTS\r\n" % (ORDINARY + APPENDS) in s.ask("SELECT INBOX"), f"{server.name}: APPEND")
            fetched = s.ask(f"FETCH {ORDINARY + 1}:* BODY.PEEK[]")
            for m in messages:
                expect(m in fetched, f"{server.name}: APPEND: not the message")
            s.quit()

    table.times(f"APPEND of {APPENDS} of 8 kB, pipelined (ms)", alternate(servers, one), ROUNDS)


def imap_copy(servers, table):
    move = {s: Watch(s) for s in servers}

    def one(server, watch):
        with select(server, "sync", SYNC) as s:
            s.ask("CREATE Copies", "CREATE Moved")
            os.sync()  # not while it is measured
            with watch:
                data = s.ask(f"COPY 1:{COPIES} Copies")
            told(server, "COPY", rb" OK \[COPYUID \d+ [0-9,:]+ 1:%d\]" % COPIES, data, 1)
            expect(b"* %d EXISTS\r\n" % COPIES in s.ask("SELECT Copies"), f"{server.name}: COPY")
            os.sync()
            with move[server]:
                data = s.ask("MOVE 1:* Moved")
            told(server, "MOVE", rb"^\* \d+ EXPUNGE\r$", data, COPIES)
            expect(b"* %d EXISTS\r\n" % COPIES in s.ask("SELECT Moved"), f"{server.name}: MOVE")
            s.ask("UNSELECT", "DELETE Copies", "DELETE Moved")
            s.quit()

    fill(servers, "sync", SYNC, SYNC_SIZE, make=letter)
    table.times(f"COPY of {COPIES:,} (ms)", alternate(servers, one), ROUNDS)
    table.times(f"MOVE of {COPIES:,} (ms)", move, ROUNDS)


def imap_expunge(servers, table):
    def one(server, watch):
        server.fill("gone", GONE, SMALL, flags="ST")
        with select(server, "gone", GONE) as s:
            os.sync()  # not while it is measured
            with watch:
                data = s.ask("EXPUNGE")
            told(server, "EXPUNGE", rb"^\* \d+ EXPUNGE\r$", data, GONE)
            s.quit()
        with select(server, "gone", 0) as s:
            s.quit()

    table.times(f"EXPUNGE of {GONE:,} (ms)", alternate(servers, one, 2), 2)


def imap_status(servers, table):
    names = [f"folder{i}" for i in range(FOLDERS)]

    def right(server, data):
        lines = told(server, "STATUS", rb'^\* STATUS "?(\w+)"? \((.*)\)\r$', data, FOLDERS)
        expect([name.decode() for name, _ in lines] == names, f"{server.name}: STATUS")
        for _, items in lines:
            expect(b"MESSAGES %d" % FOLDER_MESSAGES in items and b"UIDNEXT %d" % (FOLDER_MESSAGES + 1) in items
                   and b"UNSEEN %d" % FOLDER_MESSAGES in items, f"{server.name}: STATUS: {items}")

    for s in servers:
        s.fill("folders", FOLDER_MESSAGES, SMALL, folders=["." + name for name in names])
    measure(servers, table, f"STATUS of {FOLDERS} folders, pipelined", "folders", 0,
            [f"STATUS {name} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)" for name in names], right)


MEASURES = [imap_full_sessions, imap_resumed_sessions, imap_system_calls, imap_idle, imap_fetch_bodies, imap_many,
            imap_sync, imap_search, imap_store, imap_copy, imap_append, imap_expunge, imap_status]
