"""Messages of IMAP: a session with imaplib, APPEND, COPY, MOVE, STORE, FETCH, EXPUNGE."""

import imaplib
import os
import re
import socket
import time

import pytest
from conftest import ASAN


def code(answer):
    m = re.match(r"\[(\S+?)[ \]]", answer.text)
    return m and m[1]


def fetched(answer):
    """number -> all of its FETCH answers' items, as octets."""
    assert answer.ok, answer
    return {int(m[1]): m[2] for m in answer.find(rb"^\* (\d+) FETCH \((.*)\)$")}


def flags(talk, what="1:*"):
    """number -> set of flags."""
    return {n: set(re.search(rb"FLAGS \((.*?)\)", f)[1].decode().split()) - {"\\Recent"}
            for n, f in fetched(talk.cmd(f"FETCH {what} FLAGS")).items()}


def searched(talk, keys):
    """The numbers that SEARCH gives."""
    answer = talk.cmd(f"SEARCH {keys}")
    assert answer.ok, answer
    return [int(n) for n in answer.find(rb"^\* SEARCH(.*)$")[0][1].split()]


def literal(fetch, item):
    """The octets of one BODY[...] in a FETCH answer; None: NIL."""
    m = re.search(re.escape(item) + rb' (?:~?\{(\d+)\}\r\n|("")|(NIL))', fetch)
    assert m, (item, fetch)
    if m[3]:
        return None
    return b"" if m[2] else fetch[m.end():m.end() + int(m[1])]


def message(i):
    return f"From: a{i}@example.org\r\nSubject: message {i}\r\n\r\nbody {i}\r\n".encode()


@pytest.fixture
def talk(server):
    t = server.imap_talk()
    for i in range(1, 4):
        assert t.append("INBOX", message(i)).ok
    assert t.cmd("CREATE Box").ok and t.cmd("SELECT INBOX").ok
    return t


# --- a session as a program has it ---

@pytest.mark.parametrize("tls", [True, False])
def test_imaplib_session(server, tls):
    i = server.imap_login(tls=tls)
    assert i.capability()[0] == "OK" and "IDLE" in i.capabilities
    assert i.create("Work/Reports")[0] == "OK" and i.subscribe("Work/Reports")[0] == "OK"
    date = time.struct_time((2021, 3, 4, 5, 6, 7, 0, 0, 0))
    answer = i.append("Work/Reports", "(\\Seen $Label1)", imaplib.Time2Internaldate(time.mktime(date)), message(7))
    assert re.match(rb"\[APPENDUID \d+ 1\]", answer[1][0])
    assert i.select("Work/Reports") == ("OK", [b"1"])
    data = i.uid("fetch", "1", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]
    assert data[0][1] == message(7) and b"RFC822.SIZE %d" % len(message(7)) in data[0][0]
    assert {b"\\Seen", b"$Label1"} < set(imaplib.ParseFlags(data[0][0]) + imaplib.ParseFlags(data[1] if data[1:] else b""))
    assert time.mktime(imaplib.Internaldate2tuple(data[0][0])) == time.mktime(date)
    assert i.search(None, "SUBJECT", '"message 7"') == ("OK", [b"1"])
    assert i.store("1", "+FLAGS.SILENT", "\\Flagged") == ("OK", [None])
    assert b"\\Flagged" in i.store("1", "-FLAGS", "\\Seen")[1][0]
    assert i.copy("1", "INBOX")[0] == "OK" and i.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
    assert i.expunge() == ("OK", [b"1"])
    assert i.close()[0] == "OK" and i.rename("Work", "Done")[0] == "OK"
    assert i.status("INBOX", "(MESSAGES)") == ("OK", [b'"INBOX" (MESSAGES 1)'])
    assert i.lsub()[1] == [b'() "/" "Work/Reports"'] or i.lsub()[1] == [b'() "/" "Done/Reports"']
    assert i.logout()[0] == "BYE"


# --- APPEND ---

def test_append_in_all_forms(talk):
    m = message(9)
    forms = {  # -> flags, date
        b"APPEND Box {%d+}": (set(), None), b'append "Box" () {%d+}': (set(), None), b"APPEND {3+}\r\nBox {%d+}": (set(), None),
        b'APPEND Box (\\Seen \\Answered \\Flagged \\Deleted \\Draft) {%d+}': ({"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"}, None),
        b'APPEND Box (\\SEEN $Junk NIL) {%d+}': ({"\\Seen", "$Junk", "NIL"}, None),
        b'APPEND Box "17-Jul-1996 02:44:25 -0700" {%d+}': (set(), b"17-Jul-1996 09:44:25 +0000"),
        b'APPEND Box (kw) " 1-Feb-2004 23:30:00 +0100" {%d+}': ({"kw"}, b" 1-Feb-2004 22:30:00 +0000"),
        b'APPEND Box "1-Jan-1970 00:00:00 +0000" {%d+}': (set(), b" 1-Jan-1970 00:00:00 +0000"),
        b'APPEND Box "31-Dec-1969 23:00:00 +0000" {%d+}': (set(), b"31-Dec-1969 23:00:00 +0000"),
        b'APPEND Box "29-Feb-2024 23:59:60 +1200" {%d+}': (set(), b"29-Feb-2024 12:00:00 +0000"),
        b'APPEND Box ~{%d+}': (set(), None),
    }
    for n, (form, _) in enumerate(forms.items(), 1):
        answer = talk.cmd(form % len(m) + b"\r\n" + m)
        assert answer.ok and answer.text.split()[2] == f"{n}]" and code(answer) == "APPENDUID", (form, answer)
    assert talk.append("Box", m).ok, "a literal that waits"
    assert talk.cmd("SELECT Box").find(rb"^\* %d EXISTS" % (len(forms) + 1))
    told = flags(talk)
    for n, (form, (wanted, date)) in enumerate(forms.items(), 1):
        assert told[n] == wanted, form
        f = fetched(talk.cmd(f"FETCH {n} (INTERNALDATE BODY.PEEK[])"))[n]
        assert literal(f, b"BODY[]") == m
        if date:
            assert date in f, form


