"""client.py: the clients of the benchmark: POP3 and IMAP over TLS, with large reads and without copies.

Whatever is not a right answer raises Misbehaved; how fast it came is for others to judge.
"""

import re
import socket
import ssl

READ = 1 << 18  # octets; one read gives at most one TLS record
TIMEOUT = 120  # s
TAG = 12  # octets of an IMAP tag: none that a message could have at the start of a line


class Misbehaved(Exception):
    """A server gave a wrong answer or none."""


def expect(condition, what):
    if not condition:
        raise Misbehaved(what)


class Session:
    """A connection with TLS, and what both protocols do alike."""

    protocol = GREETING = LOGOUT = None

    def __init__(self, server, resume=None):
        self.what = f"{server.name}: {self.protocol}"
        self.data = bytearray()  # came, but is not used yet
        self.buffer = bytearray(READ)
        raw = socket.create_connection(("127.0.0.1", server.port[self.protocol]), TIMEOUT)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.tls = server.context.wrap_socket(raw, server_hostname="localhost", session=resume)
        except ssl.SSLError as e:
            raw.close()
            raise Misbehaved(f"{self.what}: handshake: {e}") from None
        line = self.line("greeting")
        expect(line.startswith(self.GREETING), f"{self.what}: {line!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()

    def more(self):
        try:
            n = self.tls.recv_into(self.buffer)
        except ssl.SSLWantReadError:
            raise
        except OSError as e:
            raise Misbehaved(f"{self.what}: {e}") from None
        self.data += memoryview(self.buffer)[:n]
        return n

    def line(self, after):
        while (end := self.data.find(b"\r\n")) == -1:
            expect(self.more(), f"{self.what}: {after}: the connection ended")
        line = bytes(self.data[:end])
        del self.data[:end + 2]
        return line

    def quit(self):
        """Says good-bye, and waits until the server has closed."""
        self.ask(self.LOGOUT)
        while self.more():
            pass
        expect(not self.data, f"{self.what}: something behind the answer to {self.LOGOUT}")
        self.tls.close()


class Pop3(Session):
    protocol, GREETING, LOGOUT = "pop3", b"+OK", "QUIT"

    def ask(self, command):
        """The first line of an answer, which must be +OK."""
        self.tls.sendall(command.encode() + b"\r\n")
        line = self.line(command.split()[0])
        expect(line.startswith(b"+OK"), f"{self.what}: {command}: {line!r}")
        return line

    def login(self, name, password):
        self.ask(f"USER {name}")
        self.ask(f"PASS {password}")
        return self

    def multi(self, commands):
        """Sends all commands at once and reads as many multi-line answers; parse() takes them apart."""
        self.tls.sendall("".join(c + "\r\n" for c in commands).encode())
        at, left = 0, len(commands)
        while True:
            while (end := self.data.find(b"\r\n.\r\n", at)) != -1:
                at, left = end + 5, left - 1
            if left <= 0:
                break
            at = max(at, len(self.data) - 4)
            expect(self.more(), f"{self.what}: {commands[0]}: the connection ended, {left} answers lacking")
        expect(left == 0 and at == len(self.data), f"{self.what}: {commands[0]}: more than was asked for")
        data, self.data = self.data, bytearray()
        return data

    def parse(self, data):
        """The answers of multi(): first lines checked and removed, dots unstuffed, the end removed."""
        answers = []
        for whole in bytes(data).split(b"\r\n.\r\n")[:-1]:
            first, _, body = whole.partition(b"\r\n")
            expect(first.startswith(b"+OK"), f"{self.what}: {first[:100]!r}")
            body += b"\r\n" if body else b""
            answers.append(body.replace(b"\r\n..", b"\r\n."))
        return answers


class Imap(Session):
    protocol, GREETING, LOGOUT = "imap", b"* OK", "LOGOUT"

    def __init__(self, *args):
        self.commands = 0
        super().__init__(*args)

    def login(self, name, password):
        self.ask(f"LOGIN {name} {password}")
        return self

    def tag(self):
        self.commands += 1
        return b"%0*d" % (TAG, self.commands)

    def pack(self, commands):
        """Commands (str, or bytes with literals inside) as octets to send."""
        return b"".join(b"%s %s\r\n" % (self.tag(), c if isinstance(c, bytes) else c.encode()) for c in commands)

    def run(self, octets):
        """Sends packed commands at once and reads until the last is answered: all that came."""
        self.tls.sendall(octets)
        last = b"\r\n%0*d " % (TAG, self.commands)
        first = last[2:]
        while True:
            if self.data.endswith(b"\r\n"):
                line = self.data.rfind(b"\r\n", 0, -2)
                if self.data.startswith(last, line) if line != -1 else self.data.startswith(first):
                    break
            expect(self.more(), f"{self.what}: the connection ended before {last.strip().decode()}")
        data, self.data = self.data, bytearray()
        return bytes(data)

    def check(self, data, count):
        """The last count commands are answered with OK in data."""
        told = re.findall(rb"^(\d{%d}) (\w+) ?(.*)\r$" % TAG, data, re.M)
        numbers = [int(tag) for tag, _, _ in told]
        expect(numbers == list(range(self.commands - count + 1, self.commands + 1)),
               f"{self.what}: answers to {numbers[:5]}..., {len(numbers)} in all")
        for tag, status, text in told:
            expect(status == b"OK", f"{self.what}: {tag} {status} {text[:200]}")
        return data

    def ask(self, *commands):
        return self.check(self.run(self.pack(commands)), len(commands))
