"""Strangers at the key process: floods of handshakes, workers that are gone, a process that stands still."""

import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import SLOW, until
from test_flood import connect, descriptors  # noqa: F401
from test_processes import by_title, one, served


def rsa_4096(server):
    """A server with an RSA-4096 certificate beside its ECDSA one: a client that offers RSA alone gets it."""
    chain, key = server.dir / "rsa.crt", server.dir / "rsa.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-keyout", key, "-out", chain, "-subj",
                    "/CN=rsa.example.org", "-addext", "subjectAltName=DNS:rsa.example.org", "-days", "30"],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    server.settings["certificate"] = [server.settings["certificate"], f"{chain} {key}"]
    server.write_conf()


def client_hello(name="rsa.example.org"):
    """The first flight of a client, without a connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


class Flood(threading.Thread):
    """ClientHellos from one address, as fast as they come; each leaves before its answer."""

    def __init__(self, port, hello):
        super().__init__(daemon=True)
        self.port, self.hello, self.sent, self.over = port, hello, 0, threading.Event()

    def run(self):
        held = []
        end = time.monotonic() + 60
        while not self.over.is_set() and time.monotonic() < end:
            try:
                s = connect(self.port, "127.9.9.9", 5)
                s.sendall(self.hello)
                held.append(s)
                self.sent += 1
            except OSError:
                pass
            if len(held) > 40:
                held.pop(0).close()
            time.sleep(0.005)
        for s in held:
            s.close()


def handshake(server, source, name):
    """How long a login by TLS takes from an address."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    start = time.monotonic()
    with connect(server.pop3s, source) as raw, context.wrap_socket(raw, server_hostname=name) as s:
        f = s.makefile("rwb", buffering=0)
        assert f.readline().startswith(b"+OK")
        f.write(b"USER ben\r\nPASS " + server.accounts["ben"].password.encode() + b"\r\nQUIT\r\n")
        lines = [f.readline() for _ in range(3)]
        assert lines[1].startswith(b"+OK"), lines
    return time.monotonic() - start


@pytest.mark.parametrize("name", ["rsa.example.org", "localhost"])
def test_flood_of_rsa_signatures(serve, name):
    """Somebody else's handshake waits neither for those of one address, nor for those that nobody waits for."""
    server = serve({"max_per_address": "100", "failure_delay": "0s"}, start=False)
    rsa_4096(server)
    server.start()
    flood = Flood(server.pop3s, client_hello())
    flood.start()
    try:
        until(lambda: flood.sent > 100, 20, "the flood runs")
        times = [handshake(server, f"127.0.7.{i + 1}", name) for i in range(8)]
    finally:
        flood.over.set()
    flood.join(30)
    assert max(times) < 2 * SLOW, times
    start = time.monotonic()
    handshake(server, "127.0.8.1", name)
    assert time.monotonic() - start < 1 * SLOW, "nothing is left to do of the flood"


