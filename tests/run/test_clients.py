"""Programs that fetch mail by POP3, as Debian ships them, with STLS and over TLS.

Each test compares the octets that the program wrote to its own files, and what it left in the Maildir.
"""

import fcntl
import os
import pathlib
import poplib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pytest

import wire
from conftest import IS_ROOT, PROGRAM

HEAD = b"From: Bert <bert@example.org>\nTo: anna@localhost\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n"

# What all clients have to hand on unchanged.  The clients want a header; what needs none is in ODD.
MESSAGES = [
    HEAD + b"Message-ID: <1@x>\nSubject: plain\n\nHello Anna.\n",
    (HEAD + b"Message-ID: <2@x>\nSubject: CRLF on disk\n\nline\n\nline\n").replace(b"\n", b"\r\n"),
    HEAD + b"Message-ID: <3@x>\nSubject: dots\n\n.\n..\n.hidden\n...\nend.\n.\n",
    HEAD + b"Message-ID: <4@x>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nMIME-Version: 1.0\n"
    b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + "Schöne Grüße 🌞\n".encode(),
    HEAD + b"Message-ID: <5@x>\nSubject: nothing in it\n\n",
    HEAD + b"Message-ID: <6@x>\nSubject: large\n\n" + b"".join(b"%06d %s\n" % (i, b"x" * (i % 70)) for i in range(9000)),
    HEAD + b"Message-ID: <7@x>\nReferences: " + b"\n ".join(b"<r%d@x>" % i for i in range(50)) +
    b"\nSubject: folded\n\tsubject\n\nbody\n",
]
ODD = [b".first octet\n\n.\n", b"Subject: no newline at the end\n\nlast line", b"Subject: long\n\n" + b"y" * 5000 + b"\n",
       b"\n\n\n", b"a\rb\r\n\r\n\r.\r\nc\n"]


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}: see etc/need.sh")


# No client runs as root, and some refuse to.
USER = "games"


def as_user(arguments):
    drop = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if IS_ROOT else []
    return drop + [str(a) for a in arguments]


def environment(home):
    user = USER if IS_ROOT else os.environ.get("USER", "somebody")
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm", "USER": user,
            "LOGNAME": user}


def run(*arguments, cwd, status=0, given=None, timeout=60):
    how = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    done = subprocess.run(as_user(arguments), cwd=cwd, env=environment(cwd), capture_output=True, timeout=timeout, **how)
    assert done.returncode in (status if isinstance(status, tuple) else (status,)), (
        done.stdout[-2000:] + done.stderr[-2000:])
    return done


@pytest.fixture
def filled(server):
    for i, m in enumerate(MESSAGES):
        server.accounts["anna"].deliver(m, f"100000000{i}.M{i}.test")
    return server


def own(path):
    if IS_ROOT:
        shutil.chown(path, USER, USER)
    return path


@pytest.fixture
def home():
    """The client's."""
    d = own(pathlib.Path(tempfile.mkdtemp(prefix="sallyport-client.")))
    yield d
    shutil.rmtree(d)


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return own(path)


def new_box(path):
    """A Maildir of the client's own."""
    for d in (path, *(path / sub for sub in ("cur", "new", "tmp"))):
        d.mkdir(exist_ok=True)
        own(d)
    return path


def on_disk(account):
    """Base name -> flags, for each message."""
    return dict((n.split(":2,") + [""])[:2] for n in account.files())


def logins(server):
    """Those that the log tells of, once all have ended."""
    begun = re.findall(r"^([0-9a-f]{8})/reader pop3 login .*$", server.log(), re.M)
    for one in begun:
        server.wait_log(rf"{one}/reader pop3 end user=anna")
    return re.findall(r"^[0-9a-f]{8}/reader pop3 login .*$", server.log(), re.M)


def lf(content):
    return content.replace(b"\r\n", b"\n")


def without(content, *names):
    """A message without header fields that a client adds when it files it."""
    head, end, body = lf(content).partition(b"\n\n")
    fields = re.split(rb"\n(?![ \t])", head)
    kept = [f for f in fields if f.split(b":")[0].lower().decode() not in names]
    return b"\n".join(kept) + end + body


