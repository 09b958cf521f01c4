"""The same Maildir served by Dovecot and by sallyport: neither clients nor servers notice a change of server.

Dovecot is Debian's, 2.3 or 2.4, with a configuration of its own in the folder of the test.
"""

import os
import poplib
import re
import shutil
import subprocess

import pytest

from conftest import free_ports, until

pytestmark = [pytest.mark.root, pytest.mark.skipif(not os.access("/usr/lib/dovecot/pop3", os.X_OK), reason="no Dovecot here")]


class Dovecot:
    def __init__(self, server):
        self.server, self.dir, (self.port,) = server, server.dir / "dovecot", free_ports(1)
        self.dir.mkdir()
        self.log = self.dir / "log"
        shutil.copy(server.dir / "users", self.dir / "users")
        shutil.chown(self.dir / "users", "dovecot")
        self.conf = self.dir / "dovecot.conf"
        new = tuple(map(int, re.findall(r"\d+", self.run("/usr/sbin/dovecot", "--version"))[:2])) >= (2, 4)
        self.conf.write_text(f"""
{'dovecot_config_version = 2.4.0' if new else ''}
{'dovecot_storage_version = 2.4.0' if new else ''}
base_dir = {self.dir}/run
{'' if new else f'state_dir = {self.dir}/run'}
log_path = {self.log}
protocols = pop3
listen = 127.0.0.1
ssl = no
{'auth_allow_cleartext = yes' if new else 'disable_plaintext_auth = no'}
{'mail_driver = maildir' if new else 'mail_location = maildir:~/Maildir'}
{'mail_path = ~/Maildir' if new else ''}
{'passdb passwd-file {' if new else 'passdb {'}
  {f'passwd_file_path = {self.dir}/users' if new else f'driver = passwd-file'}
  {'' if new else f'args = {self.dir}/users'}
}}
{'userdb passwd-file {' if new else 'userdb {'}
  {f'passwd_file_path = {self.dir}/users' if new else f'driver = passwd-file'}
  {'' if new else f'args = {self.dir}/users'}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
""")
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", self.conf], stderr=subprocess.DEVNULL)
        until(lambda: self.log.exists() and "starting up" in self.log.read_text(), 15, "Dovecot")

    @staticmethod
    def run(*command):
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def login(self, name="anna"):
        p = poplib.POP3("127.0.0.1", self.port, timeout=20)
        p.user(name)
        p.pass_(self.server.accounts[name].password)
        return p

    def doveadm(self, *arguments):
        return self.run("doveadm", "-c", str(self.conf), *arguments)

    def flags(self):
        """uid -> flags and keywords, as Dovecot sees them."""
        out = self.doveadm("-f", "tab", "fetch", "-u", "anna", "uid flags", "mailbox", "INBOX", "all")
        return {int(line.split("\t")[0]): set(line.split("\t")[1].split()) - {"\\Recent"} for line in out.splitlines()[1:]}


@pytest.fixture
def both(serve):
    server = serve()
    dovecot = Dovecot(server)
    yield server, dovecot
    dovecot.stop()
    log = dovecot.log.read_text()
    assert not re.search(r"(Error|Panic|Fatal|Warning): (?!Killed with signal 15)", log), log[-3000:]


def state(login):
    """What a client sees: UIDLs and sizes."""
    p = login()
    seen = [u.split()[1] for u in p.uidl()[1]], [s.split()[1] for s in p.list()[1]], p.stat()
    p.quit()
    return seen


MESSAGES = [b"Subject: %d\n\nline\n.\n" % i * (i + 1) for i in range(6)]


def deliver(server, n=6):
    for i in range(n):
        server.accounts["anna"].deliver(MESSAGES[i % 6])


def test_dovecot_first(both):
    server, dovecot = both
    deliver(server)
    before = state(dovecot.login)
    assert len(before[0]) == 6
    assert state(server.login) == before
    assert state(dovecot.login) == before


def test_sallyport_first(both):
    server, dovecot = both
    deliver(server)
    before = state(server.login)
    assert len(before[0]) == 6
    assert state(dovecot.login) == before
    assert state(server.login) == before


def ids_of_dovecot(dovecot):
    """UIDVALIDITY, next UID, and subject -> UID, as IMAP tells them."""
    status = dovecot.doveadm("-f", "flow", "mailbox", "status", "-u", "anna", "uidvalidity uidnext", "INBOX")
    numbers = [int(re.search(rf"{key}=(\d+)", status).group(1)) for key in ("uidvalidity", "uidnext")]
    out = dovecot.doveadm("-f", "tab", "fetch", "-u", "anna", "uid hdr.subject", "mailbox", "INBOX", "all")
    return *numbers, {line.split("\t")[1]: int(line.split("\t")[0]) for line in out.splitlines()[1:]}


def ids_of_sallyport(server):
    """The same from the file that it leaves."""
    maildir = server.accounts["anna"].maildir
    head, *lines = (maildir / "dovecot-uidlist").read_text().splitlines()
    validity, following = (int(re.search(rf" {key}(\d+)", head).group(1)) for key in "VN")
    subjects = {}
    for path in [*maildir.glob("cur/*"), *maildir.glob("new/*")]:
        subjects[path.name.split(":")[0]] = re.search(r"^Subject: (.*)", path.read_text(), re.M).group(1)
    uids = {line.split(" :", 1)[1]: int(line.split()[0]) for line in lines}
    found = {subjects[name]: uid for name, uid in uids.items() if name in subjects}
    return validity, max(following, max(uids.values(), default=0) + 1), found


