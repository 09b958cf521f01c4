"""sallyport maildir: check explains a tree and changes nothing, --repair loses nothing, index may be interrupted."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import ASAN, BUILD, HAS_NAMESPACES, IS_ROOT, PROGRAM, Account, until

MESSAGE = b"From: a@example.org\nTo: b@example.org\nSubject: number %d\n\nbody\n"
CAPTURED = BUILD / "captured" / "sallyport"
UID = 61001 if IS_ROOT else os.geteuid()


def maildir(*arguments, cwd=None, timeout=60):
    done = subprocess.run([PROGRAM, "maildir", *map(str, arguments)], cwd=cwd, text=True, capture_output=True,
                          timeout=timeout)
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr
    return done


@pytest.fixture
def anna():
    home = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test."))
    home.chmod(0o755)
    account = Account("anna", "sesame", UID, home)
    account.make()
    account.own(home)
    account.make_folder("Sub")
    for i in range(10):
        account.deliver(MESSAGE % i, f"{1000 + i}.M{i}.test:2,{'S' if i % 2 else ''}", sub="cur")
    account.deliver(MESSAGE % 10, folder="Sub")
    yield account
    shutil.rmtree(home)


def everything(top):
    """All there is below, with what would show any change."""
    found = {}
    for where, dirs, files in os.walk(top):
        for name in [".", *dirs, *files]:
            st = os.lstat(os.path.join(where, name))
            found[os.path.relpath(os.path.join(where, name), top)] = (st.st_ino, st.st_mode, st.st_uid, st.st_size,
                                                                      st.st_mtime_ns, st.st_ctime_ns)
    return found


def contents(account):
    """The messages themselves, whatever they are called."""
    return sorted(p.read_bytes() for f in (None, "Sub") for s in ("cur", "new")
                  for p in (account.folder(f) / s).iterdir() if p.is_file())


def texts_of(said, folder):
    return int(re.search(rf"^{folder}: .*?^  index: .*?of (\d+) message", said, re.S | re.M)[1])


# --- check ---


def test_check_explains_and_changes_nothing(anna):
    before = everything(anna.maildir)
    done = maildir("check", anna.maildir)
    assert done.returncode == 0 and done.stderr == "", done
    assert everything(anna.maildir) == before
    assert "INBOX: 10 messages, 5 unseen, 0 in new" in done.stdout
    assert "Sub: 1 message, 1 unseen, 1 in new" in done.stdout
    assert "index: none" in done.stdout and done.stdout.endswith(f"{anna.maildir}: nothing odd\n")
    assert maildir("index", anna.maildir).returncode == 0
    before = everything(anna.maildir)
    done = maildir("check", "Maildir", cwd=anna.home)
    assert done.returncode == 0 and everything(anna.maildir) == before
    assert "UIDNEXT 11; 0 messages without a UID yet" in done.stdout
    assert "of 10 messages" in done.stdout and "Sub: 1 message, 1 unseen, 0 in new" in done.stdout


def spoil(anna):
    """Many odd things at once; those that repair mends, and those that it leaves."""
    m = anna.maildir
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert maildir("index", m).returncode == 0
    (m / "cur/1000.M0.test:2,F").write_bytes(b"Subject: another\n\n")
    (m / "dovecot-uidlist.lock").write_text(f"{ended.pid}:{os.uname().nodename}")
    (m / "sallyport.index").write_bytes(b"x" * 5000)
    with open(m / "dovecot-uidlist", "a") as f:
        f.write("99 :half")
    (m / "tmp").rmdir()
    (m / ".Half").mkdir()
    for sub in ("new", "tmp", "maildirfolder"):
        (m / ".Half" / sub).touch() if sub == "maildirfolder" else (m / ".Half" / sub).mkdir()
    for path in m.rglob("*"):
        anna.own(path)
    mended = ["has the base name of another", "dovecot-uidlist.lock is the lock", "sallyport.index is damaged",
              "dovecot-uidlist has lines that cannot be read", "tmp is missing", "cur is missing"]
    os.mkfifo(m / "cur/1.\x1b[2Jfifo")
    (m / "cur/1006.M6.test:2,").chmod(0)
    (m / "maildirsize").write_text("1000S\n")
    (m / "subscriptions").write_text("Nowhere\n")
    for value in ("00000001", "00000002"):
        (m / f"dovecot-uidvalidity.{value}").touch()
    stay = [r"cur/1.\x1b[2Jfifo is no message (a FIFO)", "cur/1006.M6.test:2, cannot be read", "maildirsize is a quota",
            "Nowhere is subscribed to", "dovecot-uidvalidity.* is there more than once; the highest counts (3 files)"]
    for path in m.rglob("*"):
        anna.own(path)
    return mended, stay


def test_check_finds_and_repair_mends(anna):
    mended, stay = spoil(anna)
    messages, before = contents_as_root(anna), everything(anna.maildir)
    validity = (anna.maildir / "dovecot-uidlist").read_text().split()[1]
    done = maildir("check", anna.maildir)
    assert done.returncode == 1, done
    assert everything(anna.maildir) == before, "without --repair nothing is changed"
    for text in mended + stay:
        assert text in done.stdout, (text, done.stdout)
    assert f"{len(mended) + len(stay)} odd things" in done.stdout, done.stdout
    assert "\x1b" not in done.stdout

    done = maildir("check", "--repair", anna.maildir)
    assert done.returncode == 1 and done.stderr == "", done
    for text in mended:
        assert text not in done.stdout, (text, done.stdout)
    for text in stay:
        assert text in done.stdout, (text, done.stdout)
    for text in ("made tmp in INBOX", "made cur in Half", "removed dovecot-uidlist.lock", "rebuilt: sallyport.index",
                 "gave names of their own to 1 message", "gave UIDs to 1 message"):
        assert f"mended: {text}" in done.stdout, (text, done.stdout)
    assert contents_as_root(anna) == messages, "no message is lost"
    assert (anna.maildir / "dovecot-uidlist").read_text().split()[1] == validity
    assert not [p for p in anna.maildir.rglob("*") if p.lstat().st_uid != UID], "nothing is root's"
    again = maildir("check", anna.maildir, "--repair")
    assert again.returncode == 1 and "mended" not in again.stdout.replace("mended: rebuilt", ""), again.stdout


def contents_as_root(account):
    """As contents, also of what its owner cannot read."""
    closed = account.maildir / "cur/1006.M6.test:2,"
    mode = closed.stat().st_mode & 0o777
    closed.chmod(0o600)
    try:
        return contents(account)
    finally:
        closed.chmod(mode)


def test_a_lost_uidlist_is_said_before_and_after(anna):
    assert maildir("index", anna.maildir).returncode == 0
    lines = (anna.maildir / "dovecot-uidlist").read_text()
    validity = int(re.match(r"3 V(\d+) ", lines)[1])
    (anna.maildir / "dovecot-uidlist").write_text("3 no such thing\n" + lines)
    done = maildir("check", anna.maildir)
    assert done.returncode == 1 and "all messages will get new UIDs" in done.stdout
    assert (anna.maildir / "dovecot-uidlist").read_text().startswith("3 no"), "not by looking"
    done = maildir("check", anna.maildir, "--repair")
    assert done.returncode == 0, done
    new = int(re.search(r"mended: gave all messages new UIDs, under UIDVALIDITY (\d+)", done.stdout)[1])
    assert new > validity and f"UIDVALIDITY {new}, UIDNEXT 11" in done.stdout


def test_mend08_a_cut_uidlist_is_said_before_and_after(anna):
    assert maildir("index", anna.maildir).returncode == 0
    lines = (anna.maildir / "dovecot-uidlist").read_bytes()
    validity = int(re.match(rb"3 V(\d+) ", lines)[1])
    (anna.maildir / "dovecot-uidlist").write_bytes(lines[:-4])
    done = maildir("check", anna.maildir)
    assert done.returncode == 1 and "dovecot-uidlist has lines that cannot be read" in done.stdout, done.stdout
    assert "(its last line has no end)" in done.stdout
    done = maildir("check", anna.maildir, "--repair")
    assert done.returncode == 0 and "mended: wrote whole again: dovecot-uidlist" in done.stdout, done.stdout
    assert f"UIDVALIDITY {validity}, " in done.stdout
    assert (anna.maildir / "dovecot-uidlist").read_bytes().splitlines()[1:-1] == lines.splitlines()[1:-1]


@pytest.mark.root
def test_mend30_files_of_root_are_found(anna):
    """What a command that was typed as root has left; its owner can mend the lock file only."""
    assert maildir("index", anna.maildir).returncode == 0
    os.chown(anna.maildir / "sallyport.lock", 0, 0)
    os.chown(anna.maildir / "cur" / "1001.M1.test:2,S", 0, 0)
    (anna.maildir / "cur" / "1001.M1.test:2,S").chmod(0o644)
    done = maildir("check", anna.maildir)
    assert done.returncode == 1
    assert "sallyport.lock belongs to another user (uid 0, root)" in done.stdout
    assert "cur/1001.M1.test:2,S belongs to another user (uid 0, root)" in done.stdout
    done = maildir("check", anna.maildir, "--repair")
    assert "sallyport.lock cannot be used, and is sallyport.lock.odd now" in done.stdout, done
    assert done.returncode == 1 and "cur/1001.M1.test:2,S belongs to another user" in done.stdout, done
    assert (anna.maildir / "sallyport.lock").stat().st_uid == anna.uid


@pytest.mark.root
def test_mend10_owners_are_named(anna):
    done = maildir("check", anna.maildir)
    assert done.returncode == 0 and done.stdout.startswith(f"{anna.maildir}: belongs to uid {UID}\n") and "try:" not in done.stdout
    closed = anna.maildir / "cur" / "1001.M1.test:2,S"
    os.chown(closed, 0, 0)
    closed.chmod(0o600)
    done = maildir("check", anna.maildir)
    assert done.returncode == 1 and "cur/1001.M1.test:2,S cannot be read (uid 0, root) (mode 0600)" in done.stdout, done.stdout
    subprocess.run(re.search(r"^  try: (.*)$", done.stdout, re.M)[1].split(), check=True)
    assert maildir("check", anna.maildir).returncode == 0
    for path in [anna.maildir, *anna.maildir.rglob("*")]:
        shutil.chown(path, "nobody", "nogroup")
    done = maildir("check", anna.maildir)
    assert done.returncode == 2 and re.search(r"Permission denied; it belongs to uid \d+$", done.stderr, re.M), done
    anna.home.chmod(0o755)
    assert re.search(r"^/\S+: belongs to uid \d+, nobody$", maildir("check", anna.maildir).stdout, re.M)


@pytest.mark.root
def test_owner_below_min_uid_is_refused(anna):
    """The default of min_uid, since this machine has no configuration: a system's user has no mail."""
    for path in [anna.maildir, *anna.maildir.rglob("*")]:
        os.chown(path, 33, 33)
    anna.home.chmod(0o755)
    for command in ("check", "index"):
        done = maildir(command, anna.maildir)
        assert done.returncode == 2 and "below min_uid" in done.stderr and done.stdout == ""


