"""Trees of other servers, taken over and given back: clients notice nothing.

Courier is Debian's.  Its packages exclude other IMAP servers, so they are unpacked, not installed, and
its servers are run as its login process runs them: a session's socket as their standard input.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading

import pytest

from conftest import BUILD, IS_ROOT, Talk
from test_clients import home, needs, own, private, run
from test_imap_clients import box_files, flags_of

PACKAGES = ("courier-imap", "courier-pop", "courier-base", "courier-authlib")


def output(*command, cwd=None):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=120).stdout


def installed(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True)
    return "ok installed" in done.stdout


def libraries(deb):
    """The libraries that a package needs and this machine lacks."""
    needed = output("dpkg-deb", "-f", deb, "Depends", "Pre-Depends")
    return {name for name in re.findall(r"\b(lib[a-z0-9.+-]+)", needed) if not installed(name)}


def download(directory):
    """Courier's packages, and the libraries behind them."""
    wanted, have = set(PACKAGES), set()
    for _ in range(4):
        lacking = wanted - have
        for name in sorted(lacking):
            # of "a | b" one may not be there
            done = subprocess.run(["apt-get", "download", "-q", name], cwd=directory, capture_output=True, timeout=120)
            assert done.returncode == 0 or name not in PACKAGES, done.stderr
        have |= lacking
        wanted |= {name for deb in directory.glob("*.deb") for name in libraries(deb)}


@pytest.fixture(scope="module")
def unpacked():
    """Where Courier is unpacked; mail users may come in."""
    cache = BUILD / "courier"
    if not list(cache.glob("courier-pop_*.deb")):
        cache.mkdir(exist_ok=True)
        try:
            download(cache)
        except (AssertionError, OSError, subprocess.SubprocessError) as e:
            shutil.rmtree(cache)
            pytest.skip(f"no Courier to be had: {e}")
    root = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-courier."))
    root.chmod(0o755)
    for deb in cache.glob("*.deb"):
        output("dpkg-deb", "-x", deb, root)
    yield root
    shutil.rmtree(root)


class Courier:
    """Courier's servers for one account, a process for each session."""

    def __init__(self, root, account):
        self.account = account
        self.imapd, self.pop3d = root / "usr/bin/imapd", next(root.rglob("courierpop3d"))
        libs = {str(p.parent) for p in root.rglob("*.so.*")}
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(account.home), "LD_LIBRARY_PATH": ":".join(sorted(libs)),
            "AUTHENTICATED": account.name, "AUTHADDR": account.name, "MAILDIRPATH": "Maildir",
            "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": "1", "TCPLOCALIP": "127.0.0.1", "IMAP_KEYWORDS": "1",
            "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE", "IMAP_USELOCKS": "0", "IMAP_ENHANCEDIDLE": "0"}

    def command(self, program):
        return [str(program), "Maildir"]

    def start(self, program):
        ours, theirs = socket.socketpair()
        who = {"user": self.account.uid, "group": self.account.uid, "extra_groups": []} if IS_ROOT else {}
        with theirs:
            process = subprocess.Popen(self.command(program), stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL,
                                       cwd=self.account.home, env=self.environment, **who)
        ours.settimeout(30)
        return process, ours

    def imap(self):
        process, sock = self.start(self.imapd)
        talk = Talk(sock)
        talk.process = process
        for _ in range(5):  # notices about a monitor of files that does not run
            if b"PREAUTH" in talk.line():
                return talk
        raise AssertionError("no greeting")

    def serve_one(self, listener):
        """A session for the next client that connects, without the notices before the greeting."""
        client, _ = listener.accept()
        talk = self.imap()
        client.sendall(b"* PREAUTH ready\r\n")

        def answers():
            while piece := talk.file.read1(65536):
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)

        pump = threading.Thread(target=answers, daemon=True)
        pump.start()
        with client:
            while piece := client.recv(65536):
                talk.sock.sendall(piece)
            talk.sock.shutdown(socket.SHUT_WR)
            pump.join(30)
        talk.process.wait(30)
        talk.close()

    def uidls(self):
        """UIDLs, as POP3 tells them."""
        process, sock = self.start(self.pop3d)
        with sock, sock.makefile("rb") as lines:
            sock.sendall(b"UIDL\r\nQUIT\r\n")
            told = lines.read().decode()
        assert process.wait(30) == 0
        return re.findall(r"^\d+ (\S+)\r$", told, re.M)


