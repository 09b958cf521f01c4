"""IMAP before login, and every command in every state."""

import base64
import re

import pytest

BEFORE = b"IMAP4rev1 IMAP4rev2 LITERAL- SASL-IR ID ENABLE IDLE"
IN_CLEAR = BEFORE + b" STARTTLS LOGINDISABLED"
IN_TLS = BEFORE + b" AUTH=PLAIN AUTH=LOGIN"
AFTER = (b"IMAP4rev1 IMAP4rev2 LITERAL+ ID IDLE NAMESPACE CHILDREN UNSELECT ENABLE UIDPLUS MOVE SPECIAL-USE "
         b"CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES WITHIN BINARY MULTIAPPEND "
         b"UTF8=ACCEPT CONDSTORE QRESYNC OBJECTID SAVEDATE APPENDLIMIT=67108864")


def b64(text):
    return base64.b64encode(text).decode()


def upgrade(server, talk):
    """The same connection inside TLS, its answer to STARTTLS read."""
    tls = server.context().wrap_socket(talk.sock, server_hostname="localhost")
    new = type(talk)(tls)
    new.n = talk.n
    return new


def rest(talk):
    """All lines to the end of the connection."""
    lines = []
    while line := talk.line():
        lines.append(line)
    return lines


def code(answer):
    return re.match(r"\[(\S+?)[ \]]", answer.text)[1] if answer.text.startswith("[") else None


# --- every command in every state: the answer in each, or None where it is not sent ---

B, O, N, C = "BAD", "OK", "NO", "OK"
#   command                          before  in      auth'd  sel'd   exam'd
#                                    in the  TLS
#                                    clear
COMMANDS = [
    ("CAPABILITY",                   O,      O,      O,      O,      O),
    ("NOOP",                         O,      O,      O,      O,      O),
    ("ID NIL",                       O,      O,      O,      O,      O),
    ('ID ("name" "x" "os" NIL)',     O,      O,      O,      O,      O),
    ("LOGIN x y",                    N,      N,      B,      B,      B),
    ("AUTHENTICATE PLAIN =",         N,      B,      B,      B,      B),
    ("STARTTLS",                     None,   B,      B,      B,      B),
    ("ENABLE X-NOTHING",             B,      B,      O,      O,      O),
    ("NAMESPACE",                    B,      B,      O,      O,      O),
    ('LIST "" *',                    B,      B,      O,      O,      O),
    ('LSUB "" *',                    B,      B,      O,      O,      O),
    ("STATUS Box (MESSAGES)",        B,      B,      O,      O,      O),
    ("STATUS None (MESSAGES)",       B,      B,      N,      N,      N),
    ("CREATE {n}/new",               B,      B,      O,      O,      O),
    ("RENAME {n}/new {n}/ren",       B,      B,      O,      O,      O),
    ("SUBSCRIBE {n}",                B,      B,      O,      O,      O),
    ("UNSUBSCRIBE {n}",              B,      B,      O,      O,      O),
    ("DELETE {n}/ren",               B,      B,      O,      O,      O),
    ("APPEND Box {{5+}}\r\na: b\n",  B,      B,      O,      O,      O),
    ("APPEND None {{5+}}\r\na: b\n", B,      B,      N,      N,      N),
    ("IDLE\r\nDONE",                 None,   None,   O,      O,      O),
    ("CHECK",                        B,      B,      B,      O,      O),
    ("FETCH 1 FLAGS",                B,      B,      B,      O,      O),
    ("UID FETCH 1 FLAGS",            B,      B,      B,      O,      O),
    ("SEARCH ALL",                   B,      B,      B,      O,      O),
    ("UID SEARCH ALL",               B,      B,      B,      O,      O),
    ("STORE 1 FLAGS (\\Flagged)",    B,      B,      B,      O,      N),
    ("UID STORE 1 FLAGS \\Flagged",  B,      B,      B,      O,      N),
    ("COPY 1 Box",                   B,      B,      B,      O,      O),
    ("UID COPY 1 Box",               B,      B,      B,      O,      O),
    ("COPY 1 None",                  B,      B,      B,      N,      N),
    ("MOVE 1 Box",                   B,      B,      B,      O,      N),
    ("UID MOVE 2 Box",               B,      B,      B,      O,      N),
    ("EXPUNGE",                      B,      B,      B,      O,      N),
    ("UID EXPUNGE 1:*",              B,      B,      B,      O,      N),
    ("XBOGUS",                       B,      B,      B,      B,      B),
    ("UID NOOP",                     B,      B,      B,      B,      B),
    ("UID EXAMINE INBOX",            B,      B,      B,      B,      B),
    ("UID",                          B,      B,      B,      B,      B),
    ("",                             B,      B,      B,      B,      B),
    ("NOOP ",                        O,      O,      O,      O,      O),
    ("CLOSE",                        B,      B,      B,      O,      O),
    ("FETCH 1 FLAGS",                B,      B,      B,      B,      B),  # nothing is selected behind CLOSE
    ("UNSELECT",                     B,      B,      B,      B,      B),
    ("SELECT None",                  B,      B,      N,      N,      N),
    ("EXAMINE INBOX",                B,      B,      O,      O,      O),
    ("UNSELECT",                     B,      B,      O,      O,      O),
    ("SELECT INBOX",                 B,      B,      O,      O,      O),
]


