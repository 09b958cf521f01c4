"""Trees of other servers, taken over and given back: clients notice nothing.

Courier is Debian's.  Its packages conflict with other IMAP servers, so the test unpacks them instead of installing them,
and runs the servers as Courier's login process does: with the socket of a session as standard input.
"""

import base64
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import BUILD, IS_ROOT, Talk, until
from test_clients import home, needs, own, private, run
from test_dovecot import Dovecot as DovecotPop3
from test_imap_clients import box_files, flags_of, put, refile
from test_imap_dovecot import Dovecot

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
        if re.match(rb"\* \d+ FETCH .*Subject: ", line, re.S):
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


FOLDERS = ("INBOX", "INBOX.Work", "INBOX.Work.Deep er", "INBOX.B&APw-cher &- R&APw-ben")


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


def utf8(name):
    """A folder's name, of IMAP's modified UTF-7 (RFC 3501, 5.1.3)."""
    return re.sub("&([^-]*)-", lambda m: base64.b64decode(m[1].replace(",", "/") + "==").decode("utf-16-be") or "&",
                  name)


class Mbsync:
    """One store on anna's machine, synchronised with one server now and with another then."""

    def __init__(self, server, home, folders=("INBOX",)):
        self.server, self.home = server, home
        version = run("mbsync", "--version", cwd=home).stdout.decode()
        new = tuple(map(int, re.search(r"(\d+)\.(\d+)", version).groups())) >= (1, 5)
        self.tls = "TLSType" if new else "SSLType"
        self.folders = [utf8(f) if new else f for f in folders]  # as its configuration has them
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

    assert with_courier() == 7 + 3 * (len(FOLDERS) - 1)
    before = here()
    assert with_courier() == 0 == client.sync() and here() == before
    courier.account.deliver(letter(20))
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok and talk.cmd(r"UID STORE 1 +FLAGS (\Flagged)").ok
    leave(talk)
    assert client.sync() == 1
    assert client.numbers() == {**before["INBOX"], 0: "FS", 20: ""}


# --- Dovecot and sallyport on one tree ---

needs_dovecot = pytest.mark.skipif(not os.access("/usr/lib/dovecot/imap", os.X_OK), reason="no Dovecot here")
LETTERS = {"S": "\\Seen", "F": "\\Flagged", "R": "\\Answered"}  # what mbsync carries


@pytest.fixture
def pair(serve):
    server = serve()
    dovecot = Dovecot(server)
    yield server, dovecot
    dovecot.stop()
    dovecot.check()


def agree(pair, folder="INBOX"):
    """What both tell of a folder: number -> flags and keywords."""
    told = []
    for peer in pair:
        talk = peer.imap_talk()
        told.append(look(talk, folder))
        leave(talk)
    assert told[0] == told[1]
    flags = {int(subject.partition("-")[2]): flags for flags, subject in told[0][2].values()}
    assert len(flags) == len(told[0][2]), "no message is there twice"
    return flags


def mail_flags(flags):
    return "".join(sorted(letter for letter, flag in LETTERS.items() if flag in flags))


class Model:
    """number -> flags and keywords, as all that was done to INBOX makes them."""

    def __init__(self, seed):
        self.mail, self.next, self.random = {}, 1, random.Random(seed)

    def fresh(self, count):
        numbers = range(self.next, self.next + count)
        self.next += count
        self.mail.update((n, set()) for n in numbers)
        return numbers

    def some(self, count):
        return self.random.sample(sorted(self.mail), min(count, len(self.mail)))


def change(talk, model, keyword):
    """A session's worth: flags and keywords come and go, messages are expunged."""
    at = {int(subject.partition("-")[2]): uid for uid, (_, subject) in look(talk)[2].items()}
    assert set(at) == set(model.mail)
    for flag in (*LETTERS.values(), keyword, "$Shared"):
        for n in model.some(3):
            assert talk.cmd(f"UID STORE {at[n]} +FLAGS.SILENT ({flag})").ok
            model.mail[n].add(flag)
        for n in model.some(1):
            assert talk.cmd(f"UID STORE {at[n]} -FLAGS.SILENT ({flag})").ok
            model.mail[n].discard(flag)
    for n in model.some(2):
        assert talk.cmd(f"UID STORE {at[n]} +FLAGS.SILENT (\\Deleted)").ok
        del model.mail[n]
    assert talk.cmd("EXPUNGE").ok


