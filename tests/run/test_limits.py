"""Limits: each at its bound, with the answer that the protocol has for it and one line in the log."""

import socket
import ssl
import statistics
import time

import pytest

from conftest import ASAN, until


def greet(server, tls=False, source=None, family=socket.AF_INET):
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    s = socket.create_connection((host, server.pop3s if tls else server.pop3), 20,
                                 source_address=(source, 0) if source else None)
    if tls:
        s = server.context().wrap_socket(s, server_hostname="localhost")
    f = s.makefile("rb")
    return s, f, f.readline()


def test_per_address(serve):
    server = serve({"max_per_address": "3"})
    held = [greet(server) for _ in range(3)]
    assert all(g.startswith(b"+OK") for _, _, g in held)
    s, f, g = greet(server)
    assert g.startswith(b"-ERR [SYS/TEMP]") and f.readline() == b""
    with pytest.raises(OSError):
        greet(server, tls=True)  # no handshake for a connection that is refused: see test_flood.py
    assert greet(server, source="127.0.0.2")[2].startswith(b"+OK"), "others do not feel it"
    assert server.log().count("refused rip=127.0.0.1") == 1, "one line, however many"
    held[0][0].close(), held[0][1].close()
    until(lambda: greet(server)[2].startswith(b"+OK"), 5, "room again")


def test_in_all(serve):
    server = serve({"max_connections": "4", "max_before_login": "4"})
    held = [greet(server, source=f"127.0.1.{i}") for i in range(1, 5)]
    assert all(g.startswith(b"+OK") for _, _, g in held)
    assert greet(server, source="127.0.1.9")[2].startswith(b"-ERR [SYS/TEMP]")
    server.wait_log("refused .*connections in all")


def test_req40_before_login_the_oldest_stranger_goes(serve):
    server = serve({"max_before_login": "3"})
    user = server.login()
    first = greet(server)
    others = [greet(server) for _ in range(3)]
    assert first[2].startswith(b"+OK") and all(o[2].startswith(b"+OK") for o in others)
    assert first[1].readline().startswith(b"-ERR [SYS/TEMP]") and first[1].readline() == b""
    assert user.noop().startswith(b"+OK"), "never a user"
    others[-1][0].sendall(b"QUIT\r\n")
    assert others[-1][1].readline().startswith(b"+OK")


def test_per_user(serve):
    server = serve({"max_per_user": "1"}, users={"anna": "x", "ben": "y"})
    p = server.login("anna")
    q = server.pops()
    q.user("anna")
    with pytest.raises(Exception, match="Too many connections of this user"):
        q.pass_("x")
    server.login("ben").quit()
    p.quit()
    until(lambda: server.log().count("pop3 end user=anna") == 1, 5)
    time.sleep(0.2)
    server.login("anna").quit()


def client_hello(server):
    out = ssl.MemoryBIO()
    try:
        server.context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


