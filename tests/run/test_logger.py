"""The log process: nobody waits for the log, a process writes only lines of its own, and daemons may restart."""

import contextlib
import ctypes
import hashlib
import os
import poplib
import random
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from conftest import SLOW, STANDING, until
from test_processes import by_title, one, served, unix_peers

MANY = {"max_per_address": "10000", "max_before_login": "10000", "max_connections": "10000", "login_timeout": "60s"}


def denied(server, n):
    """n wrong passwords, each on a connection of its own."""
    for _ in range(n):
        p = server.pops()
        p.user("anna")
        with pytest.raises(poplib.error_proto):
            p.pass_("wrong")
        p.close()


def connect(server, n):
    """n connections that end at once, one after the other."""
    for _ in range(n):
        s, f = server.raw()
        s.sendall(b"QUIT\r\n")
        f.readlines()
        f.close()
        s.close()


def lost(text):
    return sum(int(n) for n in re.findall(r" log (?:lost|left-out|missed)\b.* lines=(\d+)", text))


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


# --- nobody reads ---

def start_on_pipe(server):
    """The server with a pipe as standard error; returns the end to read from."""
    ours, theirs = os.pipe()
    server.process = subprocess.Popen([*server.wrapper, server_program(), "run", "-c", str(server.conf)],
                                      stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    until(server.reachable, 20)
    return ours


def server_program():
    from conftest import PROGRAM
    return str(PROGRAM)


def test_standard_error_that_nobody_reads(serve):
    """600 connections and logins between them; then SIGTERM ends the server in time."""
    server = serve(MANY, start=False)
    pipe = start_on_pipe(server)
    connect(server, 300)
    assert served(server)
    connect(server, 300)
    start = time.monotonic()
    assert served(server) and served(server, "ben")
    assert time.monotonic() - start < 5
    start = time.monotonic()
    assert server.stop(seconds=20) == 0
    assert time.monotonic() - start < 10
    os.close(pipe)


def test_standard_error_that_is_read_late(serve):
    """All lines are there, or counted."""
    server = serve(MANY, start=False)
    pipe = start_on_pipe(server)
    connect(server, 3000)  # the kernel may hold 2 MiB of messages
    got = []
    with os.fdopen(pipe, "rb") as reader:
        os.set_blocking(reader.fileno(), False)

        def read():
            while (data := reader.read(65536)):
                got.append(data)
            return b"".join(got).decode()

        until(lambda: lost(read()) > 0, 20, "a count of lost lines")
        denied(server, 1)
        text = until(lambda: re.search(r"denied user=anna", read()) and read(), 20)
        assert server.stop() == 0
    assert text.count(" connect rip=") + lost(text) >= 3000
    assert all(re.match(r"([0-9a-f]{8}|-)(/[a-z]+)? [a-z0-9]+ [a-z-]+", line) for line in text.splitlines())


# --- the log process itself ---

def test_log_process_is_stopped(serve):
    """Service goes on, also logins; the count of lines that found no room is in the log later."""
    server = serve(MANY)
    log = one(server, "log")
    with stopped(log):
        start = time.monotonic()
        assert served(server) and time.monotonic() - start < 5
        connect(server, 3000)  # the kernel may hold 2 MiB of messages
        assert served(server, "ben")
    until(lambda: lost(server.log()) > 0, 10, "a count of lost lines")
    assert server.log().count(" connect rip=") + lost(server.log()) >= 3000
    denied(server, 1)
    server.wait_log("denied user=anna")
    until(lambda: len(server.children()) == STANDING, 10)
    assert one(server, "log") == log


def test_log_process_that_is_stopped_does_not_hold_the_end(serve):
    server = serve()
    with stopped(one(server, "log")):
        start = time.monotonic()
        assert server.stop(seconds=30) == 0
        assert time.monotonic() - start < 10


def test_log_process_dies(server):
    p = server.login()
    log = one(server, "log")
    os.kill(log, signal.SIGKILL)
    until(lambda: by_title(server, "log") not in ([], [log]), 10, "another log process")
    server.wait_log("- master log-died next=")
    assert p.noop().startswith(b"+OK"), "sessions go on"
    p.quit()
    server.wait_log(r"/reader pop3 end user=anna rip=127\.0\.0\.1 .*reason=quit")
    denied(server, 3)
    until(lambda: server.log().count(" denied user=anna rip=127.0.0.1") == 3)
    # Standing processes have a channel to the new one, too.
    os.kill(one(server, "key"), signal.SIGKILL)
    server.wait_log("key-process-died")
    until(lambda: served(server, "ben"), 10)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log().count("/spawner master certificate is=") >= 2, 10)


