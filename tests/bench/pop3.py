"""pop3.py: the measures by POP3."""

import os

from client import Pop3, expect
from measure import IDLE_USERS, ORDINARY, ROUNDS, alternate, fill, memory, octets, sessions, system_calls
from servers import message

BULK, BULK_SIZE = 2000, 8192
BIG_SIZE = 50 << 20
MANY, NEW, SMALL = 50000, 20000, 600


def short_session(server, user, resume=None):
    """Login, STAT, QUIT."""
    with server.login(Pop3, user, resume) as s:
        expect(s.ask("STAT").split()[1] == b"%d" % ORDINARY, f"{server.name}: STAT")
        resumed, next_ = s.tls.session_reused, s.tls.session
        s.quit()
    return resumed, next_


def full_sessions(servers, table):
    sessions(servers, table, short_session, "login, STAT, QUIT", False)


def resumed_sessions(servers, table):
    sessions(servers, table, short_session, "login, STAT, QUIT", True)


def retr_many(servers, table):
    wanted = [message(i, BULK_SIZE) for i in range(BULK)]

    def one(server, watch):
        with server.login(Pop3, "bulk") as s:
            s.ask("STAT")
            with watch:
                data = s.multi([f"RETR {i + 1}" for i in range(BULK)])
            expect(s.parse(data) == wanted, f"{server.name}: RETR of many: not the messages")
            s.quit()

    fill(servers, "bulk", BULK, BULK_SIZE)
    alternate(servers, one, 1)
    table.times(f"RETR of {BULK:,} messages of 8 kB, pipelined (ms)", alternate(servers, one), ROUNDS)


def retr_big(servers, table):
    wanted = message(0, BIG_SIZE)

    def one(server, watch):
        with server.login(Pop3, "big") as s:
            with watch:
                data = s.multi(["RETR 1"])
            expect(s.parse(data) == [wanted], f"{server.name}: RETR of one: not the message")
            s.quit()

    fill(servers, "big", 1, BIG_SIZE)
    alternate(servers, one, 1)
    table.times("RETR of one message of 50 MB (ms)", alternate(servers, one, 5), 5)


def lists(server, user, count):
    """A session with STAT, LIST and UIDL, and what it says checked."""
    with server.login(Pop3, user) as s:
        stat = s.ask("STAT").split()
        listed, uidls = s.multi(["LIST"]), s.multi(["UIDL"])
        s.quit()
    sizes = [line.split() for line in s.parse(listed)[0].split(b"\r\n")[:-1]]
    names = [line.split() for line in s.parse(uidls)[0].split(b"\r\n")[:-1]]
    expect(int(stat[1]) == len(sizes) == len(names) == count, f"{server.name}: STAT, LIST, UIDL: not {count}")
    expect(sum(int(size) for _, size in sizes) == int(stat[2]) == server.octets[user], f"{server.name}: sizes")
    expect(len({uidl for _, uidl in names}) == count, f"{server.name}: UIDLs are not unique")


def list_many(servers, table):
    def one(server, watch):
        with watch:
            lists(server, "many", MANY)

    fill(servers, "many", MANY, SMALL)
    alternate(servers, one, 1)
    table.times(f"second session, LIST, UIDL of {MANY:,} (ms)", alternate(servers, one), ROUNDS)


def first_session(servers, table):
    def one(server, watch):
        server.fill("new", NEW, SMALL, "new")
        server.octets["new"] = octets(NEW, SMALL)
        os.sync()  # not while it is measured
        with watch:
            lists(server, "new", NEW)

    table.times(f"first session, LIST, UIDL of {NEW:,} new (ms)", alternate(servers, one, 2), 2)
    for s in servers:
        s.fill("new", 0, 0)


def idle_memory(servers, table):
    def open_one(server, i):
        s = server.login(Pop3, IDLE_USERS[i])
        s.ask("STAT")
        return s

    memory(servers, table, "idle session", open_one, Pop3.quit)


def pop3_system_calls(servers, table):
    system_calls(servers, table, short_session, "session")


MEASURES = [full_sessions, resumed_sessions, retr_many, retr_big, list_many, first_session, idle_memory,
            pop3_system_calls]