def test_append_refused(talk, server):
    m = message(9)
    for form, want in [("APPEND Box (\\Bogus) {n}", "BAD"), ("APPEND Box (\\Recent) {n}", "BAD"), ("APPEND Box (a {n}", "BAD"),
                       ("APPEND Box \\Seen {n}", "BAD"), ('APPEND Box "32-Jan-2020 00:00:00 +0000" {n}', "BAD"),
                       ('APPEND Box "30-Feb-2020 00:00:00 +0000" {n}', "BAD"), ('APPEND Box "29-Feb-2023 00:00:00 +0000" {n}', "BAD"),
                       ('APPEND Box "1-Jan-2020 24:00:00 +0000" {n}', "BAD"), ('APPEND Box "1-Jan-2020 00:00:00" {n}', "BAD"),
                       ('APPEND Box "1-Jan-2020 00:00:00 +2500" {n}', "BAD"), ('APPEND Box "1-Jan-20 00:00:00 +0000" {n}', "BAD"),
                       ('APPEND Box " 11-Jan-2020 00:00:00 +0000" {n}', "BAD"), ('APPEND Box "1-Foo-2020 00:00:00 +0000" {n}', "BAD"),
                       ('APPEND Box "1-Jan-2020 00:00:00 +0000" (\\Seen) {n}', "BAD"), ("APPEND Box x {n}", "BAD"),
                       ("APPEND Box {n}", "OK"), ("APPEND Box  {n}", "OK"), ("APPEND Box UTF8 (~{n}", "BAD"), ("APPEND None {n}", "NO"),
                       ("APPEND Box (" + "k" * 201 + ") {n}", "BAD"), ("APPEND Box (" + " ".join(f"k{i}" for i in range(65)) + ") {n}", "BAD")]:
        for plus in ("", "+"):
            count = f"{{{len(m)}{plus}}}"
            answer = talk.cmd(form.replace("{n}", count), *([] if plus else [m])) if not plus else talk.cmd(form.replace("{n}", count).encode() + b"\r\n" + m)
            assert answer.status == want and (want == "OK" or not answer.untagged), (form, answer)
            if want == "NO":
                assert code(answer) == "TRYCREATE"
            assert talk.cmd("NOOP").ok
    for octets in (b"Subject: n\0ul\r\n\r\nx\r\n", b"\0"):
        assert talk.append("Box", octets).bad and talk.cmd(b"APPEND Box {%d+}\r\n" % len(octets) + octets).bad
        answer = talk.cmd(b"APPEND Box ~{%d+}\r\n" % len(octets) + octets)
        assert answer.no and code(answer) == "UNKNOWN-CTE"
    assert talk.cmd("APPEND Box {0+}\r\n").no
    assert talk.cmd("STATUS Box (MESSAGES)").find(rb"MESSAGES 4\)"), "the four that were right"
    anna = server.accounts["anna"]
    assert not list((anna.folder("Box") / "tmp").iterdir())
    assert len(anna.files("Box")) == 4


def test_append_to_the_selected_mailbox_is_told_before_ok(talk):
    answer = talk.append("INBOX", message(4), "(\\Flagged) ")
    assert answer.find(rb"^\* 4 EXISTS$"), answer
    assert searched(talk, "FLAGGED") == [4]
    talk.cmd("EXAMINE Box")
    assert talk.append("Box", message(5)).find(rb"^\* 1 EXISTS$"), "EXAMINE does not forbid it"


def test_multiappend(talk, server):
    one, two, three = message(1), message(2), b"x" * 5000 + b"\r\n"
    answer = talk.cmd(b'APPEND Box (\\Seen) {%d+}\r\n%s (kw) " 2-Feb-2002 02:02:02 +0000" {%d+}\r\n%s {%d+}\r\n%s' % (
        len(one), one, len(two), two, len(three), three))
    assert answer.ok and re.match(r"\[APPENDUID \d+ 1:3\]", answer.text)
    tag = talk.start(f"APPEND Box {{{len(one)}}}")
    for octets in (one + b" (\\Draft) {%d}\r\n" % len(two), two + b"\r\n"):
        assert talk.line().startswith(b"+ "), "each is asked for"
        talk.send(octets)
    assert re.match(r"\[APPENDUID \d+ 4:5\]", talk.finish(tag).text)
    before = talk.cmd("STATUS Box (MESSAGES UIDNEXT)").untagged
    files = server.accounts["anna"].files("Box")
    for rest, want in ((b" (\\Bogus) {3+}\r\nabc", "BAD"), (b" {0+}\r\n", "NO"), (b" {3+}\r\na\0c", "BAD"), (b" {99999999999}", "NO"),
                       (b" x", "BAD"), (b" (kw)", "BAD"), (b")", "BAD"), (b" ~{3+}\r\na\0c", "NO"), (b" {70000000+}\r\n" + b"y" * 70000000, "NO")):
        answer = talk.cmd(b"APPEND Box {%d+}\r\n%s {%d+}\r\n%s" % (len(one), one, len(two), two) + rest)
        assert answer.status == want, (rest[:20], answer)
    assert code(answer) == "TOOBIG"
    assert talk.cmd("STATUS Box (MESSAGES UIDNEXT)").untagged == before, "all or nothing"
    anna = server.accounts["anna"]
    assert anna.files("Box") == files and not list((anna.folder("Box") / "tmp").iterdir())