STATES = ["clear", "tls", "authenticated", "selected", "examined"]


@pytest.mark.parametrize("state,enabled", [(s, e) for s in STATES for e in (None, "IMAP4rev2", "UTF8=ACCEPT")
                                           if e is None or s not in ("clear", "tls")])
def test_req29_every_command_in_every_state(server, state, enabled):
    column = STATES.index(state) + 1
    before = state in ("clear", "tls")
    anna = server.accounts["anna"]
    anna.make_folder("Box")
    for i in range(3):
        anna.deliver(f"Subject: {i}\n\nx\n")
    talk = server.imap_talk(None if before else "anna", tls=state != "clear")
    if enabled:
        assert talk.cmd(f"ENABLE {enabled}").find(b"^\\* ENABLED " + enabled.encode())
    if state == "selected":
        assert talk.cmd("SELECT INBOX").text.startswith("[READ-WRITE]")
    if state == "examined":
        assert talk.cmd("EXAMINE INBOX").text.startswith("[READ-ONLY]")
    nonsense = 0
    for row in COMMANDS:
        command, want = row[0].format(n=f"T{column}"), row[column]
        if want is None:
            continue
        answer = talk.cmd(command)
        if before and nonsense == 8:  # the tenth would end it
            talk = server.imap_talk(None, tls=state != "clear")
            nonsense = 0
        nonsense += want == B
        assert answer.status == want, f"{state}: {command}: {answer}"
    answer = talk.cmd("LOGOUT")
    assert answer.ok and answer.untagged[-1].startswith(b"* BYE")
    assert talk.line() == b"", "the connection ends"


# --- blanks too many, and empty lines ---

FORMS = [  # commands that may be said again: the answer stays the same
    "NOOP", "CAPABILITY", 'ID ("name" "a  b ")', "ENABLE X", "NAMESPACE", 'LSUB "" *',
    'LIST (SUBSCRIBED) "" ("*" "%") RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))', 'LIST "" "*"', "STATUS INBOX (MESSAGES UNSEEN)",
    "CREATE New (USE (\\Junk))", "DELETE New", "SUBSCRIBE Box", "SELECT INBOX (CONDSTORE)", "SELECT INBOX (QRESYNC (1 1 1:5 (1 1)))", "SELECT INBOX ()",
    "STORE 1 (UNCHANGEDSINCE 9223372036854775807) +FLAGS (\\Seen $x)", "STORE 1 FLAGS \\Seen $x", "STORE 2 () -FLAGS.SILENT ()",
    "FETCH 1:2 (FLAGS UID BODY.PEEK[HEADER.FIELDS (Subject From)])", "FETCH 1 FLAGS", "UID FETCH 1 ALL (CHANGEDSINCE 1 VANISHED)",
    'SEARCH RETURN (MIN MAX) CHARSET UTF-8 OR (SEEN UID 1) (NOT SUBJECT "a  b " 1:2)', "UID SEARCH $", "COPY 1 None", "UID MOVE 99 Box", "UID EXPUNGE 99",
    'APPEND Box (\\Seen x) "01-Jan-2000 00:00:00 +0000" {5+}\r\na: b\n',
]


def with_blanks(command):
    """A command with blanks too many, at one place each: between words, at both ends, inside parentheses; and everywhere."""
    parts = re.split(r'("[^"]*"|\{.*)', command, flags=re.S)
    free = [(p, i) for p, part in enumerate(parts) if part[:1] not in ('"', "{") for i in range(len(part) + 1)
            if part[i:i + 1] in (" ", ")") or part[i - 1:i] == "("]
    everywhere = parts[:]
    for p, i in reversed(free):
        yield "".join([*parts[:p], parts[p][:i] + " " + parts[p][i:], *parts[p + 1:]])
        everywhere[p] = everywhere[p][:i] + "  " + everywhere[p][i:]
    yield "".join(everywhere)
    yield command + " "
    yield "".join(everywhere) + "   "


