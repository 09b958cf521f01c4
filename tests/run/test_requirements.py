"""Faults that broke other mail servers: forty requirements, each with a test that has its number in its name.

`grep -r req18 tests` finds a number.  This file has those on IMAP, and on the Maildir through IMAP, that fit nowhere else.
The requirements on POP3 are in test_pop3, test_tls, test_limits, test_broken_messages, test_processes and test_messages,
those on IMAP's parsing in test_imap_states and test_imap_mailboxes, and those on the parsers alone in unit/.
"""

import base64
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import threading
import time

import pytest

from conftest import ASAN, ROOT, STANDING, WORKER_USER, until
from test_broken_messages import leave_room, small_disk  # noqa: F401 (a fixture)
from test_processes import assert_locked_in, by_title, one, status, uid_of
from test_tls import HAS_13, s_client

GOOD = b"Subject: good %d\r\n\r\nbody\r\n"


def test_every_requirement_has_a_test():
    names = "\n".join(re.findall(r"\w*req\d\d\w*", "\n".join(
        p.read_text() for p in (ROOT / "tests").rglob("test_*") if p.suffix in (".py", ".c"))))
    assert [n for n in range(1, 41) if f"req{n:02d}" not in names] == []


def rest(talk):
    """All lines up to the end of the connection."""
    lines = []
    while line := talk.line():
        lines.append(line)
    return lines


def fill(account, n=3, folder=None, first=0):
    for i in range(first, first + n):
        account.deliver(GOOD.replace(b"\r\n", b"\n") % i, f"{1000 + i}.M{i}.good", folder=folder)


def selected(server, name="anna", mailbox="INBOX"):
    talk = server.imap_talk(name)
    assert talk.cmd(f"SELECT {mailbox}").ok, talk.last
    return talk


def bodies(talk, what="1:*"):
    """UID -> content."""
    answer = talk.cmd(f"UID FETCH {what} BODY.PEEK[]")
    assert answer.ok, answer
    return {int(m[1]): m[2] for m in answer.find(rb"UID (\d+) BODY\[\] \{\d+\}\r\n(.*)\)$")}


def private(pid):
    """KiB that are a process's own."""
    return int(status(pid)["RssAnon"].split()[0])


# --- before login ---


def test_req02_what_was_learnt_before_tls_is_forgotten(serve):
    server = serve({"login_in_clear": "loopback"})
    talk = server.imap_talk(None, tls=False)
    assert b"STARTTLS" in talk.greeting and b"AUTH=PLAIN" in talk.greeting
    assert talk.cmd("LOGIN anna wrong").no
    tag = talk.start("AUTHENTICATE PLAIN")
    assert talk.line() == b"+ "
    talk.send(b"x STARTTLS\r\n")
    assert talk.finish(tag).bad, "a response, and a bad one: TLS does not begin within"
    assert talk.cmd("STARTTLS").ok
    talk.sock = server.context().wrap_socket(talk.sock, server_hostname="localhost")
    talk.file = talk.sock.makefile("rb")
    talk.send(base64.b64encode(b"\0anna\0sesame") + b"\r\n")  # an answer to what was asked in the clear
    assert talk.line().split()[1] == b"BAD"
    (line,) = talk.cmd("CAPABILITY").untagged
    assert b"STARTTLS" not in line and b"LOGINDISABLED" not in line and b"AUTH=PLAIN" in line
    assert talk.cmd("STARTTLS").bad, "inside TLS"
    assert talk.cmd("LOGIN anna sesame").ok and "STARTTLS" not in talk.last.text
    assert talk.cmd("STARTTLS").bad, "after login"
    assert b"STARTTLS" not in talk.cmd("CAPABILITY").untagged[0]


def test_req04_one_deadline_for_all_before_login(serve):
    """Silent, busy, in a handshake behind STARTTLS, in the middle of AUTHENTICATE, guessing: all at once."""
    server = serve({"login_timeout": "5s", "login_failures": "10", "failure_delay": "1s"})
    start = time.monotonic()
    talks = {name: server.imap_talk(None, tls=name != "handshake")
             for name in ("silent", "busy", "handshake", "authenticating", "guessing")}
    talks["handshake"].send(b"a STARTTLS\r\n")
    assert talks["handshake"].finish(b"a").ok
    talks["authenticating"].send(b"a AUTHENTICATE PLAIN\r\n")
    assert talks["authenticating"].line() == b"+ "
    ended = {}

    def watch(name, send):
        talk = talks[name]
        try:
            while time.monotonic() - start < 20:
                if send:
                    talk.send(send)
                if talk.sock.recv(65536) == b"":
                    break
        except OSError:
            pass
        ended[name] = time.monotonic() - start

    threads = [threading.Thread(target=watch, args=a) for a in (
        ("silent", None), ("busy", b"a NOOP\r\n"), ("handshake", None), ("authenticating", None),
        ("guessing", b"a LOGIN anna x\r\n"))]
    for t in threads:
        t.start()
    for i in range(40):  # octets of a handshake record that never ends
        time.sleep(0.1)
        try:
            talks["handshake"].send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[i:i + 1] or b"\0")
        except OSError:
            pass
    for t in threads:
        t.join(30)
    assert set(ended) == set(talks) and all(4 < t < 9 for t in ended.values()), ended


def test_req05_an_argument_is_at_most_1_kB(server):
    for command in ('LOGIN anna "%s"', "LOGIN anna %s", "LOGIN %s sesame"):
        talk = server.imap_talk(None)
        assert talk.cmd(command % ("x" * 1024)).status == "NO"
        talk.send((f"a {command}\r\nb LOGIN anna sesame\r\n" % ("x" * 1025)).encode())
        lines = rest(talk)
        assert lines[0].startswith(b"a BAD") and lines[1].startswith(b"* BYE") and len(lines) == 2
    talk = server.imap_talk(None)
    tag = talk.start("AUTHENTICATE PLAIN")
    assert talk.line() == b"+ "
    talk.send(b"x" * 2000 + b"\r\n")
    lines = rest(talk)
    assert lines[0].startswith(tag + b" BAD") and lines[1].startswith(b"* BYE") and len(lines) == 2


