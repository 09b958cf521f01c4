"""POP3 command by command, with poplib and with bare sockets; over TLS unless the test is about the clear."""

import base64
import poplib
import re
import socket
import time

import pytest

MESSAGES = [b"From: a@b\nSubject: one\n\nfirst body\n", b"From: a@b\r\nSubject: two\r\n\r\nl1\r\nl2\r\n.dot\r\n..\r\nl5",
            b"Subject: three\n\n.\n"]


def wire(content):
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.fixture
def filled(server):
    anna = server.accounts["anna"]
    for i, m in enumerate(MESSAGES):
        anna.deliver(m, f"100000000{i}.M{i}.test")
    return server


def login_raw(server, name="anna"):
    s, f = server.raw(tls=True)
    s.sendall(f"USER {name}\r\nPASS {server.accounts[name].password}\r\n".encode())
    assert f.readline().startswith(b"+OK")
    assert f.readline().startswith(b"+OK")
    return s, f


def multi(f):
    """The lines of a multi-line answer behind its first one, still stuffed."""
    lines = []
    while True:
        line = f.readline()
        assert line.endswith(b"\r\n"), line
        if line == b".\r\n":
            return lines
        lines.append(line)


def ask(s, f, command):
    s.sendall(command.encode() + b"\r\n")
    return f.readline()


def test_session(filled):
    p = filled.login()
    sizes = [len(wire(m)) + (0 if m.endswith(b"\n") else 2) for m in MESSAGES]
    assert p.stat() == (3, sum(sizes))
    assert p.list()[1] == [b"%d %d" % (i + 1, s) for i, s in enumerate(sizes)]
    assert p.list(2).startswith(b"+OK 2 %d" % sizes[1])
    for i, m in enumerate(MESSAGES):
        _, lines, octets = p.retr(i + 1)
        assert b"\r\n".join(lines) + b"\r\n" == wire(m) + (b"" if m.endswith(b"\n") else b"\r\n")
        assert octets == sizes[i], "LIST tells RETR's octets"
    assert p.top(2, 0)[1] == [b"From: a@b", b"Subject: two", b""]
    assert p.top(2, 3)[1] == [b"From: a@b", b"Subject: two", b"", b"l1", b"l2", b".dot"]
    assert p.top(2, 4294967295)[1][-1] == b"l5"
    assert p.noop().startswith(b"+OK")
    assert p.dele(1).startswith(b"+OK")
    for command in (lambda: p.retr(1), lambda: p.dele(1), lambda: p.list(1), lambda: p.uidl(1), lambda: p.top(1, 1)):
        with pytest.raises(poplib.error_proto):
            command()
    assert p.stat() == (2, sum(sizes[1:]))
    assert len(p.list()[1]) == len(p.uidl()[1]) == 2
    p.rset()
    assert p.stat()[0] == 3
    p.dele(3)
    assert p.quit().startswith(b"+OK")
    p = filled.login()
    assert p.stat()[0] == 2
    p.quit()


def test_uidl_is_dovecots_and_lasts(filled):
    p = filled.login()
    first = p.uidl()[1]
    p.quit()
    assert [re.fullmatch(rb"\d+ ([0-9a-f]{8})([0-9a-f]{8})", u).group(1) for u in first] == [
        b"00000001", b"00000002", b"00000003"]
    head = (filled.accounts["anna"].maildir / "dovecot-uidlist").read_text().splitlines()[0]
    validity = int(re.search(r" V(\d+)", head).group(1))
    assert first[0].endswith(b"%08x" % validity)
    p = filled.login()
    assert p.uidl()[1] == first
    p.dele(2)
    p.quit()
    filled.accounts["anna"].deliver(b"Subject: four\n\n\n")
    p = filled.login()
    left = [u.split()[1] for u in p.uidl()[1]]
    assert left[:2] == [first[0].split()[1], first[2].split()[1]], "UIDLs outlive a deletion"
    assert left[2] not in [u.split()[1] for u in first], "and are not used again"
    p.quit()


def test_all_are_listed_though_the_index_is_damaged(server):
    anna = server.accounts["anna"]
    for i in range(300):  # so many that all that is learned of them is in the snapshot
        anna.deliver(b"Subject: %d\n\n\n" % i, f"{1000000000 + i}.M{i}.test")
    for _ in range(2):  # the second finds nothing changed, and the third need not look at a message
        time.sleep(1.2)
        p = server.login()
        before = p.stat(), p.uidl()[1]
        p.quit()
    index = anna.maildir / "sallyport.index"
    with open(index, "r+b") as f:
        f.seek(int(index.stat().st_size * 0.3))
        f.write(b"\xff" * 200)
    p = server.login()
    assert (p.stat(), p.uidl()[1]) == before
    p.quit()