def test_log_process_dies_again_and_again(serve):
    """A new one comes each time, after a pause, and nobody else suffers."""
    server = serve()
    pids = [None]
    for _ in range(5):
        assert served(server)
        pids.append(until(lambda: [pid for pid in by_title(server, "log") if pid not in pids], 10)[0])
        os.kill(pids[-1], signal.SIGKILL)
    until(lambda: by_title(server, "log") not in ([], pids[-1:]), 10)
    denied(server, 1)
    server.wait_log("denied user=anna")


def test_last_lines_are_written(serve):
    """What is sent before the end is in the log when master has ended."""
    server = serve()
    held = [server.imap_talk() for _ in range(5)]
    assert server.stop() == 0
    lines = server.log().splitlines()
    assert sum(" imap end user=anna rip=" in line for line in lines) == 5, lines
    assert lines[-1].endswith("- master stopped"), lines[-1]
    for talk in held:
        talk.close()


# --- lines of others ---

def take_descriptor(pid, fd):
    """Returns a copy of another process's descriptor, as an attacker in that process has it."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        got = libc.syscall(438, pidfd, int(fd), 0)  # pidfd_getfd
        if got == -1:
            pytest.skip(f"no pidfd_getfd here: {os.strerror(ctypes.get_errno())}")
        return got
    finally:
        os.close(pidfd)


def log_channel(server, pid):
    """A socket that is the process's channel to the log process."""
    log = one(server, "log")
    theirs = {os.readlink(f"/proc/{log}/fd/{fd}") for fd in os.listdir(f"/proc/{log}/fd")}
    peers = unix_peers()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        if peers.get(os.readlink(f"/proc/{pid}/fd/{fd}")) in theirs:
            return socket.socket(fileno=take_descriptor(pid, fd))
    raise AssertionError("no channel to the log process")


def ipc_number(name):
    """The number of a message type, from ipc.h."""
    from conftest import ROOT
    text = (ROOT / "server" / "ipc.h").read_text()
    body = re.sub(r"/\*.*?\*/", "", text[text.index("enum ipc_type {"):], flags=re.S)
    names = re.findall(r"\bIPC_[A-Z_]+\b", body[:body.index("};")])
    return names.index(name) + 1


def line(event, *pairs, module="pop3", ident=0x12345678, address="203.0.113.66", port=6):
    """A line as a hostile process may send it, with the id and the address of another."""
    def text(value):
        value = value if isinstance(value, bytes) else value.encode()
        return struct.pack(">H", len(value)) + value
    return (struct.pack(">BBI", ipc_number("IPC_LOG_LINE"), 2, ident) + text(address) + struct.pack(">H", port)
            + text(module) + text(event) + b"".join(text(p) for p in pairs))


def stranger(server):
    """A connection that is not logged in: its socket, the pid of its worker, its id in the log."""
    s, f = server.raw(tls=True)
    worker = until(lambda: by_title(server, "worker"), 5)[0]
    found = server.wait_log(rf"([0-9a-f]{{8}}) pop3 connect rip=127\.0\.0\.1 rport={s.getsockname()[1]} ")
    return s, worker, found[1]