def test_req05_memory_before_login_does_not_depend_on_what_is_sent(server):
    talk = server.imap_talk(None)
    worker = one(server, "worker")
    assert talk.cmd("NOOP").ok
    before = private(worker)
    for _ in range(300):
        assert talk.cmd("NOOP " + "x" * 8000).bad
        assert talk.cmd("ID {1000+}\r\n%s {1000+}\r\n%s" % ("x" * 1000, "y" * 1000)).bad
    assert private(worker) - before < 200 or ASAN


NAMES = ["../etc/passwd", "-rf", ".anna", "an na", "a" * 300, "anna@", "@x", "a@b@c", "anna%s%n", "anna/../ben", "root", "anna*",
         "anna\r\nx LOGIN ben tortoise", "anna\t", "ann\xe4", "anna\\", 'anna"']


def test_req08_names_are_checked_before_anything_looks_them_up(serve):
    server = serve({"login_failures": "10"})
    for i, name in enumerate(NAMES):
        if i % 9 == 0:
            talk = server.imap_talk(None)
        name = name.encode("latin-1")
        answer = talk.cmd(b"LOGIN {%d+}\r\n%s sesame" % (len(name), name))
        assert answer.no and "[AUTHENTICATIONFAILED]" in answer.text and not answer.untagged, name
    time.sleep(0.1)
    assert not re.search(r"passwd|-rf|%s|tortoise|an na|a{100}", server.log())


@pytest.mark.root
def test_req09_req13_who_runs_as_whom(server):
    """The worker is nobody in an empty place; each reader is one user, and no memory of theirs is for others."""
    talks = [server.imap_talk("anna"), server.imap_talk("ben"), server.imap_talk(None, tls=False)]
    readers = until(lambda: len(by_title(server, "reader")) == 2 and by_title(server, "reader"), 5)
    workers = until(lambda: len(by_title(server, "worker")) == 3 and by_title(server, "worker"), 5)
    assert {status(r)["Uid"] for r in readers} == {"\t".join([str(a.uid)] * 4) for a in server.accounts.values()}
    for pid in readers + workers:
        assert_locked_in(pid)
        assert "0" not in status(pid)["Uid"].split() + status(pid)["Gid"].split()
    for pid in workers:
        assert status(pid)["Uid"].split() == [str(uid_of(WORKER_USER))] * 4
        assert os.listdir(f"/proc/{pid}/root") == []
    for talk in talks:
        talk.close()


def test_req10_unknown_user_costs_the_same(serve):
    server = serve({"login_failures": "10", "max_per_address": "1000"})
    times = {"anna": [], "nobody-here": [], '"../../etc"': []}
    for _ in range(8):
        talk = server.imap_talk(None)
        for name, found in times.items():
            start = time.monotonic()
            assert talk.cmd(f"LOGIN {name} wrong").no
            found.append(time.monotonic() - start)
    medians = {n: statistics.median(t) for n, t in times.items()}
    assert max(medians.values()) < 3 * min(medians.values()) + 0.01, medians


def test_req11_failures_count_by_address_across_protocols(serve):
    server = serve({"failure_delay": "1s"})
    p = server.pops()
    p.user("anna")
    with pytest.raises(Exception, match="AUTH"):
        p.pass_("wrong")
    talk = server.imap_talk(None)
    start = time.monotonic()
    assert talk.cmd("LOGIN anna wrong").no
    assert 1.9 < time.monotonic() - start < 4, "POP3's failure counts here"
    start = time.monotonic()
    assert server.imap_talk("anna").cmd("NOOP").ok and time.monotonic() - start < 0.9, "a right password does not feel it"


def test_req12_nothing_that_was_said_before_login_is_logged(serve):
    server = serve({"login_failures": "10"})
    talk = server.imap_talk(None)
    for command in ("LOGIN hush-name hush-word", "LOGIN anna hush-word", "LOGIN {9+}\r\nhush-name {9+}\r\nhush-word",
                    'ID ("name" "hush-name")', "hush-command hush-word", "AUTHENTICATE PLAIN AGh1c2gAaHVzaA==",
                    "LOGIN hush hush x"):
        talk.cmd(command)
    talk = server.imap_talk(None)
    talk.send(b"hush-line\r\n")
    talk.line()
    talk.close()
    server.wait_log(r"imap denied user=anna")
    assert "hush" not in server.log() and "aHVza" not in server.log()


def test_req12_what_a_client_says_is_escaped_and_cut(server):
    talk = server.imap_talk()
    evil = "x\r\nffffffff imap login user=root %s%n\x1b[2J" + "y" * 500
    assert talk.cmd('ID ("name" {%d+}\r\n%s)' % (len(evil), evil)).status in ("OK", "BAD")
    for command in ("SELECT", "CREATE", "XBOGUS", "SEARCH SUBJECT"):
        talk.cmd('%s {%d+}\r\n%s' % (command, len(evil), evil))
    talk.cmd("LOGOUT")
    server.wait_log("imap end user=anna")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\xff]|^ffffffff|y{65}", server.log(), re.M)


# --- TLS ---


def test_req14_versions_and_ciphers(server):
    ways = (("-connect", f"localhost:{server.imaps}"), ("-starttls", "imap", "-connect", f"localhost:{server.imap}"))
    for way in ways:
        for bad in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384"],
                    ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:NULL"]):
            assert "Cipher is (NONE)" in s_client(server, *way, *bad, text="").stdout, bad
        out = s_client(server, *way, text="a LOGOUT\n").stdout
        assert "Verify return code: 0" in out and "a OK" in out and "Compression: NONE" in out
        assert ("TLSv1.3" if HAS_13 else "TLSv1.2") in out


class Wire:
    """TLS by memory, so that its records can be spoilt on the way."""

    def __init__(self, server, port, context):
        self.sock = socket.create_connection(("127.0.0.1", port), 20)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.do(self.tls.do_handshake)

    def do(self, what, *args):
        while True:
            try:
                result = what(*args)
                self.sock.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                octets = self.sock.recv(65536)
                assert octets, "the connection ended"
                self.incoming.write(octets)

    def read_until(self, text):
        got = b""
        while text not in got:
            got += self.do(self.tls.read, 65536)
        return got


