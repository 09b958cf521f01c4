"""CONDSTORE and QRESYNC (RFC 7162): raw dialogues, and clients that come back at any moment and then know all changes."""

import os
import random
import re

import pytest

from conftest import Answer
from test_imap_dovecot import Dovecot

MESSAGE = b"From: a@example.org\r\nSubject: message\r\n\r\nbody\r\n"
QRESYNC = "ENABLE QRESYNC"


def highest(answer):
    """The last HIGHESTMODSEQ that an answer tells, in its tagged line too."""
    found = [int(m[1]) for m in answer.find(rb"^\* OK \[HIGHESTMODSEQ (\d+)\]")]
    m = re.match(r"\[HIGHESTMODSEQ (\d+)\]", answer.text)
    return int(m[1]) if m else found[-1] if found else None


def modseqs(answer):
    return {int(m[1]): int(m[2]) for m in answer.find(rb"^\* (\d+) FETCH \(.*MODSEQ \((\d+)\)")}


def numbers(answer, what=b"FETCH"):
    return [int(m[1]) for m in answer.find(rb"^\* (\d+) " + what)]


def uid_set(text):
    """A set as IMAP writes it."""
    found = set()
    for part in text.decode().split(","):
        first, _, last = part.partition(":")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def vanished(answer, earlier=False):
    found = set()
    for m in answer.find(rb"^\* VANISHED " + (rb"\(EARLIER\) " if earlier else b"") + rb"([\d:,]+)$"):
        found |= uid_set(m[1])
    return found


@pytest.fixture
def talks(server):
    """Three sessions of one account: one that has enabled nothing and sees five messages, and two that have
    selected nothing."""
    talks = [server.imap_talk() for _ in range(3)]
    for _ in range(5):
        assert talks[0].append("INBOX", MESSAGE).ok
    assert talks[0].cmd("SELECT INBOX").ok
    return talks


# --- which commands enable it, and what that does ---

ENABLING = [
    # command, needs a mailbox
    ("ENABLE CONDSTORE", False),
    ("ENABLE QRESYNC", False),
    ("ENABLE QRESYNC CONDSTORE", False),
    ("STATUS Other (HIGHESTMODSEQ)", False),
    ("FETCH 1 MODSEQ", True),
    ("UID FETCH 1 (UID MODSEQ)", True),
    ("FETCH 1 (FLAGS) (CHANGEDSINCE 1)", True),
    ("SEARCH MODSEQ 1", True),
    ("UID SEARCH OR MODSEQ 1 SEEN", True),
    ("STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)", True),
]


@pytest.mark.parametrize("command,selected", ENABLING)
def test_enabling(talks, command, selected):
    other, talk, _ = talks
    other.cmd("CREATE Other")
    assert highest(talk.cmd("SELECT INBOX")), "told to everybody"
    other.cmd("STORE 2 +FLAGS (\\Flagged)")
    assert talk.cmd("NOOP").find(rb"^\* 2 FETCH \(FLAGS \(\\Flagged.*\)\)$"), "without MODSEQ before"
    answer = talk.cmd(command)
    assert answer.ok and highest(answer), "the first one tells HIGHESTMODSEQ"
    assert highest(talk.cmd(command)) is None, "and only the first"
    other.cmd("STORE 3 +FLAGS (\\Flagged)")
    assert talk.cmd("NOOP").find(rb"^\* 3 FETCH \(UID 3 FLAGS \(\\Flagged.*\) MODSEQ \(\d+\)\)$")
    assert talk.cmd("STORE 4 +FLAGS (\\Flagged)").find(rb"^\* 4 FETCH \(UID 4 FLAGS \(\\Flagged.*\) MODSEQ \(\d+\)\)$")
    assert talk.cmd("STORE 4 -FLAGS.SILENT (\\Flagged)").find(rb"^\* 4 FETCH \(UID 4 MODSEQ \(\d+\)\)$")
    uid = b"UID 5 " if "QRESYNC" in command else b""
    assert talk.cmd("FETCH 5 BODY[TEXT]").find(rb"^\* 5 FETCH \(" + uid + rb"FLAGS \(.*\\Seen.*\) MODSEQ \(\d+\) BODY\[TEXT\]"), "with \\Seen"
    assert talk.cmd("FETCH 1 FLAGS").find(rb"^\* 1 FETCH \(FLAGS \([^)]*\)\)$"), "what was asked for, and no more"


def test_mend24_a_fetch_adds_no_uid(talks):
    """After ENABLE CONDSTORE: MODSEQ where the FETCH sets \\Seen, and UID with QRESYNC only."""
    talk = talks[1]
    for enable, uid in (("CONDSTORE", b""), ("QRESYNC", b"UID 3 ")):
        assert talk.cmd(f"ENABLE {enable}").ok and talk.cmd("SELECT INBOX").ok and talk.cmd("STORE 3 FLAGS.SILENT ()").ok
        for items, told in (("FLAGS", rb"FLAGS \([^)]*\)"), ("(FLAGS MODSEQ)", rb"FLAGS \([^)]*\) MODSEQ \(\d+\)"), ("RFC822.SIZE (CHANGEDSINCE 1)", rb"RFC822.SIZE \d+ MODSEQ \(\d+\)"),
                            ("BODY.PEEK[TEXT]", rb"BODY\[TEXT\] .*"), ("BODY[TEXT]", uid + rb"FLAGS \(\\Seen[^)]*\) MODSEQ \(\d+\) BODY\[TEXT\] .*"), ("BODY[TEXT]", rb"BODY\[TEXT\] .*")):
            answer = talk.cmd(f"FETCH 3 {items}")
            assert answer.ok and len(answer.untagged) == 1 and re.fullmatch(rb"\* 3 FETCH \(" + told + rb"\)", answer.untagged[0], re.S), (items, answer)


