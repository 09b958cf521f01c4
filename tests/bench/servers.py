"""servers.py: the servers of the benchmark, sallyport and Dovecot, set up alike: certificate, users, log
file, mail in a folder of their own, two ports of loopback with POP3 and IMAP over TLS.

Dovecot's processes are as Debian configures them: every connection has a login process of its own and a
mail process of its own, which end with it.  shared=True is what its manual calls the high-performance
mode: login processes serve many connections, mail processes one after the other.
"""

import base64
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

from client import Imap, Misbehaved, Pop3

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


def letter(i, size):
    """The same with what a mail program makes of it: an encoded subject, text, HTML, an attachment."""
    subject = base64.b64encode(f"Grüße, die Nummer {i}".encode()).decode()
    text = b"Viele Gr=C3=BC=C3=9Fe von Nummer %d=\r\n!\r\n" % i + LINE * 3
    file = base64.encodebytes(LINE * ((size - 1400) * 3 // 4 // len(LINE))).replace(b"\n", b"\r\n")
    return (f"Return-Path: <sender{i % 97}@example.org>\r\nReceived: from mx.example.org by mail.example.net;"
            f" Thu, 1 Jan 2026 12:00:00 +0000\r\nFrom: =?utf-8?Q?J=C3=B6rg?= <sender{i % 97}@example.org>\r\n"
            f"To: bench@example.net, \"A. Nother\" <another@example.net>\r\n"
            f"Cc: Third Party <third{i % 13}@example.com>\r\nSubject: =?utf-8?B?{subject}?= =?utf-8?Q?_no{i}?=\r\n"
            f"Message-ID: <{i}@example.org>\r\nIn-Reply-To: <{i // 2}@example.org>\r\n"
            f"Date: Thu, 1 Jan 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: multipart/mixed; boundary=\"mixed{i}\"\r\n\r\n--mixed{i}\r\n"
            f"Content-Type: multipart/alternative; boundary=alternative{i}\r\n\r\n--alternative{i}\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            ).encode() + text + (
            f"--alternative{i}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Nummer {i}</p>\r\n"
            f"--alternative{i}--\r\n--mixed{i}\r\nContent-Type: application/pdf; name=\"{i}.pdf\"\r\n"
            f"Content-Disposition: attachment; filename=\"{i}.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            ).encode() + file + f"--mixed{i}--\r\n".encode()


@contextlib.contextmanager
def as_user():
    os.setegid(GID), os.seteuid(UID)
    try:
        yield
    finally:
        os.seteuid(os.getuid()), os.setegid(os.getgid())


def write(path, octets):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, octets.replace(b"\r\n", b"\n"))
    os.close(fd)


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
        self.port = {"pop3": free_port(), "imap": free_port()}
        self.filled = {}  # user: what fill() was asked for last
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

    def fill(self, user, count, size, sub="cur", make=message, flags="", folders=()):
        """A Maildir with nothing but so many messages, their names like Postfix's; in INBOX or in each folder."""
        self.filled[user] = count, size, sub, make, flags, folders
        home = self.dir / "home" / user
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        if IS_ROOT:
            os.chown(home, UID, GID)
        info = ":2," + flags if sub == "cur" else ""
        with as_user():
            for folder in ("", *folders):
                for s in ("cur", "new", "tmp"):
                    (home / "Maildir" / folder / s).mkdir(mode=0o700, parents=True)
            for folder in folders or ("",):
                for i in range(count):
                    name = f"{1700000000 + i}.V801I{i:x}M{i * 7919 % 1000000:06}.bench{info}"
                    write(f"{home}/Maildir/{folder}/{sub}/{name}", make(i, size))

    def deliver(self, user, n, size):
        """Message n as a delivery agent does it; the time at which it is there."""
        maildir = self.dir / "home" / user / "Maildir"
        name = f"{1800000000 + n}.V801I{n:x}M{n:06}.bench"
        with as_user():
            write(maildir / "tmp" / name, message(n, size))
            before = time.perf_counter()
            (maildir / "tmp" / name).rename(maildir / "new" / name)
        return before

    def forget(self, user):
        """Removes what a server keeps beside the mail: UIDs, sizes, caches."""
        for path in (self.dir / "home" / user / "Maildir").iterdir():
            if path.is_file():
                path.unlink()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while True:
            try:
                for session in (Pop3, Imap):
                    if self.serves(session):
                        session(self).tls.close()
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

    def serves(self, session):
        return True

    def login(self, session, user, resume=None):
        return session(self, resume).login(user, self.password)

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
listen_pop3s = 127.0.0.1:{self.port["pop3"]}
listen_imap = off
listen_imaps = 127.0.0.1:{self.port["imap"]}
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
max_per_user = 1000
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

    def serves(self, session):
        return os.access(f"/usr/lib/dovecot/{session.protocol}", os.X_OK)

    def __init__(self, shared, *args):
        super().__init__(*args)
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(self.settings(shared))

    def settings(self, shared):
        new = tuple(int(n) for n in self.version().split()[0].split(".")[:2]) >= (2, 4)
        serves = "restart_request_count" if new else "service_count"
        login = f"{serves} = {'unlimited' if new else 0}\n  process_min_avail = 2" if shared else f"{serves} = 1"
        mail = f"{serves} = {100 if shared else 1}"
        protocols = [s.protocol for s in (Pop3, Imap) if self.serves(s)]
        return ("""
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
""" if new else "") + f"""
protocols = {' '.join(protocols)}
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
""") + "".join(f"""
service {protocol}-login {{
  {login}
  inet_listener {protocol} {{
    port = 0
  }}
  inet_listener {protocol}s {{
    port = {self.port[protocol]}
    ssl = yes
  }}
}}
service {protocol} {{
  {mail}
}}
protocol {protocol} {{
  mail_max_userip_connections = 1000
}}
""" for protocol in protocols)

    def command(self):
        # The auth process must be able to read the users, and is not root.
        shutil.chown(self.users_file, "dovecot")
        return [self.PROGRAM, "-F", "-c", str(self.conf)]

    def version(self):
        return subprocess.run([self.PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout.strip()