@pytest.mark.parametrize("spoil", ["an octet", "its type", "its length"])
def test_req14_a_bad_record_ends_it_without_plaintext(server, spoil):
    server.accounts["anna"].make_folder("Made")
    wire = Wire(server, server.imaps, server.context())
    wire.read_until(b"ready")
    wire.do(wire.tls.write, b"a LOGIN anna sesame\r\n")
    wire.read_until(b"a OK")
    wire.tls.write(b"b CREATE Evil\r\nc DELETE Made\r\n")
    record = bytearray(wire.outgoing.read())
    assert record[0] == 23
    if spoil == "an octet":
        record[len(record) // 2] ^= 1
    elif spoil == "its type":
        record[0] = 99
    else:
        record[3:5] = struct.pack("!H", 20000)
    wire.sock.sendall(record)
    got = b""
    try:
        while octets := wire.sock.recv(65536):
            got += octets
    except ConnectionResetError:
        pass
    assert len(got) < 60, "an alert at most"
    assert b"OK" not in got and b"BYE" not in got
    server.wait_log("imap end user=anna")
    assert not (server.accounts["anna"].maildir / ".Evil").exists() and (server.accounts["anna"].maildir / ".Made").exists()


def test_req14_no_renegotiation(server):
    out = subprocess.run(["openssl", "s_client", "-tls1_2", "-connect", f"localhost:{server.imaps}", "-CAfile", server.ca],
                         input="R\na CAPABILITY\n", capture_output=True, text=True, timeout=30)
    assert "no renegotiation" in out.stderr or "RENEGOTIATING" in out.stdout + out.stderr
    assert "a OK" not in out.stdout


def test_req15_what_a_hello_says_costs_no_memory_afterwards(server):
    plain = server.imap_talk(None)
    before = private(one(server, "worker"))
    plain.close()
    until(lambda: not by_title(server, "worker"), 5)
    context = server.context(check_hostname=False)
    context.set_alpn_protocols(["x" * 200] * 50 + ["imap"])
    sock = context.wrap_socket(socket.create_connection(("127.0.0.1", server.imaps), 20), server_hostname="a" * 60 + ".b" * 90)
    assert sock.selected_alpn_protocol() == "imap"
    assert sock.recv(100).startswith(b"* OK")
    assert private(one(server, "worker")) - before < 64 or ASAN
    sock.close()


def test_req16_a_cut_stream_executes_nothing(server):
    fill(server.accounts["anna"])
    talk = selected(server)
    assert talk.cmd("STORE 1:* +FLAGS (\\Deleted)").ok
    talk.send(b"a EXPUNGE")
    talk.sock.shutdown(socket.SHUT_RDWR)  # of the connection: no close_notify
    server.wait_log("imap end user=anna")
    talk = server.imap_talk()
    talk.send(b"a APPEND INBOX {6+}\r\na: b\r\n")  # the message is whole, the command is not
    talk.sock.shutdown(socket.SHUT_RDWR)
    until(lambda: server.log().count("imap end user=anna") == 2, 5)
    anna = server.accounts["anna"]
    assert len(anna.files()) == 3 and os.listdir(anna.maildir / "tmp") == []


def test_req16_a_carriage_return_ends_nothing(server):
    fill(server.accounts["anna"])
    talk = selected(server)
    assert talk.cmd(b"NOOP\rx EXPUNGE").bad
    assert talk.cmd(b"STORE 1 +FLAGS (\\Deleted)\rx EXPUNGE").bad
    assert bodies(talk).keys() == {1, 2, 3}


def test_req17_one_certificate_for_every_door(server):
    ways = [("-connect", f"localhost:{server.pop3s}"), ("-starttls", "pop3", "-connect", f"localhost:{server.pop3}"),
            ("-connect", f"localhost:{server.imaps}"), ("-starttls", "imap", "-connect", f"localhost:{server.imap}")]
    outs = [s_client(server, *way, "-verify_hostname", "localhost", "-verify_return_error", text=text).stdout
            for way, text in zip(ways, ["QUIT\n"] * 2 + ["a LOGOUT\n"] * 2)]
    assert all("Verification: OK" in out for out in outs)
    assert len({re.search("-----BEGIN.*END", out, re.S)[0] for out in outs}) == 1


# --- parsing after login ---


def test_req20_nul_is_bad_but_in_literal8(server):
    fill(server.accounts["anna"])
    talk = selected(server)
    for command in (b"NOOP\0", b"\0NOOP", b"CREATE a\0b", b'CREATE "a\0b"', b"CREATE {3+}\r\na\0b", b"SEARCH SUBJECT {3+}\r\na\0b",
                    b"STORE 1 FLAGS (a\0b)", b"FETCH 1\0 FLAGS", b"FETCH 1 FLAGS\0", b"FETCH 1 BODY[HEADER.FIELDS ({3+}\r\na\0b)]",
                    b"STORE 1 +FLAGS (\\Deleted\0)", b"APPEND INBOX {3+}\r\na\0b", b"APPEND INBOX (a\0b) {3+}\r\nabc",
                    b"APPEND {6+}\r\nINBOX\0 {3+}\r\nabc", b"ID ({4+}\r\nna\0e NIL)", b"LIST \"\" {2+}\r\n*\0"):
        assert talk.cmd(command).bad, command
    assert talk.cmd(b"APPEND INBOX ~{3+}\r\na\0b").no, "binary cannot be stored, and is told so"
    assert talk.cmd("NOOP").ok and len(bodies(talk)) == 3
    assert sorted(p.name for p in server.accounts["anna"].maildir.iterdir() if p.name.startswith(".")) == []


@pytest.mark.parametrize("number", ["0", "-1", "+1", "4294967296", "4294967297", "18446744073709551617", "00000000001", "1x", "1.0",
                                    "1,", ",1", "1:", "1::2", "1 :2", "0:1", "1:0", "1:4294967297", "0x1", ""])
def test_req21_numbers_are_strict(server, number):
    fill(server.accounts["anna"])
    talk = selected(server)
    for command in ("FETCH %s FLAGS", "UID FETCH %s FLAGS", "STORE %s +FLAGS (\\Deleted)", "UID STORE %s FLAGS.SILENT (\\Deleted)",
                    "COPY %s INBOX", "UID EXPUNGE %s", "SEARCH %s", "SEARCH UID %s", "UID MOVE %s INBOX"):
        assert talk.cmd(command % number).bad, command
    if ":" not in number and "," not in number:
        for command in ("FETCH 1 BODY[%s]", "FETCH 1 BODY[1.%s]", "SEARCH YOUNGER %s"):
            if number != "" or "[%s]" not in command:
                assert talk.cmd(command % number.replace(".0", ".x")).bad, command
    assert talk.cmd("FETCH 1:3 FLAGS").ok and b"Deleted" not in b"".join(talk.last.untagged)


def test_req21_a_set_costs_its_normal_form(server):
    fill(server.accounts["anna"], 5)
    talk = selected(server)
    for numbers in ("5:1", "1:5", "*:1", "5,4,3,2,1", "1:3,2:4,3:5,1,1,1", ",".join(["1:*"] * 50000), ",".join(["5:1,3"] * 50000)):
        answer = talk.cmd(f"FETCH {numbers} (UID)")
        assert answer.ok and [m[0] for m in answer.find(rb"^\* \d FETCH \(UID \d\)$")] == [
            b"* %d FETCH (UID %d)" % (i, i) for i in range(1, 6)]
    assert talk.cmd("FETCH 6 FLAGS").bad and talk.cmd("UID FETCH 6:4294967295 FLAGS").ok


def test_req23_a_command_of_a_client_that_is_gone_is_given_up(serve):
    server = serve({"login_in_clear": "loopback"})
    anna = server.accounts["anna"]
    for i in range(150):
        anna.deliver(b"Subject: x\n\n" + b"aaaaaaaaaaaaaaab" * 60000, f"{1000 + i}.M{i}.big")
    talk = selected(server)
    reader = one(server, "reader")
    talk.send(b"s SEARCH" + b" BODY aaaaaaaaaaaaaaaa" * 100 + b"\r\n")
    time.sleep(0.3)
    assert pathlib.Path(f"/proc/{reader}").exists(), "it takes longer than that"
    talk.sock.shutdown(socket.SHUT_RDWR)
    talk.close()
    until(lambda: not pathlib.Path(f"/proc/{reader}").exists(), 8, "the search is given up")


def test_req24_append_beyond_the_limit_is_refused_before_it_is_asked_for(serve):
    server = serve({"append_limit": "102400"})
    talk = server.imap_talk()
    assert b"APPENDLIMIT=102400" in talk.cmd("CAPABILITY").untagged[0]
    for size, wanted in ((102401, b"a NO [TOOBIG]"), (5000000000, b"a NO [TOOBIG]"), (2 ** 64 + 1, b"a BAD")):
        talk.send(b"a APPEND INBOX {%d}\r\n" % size)
        assert talk.line().startswith(wanted)
    talk.send(b"b APPEND INBOX {102401+}\r\n" + b"x" * 102401 + b"\r\n")
    assert talk.finish(b"b").text.startswith("[TOOBIG]")
    one_more = b"x" * 102400
    assert talk.append("INBOX", one_more).ok, "just as large as it may be"
    assert len(server.accounts["anna"].files()) == 1 and os.listdir(server.accounts["anna"].maildir / "tmp") == []


EVIL = b"x\r* 1 EXPUNGE\r* BYE"


def test_req25_no_content_begins_a_line(server):
    """Names of folders, keywords, headers and MIME parameters of any octets: quoted, literal or left out."""
    anna = server.accounts["anna"]
    for field in (b"Subject: %s\n\n", b"From: %s\n\n", b'From: "%s" <a@b>\n\n', b"From: a (%s) <c@d>\n\n", b"Message-ID: <%s>\n\n",
                  b"Content-Type: text/%s\n\n", b'Content-Type: text/plain; x="%s"\n\n', b"Content-Type: text/plain; %s=x\n\n",
                  b"Content-Disposition: %s; filename=%s\n\n", b"Content-ID: %s\n\n", b"Content-Transfer-Encoding: %s\n\n",
                  b"Date: %s\n\n", b"Content-Language: %s, %s\n\n", b"X-Y: %s\n\n"):
        for octets in (EVIL, EVIL.replace(b"\r", b"\0"), b'\\"%s\\' % EVIL, EVIL + b"\xe4\xff", b"x\x0b* BYE\x0c", b"{3}"):
            anna.deliver(field.replace(b"%s", octets))
    (anna.maildir / ".Fold\nx\r* BYE").mkdir()
    (anna.maildir / "dovecot-keywords").write_bytes(
        b"0 good\n1 ev\ril\n2 a b\n3 (x\n4 \\Seen\n5 \xe4\n6 \"q\n7 \n8 " + b"k" * 999 + b"\n")
    anna.own(anna.maildir / "dovecot-keywords")
    anna.deliver(b"Subject: keywords\n\n", "1.k:2,abcdefghijz", sub="cur")
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok
    commands = ["FETCH 1:* (FLAGS ENVELOPE BODY BODYSTRUCTURE)", "FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject X-Y)]",
                "FETCH 1:* (BODY.PEEK[1.MIME] BODY.PEEK[1]<0.9>)", 'LIST "" *', 'LSUB "" *', "STORE 1 +FLAGS (new)", "NOOP"]
    for command in commands:
        tag = talk.start(command)
        while not (line := talk.line()).startswith(tag):
            assert re.match(rb"\* (\d+ FETCH \(|LIST \(|LSUB \(|FLAGS \(|OK \[PERMANENTFLAGS \()", line), line[:200]
            assert b"BYE" not in re.sub(rb'"(\\.|[^"\\])*"', b"", re.sub(rb"\{\d+\}\r\n.*", b"", line, flags=re.S)), line[:200]
            outside = re.sub(rb"\{\d+\}\r\n.*", b"", line, flags=re.S)
            assert not re.search(rb"[\0\r\n\x80-\xff]", outside), line[:200]
        assert line.startswith(tag + b" OK"), line


def nested(depth):
    return b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (i, i) for i in range(depth)) + b"\nx\n"