def test_a_connection_that_ends_in_append_leaves_nothing(talk, server):
    talk.send(b"x APPEND Box {1000}\r\n")
    assert talk.line().startswith(b"+ ")
    talk.send(b"y" * 500)
    talk.close()
    server.wait_log("imap")
    other = server.imap_talk()
    assert other.cmd("STATUS Box (MESSAGES)").find(rb"MESSAGES 0")
    box = server.accounts["anna"].folder("Box")
    for _ in range(100):
        if not list((box / "tmp").iterdir()):
            break
        time.sleep(0.05)
    assert not list((box / "tmp").iterdir())


def test_append_is_on_disk_as_it_came(talk, server):
    for octets in (b"a: b\r\n\r\nlf\r\n", b"no header at all", b"\r\n", b"a: b\n\nbare\nlf\n", b"a: b\r\n\r\ncr\ralone\r\n", b".\r\n..\r\n",
                   b"x" * 70000, b"a: b\r\n\r\n" + bytes(range(1, 256)) * 50):
        assert talk.append("Box", octets).ok
        talk.cmd("SELECT Box")
        wire = re.sub(rb"(?<!\r)\n", b"\r\n", octets)
        f = fetched(talk.cmd("FETCH * (RFC822.SIZE BODY.PEEK[])")).popitem()[1]
        assert literal(f, b"BODY[]") == wire and b"RFC822.SIZE %d " % len(wire) in f
        f = fetched(talk.cmd("FETCH * (BODY.PEEK[HEADER] BODY.PEEK[TEXT])")).popitem()[1]
        assert literal(f, b"BODY[HEADER]") + literal(f, b"BODY[TEXT]") == wire


# --- COPY, MOVE ---

def test_copy_keeps_flags_keywords_and_dates(talk):
    talk.append("INBOX", message(4), '(\\Seen $Label kw2) " 5-May-2005 05:05:05 +0000" ')
    talk.append("Box", message(0), "(other kw2) ")  # letters differ there
    answer = talk.cmd("COPY 4,2 Box")
    assert answer.ok and re.match(r"\[COPYUID \d+ 2,4 2:3\] ", answer.text)
    assert talk.cmd("UID COPY 1:3 Box").text.split()[2:4] == ["1:3", "4:6]"]
    talk.cmd("SELECT Box")
    assert flags(talk)[3] == {"\\Seen", "$Label", "kw2"} and flags(talk)[2] == set()
    assert talk.cmd("FETCH 3 (INTERNALDATE)").find(rb'" 5-May-2005 05:05:05 \+0000"')
    assert literal(fetched(talk.cmd("FETCH 3 BODY.PEEK[]"))[3], b"BODY[]") == message(4)


def test_copy_that_cannot_be(talk):
    answer = talk.cmd("COPY 1 None")
    assert answer.no and code(answer) == "TRYCREATE"
    assert talk.cmd("COPY 4 Box").bad and talk.cmd("COPY 1:9 Box").bad and talk.cmd("COPY 0 Box").bad
    assert talk.cmd("UID COPY 99 Box").ok and code(talk.last) is None, "by UID it is no error"
    assert talk.cmd("UID COPY 99:* Box").text.split()[2:] == ["3", "1]", "Copied"]
    assert talk.cmd("STATUS Box (MESSAGES)").find(rb"MESSAGES 1")


def test_copy_and_move_onto_itself(talk):
    answer = talk.cmd("COPY 1:2 INBOX")
    assert answer.text.split()[2:4] == ["1:2", "4:5]"] and answer.find(rb"^\* 5 EXISTS")
    answer = talk.cmd("MOVE 1:2 INBOX")
    assert answer.ok and answer.find(rb"^\* OK \[COPYUID \d+ 1:2 6:7\]")
    assert talk.cmd("UID SEARCH ALL").untagged == [b"* SEARCH 3 4 5 6 7"]
    assert len(answer.find(rb"EXPUNGE")) == 2 and literal(fetched(talk.cmd("UID FETCH 6 BODY.PEEK[]"))[4], b"BODY[]") == message(1)


def test_move(talk, server):
    talk.cmd("STORE 2 FLAGS (\\Answered kw)")
    answer = talk.cmd("MOVE 1:2 Box")
    assert answer.ok and code(answer) is None
    kinds = [re.sub(rb"\d+", b"n", u.split(b"]")[0]) for u in answer.untagged]
    assert kinds[0] == b"* OK [COPYUID n n:n n:n" and kinds[1:3] == [b"* n EXPUNGE"] * 2, answer
    assert talk.cmd("UID SEARCH ALL").untagged == [b"* SEARCH 3"]
    assert talk.cmd("UID MOVE 1:2 Box").ok and talk.cmd("UID MOVE 3 None").no and code(talk.last) == "TRYCREATE"
    assert talk.cmd("UID MOVE 3 Box").find(rb"^\* 1 EXPUNGE")
    assert server.accounts["anna"].files() == []
    talk.cmd("SELECT Box")
    assert flags(talk) == {1: set(), 2: {"\\Answered", "kw"}, 3: set()}
    talk.cmd("EXAMINE Box")
    assert talk.cmd("MOVE 1 INBOX").no and talk.cmd("COPY 1 INBOX").ok