def test_mend13_blanks_too_many(server):
    anna = server.accounts["anna"]
    anna.make_folder("Box")
    for i in range(3):
        anna.deliver(f"Subject: {i} a  b \n\nx\n")
    talk = server.imap_talk()
    assert talk.cmd("ENABLE QRESYNC").ok and talk.cmd("SELECT INBOX").ok
    for command in FORMS:
        want = talk.cmd(command)
        assert not want.bad, (command, want)
        for variant in with_blanks(command):
            if command.startswith("CREATE"):
                talk.cmd("DELETE New")
            elif command.startswith("DELETE"):
                talk.cmd("CREATE New")
            answer = talk.cmd(variant)
            assert answer.status == want.status, (variant, answer)
            if command.startswith(("FETCH", "SEARCH", "UID", "LIST", "LSUB")):
                assert [u.replace(talk_tag(u), b"") for u in answer.untagged] == [u.replace(talk_tag(u), b"") for u in want.untagged], variant
    for command in ("LOGIN  anna  sesame ", "AUTHENTICATE  PLAIN  " + b64(b"\0anna\0sesame") + " "):
        talk = server.imap_talk(None)
        assert talk.cmd("CAPABILITY ").ok and talk.cmd('ID  ( "name"  "x" ) ').ok and talk.cmd(command).ok, command
        assert talk.cmd("LOGOUT ").ok


def talk_tag(line):
    """The tag that ESEARCH tells."""
    m = re.search(rb'TAG "\w+"', line)
    return m[0] if m else b""


@pytest.mark.parametrize("step", [1, 1000])
def test_mend13_an_empty_line_is_not_answered(server, step):
    """Also octet by octet."""
    def say(octets):
        for i in range(0, len(octets), step):
            talk.send(octets[i:i + step])

    talk = server.imap_talk(None)
    say(b"\r\na NOOP\r\n\r\n\nb LOGIN anna sesame\r\n")
    assert talk.line().startswith(b"a OK") and talk.line().startswith(b"b OK")
    say(b"\r\n" * 100 + b"c APPEND INBOX {5+}\r\na: b\n\r\n\r\nd SELECT INBOX\r\n   \r\n\n\r\ne NOOP\r\n\r\nf LOGOUT\r\n")
    assert [line[:4] for line in rest(talk) if line[:1] != b"*"] == [b"c OK", b"d OK", b"e OK", b"f OK"]


def test_mend13_an_empty_line_does_not_end_idle(server):
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    talk.send(b"i IDLE\r\n\r\n")
    assert talk.line().startswith(b"+ ")
    talk.send(b"\r\n  \r\n")
    server.accounts["anna"].deliver(b"Subject: x\n\nx\n")
    assert talk.line() == b"* 1 EXISTS"
    talk.send(b"\r\ndone \r\n")
    assert talk.finish(b"i").ok and talk.cmd("NOOP").ok
    talk.send(b"i IDLE\r\nDONE x\r\n")
    assert talk.finish(b"i").bad


def test_mend13_before_login_empty_lines_come_to_an_end(server):
    talk = server.imap_talk(None)
    talk.send(b"\r\n" * 10)
    assert rest(talk) == [b"* BYE Too many unknown commands"]


# --- capabilities ---

def test_capabilities_in_every_state(server):
    def told(answer):
        return answer.find(rb"^\* CAPABILITY (.*)$")[0][1]

    clear = server.imap_talk(None, tls=False)
    assert clear.greeting == b"* OK [CAPABILITY " + IN_CLEAR + b"] sallyport ready"
    assert told(clear.cmd("CAPABILITY")) == IN_CLEAR
    assert clear.cmd("STARTTLS").ok
    talk = upgrade(server, clear)
    assert told(talk.cmd("CAPABILITY")) == IN_TLS
    assert talk.cmd("STARTTLS").bad, "not twice"
    login = talk.cmd("LOGIN anna sesame")
    assert login.text == f"[CAPABILITY {AFTER.decode()}] Logged in"
    for command in ("CAPABILITY", "SELECT INBOX", "CAPABILITY", "ENABLE IMAP4rev2", "CAPABILITY"):
        answer = talk.cmd(command)
        assert answer.ok and (command != "CAPABILITY" or told(answer) == AFTER)
    tls = server.imap_talk(None)
    assert tls.greeting == b"* OK [CAPABILITY " + IN_TLS + b"] sallyport ready"


