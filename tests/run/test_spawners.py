"""Spawners: each kind of process has a memory layout of its own, and each process a stack canary of its own."""

import ctypes
import os
import pathlib
import platform
import signal
import socket
import time

import pytest

from conftest import ASAN, STANDING, until
from test_processes import by_title, fingerprint, one, replace_certificate, served, status

PTRACE_GETREGS, PTRACE_ATTACH, PTRACE_DETACH = 12, 16, 17
FS_BASE = 21  # number of the field in struct user_regs_struct


def guards(pid):
    """Canary and pointer guard of a process: glibc keeps them beside the thread's pointer, fs, on x86-64."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    registers = (ctypes.c_ulonglong * 27)()
    assert libc.ptrace(PTRACE_ATTACH, pid, None, None) == 0, os.strerror(ctypes.get_errno())
    try:
        os.waitpid(pid, 0x40000000)  # __WALL
        assert libc.ptrace(PTRACE_GETREGS, pid, None, ctypes.cast(registers, ctypes.c_void_p)) == 0
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        mem.seek(registers[FS_BASE] + 0x28)
        data = mem.read(16)
    return data[:8], data[8:]


def layout(pid):
    """Where the program and its libraries lie."""
    lines = pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [line.split("-")[0] for line in lines if "/sallyport" in line or "libc.so" in line]


@pytest.mark.root
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the canary lies in the thread's memory on x86-64 only")
def test_canaries_and_layouts(server):
    sessions = [server.login("anna"), server.login("ben")]
    workers = until(lambda: len(by_title(server, "worker")) == 2 and by_title(server, "worker"), 5)
    readers = by_title(server, "reader")
    outer, inner, key = (one(server, t) for t in ("outer spawner", "inner spawner", "key"))
    everyone = [server.pid, outer, inner, key, *workers, *readers]
    assert len(everyone) == 8
    found = {pid: guards(pid) for pid in everyone}
    canaries = [canary for canary, _ in found.values()]
    assert len(set(canaries)) == len(canaries), "two processes share a canary"
    others = [guard for pid, (_, guard) in found.items() if pid not in readers]
    assert len(set(others)) == len(others), "two processes share a pointer guard"
    assert all(found[pid][1] == found[inner][1] for pid in readers), "readers need that of their charset converters"
    assert all(g[0][:1] == b"\0" and g[0] != bytes(8) for g in found.values()), "as glibc makes canaries"
    kinds = [layout(pid) for pid in (server.pid, outer, inner, key)]
    assert all(kinds) and not any(set(a) & set(b) for i, a in enumerate(kinds) for b in kinds[:i])
    for s in sessions:
        s.quit()


def test_role_is_for_master_only():
    import subprocess
    from conftest import PROGRAM
    for role in ("key", "outer", "inner", "nonsense"):
        done = subprocess.run([PROGRAM, "--role", role], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 2 and "only `sallyport run` starts a role" in done.stderr


@pytest.mark.parametrize("which", ["inner", "outer"])
def test_death_of_a_spawner(server, which):
    """The sessions of a dead inner spawner end; all that comes after is served by another."""
    p = server.login()
    pid = one(server, f"{which} spawner")
    os.kill(pid, signal.SIGKILL)
    server.wait_log("master spawner-died")
    until(lambda: by_title(server, f"{which} spawner") not in ([], [pid]), 10, "a new spawner")
    if which == "inner":
        with pytest.raises(Exception):
            for _ in range(3):
                p.noop()
    p.close()
    until(lambda: served(server), 10, "served again")
    until(lambda: len(server.children()) == STANDING, 10, "only the standing processes")


@pytest.mark.skipif(ASAN, reason="it waits most of a minute, and runs no code that others do not")
@pytest.mark.parametrize("which", ["inner", "outer"])
def test_stopped_spawner(serve, which):
    """A spawner that takes no messages is replaced; master goes on meanwhile."""
    server = serve({"login_timeout": "5s", "max_before_login": "1000", "max_per_address": "1000"})
    pid = one(server, f"{which} spawner")
    os.kill(pid, signal.SIGSTOP)
    held = []
    try:
        if which == "outer":
            held = [socket.create_connection(("127.0.0.1", server.pop3)) for _ in range(400)]
        until(lambda: (served(server), len(by_title(server, f"{which} spawner")) > 1)[1], 60, "another spawner")
        until(lambda: served(server), 20, "served")
        assert "spawner-stuck" in server.log()
    finally:
        os.kill(pid, signal.SIGCONT)
        for s in held:
            s.close()


def test_stopped_spawner_does_not_hold_the_end(server):
    server.login()
    os.kill(one(server, "outer spawner"), signal.SIGSTOP)
    start = time.monotonic()
    assert server.stop(seconds=30) == 0
    assert time.monotonic() - start < 20


def test_faults_cost(serve):
    """Who makes workers die pays with slow answers, and when many die everybody waits a little."""
    server = serve({"failure_delay": "0s", "max_per_address": "1000"})
    for i in range(8):
        s, f = until(lambda: connected(server), 30, "a connection")
        os.kill(until(lambda: by_title(server, "worker"), 5)[0], signal.SIGABRT)
        until(lambda: not by_title(server, "worker"), 5, "it is gone")
        s.close()
    server.wait_log(r"worker died rip=.* how=\"killed by signal 6")
    server.wait_log(r"master children-die count=6 pause-ms=250 ")
    server.wait_log(r"master children-die count=8 pause-ms=1000 ")
    until(lambda: served(server), 10, "and then it goes on")


def connected(server):
    try:
        s = socket.create_connection(("127.0.0.1", server.pop3), 2)
        f = s.makefile("rb")
        return (s, f) if f.readline().startswith(b"+OK") else None
    except OSError:
        return None


def test_reloads_leave_no_spawner(server):
    """Old spawners serve their sessions, and end after them."""
    p = server.login()
    for _ in range(3):
        lines = server.log().count("master configuration")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.log().count("master configuration") > lines, 5)
        until(lambda: served(server, "ben"), 10)
    assert p.noop().startswith(b"+OK"), "its spawners are the first"
    assert len(by_title(server, "outer spawner")) == 2 and len(by_title(server, "inner spawner")) == 2
    p.quit()
    until(lambda: len(server.children()) == STANDING, 10, "only the standing processes")
    assert status(server.pid)["State"][0] in "SR"


def test_every_client_hears_the_end(serve):
    """More signals than a spawner's socket holds: no client may lose its goodbye."""
    server = serve({"max_before_login": "1000", "max_per_address": "2000", "max_connections": "2000",
                    "login_timeout": "120s", "shutdown_wait": "20s"})
    held = [server.raw() for _ in range(700)]
    start = time.monotonic()
    assert server.stop(seconds=60) == 0
    assert time.monotonic() - start < 15, "not when patience ends"
    assert all(f.readline().startswith(b"-ERR [SYS/TEMP]") for _, f in held)
    for s, f in held:
        f.close()
        s.close()