def test_select_enables(talks):
    other, talk, _ = talks
    assert talk.cmd("SELECT INBOX (CONDSTORE)").ok
    other.cmd("STORE 2 +FLAGS (\\Flagged)")
    assert talk.cmd("NOOP").find(rb"^\* 2 FETCH \(UID 2 FLAGS .* MODSEQ")
    assert highest(talk.cmd("ENABLE CONDSTORE")) is None, "it was told"


def test_enabled(talks):
    for command, want in [("ENABLE CONDSTORE", b" CONDSTORE"), (QRESYNC, b" QRESYNC"), ("ENABLE qresync condstore X", b" CONDSTORE QRESYNC")]:
        assert [u for u in talks[1].cmd(command).untagged if b"ENABLED" in u] == [b"* ENABLED" + want]


BAD = [
    "SELECT INBOX (QRESYNC (1 1))", "EXAMINE INBOX (QRESYNC (1 1))", "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)",  # before ENABLE QRESYNC
    "FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "UID FETCH 1 FLAGS (VANISHED)", "UID FETCH 1 FLAGS (CHANGEDSINCE)",
    "UID FETCH 1 FLAGS (X)", "UID FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)", "UID FETCH 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 2)",
    "FETCH 1 FAST (CHANGEDSINCE x)", "FETCH 1 FLAGS CHANGEDSINCE 1", "STORE 1 (UNCHANGEDSINCE) FLAGS ()", "STORE 1 (UNCHANGEDSINCE x) FLAGS ()",
    "STORE 1 (UNCHANGEDSINCE -1) FLAGS ()", "STORE 1 (X 1) FLAGS ()", "STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS ()",
    "SELECT INBOX (CONDSTORE", "SELECT INBOX (CONDSTORE))", "SELECT INBOX (CONDSTORE 1)",
]
BAD_QRESYNC = [
    "", "()", "(1)", "(1 x)", "(1 1 *)", "(1 1 1:*)", "(1 1 $)", "(1 1 1 2)", "(1 1 1 (1))", "(1 1 1 (1 *))", "(1 1 1 (1:2 1))", "(1 1 (1 1) 1)",
    "(1 1 (1,3 5))", "(4294967296 1)", "(1 9223372036854775808)", "(1 1 ())", "(1 1)(1 1)", "(1 1) QRESYNC (1 1)",
]


def test_what_is_wrong_is_bad(talks):
    talk = talks[1]
    talk.cmd("SELECT INBOX")
    for i, command in enumerate(BAD):
        assert talk.cmd(command).bad and not talk.last.untagged, command
        assert talk.cmd("FETCH 1 UID").ok, "and what is selected stays so"
    assert talk.cmd("ENABLE QRESYNC").ok
    for argument in BAD_QRESYNC:
        assert talk.cmd(f"SELECT INBOX (QRESYNC {argument})").bad and not talk.last.untagged, argument
        assert talk.cmd("FETCH 1 UID").ok
    assert talk.cmd("FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)").bad and talk.cmd("UID FETCH 1 FLAGS (VANISHED)").bad


# --- ranges ---

NZ32, N64, NZ64 = (1, 2**32 - 1), (0, 2**63 - 1), (1, 2**63 - 1)
RANGES = [
    # A command, and the lowest and highest number that it takes.  Mod-sequences begin at 1 in RFC 7162, and at 0
    # here, as iPhones and others send it for what they do not know yet.
    ("UID FETCH 1:* FLAGS (CHANGEDSINCE {})", N64),
    ("UID FETCH 1:* FLAGS (CHANGEDSINCE {} VANISHED)", N64),
    ("SELECT INBOX (QRESYNC ({validity} {}))", N64),
    ("SELECT INBOX (QRESYNC ({} 1))", NZ32),
    ("SELECT INBOX (QRESYNC ({validity} 1 {}))", NZ32),
    ("SELECT INBOX (QRESYNC ({validity} 1 1:5 ({} {})))", NZ32),
    ("SEARCH MODSEQ {}", N64),
    ("STORE 1 (UNCHANGEDSINCE {}) +FLAGS.SILENT (x)", N64),
    ("SEARCH LARGER {}", N64),
    ("SEARCH SMALLER {}", N64),
    ("SEARCH OLDER {}", NZ32),
    ("SEARCH YOUNGER {}", NZ32),
    ("FETCH {} FLAGS", (1, 5)),
    ("SEARCH {}", NZ32),
    ("SEARCH UID {}:*", NZ32),
    ("UID FETCH {} FLAGS", NZ32),
    ("UID FETCH 1:{} FLAGS", NZ32),
    ("UID STORE {} +FLAGS.SILENT (x)", NZ32),
    ("UID EXPUNGE {}", NZ32),
    ("UID COPY {} INBOX", NZ32),
    ("FETCH 1 BODY.PEEK[{}]", NZ32),
    ("FETCH 1 BODY.PEEK[]<{}.1>", N64),
    ("FETCH 1 BODY.PEEK[]<0.{}>", NZ64),
    ("APPEND INBOX \" 1-Jan-{:04d} 00:00:00 +0000\" {{4+}}\r\na: b", (0, 9999)),
    ("SEARCH SINCE 1-Jan-{:04d}", (0, 9999)),
    ("SEARCH ON \" {}-Jan-2000\"", (1, 31)),
]


