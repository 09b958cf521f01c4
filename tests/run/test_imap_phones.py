"""Thunderbird on Android and on the desktop: a script sends their commands in their order and spelling, over as many
connections as they use, and the answers are checked as those programs read them."""

import base64
import imaplib
import re
import socket
import time

import pytest

import wire
from conftest import Talk, until
from test_imap_clients import letter

K9_HEADERS = ("date subject from content-type to cc reply-to message-id references in-reply-to list-unsubscribe sender "
              "X-K9mail-Identity chat-version")
DESKTOP_HEADERS = ("From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To "
                   "Content-Type Reply-To")
JAPAN, JAPAN_IMAP = "日本語", "&ZeVnLIqe-"
PLAIN = base64.b64encode(b"\0anna\0sesame").decode()


def connect(server, door):
    """Greeted, with TLS; the names of the capabilities are with it."""
    s = socket.create_connection(("127.0.0.1", server.imaps if door == "TLS" else server.imap), 20)
    if door == "TLS":
        s = server.context().wrap_socket(s, server_hostname="localhost")
        talk = Talk(s)
        greeting = talk.line()
    else:
        clear = Talk(s)
        greeting = clear.line()
        offered = capabilities(clear.cmd("CAPABILITY"))
        assert {"STARTTLS", "LOGINDISABLED"} <= offered and not any(c.startswith("AUTH=") for c in offered)
        assert clear.cmd("STARTTLS").ok
        clear.file.close()
        s = server.context().wrap_socket(s, server_hostname="localhost")
        talk = Talk(s)
    assert greeting.startswith(b"* OK ")
    return talk


def capabilities(answer):
    line, = answer.find(rb"^\* CAPABILITY (.*)$")
    return set(line[1].decode().split())


def code_capabilities(answer):
    """Those in the tagged answer of a login, which spare a command."""
    return set(re.match(r"\[CAPABILITY ([^\]]*)\]", answer.text)[1].split())


def listed(answer, word="LIST"):
    """Name -> attributes; names as they come, unquoted."""
    found = {}
    for m in answer.find(rb'^\* %s \(([^)]*)\) "/" (?:"((?:[^"\\]|\\.)*)"|(\S+))' % word.encode()):
        found[(m[2] if m[2] is not None else m[3]).decode()] = set(m[1].decode().split())
    return found


def fetched(answer):
    """UID -> the text of its FETCH."""
    return {int(re.search(rb"UID (\d+)", m[0])[1]): m[0] for m in answer.find(rb"^\* \d+ FETCH \(.*$")}


def found(answer):
    line, = answer.find(rb"^\* SEARCH(.*)$")
    return [int(n) for n in line[1].split()]


def literal(item, text):
    """The string of one data item in a FETCH: literal or quoted."""
    m = re.search(re.escape(item.encode()) + rb" (?:\{(\d+)\}\r\n|\"([^\"]*)\"|(NIL))", text)
    assert m, (item, text)
    return text[m.end():m.end() + int(m[1])] if m[1] else m[2]


class Push:
    """One connection that idles in its folder, as a phone has for each."""

    def __init__(self, talk, folder):
        self.talk, self.folder = talk, folder
        assert talk.cmd(f'SELECT "{folder}"').ok, talk.last
        self.exists = int(talk.last.find(rb"^\* (\d+) EXISTS")[-1][1])
        self.idle()

    def idle(self):
        self.tag = self.talk.start("IDLE")
        line = self.talk.line()
        while line.startswith(b"* "):
            line = self.talk.line()
        assert line.startswith(b"+"), line

    def told(self, pattern, seconds=5):
        """Waits for an untagged line; returns it and how long it took."""
        begun = time.monotonic()
        self.talk.sock.settimeout(seconds)
        while True:
            line = self.talk.line()
            assert line.startswith(b"* "), line
            if re.search(pattern, line):
                self.talk.sock.settimeout(20)
                return line, time.monotonic() - begun

    def done(self):
        self.talk.send("DONE\r\n")
        answer = self.talk.finish(self.tag)
        assert answer.ok, answer
        return answer

    def renew(self):
        answer = self.done()
        self.idle()
        return answer


@pytest.fixture
def filled(server):
    """anna: 60 messages in INBOX, folders as people have them."""
    anna = server.accounts["anna"]
    for n in range(60):
        anna.deliver(letter(n))
    for name in ("Sent", "Trash", "Drafts", "Work", "Work/Deep er", JAPAN_IMAP):
        anna.make_folder(name)
    for n in range(100, 105):
        anna.deliver(letter(n), folder="Work/Deep er")
    return server


