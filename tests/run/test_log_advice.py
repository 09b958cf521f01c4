"""The log on a failure in a Maildir: it names the path and its owner, and a command that mends the failure."""

import os
import poplib
import re
import shlex
import shutil
import subprocess

import pytest

from test_readonly import Tree

pytestmark = pytest.mark.root

MAIL = "Subject: {0}\r\n\r\nthis is {0}\r\n"


def failures(server, what):
    return [line for line in server.log().splitlines() if re.search(rf" failed user=\w+ .*what={what} ", line)]


def told(server, what, path, owner, times=1):
    """The only line about it; what it says to type is typed, as root."""
    server.wait_log(rf" failed user=\w+ .*what={what} ")
    lines = failures(server, what)
    assert len(lines) == times, lines
    assert f" path={path} owner={owner} mode=" in lines[-1], lines
    return re.search(r' try="([^"]*)"', lines[-1])[1]


def give(account, owner, mode=0o755):
    for where, _, _ in os.walk(account.maildir):
        os.chown(where, owner, owner)
        os.chmod(where, mode)


@pytest.mark.parametrize("opened", [False, True])
def test_mend10_maildir_of_another_user(server, opened):
    """The login succeeds, as somebody may have to read there only; the log says why nothing can be written."""
    anna, ben = server.accounts["anna"], server.accounts["ben"]
    ben.deliver(MAIL.format(1))
    if opened:
        assert server.imap_talk("ben").cmd("SELECT INBOX").ok
    give(ben, anna.uid)
    talk = server.imap_talk("ben")
    for _ in range(3):
        answer = talk.cmd("SELECT INBOX")
        assert "[READ-ONLY]" in answer.text if opened else answer.no
        assert talk.append("INBOX", b"Subject: x\r\n\r\n").no
    command = told(server, "write" if opened else "select", ben.maildir, anna.uid)
    assert command == f"chown -R {ben.uid}:{ben.uid} {ben.maildir}"
    assert told(server, "append", ben.maildir, anna.uid) == command
    if opened:
        assert server.login("ben").stat()[0] == 1 and len(failures(server, "write")) == 2, "POP3 tells it too"
    else:
        with pytest.raises(poplib.error_proto):
            server.login("ben")
        assert told(server, "open", ben.maildir, anna.uid) == command
    subprocess.run(shlex.split(command), check=True)
    talk = server.imap_talk("ben")
    assert "READ-WRITE" in talk.cmd("SELECT INBOX").text and talk.append("INBOX", b"Subject: x\r\n\r\n").ok


def test_mend10_one_file_is_closed(server):
    """Whichever it is, the log names it when something fails, and the command opens it."""
    anna = server.accounts["anna"]
    anna.make_folder("Sub")
    for folder in (None, "Sub"):
        anna.deliver(MAIL.format(1), folder=folder)
    parts = ["cur", "new", "dovecot-uidlist", "sallyport.lock", ".Sub", ".Sub/cur", ".Sub/dovecot-uidlist"]
    for part, foreign in [(part, foreign) for part in parts for foreign in (False, True)]:
        talk = server.imap_talk()
        for folder in ("INBOX", "Sub"):
            assert "READ-WRITE" in talk.cmd(f"SELECT {folder}").text and talk.cmd("STORE 1 FLAGS (x)").ok, part
            assert talk.append(folder, b"Subject: x\r\n\r\n").ok
        talk.close()
        path, seen = anna.maildir / part, len(server.log())
        if foreign:
            os.chown(path, 0, 0)
        path.chmod(0o700 if foreign else 0)
        talk = server.imap_talk()
        failed = [command for command in ("SELECT INBOX", "STORE 1 FLAGS (x)", "SELECT Sub", "STORE 1 FLAGS (x)", "EXPUNGE")
                  if not talk.cmd(command).ok or "READ-ONLY" in talk.last.text]
        failed += [folder for folder in ("INBOX", "Sub") if not talk.append(folder, b"Subject: x\r\n\r\n").ok]
        talk.close()
        line = re.search(" failed user=anna .*", server.log()[seen:])
        if not failed:  # it costs no more than it holds
            assert path.name in server.log()[seen:], part
            continue
        line = line.group()
        assert f" path={path} owner={0 if foreign else anna.uid} mode={'0700' if foreign else '0000'} " in line, line
        subprocess.run(shlex.split(re.search(r' try="([^"]*)"', line)[1]), check=True)


