"""Accounts of the system, which the test makes, and accounts of a users file."""

import base64
import ctypes
import os
import poplib
import pwd
import re
import signal
import subprocess

import pytest

from conftest import ASAN, IS_ROOT, PROGRAM, STANDING, WORKER_USER, until
from test_processes import limit_processes, one, served, status, uid_of, unprivileged

PREFIX = "spt-"


def run(*command, **kw):
    return subprocess.run(command, check=True, capture_output=True, text=True, **kw).stdout.strip()


def answer(server, name, password):
    """'OK', or the response code in brackets."""
    p = server.pops()
    try:
        p._shortcmd("AUTH PLAIN " + base64.b64encode(f"\0{name}\0{password}".encode()).decode())
        p.quit()
        return "OK"
    except poplib.error_proto as e:
        p.close()
        return str(e).split("[")[1].split("]")[0]


# --- system ---


@pytest.fixture
def system_users(tmp_path):
    """useradd with options for a name; all of them are gone afterwards."""
    made = []

    def make(name, *options, password="sesame", shell="/bin/sh"):
        name = PREFIX + name
        made.append(name)
        run("useradd", "-m", "-s", shell, *options, name)
        run("chpasswd", input=f"{name}:{password}\n")
        return name

    yield make
    for name in made:
        subprocess.run(["userdel", "-r", "-f", name], capture_output=True)


@pytest.mark.root
def test_system_accounts(serve, system_users):
    server = serve({"accounts": "system", "min_uid": "500"})
    good = system_users("good")
    assert answer(server, good, "sesame") == "OK"
    assert answer(server, good.upper(), "sesame") == "OK", "names in any case, as with Dovecot"
    assert answer(server, good, "wrong") == answer(server, good, "") == "AUTH"
    assert os.path.isdir(pwd.getpwnam(good).pw_dir + "/Maildir/cur"), "made at the first login"
    server.wait_log(f"login user={good} ")
    server.wait_log(f"denied user={good} .*wrong password")


@pytest.mark.root
def test_mend25_system_names_with_capitals(serve, system_users):
    """As given, then in lower case; one form in the log, and one tally for the limits."""
    server = serve({"accounts": "system", "min_uid": "500", "max_per_user": "1"})
    name = system_users("Zoe", "--badname")
    twin = system_users("zoe", password="other")
    assert answer(server, name, "sesame") == answer(server, twin, "other") == "OK"
    assert answer(server, name, "other") == answer(server, twin, "sesame") == "AUTH"
    assert answer(server, name.upper(), "other") == "OK", "lowered"
    server.wait_log(f"login user={name} ")
    server.wait_log(f"denied user={name} .*wrong password")
    session = server.imap_tls()
    session.login(name.upper(), "other")
    assert answer(server, twin, "other") == "SYS/TEMP", "one user, whatever was typed"
    session.logout()


@pytest.mark.root
@pytest.mark.parametrize("spoil", [
    ["usermod", "-L"], ["chage", "-E", "2020-01-01"], ["chage", "-d", "0"], ["chage", "-d", "2020-01-01", "-M", "30", "-I", "0"],
    ["usermod", "-s", "/usr/sbin/nologin"], ["usermod", "-s", "/bin/false"], ["passwd", "-d"], ["usermod", "-p", "*"]],
    ids=" ".join)
def test_system_accounts_that_login_would_refuse(serve, system_users, spoil):
    server = serve({"accounts": "system"})
    name = system_users("bad")
    assert answer(server, name, "sesame") == "OK"
    run(*spoil, name)
    assert answer(server, name, "sesame") == "AUTH"
    assert answer(server, name, "") == "AUTH"


@pytest.mark.root
def test_system_accounts_of_the_system(serve, system_users):
    server = serve({"accounts": "system", "min_uid": "64000"})
    for name in ("root", "daemon", "nobody", "no-such-user"):
        assert answer(server, name, "sesame") == "AUTH"
    assert answer(server, system_users("low"), "sesame") != "OK", "below min_uid"


# --- a users file ---


def with_users(serve, *lines, settings=None):
    server = serve(settings, start=False)
    uid = server.accounts["anna"].uid
    text = (server.dir / "users").read_text()
    for line in lines:
        text += line.replace("UID", f"{uid}:{uid if uid > 1000 else os.getegid()}").replace("HOME", str(server.dir / "home/anna"))
        text += "\n"
    (server.dir / "users").write_text(text)
    return server.start()