def test_keywords_end_at_64_and_none_is_dropped_with_ok(talk):
    for i in range(64):
        assert talk.cmd(f"STORE 1 +FLAGS (word{i})").ok
    assert len(flags(talk)[1]) == 64
    permanent = [m[1] for m in talk.cmd("SELECT INBOX").find(rb"PERMANENTFLAGS \((.*?)\)")][0]
    assert b"\\*" not in permanent and b"word63" in permanent
    for command in ("STORE 2 +FLAGS (\\Seen word64)", "STORE 2 FLAGS (one more)"):
        assert talk.cmd(command).no and code(talk.last) == "LIMIT"
    assert flags(talk)[2] == set(), "nothing of it"
    answer = talk.append("INBOX", message(4), "(word64) ")
    assert answer.no and code(answer) == "LIMIT" and talk.cmd("STORE 2 -FLAGS (word64)").ok
    assert talk.append("INBOX", message(4), "(WORD3) ").ok and flags(talk)[4] == {"word3"}, "a known one in any case"
    talk.append("Box", message(5), "(word64) ")
    talk.cmd("SELECT Box")
    answer = talk.cmd("COPY 1 INBOX")
    assert answer.no and code(answer) == "LIMIT"
    assert talk.cmd("STATUS INBOX (MESSAGES)").find(rb"MESSAGES 4")


# --- STORE ---

def test_store_in_all_forms(talk):
    steps = [("FLAGS (\\Seen kw)", {"\\Seen", "kw"}), ("+FLAGS (\\Flagged)", {"\\Seen", "kw", "\\Flagged"}),
             ("+flags \\Answered two", {"\\Seen", "kw", "\\Flagged", "\\Answered", "two"}), ("-FLAGS (KW \\seen)", {"\\Flagged", "\\Answered", "two"}),
             ("-FLAGS (none)", {"\\Flagged", "\\Answered", "two"}), ("+FLAGS ()", {"\\Flagged", "\\Answered", "two"}), ("FLAGS \\Draft", {"\\Draft"}),
             ("FLAGS ()", set()), ("+FLAGS (nil $Forwarded a'[b)", {"nil", "$Forwarded", "a'[b"}), ("-FLAGS $forwarded", {"nil", "a'[b"})]
    for how, want in steps:
        for uid in (False, True):
            answer = talk.cmd(f"{'UID ' if uid else ''}STORE 2:3 {how}")
            told = fetched(answer)
            assert set(told) == {2, 3} and all((b"UID %d" % n in f) == uid for n, f in told.items()), "told for each, changed or not"
            assert flags(talk, "2:3") == {2: want, 3: want} and flags(talk, "1") == {1: set()}, how
    for how in ("FLAGS.SILENT (\\Seen)", "+FLAGS.SILENT (\\Deleted)", "-flags.silent (\\Seen)"):
        assert not talk.cmd(f"STORE 1 {how}").find(rb"FETCH")
    assert flags(talk, "1") == {1: {"\\Deleted"}}
    answer = talk.cmd("STORE 1 +FLAGS.SILENT (brandnew)")
    assert answer.find(rb"^\* FLAGS \(.*brandnew.*\)$") and answer.find(rb"PERMANENTFLAGS .*brandnew"), "a new keyword is told first"
    assert talk.cmd("UID STORE 99 FLAGS (\\Seen)").ok and not talk.last.untagged and talk.cmd("STORE 99 FLAGS (\\Seen)").bad


def test_store_under_examine_is_refused(talk):
    talk.cmd("EXAMINE INBOX")
    for command in ("STORE 1 FLAGS (\\Seen)", "UID STORE 1 +FLAGS.SILENT (kw)", "EXPUNGE", "UID EXPUNGE 1"):
        assert talk.cmd(command).no and not talk.last.untagged
    assert talk.cmd("FETCH 1 BODY[]").ok and not talk.last.find(rb"FLAGS") and flags(talk, "1") == {1: set()}
    talk.cmd("SELECT INBOX")
    talk.cmd("STORE 1:* FLAGS (\\Deleted)")
    talk.cmd("EXAMINE INBOX")
    assert talk.cmd("CLOSE").ok and talk.cmd("SELECT INBOX").find(rb"^\* 3 EXISTS"), "CLOSE behind EXAMINE removes nothing"


def test_flags_are_letters_of_the_file(talk, server):
    talk.cmd("STORE 1 FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft kw0 kw1)")
    assert any(f.endswith(":2,DFRSTab") for f in server.accounts["anna"].files())
    assert (server.accounts["anna"].maildir / "dovecot-keywords").read_text() == "0 kw0\n1 kw1\n"


# --- EXPUNGE ---

