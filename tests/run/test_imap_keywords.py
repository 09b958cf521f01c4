"""More keywords than a file name has letters for: 26 are in Dovecot's file, the others in sallyport's own."""

import os
import re
import socket
import subprocess
import time

import pytest

from test_broken_messages import leave_room, small_disk  # noqa: F401
from test_imap_dovecot import Dovecot

MESSAGE = b"Subject: x\r\n\r\nbody\r\n"
NAMES = [f"kw{i}" for i in range(64)]
FILE = "sallyport.keywords"


def keywords(talk, which):
    """Keywords of messages by their number."""
    answer = talk.cmd(f"FETCH {which} FLAGS")
    assert answer.ok
    found = answer.find(rb"^\* (\d+) FETCH \(.*?FLAGS \(([^)]*)\)")
    return {int(m[1]): {w for w in m[2].decode().split() if w[0] != "\\"} for m in found}


@pytest.fixture
def talk(server):
    t = server.imap_talk()
    for _ in range(2):
        assert t.append("INBOX", MESSAGE).ok
    assert t.cmd("CREATE Box").ok and t.cmd("SELECT INBOX").ok
    return t


def test_forty_keywords_go_where_the_message_goes(talk, server):
    forty, anna = set(NAMES[:40]), server.accounts["anna"]
    assert talk.cmd(f"STORE 1 +FLAGS ({' '.join(NAMES[:40])})").ok
    assert keywords(talk, "1:2") == {1: forty, 2: set()}
    assert len((anna.maildir / "dovecot-keywords").read_text().splitlines()) == 26
    talk.cmd("STORE 1 +FLAGS (\\Seen)")
    name = next(n for n in anna.files() if n.endswith("Sabcdefghijklmnopqrstuvwxyz"))
    os.rename(anna.maildir / "cur" / name, anna.maildir / "cur" / name.replace(":2,", ":2,F"))
    assert talk.cmd("COPY 1 Box").ok
    other = server.imap_talk()
    other.cmd("SELECT INBOX")
    assert keywords(other, "1:2") == {1: forty, 2: set()}, "another session, after another program's change"
    other.cmd("SELECT Box")
    assert keywords(other, "1") == {1: forty}, "a copy"
    assert other.cmd("STORE 1 -FLAGS (kw3 kw39)").ok and other.cmd("MOVE 1 INBOX").ok
    other.cmd("SELECT INBOX")
    assert keywords(other, "1:*") == {1: forty, 2: set(), 3: forty - {"kw3", "kw39"}}, "and moved back"
    assert [m[1] for m in other.cmd("SEARCH KEYWORD kw39").find(rb"^\* SEARCH (.*)")] == [b"1"]
    assert [m[1] for m in other.cmd("SEARCH UNKEYWORD kw38").find(rb"^\* SEARCH (.*)")] == [b"2"]
    assert other.append("Box", MESSAGE, f"({' '.join(NAMES[20:60])}) ").ok
    other.cmd("SELECT Box")
    assert keywords(other, "1") == {1: set(NAMES[20:60])}, "APPEND"


def test_sixty_four_and_no_more(talk):
    assert talk.cmd(f"STORE 1 FLAGS ({' '.join(NAMES)})").ok
    assert talk.cmd("STORE 1 +FLAGS (onemore)").no
    assert keywords(talk, "1") == {1: set(NAMES)}
    assert talk.cmd("STORE 1 FLAGS (KW63)").ok and keywords(talk, "1") == {1: {"kw63"}}, "names have no case"


def refusals(talk):
    """The codes of what wants a new keyword in Box; the selected INBOX has it on message 1."""
    talk.cmd("SELECT Box")
    codes = [talk.cmd("STORE 1 +FLAGS (brand-new)"), talk.append("Box", MESSAGE, "(\\Seen brand-new) ")]
    talk.cmd("SELECT INBOX")
    codes += [talk.cmd("COPY 1 Box"), talk.cmd("UID MOVE 1 Box")]
    assert all(a.no for a in codes), codes
    return {a.text.split(" ", 1)[0] for a in codes}


