"""OBJECTID (RFC 8474): ids survive copies, moves, renames and a deleted index.  SAVEDATE (RFC 8514): when a message came to
its folder."""

import imaplib
import os
import re
import time

import pytest

MESSAGE = b"From: a@example.org\r\nSubject: message %d\r\n\r\nbody\r\n"
ID = rb"[A-Za-z0-9_-]{1,255}"


def mailbox_id(talk, name):
    return talk.cmd(f"STATUS {name} (MAILBOXID)").find(rb"\(MAILBOXID \((" + ID + rb")\)\)$")[0][1]


def email_ids(talk, mailbox=None):
    """uid -> id"""
    if mailbox:
        assert talk.cmd(f"SELECT {mailbox}").ok
    return {int(m[1]): m[2] for m in talk.cmd("UID FETCH 1:* EMAILID").find(rb"UID (\d+) EMAILID \((" + ID + rb")\)\)$")}


def saved(talk, uid):
    text = talk.cmd(f"UID FETCH {uid} SAVEDATE").find(rb'SAVEDATE "([^"]+)"\)$')[0][1]
    return imaplib.Internaldate2tuple(b'INTERNALDATE "%s"' % text) and text


@pytest.fixture
def talk(server):
    talk = server.imap_talk()
    for i in range(3):
        assert talk.append("INBOX", MESSAGE % i, '"01-Feb-2003 04:05:06 +0000" ').ok
    assert talk.cmd("SELECT INBOX").ok
    return talk


def test_ids_of_mailboxes(talk, server):
    created = {}
    for name in ("Box", "Box/Below", "Other"):
        created[name] = re.match(r"\[MAILBOXID \(([\w-]+)\)\]", talk.cmd(f"CREATE {name}").text)[1].encode()
    created["INBOX"] = mailbox_id(talk, "INBOX")
    assert len(set(created.values())) == 4, "each has its own"
    other = server.imap_talk()
    for name, want in created.items():
        assert mailbox_id(talk, name) == want
        assert talk.cmd(f"SELECT {name}").find(rb"^\* OK \[MAILBOXID \(" + want + rb"\)\]")
        assert other.cmd(f"EXAMINE {name}").find(rb"^\* OK \[MAILBOXID \(" + want + rb"\)\]")
    for m in talk.cmd('LIST "" * RETURN (STATUS (MAILBOXID UIDNEXT))').find(rb"^\* STATUS (\S+) .*MAILBOXID \((" + ID + rb")\)"):
        assert created.pop(m[1].decode().strip('"')) == m[2]
    assert not created
    assert talk.cmd("CREATE Box").no and "MAILBOXID" not in talk.last.text


def test_ids_of_mailboxes_follow_a_rename_and_end_with_a_delete(talk):
    talk.cmd("CREATE Box")
    talk.cmd("CREATE Box/Below")
    box, below, inbox = (mailbox_id(talk, name) for name in ("Box", "Box/Below", "INBOX"))
    talk.append("Box", MESSAGE % 7)
    ids = email_ids(talk, "Box")
    assert talk.cmd("RENAME Box New").ok
    assert mailbox_id(talk, "New") == box and mailbox_id(talk, "New/Below") == below
    assert email_ids(talk, "New") == ids
    talk.cmd("CREATE Box")
    assert mailbox_id(talk, "Box") not in (box, below, inbox)
    talk.cmd("DELETE New/Below")
    talk.cmd("CREATE New/Below")
    assert mailbox_id(talk, "New/Below") != below
    assert talk.cmd("RENAME INBOX Old").ok, "which is a new mailbox: section 4"
    assert mailbox_id(talk, "INBOX") == inbox and mailbox_id(talk, "Old") not in (box, inbox)


def test_ids_of_messages(talk, server):
    first = email_ids(talk)
    assert len(set(first.values())) == 3
    talk.cmd("CREATE Box")
    uids = [int(u) for u in re.match(r"\[COPYUID \d+ 1:3 (\d+):(\d+)\]", talk.cmd("COPY 1:3 Box").text).groups()]
    assert uids == [1, 3] and email_ids(talk, "Box") == first, "copies are of the same content"
    talk.cmd("STORE 1:* +FLAGS (\\Seen word)")
    assert email_ids(talk) == first, "flags are none of it"
    talk.cmd("CREATE Third")
    talk.cmd("MOVE 1:2 Third")
    assert email_ids(talk, "Third") == {1: first[1], 2: first[2]}
    talk.cmd("COPY 1 Third")
    assert email_ids(talk)[3] == first[1], "also twice in one mailbox, and of a copy"
    talk.cmd("MOVE 1:3 INBOX")
    assert email_ids(talk, "INBOX") == {1: first[1], 2: first[2], 3: first[3], 4: first[1], 5: first[2], 6: first[1]}
    assert email_ids(server.imap_talk(), "INBOX") == email_ids(talk)
    server.accounts["anna"].deliver(MESSAGE % 9)
    assert len(set(email_ids(talk, "INBOX").values())) == 4