class Phone:
    """Logged in as it is done by Thunderbird for Android."""

    def __init__(self, server, door):
        self.talk = connect(server, door)
        before = capabilities(self.talk.cmd("CAPABILITY"))
        assert {"AUTH=PLAIN", "SASL-IR"} <= before and not {"STARTTLS", "LOGINDISABLED"} & before
        assert self.cmd(f"AUTHENTICATE PLAIN {PLAIN}").ok, self.talk.last
        self.can = code_capabilities(self.talk.last)
        assert {"IDLE", "NAMESPACE", "UIDPLUS", "MOVE", "SPECIAL-USE", "LIST-EXTENDED", "ENABLE", "ID",
                "UTF8=ACCEPT"} <= self.can
        assert "IMAP4REV1" in {c.upper() for c in self.can}
        id_ = self.cmd('ID ("name" "Thunderbird" "version" "12.0" "vendor" "MZLA")')
        assert id_.ok and id_.find(rb'^\* ID \(|^\* ID NIL')
        assert self.cmd("ENABLE UTF8=ACCEPT").find(rb"^\* ENABLED .*UTF8=ACCEPT")
        assert self.cmd("NAMESPACE").find(rb'^\* NAMESPACE \(\("" "/"\)\) NIL NIL$')

    def cmd(self, command, *literals):
        return self.talk.cmd(command, *literals)