def same(got, wanted, *added):
    """Every message once, octet for octet; line ends are the client's own."""
    got = sorted(without(g, *added) for g in got)
    wanted = sorted(lf(w) for w in wanted)
    assert [g[:300] for g in got] == [w[:300] for w in wanted]
    assert got == wanted


# --- fetchmail ---


def fetchmail(server, home, port, options, ca=None, status=0, arguments=()):
    """Delivers by a command of ours to HOME/got; returns what came in this run."""
    got = home / "got"
    got.mkdir(exist_ok=True)
    own(got)
    mda = private(home / "mda", '#!/bin/sh\nset -e\nt=$(mktemp "$1/XXXXXXXX")\ncat >"$t"\n')
    mda.chmod(0o700)
    private(home / "fetchmailrc",
            f'poll localhost protocol POP3 port {port} uidl username anna password sesame sslcertfile "{ca or server.ca}"'
            f' sslcertck {options} norewrite pass8bits no mimedecode no dropstatus mda "{mda} {got}"\n')
    before = set(got.iterdir())
    run("fetchmail", "--fetchmailrc", home / "fetchmailrc", "--idfile", home / "ids", "--pidfile", home / "pid",
        "--invisible", "-v", *arguments, cwd=home, status=status)
    return [p.read_bytes() for p in set(got.iterdir()) - before]


NOTHING_NEW = 1  # fetchmail's status


@needs("fetchmail")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
def test_fetchmail_keeps(filled, home, door):
    anna = filled.accounts["anna"]
    port, options = (filled.pop3, "keep") if door == "STLS" else (filled.pop3s, "ssl keep")
    same(fetchmail(filled, home, port, options), MESSAGES, "return-path")
    assert len(on_disk(anna)) == len(MESSAGES)
    assert fetchmail(filled, home, port, options, status=NOTHING_NEW) == [], "the UIDs were kept"
    anna.deliver(b"Subject: new\n\nnew\n")
    same(fetchmail(filled, home, port, options), [b"Subject: new\n\nnew\n"], "return-path")
    assert len(on_disk(anna)) == len(MESSAGES) + 1
    assert all(re.search(r" tls=1\.[23] ", line) for line in logins(filled))


@needs("fetchmail")
def test_fetchmail_takes_away(filled, home):
    same(fetchmail(filled, home, filled.pop3, "fetchall no keep"), MESSAGES, "return-path")
    assert filled.accounts["anna"].files() == []
    assert len(logins(filled)) == 1


@needs("fetchmail")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
def test_fetchmail_trusts_no_other_certificate(filled, home, door):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", home / "k", "-out", home / "c",
                    "-subj", "/CN=localhost", "-days", "1"], check=True, capture_output=True)
    port, options = (filled.pop3, "keep") if door == "STLS" else (filled.pop3s, "ssl keep")
    assert fetchmail(filled, home, port, options, ca=home / "c", status=2) == []
    assert "pop3 login" not in filled.log()


# --- mpop ---


def mpop(server, home, door, keep, auth=None, status=0):
    """What came in this run."""
    box = new_box(home / "box")
    before = set((box / "new").iterdir())
    private(home / "mpoprc", f"""account default
host localhost
port {server.pop3 if door == "STLS" else server.pop3s}
user anna
password sesame
{f"auth {auth}" if auth else ""}
tls on
tls_starttls {"on" if door == "STLS" else "off"}
tls_trust_file {server.ca}
uidls_file {home}/uidls
keep {"on" if keep else "off"}
received_header off
delivery maildir {box}
""")
    done = run("mpop", "-C", home / "mpoprc", "-d", cwd=home, status=status)
    said = done.stdout + done.stderr
    if auth:
        assert (b"--> USER" if auth == "user" else f"--> AUTH {auth.upper()}".encode()) in said, said[:3000]
    return [p.read_bytes() for p in set((box / "new").iterdir()) - before]


