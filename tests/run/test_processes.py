"""The processes: the user of each, what each may do, and what happens when one dies."""

import ctypes
import os
import pathlib
import poplib
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import ASAN, IS_ROOT, KEY_USER, PROGRAM, STANDING, WORKER_USER, until


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def uid_of(user):
    import pwd
    return pwd.getpwnam(user).pw_uid


def by_title(server, title):
    return [pid for pid, (_, args) in server.children().items() if args.startswith(f"sallyport: {title}")]


def one(server, title):
    return until(lambda: by_title(server, title), 5, f"a {title}")[0]


def assert_locked_in(pid):
    s = status(pid)
    assert s["Seccomp"] == "2", "seccomp filter"
    assert s["NoNewPrivs"] == "1"
    assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == int(s["CapInh"], 16) == int(s["CapAmb"], 16) == 0
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0, "not dumpable: /proc belongs to root"
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)


@pytest.mark.root
def test_req09_req13_who_runs_as_whom(server):
    p = server.login()
    s, f = server.raw()  # a second connection, not logged in
    key, reader = one(server, "key"), one(server, "reader")
    workers = until(lambda: len(by_title(server, "worker")) == 2 and by_title(server, "worker"), 5)
    assert status(server.pid)["Uid"].split() == ["0"] * 4
    for pid, uid in [(key, uid_of(KEY_USER)), (reader, server.accounts["anna"].uid)] + [
            (w, uid_of(WORKER_USER)) for w in workers]:
        st = status(pid)
        assert st["Uid"].split() == [str(uid)] * 4
        assert len(set(st["Gid"].split())) == 1 and st["Gid"].split()[0] != "0"
        assert st["Groups"].split() in ([], [st["Gid"].split()[0]])
        assert_locked_in(pid)
    for pid in [key, *workers]:
        assert os.readlink(f"/proc/{pid}/root") == str(server.dir / "empty")
        assert os.listdir(f"/proc/{pid}/root") == []
    s.close()
    p.quit()


def test_req09_no_descriptor_too_many(server):
    """Only the log process has the log's file, only a reader has files of a Maildir, and no socket leads elsewhere."""
    p = server.login()
    titles = ("worker", "reader", "key", "outer spawner", "inner spawner")
    fds = {pid: {fd: os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
           for pid in [server.pid, *server.children()]}
    inside = set().union(*(held.values() for held in fds.values()))
    peers = unix_peers()
    for title in titles:
        for fd, where in fds[one(server, title)].items():
            mail = where.startswith(str(server.accounts["anna"].maildir))
            assert where.startswith(("socket:", "/memfd:sallyport.conf", "anon_inode:[signalfd]")) or (
                where == "/dev/null" and fd in "012") or (ASAN and where == str(server.log_path)) or (
                title == "reader" and mail) or (where == "anon_inode:inotify" and title == "reader"), (title, where)
            # Both ends are ours, or it is the client's connection, which the worker has.
            if where.startswith("socket:") and peers and where in peers:
                assert peers[where] in inside, (title, where)
            elif where.startswith("socket:") and peers:
                assert title == "worker", (title, where)
    assert str(server.log_path) in fds[one(server, "log")].values()
    p.quit()


def unix_peers():
    """The inode of each connected Unix socket -> that of its other end, as ss(8) of iproute2 reports them."""
    if shutil.which("ss") is None:
        return {}
    rows = subprocess.run(["ss", "-x", "-a", "-H"], capture_output=True, text=True).stdout.splitlines()
    return {f"socket:[{row.split()[5]}]": f"socket:[{row.split()[7]}]" for row in rows if len(row.split()) >= 8}


def test_log_says_which_landlock_the_kernel_has(server):
    """landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION): 2 on Debian 12, 6 on Debian 13, -1 without it."""
    version = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)
    server.wait_log(rf"master ready .*landlock={max(version, 0)}\b")