def test_uidl_saved_by_another_server_wins(filled):
    p = filled.login()
    p.quit()
    path = filled.accounts["anna"].maildir / "dovecot-uidlist"
    lines = path.read_text().splitlines()
    lines[1] = re.sub(r"^1 ", "1 Pold-server-uidl-1 ", lines[1])
    lines[2] = re.sub(r"^2 ", "2 Pold-server-uidl-1 ", lines[2])  # a duplicate cannot be told twice
    path.write_text("\n".join(lines) + "\n")
    p = filled.login()
    got = [u.split()[1] for u in p.uidl()[1]]
    assert got[0] == b"old-server-uidl-1" and len(set(got)) == 3
    p.quit()


@pytest.mark.parametrize("number", ["0", "4", "-1", "+1", "1x", "x", "4294967297", "18446744073709551617",
                                    "00000000001", "1 2", " 1", "1 ", "1.0", "0x1", ""])
def test_req21_numbers_are_strict(filled, number):
    s, f = login_raw(filled)
    for verb in ("DELE", "RETR", "LIST", "UIDL"):
        if number == "" and verb in ("LIST", "UIDL"):
            continue
        assert ask(s, f, f"{verb} {number}").startswith(b"-ERR"), (verb, number)
    assert ask(s, f, f"TOP {number} 1").startswith(b"-ERR")
    if number not in ("0", "4", ""):
        assert ask(s, f, f"TOP 1 {number}").startswith(b"-ERR")
    assert ask(s, f, "STAT").startswith(b"+OK 3 ")


def test_commands_in_every_state(filled):
    before = ["CAPA", "STLS", "USER x", "PASS x", "AUTH", "APOP a b", "UTF8", "LANG"]
    after = ["STAT", "LIST", "RETR 1", "DELE 1", "UIDL", "TOP 1 0", "NOOP", "RSET"]
    s, f = filled.raw(tls=True)
    for command in after:
        assert ask(s, f, command).startswith(b"-ERR"), f"{command} before login"
    s, f = login_raw(filled)
    for command in before:
        answer = ask(s, f, command)
        if command in ("CAPA", "LANG"):
            assert answer.startswith(b"+OK")
            multi(f)
        else:
            assert answer.startswith(b"-ERR"), f"{command} after login"
    for command in ("XTND", "LAST", "", " ", "STAT 1", "NOOP x", "QUIT now", "RETR", "TOP 1", "DELE"):
        assert ask(s, f, command).startswith(b"-ERR"), command
    assert ask(s, f, "stat").startswith(b"+OK"), "commands in any case"
    assert ask(s, f, "QUIT").startswith(b"+OK")
    assert f.readline() == b""


def test_capa(filled):
    s, f = filled.raw()
    assert ask(s, f, "CAPA").startswith(b"+OK")
    clear = multi(f)
    assert b"STLS\r\n" in clear and b"USER\r\n" not in clear and not any(c.startswith(b"SASL") for c in clear)
    s, f = filled.raw(tls=True)
    assert ask(s, f, "CAPA").startswith(b"+OK")
    tls = multi(f)
    assert b"STLS\r\n" not in tls and b"USER\r\n" in tls and b"SASL PLAIN LOGIN\r\n" in tls
    for c in (b"TOP", b"UIDL", b"RESP-CODES", b"AUTH-RESP-CODE", b"PIPELINING", b"EXPIRE NEVER", b"UTF8", b"LANG"):
        assert c + b"\r\n" in tls

@pytest.mark.parametrize("way", ["TLS", "STLS", "in the clear"])
def test_mend19_capa_after_login_keeps_what_it_was(serve, way):
    """RFC 2449 section 5, RFC 5034 section 3: all but STLS."""
    server = serve({"login_in_clear": "loopback"})
    s, f = server.raw(tls=way == "TLS")
    if way == "STLS":
        assert ask(s, f, "STLS").startswith(b"+OK")
        s = server.context().wrap_socket(s, server_hostname="localhost")
        f = s.makefile("rb")
    assert ask(s, f, "CAPA").startswith(b"+OK")
    before = set(multi(f))
    assert b"USER\r\n" in before and (b"STLS\r\n" in before) == (way == "in the clear")
    assert ask(s, f, "USER anna").startswith(b"+OK") and ask(s, f, "PASS sesame").startswith(b"+OK")
    assert ask(s, f, "CAPA").startswith(b"+OK")
    after = set(multi(f))
    implementation = {c for c in after if c.startswith(b"IMPLEMENTATION sallyport")}
    assert len(implementation) == 1 and after - implementation == before - {b"STLS\r\n"}


