"""IMAP4rev2 (RFC 9051) and UTF8=ACCEPT (RFC 6855): what ENABLE changes, compared with a session without it."""

import re

import pytest

MESSAGE = b"Subject: x\r\n\r\ny\r\n"
UNICODE = ('From: "Jürgen Müller" <jürgen@bücher.example>\r\nTo: dora@example.org\r\nSubject: Grüße aus Köln\r\n'
           "Content-Type: text/plain; charset=utf-8; name=\"süß\"\r\n\r\nstraße\r\n").encode()


def code(answer):
    m = re.match(r"\[(\S+?)[ \]]", answer.text)
    return m and m[1]


@pytest.fixture
def both(server):
    """A rev1 and a rev2 session of one account, five messages in INBOX."""
    one, two = server.imap_talk(), server.imap_talk()
    for i in range(5):
        server.accounts["anna"].deliver(MESSAGE, f"100000000{i}.M{i}.test:2,{'S' if i == 0 else ''}", sub="cur")
    assert two.cmd("ENABLE IMAP4rev2").untagged == [b"* ENABLED IMAP4rev2"]
    return one, two


# --- ENABLE ---

def test_enable(server):
    talk = server.imap_talk()
    for command, want in [("ENABLE X-NONE", b""), ("ENABLE imap4REV2 X-NONE", b" IMAP4rev2"), ("ENABLE IMAP4rev2", b""), ("ENABLE X-NONE utf8=accept", b" UTF8=ACCEPT"),
                          ("ENABLE UTF8=ACCEPT IMAP4rev2", b"")]:
        assert talk.cmd(command).untagged == [b"* ENABLED" + want], command
    talk = server.imap_talk()
    assert talk.cmd("ENABLE IMAP4rev2 UTF8=ACCEPT").untagged == [b"* ENABLED IMAP4rev2 UTF8=ACCEPT"]
    for bad in ("ENABLE", "ENABLE ", "ENABLE (X)"):
        assert talk.cmd(bad).bad
    other = server.imap_talk()
    other.cmd("SELECT INBOX")
    assert other.cmd("SEARCH ALL").untagged == [b"* SEARCH"], "what one enables is its own"


# --- IMAP4rev2, each difference ---

NAMED = (b"Content-Type: application/pdf; name*0*=iso-8859-1'de'Sch%F6n; name*1*=e.pdf\r\n"
         b"Content-Disposition: attachment; filename*=utf-8''Sch%C3%B6ne.pdf\r\n\r\nx\r\n")


def test_mend20_rev2_decodes_the_charsets_of_parameters(server):
    """Rev1 does not, with UTF8=ACCEPT either; and a text that another has asked for first is no other."""
    talks = [server.imap_talk() for _ in range(3)]
    for talk, enable in zip(talks, ("X", "UTF8=ACCEPT", "IMAP4rev2")):
        assert talk.cmd(f"ENABLE {enable}").ok
    assert talks[0].append("INBOX", NAMED).ok and talks[0].append("INBOX", b"Subject: plain\r\n\r\nx\r\n").ok
    encoded = (b'("application" "pdf" ("name*" "iso-8859-1\'de\'Sch%F6ne.pdf") NIL NIL "7bit" 3',
               b' NIL ("attachment" ("filename*" "utf-8\'\'Sch%C3%B6ne.pdf")) NIL NIL')
    decoded = tuple(re.sub(rb"utf-8''|iso-8859-1'de'", b"", part).replace(b"%F6", "ö".encode()).replace(b"%C3%B6", "ö".encode()) for part in encoded)
    for turn in range(2):
        for talk, (body, more) in zip(talks if turn else reversed(talks), (encoded, encoded, decoded) if turn else (decoded, encoded, encoded)):
            assert talk.cmd("SELECT INBOX").ok
            assert talk.cmd("FETCH 1 (BODY BODYSTRUCTURE)").find(rb"^\* 1 FETCH \(BODY " + re.escape(body) + rb"\) BODYSTRUCTURE " + re.escape(body + more) + rb"\)\)$"), talk.last
            assert talk.cmd("FETCH 2 BODYSTRUCTURE").find(rb'BODYSTRUCTURE \("text" "plain" \("charset" "us-ascii"\) NIL NIL "7bit" 3 1 NIL NIL NIL NIL\)\)$'), talk.last


def test_select(both):
    for talk, rev2 in zip(both, (False, True)):
        first = talk.cmd("SELECT inbox")
        assert bool(first.find(rb'^\* LIST \(.*\) "/" "INBOX"')) == rev2
        assert not first.find(rb"\[CLOSED\]")
        assert bool(first.find(rb"RECENT$")) != rev2 and bool(first.find(rb"\[UNSEEN 2\]")) != rev2
        assert first.find(rb"^\* 5 EXISTS$") and first.find(rb"UIDVALIDITY") and first.find(rb"UIDNEXT 6") and first.find(rb"PERMANENTFLAGS")
        for command in ("SELECT INBOX", "EXAMINE INBOX"):
            again = talk.cmd(command)
            assert again.ok and again.untagged[0].startswith(b"* OK [CLOSED]"), "before all of the new mailbox"
        failed = talk.cmd("SELECT None")
        assert failed.no and failed.find(rb"\[CLOSED\]")
        assert not talk.cmd("SELECT INBOX").find(rb"\[CLOSED\]"), "nothing was selected"
        assert not talk.cmd("UNSELECT").find(rb"RECENT")