BOMBS = {
    "deep multiparts": nested(5000),
    "deep messages": b"Content-Type: message/rfc822\n\n" * 20000 + b"x\n",
    "many parts": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 200000,
    "many parameters": b"Content-Type: text/plain" + b";\n a=b" * 200000 + b"\n\nx\n",
    "many pieces of one": b"Content-Type: text/plain" + b"".join(b"; x*%d=y" % i for i in range(100000)) + b"\n\nx\n",
    "a large header": b"Subject: x\n" + b"X-Y: " + b"z" * 60 + b"\n" * 1 + (b"X: " + b"y" * 70 + b"\n") * 200000 + b"\nx\n",
    "one long line": b"Subject: " + b"s" * 12000000 + b"\n\nx\n",
    "many addresses": b"To: " + b"a@b, " * 200000 + b"\n\nx\n",
    "deep comments": b"To: " + b"(" * 500000 + b"\n\nx\n",
    "references": b"References: " + b"<a@b> " * 50000 + b"\n\nx\n",
    "no end": b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/digest; boundary=b\n\n--b",
    "empty boundary": b'Content-Type: multipart/mixed; boundary=""\n\n--\n\n----\n',
}


def test_req26_mime_bombs_cost_bounded_time_and_memory(server):
    anna = server.accounts["anna"]
    for content in BOMBS.values():
        anna.deliver(content)
    talk = selected(server)
    reader = one(server, "reader")
    for i, (name, content) in enumerate(BOMBS.items(), 1):
        start = time.monotonic()
        answer = talk.cmd(f"FETCH {i} (RFC822.SIZE ENVELOPE BODYSTRUCTURE)")
        assert answer.ok and time.monotonic() - start < (20 if ASAN else 5), name
        (told,) = answer.find(rb"RFC822.SIZE (\d+)")
        structure = answer.untagged[0]
        assert structure.count(b"(") < 200000 and len(structure) < 12_500_000 and depth_of(structure) < 250, name
        assert talk.cmd(f"FETCH {i} BODY.PEEK[]").ok
        (body,) = talk.last.find(rb"BODY\[\] \{(\d+)\}\r\n(.*)\)$")
        assert int(told[1]) == int(body[1]) == len(body[2]), name
        assert body[2] == content.replace(b"\n", b"\r\n"), name
        assert talk.cmd("SEARCH TEXT nowhere-in-it").ok or name
    assert private(reader) < 100_000 or ASAN