def test_mend11_ranges(talks):
    talk = talks[1]
    talk.cmd(QRESYNC)
    for command, (low, high) in RANGES:
        validity = int(talk.cmd("SELECT INBOX").find(rb"UIDVALIDITY (\d+)")[0][1])
        for number, good in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
            answer = talk.cmd(command.format(number, number, validity=validity))
            assert answer.ok if good else answer.bad, (command, number, answer)


def test_mend11_zero_is_as_one(talks):
    other, talk, _ = talks
    talk.cmd(QRESYNC)
    validity = int(talk.cmd("SELECT INBOX").find(rb"UIDVALIDITY (\d+)")[0][1])
    other.cmd("STORE 2 +FLAGS (\\Deleted)")
    other.cmd("EXPUNGE")
    talk.cmd("NOOP")

    def told(command):
        answer = talk.cmd(command)
        assert answer.ok, answer
        return answer.untagged

    for command in ("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {})", "FETCH 1:* UID (CHANGEDSINCE {})", "UID FETCH 1:5 FLAGS (CHANGEDSINCE {} VANISHED)",
                    f"SELECT INBOX (QRESYNC ({validity} {{}}))", f"SELECT INBOX (QRESYNC ({validity} {{}} 1:5))"):
        zero = told(command.format(0))
        assert zero == told(command.format(1)) and sum(b" FETCH (" in line for line in zero) == 4, command
    assert any(b"VANISHED (EARLIER) 2" in line for line in zero)


# --- STORE ---

def test_conditional_store(talks):
    other, talk, _ = talks
    talk.cmd("SELECT INBOX (CONDSTORE)")
    before = modseqs(talk.cmd("FETCH 1:* MODSEQ"))
    other.cmd("STORE 2,4 +FLAGS (\\Flagged)")
    since = max(before.values())
    # A condition that some fail: they are told, and their flags.
    answer = talk.cmd(f"STORE 1:4 (UNCHANGEDSINCE {since}) +FLAGS.SILENT (\\Deleted)")
    assert answer.ok and answer.text.startswith("[MODIFIED 2,4]"), answer
    assert answer.find(rb"^\* 1 FETCH \(UID 1 MODSEQ \(\d+\)\)$") and answer.find(rb"^\* 2 FETCH \(UID 2 FLAGS \(\\Flagged.*\) MODSEQ \(\d+\)\)$")
    flags = talk.cmd("FETCH 1:5 FLAGS")
    assert [bool(flags.find(rb"^\* %d FETCH .*Deleted" % n)) for n in range(1, 6)] == [True, False, True, False, False]
    after = modseqs(talk.cmd("FETCH 1:* MODSEQ"))
    assert after[1] > since and after[3] > since and after[5] == before[5]
    # By UID, with what is told by UIDs; the condition is of now.
    talk.cmd("EXPUNGE")
    answer = talk.cmd(f"UID STORE 2:5 (UNCHANGEDSINCE {since}) FLAGS (\\Seen)")
    assert answer.ok and answer.text.startswith("[MODIFIED 2,4]") and numbers(answer) and modseqs(answer)[3] > since
    # What is as it should be already changes no mod-sequence.
    known = modseqs(talk.cmd("FETCH 3 MODSEQ"))[3]
    answer = talk.cmd(f"UID STORE 5 (UNCHANGEDSINCE {known}) +FLAGS (\\Seen)")
    assert answer.ok and "MODIFIED" not in answer.text and modseqs(answer) == {3: known}
    # Nothing is unchanged since 0.
    answer = talk.cmd("STORE 1:* (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)")
    assert answer.ok and answer.text.startswith("[MODIFIED 1:3]") and not talk.cmd("FETCH 1:* FLAGS").find(rb"MDNSent")
    # The set that failed beside messages that are gone.
    other.cmd("NOOP")
    other.cmd("STORE 1 +FLAGS (\\Deleted)")
    other.cmd("STORE 2 +FLAGS (\\Draft)")
    talk.cmd("NOOP")
    other.cmd("EXPUNGE")
    answer = talk.cmd(f"STORE 1:3 (UNCHANGEDSINCE {known}) +FLAGS (\\Draft)")
    assert answer.no and answer.text.startswith("[MODIFIED 2]"), answer


def test_two_clients_and_one_counter(talks):
    """The use of it: each adds to a keyword only what it has seen, none is lost."""
    talks = talks[1:]
    for talk in talks:
        talk.cmd("SELECT INBOX (CONDSTORE)")
    modseq = modseqs(talks[0].cmd("FETCH 1 MODSEQ"))[1]
    answers = [talk.cmd(f"STORE 1 (UNCHANGEDSINCE {modseq}) FLAGS (by{i})") for i, talk in enumerate(talks)]
    assert [a.text.startswith("[MODIFIED") for a in answers] == [False, True]
    assert answers[1].find(rb"^\* 1 FETCH \(UID 1 FLAGS \(by0.*\) MODSEQ")


# --- FETCH, SEARCH, STATUS ---