def test_select_tells_what_list_tells(both):
    rev2 = both[1]
    for command in ("CREATE Sent", "CREATE Sent/2025", "SUBSCRIBE Sent"):
        assert rev2.cmd(command).ok
    told = rev2.cmd("SELECT Sent").find(rb"^\* LIST .*$")[0][0]
    assert told == rev2.cmd('LIST "" Sent RETURN (SUBSCRIBED)').untagged[0]
    assert all(a in told for a in (rb"\Sent", rb"\Subscribed", rb"\HasChildren"))


def test_search_answers_with_esearch(both):
    for talk, rev2 in zip(both, (False, True)):
        talk.cmd("SELECT INBOX")
        for command, rev1_says, rev2_says in [("SEARCH UNSEEN", b"* SEARCH 2 3 4 5", b" ALL 2:5"), ("SEARCH KEYWORD none", b"* SEARCH", b""),
                                              ("UID SEARCH 1,3", b"* SEARCH 1 3", b" UID ALL 1,3"), ("UID SEARCH ANSWERED", b"* SEARCH", b" UID")]:
            answer = talk.cmd(command)
            assert answer.untagged == [b'* ESEARCH (TAG "t%d")' % talk.n + rev2_says if rev2 else rev1_says], command
        assert talk.cmd("SEARCH RETURN (COUNT) ALL").untagged == [b'* ESEARCH (TAG "t%d") COUNT 5' % talk.n]
        assert not talk.cmd("SEARCH RETURN (SAVE) UNSEEN").untagged and len(talk.cmd("FETCH $ UID").untagged) == 4


def test_no_recent_and_a_uid_in_every_fetch(both, server):
    one, two = both
    two.cmd("SELECT INBOX")
    one.cmd("SELECT INBOX")
    server.accounts["anna"].deliver(MESSAGE)
    answer = two.cmd("NOOP")
    assert answer.untagged == [b"* 6 EXISTS"]
    assert two.cmd("FETCH 6 FLAGS").find(rb"FLAGS \(\)")
    one.cmd("STORE 3 +FLAGS (\\Flagged)")
    assert two.cmd("NOOP").untagged == [b"* 3 FETCH (UID 3 FLAGS (\\Flagged))"]
    assert two.cmd("STORE 3 -FLAGS (\\Flagged)").untagged == [b"* 3 FETCH (UID 3 FLAGS ())"]
    assert one.cmd("NOOP").find(rb"^\* 3 FETCH \(FLAGS \(.*\)\)$"), "without, as it was"
    two.cmd("STORE 1 +FLAGS.SILENT (\\Deleted)")
    assert two.cmd("EXPUNGE").untagged == [b"* 1 EXPUNGE", b"* 5 EXISTS"]


def test_list(both):
    for talk, rev2 in zip(both, (False, True)):
        talk.cmd("CREATE Top/Low")
        answer = talk.cmd('LIST "" %')
        assert answer.find(rb'\(\\NonExistent \\HasChildren\) "/" "Top"' if rev2 else rb'\(\\Noselect \\HasChildren\) "/" "Top"')


def test_names_in_utf8_both_ways(both):
    one, two = both
    assert two.cmd('CREATE "Entwürfe"').ok and two.cmd("CREATE R&D").ok
    assert one.cmd('LIST "" *').find(b'"Entw&APw-rfe"') and one.cmd('LIST "" *').find(b'"R&-D"')
    assert two.cmd('SELECT "Entwürfe"').find('"/" "Entwürfe"'.encode()) and one.cmd("SELECT Entw&APw-rfe").ok
    assert one.cmd('SELECT "Entwürfe"').status in ("NO", "BAD")
    assert two.cmd('STATUS "Entwürfe" (MESSAGES)').untagged == ['* STATUS "Entwürfe" (MESSAGES 0)'.encode()]
    assert two.cmd("CREATE Entw&APw-rfe").ok, "there that is another name"
    assert one.cmd('LIST "" E*').find(rb'"Entw&-APw-rfe"')


def test_status_items(both):
    for talk in both:
        talk.cmd("SELECT INBOX")
        talk.cmd("STORE 2 +FLAGS.SILENT (\\Deleted)")
        assert talk.cmd("STATUS INBOX (MESSAGES UIDNEXT UNSEEN DELETED SIZE)").find(rb"\(MESSAGES 5 UIDNEXT 6 UNSEEN 4 DELETED 1 SIZE %d\)" % (5 * len(MESSAGE)))


def test_what_rev1_has_is_still_understood(both):
    """RFC 9051 leaves CHECK, LSUB, RFC822 and RECENT to servers; clients that enable rev2 use some."""
    talk = both[1]
    talk.cmd("SELECT INBOX")
    for command in ("CHECK", 'LSUB "" *', "FETCH 1 RFC822.HEADER", "FETCH 1 RFC822", "NAMESPACE", "UNSELECT"):
        assert talk.cmd(command).ok, command


