"""Every message of tests/messages by POP3, octet for octet: with STLS, over TLS, and in the clear from this machine."""

import functools
import re
import socket

import pytest

import make
import wire

MESSAGES = [content for _, content in make.messages()]
NAMES = [name for name, _ in make.messages()]
SIZES = [wire.size(content) for content in MESSAGES]
TOPS = [0, 1, 5]


@functools.cache
def retr(i):
    return wire.retr(MESSAGES[i])


@functools.cache
def top(i, n):
    return wire.top(MESSAGES[i], n)


class Client:
    """Commands in a row without waiting, answers as the octets that came."""

    def __init__(self, server, way):
        port = server.pop3s if way == "TLS" else server.pop3
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        if way == "TLS":
            self.encrypt(server)
        self.file = self.socket.makefile("rb")
        assert self.file.readline().startswith(b"+OK")
        if way == "STLS":
            assert self.ask("STLS").startswith(b"+OK")
            self.encrypt(server)
            self.file = self.socket.makefile("rb")
        assert self.ask("USER anna").startswith(b"+OK")
        assert self.ask("PASS " + server.accounts["anna"].password).startswith(b"+OK")

    def encrypt(self, server):
        self.socket = server.context().wrap_socket(self.socket, server_hostname="localhost")

    def send(self, commands):
        self.socket.sendall("".join(c + "\r\n" for c in commands).encode())

    def ask(self, command):
        self.send([command])
        return self.file.readline()

    def answer(self):
        """The first line of an answer, and what follows it up to its end, as it came."""
        first, rest = self.file.readline(), []
        assert first.startswith(b"+OK") and first.endswith(b"\r\n"), first
        while not rest or rest[-1] != b".\r\n":
            rest.append(self.file.readline())
            assert rest[-1].endswith(b"\r\n"), rest[-1][-80:]
        return first, b"".join(rest)

    def lines(self, command):
        self.send([command])
        return self.answer()[1].split(b"\r\n")[:-2]

    def uidls(self):
        return [line.split()[1] for line in self.lines("UIDL")]

    def quit(self):
        assert self.ask("QUIT").startswith(b"+OK")
        assert self.file.read() == b""
        self.socket.close()


@pytest.fixture(params=["STLS", "TLS", "clear"])
def way(request):
    return request.param


@pytest.fixture
def full(serve):
    server = serve({"login_in_clear": "loopback"})
    for i, content in enumerate(MESSAGES):
        server.accounts["anna"].deliver(content, f"{1600000000 + i}.M{i}.test")
    return server


def assert_all_served(client):
    assert client.ask("STAT") == b"+OK %d %d\r\n" % (len(MESSAGES), sum(SIZES))
    assert client.lines("LIST") == [b"%d %d" % (i, s) for i, s in enumerate(SIZES, 1)]
    client.send(f"RETR {i}" for i in range(1, len(MESSAGES) + 1))
    for i, name in enumerate(NAMES):
        assert client.answer() == (b"+OK %d octets\r\n" % SIZES[i], retr(i)), name


def assert_tops(client, numbers):
    client.send(f"TOP {i} {n}" for i in range(1, len(MESSAGES) + 1) for n in numbers)
    for i, name in enumerate(NAMES):
        for n in numbers:
            assert client.answer()[1] == top(i, n), (name, n)


def test_tops_differ():
    """So that the comparison says something."""
    assert sum(top(i, 0) != top(i, 1) != top(i, 5) != retr(i) for i in range(len(MESSAGES))) > 50


def test_there_are_enough():
    assert len(MESSAGES) >= 200 and b"" in MESSAGES
    assert any(m.startswith(b".") for m in MESSAGES), "a dot in the first octet"
    assert any(m and not m.endswith(b"\n") for m in MESSAGES), "no line end at the end"
    assert any(b"\0" in m for m in MESSAGES) and any(re.search(rb"\r[^\n]", m) for m in MESSAGES)


def test_req38_octet_for_octet(full, way):
    client = Client(full, way)
    assert_all_served(client)
    assert_tops(client, TOPS)
    first = client.uidls()
    assert len(set(first)) == len(MESSAGES)
    assert all(re.fullmatch(rb"[\x21-\x7e]{1,70}", u) for u in first)
    client.quit()

    # Again, now that every file has another name (":2,S") and its size is remembered.
    client = Client(full, way)
    assert_all_served(client)
    assert client.uidls() == first
    client.quit()

    # And again when nothing is remembered: other UIDLs, the same messages in the same order.
    (full.accounts["anna"].maildir / "dovecot-uidlist").unlink()
    client = Client(full, way)
    assert_all_served(client)
    after = client.uidls()
    assert len(set(after)) == len(MESSAGES) and not set(after) & set(first)
    client.quit()


def test_top_of_more_lines_than_there_are(full):
    client = Client(full, "TLS")
    client.send(f"TOP {i} 4294967295" for i in range(1, len(MESSAGES) + 1))
    for i, name in enumerate(NAMES):
        assert client.answer()[1] == retr(i), name
    client.quit()


def test_sizes_of_other_programs_are_checked(full):
    """dovecot-uidlist may tell any size: what is told and served is what lies there (req 30)."""
    Client(full, "TLS").quit()
    maildir = full.accounts["anna"].maildir
    head, *lines = (maildir / "dovecot-uidlist").read_bytes().splitlines(keepends=True)
    wrong = [re.sub(rb"^(\d+) ([^:]*):", rb"\1 S1%d W2%d L1 :" % (i, i), line) for i, line in enumerate(lines)]
    (maildir / "dovecot-uidlist").write_bytes(b"".join([head, *wrong]))
    for index in maildir.glob("sallyport.*"):
        if index.name != "sallyport.lock":
            index.unlink()
    client = Client(full, "TLS")
    assert_all_served(client)
    client.quit()


def test_commands_between_retrievals(full):
    """RETR, LIST, TOP and UIDL in one stream: the answers come in order, each with its own end."""
    client = Client(full, "TLS")
    client.send(c for i in range(1, len(MESSAGES) + 1)
                for c in (f"RETR {i}", f"LIST {i}", f"TOP {i} 1", f"UIDL {i}"))
    for i, name in enumerate(NAMES):
        assert client.answer()[1] == retr(i), name
        assert client.file.readline() == b"+OK %d %d\r\n" % (i + 1, SIZES[i])
        assert client.answer()[1] == top(i, 1), name
        assert client.file.readline().startswith(b"+OK %d " % (i + 1))
    client.quit()