@pytest.mark.root
def test_break_out_without_landlock_is_still_no_file(server):
    """What a worker sees of the file system, looked at from outside: nothing, and not its own /proc."""
    s, f = server.raw(tls=True)
    worker = one(server, "worker")
    root = pathlib.Path(f"/proc/{worker}/root")
    assert list(root.iterdir()) == [] and not os.access(root, os.W_OK, effective_ids=False) or os.geteuid() == 0
    assert os.stat(root).st_uid == 0 and os.stat(root).st_mode & 0o222 == 0
    s.close()


def test_death_of_a_worker_costs_its_connection_only(server):
    sessions = {"anna": server.login("anna"), "ben": server.login("ben")}
    os.kill(by_title(server, "worker")[0], signal.SIGKILL)
    dead = server.wait_log(r"pop3 end user=(anna|ben)").group(1)
    alive = "ben" if dead == "anna" else "anna"
    assert sessions[alive].noop().startswith(b"+OK")
    until(lambda: len(by_title(server, "worker")) == len(by_title(server, "reader")) == 1, 5)
    server.login(dead).quit()


def test_death_of_a_reader_costs_its_connection_only(server):
    p = server.login("anna")
    reader = one(server, "reader")
    q = server.login("ben")
    os.kill(reader, signal.SIGKILL)
    with pytest.raises(Exception):
        p.noop()
        p.noop()
    assert q.noop().startswith(b"+OK")
    p = server.login("anna")  # req 36: its locks died with it
    assert p.stat() == (0, 0)
    p.quit()


def test_death_of_the_key_process(server):
    p = server.login()
    key = one(server, "key")
    os.kill(key, signal.SIGKILL)
    server.wait_log("key-process-died")
    until(lambda: by_title(server, "key") and by_title(server, "key")[0] != key, 10, "a new key process")
    assert p.noop().startswith(b"+OK"), "sessions go on"
    server.login("ben").quit()
    p.quit()


def test_death_of_master_ends_all(serve):
    server = serve()
    server.login()
    pids = [server.pid, *server.children()]
    server.process.kill()
    server.process.wait()
    server.process = None
    until(lambda: not any(pathlib.Path(f"/proc/{p}").exists() for p in pids), 10, "no process left")


def test_sigterm_says_goodbye(serve):
    server = serve()
    server.accounts["anna"].deliver(b"Subject: x\n\n\n")
    s, f = server.raw(tls=True)
    s.sendall(b"USER anna\r\nPASS sesame\r\n")
    f.readline(), f.readline()
    s.sendall(b"DELE 1\r\n")
    f.readline()
    t, g = server.raw()
    pids = list(server.children())
    assert server.stop() == 0
    assert f.readline().startswith(b"-ERR [SYS/TEMP]") and f.readline() == b""
    assert g.readline().startswith(b"-ERR [SYS/TEMP]") and g.readline() == b""
    assert len(server.accounts["anna"].files()) == 1, "nothing was deleted"
    assert not any(pathlib.Path(f"/proc/{p}").exists() for p in pids)


def test_sigterm_in_the_middle_of_a_login(serve):
    server = serve({"failure_delay": "9s"})
    s, f = server.raw(tls=True)
    s.sendall(b"USER anna\r\nPASS wrong\r\n")
    assert f.readline().startswith(b"+OK")
    until(lambda: by_title(server, "login"), 5)
    start = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - start < 5, "nobody waits for an answer that will not come"


def test_sigterm_reaches_a_busy_session(serve):
    server = serve({"shutdown_wait": "60s", "login_in_clear": "loopback"})
    s, f = server.raw()  # in the clear: two threads cannot share a TLS stream
    s.sendall(b"USER anna\r\nPASS sesame\r\n")
    stop = threading.Event()

    def busy():
        try:
            while not stop.is_set():
                s.sendall(b"NOOP\r\n" * 1000)
        except OSError:
            pass

    def drain():
        try:
            while s.recv(65536):
                pass
        except OSError:
            pass

    threads = [threading.Thread(target=t) for t in (busy, drain)]
    for t in threads:
        t.start()
    server.wait_log("pop3 login")
    time.sleep(0.3)
    start = time.monotonic()
    try:
        assert server.stop(seconds=30) == 0
        assert time.monotonic() - start < 15
    finally:
        stop.set()
        s.close()
        for t in threads:
            t.join(10)