def stop_coming_spawner(server):
    """Asks for a reload and stops its outer spawner before that is ready; returns its pid, or None if it was too fast."""
    children = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children")
    before, end = set(children.read_text().split()), time.monotonic() + 5
    server.process.send_signal(signal.SIGHUP)
    while time.monotonic() < end:
        for pid in set(children.read_text().split()) - before:
            if b"outer" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(int(pid), signal.SIGSTOP)
                time.sleep(1)
                alone = len(by_title(server, "key")) == 2  # the old one is not replaced yet
                os.kill(int(pid), 0 if alone else signal.SIGCONT)
                return int(pid) if alone else None
    return None


@pytest.mark.skipif(ASAN, reason="it waits most of a minute, and runs no code that others do not")
def test_certificates_that_never_come(server):
    """They are given up after a while, and those in use stay.  Later ones come."""
    pid = until(lambda: stop_coming_spawner(server), 30, "a spawner that is not ready")
    server.wait_log("master certificates-late", 45)
    server.wait_log("keeping what=.the certificates in use")
    until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 5, "it is gone")
    server.login().quit()
    until(lambda: len(server.children()) == STANDING, 10, "only the standing processes")
    before = fingerprint(server)
    replace_certificate(server)
    until(lambda: fingerprint(server) != before, 60, "the new certificate")


def test_reloads_without_end(serve):
    """Each reload leaves a session with its own spawners: when places run short the oldest sessions end, not the logins."""
    server = serve({"max_per_user": "1000", "max_per_address": "1000"})
    held = []
    for i in range(40):
        held.append(server.imap_login())
        lines = server.log().count("master configuration")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: server.log().count("master configuration") > lines, 5)
        until(lambda: served(server, "ben"), 10, "logins go on")
    assert "too-many-spawners" not in server.log()
    server.wait_log("master too-many-reloads")
    assert held[-1].noop()[0] == "OK", "the last sessions go on"