def test_expunge_close_unselect(talk):
    talk.cmd("STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    talk.cmd("UNSELECT")
    assert talk.cmd("SELECT INBOX").find(rb"^\* 3 EXISTS"), "UNSELECT removes nothing"
    answer = talk.cmd("EXPUNGE")
    gone = [int(m[1]) for m in answer.find(rb"^\* (\d+) EXPUNGE$")]
    left = [1, 2, 3]
    for n in gone:  # each number counts after those before
        left.pop(n - 1)
    assert left == [2] and talk.cmd("UID SEARCH ALL").untagged == [b"* SEARCH 2"]
    talk.append("INBOX", message(5), "(\\Deleted) ")
    assert talk.cmd("CLOSE").ok and not talk.last.untagged, "CLOSE tells none"
    assert talk.cmd("SELECT INBOX").find(rb"^\* 1 EXISTS") and talk.last.find(rb"UIDNEXT 5\]")


def test_uid_expunge_spares_the_rest(talk):
    talk.cmd("STORE 1:3 +FLAGS.SILENT (\\Deleted)")
    talk.cmd("STORE 3 -FLAGS.SILENT (\\Deleted)")
    assert talk.cmd("UID EXPUNGE 2:99").untagged == [b"* 2 EXPUNGE", b"* 2 EXISTS"]
    assert talk.cmd("UID SEARCH ALL").untagged == [b"* SEARCH 1 3"]
    assert talk.cmd("UID EXPUNGE 77").ok and not talk.last.untagged


# --- FETCH ---

PARTS = b"""From: "A \\"Q\\" B" <a@example.org>\r
To: c@example.org,\r
 d@example.org\r
Subject: =?utf-8?q?caf=C3=A9?=\r
X-Twice: one\r
Message-ID: <1@example.org>\r
x-twice: two\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary="b1"\r
\r
preamble\r
--b1\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
caf=C3=A9 =\r
soft\r
--b1\r
Content-Type: message/rfc822\r
\r
Subject: inner\r
From: i@example.org\r
\r
inner body\r
--b1\r
Content-Type: application/octet-stream; name=x\r
Content-Transfer-Encoding: base64\r
\r
AAECAw==\r
--b1\r
Content-Transfer-Encoding: x-odd\r
\r
what\r
--b1--\r
epilogue\r
"""
HEADER, TEXT = PARTS.split(b"\r\n\r\n", 1)[0] + b"\r\n\r\n", PARTS.split(b"\r\n\r\n", 1)[1]
INNER = b"Subject: inner\r\nFrom: i@example.org\r\n\r\ninner body"
SECTIONS = [  # asked, label, content
    ("BODY[]", "BODY[]", PARTS), ("BODY.PEEK[]", "BODY[]", PARTS), ("RFC822", "RFC822", PARTS), ("BODY[HEADER]", "BODY[HEADER]", HEADER),
    ("RFC822.HEADER", "RFC822.HEADER", HEADER), ("BODY[TEXT]", "BODY[TEXT]", TEXT), ("RFC822.TEXT", "RFC822.TEXT", TEXT),
    ("body.peek[header.fields (x-twice)]", "BODY[HEADER.FIELDS (x-twice)]", b"X-Twice: one\r\nx-twice: two\r\n\r\n"),
    ('BODY.PEEK[HEADER.FIELDS ("To" {7+}\r\nsubject)]', "BODY[HEADER.FIELDS (To subject)]",
     b"To: c@example.org,\r\n d@example.org\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\n"),
    ("BODY[HEADER.FIELDS (None)]", "BODY[HEADER.FIELDS (None)]", b"\r\n"),
    ('BODY[HEADER.FIELDS ("a b")]', 'BODY[HEADER.FIELDS ("a b")]', b"\r\n"),
    ("BODY[HEADER.FIELDS.NOT (from to X-TWICE mime-version content-type subject)]",
     "BODY[HEADER.FIELDS.NOT (from to X-TWICE mime-version content-type subject)]", b"Message-ID: <1@example.org>\r\n\r\n"),
    ("BODY[1]", "BODY[1]", b"caf=C3=A9 =\r\nsoft"), ("BODY[1.MIME]", "BODY[1.MIME]",
     b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"),
    ("BODY[2]", "BODY[2]", INNER), ("BODY[2.HEADER]", "BODY[2.HEADER]", INNER[:-10]), ("BODY[2.TEXT]", "BODY[2.TEXT]", b"inner body"),
    ("BODY[2.1]", "BODY[2.1]", b"inner body"), ("BODY[2.MIME]", "BODY[2.MIME]", b"Content-Type: message/rfc822\r\n\r\n"),
    ("BODY[2.HEADER.FIELDS (SUBJECT)]", "BODY[2.HEADER.FIELDS (SUBJECT)]", b"Subject: inner\r\n\r\n"),
    ("BODY[9]", "BODY[9]", None), ("BODY[1.1]", "BODY[1.1]", None), ("BODY[1.HEADER]", "BODY[1.HEADER]", None), ("BODY[4294967295]", "BODY[4294967295]", None),
    ("BODY[]<0.10>", "BODY[]<0>", PARTS[:10]), ("BODY[]<5.7>", "BODY[]<5>", PARTS[5:12]), ("BODY[TEXT]<2.99999>", "BODY[TEXT]<2>", TEXT[2:]),
    ("BODY[]<99999.10>", "BODY[]<99999>", b""), ("BODY[HEADER]<4.5>", "BODY[HEADER]<4>", HEADER[4:9]), ("BODY[1]<3.4>", "BODY[1]<3>", b"=C3="),
    ("BODY[1.MIME]<8.4>", "BODY[1.MIME]<8>", b"Type"), ("BODY.PEEK[HEADER.FIELDS (x-twice)]<2.5>", "BODY[HEADER.FIELDS (x-twice)]<2>", b"Twice"),
    ("BODY[]<%d.1>" % len(PARTS), "BODY[]<%d>" % len(PARTS), b""), ("BODY[]<%d.1>" % (len(PARTS) - 1), "BODY[]<%d>" % (len(PARTS) - 1), b"\n"),
    ("BODY[9]<0.5>", "BODY[9]<0>", None), ("BODY[]<4294967296.5>", "BODY[]<4294967296>", b""),
    ("BINARY[1]", "BINARY[1]", "café soft".encode()), ("BINARY.PEEK[3]", "BINARY[3]", bytes(range(4))), ("BINARY[1]<3.2>", "BINARY[1]<3>", "é".encode()),
    ("BINARY[3]<1.2>", "BINARY[3]<1>", b"\1\2"), ("BINARY[9]", "BINARY[9]", None), ("BINARY[]", "BINARY[]", PARTS), ("BINARY[2]", "BINARY[2]", INNER),
]


def test_fetch_sections(server):
    talk = server.imap_talk()
    talk.append("INBOX", PARTS)
    talk.cmd("SELECT INBOX")
    for asked, label, content in SECTIONS:
        f = fetched(talk.cmd(f"FETCH 1 ({asked})"))[1]
        assert literal(f, label.encode()) == content, asked
        talk.cmd("STORE 1 FLAGS.SILENT ()")
        f = fetched(talk.cmd(f"UID FETCH 1 (FLAGS {asked})"))[1]
        peek = "PEEK" in asked.upper() or asked == "RFC822.HEADER"
        assert (b"\\Seen" in f) != peek and (searched(talk, "SEEN") == []) == peek, asked
        talk.cmd("STORE 1 FLAGS.SILENT ()")
        f = fetched(talk.cmd(f"FETCH 1 {asked}"))[1]
        assert (b"FLAGS (\\Seen" in f) != peek, "\\Seen is told unasked, too"
        talk.cmd("STORE 1 FLAGS.SILENT ()")
    for part, size in ((1, 10), (3, 4), (9, 0)):
        assert talk.cmd(f"FETCH 1 BINARY.SIZE[{part}]").find(rb"BINARY\.SIZE\[%d\] %d\)" % (part, size))
    for item in ("BINARY[4]", "BINARY.SIZE[4]", "BINARY.PEEK[4]<0.3>"):
        answer = talk.cmd(f"FETCH 1 {item}")
        assert answer.no and code(answer) == "UNKNOWN-CTE" and not answer.find(rb"BINARY"), answer
    f = fetched(talk.cmd("FETCH 1 (BODY.PEEK[1] BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[2.TEXT]<6.4> UID)"))[1]
    assert literal(f, b"BODY[1]") and literal(f, b"BODY[2.TEXT]<6>") == b"body" and b"UID 1" in f


def test_mend20_a_blank_line_is_told_where_there_is_one(server):
    """RFC 9051 section 6.4.5; of fields that are remembered and of others, read first and from the index."""
    anna = server.accounts["anna"]
    inner = b"From: a@example.org\nX-Own: 1\n"
    messages = [(b"From: a@example.org\nX-Own: 1\n", b""), (b"From: a@example.org\nX-Own: 1", b""), (b"From: a@example.org\nX-Own: 1\n\n", b"\r\n"),
                (b"From: a@example.org\nX-Own: 1\n\nbody\n", b"\r\n"), (b"From: a@example.org\nX-Own: 1\nno field\n", b"")]
    for i, (octets, _) in enumerate(messages, 1):
        anna.deliver(octets, f"100000000{i}.M{i}.test:2,", sub="cur")
    anna.deliver(b"Content-Type: message/rfc822\n\n" + inner, "1000000009.M9.test:2,", sub="cur")
    for _ in range(2):
        talk = server.imap_talk()
        talk.cmd("SELECT INBOX")
        for n, (octets, blank) in enumerate(messages, 1):
            f = fetched(talk.cmd(f"FETCH {n} (BODY.PEEK[HEADER.FIELDS (From)] BODY.PEEK[HEADER.FIELDS (Subject)] BODY.PEEK[HEADER.FIELDS (Received)]"
                                 f" BODY.PEEK[HEADER.FIELDS.NOT (X-Own)] BODY.PEEK[HEADER])"))[n]
            assert literal(f, b"BODY[HEADER.FIELDS (From)]") == b"From: a@example.org\r\n" + blank, octets
            assert literal(f, b"BODY[HEADER.FIELDS (Subject)]") == literal(f, b"BODY[HEADER.FIELDS (Received)]") == blank, octets
            assert literal(f, b"BODY[HEADER.FIELDS.NOT (X-Own)]").endswith(b"no field\r\n" if b"no field" in octets else b"org\r\n" + blank), octets
            assert literal(f, b"BODY[HEADER]").endswith(b"\r\n\r\n") == bool(blank), octets
        f = fetched(talk.cmd("FETCH 6 (BODY.PEEK[1.HEADER.FIELDS (From)] BODY.PEEK[HEADER.FIELDS (From)])"))[6]
        assert literal(f, b"BODY[HEADER.FIELDS (From)]") == b"\r\n"
        idle = talk.start("IDLE")
        assert talk.line().startswith(b"+")
        talk.send(b"DONE\r\n")
        assert talk.finish(idle).ok and talk.cmd("FETCH 1:* (BODYSTRUCTURE ENVELOPE RFC822.SIZE)").ok and talk.cmd("LOGOUT").ok


def test_fetch_of_what_cannot_be_is_bad(talk):
    for item in ("BODY[", "BODY[]<0.0>", "BODY[]<0>", "BODY[]<0.>", "BODY[]<.5>", "BODY[]<-1.5>", "BODY[]<a.5>", "BODY[]<0.5", "BODY[0]", "BODY[01x]",
                 "BODY[1.]", "BODY[.1]", "BODY[1..2]", "BODY[MIME]", "BODY[HEADERS]", "BODY[HEADER.FIELDS]", "BODY[HEADER.FIELDS ()]",
                 "BODY[HEADER.FIELDS (a b]", "BODY[HEADER.FIELDS a]", 'BODY[HEADER.FIELDS ("")]', 'BODY[HEADER.FIELDS ("a\x01b")]',
                 "BODY[HEADER.FIELDS ({4+}\r\na\r\nb)]", "BODY[TEXT.1]", "BODY[4294967296]", "BODY[]<99999999999999999999.1>", "BINARY[HEADER]",
                 "BINARY[1.MIME]", "BINARY.SIZE[1]<0.5>", "BODYX", "RFC822.PEEK", "FLAGS UID", "(FAST)", "(FLAGS (UID))", "ENVELOPE[]", "BODY [1]", "(UID,FLAGS)",
                 "FAST UID", "MACRO"):
        for prefix in ("", "UID "):
            answer = talk.cmd(f"{prefix}FETCH 1 {item}")
            assert answer.bad and not answer.untagged, (item, answer)
        assert talk.cmd("NOOP").ok


def test_fetch_items_and_macros(talk):
    date, size = rb'INTERNALDATE "[ \d]\d-\w{3}-\d{4} \d\d:\d\d:\d\d \+0000"', rb"RFC822\.SIZE %d" % len(message(1))
    envelope = (rb'ENVELOPE \(NIL "message 1" \(\(NIL NIL "a1" "example.org"\)\) \(\(NIL NIL "a1" "example.org"\)\) '
                rb'\(\(NIL NIL "a1" "example.org"\)\) NIL NIL NIL NIL NIL\)')
    body = rb'BODY \("text" "plain" \("charset" "us-ascii"\) NIL NIL "7bit" 8 1\)'
    structure = body[:-2].replace(b"BODY", b"BODYSTRUCTURE", 1) + rb" NIL NIL NIL NIL\)"
    flags_ = rb"FLAGS \([^)]*\)"
    for asked, want in [("FAST", [flags_, date, size]), ("ALL", [flags_, date, size, envelope]), ("FULL", [flags_, date, size, envelope, body]),
                        ("fast", [flags_, date, size]), ("UID", [b"UID 1"]), ("(UID)", [b"UID 1"]), ("FLAGS", [flags_]), ("INTERNALDATE", [date]),
                        ("RFC822.SIZE", [size]), ("ENVELOPE", [envelope]), ("BODY", [body]), ("BODYSTRUCTURE", [structure]), ("(uid Flags)", [b"UID 1", flags_]),
                        ("(BODY BODYSTRUCTURE FLAGS UID FLAGS UID)", [b"UID 1", flags_, body, structure])]:
        got = fetched(talk.cmd(f"FETCH 1 {asked}"))[1]
        rest = got
        for item in want:
            rest, n = re.subn(item, b"", rest, count=1, flags=re.I)
            assert n == 1, (asked, item, got)
        assert not rest.strip(), (asked, rest)
        assert b"UID 1" in fetched(talk.cmd(f"UID FETCH 1 {asked}"))[1]
    assert flags(talk) == {1: set(), 2: set(), 3: set()}, "none of them marks"


def test_fetch_sets(talk):
    def got(command):
        return sorted(fetched(talk.cmd(command)))

    talk.cmd("STORE 2 +FLAGS.SILENT (\\Deleted)")
    talk.append("INBOX", message(4))
    talk.cmd("EXPUNGE")  # UIDs 1 3 4
    for numbers, want in [("1", [1]), ("1:3", [1, 2, 3]), ("3:1", [1, 2, 3]), ("*", [3]), ("*:1", [1, 2, 3]), ("2:*", [2, 3]), ("1,3,1", [1, 3]), ("*,1", [1, 3]),
                          ("3:2,1:1", [1, 2, 3])]:
        assert got(f"FETCH {numbers} UID") == want, numbers
        assert len(talk.last.untagged) == len(want), "each once"
    for numbers in ("4", "1:4", "4:*", "99:100,1"):
        assert talk.cmd(f"FETCH {numbers} UID").bad, "beyond the mailbox"
    for uids, want in [("1", [1]), ("2", []), ("1:4", [1, 2, 3]), ("4:1", [1, 2, 3]), ("99:*", [3]), ("*:99", [3]), ("99", []), ("99:100,3", [2]), ("*", [3]),
                       ("1:4294967295", [1, 2, 3]), ("4294967295:*", [3])]:
        assert got(f"UID FETCH {uids} FLAGS") == want, uids
    for bad in ("4294967296", "0", "0:1", "1:0", "18446744073709551617"):
        assert talk.cmd(f"UID FETCH {bad} FLAGS").bad
    assert got("UID FETCH " + ",".join(str(i) for i in range(1, 20000)) + " FLAGS") == [1, 2, 3]


def test_ranges_in_an_empty_mailbox(talk):
    talk.cmd("SELECT Box")
    for command in ("FETCH 1:* UID", "FETCH * UID", "UID FETCH 1:* FLAGS", "UID FETCH 5 FLAGS", "UID STORE 1:* FLAGS (\\Seen)", "STORE 1:* FLAGS (\\Seen)",
                    "UID COPY 1:* INBOX", "COPY 1:* INBOX", "UID EXPUNGE 1:*", "UID MOVE 1:* INBOX"):
        assert talk.cmd(command).ok and not talk.last.untagged, command
    assert talk.cmd("FETCH 1 UID").bad and talk.cmd("SEARCH 1:*").untagged == [b"* SEARCH"] and talk.cmd("UID SEARCH UID 1:*").untagged == [b"* SEARCH"]


def test_req31_one_bad_file_costs_only_itself(server):
    anna = server.accounts["anna"]
    for i in range(1, 6):
        anna.deliver(message(i), f"100000000{i}.M{i}.test:2,", sub="cur")
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    paths = [anna.maildir / "cur" / f"100000000{i}.M{i}.test:2," for i in range(1, 6)]
    paths[1].unlink()
    os.mkfifo(paths[1])
    paths[2].unlink()
    paths[2].symlink_to("/etc/passwd")
    paths[3].chmod(0)
    answer = talk.cmd("FETCH 1:5 (UID BODY.PEEK[])")
    assert answer.no and {int(m[1]) for m in answer.find(rb"^\* (\d+) FETCH")} in ({1, 5}, {1, 4, 5}), answer
    assert b"root:" not in b"".join(answer.untagged)
    assert talk.cmd("FETCH 5 BODY.PEEK[TEXT]").ok and talk.cmd("SEARCH BODY body").ok
    assert {1, 5} <= {int(n) for n in talk.last.untagged[-1].split()[2:]}
    assert talk.cmd("FETCH 1:5 FLAGS").status in ("OK", "NO") and talk.cmd("NOOP").ok


@pytest.mark.root
@pytest.mark.parametrize("items", ["BODY[]", "BODY[TEXT]", "BODY[1]", "RFC822", "RFC822.TEXT", "BODY[]<0.3>", "BINARY[1]", "(RFC822.SIZE BODY[])"])
def test_mend03_what_is_not_sent_is_not_seen(server, items):
    """A file that cannot be opened; and, with BINARY, content that cannot be decoded."""
    anna = server.accounts["anna"]
    encoding = "Content-Transfer-Encoding: x-own\r\n" if items == "BINARY[1]" else ""
    for i in range(1, 4):
        anna.deliver(f"{encoding if i == 2 else ''}Subject: {i}\r\n\r\nbody\r\n", f"100000000{i}.M{i}.test:2,", sub="cur")
    talk = server.imap_talk()
    before = highest(talk.cmd("SELECT INBOX"))
    if not encoding:
        (anna.maildir / "cur" / "1000000002.M2.test:2,").chmod(0)
    assert talk.cmd(f"FETCH 2 {items}").no and not talk.last.untagged
    assert talk.cmd(f"FETCH 2 {items}").no, "and the second time"
    assert flags(talk) == {1: set(), 2: set(), 3: set()} and highest(server.imap_talk().cmd("SELECT INBOX")) == before
    answer = talk.cmd(f"FETCH 1:3 {items}")
    assert answer.no and {int(m[1]) for m in answer.find(rb"^\* (\d+) FETCH .*\\Seen")} == {1, 3}
    assert flags(talk) == {1: {"\\Seen"}, 2: set(), 3: {"\\Seen"}}


def test_mend03_a_client_that_leaves_has_seen_what_it_was_sent(server):
    anna = server.accounts["anna"]
    for i in range(30):
        anna.deliver(b"a: b\n\n" + b"x" * 1000000, f"{1000000001 + i}.M{i}.test:2,", sub="cur")
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    talk.start("FETCH 1:* BODY[]")
    assert talk.sock.recv(100)
    talk.sock.shutdown(socket.SHUT_RDWR)
    server.wait_log(r" imap end .*user=anna")
    other = server.imap_talk()
    other.cmd("SELECT INBOX")
    seen = {n for n, f in flags(other).items() if f}
    assert seen == set(range(1, len(seen) + 1)) and len(seen) < 20, "what filled buffers on the way, and no more"


def highest(answer):
    return answer.find(rb"HIGHESTMODSEQ (\d+)")[0][1]


def test_req30_a_wrong_size_in_the_name_is_no_size(server):
    anna = server.accounts["anna"]
    anna.deliver(b"a: b\n\nhello\n", "1000000001.M1.test,S=999999,W=7:2,", sub="cur")
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    f = fetched(talk.cmd("FETCH 1 (RFC822.SIZE BODY.PEEK[])"))[1]
    assert b"RFC822.SIZE 15 " in f and literal(f, b"BODY[]") == b"a: b\r\n\r\nhello\r\n"


def test_a_client_that_does_not_read_costs_one_buffer(server):
    anna = server.accounts["anna"]
    anna.deliver(b"a: b\n\n" + b"x" * 79 + b"\n" * 1 + b"y" * 4000000)
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    before = {pid: rss(pid) for pid in server.children()}
    talk.send(b"".join(b"p%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(20)))  # 80 MB, unread
    time.sleep(0.5)
    for pid, was in before.items():
        assert rss(pid) - was < (40000 if ASAN else 4000), "kB"
    for i in range(20):
        assert talk.finish(b"p%d" % i).ok


def rss(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
    except (OSError, TypeError):
        return 0


def test_req25_names_and_keywords_never_begin_a_line(server):
    anna = server.accounts["anna"]
    (anna.maildir / "dovecot-keywords").write_bytes(b"0 evil\r\n1 (x\n2 y z\n3 \\Seen\n4 \xff\n5 good\n")
    anna.own(anna.maildir / "dovecot-keywords")
    anna.deliver(b'Subject: a"\\b\r * BYE x\nFrom: "\r\n * 1 EXPUNGE" <a@b>\n\nx\n', "1000000001.M1.test:2,abcdef", sub="cur")
    talk = server.imap_talk()
    answer = talk.cmd("SELECT INBOX")
    assert answer.ok and answer.find(rb"FLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft( evil)? good\)"), answer
    for item in ("ALL", "BODYSTRUCTURE", "FLAGS", "BODY.PEEK[HEADER.FIELDS (Subject)]"):
        answer = talk.cmd(f"FETCH 1 {item}")
        assert answer.ok and len(answer.untagged) == 1 and answer.untagged[0].startswith(b"* 1 FETCH ("), answer