def test_lang_and_utf8(filled):
    s, f = filled.raw(tls=True)
    assert ask(s, f, "LANG").startswith(b"+OK")
    assert multi(f) == [b"en English\r\n"]
    assert ask(s, f, "LANG *").startswith(b"+OK en ")
    assert ask(s, f, "LANG EN").startswith(b"+OK en ")
    assert ask(s, f, "LANG xx").startswith(b"-ERR")
    assert ask(s, f, "UTF8").startswith(b"+OK")
    s, f = filled.raw()
    assert ask(s, f, "UTF8").startswith(b"+OK")
    assert ask(s, f, "STLS").startswith(b"-ERR"), "RFC 6856: no STLS behind UTF8"


def b64(text):
    return base64.b64encode(text).decode()


def test_auth(filled):
    plain = b64(b"\0anna\0sesame")
    s, f = filled.raw(tls=True)
    assert ask(s, f, "AUTH PLAIN " + plain).startswith(b"+OK")
    s, f = filled.raw(tls=True)
    assert ask(s, f, "auth plain") == b"+ \r\n"
    assert ask(s, f, b64(b"anna\0anna\0sesame")).startswith(b"+OK")
    s, f = filled.raw(tls=True)
    assert base64.b64decode(ask(s, f, "AUTH LOGIN").split(b" ", 1)[1]).startswith(b"User")
    assert base64.b64decode(ask(s, f, b64(b"anna")).split(b" ", 1)[1]).startswith(b"Pass")
    assert ask(s, f, b64(b"sesame")).startswith(b"+OK")
    s, f = filled.raw(tls=True)
    assert ask(s, f, "AUTH PLAIN") == b"+ \r\n"
    assert ask(s, f, "*").startswith(b"-ERR")
    assert ask(s, f, "AUTH CRAM-MD5").startswith(b"-ERR")
    assert ask(s, f, "AUTH PLAIN " + plain).startswith(b"+OK"), "after a cancel"


@pytest.mark.parametrize("response", ["====", "AGFubmEAc2VzYW1l=", "AGFubmEAc2VzYW1lx", "!!!!", "A", "=",
                                      b64(b"\0anna\0ses\0ame"), b64(b"ben\0anna\0sesame"), b64(b"anna\0sesame"),
                                      b64(b"\0\0sesame"), b64(b"\0anna\0sesame\0x"), b64(b"\0" + b"a" * 300 + b"\0x"),
                                      b64(b"\0anna\0" + b"x" * 600)])
def test_req07_malformed_sasl(filled, response):
    s, f = filled.raw(tls=True)
    assert ask(s, f, "AUTH PLAIN " + response).startswith(b"-ERR")
    assert ask(s, f, "AUTH PLAIN " + b64(b"\0anna\0sesame")).startswith(b"+OK"), "only that try failed"


def test_login_answers(filled):
    s, f = filled.raw(tls=True)
    assert ask(s, f, "PASS sesame").startswith(b"-ERR")
    assert ask(s, f, "USER anna").startswith(b"+OK")
    wrong = ask(s, f, "PASS wrong")
    assert wrong.startswith(b"-ERR [AUTH]")
    assert ask(s, f, "PASS sesame").startswith(b"-ERR"), "USER again after a failure"
    assert ask(s, f, "USER nobody-at-all").startswith(b"+OK")
    assert ask(s, f, "PASS sesame") == wrong, "the same words for an unknown user"
    s, f = filled.raw(tls=True)
    assert ask(s, f, "APOP anna c4c9334bac560ecc979e58001b3e22fb").startswith(b"-ERR")


def test_password_with_blanks(serve):
    server = serve(users={"anna": "two words  three"})
    s, f = server.raw(tls=True)
    assert ask(s, f, "USER anna").startswith(b"+OK")
    assert ask(s, f, "PASS two words  three").startswith(b"+OK")


def test_pipelining(filled):
    s, f = filled.raw(tls=True)
    commands = ["USER anna", "PASS sesame"] + ["NOOP", "STAT", "UIDL 1", "LIST 3"] * 150 + ["RETR 2", "QUIT"]
    s.sendall("".join(c + "\r\n" for c in commands).encode())
    answers = [f.readline() for _ in range(len(commands) - 2)]
    assert all(a.startswith(b"+OK") for a in answers)
    assert answers[3].startswith(b"+OK 3 ")
    assert f.readline().startswith(b"+OK")
    assert b"".join(multi(f)).endswith(b"..dot\r\n...\r\nl5\r\n")
    assert f.readline().startswith(b"+OK")
    assert f.read() == b""