@pytest.mark.parametrize("turn", [0, 1], ids=["dovecot first", "sallyport first"])
def test_uids_uidvalidity_and_next_uid(both, turn):
    server, dovecot = both
    validity, last = None, {}
    for i in range(8):
        for k in range(i % 3):
            server.accounts["anna"].deliver(f"Subject: {i}-{k}\n\n\n")
        (dovecot.flags, lambda: state(server.login))[(i + turn) % 2]()
        ours, theirs = ids_of_sallyport(server), ids_of_dovecot(dovecot)
        assert ours == theirs
        assert validity in (None, ours[0]) and last.items() <= ours[2].items()
        validity, last = ours[0], ours[2]
        if i == 4:  # Dovecot's indexes are a cache: without them it believes the list
            for path in server.accounts["anna"].maildir.glob("dovecot.index*"):
                path.unlink()
    assert len(last) == 7 and sorted(last.values()) == list(range(1, 8))


def test_sizes_and_octets(both):
    """
    Equal, but that Dovecot's LIST leaves out the line end which its RETR adds to a message without one.
    (And that it does not stuff a dot in a message's first octet: no such message here.)
    """
    server, dovecot = both
    messages = [b"Subject: lf\n\nx\n", b"Subject: crlf\r\n\r\nx\r\n", b"Subject: both\r\n\nx\r\ny\n.z\n", b"\n..\n",
                b"Subject: cr\n\na\rb\n", b"Subject: header only\n", b"Subject: no end\n\nx", b"Subject: cr at the end\n\nx\r\n"]
    for i, content in enumerate(messages):
        server.accounts["anna"].deliver(content, f"{1000 + i}.M{i}.test")
    p, q = server.login(), dovecot.login()
    open_end = [not m.endswith(b"\n") for m in messages]
    assert [int(line.split()[1]) for line in p.list()[1]] == [
        int(line.split()[1]) + 2 * e for line, e in zip(q.list()[1], open_end)]
    for i in range(1, len(messages) + 1):
        assert p.retr(i)[1] == q.retr(i)[1]
        assert p.top(i, 1)[1] == q.top(i, 1)[1]
    p.quit()
    q.quit()


def test_sessions_of_both_at_the_same_time(both):
    server, dovecot = both
    deliver(server)
    p, q = server.login(), dovecot.login()
    before = p.uidl()[1]
    assert q.uidl()[1] == before
    p.dele(1)
    q.dele(2)
    p.retr(3)
    q.retr(3)
    assert p.quit().startswith(b"+OK") and q.quit().startswith(b"+OK")
    left = [line.split()[1] for line in before[2:]]
    assert state(server.login)[0] == state(dovecot.login)[0] == left
    assert dovecot.flags()[3] == {"\\Seen"}


def test_in_turn_with_deliveries_and_deletions(both):
    server, dovecot = both
    content, gone = {}, set()
    for turn in range(6):
        deliver(server, 3)
        login = (server.login, dovecot.login)[turn % 2]
        p = login()
        uidls = [u.split()[1] for u in p.uidl()[1]]
        assert len(uidls) == len(set(uidls)) and not gone & set(uidls), "no UIDL is used again"
        assert set(content) <= set(uidls), "none is lost"
        for i, uidl in enumerate(uidls, 1):
            text = b"\n".join(p.retr(i)[1])
            assert content.setdefault(uidl, text) == text, "a UIDL stays with its message"
        p.dele(1)
        gone.add(uidls[0])
        content.pop(uidls[0])
        p.quit()
    assert state(server.login) == state(dovecot.login)
    assert len(content) == 12


def test_flags_and_keywords(both):
    server, dovecot = both
    deliver(server, 3)
    p = server.login()
    p.retr(2)
    p.quit()
    assert dovecot.flags() == {1: set(), 2: {"\\Seen"}, 3: set()}
    dovecot.doveadm("flags", "add", "-u", "anna", "\\Flagged $Work later", "mailbox", "INBOX", "uid", "3")
    p = server.login()
    p.retr(3)
    p.retr(1)
    p.quit()
    assert dovecot.flags() == {1: {"\\Seen"}, 2: {"\\Seen"}, 3: {"\\Seen", "\\Flagged", "$Work", "later"}}


def test_a_uidl_that_dovecot_saved_wins(both):
    server, dovecot = both
    deliver(server, 3)
    state(dovecot.login)
    path = server.accounts["anna"].maildir / "dovecot-uidlist"
    text = re.sub(r"^2 ", "2 Pfrom-the-old-server ", path.read_text(), flags=re.M)
    path.write_text(text)
    assert state(server.login)[0][1] == b"from-the-old-server"
    deliver(server, 1)
    assert state(server.login)[0][1] == b"from-the-old-server", "and is kept when the list is written again"


def test_both_at_once(both):
    server, dovecot = both
    deliver(server)
    seen = {}
    for _ in range(8):
        deliver(server, 2)
        for login in (server.login, dovecot.login, server.login):
            p = login()
            for line in p.uidl()[1]:
                n, uidl = line.split()
                text = b"\n".join(p.top(int(n), 20)[1])
                assert seen.setdefault(uidl, text) == text
            p.quit()
    assert len(seen) == 22 and state(server.login) == state(dovecot.login)