def test_sighup_reads_again_and_drops_nobody(server):
    p = server.login()
    server.settings["pop3_login_delay"] = "1h"
    server.write_conf()
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("master configuration")
    s, f = server.raw(tls=True)
    s.sendall(b"CAPA\r\nQUIT\r\n")
    assert b"LOGIN-DELAY 3600\r\n" in f.readlines()
    assert p.noop().startswith(b"+OK")
    server.settings["max_connections"] = "lots"
    server.write_conf()
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("configuration-wrong.*line=.*max_connections")
    server.login("ben").quit()
    p.quit()


def test_sighup_moves_listeners(server):
    p = server.login()
    old = server.pop3
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server.pop3 = probe.getsockname()[1]
    server.settings["listen_pop3"] = f"127.0.0.1:{server.pop3}"
    server.write_conf()
    server.process.send_signal(signal.SIGHUP)
    until(server.reachable, 10, "the new port")
    until(lambda: socket.socket().connect_ex(("127.0.0.1", old)) != 0, 5, "the old port is closed")
    assert p.noop().startswith(b"+OK")


def fingerprint(server):
    import ssl
    return ssl.get_server_certificate(("localhost", server.pop3s))


def replace_certificate(server, how="server"):
    new = server.dir / "new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    subprocess.run([PROGRAM, "cert", "server", "localhost"], cwd=new, check=True, capture_output=True)
    for name in ("localhost.key", "localhost.crt"):
        shutil.move(new / name, server.certificates / name)


def test_changed_certificate_is_noticed_by_itself(server):
    p = server.login()
    before = fingerprint(server)
    replace_certificate(server)
    until(lambda: fingerprint(server) != before, 60, "the new certificate within a minute")
    assert p.noop().startswith(b"+OK")


def test_bad_new_certificate_keeps_the_old(server):
    before = fingerprint(server)
    (server.certificates / "localhost.crt").write_text("nonsense\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("certificate-wrong")
    server.wait_log("keeping what=.the certificates in use")
    assert fingerprint(server) == before
    replace_certificate(server)
    other = server.dir / "other"
    other.mkdir()
    subprocess.run([PROGRAM, "cert", "server", "localhost"], cwd=other, check=True, capture_output=True)
    shutil.copy(other / "localhost.key", server.certificates / "localhost.key")  # does not fit
    server.process.send_signal(signal.SIGHUP)
    server.wait_log("key-wrong")
    assert fingerprint(server) == before
    server.login().quit()


def test_key_readable_by_others_is_refused(serve):
    server = serve(start=False)
    key = server.certificates / "localhost.key"
    key.chmod(0o644)
    out = subprocess.run([PROGRAM, "run", "-c", server.conf], capture_output=True, text=True, timeout=30)
    assert out.returncode != 0 and f"chmod 600 {key}" in out.stderr
    check = subprocess.run([PROGRAM, "check", "-c", server.conf], capture_output=True, text=True)
    assert check.returncode == 1 and f"chmod 600 {key}" in check.stdout


def sessions(server, n):
    """n short connections of three kinds, in clear: a login, a refused login, nothing at all."""
    for i in range(n):
        s, f = server.raw()
        if i % 20 == 0:
            s.sendall(b"USER anna\r\nPASS sesame\r\nQUIT\r\n")
            f.readlines()
        elif i % 20 == 1:
            s.sendall(b"USER anna\r\nPASS wrong\r\nQUIT\r\n")
            f.readlines()
        elif i % 3 == 0:
            s.sendall(b"QUIT\r\n")
            f.readlines()
        f.close()
        s.close()


def test_no_zombie_and_no_descriptor_after_2000_sessions(serve):
    server = serve({"login_in_clear": "loopback", "failure_delay": "0s", "max_per_address": "1000"})
    sessions(server, 50)
    until(lambda: len(server.children()) == STANDING, 10, "only the standing processes")
    before = len(os.listdir(f"/proc/{server.pid}/fd"))
    memory = int(status(server.pid)["VmRSS"].split()[0])
    sessions(server, 2000)
    until(lambda: len(server.children()) == STANDING, 20, "only the standing processes")
    assert len(os.listdir(f"/proc/{server.pid}/fd")) == before
    if not ASAN:
        assert int(status(server.pid)["VmRSS"].split()[0]) < memory + 1024, "master grows"


def served(server, name="anna"):
    try:
        server.login(name, timeout=3).quit()
        return True
    except (OSError, EOFError, poplib.error_proto):
        return False


def test_req40_accept_pauses_when_descriptors_run_out(serve):
    server = serve({"max_per_address": "1000", "max_before_login": "1000"})
    have = len(os.listdir(f"/proc/{server.pid}/fd"))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (have + 8, have + 8))
    held = [socket.create_connection(("127.0.0.1", server.pop3)) for _ in range(30)]
    server.wait_log("master pause .*what=.*Too many open files")
    for s in held:
        s.close()
    until(lambda: served(server), 15, "accept comes back")