def test_changed_since(talks):
    other, talk, third = talks
    start = highest(talk.cmd("SELECT INBOX (CONDSTORE)"))
    assert numbers(talk.cmd(f"FETCH 1:* FLAGS (CHANGEDSINCE {start})")) == []
    other.cmd("STORE 2 +FLAGS (\\Flagged)")
    other.cmd("STORE 4 +FLAGS (\\Flagged)")
    talk.cmd("NOOP")
    answer = talk.cmd(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {start})")
    got = modseqs(answer)
    assert sorted(got) == [2, 4] and start < got[2] < got[4] and answer.find(rb"FLAGS \(\\Flagged")
    assert numbers(talk.cmd(f"FETCH 1:3 FAST (CHANGEDSINCE {start})")) == [2]
    assert numbers(talk.cmd(f"UID FETCH 1:* UID (CHANGEDSINCE {got[2]})")) == [4]
    assert numbers(talk.cmd(f"UID FETCH 1:* UID (CHANGEDSINCE {got[4]})")) == []
    assert talk.cmd("UID FETCH 1:* UID (CHANGEDSINCE 9223372036854775807)").untagged == []
    assert highest(third.cmd("SELECT INBOX")) >= got[4]
    assert int(third.cmd("STATUS INBOX (HIGHESTMODSEQ)").find(rb"HIGHESTMODSEQ (\d+)\)")[0][1]) >= got[4]


def test_search(talks):
    other, talk, _ = talks
    start = highest(talk.cmd("SELECT INBOX (CONDSTORE)"))
    for n in (4, 2, 3):
        other.cmd(f"STORE {n} +FLAGS (\\Flagged)")
    talk.cmd("NOOP")
    m = modseqs(talk.cmd("FETCH 1:* MODSEQ"))
    assert start < m[4] < m[2] < m[3]
    for keys, want in [(f"MODSEQ {start + 1}", f"2 3 4 (MODSEQ {m[3]})"), (f"MODSEQ {m[2]}", f"2 3 (MODSEQ {m[3]})"), (f'MODSEQ "/flags/\\\\draft" all {m[2]}', f"2 3 (MODSEQ {m[3]})"),
                       (f'NOT MODSEQ "/flags/$x" shared {m[2]} 2:*', f"4 5 (MODSEQ {m[4]})"), (f"MODSEQ {m[3] + 1}", ""), (f"OR MODSEQ {m[3]} 4", f"3 4 (MODSEQ {m[3]})"),
                       (f"MODSEQ 0 4:5", f"4 5 (MODSEQ {m[4]})")]:
        assert talk.cmd(f"SEARCH {keys}").untagged == [f"* SEARCH {want}".rstrip().encode()], keys
        assert talk.cmd(f"UID SEARCH {keys}").untagged == [f"* SEARCH {want}".rstrip().encode()], keys
    for returns, want in [("MIN", f"MIN 2 MODSEQ {m[2]}"), ("MAX", f"MAX 4 MODSEQ {m[4]}"), ("MIN MAX", f"MIN 2 MAX 4 MODSEQ {m[2]}"), ("ALL", f"ALL 2:4 MODSEQ {m[3]}"),
                          ("MIN COUNT", f"MIN 2 COUNT 3 MODSEQ {m[3]}"), ("", f"ALL 2:4 MODSEQ {m[3]}")]:
        answer = talk.cmd(f"SEARCH RETURN ({returns}) MODSEQ {start + 1}")
        assert answer.untagged[-1].endswith(f") {want}".encode()), returns
    assert b"MODSEQ" not in talk.cmd(f"SEARCH RETURN (COUNT) MODSEQ {m[3] + 1}").untagged[-1], "nothing was found"
    assert b"MODSEQ" not in talk.cmd("SEARCH RETURN (ALL) ALL").untagged[-1], "nobody asked"
    assert talk.cmd("SEARCH RETURN (SAVE) MODSEQ 1").untagged == []


def test_modseqs_only_rise(talks):
    """Every change of any kind, and none for what changes nothing."""
    other, talk, _ = talks
    last = highest(talk.cmd("SELECT INBOX (CONDSTORE)"))
    for command, rises in [("STORE 1 +FLAGS (\\Seen)", True), ("STORE 1 +FLAGS (\\Seen)", False), ("STORE 1 -FLAGS (\\Flagged)", False), ("STORE 1 FLAGS (\\Seen)", False),
                           ("STORE 1 FLAGS (word)", True), ("FETCH 2 BODY[]", True), ("FETCH 2 BODY[]", False), ("COPY 1 INBOX", True), ("NOOP", False),
                           ("STORE 3 +FLAGS (\\Deleted)", True), ("EXPUNGE", True), ("MOVE 1 Box", True)]:
        other.cmd("CREATE Box")
        assert other.cmd(command).ok, command
        now = int(talk.cmd("STATUS INBOX (HIGHESTMODSEQ)").find(rb"HIGHESTMODSEQ (\d+)\)")[0][1])
        assert now > last if rises else now == last, (command, now, last)
        last = now


# --- VANISHED ---