def drop_index(account):
    found = 0
    for directory, _, files in os.walk(account.maildir):
        for name in files:
            if name in ("sallyport.index", "sallyport.log", "sallyport.texts"):
                os.unlink(os.path.join(directory, name))
                found += 1
    return found


def test_ids_and_dates_survive_a_deleted_index_and_a_restart(talk, server):
    account = server.accounts["anna"]
    account.deliver(MESSAGE % 5)
    talk.cmd("CREATE Box")
    talk.cmd("COPY 1:2 Box")
    talk.cmd("MOVE 3 Box")

    def all_of_it(talk):
        boxes = {name: mailbox_id(talk, name) for name in ("INBOX", "Box")}
        return boxes, {name: (email_ids(talk, name), [saved(talk, uid) for uid in email_ids(talk)]) for name in boxes}

    before = all_of_it(talk)
    talk.cmd("LOGOUT")
    for way in ("restart", "index"):
        server.stop()
        if way == "index":
            drop_index(account)
        server.start()
        assert all_of_it(server.imap_talk()) == before, way


def test_threadid_is_nil(talk):
    assert talk.cmd("FETCH 1 THREADID").untagged == [b"* 1 FETCH (THREADID NIL)"]
    assert talk.cmd("FETCH 2:3 (UID EMAILID THREADID)").find(rb"UID 2 EMAILID \(" + ID + rb"\) THREADID NIL\)$")
    assert talk.cmd("SEARCH THREADID T64b478a75b7ea9").untagged == [b"* SEARCH"]
    assert talk.cmd("SEARCH NOT THREADID T64b478a75b7ea9").untagged == [b"* SEARCH 1 2 3"]


def test_search_by_id(talk):
    ids = email_ids(talk)
    for uid, id_ in ids.items():
        assert talk.cmd(b"SEARCH EMAILID " + id_).untagged == [b"* SEARCH %d" % uid]
        assert talk.cmd(b'UID SEARCH EMAILID "%s"' % id_).untagged == [b"* SEARCH %d" % uid]
    assert talk.cmd(b"SEARCH OR EMAILID " + ids[1] + b" EMAILID " + ids[3]).untagged == [b"* SEARCH 1 3"]
    assert talk.cmd(b"SEARCH EMAILID " + ids[1] + b"x").untagged == [b"* SEARCH"]
    if ids[1].swapcase() != ids[1]:
        assert talk.cmd(b"SEARCH EMAILID " + ids[1].swapcase()).untagged == [b"* SEARCH"], "case counts"


# --- SAVEDATE ---

def day(offset=0):
    return time.strftime("%d-%b-%Y", time.gmtime(time.time() + offset * 86400))


def seconds(date):
    return time.mktime(time.strptime(date.decode().strip(), "%d-%b-%Y %H:%M:%S +0000")) - time.timezone


def test_when_a_message_came_where_it_is(talk, server):
    now = time.time()
    for uid in (1, 2, 3):
        assert abs(seconds(saved(talk, uid)) - now) < 60, "and not INTERNALDATE"
    assert talk.cmd("FETCH 1 INTERNALDATE").find(rb'" ?1-Feb-2003 04:05:06 \+0000"')
    # Delivered by another program long ago, as its name says.
    server.accounts["anna"].deliver(MESSAGE % 4, name="1000000000.M1P1.host:2,", sub="cur")
    talk.cmd("NOOP")
    old = seconds(saved(talk, 4))
    assert old < now - 86400 or abs(old - now) < 60
    talk.cmd("CREATE Box")
    for command in ("COPY 4 Box", "MOVE 4 Box"):
        assert talk.cmd(command).ok
    talk.cmd("SELECT Box")
    for uid in (1, 2):
        assert abs(seconds(saved(talk, uid)) - time.time()) < 60, "a copy is saved anew"
    first = saved(talk, 1)
    talk.cmd("STORE 1 +FLAGS (\\Seen)")
    assert saved(talk, 1) == first and saved(server_talk(server, "Box"), 1) == first


def server_talk(server, mailbox):
    talk = server.imap_talk()
    assert talk.cmd(f"SELECT {mailbox}").ok
    return talk


def test_search_by_save_date(talk):
    everything, nothing = b"* SEARCH 1 2 3", b"* SEARCH"
    for keys, want in [("SAVEDATESUPPORTED", everything), ("NOT SAVEDATESUPPORTED", nothing), (f"SAVEDSINCE {day(-1)}", everything), (f"SAVEDSINCE {day(2)}", nothing),
                       (f"SAVEDBEFORE {day(2)}", everything), (f"SAVEDBEFORE {day(-1)}", nothing), (f"OR SAVEDON {day()} SAVEDON {day(-1)}", everything),
                       ("SAVEDON 1-Feb-2003", nothing), ("ON 1-Feb-2003", everything)]:
        assert talk.cmd(f"SEARCH {keys}").untagged == [want], keys