OWN_ETC = """
cp /etc/passwd /etc/group /etc/nsswitch.conf "$1" && mkdir "$1/sallyport" && cp "$2" "$1/sallyport/sallyport.conf" &&
    mount --bind "$1" /etc && shift 2 && exec "$@"
"""


@pytest.mark.root
@pytest.mark.skipif(not HAS_NAMESPACES, reason="needs a mount namespace")
@pytest.mark.parametrize("setting, says", [
    (f"min_uid = {UID}", None),
    (f"min_uid = {UID + 1}", "below min_uid"),
    (f"min_uid = {UID + 1}\nno_such_setting = 1", "sallyport.conf:4: there is no setting"),
    ("min_uid = many", "sallyport.conf:3: min_uid"),
])
def test_min_uid_of_the_configuration(anna, tmp_path, setting, says):
    """A configuration that is wrong does not count as none: the default may let in whom it keeps out."""
    conf, etc = tmp_path / "conf", tmp_path / "etc"
    etc.mkdir()
    conf.write_text(f"listen_pop3s = *\ncertificate = /c /k\n{setting}\n")
    for command in ("check", "index"):
        shutil.rmtree(etc)
        etc.mkdir()
        done = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_ETC, "sh", etc, conf, PROGRAM,
                               "maildir", command, anna.maildir], capture_output=True, text=True, timeout=20)
        if says is None:
            assert done.returncode == 0, done
        else:
            assert done.returncode == 2 and says in done.stderr and done.stdout == "", done