@pytest.mark.parametrize("door", ["STARTTLS", "TLS"])
def test_phone(filled, door):
    anna = filled.accounts["anna"]
    phone = Phone(filled, door)
    cmd = phone.cmd
    folders = listed(cmd('LIST "" "*" RETURN (SPECIAL-USE)'))
    assert set(folders) == {"INBOX", "Sent", "Trash", "Drafts", "Work", "Work/Deep er", JAPAN}
    assert all("\\" + use in folders[use] for use in ("Sent", "Trash", "Drafts"))

    # The newest 25 by number, as it asks: by sets of numbers, then of UIDs.
    assert cmd('SELECT "INBOX"').ok
    assert phone.talk.last.text.startswith("[READ-WRITE]")
    assert phone.talk.last.find(rb"^\* OK \[PERMANENTFLAGS \([^)]*\\\*[^)]*\)\]")
    exists = int(phone.talk.last.find(rb"^\* (\d+) EXISTS")[0][1])
    next_ = int(phone.talk.last.find(rb"^\* OK \[UIDNEXT (\d+)\]")[0][1])
    assert (exists, next_) == (60, 61)
    assert found(cmd("UID SEARCH 36:60 NOT DELETED")) == list(range(36, 61))
    assert found(cmd("UID SEARCH UID 1:3,7,58:* NOT DELETED")) == [1, 2, 3, 7, 58, 59, 60]
    assert found(cmd("UID SEARCH UID 61:* NOT DELETED")) == [60], "the last one is in every n:*"
    assert found(cmd('UID SEARCH HEADER MESSAGE-ID "<41@x>"')) == [42]
    assert found(cmd("UID SEARCH 40:60 SINCE 1-Jan-2020 NOT DELETED")) == list(range(40, 61))
    flags = fetched(cmd("UID FETCH 36:60 (UID FLAGS)"))
    assert sorted(flags) == list(range(36, 61)) and all(b"\\Seen" not in t for t in flags.values())
    heads = fetched(cmd("UID FETCH 36,37:40,41,42,60 (UID FLAGS INTERNALDATE RFC822.SIZE "
                        f"BODY.PEEK[HEADER.FIELDS ({K9_HEADERS})])"))
    assert sorted(heads) == [*range(36, 43), 60]
    for uid, text in heads.items():
        sent = wire.wire(letter(uid - 1))
        assert re.search(rb"RFC822\.SIZE %d\b" % len(sent), text)
        assert re.search(rb'INTERNALDATE "[ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [-+]\d{4}"', text)
        fields = literal(f"BODY[HEADER.FIELDS ({K9_HEADERS})]", text)
        whole = sent.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        assert sorted(fields.split(b"\r\n")) == sorted(whole.split(b"\r\n")), "all of ours are among those"

    # Whole small ones at once, a large one in pieces.
    for uid, text in fetched(cmd("UID FETCH 36:44 (UID BODY.PEEK[])")).items():
        assert literal("BODY[]", text) == wire.wire(letter(uid - 1))
    sent, got = wire.wire(letter(45)), b""
    assert b"BODYSTRUCTURE (\"" in fetched(cmd("UID FETCH 46 (UID BODYSTRUCTURE)"))[46]
    while len(got) < len(sent):
        text = fetched(cmd(f"UID FETCH 46 (UID BODY.PEEK[]<{len(got)}.1024>)"))[46]
        piece = literal(f"BODY[]<{len(got)}>", text)
        assert 0 < len(piece) <= 1024
        got += piece
    assert got == sent
    assert literal(f"BODY[]<{len(sent)}>", fetched(cmd(f"UID FETCH 46 (UID BODY.PEEK[]<{len(sent)}.1024>)"))[46]) == b""
    assert not any(":2," in n and "S" in n.split(":2,")[1] for n in anna.files()), "it peeked"

    # Marks, moves to Trash, expunges what is in Trash.
    seen = cmd(r"UID STORE 50:52 +FLAGS.SILENT (\Seen)")
    assert seen.ok
    seen = cmd(r"UID STORE 53 +FLAGS (\Flagged)")
    assert rb"\Flagged" in fetched(seen)[53]
    moved = cmd('UID MOVE 50,52,60 "Trash"')
    assert moved.ok
    code, = moved.find(rb"^\* OK \[COPYUID \d+ (\S+) (\S+)\]")
    assert (code[1], code[2]) == (b"50,52,60", b"1:3")
    gone = [int(m[1]) for m in moved.find(rb"^\* (\d+) EXPUNGE")]
    assert len(gone) == 3
    left = list(range(1, 61))
    for n in gone:
        del left[n - 1]
    assert set(range(1, 61)) - set(left) == {50, 52, 60}, "the numbers told are those of the moment"
    assert len(anna.files("Trash")) == 3 and len(anna.files()) == 57
    assert cmd('SELECT "Trash"').ok and int(phone.talk.last.find(rb"^\* (\d+) EXISTS")[0][1]) == 3
    kept = fetched(cmd("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))
    assert [re.search(rb"<(\d+)@x>", kept[u])[1] for u in (1, 2, 3)] == [b"49", b"51", b"59"]
    assert [rb"\Seen" in kept[u] for u in (1, 2, 3)] == [True, True, False], "flags go along"
    assert cmd(r"UID STORE 1,3 +FLAGS.SILENT (\Deleted)").ok
    assert [m[1] for m in cmd("UID EXPUNGE 3").find(rb"^\* (\d+) EXPUNGE")] == [b"3"]
    assert len(anna.files("Trash")) == 2
    assert not cmd("UID EXPUNGE 2").find(rb"EXPUNGE"), "it is not \\Deleted"
    assert cmd("UID EXPUNGE 1:*").ok and len(anna.files("Trash")) == 1

    # What it has sent: a synchronising literal, and how it finds the UID without UIDPLUS.
    content = wire.wire(letter(900))
    sent = phone.talk.cmd(rf'APPEND "Sent" (\Seen) {{{len(content)}}}', content)
    assert sent.ok and sent.text.startswith("[APPENDUID "), sent
    assert cmd('SELECT "Sent"').ok
    assert found(cmd('UID SEARCH HEADER MESSAGE-ID "<900@x>"')) == [int(sent.text.split()[2].rstrip("]"))]
    assert cmd(f'CREATE "Entwürfe {JAPAN}"').ok
    assert f"Entwürfe {JAPAN}" in listed(cmd('LIST "" "*"'))
    assert (anna.maildir / (".Entw&APw-rfe " + JAPAN_IMAP)).is_dir()
    assert cmd("LOGOUT").ok


def test_phone_pushes_every_folder(filled):
    """A connection per folder, all idle at once; renewed while mail comes, and nothing is missed between."""
    anna = filled.accounts["anna"]
    pushes = {f: Push(Phone(filled, door).talk, f) for f, door in (
        ("INBOX", "STARTTLS"), ("Work", "TLS"), ("Work/Deep er", "STARTTLS"), (JAPAN, "TLS"))}
    disk = {"INBOX": None, JAPAN: JAPAN_IMAP}
    for turn in range(3):
        for n, (folder, push) in enumerate(pushes.items()):
            push.exists += 1
            anna.deliver(letter(1000 + 10 * turn + n), folder=disk.get(folder, folder))
            line, seconds = push.told(rb"^\* \d+ EXISTS")
            assert line == b"* %d EXISTS" % push.exists and seconds < 1, folder
        for folder, push in pushes.items():
            assert not push.renew().find(rb"EXISTS|EXPUNGE"), "nothing new, and nothing of other folders"
    # Mail comes between DONE and the next IDLE.
    push = pushes["INBOX"]
    for n in range(20):
        push.done()
        anna.deliver(letter(2000 + n))
        push.exists += 1
        push.tag = push.talk.start("IDLE")
        said = []
        while not {b"* %d EXISTS" % push.exists, b"+"} <= {w if w.startswith(b"*") else w[:1] for w in said}:
            said.append(push.talk.line())
            assert len(said) < 10, said
    # Another client's flags and expunges are told too, and the new mail can be read on that connection.
    other = filled.imap_login()
    other.select("INBOX")
    other.store("2", "+FLAGS", r"(\Flagged)")
    line, seconds = push.told(rb"^\* 2 FETCH")
    assert rb"\Flagged" in line and seconds < 1
    other.uid("MOVE", "2", "Work")
    assert push.told(rb"^\* 2 EXPUNGE")[1] < 1
    assert pushes["Work"].told(rb"^\* 4 EXISTS")[1] < 1
    for folder, p in pushes.items():
        p.done()
        newest = fetched(p.talk.cmd("UID FETCH * (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"))
        assert len(newest) == 1, folder
        assert p.talk.cmd("LOGOUT").ok
    other.logout()
    until(lambda: filled.log().count("imap end user=anna") == len(pushes) + 1, 5, "the ends")


def answer_parts(text, item):
    m = re.search(re.escape(item) + rb" \(([^)]*)\)", text)
    return set(m[1].split())


@pytest.mark.parametrize("door", ["STARTTLS", "TLS"])
def test_desktop(filled, door):
    """The desktop's Thunderbird: its opening, its list of a folder, what it sends, copies and deletes."""
    anna = filled.accounts["anna"]
    talk = connect(filled, door)
    assert {"AUTH=PLAIN", "SASL-IR"} <= capabilities(talk.cmd("CAPABILITY"))
    assert talk.cmd("AUTHENTICATE PLAIN", PLAIN).ok, "it does not use SASL-IR everywhere"
    assert {"LITERAL+", "IDLE", "UIDPLUS", "MOVE"} <= code_capabilities(talk.last)
    assert {"LITERAL+", "IDLE", "UIDPLUS", "MOVE"} <= capabilities(talk.cmd("CAPABILITY"))
    assert talk.cmd('ID ("name" "Thunderbird" "version" "140.0")').ok
    assert talk.cmd("NAMESPACE").find(rb'^\* NAMESPACE \(\("" "/"\)\) NIL NIL$')
    assert talk.cmd("ENABLE UTF8=ACCEPT").ok
    for name in ("INBOX", "Work", "Work/Deep er", "Sent", "Gone"):
        assert talk.cmd(f'SUBSCRIBE "{name}"').ok
    subscribed = listed(talk.cmd('LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)'))
    assert set(subscribed) == {"INBOX", "Work", "Work/Deep er", "Sent", "Gone"}
    assert all(r"\Subscribed" in a for a in subscribed.values())
    assert r"\NonExistent" in subscribed["Gone"] and r"\Sent" in subscribed["Sent"]
    assert set(listed(talk.cmd('LSUB "" "*"'), "LSUB")) == set(subscribed)
    assert set(listed(talk.cmd('LIST "" "INBOX"'))) == {"INBOX"}
    assert set(listed(talk.cmd('LIST "" "Work/%"'))) == {"Work/Deep er"}
    assert talk.cmd('LIST "" ""').find(rb'^\* LIST \(\\No[a-zA-Z]+\) "/" ""')

    assert talk.cmd('SELECT "INBOX"').ok
    assert talk.last.find(rb"^\* OK \[UIDVALIDITY \d+\]") and talk.last.find(rb"^\* FLAGS \(")
    flags = fetched(talk.cmd("UID fetch 1:* (FLAGS)"))
    assert sorted(flags) == list(range(1, 61))
    heads = fetched(talk.cmd(f"UID fetch 1:20,30,60 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({DESKTOP_HEADERS})])"))
    assert sorted(heads) == [*range(1, 21), 30, 60]
    for uid, text in heads.items():
        fields = literal(f"BODY[HEADER.FIELDS ({DESKTOP_HEADERS})]", text)
        assert b"Message-ID: <%d@x>\r\n" % (uid - 1) in fields and b"Subject: number %d\r\n\tfolded\r\n" % (uid - 1) in fields
        assert fields.endswith(b"\r\n\r\n") and fields.count(b"\r\n\r\n") == 1
    text = fetched(talk.cmd("UID fetch 6 (UID RFC822.SIZE BODY[])"))[6]
    assert literal("BODY[]", text) == wire.wire(letter(5))
    assert rb"\Seen" in text or rb"\Seen" in b"".join(talk.last.untagged)
    assert rb"\Seen" in fetched(talk.cmd("UID fetch 6 (FLAGS)"))[6]

    # IDLE; mail comes; DONE and the next commands go out at once.
    tag = talk.start("IDLE")
    assert talk.line().startswith(b"+")
    anna.deliver(letter(70))
    while talk.line() != b"* 61 EXISTS":
        pass
    talk.send("DONE\r\n")
    noop = talk.start("noop")
    more = talk.start("UID fetch 61:* (FLAGS)")
    assert talk.finish(tag).ok and talk.finish(noop).ok
    assert sorted(fetched(talk.finish(more))) == [61]

    # Sent and drafts: flags with a keyword, dates, LITERAL+ without a pause.
    for flags, literal_plus, folder in ((r"(\Seen)", True, "Sent"), (r"(\Seen \Draft)", False, "Drafts"),
                                        (r"(\Seen $Forwarded $MDNSent)", True, "Sent")):
        content = wire.wire(letter(800 + len(flags)))
        if literal_plus:
            talk.n += 1
            talk.send(b"t%d append \"%s\" %s \"21-Nov-2023 10:11:12 +0100\" {%d+}\r\n%s\r\n" % (
                talk.n, folder.encode(), flags.encode(), len(content), content))
            answer = talk.finish(b"t%d" % talk.n)
        else:
            answer = talk.cmd(f'append "{folder}" {flags} {{{len(content)}}}', content)
        m = re.match(r"\[APPENDUID \d+ (\d+)\]", answer.text)
        assert answer.ok and m, answer
        assert talk.cmd(f'SELECT "{folder}"').ok
        uid = int(m[1])
        text = fetched(talk.cmd(f"UID fetch {uid} (UID FLAGS INTERNALDATE BODY.PEEK[])"))[uid]
        assert literal("BODY[]", text) == content
        assert answer_parts(text, b"FLAGS") - {rb"\Recent"} == set(flags.strip("()").encode().split())
        if literal_plus:
            assert time.mktime(imaplib.Internaldate2tuple(text)) == 1700557872
    # Deleting: to Trash by MOVE, and a folder compacted by EXPUNGE; junk by keyword.
    assert talk.cmd('SELECT "INBOX"').ok
    assert talk.cmd("UID store 3 -FLAGS (Junk)").ok and talk.cmd("UID store 3 +FLAGS (NonJunk)").ok
    assert b"NonJunk" in fetched(talk.cmd("UID fetch 3 (FLAGS)"))[3]
    assert talk.cmd('UID move 3,5:6 "Trash"').find(rb"\[COPYUID \d+ 3,5:6 1:3\]")
    assert talk.cmd('UID copy 7 "Work/Deep er"').text.startswith("[COPYUID ")
    assert talk.cmd(r"UID store 7 +FLAGS (\Deleted)").ok
    assert [m[1] for m in talk.cmd("expunge").find(rb"^\* (\d+) EXPUNGE")] == [b"4"]
    assert talk.cmd("close").ok
    assert talk.cmd('STATUS "Trash" (UIDNEXT MESSAGES UNSEEN RECENT)').find(
        rb'^\* STATUS "?Trash"? \(.*MESSAGES 3 .*\)')
    assert talk.cmd('SELECT "Trash"').ok
    assert b"NonJunk" in fetched(talk.cmd("UID fetch 1 (FLAGS)"))[1], "keywords go along"
    assert talk.cmd("logout").ok
    assert len(anna.files()) == 61 - 3 - 1 and len(anna.files("Work/Deep er")) == 6 and len(anna.files("Sent")) == 2
