"""servers.py: the servers of the benchmark, and the CPU time and memory that they use.

Each server's processes are in a control group of their own.  So its CPU time is exact, and includes processes that
started and ended meanwhile.  The Maildirs of all servers are hard links to one copy of the messages: no server writes to
a message, and the page cache treats all servers alike.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
IS_ROOT = os.geteuid() == 0
UID = 61001 if IS_ROOT else os.geteuid()
GID = 61001 if IS_ROOT else os.getegid()
PASSWORD = "sesame"
TICK = os.sysconf("SC_CLK_TCK")
STILL, STILL_TIMEOUT = 0.06, 30.0  # s: a server that used no CPU time for so long is at rest; the longest wait for that


class Misbehaved(Exception):
    """A server gave a wrong answer or none."""


class Lacks(Exception):
    """A server cannot do what a row asks for."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cgroup:
    """A control group, of version 1 (cpuacct) or 2, below the group of this process."""

    def __init__(self, name):
        self.path = None
        lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        ours = [line.split(":", 2) for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
        for kind in ("cpuacct", "cgroup2"):
            for words in (line.split() for line in lines):
                at = words.index("-")
                if words[at + 1] != "cgroup2" if kind == "cgroup2" else "cpuacct" not in words[at + 3].split(","):
                    continue
                below = [w[2] for w in ours if kind in w[1].split(",") or kind == "cgroup2" and not w[1]]
                root = pathlib.Path(words[4])
                parent = root / below[0].lstrip("/") if below else root
                self.usage_name = "cpu.stat" if kind == "cgroup2" else "cpuacct.usage"
                self.path = (parent if parent.is_dir() else root) / f"sallyport-bench.{os.getpid()}.{name}"
                try:
                    self.path.mkdir()
                    self.usage()
                    return
                except OSError:
                    self.path = None
        raise Misbehaved("no control group can be made: no cgroup2 or cpuacct hierarchy is writable")

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def usage(self):
        """Seconds of CPU time."""
        text = (self.path / self.usage_name).read_text().split()
        return int(text[1]) / 1e6 if self.usage_name == "cpu.stat" else int(text[0]) / 1e9

    def pids(self):
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]

    def remove(self):
        for _ in range(100):
            try:
                return self.path.rmdir()
            except OSError:  # the last process is still ending
                time.sleep(0.05)


class Tree:
    """A process and all its descendants, for users who cannot make a control group.  The time of a process that has
    ended is in the figures of the process that reaped it, in ticks of the clock."""

    root = None

    def enter(self):
        pass

    def processes(self):
        stats = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                stats[int(pid)] = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            except OSError:
                pass  # has ended
        mine, left = {self.root}, True
        while left:
            left = [pid for pid, s in stats.items() if int(s[1]) in mine and pid not in mine]
            mine.update(left)
        return {pid: stats[pid] for pid in mine if pid in stats}

    def usage(self):
        total = 0.0
        for pid, s in self.processes().items():
            total += (int(s[13]) + int(s[14])) / TICK  # reaped children
            try:
                total += int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
            except OSError:
                total += (int(s[11]) + int(s[12])) / TICK
        return total

    def pids(self):
        return list(self.processes())

    def remove(self):
        pass