@needs("mpop")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
def test_mpop(filled, home, door):
    anna = filled.accounts["anna"]
    same(mpop(filled, home, door, keep=True), MESSAGES)
    assert set(on_disk(anna).values()) == {"S"} and len(on_disk(anna)) == len(MESSAGES)
    uidls = (home / "uidls").read_text()
    p = filled.login()
    told = [u.split()[1].decode() for u in p.uidl()[1]]
    p.quit()
    assert len(told) == len(MESSAGES) and all(u in uidls for u in told)
    assert mpop(filled, home, door, keep=True) == [], "the UIDLs were kept"
    anna.deliver(b"Subject: new\n\nnew\n")
    same(mpop(filled, home, door, keep=True), [b"Subject: new\n\nnew\n"])
    assert mpop(filled, home, door, keep=False) == []
    assert anna.files() == [], "without keep it deletes what it has"


@needs("mpop")
@pytest.mark.parametrize("auth", ["user", "plain", "login"])
def test_mpop_mechanisms(filled, home, auth):
    for door in ("STLS", "TLS"):
        mpop(filled, home, door, keep=True, auth=auth)
    assert len(logins(filled)) == 2


# --- getmail ---


def getmail(server, home, delete, arguments=()):
    box = new_box(home / "box")
    before = set((box / "new").iterdir())
    private(home / "getmailrc", f"""[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {server.pop3s}
username = anna
password = sesame
ca_certs = {server.ca}
[destination]
type = Maildir
path = {box}/
[options]
read_all = false
delete = {"true" if delete else "false"}
delivered_to = false
received = false
verbose = 2
""")
    run("getmail", "--getmaildir", home, "--rcfile", home / "getmailrc", *arguments, cwd=home)
    return [p.read_bytes() for p in set((box / "new").iterdir()) - before]


@needs("getmail")
def test_getmail(filled, home):
    anna = filled.accounts["anna"]
    same(getmail(filled, home, delete=False), MESSAGES, "return-path")
    assert len(on_disk(anna)) == len(MESSAGES)
    assert getmail(filled, home, delete=False) == [], "only new ones"
    anna.deliver(b"From: a@b\nSubject: new\n\nnew\n")
    same(getmail(filled, home, delete=False), [b"From: a@b\nSubject: new\n\nnew\n"], "return-path")
    assert len(on_disk(anna)) == len(MESSAGES) + 1
    assert getmail(filled, home, delete=True) == []
    assert anna.files() == []
    assert len(logins(filled)) == 4


# --- curl ---


def curl(server, home, *arguments, door="TLS", path="", status=0):
    url = f"pop3s://localhost:{server.pop3s}/" if door == "TLS" else f"pop3://localhost:{server.pop3}/"
    paths = path if isinstance(path, list) else [path]
    done = run("curl", "-q", "-sS", "--max-time", "15", "--cacert", server.ca, "--user", "anna:sesame",
               *(() if door == "TLS" else ("--ssl-reqd",)), *arguments, *(url + p for p in paths), cwd=home,
               status=status)
    return done


@needs("curl")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
def test_curl(serve, home, door):
    server = serve()
    anna = server.accounts["anna"]
    contents = MESSAGES + ODD
    for i, m in enumerate(contents):
        anna.deliver(m, f"10000000{i:02d}.M{i}.test")
    lines = curl(server, home, door=door).stdout.splitlines()
    assert lines == [b"%d %d" % (i + 1, wire.size(m)) for i, m in enumerate(contents)]
    uidls = curl(server, home, "-X", "UIDL", door=door).stdout.splitlines()
    assert len({u.split()[1] for u in uidls}) == len(contents)
    for i, n in ((3, 0), (3, 2), (6, 100)):
        top = curl(server, home, "-X", f"TOP {i} {n}", door=door).stdout
        assert top == wire.unstuff(wire.top(contents[i - 1], n)), (i, n)
    assert set(on_disk(anna).values()) == {""}
    for i, m in enumerate(contents):
        if i % 4 == (door == "TLS"):
            assert curl(server, home, door=door, path=str(i + 1)).stdout == wire.whole(m), m[:60]
    seen = {i for i in range(len(contents)) if i % 4 == (door == "TLS")}
    logins(server)
    assert on_disk(anna) == {f"10000000{i:02d}.M{i}.test": "S" if i in seen else "" for i in range(len(contents))}
    curl(server, home, "-l", "-X", "DELE", door=door, path="3")
    logins(server)
    assert len(anna.files()) == len(contents) - 1 and not [n for n in anna.files() if ".M2.test" in n]
    assert curl(server, home, "-X", "UIDL", door=door).stdout.splitlines() == [
        b"%d %s" % (i + 1, u.split()[1]) for i, u in enumerate(uidls[:2] + uidls[3:])]
    refused = curl(server, home, door=door, path="99", status=(8, 56, 78))
    assert refused.stdout == b""