def change_at_home(client, model):
    """The same in the client's Maildir, and a letter that is written there."""
    for path in sorted(box_files(client.mine / "INBOX"), key=lambda p: number(p.read_bytes())):
        n = number(path.read_bytes())
        if model.random.random() < 0.1:
            path.unlink()
            del model.mail[n]
        elif model.random.random() < 0.2:
            letters = set(flags_of(path)) ^ {model.random.choice("SFR")}
            refile(path, "".join(sorted(letters)))
            model.mail[n] = {f for f in model.mail[n] if f not in LETTERS.values()} | {LETTERS[c] for c in letters}
    for n in model.fresh(2):
        put(client.mine / "INBOX" / "new" / f"{n}.mine", letter(n))


@pytest.mark.root
@needs("mbsync")
@needs_dovecot
def test_by_turns_nothing_is_fetched_twice_and_no_flag_is_lost(pair, home):
    server, dovecot = pair
    client, model = Mbsync(server, home), Model(4)
    for turn in range(6):
        new = model.fresh(8)
        for n in new:
            server.accounts["anna"].deliver(letter(n))
        peer, port = ((dovecot, None), (server, dovecot.port))[turn % 2]
        talk = peer.imap_talk()
        gone = set(model.mail)
        change(talk, model, f"Turn{turn % 3}")
        leave(talk)
        gone -= set(model.mail)
        # Changed by one, fetched from the other.
        assert client.sync(port) == len(set(new) - gone)
        assert client.numbers() == {n: mail_flags(f) for n, f in model.mail.items()}
        change_at_home(client, model)
        assert client.sync((None, dovecot.port)[turn % 2]) == 0
        assert client.sync(port) == 0
        assert agree(pair) == model.mail
        assert client.numbers() == {n: mail_flags(f) for n, f in model.mail.items()}
    assert {k for f in model.mail.values() for k in f} >= {"Turn0", "Turn1", "Turn2", "$Shared"}


class Busy(threading.Thread):
    """A session that changes its own share of the messages, again and again."""

    def __init__(self, talk, mine, seed):
        super().__init__(daemon=True)
        self.talk, self.mine, self.random, self.failed = talk, mine, random.Random(seed), None
        self.flags = {n: set() for n in mine}

    def run(self):
        try:
            at = {int(subject.partition("-")[2]): uid for uid, (_, subject) in look(self.talk)[2].items()}
            for _ in range(150):
                n = self.random.choice(sorted(self.flags))
                if len(self.flags) > len(self.mine) / 2 and self.random.random() < 0.2:
                    assert self.talk.cmd(f"UID STORE {at[n]} +FLAGS (\\Deleted)").ok
                    assert self.talk.cmd("EXPUNGE").ok
                    del self.flags[n]
                    continue
                flag = self.random.choice((*LETTERS.values(), "$One", "$Two", "$Three"))
                sign, _ = ("-", self.flags[n].discard(flag)) if flag in self.flags[n] else ("+", self.flags[n].add(flag))
                assert self.talk.cmd(f"UID STORE {at[n]} {sign}FLAGS ({flag})").ok
            leave(self.talk)
        except Exception as e:  # told by the test
            self.failed = e


@pytest.mark.root
@needs("mbsync")
@needs_dovecot
def test_at_the_same_time_nothing_is_fetched_twice_and_no_flag_is_lost(pair, home):
    server, dovecot = pair
    client, delivered, fetched = Mbsync(server, home), 40, 0
    for n in range(delivered):
        server.accounts["anna"].deliver(letter(n))
    agree(pair)
    # Dovecot reads dovecot-keywords and then the names: a keyword that is new in between it calls unknown-1.
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok and talk.cmd("STORE 1 +FLAGS ($One $Two $Three)").ok
    assert talk.cmd("STORE 1 -FLAGS ($One $Two $Three)").ok
    leave(talk)
    fetched += client.sync()
    busy = [Busy(peer.imap_talk(), range(first, delivered, 4), first)
            for first, peer in enumerate((server, dovecot, server, dovecot))]
    for thread in busy:
        thread.start()
    for turn in range(40):
        for n in range(delivered, delivered + 2):
            server.accounts["anna"].deliver(letter(n))
        delivered += 2
        fetched += client.sync((None, dovecot.port)[turn % 2])
        if not any(thread.is_alive() for thread in busy):
            break
    for thread in busy:
        thread.join(60)
        assert not thread.is_alive() and thread.failed is None, thread.failed
    expected = {n: set() for n in range(40, delivered)}
    for thread in busy:
        expected.update(thread.flags)
    fetched += client.sync() + client.sync(dovecot.port)
    assert agree(pair) == expected
    assert client.numbers() == {n: mail_flags(f) for n, f in expected.items()}
    assert fetched == delivered and client.sync() == client.sync(dovecot.port) == 0


