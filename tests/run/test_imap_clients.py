"""Programs that read and copy mail by IMAP, as Debian ships them, with STARTTLS and over TLS.

Each test compares, octet for octet, what the program left on its own side and in the Maildir.  A second run without
changes must leave everything alone.
"""

import mailbox
import re
import signal
import subprocess
import time
import urllib.parse

import pytest

import wire
from conftest import until
from test_clients import (HEAD, MESSAGES, as_user, environment, home, needs, new_box, on_disk, on_terminal, own,
                          private, run, same)

DOORS = pytest.mark.parametrize("door", ["STARTTLS", "TLS"])
JAPAN, JAPAN_IMAP = "日本語", "&ZeVnLIqe-"


def port(server, door):
    return server.imap if door == "STARTTLS" else server.imaps


def ended(server, name="anna"):
    """The log lines of the ends of this user's IMAP sessions, once all have ended."""
    for one in re.findall(rf"^([0-9a-f]{{8}})/reader imap login user={name} ", server.log(), re.M):
        server.wait_log(rf"{one}/reader imap end user={name}")
    return re.findall(rf"^[0-9a-f]{{8}}/reader imap end user={name} .*$", server.log(), re.M)


def octets_in(server):
    """What clients have sent so far."""
    return sum(int(re.search(r" in=(\d+) ", line)[1]) for line in ended(server))


def letter(n, body=None):
    """One of many that differ."""
    kinds = [b"Hello.\n", b".\n..\n", "Schöne Grüße 🌞\n".encode(), b"", b"no newline at the end",
             b"".join(b"%d %s\n" % (i, b"y" * 60) for i in range(200)), b"\n\n\n", b"From here\n"]
    crlf = n % 5 == 4
    content = HEAD + b"Message-ID: <%d@x>\nSubject: number %d\n\tfolded\n\n" % (n, n) + (
        kinds[n % len(kinds)] if body is None else body)
    return content.replace(b"\n", b"\r\n") if crlf else content


def box_files(directory):
    return [p for sub in ("cur", "new") if (directory / sub).is_dir() for p in (directory / sub).iterdir()]


def flags_of(path):
    return "".join(sorted(c for c in path.name.partition(":2,")[2] if c.isupper()))


def plain(content):
    """Without what is the owner's affair: line ends, and the field by which mbsync finds what it wrote."""
    return re.sub(rb"^X-TUID: .*\n", b"", content.replace(b"\r\n", b"\n"), flags=re.M)


def contents(directory):
    """A Maildir folder as (content, flags), sorted."""
    return sorted((plain(p.read_bytes()), flags_of(p)) for p in box_files(directory))


def same_boxes(one, other):
    one, other = contents(one), contents(other)
    assert [(c[:200], f) for c, f in one] == [(c[:200], f) for c, f in other]
    assert one == other


def still(*directories):
    """Every message file there is: its inode and times.  Two that are equal: nothing was done between them."""
    return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns, p.stat().st_ctime_ns)
            for d in directories for p in sorted(d.rglob("*"))
            if p.parent.name in ("cur", "new", "tmp") or p.name in ("dovecot-uidlist", "dovecot-keywords")}


def uids(server, folder="INBOX"):
    """UID -> Message-ID, and UIDVALIDITY."""
    i = server.imap_login()
    assert i.select(folder, readonly=True)[0] == "OK"
    told = i.uid("FETCH", "1:*", "BODY.PEEK[HEADER.FIELDS (Message-ID)]")[1]
    validity = int(i.response("UIDVALIDITY")[1][0])
    i.logout()
    return validity, {int(re.search(rb"UID (\d+)", t[0])[1]): t[1].strip() for t in told if isinstance(t, tuple)}


def put(path, content):
    path.write_bytes(content)
    return own(path)


def refile(path, flags, sub="cur"):
    """What a MUA does to mark a message in a Maildir."""
    target = path.parent.parent / sub / f"{path.name.partition(':2,')[0]}:2,{flags}"
    path.rename(target)
    return target


# --- mbsync ---