def test_req04_time_to_log_in(serve):
    """However slowly or busily the octets come: in clear, in the handshake, in TLS."""
    server = serve({"login_timeout": "5s"})
    start = time.monotonic()
    silent = socket.create_connection(("127.0.0.1", server.pop3s))
    silent.settimeout(20)
    busy, f, _ = greet(server, tls=True)
    slow = socket.create_connection(("127.0.0.1", server.pop3s))
    slow.settimeout(20)
    hello = client_hello(server)
    ended, at = {}, 0
    while len(ended) < 3 and time.monotonic() - start < 15:
        at += 1
        for name, s, octets in (("busy", busy, b"CAPA\r\n"), ("slow", slow, hello[at // 2 - 1:at // 2])):
            if name in ended:
                continue
            try:
                if at % 2 == 0:
                    s.sendall(octets)
                s.settimeout(0.05)
                if s.recv(65536) == b"":
                    ended[name] = time.monotonic() - start
            except (TimeoutError, ssl.SSLWantReadError):
                pass
            except OSError:
                ended[name] = time.monotonic() - start
        try:
            silent.settimeout(0.05)
            if "silent" not in ended and silent.recv(1) == b"":
                ended["silent"] = time.monotonic() - start
        except TimeoutError:
            pass
        except OSError:
            ended["silent"] = time.monotonic() - start
    assert set(ended) == {"busy", "slow", "silent"} and all(4 < t < 9 for t in ended.values()), ended
    server.wait_log("no login in time")


def test_req04_guessing_does_not_extend_it(serve):
    server = serve({"login_timeout": "5s", "failure_delay": "3s", "login_failures": "10"})
    start = time.monotonic()
    s, f, _ = greet(server, tls=True)
    s.sendall(b"USER anna\r\nPASS a\r\nUSER anna\r\nPASS b\r\nUSER anna\r\nPASS c\r\n")
    f.read()
    assert 4 < time.monotonic() - start < 9


def test_failures_per_connection(serve):
    server = serve({"login_failures": "3"})
    s, f, _ = greet(server, tls=True)
    s.sendall(b"USER anna\r\nPASS wrong\r\n" * 6)
    answers = f.read().splitlines()
    assert sum(a.startswith(b"-ERR [AUTH]") for a in answers) == 3
    assert len(answers) == 6, "and then the connection ends"


def attempt(server, name, password, source="127.0.0.1"):
    s, f, _ = greet(server, tls=True, source=source)
    start = time.monotonic()
    s.sendall(f"USER {name}\r\nPASS {password}\r\n".encode())
    f.readline()
    answer = f.readline()
    s.close()
    f.close()
    return time.monotonic() - start, answer


def test_req11_failures_are_delayed_more_so_per_address(serve):
    server = serve({"failure_delay": "1s"})
    first, answer = attempt(server, "anna", "wrong")
    second, _ = attempt(server, "anna", "wrong")
    assert answer.startswith(b"-ERR [AUTH]")
    assert 0.9 < first < 1.8 and 1.9 < second < 3.5
    other, _ = attempt(server, "ben", "wrong", source="127.7.0.1")
    assert other < 1.8, "other networks do not feel it with other names: see test_flood.py"
    right, answer = attempt(server, "anna", "sesame")
    assert answer.startswith(b"+OK") and right < 1, "nor does a right password"


def test_req10_unknown_user_costs_the_same(serve):
    server = serve({"failure_delay": "0s", "login_failures": "10", "max_per_address": "1000"})
    times = {"anna": [], "nobody-here": [], "../../etc": []}
    for _ in range(8):
        for name, found in times.items():
            found.append(attempt(server, name, "wrong")[0])
    medians = {n: statistics.median(t) for n, t in times.items()}
    assert max(medians.values()) < 3 * min(medians.values()) + 0.01, medians


@pytest.mark.parametrize("name", ["../etc/passwd", "-rf", ".anna", "an na", "anna\t", "a" * 300, "anna@", "@x", "a@b@c",
                                  "anna%s%n", "anna/../ben", "ann\xe4", "root", "anna\\"])
def test_req08_names(server, name):
    s, f, _ = greet(server, tls=True)
    s.sendall(f"USER {name}\r\nPASS sesame\r\n".encode("latin-1"))
    assert f.readline() == b"+OK Password?\r\n"
    assert f.readline() == b"-ERR [AUTH] Wrong name or password\r\n"


def test_idle_session_ends_and_deletes_nothing(serve):
    server = serve({"pop3_idle_timeout": "10s"})
    server.accounts["anna"].deliver(b"Subject: x\n\n\n")
    p = server.login(timeout=30)
    p.dele(1)
    start = time.monotonic()
    assert p.file.readline() == b""
    assert 8 < time.monotonic() - start < 15
    server.wait_log("pop3 end user=anna .*reason=idle")
    assert len(server.accounts["anna"].files()) == 1


def test_req40_client_that_reads_nothing_costs_one_buffer(serve):
    server = serve()
    server.accounts["anna"].deliver(b"Subject: big\n\n" + (b"z" * 76 + b"\n") * 500000)
    s, f, _ = greet(server, tls=True)
    s.sendall(b"USER anna\r\nPASS sesame\r\n" + b"RETR 1\r\n" * 20)
    f.readline(), f.readline()
    time.sleep(1.0)
    for pid, (_, title) in server.children().items():
        if "worker" in title or "reader" in title:
            with open(f"/proc/{pid}/status") as status:
                private = next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
            assert private < 2048 or ASAN, (title, private)
    s.close()
    f.close()


def test_ipv6(server):
    s, f, g = greet(server, family=socket.AF_INET6)
    assert g.startswith(b"+OK")
    server.wait_log("connect rip=::1")