@pytest.mark.root
@needs_dovecot
def test_dovecot_heeds_our_lock_file(pair):
    """It waits for one whose process lives, and takes one over whose process has died."""
    server, dovecot = pair
    anna = server.accounts["anna"]
    agree(pair)
    lock = anna.maildir / "dovecot-uidlist.lock"

    def see(n):
        """How long it takes Dovecot to give a new message its UID."""
        anna.deliver(letter(n))
        begun = time.monotonic()
        talk = dovecot.imap_talk()
        assert len(look(talk)[2]) == n
        leave(talk)
        return time.monotonic() - begun

    def put_lock(pid):
        lock.write_bytes(f"{pid}:{socket.gethostname()}\0locked\0".encode())
        os.chown(lock, anna.uid, anna.uid)

    dead = subprocess.Popen(["true"])
    dead.wait()
    put_lock(dead.pid)
    assert see(1) < 15 and not lock.exists()
    put_lock(os.getpid())
    release = threading.Timer(3, lock.unlink)
    release.start()
    assert see(2) >= 2.5
    release.join()


# --- POP3's ids ---

FORMS = {  # as both have it, and as Dovecot has it from 2.4 on
    "%08Xu%08Xv": "%{uid | hex(8)}%{uidvalidity | hex(8)}",
    "%08Xv%08Xu": "%{uidvalidity | hex(8)}%{uid | hex(8)}",
    "%v.%u": "%{uidvalidity}.%{uid}",
    "%u.%v": "%{uid}.%{uidvalidity}",
    "%v-%u": "%{uidvalidity}-%{uid}",
    "UID%u-%v": "UID%{uid}-%{uidvalidity}",
    "%u": "%{uid}",
    "%f": "%{filename}",
    "%g": "%{guid}",
}


def uidls(login):
    p = login()
    told = [u.split()[1] for u in p.uidl()[1]]
    p.quit()
    return told


@pytest.mark.root
@needs_dovecot
def test_pop3_ids_have_dovecots_forms(serve):
    server = serve()
    dovecot = DovecotPop3(server)
    try:
        for n in range(12):
            server.accounts["anna"].deliver(letter(n))
        standard, conf, seen = uidls(dovecot.login), dovecot.conf.read_text(), set()
        assert uidls(server.login) == standard and len(standard) == 12
        for turn, (form, new) in enumerate(FORMS.items(), 1):
            dovecot.conf.write_text(f"{conf}\npop3_uidl_format = {new if 'dovecot_config_version' in conf else form}\n")
            dovecot.process.send_signal(signal.SIGHUP)
            until(lambda: dovecot.log.read_text().count("SIGHUP received") == turn, 10, "Dovecot reads its settings")
            server.settings["pop3_uidl_format"] = form
            server.write_conf()
            server.stop()
            server.start()
            told = uidls(dovecot.login)
            assert uidls(server.login) == told, form
            seen.add(told[1])
            assert (told == standard) == (form == "%08Xu%08Xv")
        assert len(seen) == len(FORMS) - 1, "%f and %g are one where nothing is a copy"
    finally:
        dovecot.stop()


def test_the_manual_has_all_forms_and_no_other():
    page = (pathlib.Path(__file__).parents[2] / "server" / "sallyport.conf.5").read_text()
    rows = page.partition("pop3_uidl_format No")[2].partition(".El")[0]
    assert set(re.findall(r"^\.It Li (\S+) Ta ", rows, re.M)) == set(FORMS)