def test_append_limit_is_told_and_kept(serve):
    server = serve({"append_limit": "64K"})
    talk = server.imap_talk()
    assert b"APPENDLIMIT=65536" in talk.cmd("CAPABILITY").untagged[0]
    assert talk.cmd("STATUS INBOX (APPENDLIMIT)").untagged == [b"* STATUS \"INBOX\" (APPENDLIMIT 65536)"]
    assert talk.append("INBOX", b"a: b\r\n\r\n" + b"x" * 65528).ok
    for size, plus in ((65537, ""), (4294967297, ""), (70000, "+")):
        tag = talk.start(f"APPEND INBOX {{{size}{plus}}}")
        if plus:
            talk.send(b"t9 NOOP\r\n" * 7000 + b"x" * 7000 + b"\r\n")
        answer = talk.finish(tag)
        assert answer.no and code(answer) == "TOOBIG" and not answer.untagged, "and no + came"
    assert talk.cmd("STATUS INBOX (MESSAGES)").find(rb"MESSAGES 1\)")


def test_login_in_clear_on_loopback(serve):
    server = serve({"login_in_clear": "loopback"})
    talk = server.imap_talk(None, tls=False)
    assert b" STARTTLS AUTH=PLAIN AUTH=LOGIN]" in talk.greeting and b"LOGINDISABLED" not in talk.greeting
    assert talk.cmd("LOGIN anna sesame").ok
    assert talk.cmd("SELECT INBOX").ok


# --- STARTTLS ---

@pytest.mark.parametrize("before", [(), ("NOOP",), ('ID ("name" "x")', "CAPABILITY"), ("LOGIN anna sesame",),
                                    ("AUTHENTICATE PLAIN " + b64(b"\0anna\0sesame"), "XBOGUS", "CAPABILITY x")])
def test_starttls_whatever_came_before(server, before):
    talk = server.imap_talk(None, tls=False)
    talk.send("".join(f"p{i} {c}\r\n" for i, c in enumerate(before)).encode())  # pipelined
    for i, c in enumerate(before):
        answer = talk.finish(b"p%d" % i)
        if "LOGIN " in c or "AUTHENTICATE" in c:
            assert answer.no and code(answer) == "PRIVACYREQUIRED"
    assert talk.cmd("STARTTLS").ok
    talk = upgrade(server, talk)
    assert talk.cmd("LOGIN anna wrong").no
    assert talk.cmd("LOGIN anna sesame").ok
    assert talk.cmd("SELECT INBOX").ok


def test_pipelined_capability_and_starttls_in_one_segment(server):
    talk = server.imap_talk(None, tls=False)
    talk.send(b"a CAPABILITY\r\nb NOOP\r\nc STARTTLS\r\n")
    assert talk.finish(b"a").ok and talk.finish(b"b").ok and talk.finish(b"c").ok
    assert upgrade(server, talk).cmd("LOGIN anna sesame").ok


@pytest.mark.parametrize("behind", [b"b NOOP\r\n", b"b LOGIN anna sesame\r\n", b"b", b"\r\n", b"\x16\x03\x01"])
def test_req01_what_follows_starttls_in_the_clear_is_refused(server, behind):
    talk = server.imap_talk(None, tls=False)
    talk.send(b"a STARTTLS\r\n" + behind)
    lines = rest(talk)
    assert len(lines) == 1 and lines[0].startswith(b"a BAD"), lines


def test_req03_password_is_refused_before_it_is_looked_at(server):
    talk = server.imap_talk(None, tls=False)
    for command in ("LOGIN anna sesame", "LOGIN anna wrong", "LOGIN nobody x", "LOGIN", "AUTHENTICATE PLAIN",
                    "AUTHENTICATE LOGIN", "AUTHENTICATE XNONE"):
        answer = talk.cmd(command)
        assert answer.no and code(answer) == "PRIVACYREQUIRED", command
    talk.send("l LOGIN {4}\r\n")
    assert talk.line().startswith(b"l NO [PRIVACYREQUIRED]"), "a literal is not asked for"
    assert talk.cmd("NOOP").ok
    talk.send("m LOGIN {4+}\r\nanna {6+}\r\nsesame\r\n")
    assert rest(talk)[0].startswith(b"m NO [PRIVACYREQUIRED]")
    assert "failed" not in server.log(), "no try was counted"


# --- logins ---

PASSWORD = 'se "sa\\me %*](){ü'
QUOTED = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
LITERAL = PASSWORD.encode()