def depth_of(text):
    depth = most = 0
    for c in re.sub(rb'"(\\.|[^"\\])*"|\{\d+\}\r\n', b"", text):
        depth += (c == 40) - (c == 41)
        most = max(most, depth)
    return most


def test_req27_addresses_cut_at_the_last_octet(server):
    anna = server.accounts["anna"]
    fields = ['"a\\', '"a', "a (b", "a (b\\", "g: a@b", "g:", "<a@b", "<@c,", "a@", "a@[1.2", "a@b (c) (", "<", ":",
              ",", "\\", "a@b,",
              '"a" <"b\\', "a@[\\", "g: (x", 'a."b\\', "=?utf-8?q?", "=?utf-8?b?YQ=", "(" * 200 + "\\"]
    for field in fields:
        for end in ("", "\n", "\n\n"):
            anna.deliver(f"From: {field}{end}")
            anna.deliver(f"Subject: x\nTo: ok@example.org, {field}{end}")
    talk = selected(server)
    answer = talk.cmd("FETCH 1:* ENVELOPE")
    assert answer.ok and len(answer.find(rb"ENVELOPE \(")) == len(fields) * 6
    for search in ('FROM "x\\\\"', "TO nobody", "SUBJECT y", "SENTON 1-Feb-2022"):
        assert talk.cmd(f"SEARCH {search}").ok
    good = [u for u in answer.untagged if b"Subject" not in u and b'"ok" "example.org"' in u]
    assert len(good) == len(fields) * 3, "the address in front is whole"


def test_req28_thread_and_sort_are_not_offered(server):
    """They do not exist yet; when they do, loops, 50,000 references and their memory belong here."""
    server.accounts["anna"].deliver("References: " + "<a@b> " * 50000 + "\n\n")
    talk = selected(server)
    line = talk.cmd("CAPABILITY").untagged[0]
    assert b"SORT" not in line and b"THREAD" not in line
    for command in ("SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "UID SORT (DATE) UTF-8 ALL",
                    "UID THREAD REFS UTF-8 ALL"):
        assert talk.cmd(command).bad
    assert talk.cmd("FETCH 1 (ENVELOPE BODY.PEEK[HEADER.FIELDS (References)])").ok


def test_req29_the_whole_table_in_every_state(server):
    """The table as the source has it, so that a new row is asked too."""
    source = (ROOT / "server" / "imap" / "commands.c").read_text()
    table = dict(re.findall(r'^    \{"([A-Z ]+)", (IN_\w+)', source, re.M))
    assert len(table) >= 36 and set(table.values()) == {"IN_BOTH", "IN_SELECTED"}
    before = {"CAPABILITY", "NOOP", "LOGOUT", "ID", "STARTTLS", "LOGIN", "AUTHENTICATE"}
    stranger, user, reading = server.imap_talk(None), server.imap_talk(), selected(server)
    for i, (name, states) in enumerate(table.items()):
        if name == "LOGOUT" or name == "IDLE":
            continue
        if i % 5 == 4:
            stranger = server.imap_talk(None)  # too much nonsense ends it
        assert ("Unknown" in stranger.cmd(f"{name} wrong (").text) == (name not in before), name
        assert ("No mailbox is selected" in user.cmd(f"{name} wrong (").text) == (states == "IN_SELECTED"), name
        assert reading.cmd(f"{name} wrong (").status in ("BAD", "NO") and "selected" not in reading.last.text, name
    assert user.cmd("FROBNICATE").text == reading.cmd("UID NOOP").text == "Unknown command"


# --- the Maildir ---


def test_req30_sizes_are_the_files_own(server):
    """S= and W= of names, and sizes in dovecot-uidlist, that are wrong: in a folder that is FETCHed."""
    anna = server.accounts["anna"]
    anna.make_folder("Sub")
    content = {}
    for i, name in enumerate(["1.a,S=7,W=9:2,", "2.b,S=99999999:2,S", "3.c,S=-1:2,", "4.d,W=1:2,", "5.e,S=18446744073709551617:2,",
                              "6.f,S=,W=x:2,", "7.g,S=25,W=29:2,"]):
        anna.deliver(b"Subject: %d\n\n%s" % (i, b"line\n" * i * i), name, sub="cur", folder="Sub")
    for _ in range(2):
        talk = selected(server, mailbox="Sub")
        answer = talk.cmd("FETCH 1:* (UID RFC822.SIZE BODY.PEEK[] BODY.PEEK[TEXT]<3.9>)")
        assert answer.ok
        sizes = {int(m[1]): (int(m[2]), int(m[3]), len(m[4])) for m in answer.find(
            rb"UID (\d+) RFC822.SIZE (\d+) BODY\[\] \{(\d+)\}\r\n(.*) BODY\[TEXT\]<3> .*\)$")}
        assert len(sizes) == 7 and all(len(set(s)) == 1 for s in sizes.values()), sizes
        content = content or sizes
        assert content == sizes
        total = sum(s[0] for s in sizes.values())
        assert server.imap_talk().cmd("STATUS Sub (SIZE)").find(rb"SIZE %d\)" % total)
        talk.close()
        path = anna.folder("Sub") / "dovecot-uidlist"
        path.write_text(re.sub(r"[SW]\d+ ", "S3 W5 ", path.read_text()))