def test_vanished_instead_of_expunge(talks):
    other, talk, third = talks
    talk.cmd(QRESYNC)
    talk.cmd("SELECT INBOX")
    third.cmd("SELECT INBOX (CONDSTORE)")
    other.cmd("CREATE Box")
    other.cmd("STORE 2,4 +FLAGS (\\Deleted)")
    talk.cmd("NOOP")
    answer = talk.cmd("UID EXPUNGE 1:4")
    assert vanished(answer) == {2, 4} and not numbers(answer, b"EXPUNGE") and highest(answer) and answer.text.startswith("[HIGHESTMODSEQ")
    assert numbers(other.cmd("NOOP"), b"EXPUNGE") == [2, 3], "who has not asked gets EXPUNGE"
    answer = third.cmd("NOOP")
    assert numbers(answer, b"EXPUNGE") == [2, 3] and not vanished(answer)
    assert "HIGHESTMODSEQ" not in talk.cmd("EXPUNGE").text, "nothing was expunged"
    other.cmd("MOVE 1 Box")
    answer = talk.cmd("NOOP")
    assert vanished(answer) == {1} and answer.text.startswith("[HIGHESTMODSEQ"), "also of others, and by MOVE"
    answer = talk.cmd("UID MOVE 3 Box")
    assert answer.find(rb"^\* OK \[COPYUID") and vanished(answer) == {3} and highest(answer) == highest(talk.cmd("SELECT INBOX"))
    talk.append("INBOX", MESSAGE)
    talk.cmd("STORE 2 +FLAGS (\\Deleted)")
    answer = talk.cmd("CLOSE")
    assert answer.ok and not vanished(answer) and "HIGHESTMODSEQ" not in answer.text
    assert talk.cmd("SELECT INBOX").find(rb"^\* 1 EXISTS$")


def test_vanished_in_idle(talks):
    other, talk, _ = talks
    talk.cmd(QRESYNC)
    talk.cmd("SELECT INBOX")
    tag = talk.start("IDLE")
    assert talk.line().startswith(b"+")
    other.cmd("STORE 2 +FLAGS (\\Deleted)")
    line = talk.line()
    assert re.fullmatch(rb"\* 2 FETCH \(UID 2 FLAGS \(\\Deleted.*\) MODSEQ \(\d+\)\)", line), line
    other.cmd("EXPUNGE")
    assert talk.line() == b"* VANISHED 2"
    talk.send(b"DONE\r\n")
    assert talk.finish(tag).ok


def test_an_expunge_that_waits_holds_the_modseq_back(talks):
    """Section 3.2: who is cut off between must ask again for what it was not told."""
    other, talk, _ = talks
    talk.cmd(QRESYNC)
    before = highest(talk.cmd("SELECT INBOX"))
    other.cmd("STORE 1 +FLAGS (\\Deleted)")
    before = max(modseqs(talk.cmd("NOOP")).values())
    other.cmd("EXPUNGE")
    answer = talk.cmd("STORE 3 +FLAGS (\\Flagged)")
    assert not vanished(answer) and modseqs(answer)[3] > before and before <= highest(answer) < modseqs(answer)[3]
    answer = talk.cmd("NOOP")
    assert vanished(answer) == {1}
    fresh = talks[2]
    fresh.cmd(QRESYNC)
    validity = int(fresh.cmd("SELECT INBOX").find(rb"UIDVALIDITY (\d+)")[0][1])
    assert 1 in vanished(fresh.cmd(f"SELECT INBOX (QRESYNC ({validity} {before}))"), earlier=True)


def test_uid_fetch_vanished(talks):
    other, talk, _ = talks
    talk.cmd(QRESYNC)
    start = highest(talk.cmd("SELECT INBOX"))
    other.cmd("STORE 2,4 +FLAGS (\\Deleted)")
    other.cmd("EXPUNGE")
    other.cmd("STORE 3 +FLAGS (\\Flagged)")
    talk.cmd("NOOP")
    answer = talk.cmd(f"UID FETCH 1:5 (FLAGS) (CHANGEDSINCE {start} VANISHED)")
    assert vanished(answer, earlier=True) == {2, 4} and numbers(answer) == [3] and answer.find(rb"UID 5 FLAGS \(\\Flagged")
    assert answer.untagged[0].startswith(b"* VANISHED (EARLIER)"), "in front of all others"
    assert vanished(talk.cmd(f"UID FETCH 3:5 (FLAGS) (CHANGEDSINCE {start} VANISHED)"), earlier=True) == {4}
    now = max(modseqs(answer).values())
    assert talk.cmd(f"UID FETCH 1:5 (FLAGS) (CHANGEDSINCE {now} VANISHED)").untagged == []
    # What the client still counts is told without EARLIER, and once.
    other.cmd("STORE 1 +FLAGS (\\Deleted)")
    other.cmd("EXPUNGE")
    answer = talk.cmd(f"UID FETCH 1:5 (FLAGS) (CHANGEDSINCE {now} VANISHED)")
    assert vanished(answer) == {1} and not vanished(answer, earlier=True)


def test_select_qresync(talks):
    other, talk, _ = talks
    talk.cmd(QRESYNC)
    answer = talk.cmd("SELECT INBOX")
    start, validity = highest(answer), int(answer.find(rb"UIDVALIDITY (\d+)")[0][1])
    for _ in range(5):
        other.append("INBOX", MESSAGE)
    other.cmd("STORE 2,4,9 +FLAGS (\\Deleted)")
    other.cmd("EXPUNGE")
    other.cmd("UID STORE 3,8 +FLAGS (\\Flagged)")
    # uid:number 1:1 3:2 5:3 6:4 7:5 8:6 10:7
    for argument, gone, changed in [
            (f"{validity} {start}", {2, 4, 9}, {3, 6, 7, 8, 10}),
            (f"{validity} {start} 1:10", {2, 4, 9}, {3, 6, 7, 8, 10}),
            (f"{validity} {start} 1:5", {2, 4}, {3}),
            (f"{validity} {start} 8,4,9:4000000000", {4, 9}, {8, 10}),
            (f"{validity} {start} 3,5", set(), {3}),
            (f"{validity} {start} (1,3,6 1,5,8)", {9}, {3, 6, 7, 8, 10}),
            (f"{validity} {start} 1:10 (1:3 1,3,5)", {9}, {3, 6, 7, 8, 10}),
            (f"{validity} {start} 1:10 (1,3 1,4)", {2, 4, 9}, {3, 6, 7, 8, 10}),
            (f"{validity} {start} 1:10 (50:60 90:100)", {2, 4, 9}, {3, 6, 7, 8, 10}),
            (f"{validity + 1} {start}", set(), set()),
            (f"{validity} 9223372036854775807", set(), set())]:
        answer = talk.cmd(f"SELECT INBOX (QRESYNC ({argument}))")
        assert answer.ok and answer.find(rb"^\* 7 EXISTS$") and answer.find(rb"^\* OK \[CLOSED\]"), argument
        got = {int(m[1]) for m in answer.find(rb"FETCH \(UID (\d+) FLAGS \(.*\) MODSEQ \(\d+\)\)$")}
        assert vanished(answer, earlier=True) == gone and got == changed, (argument, answer)
        assert not vanished(answer), "EARLIER"