def unprivileged(serve, uid, settings=None):
    """A server that is started as a user who is not root."""
    server = serve(settings, start=False)
    for account in server.accounts.values():
        account.uid = uid
    server.write_users()
    for path in [server.dir, *server.dir.rglob("*")]:
        os.chown(path, uid, uid)
    server.wrapper = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    server.start()
    server.wrapper = []  # setpriv execs: its process is master
    return server


def limit_processes(pid, uid, n):
    """As that user, who may always: root without CAP_SYS_RESOURCE may not."""
    subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "prlimit", f"--pid={pid}",
                    f"--nproc={n}:"], check=True)


@pytest.mark.root
def test_req40_accept_pauses_when_fork_fails(serve):
    """Root may fork without end, so this is the server of another user."""
    server = unprivileged(serve, 61999, {"max_before_login": "1000", "max_per_address": "1000"})
    outer = one(server, "outer spawner")
    limit_processes(outer, 61999, 1 + STANDING)
    held = [socket.create_connection(("127.0.0.1", server.pop3)) for _ in range(6)]
    server.wait_log("master pause .*what=fork")
    limit_processes(outer, 61999, 1000)
    for s in held:
        s.close()
    until(lambda: served(server), 15, "accept comes back")


@pytest.mark.root
def test_key_is_in_no_other_memory(server):
    """Every process but the key process is searched for the private key's number, both byte orders."""
    p = server.login()
    s, f = server.raw(tls=True)
    text = subprocess.run(["openssl", "pkey", "-in", server.certificates / "localhost.key", "-text", "-noout"],
                          capture_output=True, text=True, check=True).stdout
    digits = re.search(r"priv:\s*((?:[0-9a-f]{2}[:\s]*)+)", text).group(1)
    secret = bytes.fromhex(re.sub(r"[:\s]", "", digits)).lstrip(b"\0")
    assert len(secret) >= 30
    pem = (server.certificates / "localhost.key").read_bytes().splitlines()[1][:40]
    key = one(server, "key")
    for pid in [server.pid, *server.children()]:
        found = search_memory(pid, [secret, secret[::-1], pem])
        if pid == key:
            assert found, "the control: the key process has it"
        else:
            assert not found, server.children().get(pid, "master")
    p.quit()


def search_memory(pid, needles):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            if "r" not in line.split()[1] or "[v" in line:
                continue
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if end - start > 1 << 30:
                continue  # a sanitizer's shadow
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except (OSError, ValueError):
                continue
            if any(n in data for n in needles):
                return True
    return False