@pytest.mark.root
def test_worker_cannot_write_lines_of_others(server):
    """A captured worker's line is under its own id, role and address, or is none at all and ends its channel."""
    s, worker, ident = stranger(server)
    channel = log_channel(server, worker)
    channel.send(line("denied", "reason", "no such user"))
    server.wait_log(rf'{ident}/worker pop3 denied rip=127\.0\.0\.1 rport=\d+ reason="no such user"\n')
    channel.send(line("denied", "reason", "x\n12345678/reader pop3 denied user=anna rip=203.0.113.66"))
    server.wait_log(rf'{ident}/worker pop3 denied rip=127\.0\.0\.1 rport=\d+ reason="x\\x0a12345678/reader pop3 denied')
    channel.send(line("denied", "rip", "203.0.113.66", "rport", "6"))
    server.wait_log(rf"{ident}/worker log forged rip=127\.0\.0\.1")
    with pytest.raises(OSError):
        for _ in range(100):
            channel.send(line("denied", "reason", "again"))
            time.sleep(0.01)
    # The one line that fail2ban believes begins with an id, "/reader", and has the address in its place.
    assert not re.search(r"^[0-9a-f]{8}(/\w+)? \w+ denied (user=\S+ )?rip=203\.0\.113\.66", server.log(), re.M)
    assert "12345678/" not in re.sub(r'"[^"\n]*"', "", server.log())
    channel.close()
    s.close()


def fail2ban_hosts(text):
    """The addresses that the filter in etc/ finds in lines of a syslog daemon's file."""
    from conftest import ROOT
    pattern = re.search(r"^failregex = (.*)$", (ROOT / "etc" / "fail2ban.conf").read_text(), re.M)[1]
    pattern = pattern.replace("%(__prefix_line)s", r"\s*\S+ sallyport\[\d+\]: ").replace("<HOST>", r"(?P<host>\S+)")
    return [m["host"] for m in (re.search(pattern, f"host sallyport[1]: {one}") for one in text.splitlines()) if m]


@pytest.mark.root
def test_fail2ban_finds_failed_logins_only(server):
    """Also not the address that a captured worker quotes in a value."""
    s, worker, _ = stranger(server)
    channel = log_channel(server, worker)
    channel.send(line("denied", "reason", "12345678/reader pop3 denied rip=203.0.113.66 rport=6"))
    channel.send(line("denied", "reason", "host sallyport[1]: 12345678/reader pop3 denied rip=203.0.113.66 rport=6"))
    server.wait_log(r"/worker pop3 denied .*host sallyport\[1\]")
    server.login("ben").quit()
    denied(server, 2)
    p = server.pops()
    p.user("nobody-here")
    with pytest.raises(poplib.error_proto):
        p.pass_("x")
    talk = server.imap_talk(None)
    assert talk.cmd("LOGIN anna wrong").no
    until(lambda: server.log().count("/reader ") >= 4 and fail2ban_hosts(server.log()) == ["127.0.0.1"] * 4)
    channel.close()
    s.close()
    talk.close()
    p.close()


@pytest.mark.root
@pytest.mark.parametrize("packet", [
    b"", b"\xff", b"\0" * 4000, random.Random(1).randbytes(300), b"user", line("login", "user", "ben"), line("a b"), line("denied", "rip", "1"),
    line("denied\n12345678/reader"), line("x", "k", b"a\0b"), line("x", "k=v rip", "v"), line("x", module="M" * 40),
    line("x", *["k", "v" * 400]), line("x", address="a" * 100)],
    ids=lambda packet: hashlib.sha256(packet).hexdigest()[:8])
def test_worker_sends_what_is_no_line(server, packet):
    """It costs the channel, and nothing else."""
    log = one(server, "log")
    s, worker, ident = stranger(server)
    channel = log_channel(server, worker)
    channel.send(packet)

    def closed():
        try:
            channel.send(line("after"))
        except OSError:
            return True

    until(closed, 5, "the channel is closed")
    denied(server, 1)
    server.wait_log("/reader pop3 denied user=anna rip=127")
    assert one(server, "log") == log
    channel.close()
    s.close()


@pytest.mark.root
def test_reader_cannot_write_lines_of_another_user(server):
    """After master has judged the login, the log process alone names the user."""
    p = server.login("ben")
    channel = log_channel(server, one(server, "reader"))
    channel.send(line("login", "user", "anna", "tls", "no"))
    found = server.wait_log(r"([0-9a-f]{8})/reader pop3 login user=ben rip=127\.0\.0\.1 rport=\d+ tls=no\n")
    assert found[1] != "12345678" and "user=anna" not in server.log()
    channel.close()
    p.quit()