def test_examine_resyncs_too_and_changes_nothing(talks):
    other, talk, _ = talks
    talk.cmd(QRESYNC)
    answer = talk.cmd("EXAMINE INBOX (CONDSTORE)")
    start, validity = highest(answer), int(answer.find(rb"UIDVALIDITY (\d+)")[0][1])
    other.cmd("STORE 2 +FLAGS (\\Flagged)")
    answer = talk.cmd(f"EXAMINE INBOX (QRESYNC ({validity} {start}) CONDSTORE)")
    assert "READ-ONLY" in answer.text and sorted(modseqs(answer)) == [2]
    assert talk.cmd("STORE 1 (UNCHANGEDSINCE 1) FLAGS ()").no


def test_a_message_that_comes_back(talks, server):
    """Its number was given away: it is there again for who selects again, and a client of CONDSTORE is sent to do so."""
    plain, talk, third = talks
    talk.cmd(QRESYNC)
    before = highest(talk.cmd("SELECT INBOX"))
    validity = int(talk.last.find(rb"UIDVALIDITY (\d+)")[0][1])
    cur = server.accounts["anna"].maildir / "cur"
    path = sorted(cur.iterdir())[1]
    path.rename(server.dir / "away")
    assert numbers(plain.cmd("NOOP"), b"EXPUNGE") == [2] and vanished(talk.cmd("NOOP")) == {2}
    (server.dir / "away").rename(path)
    answer = plain.cmd("NOOP")
    assert answer.ok and not answer.find(rb"EXISTS"), "nothing that it could be told"
    assert plain.cmd("FETCH 1:* UID").untagged == [b"* 1 FETCH (UID 1)", b"* 2 FETCH (UID 3)", b"* 3 FETCH (UID 4)", b"* 4 FETCH (UID 5)"]
    assert plain.cmd("FETCH 5 UID").bad and plain.cmd("UID FETCH 2 UID").untagged == [] and plain.cmd("SEARCH ALL").untagged == [b"* SEARCH 1 2 3 4"]
    plain.cmd("UID STORE 4 +FLAGS (\\Deleted)")
    assert numbers(plain.cmd("EXPUNGE"), b"EXPUNGE") == [3]
    assert plain.append("INBOX", MESSAGE).ok and plain.last.find(rb"^\* 4 EXISTS$") and plain.cmd("FETCH 4 UID").untagged == [b"* 4 FETCH (UID 6)"]
    assert plain.cmd("SELECT INBOX").find(rb"^\* 5 EXISTS$") and plain.cmd("FETCH 2 UID").untagged == [b"* 2 FETCH (UID 2)"]
    tag = talk.start("NOOP")
    lines = [talk.line() for _ in range(3)]
    assert lines[0].startswith(b"* OK [HIGHESTMODSEQ ") and lines[1].startswith(tag) and lines[2].startswith(b"* BYE") and not talk.line(), lines
    third.cmd(QRESYNC)
    answer = third.cmd(f"SELECT INBOX (QRESYNC ({validity} {before}))")
    assert vanished(answer, earlier=True) == {4} and answer.find(rb"FETCH \(UID 2 FLAGS"), "told as changed"


def test_kept_over_a_restart(server):
    """Mod-sequences and expunged UIDs are the folder's, not a session's."""
    talk = server.imap_talk()
    for _ in range(5):
        talk.append("INBOX", MESSAGE)
    answer = talk.cmd("SELECT INBOX")
    start, validity = highest(answer), int(answer.find(rb"UIDVALIDITY (\d+)")[0][1])
    talk.cmd("STORE 2 +FLAGS (\\Deleted)")
    talk.cmd("EXPUNGE")
    talk.cmd("STORE 2 +FLAGS (\\Flagged)")
    want = modseqs(talk.cmd("FETCH 1:* MODSEQ"))
    talk.cmd("LOGOUT")
    server.stop()
    server.start()
    talk = server.imap_talk()
    talk.cmd(QRESYNC)
    answer = talk.cmd(f"SELECT INBOX (QRESYNC ({validity} {start}))")
    assert vanished(answer, earlier=True) == {2} and modseqs(answer) == {2: want[2]}
    assert modseqs(talk.cmd("FETCH 1:* MODSEQ")) == want and highest(answer) >= max(want.values())


# --- beside Dovecot ---