def test_mend10_message_of_root(server):
    """POP3 has no words for a message that it leaves out: the log has them, in each session."""
    anna = server.accounts["anna"]
    for i in range(3):
        anna.deliver(MAIL.format(i), f"{1000 + i}.a")
    for i in range(2):
        os.chown(anna.maildir / "new" / f"{1000 + i}.a", 0, 0)
        (anna.maildir / "new" / f"{1000 + i}.a").chmod(0o600)
    for n in range(1, 3):
        p = server.login()
        assert p.stat()[0] == 1
        p.quit()
        command = told(server, "read", anna.maildir / "cur" / "1001.a:2,", 0, n)
        assert " messages=2 " in failures(server, "read")[-1]
    server.wait_log(r"notice user=anna .*cannot be read: Permission denied; owner 0, mode 0600, "
                    rf"path {anna.maildir}/cur/1000\.a")
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok and talk.cmd("FETCH 1:3 BODY.PEEK[]").no and talk.cmd("FETCH 1 BODY.PEEK[]").no
    assert told(server, "fetch", anna.maildir / "cur" / "1000.a:2,", 0) == command
    subprocess.run(shlex.split(command), check=True)
    assert server.login().stat()[0] == 3


def test_mend10_message_after_its_directory(server):
    """That cur/ could not be entered is no fact of its messages: one of root's is told later."""
    anna = server.accounts["anna"]
    anna.deliver(MAIL.format(1), "1000.a")
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok
    (anna.maildir / "cur").chmod(0o600)
    assert talk.cmd("FETCH 1 BODY.PEEK[]").no
    talk.close()
    (anna.maildir / "cur").chmod(0o700)
    (anna.maildir / "cur" / "1000.a:2,").chmod(0)
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok and talk.cmd("FETCH 1 BODY.PEEK[]").no
    server.wait_log(r"notice user=anna .*message 1 \(1000.a:2,\) cannot be read: Permission denied; owner ")
    talk.close()


def test_mend10_only_a_failure_is_logged(server):
    """Content of an encoding that nobody knows has an answer of its own, also behind a file that cannot be read."""
    anna = server.accounts["anna"]
    anna.deliver(MAIL.format(1), "1000.a:2,", sub="cur")
    anna.deliver("Content-Transfer-Encoding: x-own\r\n" + MAIL.format(2), "1001.a:2,", sub="cur")
    (anna.maildir / "cur" / "1000.a:2,").chmod(0)
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok and talk.cmd("FETCH 1:2 BINARY.PEEK[1]").no
    server.wait_log(r" failed user=anna .*what=fetch ")
    assert talk.cmd("NOOP").ok and len(failures(server, "fetch")) == 1


@pytest.mark.parametrize("there", [False, True])
def test_mend10_maildir_cannot_be_made_or_opened(server, there):
    anna = server.accounts["anna"]
    if there:
        os.chown(anna.maildir, 0, 0)
    else:
        shutil.rmtree(anna.maildir)
    os.chown(anna.home, 0, 0)
    anna.home.chmod(0o755)
    with pytest.raises(poplib.error_proto):
        server.login()
    line = server.wait_log(r"maildir cannot-open user=anna .*").group()
    assert f"wanted={anna.maildir} path={anna.maildir if there else anna.home} owner=0 " in line, line
    subprocess.run(shlex.split(re.search(r' try="([^"]*)"', line)[1]), check=True)
    p = server.login()
    assert p.stat() == (0, 0)


def test_mend10_full_disk(server):
    tree = Tree(server)
    tree.on_tmpfs()
    try:
        tree.open()
        tree.anna.deliver(MAIL.format("new"))
        tree.fill()
        talk = server.imap_talk()
        talk.cmd("SELECT INBOX")
        for _ in range(2):
            assert talk.append("INBOX", b"Subject: x\r\n\r\n" + b"x" * 9000).no
        line = server.wait_log(r"imap failed user=anna .*what=append .*").group()
        assert f'error="No space left on device" path={tree.anna.maildir} try="df {tree.anna.maildir}"' in line
        assert len(failures(server, "append")) == 1
        server.wait_log(r"notice user=anna .*new messages are not shown yet: .*No space left")
        tree.make_room()
    finally:
        tree.end()


def test_mend10_no_name_of_a_user_is_typed(server):
    """Folders are called what mail users like: what root is to type names the Maildir alone."""
    anna = server.accounts["anna"]
    name = "x; touch pwned #"
    anna.make_folder(name)
    (anna.folder(name) / "cur").chmod(0)
    talk = server.imap_talk()
    assert talk.cmd(f'SELECT "{name}"').no
    assert told(server, "select", f'"{anna.folder(name) / "cur"}"', anna.uid) == f"chmod -R u+rwX {anna.maildir}"
