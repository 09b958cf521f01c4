"""client.py: the client of the benchmark: POP3 over TLS, with large reads and without copies.

Whatever is not a right answer raises Misbehaved; how fast it came is for others to judge.
"""

import socket
import ssl

READ = 1 << 18  # octets; one read gives at most one TLS record
TIMEOUT = 120  # s


class Misbehaved(Exception):
    """A server gave a wrong answer or none."""


def expect(condition, what):
    if not condition:
        raise Misbehaved(what)


class Session:
    def __init__(self, server, resume=None):
        self.what = server.name
        self.data = bytearray()  # came, but is not used yet
        self.buffer = bytearray(READ)
        raw = socket.create_connection(("127.0.0.1", server.port), TIMEOUT)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.tls = server.context.wrap_socket(raw, server_hostname="localhost", session=resume)
        except ssl.SSLError as e:
            raw.close()
            raise Misbehaved(f"{self.what}: handshake: {e}") from None
        self.greeting = self.answer("greeting")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tls.close()

    def more(self):
        try:
            n = self.tls.recv_into(self.buffer)
        except OSError as e:
            raise Misbehaved(f"{self.what}: {e}") from None
        self.data += memoryview(self.buffer)[:n]
        return n

    def answer(self, command):
        """The first line of an answer, which must be +OK."""
        while (end := self.data.find(b"\r\n")) == -1:
            expect(self.more(), f"{self.what}: {command}: the connection ended")
        line = bytes(self.data[:end])
        del self.data[:end + 2]
        expect(line.startswith(b"+OK"), f"{self.what}: {command}: {line!r}")
        return line

    def ask(self, command):
        self.tls.sendall(command.encode() + b"\r\n")
        return self.answer(command.split()[0])

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

    def quit(self):
        """QUIT, and waits until the server has closed."""
        self.ask("QUIT")
        while self.more():
            pass
        expect(not self.data, f"{self.what}: something behind the answer to QUIT")
        self.tls.close()