@pytest.mark.parametrize("login", [
    f'LOGIN anna "{QUOTED}"'.encode(), f'login "anna" "{QUOTED}"'.encode(),
    b"LOGIN anna {%d+}\r\n%s" % (len(LITERAL), LITERAL), b"LOGIN {4+}\r\nanna {%d+}\r\n%s" % (len(LITERAL), LITERAL),
    b'LOGIN {4+}\r\nanna "' + QUOTED.encode() + b'"',
    b"AUTHENTICATE PLAIN " + b64(b"\0anna\0" + LITERAL).encode(),
    b"AUTHENTICATE PLAIN " + b64(b"anna\0anna\0" + LITERAL).encode(),
    b"authenticate plain\r\n" + b64(b"\0anna\0" + LITERAL).encode(),
    b"AUTHENTICATE LOGIN " + b64(b"anna").encode() + b"\r\n" + b64(LITERAL).encode(),
    b"AUTHENTICATE LOGIN\r\n" + b64(b"anna").encode() + b"\r\n" + b64(LITERAL).encode(),
], ids=range(10))
def test_ways_to_log_in(serve, login):
    server = serve(users={"anna": PASSWORD})
    talk = server.imap_talk(None)
    tag = talk.start(login)
    line = talk.line()
    while line.startswith(b"+ "):
        line = talk.line()
    assert line.startswith(tag + b" OK [CAPABILITY "), line
    assert talk.cmd("SELECT INBOX").ok


def test_login_by_synchronising_literals(server):
    talk = server.imap_talk(None)
    talk.send(b"a LOGIN {4}\r\n")
    assert talk.line().startswith(b"+ ")
    talk.send(b"anna {6}\r\n")
    assert talk.line().startswith(b"+ ")
    talk.send(b"sesame\r\n")
    assert talk.finish(b"a").ok


def test_authenticate_challenges_cancel_and_empty_initial(server):
    talk = server.imap_talk(None)
    for mechanism, first in (("PLAIN", b""), ("LOGIN", b"User Name\0"), ("LOGIN", b"Username:")):
        tag = talk.start(f"AUTHENTICATE {mechanism}")
        line = talk.line()
        assert line.startswith(b"+ ") and (mechanism == "PLAIN") == (line == b"+ ")
        talk.send(b"*\r\n")
        answer = talk.finish(tag)
        assert answer.bad and not answer.untagged
    tag = talk.start("AUTHENTICATE LOGIN " + b64(b"anna"))
    assert base64.b64decode(talk.line()[2:]).startswith(b"Pass")
    talk.send(b"*\r\n")
    assert talk.finish(tag).bad, "cancelled at the second step"
    assert talk.cmd("AUTHENTICATE CRAM-MD5").no
    assert talk.cmd("AUTHENTICATE").bad
    assert talk.cmd("AUTHENTICATE PLAIN " + b64(b"\0anna\0sesame")).ok, "after all of that"


@pytest.mark.parametrize("response", ["====", "AGFubmEAc2VzYW1l=", "AGFubmEAc2VzYW1lx", "!!!!", "A", "=", "%",
                                      b64(b"\0anna\0ses\0ame"), b64(b"ben\0anna\0sesame"), b64(b"anna\0sesame"),
                                      b64(b"\0\0sesame"), b64(b"\0anna\0"), b64(b"\0" + b"a" * 300 + b"\0x"),
                                      b64(b"\0anna\0" + b"x" * 600), "x y"])
def test_req07_malformed_sasl_ends_that_try_only(server, response):
    talk = server.imap_talk(None)
    assert talk.cmd("AUTHENTICATE PLAIN " + response).status in ("NO", "BAD")
    if " " not in response:
        tag = talk.start("AUTHENTICATE PLAIN")
        assert talk.line() == b"+ "
        talk.send(response.encode() + b"\r\n")
        assert talk.finish(tag).status in ("NO", "BAD")
    assert talk.cmd("LOGIN anna sesame").ok


def test_req10_unknown_user_reads_as_a_wrong_password(server):
    talk = server.imap_talk(None)
    wrong = talk.cmd("LOGIN anna wrong")
    assert wrong.no and code(wrong) == "AUTHENTICATIONFAILED"
    talk = server.imap_talk(None)
    for name in ("nobody-at-all", '"a/b"', '"../anna"', '""', "x" * 400):
        assert talk.cmd(f"LOGIN {name} sesame").text == wrong.text
        talk = server.imap_talk(None)