DIALOGUE = [
    # session, command; {m}: the highest mod-sequence that was told before, {v}: UIDVALIDITY
    (1, "ENABLE QRESYNC"), (1, "SELECT INBOX"), (0, "SELECT INBOX"), (0, "STORE 2:3 +FLAGS (\\Flagged)"), (1, "NOOP"), (1, "FETCH 1:* (UID FLAGS) (CHANGEDSINCE {m})"),
    (1, "STORE 1:3 (UNCHANGEDSINCE {m}) +FLAGS.SILENT (\\Seen)"), (1, "UID STORE 4 +FLAGS.SILENT (\\Seen)"), (1, "UID STORE 4 (UNCHANGEDSINCE 1) -FLAGS (\\Seen)"),
    (0, "NOOP"), (0, "STORE 4,6 +FLAGS.SILENT (\\Deleted)"), (1, "NOOP"), (0, "EXPUNGE"), (1, "FETCH 1 FLAGS"), (1, "NOOP"), (1, "SEARCH MODSEQ 1"), (1, "UID SEARCH RETURN (MIN MAX) MODSEQ 1"),
    (1, "UID FETCH 1:10 (FLAGS) (CHANGEDSINCE {m} VANISHED)"), (1, "FETCH 2 BODY[TEXT]"), (1, "STORE 1 +FLAGS (\\Deleted)"), (1, "UID EXPUNGE 1:3"), (1, "UNSELECT"),
    (1, "SELECT INBOX (QRESYNC ({v} {m} 1:8))"), (1, "UNSELECT"), (0, "NOOP"), (0, "STORE 1 +FLAGS (\\Draft)"), (0, "STORE 2 +FLAGS (\\Deleted)"), (0, "EXPUNGE"), (1, "EXAMINE INBOX (QRESYNC ({v} {m}))"),
    (1, "SELECT INBOX (QRESYNC ({v} {m} 1:8 (1,2 2,5)))"), (1, "FETCH 1 FLAGS (VANISHED)"), (1, "SELECT INBOX (QRESYNC (1 1 1:8))"), (1, "CLOSE"),
]


def told(answer):
    """What a client would make of it; the order in which things are told is nobody's."""
    found = {"status": answer.status, "code": answer.text.split("]")[0] if answer.text.startswith("[MODIFIED") else ""}
    found["gone"], found["earlier"] = vanished(answer), vanished(answer, earlier=True)
    there = list(range(1, 20))
    found["expunged"] = {there.pop(n - 1) for n in numbers(answer, b"EXPUNGE")}
    found["searches"] = [re.sub(rb"MODSEQ \d+|TAG \"[^\"]*\"", b"", m[0]) for m in answer.find(rb"^\* E?SEARCH.*$")]
    for m in answer.find(rb"^\* (\d+) FETCH \((.*)\)$"):
        item = found.setdefault(int(m[1]), {})
        for name, value in re.findall(rb"(UID|FLAGS|MODSEQ) (\d+|\([^)]*\))", m[2]):
            item[name] = b"" if name == b"MODSEQ" else b" ".join(sorted(value.strip(b"()").replace(b"\\Recent", b"").split()))
    return found


def converse(talks):
    validity = modseq = before = 0
    heard = []
    for who, command in DIALOGUE:
        answer = talks[who].cmd(command.format(m=before, v=validity))
        heard.append((command, told(answer)))
        if who == 1:
            before, modseq = modseq or 1, max([modseq, highest(answer) or 0, *modseqs(answer).values()])
            for m in answer.find(rb"UIDVALIDITY (\d+)"):
                validity = int(m[1])
    return heard


@pytest.mark.root
@pytest.mark.skipif(not os.access("/usr/lib/dovecot/imap", os.X_OK), reason="no Dovecot here")
def test_a_dialogue_as_with_dovecot(server):
    dovecot = Dovecot(server)
    try:
        heard = []
        for host, name in ((server, "anna"), (dovecot, "ben")):
            talks = [host.imap_talk(name) for _ in range(2)]
            for _ in range(8):
                assert talks[0].append("INBOX", MESSAGE).ok
            heard.append(converse(talks))
        for (command, ours), (_, theirs) in zip(*heard):
            if "UNCHANGEDSINCE 1)" in command:
                ours.pop(4)  # what failed is told, too: section 3.1.3 recommends it
            if "2,5" in command:
                theirs["earlier"].discard(3)  # who remembers may pass over the pairs: section 5.3
            assert ours == theirs, command
    finally:
        dovecot.stop()


# --- clients that keep a copy ---