def test_req30_a_message_that_shrinks_while_it_is_sent(server):
    anna = server.accounts["anna"]
    big = b"Subject: big\n\n" + (b"z" * 76 + b"\n") * 400000
    anna.deliver(big, "1.big")
    talk = selected(server)
    talk.send(b"a FETCH 1 BODY.PEEK[]\r\n")
    time.sleep(0.3)
    (path,) = (anna.maildir / "cur").iterdir()
    os.truncate(path, 1000)
    head, _, got = talk.file.read().partition(b"}\r\n")
    assert int(head.rpartition(b"{")[2]) > len(got), "the literal is not filled up"
    assert big.replace(b"\n", b"\r\n").startswith(got)
    server.wait_log("imap end user=anna .*reason=.*read to its end")


def unreadable(path, secret):
    path.write_bytes(b"Subject: unreadable\n")
    path.chmod(0)


ODD = {
    "gone": lambda path, secret: None,
    "fifo": lambda path, secret: os.mkfifo(path),
    "directory": lambda path, secret: path.mkdir(),
    "link": lambda path, secret: path.symlink_to(secret),
    "dangling": lambda path, secret: path.symlink_to("/nonexistent"),
    "socket": lambda path, secret: socket.socket(socket.AF_UNIX).bind(str(path)),
    "unreadable": unreadable,
}


@pytest.mark.root
@pytest.mark.parametrize("kind", ODD)
def test_req31_a_bad_file_costs_no_for_that_message_only(server, kind):
    anna = server.accounts["anna"]
    anna.make_folder("Sub")
    fill(anna, 5, folder="Sub")
    secret = server.dir / "secret"
    secret.write_text("not anna's\n")
    secret.chmod(0o666)
    talk = selected(server, mailbox="Sub")
    (path,) = (anna.folder("Sub") / "cur").glob("1002.*")
    path.unlink()
    ODD[kind](path, secret)
    for items in ("BODY.PEEK[]", "ENVELOPE", "BODY.PEEK[HEADER.FIELDS (Subject)]", "BODYSTRUCTURE", "BODY.PEEK[1]<0.3>"):
        answer = talk.cmd(f"FETCH 1:5 (UID {items})")
        assert answer.no, (items, answer)
        numbers = [int(m[1]) for m in answer.find(rb"^\* (\d+) FETCH \(UID")]
        assert numbers == [1, 2, 4, 5], "the others are served"
        assert b"not anna" not in b"".join(answer.untagged)
    assert talk.cmd("FETCH 3 BODY.PEEK[]").no and talk.cmd("FETCH 4 BODY.PEEK[]").ok
    answer = talk.cmd("SEARCH TEXT good")
    assert answer.ok and answer.untagged == [b"* SEARCH 1 2 4 5"]
    assert talk.cmd("COPY 1:5 INBOX").no and anna.files() == [], "all or nothing"
    assert talk.cmd("COPY 1:2 INBOX").ok
    assert len(anna.files()) == 2 and secret.read_text() == "not anna's\n"
    assert talk.cmd("UID STORE 5 +FLAGS (\\Deleted)").ok and talk.cmd("NOOP").ok
    again = selected(server, mailbox="Sub")
    assert again.cmd("FETCH 1:4 (UID)").ok and len(bodies(again, "1:2,4:5")) == 4


@pytest.mark.parametrize("one_name, two", [("7.same:2,", "7.same:2,S"), ("7.same", "7.same:2,"), ("7.same:2,S", "7.same:2,")])
def test_req32_no_rename_replaces_a_file(server, one_name, two):
    """Two messages of one base name, and STORE that would give one the other's name: both stay."""
    anna = server.accounts["anna"]
    anna.deliver(GOOD % 1, one_name, sub="cur" if ":" in one_name else "new")
    anna.deliver(GOOD % 2, two, sub="cur")
    talk = selected(server)
    assert sorted(bodies(talk).values()) == [GOOD % 1, GOOD % 2]
    for change in ("+FLAGS (\\Seen)", "-FLAGS (\\Seen)", "FLAGS (\\Flagged)", "FLAGS ()", "+FLAGS ($k)", "-FLAGS ($k)"):
        assert talk.cmd(f"STORE 1:2 {change}").ok
        assert talk.cmd(f"STORE 1 {change}").ok
        assert sorted(bodies(talk).values()) == [GOOD % 1, GOOD % 2], change
        assert sorted((f.read_bytes() for f in anna.maildir.glob("???/*")), key=bytes) == [GOOD % 1, GOOD % 2]


def test_req33_a_rename_during_a_scan_expunges_nothing(server):
    anna = server.accounts["anna"]
    fill(anna, 300)
    talk = selected(server)
    uids = sorted(bodies(talk))
    end, renames, lost = time.monotonic() + 3, [0], []

    def rename():
        rng, cur = random.Random(33), anna.maildir / "cur"
        while time.monotonic() < end:
            for name in rng.sample(names := os.listdir(cur), min(20, len(names))):
                base = name.split(":")[0]
                try:
                    os.rename(cur / name, cur / f"{base}:2,{''.join(f for f in 'FRS' if rng.random() < 0.5)}")
                    renames[0] += 1
                except FileNotFoundError:
                    pass

    thread = threading.Thread(target=rename)
    thread.start()
    looks = 0
    try:
        while time.monotonic() < end:
            lost += talk.cmd("NOOP").find(rb"EXPUNGE|EXISTS")
            looks += 1
            if looks % 10 == 0:
                talk = selected(server)
                answer = talk.cmd("UID SEARCH RETURN (ALL) ALL")
                assert answer.find(rb"ALL %d:%d$" % (uids[0], uids[-1])), answer
    finally:
        thread.join()
    assert not lost and renames[0] > 200 and looks > 10
    assert sorted(bodies(selected(server))) == uids == list(range(1, 301))


def tree(anna):
    return sorted(str(p.relative_to(anna.maildir)) for p in anna.maildir.rglob("*")
                  if p.is_file() and p.parent.name in ("cur", "new", "tmp"))