def hashed(kind, password="pass word"):
    if kind == "yescrypt":
        line = run(PROGRAM, "passwd", "-u", "1", "-g", "1", "-h", "/x", "x", input=password + "\n")
        return line.split("}")[1].split(":")[0]
    return run("openssl", "passwd", f"-{kind}", password)


@pytest.mark.parametrize("scheme, kind", [("CRYPT", "6"), ("SHA512-CRYPT", "6"), ("SHA256-CRYPT", "5"), ("MD5-CRYPT", "1"),
                                          ("crypt", "5"), ("CRYPT", "yescrypt"), ("", "6")])
def test_schemes(serve, scheme, kind):
    prefix = f"{{{scheme}}}" if scheme else ""
    server = with_users(serve, f"carl:{prefix}{hashed(kind)}:UID::HOME::")
    assert answer(server, "carl", "pass word") == "OK"
    assert answer(server, "carl", "pass word ") == answer(server, "carl", "Pass word") == "AUTH"


CRYPT = ctypes.CDLL("libcrypt.so.1")
CRYPT.crypt.restype = CRYPT.crypt_gensalt.restype = ctypes.c_char_p
METHODS = ["$y$", "$gy$", "$7$", "$2b$", "$2y$", "$2a$", "$6$", "$5$", "$sha1", "$md5", "$1$", "_", "", "$3$"]


def crypt_by(method, password):
    """A hash by that method of crypt(5), made as cheap as may be; None where this crypt(3) has it not."""
    random = os.urandom(32)
    for cost in (1, 4, 6, 0):
        salt = CRYPT.crypt_gensalt(method.encode(), ctypes.c_ulong(cost), random, len(random))
        if salt is not None:
            text = CRYPT.crypt(password.encode(), salt)
            return text.decode() if text is not None and not text.startswith(b"*") else None
    return None


def test_every_method_that_crypt_offers(serve):
    hashes = {method: crypt_by(method, "pass w\u00f6rd") for method in METHODS}
    offered = [method for method in METHODS if hashes[method] is not None]
    assert {"$y$", "$2b$", "$6$", "$5$"} <= set(offered)
    server = with_users(serve, *(f"u{METHODS.index(m)}:{{CRYPT}}{hashes[m]}:UID::HOME::" for m in offered))
    for method in offered:
        user = f"u{METHODS.index(method)}"
        assert answer(server, user, "pass w\u00f6rd") == "OK", method
        for wrong in ("pass word", "", "Pass w\u00f6rd", hashes[method]):
            assert answer(server, user, wrong) == "AUTH", method


def test_plain_only_when_asked_for(serve):
    line = "carl:{PLAIN}secret:UID::HOME::"
    server = with_users(serve, line)
    assert answer(server, "carl", "secret") == answer(server, "carl", "wrong") == "SYS/TEMP", "no password can be compared"
    server.wait_log("accounts-broken user=carl .*not allowed")
    server = with_users(serve, line, settings={"allow_plain_passwords": "yes"})
    assert answer(server, "carl", "secret") == "OK" and answer(server, "carl", "secre") == "AUTH"


def test_locked_and_unknown_schemes(serve):
    server = with_users(serve, *(f"u{i}:{h}:UID::HOME::" for i, h in enumerate(
        ["!", "*", "{CRYPT}!", "{CRYPT}*", "{NOPE}x", "{SSHA}abc", "{SHA512-CRYPT.B64}x", "{CRYPT}$6$cut", "{CRYPT}"])))
    for i in range(9):
        locked = i in (0, 1, 2, 3, 8)
        assert answer(server, f"u{i}", "") == "AUTH", "PLAIN has no empty passwords"
        for password in ("x", "!", "*", "sesame"):
            assert answer(server, f"u{i}", password) == ("AUTH" if locked else "SYS/TEMP"), i
        server.wait_log(f"denied user=u{i} .*locked" if locked else f"accounts-broken user=u{i} .*scheme")


def test_lines_of_all_kinds(serve):
    h = "{CRYPT}" + hashed("6", "x")
    server = with_users(serve, "# a comment", "", "nonsense", f"zero:{h}:0:0::HOME::", f"nohome:{h}:UID::::",
                        f"carl:{h}:UID:Carl Ogden:HOME:/bin/false:userdb_quota_rule=*:storage=1G proxy=y extra",
                        f"Dora:{h}:UID::HOME\r", f"carl:{hashed('6', 'second')}:UID::HOME::")
    assert answer(server, "carl", "x") == "OK", "a wrong line does not hurt the others; extra fields are passed over"
    assert answer(server, "carl", "second") == "AUTH", "the first of two counts"
    assert answer(server, "dora", "x") == answer(server, "DORA", "x") == "OK"
    for name in ("zero", "nohome"):
        assert answer(server, name, "x") == "SYS/TEMP", "the administrator must mend it"
        assert answer(server, name, "wrong") == "AUTH", "but a stranger does not hear of it"
    assert answer(server, "anna", "sesame") == "OK"