def test_failures_end_the_connection(server):
    talk = server.imap_talk(None)
    lines = []
    for i in range(20):
        talk.send(b"x%d LOGIN anna wrong\r\n" % i)
        line = talk.line()
        if not line.startswith(b"x"):
            break
        lines.append(line)
        assert b" NO " in line
    assert 2 <= len(lines) <= 6 and line.startswith(b"* BYE"), (lines, line)


def test_reader_gets_what_is_pipelined_behind_login(serve):
    server = serve({"login_in_clear": "loopback"})
    for tls in (False, True):
        talk = server.imap_talk(None, tls=tls)
        talk.send(b"a LOGIN anna sesame\r\n" + b"n NOOP\r\n" * 500 +
                  b"s SELECT INBOX\r\np APPEND INBOX {6+}\r\na: b\r\n\r\nq LOGOUT\r\n")
        lines = rest(talk)
        assert lines[0].startswith(b"a OK")
        assert lines[1:501] == [b"n OK Done"] * 500
        assert [line[:4] for line in lines if line[:2] in (b"s ", b"p ", b"q ")] == [b"s OK", b"p OK", b"q OK"]
    for tls in (False, True):  # AUTHENTICATE and literals, and a command cut in the middle
        talk = server.imap_talk(None, tls=tls)
        talk.send(b"a AUTHENTICATE PLAIN\r\n" + b64(b"\0anna\0sesame").encode() + b"\r\nb STATUS INBOX (MESS")
        assert talk.line() == b"+ " and talk.line().startswith(b"a OK")
        talk.send(b"AGES)\r\n")
        assert talk.line() == b'* STATUS "INBOX" (MESSAGES 2)' and talk.line().startswith(b"b OK")


# --- limits before login ---

@pytest.mark.parametrize("sent,want", [
    (b"a LOGIN {1000}", b"+ "), (b"a LOGIN {1001}", b"a BAD"), (b"a LOGIN {18446744073709551617}", b"a BAD"),
    (b"a LOGIN {4294967300}", b"a BAD"), (b"a LOGIN {}", b"a BAD"), (b"a LOGIN {-1}", b"a BAD"),
    (b"a LOGIN {+1}", b"a BAD"), (b"a LOGIN { 4}", b"a BAD"), (b"a LOGIN {4 }", b"a BAD"), (b"a LOGIN {0x4}", b"a BAD"),
    (b"a LOGIN ~{4}", b"a BAD"), (b"a LOGIN {4", b"a BAD"), (b"a LOGIN anna ses\0ame", b"a BAD"),
    (b'a LOGIN anna "ses\0ame"', b"a BAD"), (b"a LOGIN anna {7+}\r\nses\0ame", b"a BAD"),
    (b'a LOGIN anna "sesame', b"a BAD"), (b'a LOGIN "anna""sesame"', b"a BAD"),
    (b"a LOGIN anna sesame x", b"a BAD"), (b"a LOGIN anna", b"a BAD"), (b'a LOGIN anna "a\\b"', b"a BAD"),
    (b"a NOOP {1000}", b"+ "), (b"a STARTTLS {5000}", b"a BAD"), (b"+ NOOP", b"* BAD"), (b"a\0b NOOP", b"a BAD"),
    (b"NOOP", b"NOOP BAD"), (b" NOOP", b"* BAD"), (b"a" * 129 + b" NOOP", b"* BAD"),
    (b"a ID (\"name\")", b"a BAD"), (b"a ID (name x)", b"a BAD"), (b"a ID", b"a BAD"),
])
def test_req06_literals_and_lines_before_login(server, sent, want):
    talk = server.imap_talk(None)
    talk.send(sent + b"\r\n")
    assert talk.line().startswith(want)
    if want == b"+ ":
        talk.send(b"x" * 1000 + b" {0+}\r\n\r\n")
        assert talk.finish(b"a").status in ("NO", "BAD")
        return
    assert talk.cmd("LOGIN anna sesame").ok, "that command only"


def test_refused_literal_before_login_never_runs(server):
    for announced in (b"{2000+}", b"{99999999999999999999+}", b"{-1+}", b"{}+}", b"{+}"):
        talk = server.imap_talk(None)
        talk.send(b"a LOGIN anna " + announced + b"\r\n" + b"b LOGIN anna sesame\r\n" * 90)
        lines = rest(talk)
        assert lines[0].startswith(b"a BAD") and not any(b" OK" in line for line in lines), (announced, lines)