@pytest.mark.root
@pytest.mark.parametrize("pages", [0, 1, 3])
def test_req34_req37_a_full_disk_is_no_and_leaves_nothing(small_disk, pages):  # noqa: F811
    server, anna = small_disk, small_disk.accounts["anna"]
    subprocess.run(["mount", "-o", "remount,size=1m", anna.maildir], check=True)
    anna.make_folder("Sub")
    fill(anna)
    talk = selected(server)
    seen, before = bodies(talk), tree(anna)
    big = b"Subject: big\r\n\r\n" + b"x" * 40000 + b"\r\n"
    leave_room(anna, pages)
    answer = talk.append("Sub", big)
    assert answer.no and "[OVERQUOTA]" in answer.text and tree(anna) == before
    talk.send(b"m APPEND Sub {10+}\r\na: b\r\n\r\nx\n {%d+}\r\n%s\r\n" % (len(big), big))
    assert talk.finish(b"m").no and tree(anna) == before, "the small one neither"
    if pages == 0:
        for command in ("COPY 1:3 Sub", "MOVE 1:3 Sub"):
            assert talk.cmd(command).no, command
        assert tree(anna) == before and bodies(talk) == seen
        assert talk.cmd("SUBSCRIBE Sub").no and talk.cmd("STORE 1 +FLAGS (brand-new)").no
    assert talk.cmd("NOOP").ok and bodies(talk) == seen
    told = talk.cmd("STATUS Sub (UIDNEXT)").find(rb"UIDNEXT (\d+)")
    uidnext = int(told[0][1]) if told else 1
    if pages == 0:  # new mail that comes all the same, by a rename
        os.rename(anna.maildir / "filler", anna.maildir / "cur" / "9.filler:2,")
        again = server.imap_talk()
        assert again.cmd("SELECT INBOX").ok
        listed = (anna.maildir / "dovecot-uidlist").read_text()
        uids = {int(m[1]) for m in again.cmd("UID FETCH 1:* UID").find(rb"UID (\d+)")}
        assert len(uids) >= 3 and all(re.search(rf"^{u} ", listed, re.M) for u in uids), "all UIDs are on disk"
        os.rename(*(next((anna.maildir / "cur").glob("9.*")), anna.maildir / "filler"))
    (anna.maildir / "filler").unlink()
    talk = selected(server)
    assert {u: b for u, b in bodies(talk).items() if u in seen} == seen
    answer = talk.append("Sub", big)
    assert answer.ok and int(re.search(r"APPENDUID \d+ (\d+)", answer.text)[1]) >= uidnext
    assert not list(anna.maildir.rglob("tmp/*"))


@pytest.mark.parametrize("damage", ["gone", "empty", "garbage", "cut", "zeros"])
def test_req35_uidvalidity_only_rises(server, damage):
    anna = server.accounts["anna"]
    anna.make_folder("Sub")
    fill(anna, 5, folder="Sub")
    talk = server.imap_talk()

    def validity():
        return int(talk.cmd("SELECT Sub").find(rb"UIDVALIDITY (\d+)")[0][1])

    first = validity()
    before = sorted(bodies(talk).values())
    talk.cmd("UNSELECT")
    path = anna.folder("Sub") / "dovecot-uidlist"
    text = path.read_bytes()
    path.unlink()
    new = {"gone": None, "empty": b"", "garbage": os.urandom(999), "cut": text[:-9], "zeros": bytes(300)}[damage]
    if new is not None:
        path.write_bytes(new)
        anna.own(path)
    second = validity()
    assert second > first or damage == "cut" and second == first
    assert sorted(bodies(talk).values()) == before, "all mail is served in the first session"


def test_req35_uidvalidity_when_the_clock_goes_back(server):
    """What was given out lies in the future: the next one is above it."""
    talk = server.imap_talk()
    seen = []
    for i in range(3):
        assert talk.cmd(f"CREATE Box{i}").ok
        seen.append(int(talk.cmd(f"STATUS Box{i} (UIDVALIDITY)").find(rb"UIDVALIDITY (\d+)")[0][1]))
        if i == 0:
            future = int(time.time()) + 100_000_000
            for old in server.accounts["anna"].maildir.glob("dovecot-uidvalidity*"):
                old.unlink()
            for name, content in (("dovecot-uidvalidity", f"{future:08x}"), (f"dovecot-uidvalidity.{future:08x}", "")):
                (server.accounts["anna"].maildir / name).write_text(content)
                server.accounts["anna"].own(server.accounts["anna"].maildir / name)
    assert seen == sorted(set(seen)) and seen[1] > future


def kill_readers(server):
    for pid in by_title(server, "reader"):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_req36_a_killed_session_stops_nobody(serve):
    """Killed while it holds whatever it holds: the next session's change waits less than 2 s."""
    server = serve({"login_in_clear": "loopback", "max_per_address": "1000"})
    anna = server.accounts["anna"]
    anna.make_folder("Sub")
    fill(anna, 50)
    rng = random.Random(36)
    for turn in range(15):
        talk = server.imap_talk(tls=False)
        talk.send(b"s SELECT INBOX\r\n" + b"".join(
            b"a STORE 1:* +FLAGS (\\Seen)\r\nb STORE 1:* -FLAGS (\\Seen)\r\nc COPY 1:9 Sub\r\nd APPEND Sub {4+}\r\na:b\n\r\n"
            for _ in range(20)))
        time.sleep(rng.random() / 10)
        kill_readers(server)
        talk.close()
        start = time.monotonic()
        talk = server.imap_talk(tls=False)
        assert talk.cmd("SELECT Sub").ok and talk.append("INBOX", GOOD % turn).ok and talk.cmd("CREATE T%d" % turn).ok
        assert time.monotonic() - start < (6 if ASAN else 2), turn
        talk.close()


def wreck(server, command, rounds, rng, check):
    """A command again and again, its reader killed at random moments, but for the first; check() after each."""
    longest, killed = None, 0
    for turn in range(rounds):
        talk = server.imap_talk(tls=False)
        assert talk.cmd("SELECT INBOX").ok, talk.last
        reader = one(server, "reader")
        start = time.monotonic()
        talk.send(command(turn))
        if longest is None:
            assert talk.finish(b"x").ok, talk.last
            longest, done = time.monotonic() - start, True
        else:
            time.sleep(rng.random() * longest * 1.1)
            os.kill(reader, signal.SIGKILL)
            try:
                done = re.search(rb"^x OK", talk.file.read(), re.M) is not None
            except ConnectionResetError:  # it had not read all
                done = False
            killed += not done
        talk.close()
        check(turn, done)
        until(lambda: not by_title(server, "reader"), 5)
    assert killed >= rounds // 10, "too few were killed in their middle"


