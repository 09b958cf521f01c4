"""The running server for the tests: real processes on loopback, with real uids if the tests run as root.

A test takes the fixture `server`, or `serve` for settings of its own: serve(settings) starts a server with the accounts
anna and ben (users=... for others) and stops it after the test, by pid.  If the tests run as root, each account has a
uid of its own and workers are chrooted.  Otherwise all processes run as the current user, and tests that need root are
skipped.  tests/README.md says how to run and add tests.
"""

import collections
import imaplib
import os
import pathlib
import poplib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("SALLYPORT_BUILD", "build")
PROGRAM = BUILD / "sallyport"
IS_ROOT = os.geteuid() == 0
# False for root, too, in a chroot that is not a mount.
HAS_NAMESPACES = IS_ROOT and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
ASAN = "asan" in BUILD.name
SLOW = int(os.environ.get("SALLYPORT_SLOW", 4 if ASAN else 1))  # how many times longer than usual a test waits
WORKER_USER, KEY_USER = "nobody", "daemon"
STANDING = 4  # processes below master without a client: log process, key process, outer and inner spawner
sys.path.insert(0, str(ROOT / "tests" / "messages"))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("root") and not IS_ROOT:
            item.add_marker(pytest.mark.skip(reason="needs root: real uids and chroots"))
        if item.get_closest_marker("namespaces") and not HAS_NAMESPACES:
            item.add_marker(pytest.mark.skip(reason="needs root and mount namespaces"))


def pytest_configure(config):
    config.addinivalue_line("markers", "root: needs root, for real uids and chroots")
    config.addinivalue_line("markers", "namespaces: needs a mount namespace of its own")


RESERVED = collections.deque(maxlen=100)  # sockets of the ports that free_ports returned last


def free_ports(n):
    """Returns n ports that no other test takes, below the range from which the kernel takes the ports of clients.

    Each port stays bound, so that tests that run at the same time do not choose it before its server listens.  The
    socket never listens, and SO_REUSEADDR, set afterwards, lets a server with the same option bind the port, too.
    """
    ports = []
    for _ in range(1000):
        s, port = socket.socket(), random.randrange(10240, 32000)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            s.close()
            continue
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        RESERVED.append(s)
        ports.append(port)
        if len(ports) == n:
            return ports
    raise AssertionError("no ports are free")


def until(condition, seconds=10.0, what="condition"):
    """Waits until condition() is true and returns its value; fails after so many seconds, SLOW times as many."""
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {seconds * SLOW} s")


class Account:
    def __init__(self, name, password, uid, home):
        self.name, self.password, self.uid, self.home = name, password, uid, home
        self.maildir = home / "Maildir"

    def own(self, path):
        if IS_ROOT:
            os.chown(path, self.uid, self.uid)

    def make(self):
        for sub in ("cur", "new", "tmp"):
            (self.maildir / sub).mkdir(parents=True, exist_ok=True)
        for path in (self.home, self.maildir, *(self.maildir / s for s in ("cur", "new", "tmp"))):
            self.own(path)
            path.chmod(0o700)

    def folder(self, name=None):
        """The directory of a folder.  name: as IMAP writes it, "Sub/Folder"; None: INBOX."""
        return self.maildir if name is None else self.maildir / ("." + name.replace("/", "."))

    def make_folder(self, name):
        for sub in ("", "cur", "new", "tmp"):
            (self.folder(name) / sub).mkdir(exist_ok=True)
            self.own(self.folder(name) / sub)

    def deliver(self, content, name=None, sub="new", folder=None):
        """Delivers a message as a delivery agent does: writes to tmp/, then renames to new/.  Returns the file's name."""
        Account.count = getattr(Account, "count", 0) + 1
        name = name or f"{int(time.time())}.M{Account.count:06d}P{os.getpid()}.test"
        if isinstance(content, str):
            content = content.encode()
        tmp = self.folder(folder) / "tmp" / name
        tmp.write_bytes(content)
        self.own(tmp)
        tmp.rename(self.folder(folder) / sub / name)
        return name

    def files(self, folder=None):
        return sorted(p.name for s in ("cur", "new") for p in (self.folder(folder) / s).iterdir())