class Client:
    """The C client as a process: say("command ...") gives its figures."""

    def __init__(self, program, what):
        self.what = what
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().strip()
        if not line.startswith("ok"):
            raise Misbehaved(f"{self.what}: {' '.join(map(str, words))[:80]}: {line[4:] or 'the client has ended'}")
        return {name: int(value) for name, value in (word.split("=") for word in line.split()[1:])}

    def cpu(self):
        """Seconds of CPU time that it has used."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Watch:
    """The CPU time of the server and of its client during `with`, until the server is at rest again."""

    def __init__(self, server):
        self.server, self.cpu, self.client = server, 0.0, 0.0

    def __enter__(self):
        self.server.settle()
        self.cpu, self.client = -self.server.cgroup.usage(), -self.server.talker.cpu()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.server.settle()
            self.cpu += self.server.cgroup.usage()
            self.client += self.server.talker.cpu()


class Server:
    """One server with its homes.  bench: what all servers share (directory, programs, certificate, users)."""

    prefix = ""  # of folders' names beside INBOX
    protocols = "imap", "pop3"

    def __init__(self, name, bench):
        self.name, self.bench = name, bench
        self.port = {kind: free_port() for kind in ("imap", "imaps", "pop3", "pop3s")}
        self.cgroup = Cgroup(name) if IS_ROOT else Tree()
        self.process = self.talker = None
        self.filled = {}  # user: what is there
        self.log = bench.dir / f"{name}.log"

    def start(self):
        with open(self.log, "wb") as log:
            # The server ends with the benchmark, in whatever way that ends.
            command = ["setpriv", "--pdeathsig", "KILL", *self.command()]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=self.cgroup.enter, env={**os.environ, **self.environment()})
        self.cgroup.root = self.process.pid
        end = time.monotonic() + 30
        for kind in [k for k in self.port if k.rstrip("s") in self.protocols]:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", self.port[kind]), 5).close()
                    break
                except OSError as e:
                    if time.monotonic() > end or self.process.poll() is not None:
                        raise Misbehaved(f"{self.name} does not start: {kind}: {e}\n{self.last_words()}") from None
                    time.sleep(0.1)
        time.sleep(0.5)
        self.settle()

    def stop(self):
        if self.talker:
            self.talker.end()
        if self.process:
            self.end_process()
            self.process.wait()
        self.cgroup.remove()

    def last_words(self):
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def settle(self):
        """Waits until no CPU time is used any more."""
        last, since, end = -1.0, 0.0, time.monotonic() + STILL_TIMEOUT
        while time.monotonic() < end:
            now = self.cgroup.usage()
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > STILL:
                return
            time.sleep(0.01)
        raise Misbehaved(f"{self.name} does not come to rest")

    def private(self):
        """The KiB that no other process shares, summed over all processes, and the number of processes."""
        total, pids = 0, self.cgroup.pids()
        for pid in pids:
            try:
                for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith(("Private_Clean:", "Private_Dirty:")):
                        total += int(line.split()[1])
            except OSError:
                pass  # has just ended, or is a zombie
        return total, len(pids)

    def cipher(self):
        """The TLS version and cipher that the server chooses with OpenSSL."""
        port = self.port["pop3s"]
        out = subprocess.run(["openssl", "s_client", "-brief", "-connect", f"127.0.0.1:{port}"], input="QUIT\r\n",
                             capture_output=True, text=True, timeout=20).stderr
        found = dict(line.split(": ", 1) for line in out.splitlines() if ": " in line)
        return f"{found.get('Protocol version', '?')} {found.get('Ciphersuite', '?')}"

    # --- its client ---

    def client(self, protocol, mode, user):
        """Sends the client to this port and user and returns its say().  After an error the client is a new process."""
        if self.talker is None or self.talker.process.poll() is not None:
            if self.talker:
                self.talker.end()
            self.talker = Client(self.bench.build / "bench/client", self.name)
        port = self.port[protocol if mode == "plain" else protocol + "s"]
        self.talker.say("target", port, mode, user, PASSWORD)
        return self.talker.say

    def forget_client(self):
        if self.talker:
            self.talker.process.kill()

    # --- its mail ---

    def maildir(self, user):
        return self.home / user / "Maildir"

    def fill(self, user, count, folders=(), fresh=False):
        """Makes the user's Maildir with so many messages, in INBOX or in each of the folders, and nothing else."""
        if not fresh and self.filled.get(user) == (count, folders):
            return
        home = self.home / user
        shutil.rmtree(home, ignore_errors=True)
        root = home / "Maildir"
        for folder in ("", *folders):
            for sub in ("new", "tmp") if folder or not folders else ("cur", "new", "tmp"):
                (root / folder / sub).mkdir(parents=True)
            if folder or not folders:
                self.bench.copy(count, root / folder)
        for path in (home, *(p for p in home.rglob("*") if p.is_dir())):
            path.chmod(0o700)
            if IS_ROOT:
                os.chown(path, UID, GID)
        self.filled[user] = count, folders

    def changed(self, user):
        """Makes the next fill() start from nothing."""
        self.filled.pop(user, None)

    def forget(self, user):
        """Removes what a server keeps beside the mail: UIDs, sizes, caches."""
        for path in self.maildir(user).iterdir():
            if path.is_file():
                path.unlink()

    def deliver(self, user, n):
        """Delivers a message as a delivery agent does.  Returns the time just before the rename into new/, in ns."""
        root, name = self.maildir(user), f"{1800000000 + n}.V801I{n:x}M{n:06}.bench"
        path = root / "tmp" / name
        path.write_bytes(b"From: a@example.org\nSubject: delivered\n\n" + b"The quick brown fox.\n" * 100)
        if IS_ROOT:
            os.chown(path, UID, GID)
        before = time.monotonic_ns()
        path.rename(root / "new" / name)
        return before