@pytest.mark.root
def test_mend02_a_keyword_that_cannot_be_made_says_why(small_disk):  # noqa: F811
    """Each cause has its own code, and APPEND, COPY and MOVE say what STORE says."""
    server, anna = small_disk, small_disk.accounts["anna"]
    subprocess.run(["mount", "-o", "remount,size=1m", anna.maildir], check=True)
    talk = server.imap_talk()
    assert talk.append("INBOX", MESSAGE, "(brand-new) ").ok and talk.cmd("CREATE Box").ok
    assert talk.append("Box", MESSAGE).ok
    leave_room(anna, 0)
    assert refusals(talk) == {"[OVERQUOTA]"}
    (anna.maildir / "filler").unlink()
    lock = anna.folder("Box") / "dovecot-uidlist.lock"
    lock.write_text(f"{os.getpid()}:{socket.gethostname()}")  # ours, and alive
    os.utime(lock, (time.time() - 60, time.time() - 60))  # held for so long that nobody waits much longer
    assert refusals(talk) == {"[INUSE]"}
    lock.unlink()
    talk.cmd("SELECT Box")
    assert talk.cmd(f"STORE 1 FLAGS ({' '.join(NAMES)})").ok
    assert refusals(talk) == {"[LIMIT]"}
    assert talk.cmd("STORE 1 FLAGS ()").ok and talk.cmd("STATUS Box (MESSAGES)").find(rb"MESSAGES 1\)")


def test_other_sessions_hear_of_them(talk, server):
    talk.cmd(f"STORE 2 FLAGS ({' '.join(NAMES[:30])})")
    other = server.imap_talk()
    other.cmd("SELECT INBOX")
    talk.cmd("STORE 1 +FLAGS.SILENT (kw29)")
    found = other.cmd("NOOP").find(rb"^\* 1 FETCH .*FLAGS \(([^)]*)\)")
    assert found and b"kw29" in found[-1][1]
    other.start("IDLE")
    assert other.line().startswith(b"+")
    talk.cmd("STORE 1 -FLAGS.SILENT (kw29)")
    line = other.line()
    assert re.match(rb"\* 1 FETCH .*FLAGS \([^)]*\)", line) and b"kw29" not in line


@pytest.mark.skipif(not os.access("/usr/lib/dovecot/imap", os.X_OK), reason="no Dovecot here")
@pytest.mark.root
def test_dovecot_sees_the_letters(talk, server):
    talk.cmd(f"STORE 1 FLAGS ({' '.join(NAMES[:40])})")
    dovecot = Dovecot(server)
    try:
        peer = dovecot.imap_talk()
        peer.cmd("SELECT INBOX")
        assert keywords(peer, "1") == {1: set(NAMES[:26])}
        assert peer.cmd("STORE 1 -FLAGS (kw0 kw1)").ok
        assert keywords(talk, "1") == {1: set(NAMES[2:40])}, "and changes what it sees"
        dovecot.check()
    finally:
        dovecot.stop()


def test_a_letter_in_use_is_nobodys_new_keyword(server):
    """Also when the first thing that happens is an APPEND, which has the folder not open."""
    anna = server.accounts["anna"]
    path = anna.maildir / "cur" / "1700000000.M1P1.host:2,ac"
    path.write_bytes(MESSAGE)
    anna.own(path)
    talk = server.imap_talk()
    assert talk.append("INBOX", MESSAGE, "(first second) ").ok
    talk.cmd("SELECT INBOX")
    assert keywords(talk, "1:2") == {1: set(), 2: {"first", "second"}}
    assert (anna.maildir / "dovecot-keywords").read_text() == "1 first\n3 second\n"


def test_a_damaged_file_costs_what_is_damaged(talk, server):
    talk.cmd(f"STORE 1 FLAGS ({' '.join(NAMES[:28])})")
    talk.cmd(f"STORE 2 FLAGS ({' '.join(NAMES[:28])})")
    path = server.accounts["anna"].maildir / FILE
    path.write_bytes(path.read_bytes()[:-5])
    assert talk.cmd("NOOP").ok
    assert keywords(talk, "1:2") == {1: set(NAMES[:28]), 2: set(NAMES[:26])}
    talk.cmd("STORE 2 +FLAGS (kw27)")
    path.write_bytes(bytes(range(256)) + path.read_bytes())
    assert keywords(server_again(server), "1:2") == {1: set(NAMES[:28]), 2: set(NAMES[:26]) | {"kw27"}}
    path.unlink()
    again = server_again(server)
    assert keywords(again, "1:2") == {1: set(NAMES[:26]), 2: set(NAMES[:26])}
    assert again.cmd("STORE 1 +FLAGS (kw26)").ok and "kw26" in keywords(again, "1")[1]


def server_again(server):
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok
    return talk
