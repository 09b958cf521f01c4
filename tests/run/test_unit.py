"""The systemd unit: its score, the calls that its filter allows, and sockets that systemd opens."""

import fcntl
import os
import re
import shutil
import socket
import subprocess

import pytest

from conftest import ASAN, PROGRAM, ROOT, until

UNIT = ROOT / "etc" / "sallyport.service"
ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here")


def settings(name):
    """All values of a setting of the unit, in order."""
    return [line.split("=", 1)[1] for line in UNIT.read_text().splitlines() if line.startswith(name + "=")]


@needs_analyze
def test_score():
    out = subprocess.run([ANALYZE, "security", "--offline=true", "--no-pager", UNIT], capture_output=True, text=True)
    if "Unknown" in out.stderr or "unrecognized" in out.stderr:
        pytest.skip("this systemd-analyze cannot look at a file")
    score = re.search(r"exposure level for sallyport\.service: ([\d.]+)", out.stdout)
    assert score and float(score[1]) <= 1.5, out.stdout[-3000:] + out.stderr


def calls_of(group):
    """The system calls of a group of systemd's, and of the groups in it."""
    if not group.startswith("@"):
        return {group}
    out = subprocess.run([ANALYZE, "syscall-filter", "--no-pager", group], capture_output=True, text=True, check=True).stdout
    found = set()
    for line in out.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= calls_of(word)
    return found


def allowed_calls():
    allowed = calls_of("@default")
    for value in settings("SystemCallFilter"):
        refused = value.startswith("~")
        for word in value.lstrip("~").split():
            allowed = allowed - calls_of(word) if refused else allowed | calls_of(word)
    return allowed


@needs_analyze
@pytest.mark.root
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here")
@pytest.mark.skipif(ASAN, reason="a sanitizer makes calls of its own")
def test_filter_allows_what_the_server_calls(serve):
    """Start, logins over TLS and in the clear, mail, reload, a wrong password, the end."""
    server = serve({"login_in_clear": "loopback", "accounts": "file"}, start=False)
    trace = server.dir / "trace"
    server.wrapper = ["strace", "-f", "-qq", "-o", str(trace)]
    server.start()
    server.accounts["anna"].deliver(b"Subject: x\n\nbody\n")
    p = server.login()
    p.retr(1)
    p.quit()
    talk = server.imap_talk("anna", tls=False)
    for command in ("SELECT INBOX", "FETCH 1 BODY[]", "STORE 1 +FLAGS (\\Deleted)", "SEARCH TEXT body", "EXPUNGE", "LOGOUT"):
        assert talk.cmd(command).ok
    with pytest.raises(Exception):
        server.accounts["ben"].password = "wrong"
        server.login("ben")
    os.kill(server.pid, 1)
    server.wait_log("master configuration")
    assert server.imap_talk("anna").cmd("LOGOUT").ok
    os.kill(server.pid, 15)
    server.process.wait(60)
    used = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", trace.read_text(errors="replace"), re.M))
    assert {"accept4", "execveat", "chroot"} <= used, "the trace has them"
    assert used <= allowed_calls(), used - allowed_calls()


# --- sockets that systemd opens ---

def start_with_sockets(server, sockets, wrapper=()):
    """As systemd does: the sockets from descriptor 3 on, their number, and the process that is meant."""
    moves = " ".join(f"{3 + i}<&{s.fileno()} {s.fileno()}<&-" for i, s in enumerate(sockets))
    server.log_file = open(server.log_path, "ab")
    server.process = subprocess.Popen(
        [*wrapper, "bash", "-c", f'exec {moves}; LISTEN_PID=$$ LISTEN_FDS={len(sockets)} exec "$@"', "sh", str(PROGRAM), "run",
         "-c", str(server.conf)], stdin=subprocess.DEVNULL, stdout=server.log_file, stderr=server.log_file,
        pass_fds=[s.fileno() for s in sockets])
    until(lambda: " master ready" in server.log(), 20)


def listen(address, port):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    if ":" in address:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    s.listen(100)
    return s


def high(sockets):
    """The same sockets with numbers that no redirection of the shell hits."""
    moved = [socket.socket(fileno=fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100)) for s in sockets]
    for s in sockets:
        s.close()
    return moved


@pytest.mark.namespaces
@pytest.mark.root
def test_sockets_of_systemd_need_no_network(serve):
    """The server in a network namespace of its own, where nothing can be bound or reached: it serves, and reloads."""
    server = serve(start=False)
    pairs = [("127.0.0.1", server.pop3), ("::1", server.pop3), ("127.0.0.1", server.pop3s), ("127.0.0.1", server.imap),
             ("::1", server.imap), ("127.0.0.1", server.imaps)]
    sockets = high([listen(*pair) for pair in pairs])
    start_with_sockets(server, sockets, ["unshare", "--net"])
    for s in sockets:
        s.close()
    assert "cannot-listen" not in server.log()
    server.login().quit()
    with socket.create_connection(("::1", server.imap), 10) as s:
        assert s.recv(100).startswith(b"* OK")
    os.kill(server.pid, 1)
    server.wait_log("master configuration")
    until(lambda: server.reachable(), 10)
    server.login("ben").quit()
    server.wait_log(r"pop3 connect rip=127\.0\.0\.1 rport=\d+ lip=127\.0\.0\.1:")


def test_sockets_for_another_process_are_not_taken(serve):
    server = serve(start=False)
    sockets = high([listen("127.0.0.1", 0)])
    server.wrapper = ["env", "LISTEN_FDS=1", "LISTEN_PID=1"]
    server.start()
    server.wrapper = []
    server.login().quit()
    for s in sockets:
        s.close()


def test_socket_that_is_not_configured_is_closed(serve):
    server = serve(start=False)
    other = listen("127.0.0.1", 0)
    port = other.getsockname()[1]
    sockets = high([other])
    start_with_sockets(server, sockets)
    for s in sockets:
        s.close()
    server.login().quit()
    assert socket.socket().connect_ex(("127.0.0.1", port)) != 0


def test_socket_unit_has_the_default_addresses():
    text = (ROOT / "etc" / "sallyport.socket").read_text()
    assert sorted(re.findall(r"^ListenStream=(.*)$", text, re.M)) == sorted(
        f"{address}:{port}" for address in ("0.0.0.0", "[::]") for port in (110, 143, 993, 995))