@pytest.mark.parametrize("tls", [False, True])
def test_req05_a_long_line_is_bad_and_ends_it(server, tls):
    talk = server.imap_talk(None, tls=tls)
    talk.send(b"a NOOP " + b"x" * 8000 + b"\r\n")
    assert talk.line().startswith(b"a BAD"), "8 kB are read, wrong as they are"
    talk = server.imap_talk(None, tls=tls)
    talk.send(b"a NOOP " + b"x" * 8200)
    lines = rest(talk)
    assert lines[0].startswith(b"a BAD") and lines[1].startswith(b"* BYE") and len(lines) == 2


def test_carriage_return_alone_ends_no_line(server):
    talk = server.imap_talk(None)
    talk.send(b"a NOOP\rb NOOP\r\n")
    assert talk.line().startswith(b"a BAD")
    talk.send(b"c NOOP\nd LOGIN anna sesame\n")  # LF alone does, as clients by hand have it
    assert talk.finish(b"c").ok and talk.finish(b"d").ok


def test_req16_a_stream_that_ends_in_a_command_runs_nothing(server):
    talk = server.imap_talk()
    talk.send(b"x CREATE Half")
    talk.sock.unwrap().close()
    talk = server.imap_talk()
    assert not talk.cmd('LIST "" Half').untagged


def test_a_browser_is_cut_off(server):
    talk = server.imap_talk(None, tls=False)
    talk.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 30 + b"\r\n")
    try:
        lines = rest(talk)
    except ConnectionResetError:  # what it had sent beyond the end
        return
    assert lines[-1].startswith(b"* BYE") and len(lines) == 11


# --- limits after login ---

def test_req18_commands_are_bounded(server):
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok
    big = 1024 * 1024
    assert talk.cmd("SEARCH SUBJECT " + "x" * (big - 100)).ok
    for command in ("NOOP " + "x" * big, "SEARCH " + "OR ALL " * 160000):
        answer = talk.cmd(command)
        assert answer.bad and code(answer) == "TOOBIG" and not answer.untagged
    assert talk.cmd("SEARCH SUBJECT {2000000}").bad
    assert talk.cmd("SEARCH" + " OR SUBJECT {1+}\r\nx SUBJECT {1+}\r\ny" * 50 + " ALL").status in ("OK", "BAD")
    assert talk.cmd("SEARCH" + " SUBJECT {1+}\r\nx" * 100).ok
    answer = talk.cmd("SEARCH" + " SUBJECT {1+}\r\nx" * 101)
    assert answer.bad and code(answer) == "TOOBIG"
    for depth, want in ((49, "OK"), (51, "BAD"), (100000, "BAD")):
        assert talk.cmd("SEARCH " + "(" * depth + "ALL" + ")" * depth).status == want, depth
        assert talk.cmd("SEARCH " + "NOT " * depth + "ALL").status == want, depth
        assert talk.cmd("SEARCH " + "OR ALL " * depth + "ALL").status == want, depth
    assert talk.cmd("NOOP").ok


@pytest.mark.parametrize("command", ["NOOP", "XBOGUS", "LOGIN anna", "SEARCH SUBJECT", "STATUS", "SELECT", "APPEND",
                                     "APPEND INBOX x", "APPEND None", "APPEND INBOX (\\Bogus)", "FETCH 1 BODY[HEADER.FIELDS (",
                                     "IDLE", "UID", "ENABLE", "LIST \"\"", "ID (", "CREATE x (USE ("])
