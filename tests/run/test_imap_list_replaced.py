"""The list of messages is replaced under an open session: by a damaged index, by new UIDs, by a message that comes back.
A number or a UID never stands for a message that the client does not know by it; the session ends instead, at once."""

import re
import time

import pytest

COUNT = 60
HEAD, RECORD = 576, 80  # octets of the index
BODY = b"a line that is not short at all, so that a few of them are many octets\n" * 4000  # more than sockets hold, together


def message(n):
    return b"From: a@example.org\nSubject: number %d\n\n" % n


def name(n):
    return f"{1000000000 + n}.M{n}.test:2,S"


def fill(server, body=b"short\n"):
    for n in range(1, COUNT + 1):
        server.accounts["anna"].deliver(message(n) + body, name(n), sub="cur")
    return server.accounts["anna"].maildir


def garble(maildir):
    """In place, as a broken disk does it; heads stay, so that it is found out at the messages."""
    with open(maildir / "sallyport.index", "r+b") as f:
        size = len(f.read())
        f.seek(size // 4)
        f.write(b"\xa5" * (size // 2))


def cut(maildir):
    with open(maildir / "sallyport.index", "r+b") as f:
        f.truncate(100)


def rest(talk):
    """All lines to the end of the connection."""
    lines = []
    while line := talk.line():
        lines.append(line)
    return lines


def ends(lines, tag, reason=rb"rebuilt"):
    """The tagged NO that says why, BYE, and nothing behind it."""
    assert re.match(tag + rb" NO \[UNAVAILABLE\] .*" + reason, lines[-2]) and re.match(rb"\* BYE .*" + reason, lines[-1]), lines[-3:]


def no_other(lines):
    """What is told of a number is the message of that number."""
    for line in lines:
        if m := re.match(rb"\* (\d+) FETCH \(UID (\d+)", line):
            assert m[1] == m[2], line
            if subject := re.search(rb"Subject: number (\d+)", line):
                assert subject[1] == m[1], line[:200]


@pytest.mark.parametrize("command", [
    "FETCH 1:* UID", "UID FETCH 1:* FLAGS", "STORE 1:* +FLAGS (\\Flagged)", "UID STORE 1:* FLAGS.SILENT (\\Draft)", "SEARCH SEEN",
    "UID SEARCH SUBJECT number", "UID COPY 1:* Box", "UID EXPUNGE 1:*", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)"])
@pytest.mark.parametrize("damage", [garble, cut])
def test_a_damaged_index_under_a_session(server, command, damage):
    """A message whose record is lost is not told as if it were expunged."""
    maildir = fill(server)
    talk = server.imap_talk()
    assert talk.cmd("CREATE Box").ok and talk.cmd("ENABLE QRESYNC").ok and talk.cmd("SELECT INBOX").ok
    damage(maildir)
    tag = talk.start(command)
    lines = []
    while (line := talk.line()) and not line.startswith(tag):
        lines.append(line)
    no_other(lines)
    assert not any(x.startswith(b"* VANISHED") for x in lines), lines
    if line.startswith(tag + b" NO"):
        ends([line] + rest(talk), tag)
    else:  # it was mended before it mattered: then the answer is whole
        assert line.startswith(tag + b" OK") and ("FETCH" not in command or len(lines) >= COUNT), (line, len(lines))
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").find(rb"^\* %d EXISTS" % COUNT), talk.last


@pytest.mark.parametrize("first, size", [(20, 500), (COUNT - 3, 3 * RECORD), (0, 2 * RECORD), (COUNT // 2, RECORD)])
def test_damaged_records_end_a_session_and_no_other(server, first, size):
    """A session tells all messages, or none as another and then ends; the index is whole for the one that comes next."""
    maildir = fill(server)
    for _ in range(2):  # the second time nothing is new, and so no message needs to be looked at
        talk = server.imap_talk()
        assert talk.cmd("SELECT INBOX").ok
        talk.close()
        time.sleep(1.2)
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok
    with open(maildir / "sallyport.index", "r+b") as f:
        f.seek(HEAD + first * RECORD)
        f.write(b"\xa5" * size)
    late = server.imap_talk()
    assert late.cmd("SELECT INBOX").ok
    for one in (late, talk):
        tag = one.start("FETCH 1:* (UID FLAGS RFC822.SIZE)")
        lines = []
        while (line := one.line()) and not line.startswith(tag):
            lines.append(line)
        no_other(lines)
        if line.startswith(tag + b" NO"):
            ends([line] + rest(one), tag)
        else:
            assert line.startswith(tag + b" OK") and len(lines) >= COUNT, (line, lines)
    after = server.imap_talk()
    assert after.cmd("SELECT INBOX").ok
    answer = after.cmd("FETCH 1:* (UID FLAGS RFC822.SIZE)")
    assert answer.ok and len(answer.find(rb"^\* \d+ FETCH")) >= COUNT, answer
    no_other(answer.untagged)
    assert after.cmd("NOOP").ok


def in_the_middle(server, command, before, within, enable="NOOP"):
    """The lines of a long FETCH whose client reads on only after something has happened.  The last message is renamed
    besides, so that it must be looked for."""
    maildir = fill(server, BODY)
    talk = server.imap_talk(timeout=60)
    assert talk.cmd(enable).ok and talk.cmd("SELECT INBOX").ok
    before(maildir / "cur", talk)
    tag = talk.start(command)
    lines = [talk.line()]
    within(maildir)
    last = maildir / "cur" / name(COUNT)
    last.rename(f"{last}F")
    lines += rest(talk)
    no_other(lines)
    assert lines[0].startswith(b"* 1 FETCH")
    return tag, lines


@pytest.mark.parametrize("command", ["FETCH 1:* (UID BODY.PEEK[])", "UID FETCH 1:* BODY[]"])
def test_new_uids_within_a_command(server, command):
    """dovecot-uidlist is gone, and a message that is looked for brings new UIDs: nothing is said of them."""
    def within(maildir):
        (maildir / "dovecot-uidlist").unlink()
        (maildir / "cur" / name(1)).unlink()
    tag, lines = in_the_middle(server, command, lambda *_: None, within)
    ends(lines, tag)


def test_a_message_that_comes_back_within_a_command(server):
    """RFC 7162: a client of mod-sequences that was told of the expunge is sent to select again, at once."""
    def before(cur, talk):
        (cur / name(3)).rename(server.dir / "away")
        assert talk.cmd("NOOP").find(rb"VANISHED 3$")

    def within(maildir):
        (server.dir / "away").rename(maildir / "cur" / name(3))
    tag, lines = in_the_middle(server, "FETCH 1:* BODY.PEEK[TEXT]", before, within, "ENABLE QRESYNC")
    assert lines[-2].startswith(tag + b" OK") and re.match(rb"\* BYE .*came back", lines[-1]), lines[-3:]


@pytest.mark.parametrize("verb", ["APPEND", "COPY"])
def test_what_is_done_is_not_refused(server, verb):
    """An APPEND or COPY that is on the disk has its OK, though the selected mailbox breaks meanwhile: the client would do
    it again."""
    maildir = fill(server)
    talk = server.imap_talk()
    assert talk.cmd("CREATE Work").ok and talk.cmd("SELECT INBOX").ok
    assert talk.cmd("FETCH 1:* (FLAGS ENVELOPE)").ok
    if verb == "APPEND":
        text = message(61).replace(b"\n", b"\r\n")
        talk.send(b"a APPEND Work {%d}\r\n" % len(text))
        assert talk.line().startswith(b"+ ")
        garble(maildir)
        talk.send(text + b"\r\n")
    else:
        talk.send(b"a COPY 1:60 Work\r\n")
        garble(maildir)
    lines = rest(talk) if verb == "COPY" else [talk.line()]
    done = [line for line in lines if line.startswith(b"a ")]
    folder = maildir / ".Work"
    there = len(list((folder / "cur").iterdir())) + len(list((folder / "new").iterdir()))
    assert (there > 0) == done[0].startswith(b"a OK"), (there, lines)
