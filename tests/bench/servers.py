"""servers.py: the servers of the benchmark, sallyport and Dovecot, set up alike: certificate, users, log
file, mail in a folder of their own, one port of loopback with POP3 over TLS.

Dovecot's processes are as Debian configures them: every connection has a login process of its own and a
mail process of its own, which end with it.  shared=True is what its manual calls the high-performance
mode: login processes serve many connections, mail processes one after the other.
"""

import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

from client import Misbehaved, Session

IS_ROOT = os.geteuid() == 0
UID = 61001 if IS_ROOT else os.geteuid()
GID = 61001 if IS_ROOT else os.getegid()
TICK = os.sysconf("SC_CLK_TCK")
LINE = b"The quick brown fox jumps over the lazy dog and runs home, as always.\r\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def message(i, size):
    """Message i of a mailbox as it goes over the wire, of about so many octets."""
    head = (f"Return-Path: <sender{i % 97}@example.org>\r\nReceived: from mx.example.org by mail.example.net;"
            f" Thu, 1 Jan 2026 12:00:00 +0000\r\nFrom: Sender <sender{i % 97}@example.org>\r\n"
            f"To: bench@example.net\r\nSubject: message {i}\r\nMessage-ID: <{i}@example.org>\r\n"
            f"Date: Thu, 1 Jan 2026 12:00:00 +0000\r\n\r\n").encode()
    return head + LINE * ((size - len(head)) // len(LINE))


class Watch:
    """Wall time of what is done inside `with`, and the CPU time of all of the server's processes."""

    def __init__(self, server):
        self.server, self.wall, self.cpu = server, 0.0, 0.0

    def __enter__(self):
        self.server.settle()
        self.cpu_before, self.before = self.server.cpu(), time.perf_counter()
        return self

    def __exit__(self, *_):
        self.wall += time.perf_counter() - self.before
        self.server.settle()
        self.cpu += self.server.cpu() - self.cpu_before


class Server:
    name = "?"

    def __init__(self, directory, certificates, users, password):
        self.dir = directory
        self.dir.mkdir()
        self.dir.chmod(0o755)
        self.certificate, self.key = certificates / "localhost.crt", certificates / "localhost.key"
        self.port = free_port()
        self.password = password
        self.users_file = directory / "users"
        self.log_path = directory / "log"
        self.process = None
        self.context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
        # The fewest rounds: what crypt(3) costs is the same for both, and not what is measured.
        hashed = subprocess.run(["openssl", "passwd", "-6", "-salt", "rounds=1000$benchsalt", password],
                                capture_output=True, text=True, check=True).stdout.strip()
        self.users_file.touch(0o600)
        self.users_file.write_text("".join(
            f"{u}:{{CRYPT}}{hashed}:{UID}:{GID}::{directory}/home/{u}::\n" for u in users))
        (directory / "home").mkdir()
        for user in users:
            self.fill(user, 0, 0)

    def fill(self, user, count, size, sub="cur"):
        """A Maildir with nothing but so many messages, their names like Postfix's."""
        home = self.dir / "home" / user
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        if IS_ROOT:
            os.chown(home, UID, GID)
        os.setegid(GID), os.seteuid(UID)
        try:
            for s in ("cur", "new", "tmp"):
                (home / "Maildir" / s).mkdir(mode=0o700, parents=True)
            info = ":2," if sub == "cur" else ""
            for i in range(count):
                path = f"{home}/Maildir/{sub}/{1700000000 + i}.V801I{i:x}M{i * 7919 % 1000000:06}.bench{info}"
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                os.write(fd, message(i, size).replace(b"\r\n", b"\n"))
                os.close(fd)
        finally:
            os.seteuid(os.getuid()), os.setegid(os.getgid())

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while True:
            try:
                Session(self).tls.close()
                break
            except (OSError, Misbehaved) as e:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise Misbehaved(f"{self.name} does not start: {e}\n{self.log()}") from None
                time.sleep(0.05)
        self.settle()

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Misbehaved(f"{self.name} does not end") from None
        finally:
            self.process = None

    def log(self):
        return self.log_path.read_text(errors="replace")[-3000:] if self.log_path.exists() else ""

    def login(self, user, resume=None):
        return Session(self, resume).login(user, self.password)

    def processes(self):
        """pid -> fields of /proc/PID/stat behind the name, of master and all that descends from it."""
        stats = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                stats[int(pid)] = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            except OSError:
                pass  # has ended
        mine, left = {self.process.pid}, True
        while left:
            left = [pid for pid, s in stats.items() if int(s[1]) in mine and pid not in mine]
            mine.update(left)
        return {pid: stats[pid] for pid in mine if pid in stats}

    def settle(self):
        """Waits until no process comes, goes or runs any more."""
        last, since, end = None, 0.0, time.monotonic() + 20
        while time.monotonic() < end:
            now = {pid: s[0] for pid, s in self.processes().items()}
            if now != last or "R" in now.values() or "Z" in now.values() or "D" in now.values():
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 0.15:
                return
            time.sleep(0.02)
        raise Misbehaved(f"{self.name} does not come to rest: {last}")

    def cpu(self):
        """Seconds of CPU, user and system, of the processes that are and of those that they reaped."""
        total = 0.0
        for pid, s in self.processes().items():
            total += (int(s[13]) + int(s[14])) / TICK  # reaped children
            try:
                total += int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
            except OSError:
                total += (int(s[11]) + int(s[12])) / TICK
        return total

    def memory(self):
        """KiB, by kind, of all processes, from smaps_rollup."""
        total = {}
        for pid in self.processes():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                kind, value = line.split()[:2]
                total[kind.rstrip(":")] = total.get(kind.rstrip(":"), 0) + int(value)
        return total


class Sallyport(Server):
    name = "sallyport"

    def __init__(self, program, *args):
        super().__init__(*args)
        self.program = program
        self.conf = self.dir / "sallyport.conf"
        self.conf.write_text(f"""
listen_pop3 = off
listen_pop3s = 127.0.0.1:{self.port}
certificate = {self.certificate} {self.key}
accounts = file
users_file = {self.users_file}
min_uid = 1
maildir = ~/Maildir
log = stderr
worker_user = nobody
key_user = daemon
empty_dir = {self.dir}/empty
max_per_address = 1000
max_before_login = 1000
""")

    def command(self):
        return [self.program, "run", "-c", self.conf]

    def version(self):
        return " / ".join(subprocess.run([self.program, "version"], capture_output=True, text=True,
                                         check=True).stdout.split("\n")).strip(" /")


class Dovecot(Server):
    name = "Dovecot"
    PROGRAM = "/usr/sbin/dovecot"

    @classmethod
    def installed(cls):
        return os.access(cls.PROGRAM, os.X_OK) and os.access("/usr/lib/dovecot/pop3", os.X_OK)

    def __init__(self, shared, *args):
        super().__init__(*args)
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(self.settings(shared))

    def settings(self, shared):
        new = tuple(int(n) for n in self.version().split()[0].split(".")[:2]) >= (2, 4)
        serves = "restart_request_count" if new else "service_count"
        login = f"{serves} = {'unlimited' if new else 0}\n  process_min_avail = 2" if shared else f"{serves} = 1"
        mail = f"{serves} = {100 if shared else 1}"
        return ("""
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
""" if new else "") + f"""
protocols = pop3
base_dir = {self.dir}/run
log_path = {self.log_path}
listen = 127.0.0.1
ssl = required
""" + (f"""
ssl_server_cert_file = {self.certificate}
ssl_server_key_file = {self.key}
mail_driver = maildir
mail_path = ~/Maildir
passdb passwd-file {{
  passwd_file_path = {self.users_file}
}}
userdb passwd-file {{
  passwd_file_path = {self.users_file}
}}
""" if new else f"""
state_dir = {self.dir}/run
ssl_cert = <{self.certificate}
ssl_key = <{self.key}
mail_location = maildir:~/Maildir
passdb {{
  driver = passwd-file
  args = {self.users_file}
}}
userdb {{
  driver = passwd-file
  args = {self.users_file}
}}
""") + f"""
service pop3-login {{
  {login}
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {self.port}
    ssl = yes
  }}
}}
service pop3 {{
  {mail}
}}
protocol pop3 {{
  mail_max_userip_connections = 1000
}}
"""

    def command(self):
        # The auth process must be able to read the users, and is not root.
        shutil.chown(self.users_file, "dovecot")
        return [self.PROGRAM, "-F", "-c", str(self.conf)]

    def version(self):
        return subprocess.run([self.PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.strip()