def test_req19_refused_literals_are_swallowed_in_any_command(server, command):
    talk = server.imap_talk()
    evil = b"\r\nevil CREATE Evil\r\n" * 100
    for size in (len(evil), 2000000):
        octets = (evil * (size // len(evil) + 1))[:size]
        talk.send(b"a %s {%d+}\r\n" % (command.encode(), size) + octets + b" {%d+}\r\n" % len(evil) + evil + b"\r\n")
        answer = talk.finish(b"a")
        assert answer.status in ("NO", "BAD") and not answer.untagged, (size, answer)
    assert talk.cmd("NOOP").ok
    assert not talk.cmd('LIST "" Evil').untagged


def test_literals_that_have_no_size_end_the_session(server):
    for announced in (b"{99999999999999999999+}", b"{-1+}", b"{+}"):
        talk = server.imap_talk()
        talk.send(b"a SEARCH SUBJECT " + announced + b"\r\nb CREATE Evil\r\n" * 3)
        lines = rest(talk)
        assert lines[0].startswith(b"a BAD") and lines[1].startswith(b"* BYE") and len(lines) == 2, announced
    talk = server.imap_talk()
    for announced in ("{99999999999999999999}", "{-1}", "{}", "{ 1}", "{1"):
        assert talk.cmd("STATUS " + announced).bad, "that waits for us, and is only wrong"
    assert not talk.cmd('LIST "" Evil').untagged


def test_append_that_breaks_off_leaves_nothing_to_the_next_command(server):
    """A message has come when its command turns out too long: neither it nor its place lives on."""
    talk = server.imap_talk()
    assert talk.cmd("CREATE Other").ok
    one = b"Subject: one\r\n\r\n"
    talk.send(b"a APPEND INBOX {%d+}\r\n" % len(one) + one + b" " * (1024 * 1024 + 10) + b"\r\n")
    assert talk.finish(b"a").bad
    assert talk.append("Other", one).ok
    assert talk.cmd("STATUS {5}", "INBOX (MESSAGES)").find(rb"MESSAGES 0")
    assert talk.cmd("STATUS Other (MESSAGES)").find(rb"MESSAGES 1")


def test_bad_syntax_is_bad_with_the_tag(server):
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    for command in ("NOOP x", "CAPABILITY x", "SELECT", "SELECT a b", "SELECT INBOX (X)", "SELECT INBOX CONDSTORE", "STATUS INBOX", "STATUS INBOX ()",
                    "STATUS INBOX (X)", "STATUS INBOX MESSAGES", "LIST", 'LIST ""', 'LIST "" a b', "CREATE", "DELETE",
                    "RENAME a", "RENAME a b c", "SUBSCRIBE", "CHECK x", "CLOSE x", "EXPUNGE x", "UID EXPUNGE", "IDLE x",
                    "SEARCH", "SEARCH X", "SEARCH ()", "SEARCH (ALL", "SEARCH ALL)", "SEARCH NOT", "SEARCH OR ALL",
                    "FETCH", "FETCH 1", "FETCH 1 ()", "FETCH 1 X", "FETCH 1 (FLAGS", "FETCH 1 (ALL)",
                    "FETCH 0 UID", "FETCH 1:0 UID", "FETCH 4294967297 UID", "FETCH 00000000001 UID", "FETCH a UID",
                    "FETCH 1,,2 UID", "FETCH 1: UID", "FETCH -1 UID", "FETCH $1 UID", "STORE 1", "STORE 1 FLAGS",
                    "STORE 1 FLAG (\\Seen)", "STORE 1 *FLAGS (\\Seen)", "STORE 1 FLAGS (\\Recent)", "STORE 1 FLAGS (\\Bogus)",
                    "STORE 1 FLAGS (\\Seen", "STORE 1 FLAGS (a(b)", "COPY 1", "COPY INBOX", "MOVE 1", "APPEND", "APPEND INBOX",
                    "APPEND INBOX x", "ENABLE", "ENABLE (X)", "NAMESPACE x", "ID (a b)", "UNSELECT x", "LOGOUT x", "UID STORE 1",
                    "UID FETCH", "UID COPY 1"):
        answer = talk.cmd(command)
        assert answer.bad and not answer.untagged, f"{command}: {answer}"
        if command.startswith("UID C"):
            break
        if talk.n % 40 == 0:
            assert talk.cmd("NOOP").ok
    assert talk.cmd("NOOP").ok


def test_a_client_that_is_lost_is_cut_off(server):
    talk = server.imap_talk()
    talk.send(b"x BOGUS\r\n" * 50 + b"y NOOP\r\n")
    lines = rest(talk)
    assert lines[:50] == [b"x BAD Unknown command"] * 50 and lines[50].startswith(b"* BYE") and len(lines) == 51


def test_a_password_never_reaches_the_log(server):
    talk = server.imap_talk(None)
    talk.cmd("LOGIN anna se53kret")
    talk.cmd("se53kret se53kret")
    talk.cmd("LOGIN se53kret x")
    talk.cmd("LOGOUT")
    server.wait_log("imap.*logout|reason")
    assert "se53kret" not in server.log()


def test_deep_pipelining_answers_in_order(server):
    server.accounts["anna"].deliver("Subject: x\n\ny\n")
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    talk.send(b"".join(b"p%d %s\r\n" % (i, c) for i, c in enumerate(
        [b"UID FETCH 1 (FLAGS BODY.PEEK[])", b"NOOP", b"STORE 1 +FLAGS (\\Seen)", b"XBAD", b"SEARCH ALL"] * 100)))
    for i in range(500):
        assert talk.finish(b"p%d" % i).status == ("BAD" if i % 5 == 3 else "OK")