class Copy:
    """A client with a copy of INBOX, kept as RFC 7162 section 6 says, that may be cut off at any moment."""

    def __init__(self, server, rng):
        self.server, self.rng = server, rng
        self.talk = None
        self.flags, self.validity, self.modseq = {}, 0, 0
        self.top = 0  # up to this UID it has asked for all; what it hears of those above it asks for later

    def cmd(self, command):
        """The answer; None when the server has ended the session before, as it may where a message came back."""
        tag = self.talk.start(command)
        lines = []
        while not (line := self.talk.line()).startswith(tag):
            if not line or line.startswith(b"* BYE"):
                self.server.wait_log("Messages came back")
                self.cut()
                return None
            lines.append(line)
        status, text = line.decode().split(" ", 2)[1:]
        answer = Answer(status, text, lines)
        assert answer.ok or answer.no, (command, answer)
        self.hear(answer)
        return answer

    def hear(self, answer):
        seen = [self.modseq]
        for line in answer.untagged:
            if m := re.match(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)$", line):
                for uid in uid_set(m[1]):
                    self.flags.pop(uid, None)
            elif m := re.match(rb"\* \d+ FETCH \(UID (\d+)(?: FLAGS \(([^)]*)\))?(?: MODSEQ \((\d+)\))?\)$", line):
                if m[2] is not None and int(m[1]) <= self.top:
                    self.flags[int(m[1])] = set(m[2].decode().split()) - {"\\Recent"}
                seen.append(int(m[3] or 0))
        told = highest(answer)
        self.modseq = told if told is not None else max(seen)

    def silent_store(self, uid, sign, flag):
        """What is set silently is not told again."""
        answer = self.cmd(f"UID STORE {uid} {sign}FLAGS.SILENT ({flag})")
        if answer and answer.find(rb"UID %d MODSEQ" % uid) and uid in self.flags:
            (self.flags[uid].add if sign == "+" else self.flags[uid].discard)(flag)

    def resync(self):
        self.talk = self.server.imap_talk()
        assert self.talk.cmd(QRESYNC).ok
        argument = f" (QRESYNC ({self.validity} {self.modseq}{self.known()}))" if self.modseq else ""
        answer = self.talk.cmd(f"SELECT INBOX{argument}")
        validity = int(answer.find(rb"UIDVALIDITY (\d+)")[0][1])
        assert not self.validity or validity == self.validity
        self.validity = validity
        self.hear(answer)
        self.fetch_new()

    def known(self):
        """Sometimes the client says what it has."""
        if not self.flags or self.rng.random() < 0.5:
            return ""
        return f" 1:{self.top}"

    def fetch_new(self):
        first, self.top = self.top + 1, 2 ** 32
        told = self.cmd(f"UID FETCH {first}:* (FLAGS)")
        self.top = max(self.flags, default=0) if told else first - 1
        self.flags = {uid: flags for uid, flags in self.flags.items() if uid <= self.top}

    def catch_up(self):
        for _ in range(5):
            if self.talk is None:
                self.resync()
            if self.talk is not None and self.cmd("NOOP"):
                self.fetch_new()
            if self.talk is not None:
                return

    def cut(self):
        if self.talk is not None:
            self.talk.close()
        self.talk = None

    def act(self):
        uid = self.rng.choice(list(self.flags) or [1])
        n = self.rng.randrange(9)
        if n == 0:
            self.cut()
        elif n == 1:
            self.cmd(f"FETCH {self.rng.randint(1, max(1, len(self.flags)))} (UID FLAGS)")
        elif n == 2:
            self.cmd(f"STORE 1 {self.rng.choice('+-')}FLAGS (\\Flagged)") if self.flags else None
        elif n == 3:
            self.silent_store(uid, self.rng.choice("+-"), self.rng.choice(["\\Seen", "kept"]))
        elif n == 4:
            self.cmd(f"UID STORE {uid} (UNCHANGEDSINCE {self.modseq or 1}) +FLAGS (\\Answered)")
        elif n == 5:
            self.fetch_new()
        elif n == 6:
            self.cmd("EXPUNGE")
        elif n == 7:
            self.cmd("SEARCH FLAGGED")
        else:
            self.cmd("NOOP")


def truth(server):
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    found = {int(m[1]): set(m[2].decode().split()) - {"\\Recent"} for m in talk.cmd("UID FETCH 1:* FLAGS").find(rb"UID (\d+) FLAGS \(([^)]*)\)")}
    talk.close()
    return found


def disturb(rng, account, talk, away):
    """Another client without QRESYNC, and other programs; what is away may come back."""
    n = rng.randrange(10)
    names = [p.name for p in (account.maildir / "cur").iterdir()]
    if n <= 1:
        talk.append("INBOX", MESSAGE, rng.choice(["", "(\\Seen) ", "(kept) "]))
    elif n == 2:
        account.deliver(MESSAGE)
    elif n == 3:
        flag = rng.choice(["\\Draft", "word", "\\Deleted"])
        talk.cmd(f"STORE 1:{rng.randint(1, 3)} {rng.choice('+-')}FLAGS ({flag})")
    elif n == 4:
        talk.cmd("EXPUNGE")
    elif n == 5 and names:
        (account.maildir / "cur" / rng.choice(names)).unlink(missing_ok=True)
    elif n == 6 and names:
        name = rng.choice(names)
        try:
            os.rename(account.maildir / "cur" / name, account.maildir / "cur" / (name.split(":")[0] + ":2," + rng.choice(["", "S", "FS", "ST"])))
        except FileNotFoundError:
            pass
    elif n == 7 and names:
        name = rng.choice(names)
        (account.maildir / "cur" / name).rename(account.home / name)
        away.append(name)
    elif n == 8 and away:
        name = away.pop()
        (account.home / name).rename(account.maildir / "cur" / name)
    else:
        talk.cmd("NOOP")


@pytest.mark.parametrize("seed", range(int(os.environ.get("RESYNC_SEEDS", "3"))))
def test_whoever_resyncs_has_what_is_there(server, seed):
    rng = random.Random(seed)
    talk = server.imap_talk()
    for _ in range(12):
        talk.append("INBOX", MESSAGE)
    talk.cmd("SELECT INBOX")
    copies, away = [Copy(server, rng) for _ in range(3)], []
    for step in range(150):
        copy = rng.choice(copies)
        if rng.random() < 0.5:
            disturb(rng, server.accounts["anna"], talk, away)
        elif copy.talk is None:
            copy.resync()
        else:
            copy.act()
        if step % 25 == 24:
            for i, copy in enumerate(copies):
                if copy.talk is not None and rng.random() < 0.5:
                    copy.cut()
                copy.catch_up()
                assert copy.flags == truth(server), (seed, step, i)