def leave(talk):
    assert talk.cmd("LOGOUT").ok
    talk.close()
    if hasattr(talk, "process"):
        talk.process.wait(30)


def look(talk, folder="INBOX"):
    """UIDVALIDITY, next UID, and UID -> (flags, Subject)."""
    answer = talk.cmd(f'SELECT "{folder}"')
    assert answer.ok, answer
    validity = int(answer.find(rb"UIDVALIDITY (\d+)")[0][1])
    following = int(talk.cmd(f'STATUS "{folder}" (UIDNEXT)').find(rb"UIDNEXT (\d+)")[0][1])
    answer = talk.cmd("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    told = {}
    for line in answer.untagged:
        if m := re.match(rb"\* \d+ FETCH ", line):
            uid, flags, subject = (re.search(p, line) for p in (rb"UID (\d+)", rb"FLAGS \(([^)]*)\)", rb"Subject: (\S+)"))
            told[int(uid[1])] = (frozenset(flags[1].decode().split()) - {"\\Recent"}, subject[1].decode())
    return validity, following, told


def subscribed(talk):
    return {m[1].decode() for m in talk.cmd('LSUB "" "*"').find(rb'LSUB \([^)]*\) "/" "?([^"]+)"?$')}


def ours(name):
    """Courier's name of a folder as we tell it."""
    return re.sub(r"^INBOX\.", "", name).replace(".", "/")


def letter(n):
    return b"From: anna@example.org\nSubject: number-%d\nMessage-ID: <%d@x>\n\nline %d\n" % (n, n, n)


FOLDERS = ("INBOX", "INBOX.Work", "INBOX.Work.Deep er")


@pytest.fixture
def tree(unpacked, serve):
    """A tree that Courier made in several sessions, by both protocols."""
    server = serve()
    courier = Courier(unpacked, server.accounts["anna"])
    for n in range(6):
        courier.account.deliver(letter(n), f"170000000{n}.M{n}P1.host" + (",S=60" if n % 2 else ""))
    talk = courier.imap()
    assert talk.cmd("SELECT INBOX").ok
    assert talk.cmd(r"STORE 1:3 +FLAGS (Work $Later \Seen)").ok
    assert talk.cmd(r"STORE 2 +FLAGS (\Deleted)").ok and talk.cmd("EXPUNGE").ok
    leave(talk)
    courier.uidls()
    talk = courier.imap()
    for folder in FOLDERS[1:]:
        assert talk.cmd(f'CREATE "{folder}"').ok
        for n in range(10, 13):
            assert talk.append(f'"{folder}"', letter(n).replace(b"\n", b"\r\n"), r"(\Flagged) ").ok
    assert talk.cmd('SUBSCRIBE "INBOX.Work.Deep er"').ok and talk.cmd("SUBSCRIBE INBOX").ok
    assert talk.cmd('SELECT "INBOX.Work"').ok
    assert talk.cmd("STORE 2 +FLAGS (Elsewhere)").ok
    assert talk.cmd("SELECT INBOX").ok
    # What is in the list, in a file of its own, in both, and what was taken away again.
    assert talk.cmd("STORE 1 -FLAGS (Work)").ok
    assert talk.cmd("STORE 2 -FLAGS (Work $Later)").ok
    assert talk.cmd(r"STORE 4 +FLAGS (a,b:c \Answered)").ok
    leave(talk)
    for n in (6, 7):
        courier.account.deliver(letter(n), f"170000000{n}.M{n}P1.host")
    courier.uidls()
    talk = courier.imap()
    assert talk.cmd("SELECT INBOX").ok and talk.cmd(r"STORE 5:6 +FLAGS (Work)").ok
    assert talk.cmd("STORE 6 FLAGS (Third)").ok
    leave(talk)
    return server, courier


def courier_files(maildir):
    return {str(p): p.read_bytes() for p in maildir.rglob("courier*") if p.is_file()} | {
        str(p): p.read_bytes() for p in maildir.rglob("courierimapkeywords/*")}


def test_nothing_changes_for_clients_of_courier(tree):
    server, courier = tree
    talk = courier.imap()
    before = {ours(f): look(talk, f) for f in FOLDERS}
    leave(talk)
    uidls = courier.uidls()
    listed = (courier.account.maildir / "courierimapsubscribed").read_text().splitlines()
    assert len(before["INBOX"][2]) == len(uidls) == 7 and len(listed) == 2
    assert {k for f, _ in before["INBOX"][2].values() for k in f} >= {"Work", "$Later", "a,b:c", "Third"}
    files = courier_files(courier.account.maildir)
    assert len(files) > 8

    talk = server.imap_talk()
    assert {f: look(talk, f) for f in before} == before
    assert subscribed(talk) == {ours(name) for name in listed}
    leave(talk)
    p = server.login()
    assert [u.split()[1].decode() for u in p.uidl()[1]] == uidls
    p.quit()
    assert courier_files(courier.account.maildir) == files
    for folder in (None, "Work", "Work/Deep er"):
        assert (courier.account.folder(folder) / "dovecot-uidlist").read_text().startswith("3 V")
    # And back, as far as Courier's files are true.
    talk = courier.imap()
    assert {ours(f): look(talk, f) for f in FOLDERS} == before
    leave(talk)
    assert courier.uidls() == uidls


# --- an offline client ---


class Mbsync:
    """One store on anna's machine, synchronised with one server now and with another then."""

    def __init__(self, server, home, folders=("INBOX",)):
        self.server, self.home, self.folders = server, home, folders
        version = run("mbsync", "--version", cwd=home).stdout.decode()
        new = tuple(map(int, re.search(r"(\d+)\.(\d+)", version).groups())) >= (1, 5)
        self.tls = "TLSType" if new else "SSLType"
        self.mine = home / "mine"
        self.mine.mkdir()
        own(self.mine)

    def sync(self, port=None, name=str):
        """Synchronises with what listens there in the clear, or with sallyport; how many messages it fetched.
        name: what the server calls a folder."""
        door = f"{self.tls} None" if port else (
            f"{self.tls} STARTTLS\nSystemCertificates no\nCertificateFile {self.server.ca}")
        channels = "".join(f"""
Channel {n}
Far ":server:{name(folder)}"
Near ":mine:{folder}"
Create Both
Expunge Both
SyncState *
""" for n, folder in enumerate(self.folders))
        private(self.home / "mbsyncrc", f"""FSync no

IMAPAccount anna
Host localhost
Port {port or self.server.imap}
User anna
Pass sesame
AuthMechs LOGIN
{door}

IMAPStore server
Account anna

MaildirStore mine
Path {self.mine}/
Inbox {self.mine}/INBOX
SubFolders Verbatim
{channels}""")
        command = ("mbsync", "-c", self.home / "mbsyncrc", "-D", *(str(n) for n in range(len(self.folders))))
        said = run(*command, cwd=self.home, timeout=120).stdout
        return len(re.findall(rb">>> \d+ UID FETCH \d+ \([^)]*BODY\.PEEK\[\]", said))

    def numbers(self, folder="INBOX"):
        """number -> flags of the local messages; one that is there twice fails."""
        told = [(number(p.read_bytes()), flags_of(p)) for p in box_files(self.mine / folder)]
        assert len({n for n, _ in told}) == len(told), sorted(told)
        return dict(told)


def number(content):
    return int(re.search(rb"(?m)^Message-ID: <(\d+)@x>", content)[1])


@needs("mbsync")
def test_an_offline_client_fetches_nothing_twice_after_courier(tree, home):
    server, courier = tree
    client = Mbsync(server, home, [ours(f) for f in FOLDERS])

    def with_courier():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=courier.serve_one, args=(listener,), daemon=True)
            thread.start()
            said = client.sync(listener.getsockname()[1], lambda f: f if f == "INBOX" else "INBOX/" + f)
            thread.join(30)
            return said

    def here():
        return {f: client.numbers(f) for f in client.folders}

    assert with_courier() == 7 + 3 + 3
    before = here()
    assert with_courier() == 0 == client.sync() and here() == before
    courier.account.deliver(letter(20))
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok and talk.cmd(r"UID STORE 1 +FLAGS (\Flagged)").ok
    leave(talk)
    assert client.sync() == 1
    assert client.numbers() == {**before["INBOX"], 0: "FS", 20: ""}