def mbsync(server, home, door, *arguments):
    version = run("mbsync", "--version", cwd=home).stdout.decode()
    kind = "TLSType" if tuple(map(int, re.search(r"(\d+)\.(\d+)", version).groups())) >= (1, 5) else "SSLType"
    private(home / "mbsyncrc", f"""FSync no

IMAPAccount anna
Host localhost
Port {port(server, door)}
User anna
Pass sesame
AuthMechs LOGIN
{kind} {"STARTTLS" if door == "STARTTLS" else "IMAPS"}
SystemCertificates no
CertificateFile {server.ca}

IMAPStore server
Account anna

MaildirStore mine
Path {home}/mine/
Inbox {home}/mine/INBOX
SubFolders Verbatim

Channel all
Far :server:
Near :mine:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    (home / "mine").mkdir(exist_ok=True)
    own(home / "mine")
    return run("mbsync", "-c", home / "mbsyncrc", "-V", "-a", *arguments, cwd=home, timeout=60)


COUNT = 300


@needs("mbsync")
@DOORS
def test_mbsync_two_ways(server, home, door):
    anna = server.accounts["anna"]
    folders = ("Work", "Work/Deep er/Lowest", JAPAN_IMAP)
    for n in range(COUNT):
        anna.deliver(letter(n))
    for i, name in enumerate(folders):
        anna.make_folder(name)
        for n in range(20):
            anna.deliver(letter(1000 + 100 * i + n), folder=name)
    mine = home / "mine"
    mbsync(server, home, door)
    # From 1.5 on it writes names as people do.
    pairs = [(None, mine / "INBOX"), *((f, mine / (JAPAN if f == JAPAN_IMAP and (mine / JAPAN).exists() else f))
                                       for f in folders)]
    for folder, directory in pairs:
        assert len(box_files(directory)) == (COUNT if folder is None else 20)
        same_boxes(anna.folder(folder), directory)
    before = uids(server)

    # Changes on both sides, in different messages and in different ways.
    i = server.imap_login(tls=door == "TLS")
    i.select()
    i.store("1:10", "+FLAGS", r"(\Seen)")
    i.store("11:20", "+FLAGS", r"(\Flagged \Answered)")
    i.store("21:40", "+FLAGS", r"(\Deleted)")
    assert i.expunge()[0] == "OK"
    i.logout()
    for n in range(2000, 2005):
        anna.deliver(letter(n))
    anna.make_folder("Made there")
    anna.deliver(letter(2100), folder="Made there")
    number = {p: int(re.search(rb"Message-ID: <(\d+)@x>", p.read_bytes())[1]) for p in box_files(mine / "INBOX")}
    for p, n in sorted(number.items(), key=lambda x: x[1]):
        flags = "S" if 100 <= n < 110 else "FR" if 110 <= n < 120 else "T" if 120 <= n < 135 else None
        if flags is not None:
            refile(p, flags)
        elif 140 <= n < 145:
            p.unlink()
    for directory, first in ((mine / "INBOX", 3000), (mine / "Work", 3100), (mine / "Made here", 3200)):
        new_box(directory)
        for n in range(first, first + 7):
            put(directory / "new" / f"{n}.mine", letter(n))
    said = mbsync(server, home, door, "-D").stdout
    assert said.count(b"[APPENDUID ") == 21
    pairs += [("Made there", mine / "Made there"), ("Made here", mine / "Made here")]
    for folder, directory in pairs:
        same_boxes(anna.folder(folder), directory)
    assert len(anna.files()) == COUNT - 20 - 15 - 5 + 5 + 7
    assert len(anna.files("Work")) == 27 and len(anna.files("Made here")) == 7
    flags = dict(contents(anna.folder()))
    assert [flags[plain(letter(n))] for n in (0, 15, 103, 112, 50)] == ["S", "FR", "S", "FR", ""]
    validity, now = uids(server)
    assert validity == before[0] and {u: m for u, m in now.items() if u in before[1]} == {
        u: m for u, m in before[1].items() if u in now} and min(set(now) - set(before[1])) > max(before[1])

    # Nothing has changed: nothing is sent that changes anything.
    old, sent = still(anna.maildir, mine), octets_in(server)
    said = mbsync(server, home, door, "-D").stdout
    assert still(anna.maildir, mine) == old
    assert octets_in(server) - sent < 4000
    assert re.search(rb">>> \d+ UID FETCH", said)
    assert not re.search(rb">>> \d+ (UID )?(APPEND|STORE|EXPUNGE|CREATE|COPY|MOVE)|>>> .*BODY\.PEEK\[\]", said)


# --- offlineimap ---


def offlineimap(server, home, door):
    private(home / "offlineimaprc", f"""[general]
accounts = anna
metadata = {home}/metadata
ui = quiet
fsync = no
[Account anna]
localrepository = mine
remoterepository = server
[Repository mine]
type = Maildir
localfolders = {home}/mine
sync_deletes = yes
[Repository server]
type = IMAP
remotehost = localhost
remoteport = {port(server, door)}
remoteuser = anna
remotepass = sesame
ssl = {"no" if door == "STARTTLS" else "yes"}
starttls = {"yes" if door == "STARTTLS" else "no"}
sslcacertfile = {server.ca}
auth_mechanisms = PLAIN
maxconnections = 2
""")
    # Its two threads write and read one TLS connection with no lock between them; the tickets that come
    # by themselves in TLS 1.3 make them meet, and it then waits for ever for an answer to what it never sent.
    private(home / "openssl.cnf", "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\n"
            "MaxProtocol = TLSv1.2\n")
    before = len(server.log())
    run("env", f"OPENSSL_CONF={home}/openssl.cnf", "offlineimap", "-c", home / "offlineimaprc", "-o", cwd=home, timeout=60)
    assert "tls=1.3" not in server.log()[before:]


@needs("offlineimap")
@DOORS
def test_offlineimap_two_ways(server, home, door):
    anna = server.accounts["anna"]
    for n in range(40):
        anna.deliver(letter(n))
    anna.make_folder("Work/Deep er")
    for n in range(100, 110):
        anna.deliver(letter(n), folder="Work/Deep er")
    mine = home / "mine"
    offlineimap(server, home, door)
    pairs = [(None, mine / "INBOX"), ("Work/Deep er", mine / "Work.Deep er")]
    for folder, directory in pairs:
        same_boxes(anna.folder(folder), directory)
    before = uids(server)

    i = server.imap_login(tls=door == "TLS")
    i.select()
    i.store("1:3", "+FLAGS", r"(\Seen)")
    i.store("4:6", "+FLAGS", r"(\Deleted)")
    i.expunge()
    i.logout()
    anna.deliver(letter(200))
    number = {int(re.search(rb"Message-ID: <(\d+)@x>", p.read_bytes())[1]): p for p in box_files(mine / "INBOX")}
    for n in (20, 21):
        refile(number[n], "FRS")
    for n in (22, 23):
        refile(number[n], "ST")
    for n in (24, 25):
        number[n].unlink()
    new_box(mine / "Made here")
    put(mine / "Made here" / "new" / "1.mine", letter(300))
    put(mine / "INBOX" / "new" / "2.mine", letter(301))
    offlineimap(server, home, door)
    pairs.append(("Made here", mine / "Made here"))
    for folder, directory in pairs:
        same_boxes(anna.folder(folder), directory)
    assert len(anna.files()) == 40 - 3 - 2 + 1 + 1 and len(anna.files("Made here")) == 1
    flags = dict(contents(anna.folder()))
    assert [flags[plain(letter(n))] for n in (0, 20, 22, 30)] == ["S", "FRS", "ST", ""]
    validity, now = uids(server)
    assert validity == before[0] and {u: m for u, m in now.items() if u in before[1]} == {
        u: m for u, m in before[1].items() if u in now}
    old = still(anna.maildir, mine)
    offlineimap(server, home, door)
    assert still(anna.maildir, mine) == old


# --- mutt, neomutt ---


@pytest.fixture
def filled(server):
    for i, m in enumerate(MESSAGES):
        server.accounts["anna"].deliver(m, f"100000000{i}.M{i}.test")
    return server


@pytest.mark.parametrize("program", [pytest.param(p, marks=needs(p)) for p in ("mutt", "neomutt")])
@DOORS
def test_mutt(filled, home, program, door):
    """Flags, marks, saves and deletes, asks the server for a text, copies out of the account and into it."""
    scheme = "imap" if door == "STARTTLS" else "imaps"
    url = f"{scheme}://anna@localhost:{port(filled, door)}/"
    new_box(home / "local")
    put(home / "local" / "cur" / "1.mine:2,S", letter(50))
    keys = "".join([
        "<first-entry><flag-message>",
        "<jump>2<enter><save-message><kill-line>=Saved<enter>",
        f"<jump>6<enter><copy-message><kill-line>{home}/out<enter>",
        "<jump>4<enter><delete-message><jump>5<enter><toggle-new>",
        "<tag-pattern>=b hidden<enter><tag-prefix><flag-message>",
        f"<change-folder><kill-line>{home}/local<enter><copy-message><kill-line>=Saved<enter>",
        "<change-folder><kill-line>=Saved<enter><last-entry><flag-message><quit>",
    ])
    private(home / "muttrc", f"""set imap_pass=sesame ssl_ca_certificates_file="{filled.ca}" certificate_file="{home}/certs"
set ssl_starttls=yes ssl_force_tls=yes
set folder="{url}" mbox_type=Maildir spoolfile="{url}INBOX" record="" postponed="{home}/none"
set confirmappend=no confirmcreate=no delete=yes quit=yes resolve=no sort=mailbox-order mail_check=0 beep=no
set sleep_time=0 move=no mark_old=no
push "{keys}"
""")
    status, screen = on_terminal([program, "-n", "-F", home / "muttrc", "-f", url + "INBOX"], home)
    assert status == 0, screen[-3000:]
    ended(filled)
    anna = filled.accounts["anna"]
    assert on_disk(anna) == {f"100000000{i}.M{i}.test": {0: "F", 2: "F", 4: "S"}.get(i, "")
                             for i in range(len(MESSAGES)) if i not in (1, 3)}
    added = ("status", "content-length", "lines")
    same([p.read_bytes() for p in box_files(home / "out")], [MESSAGES[5]], *added)
    same([p.read_bytes() for p in box_files(anna.folder("Saved"))], [MESSAGES[1], letter(50)], *added)
    assert sorted(flags_of(p) for p in box_files(anna.folder("Saved"))) == ["", "FS"]


# --- fetchmail ---


@needs("fetchmail")
@DOORS
def test_fetchmail_idles(filled, home, door):
    """It takes what is there into an mbox, idles, and is told of what comes then."""
    anna, mbox = filled.accounts["anna"], home / "mbox"
    mda = private(home / "mda", f"""#!/bin/sh
set -e
{{ echo "From someone@example.org Mon Jan  1 10:00:00 2024"; sed 's/^From />From /'; echo; }} >>{mbox}
""")
    mda.chmod(0o700)
    private(home / "fetchmailrc", f"poll localhost protocol IMAP port {port(filled, door)} username anna password sesame "
            f'{"ssl " if door == "TLS" else ""}sslcertfile "{filled.ca}" sslcertck idle no keep norewrite pass8bits '
            f'no mimedecode no dropstatus mda "{mda}"\n')
    said = home / "said"
    with open(said, "wb") as out:
        fetchmail = subprocess.Popen(as_user(["fetchmail", "--fetchmailrc", home / "fetchmailrc", "--idfile", home / "ids",
                                              "--pidfile", home / "pid", "--invisible", "-v", "-v"]), cwd=home,
                                     env=environment(home), stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        def idling(turns):
            assert fetchmail.poll() is None, said.read_text()[-3000:]
            return len(re.findall(rb"> A\d+ IDLE", said.read_bytes())) >= turns

        until(lambda: idling(1), 20, "fetchmail idles")
        assert len(mailbox.mbox(mbox)) == len(MESSAGES) and anna.files() == []
        for n in range(3):
            begun = time.monotonic()
            anna.deliver(letter(400 + n))
            until(lambda: len(mailbox.mbox(mbox)) == len(MESSAGES) + n + 1 and idling(n + 2), 10, "the new mail")
            assert time.monotonic() - begun < 5
        until(lambda: anna.files() == [], 5, "taken away")
    finally:
        fetchmail.send_signal(signal.SIGTERM)
        fetchmail.wait(10)
    assert len(ended(filled)) == 1
    same([m.as_bytes().replace(b"\n>From ", b"\nFrom ") for m in mailbox.mbox(mbox)],
         [*MESSAGES, *(letter(400 + n) for n in range(3))], "return-path", "status", "x-status")


# --- getmail ---


def getmail(server, home, delete, *arguments):
    """What came in this run."""
    box = new_box(home / "box")
    before = set((box / "new").iterdir())
    private(home / "getmailrc", f"""[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = {server.imaps}
username = anna
password = sesame
ca_certs = {server.ca}
mailboxes = ("INBOX", "Work/Deep er")
[destination]
type = Maildir
path = {box}/
[options]
read_all = false
delete = {"true" if delete else "false"}
delivered_to = false
received = false
""")
    run("getmail", "--getmaildir", home, "--rcfile", home / "getmailrc", *arguments, cwd=home)
    return [p.read_bytes() for p in set((box / "new").iterdir()) - before]


@needs("getmail")
def test_getmail(filled, home):
    anna = filled.accounts["anna"]
    anna.make_folder("Work/Deep er")
    anna.deliver(letter(500), folder="Work/Deep er")
    added = ("return-path", "x-getmail-retrieved-from-mailbox")
    same(getmail(filled, home, delete=False), [*MESSAGES, letter(500)], *added)
    assert set(on_disk(anna).values()) == {""} and len(on_disk(anna)) == len(MESSAGES), "it peeks"
    assert getmail(filled, home, delete=False) == [], "the UIDs were kept"
    anna.deliver(letter(501), folder="Work/Deep er")
    same(getmail(filled, home, delete=True), [letter(501)], *added)
    assert anna.files() == anna.files("Work/Deep er") == []


# --- curl ---


def curl(server, home, door, path="", *arguments, status=0):
    url = f"imap{'' if door == 'STARTTLS' else 's'}://localhost:{port(server, door)}/"
    return run("curl", "-q", "-sS", "--max-time", "15", "--cacert", server.ca, "--user", "anna:sesame",
               *(("--ssl-reqd",) if door == "STARTTLS" else ()), *arguments, url + path, cwd=home, status=status).stdout


@needs("curl")
@DOORS
def test_curl(filled, home, door):
    anna = filled.accounts["anna"]
    anna.make_folder("Work/Deep er")
    anna.make_folder(JAPAN_IMAP)

    def ask(path="", *arguments, **kw):
        return curl(filled, home, door, path, *arguments, **kw)

    names = set(re.findall(rb'\* LIST \([^)]*\) "/" "?([^"\r]*)"?\r\n', ask()))
    assert {b"INBOX", b"Work/Deep er", JAPAN_IMAP.encode()} <= names
    assert re.search(rb"\* %d EXISTS\r\n" % len(MESSAGES), ask("", "-X", "EXAMINE INBOX"))
    assert re.search(rb"\* STATUS \"?INBOX\"? \(MESSAGES %d UIDNEXT %d UNSEEN %d\)\r\n" % (
        len(MESSAGES), len(MESSAGES) + 1, len(MESSAGES)), ask("", "-X", "STATUS INBOX (MESSAGES UIDNEXT UNSEEN)"))
    assert set(on_disk(anna).values()) == {""}, "that changed nothing"

    # SEARCH as it comes and as a URL says it.
    for path, found in (("INBOX?SUBJECT%20dots", [3]), ("INBOX?" + urllib.parse.quote('BODY "Hello Anna" UNSEEN'), [1]),
                        ("INBOX?" + urllib.parse.quote("LARGER 10000"), [6]), ("INBOX?SUBJECT%20absent", [])):
        line, = [x for x in ask(path).splitlines() if x.startswith(b"* SEARCH")]
        assert list(map(int, line.split()[2:])) == found, path
    assert ask("INBOX", "-X", "FETCH 2 RFC822.SIZE") == b"* 2 FETCH (RFC822.SIZE %d)\r\n" % len(wire.wire(MESSAGES[1]))

    for i, m in enumerate(MESSAGES):
        assert ask(f"INBOX;UID={i + 1}") == wire.wire(m), m[:60]
    sent = wire.wire(MESSAGES[5])
    head, _, body = sent.partition(b"\r\n\r\n")
    for path, got in (("INBOX;MAILINDEX=6", sent), ("INBOX;UID=6;SECTION=TEXT", body), ("INBOX;UID=6;PARTIAL=5.100", None),
                      ("INBOX;UID=6;SECTION=HEADER", head + b"\r\n\r\n"), ("INBOX;UID=6;SECTION=1", body),
                      ("INBOX;UID=6;SECTION=HEADER.FIELDS%20(SUBJECT)", b"Subject: large\r\n\r\n")):
        got = sent[5:105] if got is None else got
        assert ask(path) == got, path
    assert set(on_disk(anna).values()) == {"S"}

    # APPEND: empty, small, larger than any buffer, and from a pipe; then it is read back.
    for n, content in enumerate([letter(1), letter(3), HEAD + b"\n" + b"z" * 70 + b"\n" * 300000, MESSAGES[2]]):
        content = wire.wire(content)
        put(home / "up", content)
        ask("Work%2FDeep%20er", "--upload-file", home / "up")
        assert ask(f"Work%2FDeep%20er;UID={n + 1}") == content
    assert len(anna.files("Work/Deep er")) == 4
    ask("No%20such", "--upload-file", home / "up", status=(25, 55, 56, 78))
    assert not anna.folder("No such").exists()

    ask("INBOX", "-X", r"STORE 3 +FLAGS (\Deleted $Label1)")
    ask("INBOX", "-X", "UID MOVE 1 Work/Deep\\ er", status=(8, 21, 56))
    ask("INBOX", "-X", 'UID MOVE 1:2 "Work/Deep er"')
    ask("INBOX", "-X", "EXPUNGE")
    assert [n.partition(":")[0] for n in anna.files()] == [f"100000000{i}.M{i}.test" for i in range(3, len(MESSAGES))]
    assert len(anna.files("Work/Deep er")) == 6
    for missing in ("INBOX;UID=99", "None;UID=1"):
        assert ask(missing, status=(8, 9, 56, 67, 78)) == b""
    assert re.search(rb"\* \d+ EXISTS", ask("", "-X", "EXAMINE " + JAPAN_IMAP))


@needs("curl")
@DOORS
@pytest.mark.parametrize("mechanism, first", [("PLAIN", b"AGFubmEAc2VzYW1l"), ("LOGIN", b"YW5uYQ==")])
def test_curl_mechanisms(filled, home, door, mechanism, first):
    """With an initial response, as the capabilities offer it."""
    url = f"imap{'' if door == 'STARTTLS' else 's'}://localhost:{port(filled, door)}/INBOX;UID=1"
    for password, status in (("sesame", 0), ("wrong", 67)):
        done = run("curl", "-q", "-sSv", "--max-time", "15", "--cacert", filled.ca, "--user", f"anna:{password}",
                   *(("--ssl-reqd",) if door == "STARTTLS" else ()), "--login-options", f"AUTH={mechanism}", url,
                   cwd=home, status=status)
        assert status or re.search(rb"> \S+ AUTHENTICATE %s %s\r?\n" % (mechanism.encode(), first), done.stderr)
        assert done.stdout == (b"" if status else wire.wire(MESSAGES[0]))


@needs("curl")
def test_curl_is_refused_in_the_clear(filled, home):
    done = run("curl", "-q", "-sSv", "--max-time", "10", "--user", "anna:sesame",
               f"imap://localhost:{filled.imap}/INBOX;UID=1", cwd=home, status=67)
    assert done.stdout == b"" and b"sesame" not in done.stderr
    assert "imap login" not in filled.log()