REFUSED = {  # whole hashes, but crypt(3) computes none with these parameters
    "bcrypt": "$2y$99$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
    "sha512": "$6$rounds=abc$abcdefgh$" + "x" * 86,
    "yescrypt": "$y$j.5$abcdefgh$uMUXG79B2cFpoAYyDccUnsaH/aGTyBYMlnQidzyag01",
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_refused_parameters_in_the_first_line(serve, refused):
    """The first hash stands in for unknown users: they must not hear anything else than known ones."""
    server = serve(start=False)
    text = f"bad:{refused}:1000:1000::/nonexistent::\n" + (server.dir / "users").read_text()
    (server.dir / "users").write_text(text)
    server.start()
    logged = 'master users-file-wrong line=1 what=".*parameters'
    server.wait_log(logged)
    assert answer(server, "no-such-user", "wrong") == answer(server, "anna", "wrong") == "AUTH"
    assert imap_answer(server, "no-such-user", "wrong") == imap_answer(server, "anna", "wrong")
    assert answer(server, "anna", "sesame") == "OK"
    assert len(re.findall(logged, server.log())) == 1, "logged once, not at each login"
    (server.dir / "users").write_text(text + "nonsense\n")
    server.process.send_signal(signal.SIGHUP)
    server.wait_log(f"master users-file-wrong line={len(text.splitlines()) + 1} what=")
    assert len(re.findall(logged, server.log())) == 2, "and once more for a file that has changed"


def test_domains_and_the_maildir_setting(serve):
    h = "{CRYPT}" + hashed("6", "x")
    server = serve(start=False)
    server.settings["maildir"] = f"{server.dir}/mail/%d/%n"
    server.write_conf()
    anna = server.accounts["anna"]
    gid = anna.uid if anna.uid > 60000 else os.getegid()
    (server.dir / "users").write_text(f"carl@example.org:{h}:{anna.uid}:{gid}::/nonexistent::\n")
    home = server.dir / "mail" / "example.org"
    home.mkdir(parents=True)
    anna.own(home)
    server.start()
    assert answer(server, "carl@example.org", "x") == "OK"
    assert (home / "carl" / "cur").is_dir()
    assert answer(server, "carl", "x") == answer(server, "carl@example.com", "x") == "AUTH"


def test_users_file_that_others_can_read(server):
    users = server.dir / "users"
    users.chmod(0o644)
    assert answer(server, "anna", "sesame") == answer(server, "nobody-here", "x") == "SYS/TEMP"
    server.wait_log("accounts-broken .*chmod o-r")
    users.chmod(0o600)
    assert answer(server, "anna", "sesame") == "OK", "mended without a restart"
    users.rename(server.dir / "gone")
    assert answer(server, "anna", "sesame") == "SYS/TEMP"


@pytest.mark.parametrize("mode, chmod", [(0o660, "chmod go-w"), (0o602, "chmod go-w"), (0o604, "chmod o-r"), (0o640, None)])
def test_mode_of_the_users_file(server, mode, chmod):
    (server.dir / "users").chmod(mode)
    assert answer(server, "anna", "sesame") == ("SYS/TEMP" if chmod else "OK")
    if chmod:
        server.wait_log(f"accounts-broken .*{chmod}")


def test_changes_count_at_once(server):
    server.accounts["anna"].password = "new password"
    server.write_users()
    assert answer(server, "anna", "sesame") == "AUTH" and answer(server, "anna", "new password") == "OK"
    del server.accounts["ben"]
    server.write_users()
    assert answer(server, "ben", "tortoise") == "AUTH"
    new = server.dir / "new"
    new.write_text((server.dir / "users").read_text().replace("anna:{", "carl:{"))
    new.chmod(0o600)
    new.rename(server.dir / "users")
    assert answer(server, "anna", "new password") == "AUTH" and answer(server, "carl", "new password") == "OK"


def test_users_of_one_uid_do_not_reach_each_other(serve):
    """Virtual users share a uid: the reader of one must not serve, through a link, the mail of another."""
    server = serve()
    anna, ben = server.accounts["anna"], server.accounts["ben"]
    ben.uid = anna.uid
    ben.make()
    server.write_users()
    secret = ben.maildir / "cur" / ben.deliver(b"Subject: secret\n\nof ben\n", sub="cur")
    own = anna.deliver(b"Subject: own\n\n\n")
    (anna.maildir / "cur" / "1.link:2,").symlink_to(secret)
    (anna.maildir / ".Folder").symlink_to(ben.maildir)
    p = server.login("anna")
    assert p.stat()[0] == 1 and b"own" in b"\n".join(p.retr(1)[1]), own
    for pid, (_, title) in server.children().items():
        if "reader" in title and IS_ROOT:  # who is not root cannot look: readers are not dumpable
            for name in os.listdir(f"/proc/{pid}/fd"):
                assert not os.readlink(f"/proc/{pid}/fd/{name}").startswith(str(ben.home))
    p.quit()


def test_a_maildir_that_is_a_link(server):
    """Mail on another disk: the root directory of the session is where the link leads, and the log names the link."""
    anna = server.accounts["anna"]
    disk = anna.home / "disk"
    anna.maildir.rename(disk)
    anna.maildir.symlink_to(disk)
    name = anna.deliver(b"Subject: x\n\nelsewhere\n")
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").find(rb"^\* 1 EXISTS")
    assert talk.cmd("FETCH 1 BODY[TEXT]").find(rb"elsewhere")
    tag = talk.start("IDLE")
    assert talk.line().startswith(b"+ ")
    second = anna.deliver(b"Subject: y\n\n\n")
    assert talk.line() == b"* 2 EXISTS"
    talk.send(b"DONE\r\n")
    assert talk.finish(tag).ok
    assert {f.partition(":")[0] for f in os.listdir(disk / "cur")} | set(os.listdir(disk / "new")) == {name, second}
    if IS_ROOT:
        next((disk / "cur").glob(f"{name}*")).chmod(0)
        assert talk.cmd("FETCH 1 BODY[]").no
        server.wait_log(f" path={anna.maildir}/(cur|new)/{name}")


@pytest.mark.parametrize("part", ["cur", "new", "tmp"])
def test_a_folder_that_leads_to_another_user(serve, part):
    """cur/ as a link to the cur/ of another account with the same uid: nothing is served through it."""
    server = serve()
    anna, ben = server.accounts["anna"], server.accounts["ben"]
    ben.uid = anna.uid
    ben.make()
    server.write_users()
    ben.deliver(b"Subject: secret\n\nof ben\n", "1.secret:2,", sub=part)
    (anna.maildir / part).rmdir()
    (anna.maildir / part).symlink_to(ben.maildir / part)
    assert answer(server, "anna", "sesame").startswith("SYS")
    assert answer(server, "ben", "tortoise") == "OK"
    assert ben.maildir.joinpath("cur" if part == "new" else part, "1.secret:2,").exists()


def test_lists_that_lead_to_another_user(serve):
    """The files beside the mail as links to those of another: not written through, nor believed."""
    server = serve()
    anna, ben = server.accounts["anna"], server.accounts["ben"]
    ben.uid = anna.uid
    ben.make()
    server.write_users()
    ben.deliver(b"Subject: secret\n\n\n")
    assert answer(server, "ben", "tortoise") == "OK"
    names = ("dovecot-uidlist", "dovecot-keywords", "dovecot-uidvalidity")
    before = {path: path.read_bytes() for path in map(ben.maildir.joinpath, names) if path.exists()}
    assert before
    anna.deliver(b"Subject: own\n\n\n")
    for name in names:
        (anna.maildir / name).symlink_to(ben.maildir / name)
    assert answer(server, "anna", "sesame") == "OK"
    assert {path: path.read_bytes() for path in before} == before
    (anna.maildir / "sallyport.lock").unlink()
    (anna.maildir / "sallyport.lock").symlink_to(ben.maildir / "sallyport.lock")
    lock = (ben.maildir / "sallyport.lock").stat(), (ben.maildir / "sallyport.lock").read_bytes()
    assert answer(server, "anna", "sesame") == "OK", "the mail is served"
    now = (ben.maildir / "sallyport.lock").stat(), (ben.maildir / "sallyport.lock").read_bytes()
    assert now[1] == lock[1] and now[0].st_mtime_ns == lock[0].st_mtime_ns, "a lock of somebody else's is none"
    assert answer(server, "ben", "tortoise") == "OK"


# --- no verdict is no denial ---


def imap_answer(server, name, password):
    return re.search(r"\[(\w+)", server.imap_talk(None).cmd(f"LOGIN {name} {password}").text).group(1)


@pytest.mark.skipif(ASAN, reason="a sanitizer needs memory itself")
def test_mend26_too_little_memory_for_the_hash(serve):
    """yescrypt takes 16 MB: where they cannot be had nobody hears that the password is wrong."""
    server = with_users(serve, f"carl:{hashed('yescrypt')}:UID::HOME::", settings={"memory": "16M"})
    assert answer(server, "carl", "pass word") == "OK", "a session's memory is no limit for the check"
    lines = (server.dir / "users").read_text().splitlines()
    (server.dir / "users").write_text("\n".join(line for line in lines if line.startswith("carl")))
    inner = one(server, "inner spawner")
    limit(inner, "data", 12 << 20)
    for name, password in (("carl", "pass word"), ("carl", "wrong"), ("no-such-user", "x")):
        assert answer(server, name, password) == "SYS/TEMP", name
    assert imap_answer(server, "carl", '"pass word"') == "UNAVAILABLE"
    server.wait_log("accounts-broken user=carl .*is there enough memory")
    assert "denied" not in server.log()
    limit(inner, "data", "unlimited")
    assert answer(server, "carl", "pass word") == "OK"


def limit(pid, what, value):
    run("prlimit", f"--pid={pid}", f"--{what}={value}:")


def test_mend26_check_that_is_killed(serve):
    server = with_users(serve, "carl:$6$rounds=9000000$abcdefgh$" + "x" * 86 + ":UID::HOME::")
    p = server.pops()
    p.user("carl")
    p._putcmd("PASS x")
    check = until(lambda: [pid for pid, (_, title) in server.children().items() if "checking" in title])
    os.kill(check[0], signal.SIGKILL)
    assert p._getline()[0].startswith(b"-ERR [SYS/TEMP]")
    p.close()
    server.wait_log("accounts-broken rip=.*killed")
    assert answer(server, "anna", "sesame") == "OK"


@pytest.mark.root
@pytest.mark.parametrize("processes, log, again", [(0, "pause .*what=fork", False), (1, "accounts-broken .*no process", True)],
                         ids=["no reader", "no check"])
def test_mend26_no_process_for_a_login(serve, processes, log, again):
    """Root may fork without end, so this is the server of another user; it has master, a worker and the standing ones."""
    server = unprivileged(serve, 61997 + processes)
    talk = server.imap_talk(None)
    inner = one(server, "inner spawner")
    limit_processes(inner, 61997 + processes, 2 + STANDING + processes)
    answer = talk.cmd("LOGIN anna sesame")
    assert answer.no and "[UNAVAILABLE]" in answer.text
    server.wait_log(log)
    limit_processes(inner, 61997 + processes, 1000)
    assert not again or talk.cmd("LOGIN anna sesame").ok
    until(lambda: served(server), 15, "the next login works")
    assert "denied" not in server.log()


@pytest.mark.root
def test_hash_is_computed_without_privilege(serve):
    """What works on a stranger's password has no file, no network and no root; only the look-up is root's."""
    server = with_users(serve, "slow:$6$rounds=30000000$saltsalt$" + "a" * 86 + ":UID::HOME::")
    talk = server.imap_talk(None)
    talk.send(b"a LOGIN slow guess\r\n")
    pid = until(lambda: [pid for pid, (_, title) in server.children().items() if "hashing" in title], 5)[0]
    state = until(lambda: (s := status(pid))["Seccomp"] == "2" and s, 5, "it is confined")
    assert state["Uid"].split() == [str(uid_of(WORKER_USER))] * 4 and int(state["CapPrm"], 16) == 0
    assert os.listdir(f"/proc/{pid}/root") == []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        where = os.readlink(f"/proc/{pid}/fd/{fd}")
        assert where.startswith("socket:") or where in ("/dev/null", str(server.log_path)), where
    assert status(one(server, "checking"))["Uid"].split() == ["0"] * 4, "the control"
    talk.close()


@pytest.mark.root
def test_waiting_to_say_no_takes_no_root(serve):
    server = serve({"failure_delay": "5s"})
    talk = server.imap_talk(None)
    talk.send(b"a LOGIN anna wrong\r\n")
    server.wait_log("imap denied user=anna")
    worker = str(uid_of(WORKER_USER))
    until(lambda: status(one(server, "login"))["Uid"].split() == [worker] * 4, 3, "login is root no more")
    assert talk.finish(b"a").no