def test_req37_killed_append_leaves_a_whole_message_or_none(serve):
    server = serve({"login_in_clear": "loopback", "max_per_address": "1000"})
    anna = server.accounts["anna"]
    expected, many = {}, 8  # messages in one command

    def message(turn, i):
        return b"Subject: %d.%d\r\n\r\n" % (turn, i) + b"%06d\r\n" % turn * 4000

    def command(turn):
        return b"x APPEND INBOX" + b"".join(b" {%d+}\r\n" % len(m) + m for m in (message(turn, i) for i in range(many))) + b"\r\n"

    def check(turn, done):
        on_disk = [p.read_bytes() for sub in ("cur", "new") for p in (anna.maildir / sub).iterdir()]
        fresh = [m for m in on_disk if re.match(rb"Subject: %d\." % turn, m)]
        whole = [message(turn, i).replace(b"\r\n", b"\n") for i in range(many)]
        assert all(m.replace(b"\r\n", b"\n") in whole for m in fresh), "cut"
        assert len(set(fresh)) == len(fresh)
        assert len(fresh) == many or not done and len(fresh) < many
        expected[turn] = len(fresh)

    wreck(server, command, 30, random.Random(37), check)
    talk = selected(server)
    have = bodies(talk)
    assert len(have) == sum(expected.values()) == len(set(have.values()))


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_req37_killed_copy_and_move_lose_nothing(serve, verb):
    server = serve({"login_in_clear": "loopback", "max_per_address": "1000"})
    anna = server.accounts["anna"]
    anna.make_folder("Sub")
    fill(anna, 60)
    everything = {GOOD.replace(b"\r\n", b"\n") % i for i in range(60)}

    def content(folder):
        return [p.read_bytes() for sub in ("cur", "new") for p in (anna.folder(folder) / sub).iterdir()]

    def check(turn, done):
        here, there = content(None), content("Sub")
        assert set(here) | set(there) == everything, "lost, or cut"
        assert len(here) == len(set(here)) and (verb == "MOVE" or len(here) == 60)
        if done:
            assert set(there) == everything and (verb == "COPY" or not here)
        for p in list((anna.folder("Sub") / "cur").iterdir()) + list((anna.folder("Sub") / "new").iterdir()):
            if verb == "COPY":
                p.unlink()
            elif p.read_bytes() not in here:
                os.rename(p, anna.maildir / "cur" / (p.name.split(":")[0] + ":2,"))
            else:
                p.unlink()

    wreck(server, lambda turn: b"x %s 1:* Sub\r\n" % verb.encode(), 25, random.Random(verb), check)
    assert sorted(bodies(selected(server)).values()) == sorted(GOOD % i for i in range(60))


# --- POP3's quit, in IMAP's words; load ---


@pytest.mark.root
def test_req39_expunge_that_fails_is_no_and_an_end_expunges_nothing(server):
    anna = server.accounts["anna"]
    fill(anna)
    talk = selected(server)
    assert talk.cmd("STORE 1:3 +FLAGS (\\Deleted)").ok
    (anna.maildir / "cur").chmod(0o500)
    answer = talk.cmd("EXPUNGE")
    assert answer.no and not answer.find(rb"EXPUNGE")
    assert talk.cmd("CLOSE").status in ("OK", "NO") and len(anna.files()) == 3
    (anna.maildir / "cur").chmod(0o700)
    talk = selected(server)
    talk.sock.shutdown(socket.SHUT_RDWR)
    until(lambda: server.log().count("imap end user=anna") >= 1, 5)
    assert selected(server).cmd("LOGOUT").ok
    assert len(anna.files()) == 3, "neither LOGOUT nor a lost connection expunges"


def test_req40_before_login_the_oldest_stranger_goes(serve):
    server = serve({"max_before_login": "3"})
    user = server.imap_talk()
    strangers = [server.imap_talk(None, tls=False) for _ in range(4)]
    assert rest(strangers[0])[-1].startswith(b"* BYE [UNAVAILABLE]")
    assert user.cmd("NOOP").ok, "never a user"
    assert all(s.cmd("NOOP").ok for s in strangers[1:])


def test_req40_per_address(serve):
    server = serve({"max_per_address": "2"})
    talks = [server.imap_talk(None, tls=False) for _ in range(2)]
    assert server.imap_talk(None, tls=False).greeting.startswith(b"* BYE [UNAVAILABLE]")
    with pytest.raises(OSError):
        server.imap_talk(None)  # no handshake for a connection that is refused: see test_flood.py
    talks[0].close()
    until(lambda: server.imap_talk(None, tls=False).greeting.startswith(b"* OK"), 5)


def test_req40_a_client_that_reads_nothing_costs_one_buffer(server):
    server.accounts["anna"].deliver(b"Subject: big\n\n" + (b"z" * 76 + b"\n") * 500000)
    talk = selected(server)
    talk.send(b"a FETCH 1 (BODYSTRUCTURE)\r\n")
    assert talk.finish(b"a").ok
    talk.send(b"a FETCH 1 (BODY.PEEK[] RFC822 BODY.PEEK[TEXT])\r\n" * 20 + b"b NOOP\r\n" * 1000)
    time.sleep(0.5)
    for title in ("worker", "reader"):
        assert private(one(server, title)) < 2048 or ASAN, title
    talk.close()
    until(lambda: not by_title(server, "reader"), 10, "no session is left behind")


def test_req40_no_zombies(serve):
    server = serve({"login_in_clear": "loopback", "max_per_address": "1000"})
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    for i in range(200):
        talk = server.imap_talk(None, tls=False)
        if i % 4 == 0:
            talk.send(b"a LOGIN anna sesame\r\nb LOGOUT\r\n")
            assert rest(talk)[-1].startswith(b"b OK")
        elif i % 4 == 1:
            assert talk.cmd("LOGIN anna wrong").no
        talk.close()
    until(lambda: len(server.children()) <= STANDING, 10, "only the standing processes")
    assert len(os.listdir(f"/proc/{server.pid}/fd")) == descriptors