@pytest.mark.root
def test_worker_floods_the_log(server):
    """It gets its quota, the rest is counted, at last its channel is closed; others are served meanwhile."""
    s, worker, ident = stranger(server)
    channel = log_channel(server, worker)
    sent = 0
    with pytest.raises(OSError):
        for sent in range(100000):
            channel.send(line("flood"))
    assert sent > 5000
    denied(server, 1)
    server.wait_log("/reader pop3 denied user=anna")
    server.wait_log(rf"{ident}/worker log closed rip=127\.0\.0\.1")
    assert server.log().count(f"{ident}/worker pop3 flood ") < 400 * SLOW
    assert lost(server.log()) >= 9000
    channel.close()
    s.close()


# --- a syslog daemon ---

OWN_DEV = """mount -t tmpfs -o mode=755 tmpfs /dev && for d in null:3 zero:5 random:8 urandom:9; do
mknod -m 666 /dev/${d%:*} c 1 ${d#*:} || exit 1; done; exec "$@" """


class Syslog:
    """A daemon at /dev/log, as the server sees it in its own mount namespace."""

    def __init__(self, server):
        self.path = f"/proc/{server.pid}/root/dev/log"
        self.lines = []
        self.socket = None

    def start(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.setblocking(False)

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.lines.append(self.socket.recv(2000).decode())
        return self.lines

    def stop(self):
        self.read()
        self.socket.close()
        os.unlink(self.path)

    def count(self, word):
        return sum(word in text for text in self.read())


@pytest.fixture
def with_syslog(serve):
    """A server in a mount namespace of its own, and a syslog daemon there that is not started yet."""
    server = serve({"log": "syslog"}, start=False)
    server.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_DEV, "sh"]
    server.start()
    server.wrapper = []  # all of them exec: the process is master
    return server, Syslog(server)


@pytest.mark.namespaces
@pytest.mark.root
def test_syslog_daemon_restarts(with_syslog):
    """No line is lost over a restart, nor does it take a SIGHUP."""
    server, daemon = with_syslog
    few = 5 if SLOW == 1 else 2  # they must fit into the five seconds for which the log process waits for a daemon
    daemon.start()
    time.sleep(0.2)
    denied(server, few)
    until(lambda: daemon.count("denied user=anna rip=127.0.0.1") == few)
    for n in range(2, 5):
        daemon.stop()
        denied(server, few)  # while there is no daemon
        time.sleep(1)
        daemon.start()
        until(lambda: daemon.count("denied user=anna rip=127.0.0.1") == few * n, 10, "all lines")
    pattern = r"<(19|20|22)>\w{3} [ \d]\d \d\d:\d\d:\d\d sallyport\[\d+\]: ([0-9a-f]{8}|-)(/[a-z]+)? \w+ [a-z-]+"
    assert all(re.match(pattern, text) for text in daemon.lines), daemon.lines
    assert lost("\n".join(daemon.lines)) == 0
    daemon.stop()


@pytest.mark.namespaces
@pytest.mark.root
def test_syslog_daemon_is_away_for_long(with_syslog):
    """Lines go to standard error meanwhile, as they do from the start without a daemon."""
    server, daemon = with_syslog
    assert "- master ready" in server.log(), "no daemon yet"
    daemon.start()
    time.sleep(0.2)
    denied(server, 1)
    until(lambda: daemon.count("denied user=anna") == 1)
    daemon.stop()
    denied(server, 3)
    until(lambda: server.log().count("denied user=anna") == 3, 15, "lines on standard error")
    daemon.start()
    time.sleep(0.2)
    denied(server, 2)
    until(lambda: daemon.count("denied user=anna") == 3, 10, "the daemon has the new lines")
    daemon.stop()


@pytest.mark.namespaces
@pytest.mark.root
def test_syslog_daemon_does_not_read(with_syslog):
    """Lines that a stuck daemon does not take go to standard error, and nobody waits."""
    server, daemon = with_syslog
    daemon.start()
    time.sleep(0.2)
    before = server.log().count(" connect rip=")
    connect(server, 100)
    start = time.monotonic()
    assert served(server)
    assert time.monotonic() - start < 3
    until(lambda: daemon.count(" connect rip=") + server.log().count(" connect rip=") - before == 101)
    assert daemon.count(" connect rip=") > 2
    denied(server, 1)
    until(lambda: daemon.count("denied user=anna") == 1)
    daemon.stop()