@needs("curl")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
def test_curl_several_on_one_connection(filled, home, door):
    got = curl(filled, home, door=door, path=[str(i + 1) for i in range(len(MESSAGES))] * 3).stdout
    assert got == b"".join(wire.whole(m) for m in MESSAGES) * 3
    assert len(logins(filled)) == 1
    assert set(on_disk(filled.accounts["anna"]).values()) == {"S"}


@needs("curl")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
@pytest.mark.parametrize("option, said", [
    (["--login-options", "AUTH=PLAIN"], b"> AUTH PLAIN\r?\n"), (["--login-options", "AUTH=LOGIN"], b"> AUTH LOGIN\r?\n"),
    (["--login-options", "AUTH=PLAIN", "--sasl-ir"], b"> AUTH PLAIN [A-Za-z0-9+/=]+\r?\n"),
    (["--login-options", "AUTH=*"], b"> AUTH "),
])
def test_curl_mechanisms(filled, home, door, option, said):
    done = curl(filled, home, "-v", *option, door=door, path="1")
    assert re.search(said, done.stderr), done.stderr
    assert done.stdout == wire.whole(MESSAGES[0])
    done = curl(filled, home, "--user", "anna:wrong", *option, door=door, path="1", status=67)
    assert done.stdout == b""


@needs("curl")
def test_curl_is_refused_in_the_clear(filled, home):
    done = run("curl", "-q", "-sSv", "--max-time", "10", "--user", "anna:sesame", f"pop3://localhost:{filled.pop3}/1",
               cwd=home, status=67)
    assert done.stdout == b"" and b"sesame" not in done.stderr
    assert "pop3 login" not in filled.log()


# --- mutt ---


def on_terminal(command, home, seconds=20):
    """Runs command on a terminal until it ends by itself; returns its status and the screen's octets."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            os.chdir(home)
            command = as_user(command)
            os.execvpe(command[0], command, environment(home))
        finally:
            os._exit(127)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    seen, end = b"", time.monotonic() + seconds
    try:
        while select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:  # EIO: it has ended
                return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError(f"it waits for somebody: {seen[-2000:]!r}")
    finally:
        os.close(fd)


@needs("mutt")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
def test_mutt(filled, home, door):
    """Opens the mailbox, copies two messages to a folder of its own, deletes the last one, and quits."""
    url = f"pops://anna@localhost:{filled.pop3s}/" if door == "TLS" else f"pop://anna@localhost:{filled.pop3}/"
    private(home / "muttrc", f"""set pop_pass=sesame ssl_ca_certificates_file="{filled.ca}" certificate_file="{home}/certs"
