"""A session in IDLE prepares for all later sessions what clients will ask of the messages."""

import time

import pytest

from conftest import until

COUNT = 40
QUIET = 7  # s: the longest before a session begins


def message(n):
    return f"From: a@example.org\nSubject: number {n}\n\nbody\n"


def idle(talk):
    tag = talk.start("IDLE")
    while not talk.line().startswith(b"+"):
        pass
    return tag


@pytest.mark.root
def test_an_idle_session_learns_ahead(server):
    """Afterwards messages that cannot be read any more are told all the same; who only examines a mailbox writes nothing."""
    anna = server.accounts["anna"]
    first, second = server.imap_talk(), server.imap_talk()
    for name in ("Filled", "Seen"):
        assert first.cmd(f"CREATE {name}").ok
        for n in range(COUNT):
            anna.deliver(message(n), folder=name)
    assert first.cmd("SELECT Filled").ok and second.cmd("EXAMINE Seen").ok
    tags = [(talk, idle(talk)) for talk in (first, second)]
    texts = anna.folder("Filled") / "sallyport.texts"
    until(texts.exists, QUIET + 5)
    size = 0
    while size != (size := texts.stat().st_size):
        time.sleep(0.6)  # three steps
    assert not (anna.folder("Seen") / "sallyport.texts").exists()
    for talk, tag in tags:
        talk.send("DONE\r\n")
        assert talk.finish(tag).ok and not talk.last.untagged
    for path in (anna.folder("Filled") / "cur").iterdir():
        path.chmod(0)
    asked = "(UID ENVELOPE BODYSTRUCTURE RFC822.SIZE INTERNALDATE)"
    answer = server.imap_talk()
    assert answer.cmd("SELECT Filled").ok
    assert len(answer.cmd(f"FETCH 1:* {asked}").untagged) == COUNT and answer.last.ok, "told from the index"
    assert answer.cmd("SEARCH SUBJECT number").untagged == [b"* SEARCH " + b" ".join(b"%d" % n for n in range(1, COUNT + 1))]


def test_a_client_that_speaks_does_not_wait(server):
    """Nor does one that hears of mail, while a session learns ahead in a large mailbox."""
    anna = server.accounts["anna"]
    for n in range(3000):
        anna.deliver(message(n), f"{1000000000 + n}.M{n}.test:2,", sub="cur")
    talk, other = server.imap_talk(), server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok and other.cmd("SELECT INBOX").ok
    tag = idle(talk)
    texts = anna.maildir / "sallyport.texts"
    until(texts.exists, QUIET + 5)
    begun = time.monotonic()
    assert other.cmd("STORE 1:100 +FLAGS (\\Flagged)").ok
    for _ in range(100):
        assert talk.line().startswith(b"* ")
    talk.send("DONE\r\n")
    assert talk.finish(tag).ok and time.monotonic() - begun < 1
    size = texts.stat().st_size
    time.sleep(0.5)
    assert texts.stat().st_size == size, "it stops with IDLE"