def test_literals_in_answers_are_octets(both):
    talk = both[1]
    talk.append("INBOX", UNICODE)
    talk.cmd("SELECT INBOX")
    answer = talk.cmd("FETCH 6 (ENVELOPE BODYSTRUCTURE BODY.PEEK[])")
    assert "Grüße".encode() in answer.untagged[0] and answer.untagged[0].count(b"BODY[] {%d}\r\n" % len(UNICODE)) == 1


# --- UTF8=ACCEPT ---

def test_envelopes(server):
    plain, utf8 = server.imap_talk(), server.imap_talk()
    assert plain.append("INBOX", UNICODE).ok and utf8.cmd("ENABLE UTF8=ACCEPT").ok
    for talk in (plain, utf8):
        talk.cmd("SELECT INBOX")
    quoted = ' "Grüße aus Köln" (("Jürgen Müller" NIL "jürgen" "bücher.example"))'.encode()
    assert quoted in utf8.cmd("FETCH 1 ENVELOPE").untagged[0]
    answer = plain.cmd("FETCH 1 ENVELOPE").untagged[0]
    assert quoted not in answer and not re.search(rb'"[^"\r\n]*[\x80-\xff][^"\r\n]*"', re.sub(rb"\{\d+\}\r\n", b"", answer)), "8 bits are in literals only"
    for talk in (plain, utf8):
        assert UNICODE in talk.cmd("FETCH 1 BODY.PEEK[]").untagged[0]
    assert not utf8.cmd("SEARCH NEW").find(rb"ESEARCH"), "that is rev2's"


def test_append(server):
    talk = server.imap_talk()
    size = len(UNICODE)
    assert talk.cmd(b"APPEND INBOX UTF8 (~{%d+}\r\n%s)" % (size, UNICODE)).bad, "not before ENABLE"
    assert talk.cmd("ENABLE UTF8=ACCEPT").ok
    for form, want in [(b"APPEND INBOX UTF8 (~{%d+}\r\n%s)", "OK"), (b'APPEND INBOX (\\Seen) "01-Jan-2020 00:00:00 +0000" utf8 (~{%d+}\r\n%s)', "OK"), (b"APPEND INBOX {%d+}\r\n%s", "OK"),
                       (b"APPEND INBOX ~{%d+}\r\n%s", "OK"), (b"APPEND INBOX UTF8 (~{%d+}\r\n%s", "BAD"), (b"APPEND INBOX UTF8 ({%d+}\r\n%s)", "BAD"),
                       (b"APPEND INBOX UTF8 ~{%d+}\r\n%s", "BAD"), (b"APPEND INBOX UTF9 (~{%d+}\r\n%s)", "BAD"), (b"APPEND INBOX UTF8(~{%d+}\r\n%s)", "BAD"),
                       (b"APPEND INBOX UTF8 (~{%d+}\r\n%s) x", "BAD"), (b"APPEND INBOX ~{%d+}\r\n%s)", "BAD")]:
        answer = talk.cmd(form % (size, UNICODE))
        assert answer.status == want, (form, answer)
    assert talk.cmd(b"APPEND INBOX UTF8 (~{%d+}\r\n%s) (\\Draft) UTF8 (~{%d+}\r\n%s) {%d+}\r\n%s" % (3 * (size, UNICODE))).text.split()[2] == "5:7]"
    tag = talk.start(f"APPEND INBOX UTF8 (~{{{size}}}")
    assert talk.line().startswith(b"+ ")
    talk.send(UNICODE + b")\r\n")
    assert talk.finish(tag).ok
    talk.cmd("SELECT INBOX")
    assert all(UNICODE in talk.cmd(f"FETCH {n} BODY.PEEK[]").untagged[0] for n in range(1, 9))
    assert talk.cmd('APPEND "Entwürfe" {5+}\r\na: b\n').no and code(talk.last) == "TRYCREATE"


def test_message_global(server):
    """A message of UTF-8 inside another is message/global, and told whole to those who know it."""
    octets = (b"Subject: outer\r\nMIME-Version: 1.0\r\nContent-Type: message/global\r\n\r\n" + UNICODE)
    talk = server.imap_talk()
    talk.append("INBOX", octets)
    for switch in ("UTF8=ACCEPT", "IMAP4rev2"):
        talk = server.imap_talk()
        talk.cmd(f"ENABLE {switch}")
        talk.cmd("SELECT INBOX")
        answer = talk.cmd("FETCH 1 BODYSTRUCTURE")
        assert answer.find(rb'\("message" "global" .*"Gr\xc3\xbc\xc3\x9fe aus K\xc3\xb6ln"'), answer
        assert UNICODE in talk.cmd("FETCH 1 BODY.PEEK[1]").untagged[0]
        assert b"stra\xc3\x9fe" in talk.cmd("FETCH 1 BODY.PEEK[1.1]").untagged[0]