class Answer:
    """The answer to a command: status ("OK"), the text after it, the untagged lines (bytes, with their literals)."""

    def __init__(self, status, text, untagged):
        self.status, self.text, self.untagged = status, text, untagged
        self.ok, self.no, self.bad = status == "OK", status == "NO", status == "BAD"

    def find(self, pattern):
        """The matches of a regex (bytes) in the untagged lines."""
        return [m for u in self.untagged if (m := re.search(pattern, u, re.S))]

    def __repr__(self):
        return f"{self.status} {self.text} {self.untagged}"


class Talk:
    """IMAP as octets: sends a command and reads its answer.  A literal stays in the line to which it belongs."""

    def __init__(self, sock):
        self.sock, self.file, self.n, self.last = sock, sock.makefile("rb"), 0, None

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """Reads a line with its literals, without its CRLF.  b"" at the end of the connection."""
        whole = b""
        while True:
            line = self.file.readline()
            assert not line or line.endswith(b"\r\n"), line
            m = re.search(rb"\{(\d+)\}\r\n$", line)
            whole += line if m else line[:-2]
            if not m:
                return whole
            whole += self.file.read(int(m[1]))

    def start(self, command):
        """Sends a command and returns its tag."""
        self.n += 1
        tag = b"t%d" % self.n
        self.send(tag + b" " + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        return tag

    def finish(self, tag):
        """Reads until the tagged answer and returns the Answer."""
        untagged = []
        while True:
            line = self.line()
            assert line, f"the connection ended; before: {untagged[-5:]}"
            if line.startswith(tag + b" "):
                status, _, text = line[len(tag) + 1:].partition(b" ")
                self.last = Answer(status.decode(), text.decode("utf-8", "replace"), untagged)
                return self.last
            untagged.append(line)

    def cmd(self, command, *literals):
        """Sends a command, and each literal when the server asks for it: cmd("APPEND x {5}", b"hello")."""
        tag = self.start(command)
        untagged = []
        for literal in literals:
            line = self.line()
            while line.startswith(b"* "):
                untagged.append(line)
                line = self.line()
            if not line.startswith(b"+ "):
                status, _, text = line[len(tag) + 1:].partition(b" ")
                self.last = Answer(status.decode(), text.decode(), untagged)
                return self.last
            self.send(literal if isinstance(literal, bytes) else literal.encode())
            if literal is literals[-1]:
                self.send(b"\r\n")
        answer = self.finish(tag)
        answer.untagged[:0] = untagged
        return answer

    def append(self, mailbox, message, before=""):
        return self.cmd(f"APPEND {mailbox} {before}{{{len(message)}}}", message)

    def close(self):
        self.file.close()
        self.sock.close()


class Captured:
    """A connection to build/captured/sallyport, whose process runs attacks: see tests/captured/captured.h."""

    def __init__(self, sock, file):
        self.sock, self.file, self.dead = sock, file, False

    def run(self, attack):
        """Runs "name arguments", and returns the lines that it says.  dead: the process ended before the attack did."""
        lines = []
        self.sock.sendall(f"CAPTURED {attack}\r\n".encode())
        while True:
            try:
                line = self.file.readline().decode()
            except ConnectionError:
                line = ""
            if line in (".\r\n", ""):
                self.dead = line == ""
                return lines
            lines.append(line.removesuffix("\r\n"))

    def close(self):
        self.file.close()
        self.sock.close()


class Server:
    def __init__(self, directory, settings, users, certificates=None, wrapper=(), captured=False):
        self.dir = directory
        self.program, self.may_be_killed, self.env = PROGRAM, captured, {}
        if captured:
            self.program = BUILD / "captured" / "sallyport"
        self.pop3, self.pop3s, self.imap, self.imaps = free_ports(4)
        self.accounts = {}
        self.process = None
        self.wrapper = list(wrapper)
        self.log_path = directory / "log"
        self.conf = directory / "sallyport.conf"
        self.ca = certificates / "ca.crt"
        self.certificates = directory / "certs"
        shutil.copytree(certificates, self.certificates)
        self.settings = {
            "listen_pop3": f"127.0.0.1:{self.pop3} [::1]:{self.pop3}",
            "listen_pop3s": f"127.0.0.1:{self.pop3s}",
            "listen_imap": f"127.0.0.1:{self.imap} [::1]:{self.imap}",
            "listen_imaps": f"127.0.0.1:{self.imaps}",
            "certificate": f"{self.certificates}/localhost.crt {self.certificates}/localhost.key",
            "accounts": "file",
            "users_file": str(directory / "users"),
            "min_uid": "1",
            "maildir": "~/Maildir",
            "log": "stderr",
            "worker_user": WORKER_USER,
            "key_user": KEY_USER,
            "empty_dir": str(directory / "empty"),
            "failure_delay": "0s",
            **({"memory": "1024M"} if ASAN else {}),
        }
        self.settings.update(settings)
        for i, (name, password) in enumerate(users.items()):
            uid = 61001 + i if IS_ROOT else os.geteuid()
            account = Account(name, password, uid, directory / "home" / name)
            account.make()
            self.accounts[name] = account
        self.write_users()
        self.write_conf()

    def write_users(self):
        lines = []
        for a in self.accounts.values():
            hash_ = subprocess.run(["openssl", "passwd", "-6", "-salt", "testsalt", a.password],
                                   capture_output=True, text=True, check=True).stdout.strip()
            gid = a.uid if IS_ROOT else os.getegid()
            lines.append(f"{a.name}:{{CRYPT}}{hash_}:{a.uid}:{gid}::{a.home}::\n")
        (self.dir / "users").write_text("".join(lines))
        (self.dir / "users").chmod(0o600)

    def write_conf(self):
        lines = []
        for name, value in self.settings.items():
            for v in value if isinstance(value, list) else [value]:
                lines.append(f"{name} = {v}\n")
        self.conf.write_text("".join(lines))

    def start(self):
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen([*self.wrapper, str(self.program), "run", "-c", str(self.conf)],
                                        stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=self.log_file,
                                        env={**os.environ, **self.env})
        until(lambda: " master ready" in self.log() or self.process.poll() is not None, 20, "server start")
        assert self.process.poll() is None, self.log()
        until(lambda: self.reachable(), 10, "listening")
        until(lambda: not self.passing(), 10, "the probe's worker is gone")
        return self

    def reachable(self):
        try:
            socket.create_connection(("127.0.0.1", self.pop3), 2).close()
            return True
        except OSError:
            return False

    def stop(self, sig=signal.SIGTERM, seconds=20):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process = None
        return status

    def settle_log(self):
        """Waits until the log process sleeps: then it has written all lines that were sent before this call."""
        if self.process is None or self.process.poll() is not None:
            return
        try:
            for pid in pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
                if pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sallyport: log\0"):
                    for _ in range(200):
                        if pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "R":
                            return
                        time.sleep(0.01)
        except (OSError, IndexError, ValueError):
            return  # a process ended meanwhile

    def log(self):
        self.settle_log()
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, pattern, seconds=10):
        try:
            return until(lambda: re.search(pattern, self.log()), seconds)
        except AssertionError:
            raise AssertionError(f"no log line {pattern!r} in {seconds} s:\n{self.log()[-3000:]}") from None

    @property
    def pid(self):
        """The pid of master."""
        if not self.wrapper:
            return self.process.pid
        return int(subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True,
                                  text=True).stdout.split()[0])

    def passing(self):
        """The titles of processes that come with connections and go with them."""
        stay = ("key", "outer spawner", "inner spawner", "log")
        return [title for _, title in self.children().values() if title.removeprefix("sallyport: ") not in stay]

    def children(self):
        """pid -> (uid, title) of all descendants of master."""
        out = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,uid=,args="], capture_output=True, text=True).stdout
        rows = [line.split(None, 3) for line in out.splitlines()]
        parents, found = {str(self.pid)}, {}
        # By generations: after numbers have begun again at the lowest, a child's can be below its parent's.
        while parents:
            children = [row for row in rows if row[1] in parents]
            found.update({int(pid): (int(uid), args) for pid, _, uid, args in children})
            parents = {pid for pid, *_ in children}
        return found

    def context(self, **kw):
        context = ssl.create_default_context(cafile=str(self.ca))
        for k, v in kw.items():
            setattr(context, k, v)
        return context

    def clear(self, timeout=20):
        return poplib.POP3("localhost", self.pop3, timeout=timeout)

    def pops(self, timeout=20, context=None):
        return poplib.POP3_SSL("localhost", self.pop3s, timeout=timeout, context=context or self.context())

    def login(self, name="anna", timeout=20):
        p = self.pops(timeout)
        p.user(name)
        p.pass_(self.accounts[name].password)
        return p

    def imap_clear(self, timeout=20):
        return imaplib.IMAP4("localhost", self.imap, timeout)

    def imap_tls(self, timeout=20, context=None):
        return imaplib.IMAP4_SSL("localhost", self.imaps, ssl_context=context or self.context(), timeout=timeout)

    def imap_login(self, name="anna", tls=True, timeout=20):
        """Returns an imaplib session, logged in over the TLS port or by STARTTLS."""
        i = self.imap_tls(timeout) if tls else self.imap_clear(timeout)
        if not tls:
            i.starttls(self.context())
        i.login(name, self.accounts[name].password)
        return i

    def imap_talk(self, name="anna", tls=True, timeout=20):
        """Returns a Talk, logged in; with name None only the greeting is read."""
        s = socket.create_connection(("127.0.0.1", self.imaps if tls else self.imap), timeout)
        if tls:
            s = self.context().wrap_socket(s, server_hostname="localhost")
        talk = Talk(s)
        talk.greeting = talk.line()
        if name is not None:
            assert talk.cmd(f"LOGIN {name} {self.accounts[name].password}").ok, talk.last
        return talk

    def raw(self, tls=False, timeout=20):
        """Returns a POP3 socket and a file to read its lines from; the greeting is read."""
        s = socket.create_connection(("127.0.0.1", self.pop3s if tls else self.pop3), timeout)
        if tls:
            s = self.context().wrap_socket(s, server_hostname="localhost")
        f = s.makefile("rb")
        assert f.readline().startswith(b"+OK"), "greeting"
        return s, f

    def capture(self, name=None, tls=False, timeout=20):
        """Returns a Captured: the worker of a new connection, or with a name the reader of that user's session."""
        captured = Captured(*self.raw(tls, timeout))
        if name is not None:
            for line in (f"USER {name}", f"PASS {self.accounts[name].password}"):
                captured.sock.sendall(line.encode() + b"\r\n")
                answer = captured.file.readline()
                assert answer.startswith(b"+OK"), answer
        return captured


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    d = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-certs."))
    d.chmod(0o755)
    subprocess.run([PROGRAM, "cert", "ca"], cwd=d, check=True, capture_output=True)
    subprocess.run([PROGRAM, "cert", "server", "localhost", "127.0.0.1", "::1"], cwd=d, check=True,
                   capture_output=True)
    yield d
    shutil.rmtree(d)


@pytest.fixture
def serve(certificates):
    servers, directories = [], []

    def factory(settings=None, users=None, start=True, wrapper=(), captured=False, landlock=True):
        # pytest's tmp_path is closed to other users, and the mail users must get in.
        d = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test."))
        d.chmod(0o755)
        directories.append(d)
        (d / "home").mkdir()
        s = Server(d, settings or {}, users or {"anna": "sesame", "ben": "tortoise"}, certificates, wrapper,
                   captured)
        if not landlock:
            s.env["SALLYPORT_WITHOUT_LANDLOCK"] = "1"
        servers.append(s)
        return s.start() if start else s

    yield factory
    try:
        for s in servers:
            s.stop()
            log = s.log()
            assert "Sanitizer" not in log and "runtime error" not in log, log[-6000:]
            assert s.may_be_killed or "forbidden system call" not in log, log[-3000:]
    finally:
        for d in directories:
            shutil.rmtree(d, ignore_errors=True)


@pytest.fixture
def server(serve):
    return serve()
