"""A real Postfix delivers to the Maildirs by virtual(8), between POP3 sessions and during them.

It has its own configuration, queue and log in a temporary folder and listens on loopback only.  The test does not touch a
Postfix of the system.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile
import threading
import time

import pytest

import wire
from conftest import free_ports, until

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("postfix") is None, reason="needs postfix: see etc/need.sh"),
]

DOMAIN = "example.test"

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """\
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
daemon_directory = {daemon_directory}
command_directory = {command_directory}
meta_directory = {meta_directory}
shlib_directory = {shlib_directory}
maillog_file = {d}/log
maillog_file_prefixes = {d}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.{domain}
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
local_header_rewrite_clients =
biff = no
message_size_limit = 20000000
virtual_mailbox_limit = 0
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {homes}
virtual_mailbox_maps = texthash:{d}/mailboxes
virtual_uid_maps = texthash:{d}/uids
virtual_gid_maps = texthash:{d}/uids
virtual_minimum_uid = 1000
"""


class Postfix:
    def __init__(self, server):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-postfix."))
        self.dir.chmod(0o755)
        self.port, = free_ports(1)
        (self.dir / "queue").mkdir()
        (self.dir / "data").mkdir()
        shutil.chown(self.dir / "data", "postfix")
        # where this system has its parts, as compiled in
        parts = {name: subprocess.run(["postconf", "-d", "-h", name], capture_output=True, text=True,
                                      check=True).stdout.strip()
                 for name in ("daemon_directory", "command_directory", "meta_directory", "shlib_directory")}
        (self.dir / "master.cf").write_text(MASTER.format(port=self.port))
        (self.dir / "main.cf").write_text(MAIN.format(d=self.dir, homes=server.dir / "home", domain=DOMAIN, **parts))
        accounts = server.accounts.values()
        (self.dir / "mailboxes").write_text("".join(f"{a.name}@{DOMAIN} {a.name}/Maildir/\n" for a in accounts))
        (self.dir / "uids").write_text("".join(f"{a.name}@{DOMAIN} {a.uid}\n" for a in accounts))

    def start(self):
        started = subprocess.run(["postfix", "-c", self.dir, "start"], capture_output=True, text=True, timeout=60)
        assert started.returncode == 0, started.stdout + started.stderr + self.log()
        until(self.answers, 20, "Postfix")
        return self

    def answers(self):
        try:
            self.connect().quit()
            return True
        except OSError:
            return False

    def connect(self):
        return smtplib.SMTP("127.0.0.1", self.port, timeout=20)

    def log(self):
        path = self.dir / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def processes(self):
        """Those that work in this queue."""
        found = []
        for p in pathlib.Path("/proc").iterdir():
            try:
                if p.name.isdigit() and os.readlink(p / "cwd").startswith(str(self.dir / "queue")):
                    found.append(int(p.name))
            except OSError:
                pass
        return found

    def stop(self):
        try:
            os.kill(int((self.dir / "queue" / "pid" / "master.pid").read_text()), signal.SIGTERM)
            until(lambda: not self.processes(), 10, "the end of Postfix")
        except (OSError, AssertionError):
            for pid in self.processes():
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.dir)

    def send(self, name, *contents, smtp=None):
        """Hands in all of contents for one account; Postfix has then promised to deliver them."""
        s = smtp or self.connect()
        for content in contents:
            s.sendmail("bert@elsewhere.test", [f"{name}@{DOMAIN}"], content, mail_options=["BODY=8BITMIME"])
        if smtp is None:
            s.quit()


@pytest.fixture
def postfix(server):
    p = Postfix(server)
    try:
        yield p.start()
    finally:
        p.stop()


TRACE = ("return-path", "x-original-to", "delivered-to", "received")


def without_trace(content):
    """What was sent: the trace fields are on top, and nothing else is new."""
    fields = re.match(rb"(?:[!-9;-~]+:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*)*", content).group()
    names = [f.split(b":")[0].decode().lower() for f in re.split(rb"\r\n(?![ \t])", fields)[:-1]]
    trace = 0
    while trace < len(names) and names[trace] in TRACE:
        trace += 1
    assert trace == len(TRACE) == len(set(names[:trace])), names
    return b"\r\n".join(re.split(rb"\r\n(?![ \t])", fields)[trace:]) + content[len(fields):]


def letter(to, number, body=None):
    """Each is another one; some are odd."""
    kinds = [
        b"Hello.\r\n", b".\r\n..\r\n.dot\r\n", "Schöne Grüße\r\n".encode(), b"", b"x" * 900 + b"\r\n",
        b"".join(b"%d %s\r\n" % (i, b"y" * 70) for i in range(2000)), b"\r\n\r\n\r\n", b"From the start\r\n>From\r\n",
    ]
    body = kinds[number % len(kinds)] if body is None else body
    return (f"From: Bert <bert@elsewhere.test>\r\nTo: {to}@{DOMAIN}\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\n"
            f"Message-ID: <{number}.{to}@elsewhere.test>\r\nSubject: number {number}\r\n\tfor {to}\r\n\r\n").encode() + body


def retrieve(p, number):
    return b"".join(line + b"\r\n" for line in p.retr(number)[1])


def uidls(p):
    """UIDL by number."""
    return {int(n): u.decode() for n, u in (line.split() for line in p.uidl()[1])}


def arrived(server, name, count):
    until(lambda: len(server.accounts[name].files()) >= count, 20, f"{count} messages for {name}")


def test_postfix_between_sessions(server, postfix):
    sent = [letter("anna", i) for i in range(16)]
    known = {}
    for have in (6, 7, 16):
        postfix.send("anna", *sent[len(known):have])
        arrived(server, "anna", have)
        p = server.login()
        told = uidls(p)
        assert len(told) == have == len(set(told.values()))
        for number, uidl in told.items():
            content = without_trace(retrieve(p, number))
            assert p.list(number).split()[2] == b"%d" % wire.size(retrieve(p, number))
            assert known.setdefault(uidl, content) == content, "a UIDL is for ever the same message's"
        assert len(known) == have, "older messages kept their UIDLs"
        p.quit()
    assert collections.Counter(known.values()) == collections.Counter(sent), "each once, octet for octet"
    p = server.login()
    told = uidls(p)
    gone = [told[n] for n in (1, 5, 16)]
    for n in (1, 5, 16):
        p.dele(n)
    p.quit()
    postfix.send("anna", letter("anna", 99))
    arrived(server, "anna", 14)
    p = server.login()
    after = uidls(p)
    assert set(known) - set(gone) < set(after.values()) and not set(gone) & set(after.values())
    new, = set(after.values()) - set(known)
    number, = [n for n, u in after.items() if u == new]
    assert without_trace(retrieve(p, number)) == letter("anna", 99)
    p.quit()
    assert server.accounts["ben"].files() == []


def test_postfix_during_a_session(server, postfix):
    """A session sees the maildrop as it was at its login, to the end."""
    postfix.send("anna", letter("anna", 1), letter("anna", 2))
    arrived(server, "anna", 2)
    p = server.login()
    before, told = p.stat(), uidls(p)
    postfix.send("anna", letter("anna", 3), letter("anna", 4))
    arrived(server, "anna", 4)
    assert p.stat() == before and uidls(p) == told
    assert {without_trace(retrieve(p, n)) for n in (1, 2)} == {letter("anna", 1), letter("anna", 2)}
    p.dele(1)
    p.quit()
    p = server.login()
    assert len(uidls(p)) == 3 and told[2] in uidls(p).values() and told[1] not in uidls(p).values()
    p.quit()


COUNT = 60


def test_postfix_all_the_time(server, postfix):
    """Both accounts get mail from two senders each, while sessions come, fetch, delete, and break off."""
    wrong = []

    def deliver(name, numbers):
        try:
            with postfix.connect() as smtp:
                for i in numbers:
                    postfix.send(name, letter(name, i), smtp=smtp)
        except Exception as e:  # told by the test below
            wrong.append(e)

    senders = [threading.Thread(target=deliver, args=(name, range(part, COUNT, 2)))
               for name in ("anna", "ben") for part in (0, 1)]
    for t in senders:
        t.start()
    taken = {name: {} for name in ("anna", "ben")}  # fetched and deleted: UIDL -> content
    known = {name: {} for name in ("anna", "ben")}
    end = time.monotonic() + 30
    turn = 0
    while any(len(taken[name]) < COUNT for name in taken) and time.monotonic() < end and not wrong:
        turn += 1
        for name in taken:
            p = server.login(name)
            deleted = {}
            for number, uidl in uidls(p).items():
                assert uidl not in taken[name], "what was deleted comes back"
                content = without_trace(retrieve(p, number))
                assert known[name].setdefault(uidl, content) == content
                if turn % 2:
                    p.dele(number)
                    deleted[uidl] = content
            if turn % 3:
                p.quit()
                taken[name].update(deleted)
            else:
                p.close()  # no QUIT: nothing is deleted
                until(lambda: released(server, name), 5, "the end of the session")
    for t in senders:
        t.join(20)
    assert not wrong
    for name in taken:
        assert collections.Counter(taken[name].values()) == collections.Counter(letter(name, i) for i in range(COUNT))
        assert server.accounts[name].files() == []
        assert set(known[name]) == set(taken[name])


def released(server, name):
    """Whether no session of that account is left."""
    log = server.log()
    return log.count(f"pop3 login user={name} ") == log.count(f"pop3 end user={name} ")