def test_log_tells_login_and_end(server):
    server.accounts["anna"].deliver(b"Subject: x\n\nbody\n")
    p = server.login()
    p.retr(1)
    p.quit()
    server.wait_log("pop3 end user=anna")
    login = re.search(r"^([0-9a-f]{8})/reader pop3 login (.*)$", server.log(), re.M)
    assert re.search(r"user=anna rip=127\.0\.0\.1 rport=\d+ tls=1\.[23] cipher=TLS\S+ bits=\d+ resumed=no sni=localhost",
                     login.group(2))
    end = re.search(r"^%s/reader pop3 end (.*)$" % login.group(1), server.log(), re.M).group(1)
    assert re.search(r"user=anna rip=\S+ rport=\d+ reason=quit messages=1 removed=0 in=\d+ out=\d+", end)


def test_req12_log_has_no_password_and_no_unknown_name(server):
    s, f = server.raw(tls=True)
    s.sendall(b"USER secretname\r\nPASS secretpassword\r\nUSER anna\r\nPASS wrongsecret\r\nAUTH PLAIN AHNlY3JldABzZWNyZXQ=\r\n")
    assert all(f.readline() for _ in range(5))
    server.wait_log(r"pop3 denied .*rip=127\.0\.0\.1")
    for word in ("secret", "c2Vjcm"):
        assert word not in server.log()


def test_log_tls_full(serve):
    server = serve({"log_tls": "full"})
    server.login().quit()
    server.wait_log(r"tls handshake rip=127.0.0.1 rport=\d+ tls=1\.[23]")
    s = socket.create_connection(("127.0.0.1", server.pop3s))
    s.sendall(b"USER anna\r\n")
    server.wait_log(r"tls handshake-failed rip=.* error=")
    s.close()


@pytest.mark.root
def test_log_to_syslog(serve):
    """A syslog daemon's socket: master, workers and readers write to it, also from their chroots."""
    if os.path.lexists("/dev/log"):
        pytest.skip("there is a syslog daemon here")
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind("/dev/log")
    try:
        os.chmod("/dev/log", 0o666)
        server = serve({"log": "syslog"}, start=False)
        server.process = subprocess.Popen([PROGRAM, "run", "-c", server.conf])
        daemon.settimeout(10)
        lines = [daemon.recv(2000).decode()]
        while "master ready" not in lines[-1]:
            lines.append(daemon.recv(2000).decode())
        server.login().quit()
        while "pop3 end user=anna" not in lines[-1]:
            lines.append(daemon.recv(2000).decode())
        s, f = server.raw()
        s.close()
        f.close()
        while "client closed" not in lines[-1]:
            lines.append(daemon.recv(2000).decode())
        pattern = r"<(19|20|22)>\w{3} [ \d]\d \d\d:\d\d:\d\d sallyport\[\d+\]: ([0-9a-f]{8}|-)(/[a-z]+)? \w+ [a-z-]+"
        assert all(re.match(pattern, line) for line in lines), lines
    finally:
        daemon.close()
        os.unlink("/dev/log")


@pytest.mark.skipif(IS_ROOT, reason="for those who are not root")
def test_not_root_says_what_is_missing(server):
    server.wait_log("master not-root missing=")


@pytest.mark.root
def test_not_root_says_what_is_missing_from_root(serve):
    """The same server as a user who is not root: it says once what is missing, and serves."""
    server = unprivileged(serve, 65534)
    assert server.log().count("not-root") == 1
    p = server.login()
    for pid, (uid, title) in server.children().items():
        if "login" not in title and "inner spawner" not in title:
            assert uid == 65534
            assert status(pid)["Seccomp"] == "2" and status(pid)["NoNewPrivs"] == "1"
    assert p.stat() == (0, 0)
    p.quit()