class Sallyport(Server):
    def __init__(self, bench):
        super().__init__("sallyport", bench)
        self.home = bench.dir / "own/home"
        shutil.rmtree(bench.dir / "own", ignore_errors=True)
        self.home.mkdir(parents=True)
        own = bench.dir / "own"
        users = own / "users"
        users.touch(0o600)
        users.write_text("".join(f"{u}:{{CRYPT}}{bench.hash}:{UID}:{GID}::{self.home}/{u}::\n" for u in bench.users))
        self.conf = own / "sallyport.conf"
        self.conf.write_text("".join(f"listen_{k} = 127.0.0.1:{p}\n" for k, p in self.port.items()) + f"""
certificate = {bench.cert} {bench.key}
login_in_clear = loopback
accounts = file
users_file = {users}
min_uid = 1
maildir = ~/Maildir
mark_seen = no
log = stderr
worker_user = nobody
key_user = daemon
empty_dir = {own}/empty
max_connections = 4000
max_per_address = 4000
max_before_login = 1000
max_per_user = 4000
""")

    @contextlib.contextmanager
    def one_connection(self):
        """An address may have one connection, and 127.0.0.1 has it, to the port that this gives."""
        before = self.conf.read_text()
        self.reload(re.sub("max_per_address = .*", "max_per_address = 1", before))
        try:
            with socket.create_connection(("127.0.0.1", self.port["pop3"]), 5) as s:
                s.recv(4096)
                yield self.port["pop3"]
        finally:
            self.reload(before)

    def reload(self, conf):
        self.conf.write_text(conf)
        count = self.log.read_text().count("master configuration ")
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10
        while self.log.read_text().count("master configuration ") == count:
            if time.monotonic() > end:
                raise Misbehaved(f"sallyport does not load its configuration\n{self.last_words()}")
            time.sleep(0.05)
        self.settle()

    def environment(self):
        return {}

    def command(self):
        return [self.bench.build / "sallyport", "run", "-c", self.conf]

    def end_process(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def version(self):
        return subprocess.run([self.bench.build / "sallyport", "version"], capture_output=True, text=True,
                              check=True).stdout.strip().replace("\n", ", ")


class Peer(Server):
    def __init__(self, name, bench):
        super().__init__(name, bench)
        self.root = bench.dir / name
        self.home = self.root / "home"
        self.package = {"courier": "courier-imap", "solid": "solid-pop3d"}.get(name, "dovecot-imapd")
        self.prefix = "INBOX." if name == "courier" else ""
        if name == "solid":
            self.protocols = ("pop3",)
        for user in bench.users:
            shutil.rmtree(self.home / user, ignore_errors=True)

    def environment(self):
        b = self.bench
        return {"BENCH_DIR": str(b.dir), "BENCH_CERT": str(b.cert), "BENCH_KEY": str(b.key), "BENCH_HASH": b.hash,
                "BENCH_USERS": " ".join(b.users), "BENCH_UID": str(UID)}

    def command(self):
        return [HERE / "peers.sh", "run", self.name, *(str(p) for p in self.port.values())]

    def end_process(self):
        self.process.kill()  # and with it all processes of its namespace, see peers.sh

    def last_words(self):
        logs = [self.root / "var/log/dovecot.log", self.root / "var/log/stunnel.log"]
        return super().last_words() + "".join(p.read_text(errors="replace")[-1500:] for p in logs if p.exists())

    def version(self):
        return subprocess.run(["chroot", self.root, "dpkg-query", "-W", "-f", "${Package} ${Version}", self.package],
                              capture_output=True, text=True, check=True).stdout


class Bench:
    """What all servers share: folder, programs, certificate, users, messages."""

    def __init__(self, directory, build, users):
        self.dir, self.build, self.users = directory, build, users
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        self.maker = hashlib.sha256((HERE / "mail.c").read_bytes()).hexdigest()
        self.hash = subprocess.run(["openssl", "passwd", "-6", "-salt", "rounds=1000$benchsalt", PASSWORD],
                                   capture_output=True, text=True, check=True).stdout.strip()
        certificates = directory / "certificates"
        shutil.rmtree(certificates, ignore_errors=True)
        certificates.mkdir()
        for words in (["ca"], ["server", "localhost", "127.0.0.1"]):
            subprocess.run([build / "sallyport", "cert", *words], cwd=certificates, check=True, capture_output=True)
        self.cert, self.key = certificates / "localhost.crt", certificates / "localhost.key"

    def mail(self, count):
        """The folder with the one copy of so many messages, which is kept between runs, and their octets on the wire."""
        path = self.dir / f"mail/{count}"
        program = self.build / "bench/mail"
        made_by = path / "made-by"
        if not made_by.exists() or made_by.read_text().split()[0] != self.maker:
            print(f"making {count:,} messages", file=sys.stderr, flush=True)
            shutil.rmtree(path, ignore_errors=True)
            (path / "cur").mkdir(parents=True)
            octets = subprocess.run([program, path, str(count)], capture_output=True, text=True, check=True).stdout
            if IS_ROOT:
                subprocess.run(["chown", "-R", f"{UID}:{GID}", path / "cur"], check=True)
            made_by.write_text(f"{self.maker} {octets.strip()}\n")
        return path, int(made_by.read_text().split()[1])

    def octets(self, count):
        return self.mail(count)[1]

    def copy(self, count, target):
        subprocess.run(["cp", "-al", self.mail(count)[0] / "cur", target], check=True)