def test_key_processes_share_rsa(serve):
    """With an RSA key there is a key process for each processor, up to four; a ticket of one opens at another."""
    server = serve(start=False)
    rsa_4096(server)
    server.start()
    wanted = min(os.cpu_count(), 4)
    assert len(by_title(server, "key")) == wanted
    context = ssl.create_default_context(cafile=str(server.ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session, resumed = None, 0
    for _ in range(12):
        with socket.create_connection(("127.0.0.1", server.pop3s), 10) as raw, context.wrap_socket(
                raw, server_hostname="localhost", session=session) as s:
            s.recv(100)
            resumed += s.session_reused
            session = s.session
    assert resumed == 11


@pytest.mark.skipif(os.cpu_count() < 2, reason="one processor has one key process")
def test_helper_dies_during_a_flood(serve):
    """Its death is noticed also by a process that signs at that moment; and a helper that is only stopped is not dead."""
    server = serve({"max_per_address": "100"}, start=False)
    rsa_4096(server)
    server.start()
    old = by_title(server, "key")
    os.kill(max(old), signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(max(old), signal.SIGCONT)
    time.sleep(0.5)
    assert by_title(server, "key") == old
    flood = Flood(server.pop3s, client_hello())
    flood.start()
    try:
        until(lambda: flood.sent > 50, 20, "the flood runs")
        os.kill(max(old), signal.SIGKILL)
        server.wait_log("key-process-died", 20)
    finally:
        flood.over.set()
    flood.join(30)


def test_stopped_key_process(serve):
    """It takes no channels: master pauses, says so, and starts another; it answers signals meanwhile."""
    server = serve({"max_per_address": "1000", "max_before_login": "1000", "login_timeout": "30s"})
    pid = one(server, "key")
    os.kill(pid, signal.SIGSTOP)
    held = []
    try:
        for _ in range(400):
            held.append(socket.create_connection(("127.0.0.1", server.pop3), 5))
        server.wait_log('master pause .*what="channel to the key process"', 20)
        server.wait_log("key-process-stuck", 30)
        for s in held:
            s.close()
        until(lambda: served(server), 30, "another key process serves")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert server.stop() == 0


def test_signature_without_a_login_is_logged(serve):
    """A signature leaves a line of master unless a login, right or wrong, has left one; no worker can suppress it."""
    server = serve()
    handshake(server, "127.0.7.1", "localhost")  # logs in
    with pytest.raises(AssertionError):
        server.accounts["ben"].password = "wrong"
        handshake(server, "127.0.7.2", "localhost")
    server.wait_log("denied user=ben rip=127.0.7.2")
    with connect(server.pop3s, "127.0.7.3") as s:
        s.sendall(client_hello("localhost"))
        assert s.recv(100)  # signed, and the handshake never ends
    server.wait_log(r"(?m)^\w{8} pop3 signed-without-login rip=127.0.7.3 ")
    with connect(server.pop3s, "127.0.7.4") as s:
        s.sendall(b"no handshake\r\n")
        s.recv(100)
    server.wait_log("end rip=127.0.7.4")
    for _ in range(30):
        with connect(server.pop3s, "127.0.7.5") as s:
            s.sendall(client_hello("localhost"))
            s.recv(100)
    server.wait_log("signed-without-login rip=127.0.7.5")
    until(lambda: not by_title(server, "worker"), 10)
    assert server.stop() == 0
    log = server.log()
    assert not re.search(r"signed-without-login rip=127\.0\.7\.[124]", log), log
    assert log.count("signed-without-login rip=") == 20 and "master signed-without-login more=11" in log, log


def test_worker_without_a_client_asks_for_nothing(serve):
    """The worker of a client that has gone ends, though its signature is not there yet."""
    server = serve()
    pid = one(server, "key")
    os.kill(pid, signal.SIGSTOP)
    try:
        s = socket.create_connection(("127.0.0.1", server.pop3s), 5)
        s.sendall(client_hello("localhost"))
        until(lambda: by_title(server, "worker"), 5)
        time.sleep(0.3)
        s.close()
        until(lambda: not by_title(server, "worker"), 5, "it has ended")
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(os.cpu_count() < 2, reason="with one processor there is one key process")
def test_a_key_process_that_dies_is_replaced(serve):
    """With an RSA key there is one for each processor; those that master did not start are seen by the first."""
    server = serve(start=False)
    rsa_4096(server)
    server.start()
    before = set(by_title(server, "key"))
    helper = [p for p in before if int(pathlib.Path(f"/proc/{p}/stat").read_text().split()[3]) in before][0]
    os.kill(helper, signal.SIGKILL)
    server.wait_log("a process that signs has died", 10)
    until(lambda: len(by_title(server, "key")) == len(before) and not before & set(by_title(server, "key")), 20,
          "others are there")
    until(lambda: served(server), 10)
    assert server.stop() == 0