def test_pipelined_behind_login_in_clear(serve):
    server = serve({"login_in_clear": "loopback"})
    server.accounts["anna"].deliver(b"Subject: x\n\n" + b"y" * 70 + b"\n")
    s, f = server.raw()
    s.sendall(b"USER anna\r\nPASS sesame\r\n" + b"NOOP\r\n" * 500 + b"STAT\r\nQUIT\r\n")
    rest = f.read().splitlines()
    assert len(rest) == 504 and all(line.startswith(b"+OK") for line in rest)
    assert rest[-2] == b"+OK 1 86"


def test_byte_by_byte(filled):
    s, f = filled.raw(tls=True)
    for octet in b"USER anna\r\nPASS sesame\r\nSTAT\r\n":
        s.sendall(bytes([octet]))
    assert [f.readline()[:3] for _ in range(3)] == [b"+OK"] * 3


def test_req16_line_ends(filled):
    s, f = login_raw(filled)
    s.sendall(b"NOOP\n")
    assert f.readline() == b"+OK\r\n", "a bare LF ends a line"
    s.sendall(b"NOOP\rNOOP\r\n")
    assert f.readline().startswith(b"-ERR"), "a bare CR does not"
    s.sendall(b"DELE 1")  # no line end: never executed
    s.close()
    f.close()
    p = filled.login()
    assert p.stat()[0] == 3


def test_req20_nul(filled):
    s, f = login_raw(filled)
    for command in (b"NOOP\0", b"\0NOOP", b"DELE 1\0", b"RETR 1\0 2"):
        s.sendall(command + b"\r\n")
        assert f.readline().startswith(b"-ERR"), command
    assert ask(s, f, "STAT").startswith(b"+OK 3 ")


def test_req05_line_too_long(server):
    for tls in (False, True):
        s, f = server.raw(tls=tls)
        s.sendall(b"USER " + b"a" * 8000)
        assert f.readline().startswith(b"-ERR")
        assert f.readline() == b""
    s, f = login_raw(server)
    s.sendall(b"x" * 8000)
    assert f.readline().startswith(b"-ERR")


def test_nonsense_is_cut_off(server):
    s, f = server.raw(tls=True)
    s.sendall(b"GET / HTTP/1.1\r\n" * 50)
    answers = f.readlines()
    assert 0 < len(answers) <= 10 and all(a.startswith(b"-ERR") for a in answers)


def test_retr_marks_seen_at_quit(filled):
    anna = filled.accounts["anna"]
    p = filled.login()
    p.retr(1)
    p.close()
    assert not any(n.endswith("S") for n in anna.files()), "without QUIT nothing changes"
    p = filled.login()
    p.retr(1)
    p.top(2, 0)
    p.quit()
    assert sum(n.endswith(":2,S") for n in anna.files()) == 1


def test_mark_seen_can_be_off(serve):
    server = serve({"mark_seen": "no"})
    server.accounts["anna"].deliver(b"Subject: x\n\n\n")
    p = server.login()
    p.retr(1)
    p.quit()
    assert not any("S" in n.split(":2,")[1] for n in server.accounts["anna"].files())


def test_req39_without_quit_nothing_is_deleted(filled):
    p = filled.login()
    for i in (1, 2, 3):
        p.dele(i)
    p.close()
    p = filled.login()
    assert p.stat()[0] == 3


def test_in_use(filled):
    p = filled.login()
    other = filled.pops()
    other.user("anna")
    with pytest.raises(poplib.error_proto, match=r"\[IN-USE\]"):
        other.pass_("sesame")
    p.quit()
    other.user("anna")
    other.pass_("sesame")
    assert other.stat()[0] == 3
    other.quit()


def test_login_delay(serve):
    server = serve({"pop3_login_delay": "1h"})
    s, f = server.raw(tls=True)
    assert ask(s, f, "CAPA").startswith(b"+OK")
    assert b"LOGIN-DELAY 3600\r\n" in multi(f)
    server.login().quit()
    p = server.pops()
    p.user("anna")
    with pytest.raises(poplib.error_proto, match=r"\[LOGIN-DELAY\]"):
        p.pass_("sesame")
    server.login("ben").quit()


def test_empty_maildrop(server):
    p = server.login()
    assert p.stat() == (0, 0) and p.list()[1] == [] and p.uidl()[1] == []
    p.quit()


def test_missing_maildir_is_made(serve):
    server = serve()
    (server.accounts["anna"].maildir / "new").rmdir()
    server.login().quit()
    assert (server.accounts["anna"].maildir / "new").is_dir()


def test_client_that_vanishes_in_the_middle(filled):
    filled.accounts["anna"].deliver(b"Subject: big\n\n" + b"z" * 77 * 200000)
    s, f = login_raw(filled)
    s.sendall(b"RETR 4\r\n")
    f.readline()
    s.shutdown(socket.SHUT_RDWR)
    s.close()
    f.close()
    filled.wait_log("pop3 end user=anna")
    p = filled.login()
    assert p.stat()[0] == 4