set ssl_starttls=yes ssl_force_tls=yes
set folder="{home}" mbox_type=Maildir spoolfile="{home}/none" record="" postponed="{home}/none"
set confirmappend=no confirmcreate=no delete=yes quit=yes resolve=no sort=mailbox-order mail_check=0 beep=no
set sleep_time=0 pop_checkinterval=600 pop_reconnect=no move=no
push "<first-entry><copy-message><kill-line>{home}/saved<enter><jump>6<enter><copy-message><kill-line>{home}/saved<enter><last-entry><delete-message><quit>"
""")
    status, screen = on_terminal(["mutt", "-n", "-F", home / "muttrc", "-f", url], home)
    assert status == 0, screen[-2000:]
    same([p.read_bytes() for sub in ("cur", "new") for p in (home / "saved" / sub).iterdir()],
         [MESSAGES[0], MESSAGES[5]], "status", "content-length", "lines")
    assert len(logins(filled)) == 1
    left = on_disk(filled.accounts["anna"])
    assert left == {f"100000000{i}.M{i}.test": "S" if i in (0, 5) else "" for i in range(len(MESSAGES) - 1)}


# --- openssl ---


@needs("openssl")
@pytest.mark.parametrize("door", ["STLS", "TLS"])
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3", None])
def test_openssl_s_client(serve, home, door, version):
    server = serve()
    anna = server.accounts["anna"]
    contents = [MESSAGES[2], *ODD]
    for i, m in enumerate(contents):
        anna.deliver(m, f"100000000{i}.M{i}.test")
    where = ["-connect", f"localhost:{server.pop3}", "-starttls", "pop3"] if door == "STLS" else [
        "-connect", f"localhost:{server.pop3s}"]
    if version == "-tls1_3" and not re.search(r"[Mm]bed ?TLS 3\.", subprocess.run(
            [PROGRAM, "version"], capture_output=True, text=True).stdout):
        pytest.skip("this TLS library has no TLS 1.3 for servers")
    commands = ["USER anna", "PASS sesame", "STAT"] + [f"RETR {i + 1}" for i in range(len(contents))] + ["DELE 1", "QUIT"]
    done = run("openssl", "s_client", "-quiet", "-crlf", "-verify_return_error", "-verify_hostname", "localhost",
               "-CAfile", server.ca, *where, *([version] if version else []), cwd=home,
               given="".join(c + "\n" for c in commands).encode())
    rest = done.stdout
    greeting = 0 if door == "STLS" else 1  # s_client takes it when it speaks STLS
    for _ in range(greeting + 2):
        line, _, rest = rest.partition(b"\r\n")
        assert line.startswith(b"+OK"), line
    line, _, rest = rest.partition(b"\r\n")
    assert line == b"+OK %d %d" % (len(contents), sum(map(wire.size, contents)))
    for m in contents:
        line, _, rest = rest.partition(b"\r\n")
        assert line.startswith(b"+OK"), line
        assert rest.startswith(wire.retr(m)), m[:60]
        rest = rest[len(wire.retr(m)):]
    assert [line[:3] for line in rest.split(b"\r\n")] == [b"+OK", b"+OK", b""]
    line, = logins(server)
    assert version is None or f"tls={version[4:].replace('_', '.')} " in line
    assert on_disk(anna) == {f"100000000{i}.M{i}.test": "S" for i in range(1, len(contents))}


# --- poplib ---


@pytest.mark.parametrize("door", ["STLS", "TLS"])
def test_poplib(serve, door, monkeypatch):
    monkeypatch.setattr(poplib, "_MAXLINE", 10000)
    server = serve()
    anna = server.accounts["anna"]
    contents = MESSAGES + ODD
    for i, m in enumerate(contents):
        anna.deliver(m, f"10000000{i:02d}.M{i}.test")
    if door == "TLS":
        p = server.pops()
    else:
        p = server.clear()
        assert "STLS" in p.capa()
        assert p.stls(server.context()).startswith(b"+OK")
    capa = p.capa()
    assert "STLS" not in capa and "UIDL" in capa and capa["SASL"] == ["PLAIN", "LOGIN"]
    p.utf8()
    p.user("anna")
    p.pass_("sesame")
    for i, m in enumerate(contents, 1):
        _, lines, octets = p.retr(i)
        assert b"".join(line + b"\r\n" for line in lines) == wire.whole(m) and octets == wire.size(m)
        _, lines, _ = p.top(i, 1)
        assert b"".join(line + b"\r\n" for line in lines) == wire.unstuff(wire.top(m, 1))
    p.dele(2)
    p.rset()
    p.dele(4)
    assert p.stat()[0] == len(contents) - 1
    p.quit()
    assert on_disk(anna) == {f"10000000{i:02d}.M{i}.test": "S" for i in range(len(contents)) if i != 3}