@pytest.mark.root
def test_index_is_confined(serve):
    """Typed by root it runs as the owner, in the Maildir as its root directory, with a reader's filter and no input."""
    server = serve()
    anna = server.accounts["anna"]
    many(anna)
    p = subprocess.Popen([PROGRAM, "maildir", "index", anna.maildir], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        status = pathlib.Path(f"/proc/{p.pid}/status")
        until(lambda: "Seccomp:\t2" in status.read_text(), 5, "it is confined")
        text = status.read_text()
        assert f"Uid:\t{anna.uid}\t{anna.uid}\t{anna.uid}\t{anna.uid}" in text and "CapPrm:\t0000000000000000" in text
        assert os.readlink(f"/proc/{p.pid}/root") == str(anna.maildir)
        assert os.readlink(f"/proc/{p.pid}/fd/0") == "/dev/null"
    finally:
        p.stdin.close()
        p.terminate()
        p.wait(20)


@pytest.mark.root
def test_what_root_has_open_is_closed(anna, tmp_path):
    """A file of root that the caller left open is not the owner's to read.  Nobody reads the terminal, so that the command
    waits for it."""
    for i in range(200):
        anna.make_folder(f"F{'x' * 60}{i}")
    secret = tmp_path / "secret"
    secret.write_text("for root only")
    secret.chmod(0o600)
    ours, terminal = pty.openpty()
    with secret.open("rb") as f:
        p = subprocess.Popen([PROGRAM, "maildir", "index", anna.maildir], stdout=terminal, pass_fds=[f.fileno()])
    try:
        until(lambda: "Seccomp:\t2" in pathlib.Path(f"/proc/{p.pid}/status").read_text(), 10, "it is confined")
        found = {fd.name: os.readlink(fd) for fd in pathlib.Path(f"/proc/{p.pid}/fd").iterdir()}
        assert found["0"] == "/dev/null" and str(secret) not in found.values(), found
    finally:
        p.kill()
        p.wait(20)
        os.close(terminal)
        os.close(ours)


def test_closed_output_is_no_file_of_the_maildir(anna):
    """Without standard output and error no file of the Maildir gets their numbers, and with them what is printed."""
    before = contents(anna)
    script = f'exec "{PROGRAM}" maildir check --repair "{anna.maildir}" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", script], timeout=60).returncode == 0
    assert contents(anna) == before
    for path in anna.maildir.rglob("*"):
        assert not path.is_file() or b"nothing odd" not in path.read_bytes(), path
    assert maildir("check", anna.maildir).returncode == 0


@pytest.mark.root
@pytest.mark.parametrize("kind, attack", [("terminal", "read"), ("terminal", "readv"), ("terminal", "dup"), ("socket", "recv")])
def test_a_captured_owner_reads_no_output(anna, kind, attack):
    """Standard output of a shell in a terminal or over ssh is open for both directions: it must not tell what is typed."""
    ours, theirs = pty.openpty() if kind == "terminal" else [s.detach() for s in socket.socketpair()]
    os.write(ours, b"sesame\n")
    p = subprocess.Popen([CAPTURED, "maildir", "check", anna.maildir], stdin=theirs, stdout=theirs, stderr=theirs,
                         env=os.environ | {"SALLYPORT_CAPTURED_OWNER": attack})
    os.close(theirs)
    status = p.wait(20)
    said = os.read(ours, 4096).replace(b"sesame\r\n", b"", 1) if ASAN or status >= 0 else b""
    os.close(ours)
    assert b"sesame" not in said and status == (1 if ASAN else -signal.SIGSYS), said


@pytest.mark.parametrize("command", ["check", "index"])
@pytest.mark.parametrize("attack", ["socket", "recvmsg"])
def test_a_captured_owner_has_no_network_and_gets_no_descriptor(anna, command, attack):
    done = subprocess.run([CAPTURED, "maildir", command, anna.maildir], env=os.environ | {"SALLYPORT_CAPTURED_OWNER": attack},
                          capture_output=True, text=True, timeout=20)
    assert f"{attack}: EPERM" in done.stdout if ASAN else done.returncode == -signal.SIGSYS, done


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
@pytest.mark.parametrize("path", ["/dev/null", "/proc/self/mem"])
def test_a_captured_owner_opens_no_file_outside(anna, path, landlock):
    for command in ("check", "index"):
        env = os.environ | {"SALLYPORT_CAPTURED_OWNER": path} | ({} if landlock else {"SALLYPORT_WITHOUT_LANDLOCK": "1"})
        done = subprocess.run([CAPTURED, "maildir", command, anna.maildir], env=env, capture_output=True, text=True, timeout=20)
        assert re.search(f"^{path}: (EACCES|ENOENT)", done.stdout, re.M), done


def test_mend32_a_line_feed_in_a_name(serve):
    """dovecot-uidlist is made of lines: such a message waits, the log says so, and --repair gives it another name."""
    server = serve()
    anna = server.accounts["anna"]
    anna.deliver(MESSAGE % 1, "1000.a:2,S", sub="cur")
    anna.deliver(MESSAGE % 2, "1001.b\n2 :1000.a:2,F", sub="cur")
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").find(rb"^\* 1 EXISTS")
    server.wait_log(r"maildir notice user=anna .*1001\.b.*a name that no message can have; maildir check --repair renames it")
    done = maildir("check", anna.maildir)
    assert done.returncode == 1 and r"odd: cur/1001.b\x0a2 :1000.a:2,F has a name that no message can have" in done.stdout
    done = maildir("check", anna.maildir, "--repair")
    assert done.returncode == 0 and r"mended: gave another name to cur/1001.b\x0a2 :1000.a:2,F in INBOX" in done.stdout
    assert talk.cmd("NOOP").find(rb"^\* 2 EXISTS")
    assert rb"(\Flagged" in talk.cmd("FETCH 2 (FLAGS BODY[HEADER.FIELDS (SUBJECT)])").untagged[0]
    assert b"number 2" in talk.last.untagged[0] and b"number 1" in talk.cmd("FETCH 1 BODY[]").untagged[0]


def parts(anna, path, *names):
    """Directories of a folder with a message in the first one."""
    for name in names:
        (path / name).mkdir(parents=True)
    (path / names[0] / "1000.a:2,S").write_bytes(MESSAGE % 1)
    subprocess.run(["chown", "-hR", f"{anna.uid}", anna.maildir], check=True)


def test_the_whole_tree_is_walked_and_each_remedy_can_be_typed(serve):
    """Archive/2025/cur three levels down, cur without new, and links at two levels; in the order that is printed."""
    server = serve()
    anna = server.accounts["anna"]
    m = anna.maildir
    parts(anna, m / "Archive" / "2025", "cur", "new", "tmp")
    parts(anna, m / "Archive" / "2025" / "07 it's", "cur")
    parts(anna, m / "Archive", "cur")
    parts(anna, m / ".Sub" / "Deep" / "er" / "and" / "so" / "on", "new")
    parts(anna, anna.home / "elsewhere", "cur", "new", "tmp")
    for link in (m / "Link", m / "Archive" / "2024", m / ".Dot"):
        link.symlink_to(anna.home / "elsewhere")
    (m / "Other").symlink_to("/usr")
    for link in m.rglob("*"):
        if link.is_symlink():
            os.lchown(link, anna.uid, -1)
    before = everything(m)
    done = maildir("check", m)
    assert done.returncode == 1 and everything(m) == before
    odd = re.findall(r"odd: (.*) has messages and is no folder", done.stdout)
    assert len(odd) == 4 and odd.index("Archive/2025") < odd.index("Archive") and "Other" not in done.stdout, done.stdout
    for path, directory in (("Link", ".Link"), ("Archive/2024", ".Archive.2024"), (".Dot", ".Dot")):
        assert f"odd: {path} is a symbolic link, which is not followed ({anna.home}/elsewhere)\n" in done.stdout
        there = f"$'{m}/{directory}'"
        assert f"type as root: rm $'{m}/{path}' && mkdir {there} && mount --bind TARGET {there}\n" in done.stdout
    typed = re.findall(r"to see its mail, type: (mv .*)", done.stdout)
    assert len(typed) == 4
    for command in typed:
        subprocess.run(["bash", "-c", command], check=True)
    talk = server.imap_talk()
    for folder in ("Archive", "Archive/2025", "Archive/2025/07 it's", "Sub/Deep/er/and/so/on"):
        assert talk.cmd(f'EXAMINE "{folder}"').find(rb"^\* 1 EXISTS"), (folder, talk.last)


# --- index ---


def test_index_is_what_a_session_finds(serve):
    server = serve()
    anna = server.accounts["anna"]
    for i in range(50):
        anna.deliver(MESSAGE % i)
    done = maildir("index", anna.maildir)
    assert done.returncode == 0 and done.stderr == "", done
    assert re.search(r"^INBOX: 50 messages, 50 read, index \d", done.stdout, re.M)
    assert re.search(r"^1 folder, 50 messages, 50 read, \d+\.\d seconds$", done.stdout, re.M)
    assert not [p for p in anna.maildir.rglob("*") if p.lstat().st_uid != anna.uid], "nothing is root's"
    snapshot = os.stat(anna.maildir / "sallyport.index").st_ino
    i = server.imap_login()
    assert i.select()[1] == [b"50"]
    got = i.uid("FETCH", "1:*", "(ENVELOPE BODYSTRUCTURE RFC822.SIZE)")[1]
    assert len(got) == 50 and all(b'"number ' in line for line in got)
    i.logout()
    assert os.stat(anna.maildir / "sallyport.index").st_ino == snapshot, "and did not have to make it again"
    assert "50 messages, 0 read" in maildir("index", anna.maildir).stdout


def many(anna, n=15000):
    """Many messages, at the price of links."""
    (anna.maildir / "cur/1.M0.many:2,").write_bytes(MESSAGE % 0 + b"x" * 72 + b"\n" * 20000)
    anna.own(anna.maildir / "cur/1.M0.many:2,")
    for i in range(1, n):
        os.link(anna.maildir / "cur/1.M0.many:2,", anna.maildir / f"cur/{1 + i}.M{i}.many:2,")
    return n + 10


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_index_interrupted_loses_nothing(anna, sig):
    n = many(anna)
    master, slave = pty.openpty()
    p = subprocess.Popen([PROGRAM, "maildir", "index", anna.maildir], stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    said = b""
    deadline = time.monotonic() + 60
    try:
        while p.poll() is None or select.select([master], [], [], 0)[0]:
            assert time.monotonic() < deadline, said
            if not select.select([master], [], [], 0.2)[0]:
                continue
            try:
                said += os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if b" of " in said and p.poll() is None:
                p.send_signal(sig)
        assert p.wait(60) == -sig, said
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
        os.close(master)
    assert re.search(rb"\r\x1b\[KINBOX: \d+ of %d messages" % n, said), said
    done = maildir("check", anna.maildir)
    assert done.returncode == 0, done.stdout
    first = texts_of(done.stdout, "INBOX")
    if sig != signal.SIGKILL:
        assert 0 < first < n and b"interrupted, nothing is lost" in said
    done = maildir("index", anna.maildir)
    assert done.returncode == 0
    assert int(re.search(r"^INBOX: \d+ messages, (\d+) read", done.stdout, re.M)[1]) == n - first
    assert texts_of(maildir("check", anna.maildir).stdout, "INBOX") == n


# --- beside sessions ---


def test_beside_sessions_nothing_is_odd_and_nothing_lost(serve):
    server = serve()
    anna = server.accounts["anna"]
    for i in range(200):
        anna.deliver(MESSAGE % i)
    i = server.imap_login()
    i.select()
    uids = i.uid("SEARCH", "ALL")[1][0].split()
    stop = threading.Event()

    def work():
        n = 0
        while not stop.is_set():
            i.uid("STORE", f"{1 + n % 200}", "+FLAGS" if n % 400 < 200 else "-FLAGS", r"(\Flagged)")
            if n % 10 == 0:
                anna.deliver(MESSAGE % n)
            n += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for command in (["check"], ["check", "--repair"], ["index"]) * 4:
            done = maildir(*command, anna.maildir)
            assert done.returncode == 0 and done.stderr == "", (command, done)
    finally:
        stop.set()
        worker.join()
    assert i.uid("SEARCH", "ALL")[1][0].split()[:200] == uids
    i.logout()


# --- what was typed ---


@pytest.mark.parametrize("arguments, says", [
    ([], "check or index is wanted"),
    (["check"], "one PATH is wanted"),
    (["index"], "one PATH is wanted"),
    (["check", "{maildir}", "{maildir}"], "one PATH is wanted"),
    (["mend", "{maildir}"], "there is no such thing: mend"),
    (["index", "--repair", "{maildir}"], "--repair is for check"),
    (["check", "--force", "{maildir}"], "unknown option: --force"),
    (["check", "{home}/none"], "No such file or directory"),
    (["check", "{home}/file"], "it is no directory"),
    (["index", "{home}/file"], "it is no directory"),
    (["check", "{home}"], "it is no Maildir"),
    (["index", "{home}"], "it is no Maildir"),
])
def test_usage(anna, arguments, says):
    (anna.home / "file").write_text("")
    before = everything(anna.home)
    done = maildir(*(a.format(home=anna.home, maildir=anna.maildir) for a in arguments))
    assert done.returncode == 2 and done.stdout == "" and says in done.stderr, done
    assert ("usage:" in done.stderr) == (str(anna.home) not in done.stderr), done.stderr
    assert everything(anna.home) == before


@pytest.mark.root
def test_the_group_of_root_is_refused(anna):
    """An owner whose group nobody knows does not become a member of root's group."""
    os.chown(anna.maildir, -1, 0)
    for command in ("check", "index"):
        done = maildir(command, anna.maildir)
        assert done.returncode == 2 and "its group is root's" in done.stderr and done.stdout == ""


@pytest.mark.root
def test_the_mail_of_root_is_refused(anna):
    os.chown(anna.maildir, 0, 0)
    for command in ("check", "index"):
        done = maildir(command, anna.maildir)
        assert done.returncode == 2 and "belongs to root" in done.stderr, done


@pytest.mark.root
def test_others_are_refused(anna):
    anna.home.chmod(0o755)
    program = shutil.copy(PROGRAM, anna.home)  # the build may be where others do not get to
    done = subprocess.run([program, "maildir", "check", anna.maildir], user=UID + 1, group=UID + 1, text=True,
                          capture_output=True, timeout=20)
    assert done.returncode == 2 and "belongs to another user" in done.stderr, done
