"""A client leaves in the middle of long work: the work ends, and the changes that the client asked for are made."""

import os
import poplib
import socket
import time

import pytest
from conftest import ASAN, until

HUGE = 200 << 30  # octets, all of them holes: reading them takes minutes
READING = [
    "FETCH 1 RFC822.SIZE", "FETCH 1 (BODY.PEEK[])", "FETCH 1 BODY[]", "FETCH 1 (BODYSTRUCTURE ENVELOPE)",
    "UID FETCH 1:* (BODY.PEEK[1]<100000000000.10>)", "FETCH 1 BINARY.SIZE[1]", "SEARCH LARGER 1", "SEARCH TEXT nowhere",
    "UID SEARCH BODY nowhere", "STATUS Box (SIZE)", 'LIST "" * RETURN (STATUS (SIZE))',
]


def readers(server):
    return {pid for pid, (_, title) in server.children().items() if "reader" in title or "login" in title}


def huge(account, folder=None, sizes=""):
    name = account.deliver(b"Subject: huge\n\n", folder=folder, sub="cur", name=f"1000000000.M1.test{sizes}:2,")
    os.truncate(account.folder(folder) / "cur" / name, HUGE)


def go(sock, how):
    """reset: as when a program dies with answers unread.  close: it says that it will send nothing more."""
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_mend31_long_reading_ends_with_its_client(serve, how):
    server = serve({"login_in_clear": "loopback", "max_per_address": "100"},
                   {"anna": "sesame", "ben": "tortoise", "cara": "walnut"})
    anna, ben, cara = server.accounts.values()
    for account in (anna, ben):
        account.make_folder("Box")
        huge(account)
    huge(anna, "Box")
    huge(cara, sizes=f",S={HUGE},W={HUGE + 2}")
    talks = []
    for n, command in enumerate(READING):
        talk = server.imap_talk(tls=n % 2 == 0)
        assert talk.cmd("EXAMINE INBOX").ok
        talk.start(command)
        talks.append(talk)
    pops = []
    # All sizes are read first; and a size that is known.
    for said in (b"USER ben\r\nPASS tortoise\r\n", b"USER cara\r\nPASS walnut\r\nRETR 1\r\n"):
        pops.append(socket.create_connection(("127.0.0.1", server.pop3)))
        pops[-1].recv(100)
        pops[-1].sendall(said)
    until(lambda: len(readers(server)) == len(READING) + 2, 5, "all are at work")
    time.sleep(1)
    assert len(readers(server)) == len(READING) + 2, "and take long"
    for talk in talks:
        talk.file.close()
        go(talk.sock, how)
    for pop in pops:
        go(pop, how)
    until(lambda: not readers(server), 30 if ASAN else 10, "work for nobody ends")
    assert "cannot be read" not in server.log() and "failed" not in server.log().replace("connection failed", "")


def test_mend31_the_memory_limit_is_named(serve):
    """The least memory that can be set, and a folder that needs more when it is opened first."""
    server = serve({"memory": "16M"}) if not ASAN else pytest.skip("no limit holds a sanitizer's memory")
    anna, ben = server.accounts.values()
    for account in (anna, ben):
        cur = account.maildir / "cur"
        for n in range(60000):
            if n % 30000 == 0:  # a file has no more than 32,000 or 65,000 links
                one = cur / account.deliver(b"Subject: x\n\n", sub="cur", name=f"{n}.one.example.org:2,S")
            else:
                os.link(one, cur / f"{1600000000 + n}.M{n:06d}P12345.mail.example.org:2,S")
    answer = server.imap_talk().cmd("SELECT INBOX")
    assert answer.no and answer.text.startswith("[LIMIT] The mailbox needs more memory"), answer
    server.wait_log(r'imap failed user=anna .*what=select error="out of memory: the limit is the setting memory"')
    with pytest.raises(poplib.error_proto):
        server.login("ben")
    server.wait_log(r'pop3 failed user=ben .*what=open error="out of memory: the limit is the setting memory"')


def test_mend31_who_waits_gets_its_answer(serve):
    """A client that has closed its side only, as a script's does at its end."""
    server = serve({"login_in_clear": "loopback"})
    anna = server.accounts["anna"]
    for n in range(300):
        anna.deliver(b"Subject: x\n\n" + b"text\n" * 1000)
    with socket.create_connection(("127.0.0.1", server.imap)) as s, s.makefile("rb") as lines:
        s.sendall(b"a LOGIN anna sesame\r\nb EXAMINE INBOX\r\nc FETCH 1:* BODY[]\r\nd SEARCH TEXT nowhere\r\n"
                  b"e STATUS INBOX (SIZE)\r\nf LOGOUT\r\n")
        s.shutdown(socket.SHUT_WR)
        said = lines.read()
    for tag in b"abcdef":
        assert b"\r\n%c OK " % tag in said
    assert said.count(b" FETCH (BODY[]") == 300


def test_mend31_who_takes_slowly_gets_all(serve):
    """Its side is closed for longer than a second, and it is still there."""
    server = serve({"login_in_clear": "loopback"})
    anna = server.accounts["anna"]
    for n in range(30):
        anna.deliver(b"Subject: x\n\n" + b"y" * 1000000)
    with socket.create_connection(("127.0.0.1", server.imap)) as s:
        s.sendall(b"a LOGIN anna sesame\r\nb EXAMINE INBOX\r\nc FETCH 1:* BODY[]\r\n")
        s.shutdown(socket.SHUT_WR)
        size, end = 0, b""
        while piece := s.recv(65536):
            size, end = size + len(piece), (end + piece)[-100:]
            time.sleep(0.006)
    assert size > 30000000 and b"\r\nc OK " in end, (size, end)


def test_mend31_what_was_asked_to_change_changes(serve):
    """A program may close its connection behind a command that changes mail: nobody reads the answer, but it counts."""
    server = serve({"login_in_clear": "loopback"})
    anna = server.accounts["anna"]
    anna.make_folder("Box")
    for n in range(2000):
        anna.deliver(b"Subject: x\n\n")
    talk = server.imap_talk(tls=False)
    assert talk.cmd("SELECT INBOX").ok
    talk.start("UID COPY 1:* Box")
    talk.start("STORE 1:* +FLAGS (\\Seen)")
    talk.close()
    until(lambda: not readers(server), 20, "done")
    assert len(anna.files("Box")) == 2000
    assert all(name.endswith(":2,S") for name in anna.files())
