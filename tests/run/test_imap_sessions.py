"""Several IMAP sessions at once: which news a session gets and when, and IDLE."""

import pathlib
import random
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time

import pytest
from conftest import ASAN, until

INSTANCES = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
SOON = 2.0 if ASAN else 1.0  # seconds; the issue asks for a tenth, and test_idle_is_quick for that


def code(answer):
    m = re.match(r"\[(\S+?)[ \]]", answer.text)
    return m and m[1]


def numbers(answer, what):
    return [int(m[1]) for m in answer.find(rb"^\* (\d+) " + what)]


def flags(talk, what="1:*"):
    answer = talk.cmd(f"UID FETCH {what} FLAGS")
    return {int(m[1]): set(m[2].decode().split()) - {"\\Recent"} for m in answer.find(rb"UID (\d+) FLAGS \((.*?)\)")}


def message(i):
    return f"From: a@example.org\r\nSubject: message {i}\r\n\r\nbody {i}\r\n".encode()


def searched(talk, keys):
    return [int(n) for n in talk.cmd(f"SEARCH {keys}").find(rb"^\* SEARCH(.*)$")[0][1].split()]


@pytest.fixture
def two(server):
    """Two sessions with the same five messages selected, and nothing left to be told."""
    for i in range(1, 6):
        server.accounts["anna"].deliver(message(i), f"100000000{i}.M{i}.test:2,", sub="cur")
    talks = [server.imap_talk() for _ in range(2)]
    for talk in talks:
        assert talk.cmd("SELECT INBOX").ok
        assert not talk.cmd("NOOP").untagged
    return talks


# --- EXPUNGE of others ---

@pytest.mark.parametrize("command,may", [
    ("FETCH 5 UID", False), ("STORE 5 +FLAGS (\\Flagged)", False), ("SEARCH ALL", False), ("SEARCH RETURN (COUNT) ALL", False),
    ("FETCH 5 BODY[]", False), ("STORE 5 +FLAGS.SILENT (x)", False), ("UID FETCH 5 UID", True), ("UID STORE 5 +FLAGS (\\Flagged)", True),
    ("UID SEARCH ALL", True), ("NOOP", True), ("CHECK", True), ("STATUS INBOX (MESSAGES)", True), ('LIST "" *', True),
    ("COPY 5 INBOX", True), ("EXPUNGE", True), ("CAPABILITY", True), ("ID NIL", True)])
def test_when_an_expunge_is_told(two, command, may):
    here, there = two
    there.cmd("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    assert numbers(there.cmd("EXPUNGE"), b"EXPUNGE") in ([2, 3], [4, 2])
    answer = here.cmd(command)
    assert answer.ok and (numbers(answer, b"EXPUNGE") == [2, 3]) == may, answer
    if not may:
        assert not numbers(answer, b"EXPUNGE")
        assert here.cmd("FETCH 5 UID").untagged == [b"* 5 FETCH (UID 5)"], "numbers are valid until it is told"
        assert numbers(here.cmd("NOOP"), b"EXPUNGE") == [2, 3]
    assert here.cmd("FETCH 3 UID").untagged == [b"* 3 FETCH (UID 5)"]
    assert not here.cmd("NOOP").find(rb"EXPUNGE")


def test_messages_that_another_session_expunged(two):
    here, there = two
    there.cmd("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    there.cmd("EXPUNGE")
    answer = here.cmd("FETCH 1:* BODY.PEEK[]")
    assert answer.no and code(answer) == "EXPUNGEISSUED" and numbers(answer, b"FETCH") == [1, 3, 5], "RFC 2180 section 4.1.2"
    answer = here.cmd("STORE 1:5 +FLAGS (\\Flagged)")
    assert answer.no and code(answer) == "EXPUNGEISSUED" and numbers(answer, b"FETCH") == [1, 3, 5]
    assert searched(here, "ALL") == [1, 3, 5] and searched(here, "FLAGGED") == [1, 3, 5]
    answer = here.cmd("SEARCH 2")
    assert answer.ok and not numbers(answer, b"EXPUNGE")
    there.append("INBOX", message(6))
    answer = here.cmd("SEARCH ALL")
    assert numbers(answer, b"EXISTS") == [6], "counted with those that were not told as gone"
    assert here.cmd("FETCH 6 UID").untagged == [b"* 6 FETCH (UID 6)"]
    answer = here.cmd("UID FETCH 1:6 FLAGS")
    assert answer.ok and set(numbers(answer, b"EXPUNGE")) and flags(here).keys() == {1, 3, 5, 6}


def test_mend18_what_another_session_expunged_is_told_in_words(two):
    """A STORE that is silent has done what there was to do; SEARCH says that it leaves some out."""
    here, there = two
    words = "[EXPUNGEISSUED] Some of the requested messages no longer exist"
    there.cmd("CREATE Box")
    there.cmd("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    there.cmd("EXPUNGE")
    for command, status in (("FETCH 1:* UID", "NO"), ("STORE 1:5 +FLAGS (\\Flagged)", "NO"), ("STORE 4 FLAGS (\\Flagged)", "NO"),
                            ("STORE 1:5 +FLAGS.SILENT (\\Draft)", "OK"), ("STORE 4 FLAGS.SILENT (\\Draft)", "OK"),
                            ("SEARCH ALL", "OK"), ("SEARCH RETURN (COUNT) UNSEEN", "OK"), ("SEARCH 1:2", "OK"), ("UID SEARCH 4:5", "OK")):
        answer = here.cmd(command)
        assert (answer.status, answer.text) == (status, words) and not numbers(answer, b"EXPUNGE"), (command, answer)
    for command in ("FETCH 1,3 UID", "STORE 1,3,5 +FLAGS (x)", "SEARCH 1,3,5", "SEARCH UID 5:*"):
        answer = here.cmd(command)
        assert answer.ok and answer.text == "Done", (command, answer)
    answer = here.cmd("STORE 1:5 (UNCHANGEDSINCE 1) +FLAGS (y)")
    assert answer.no and answer.text == "[MODIFIED 1,3,5] Some of the messages no longer exist"
    answer = here.cmd("STORE 1:5 (UNCHANGEDSINCE 1) +FLAGS.SILENT (y)")
    assert answer.ok and answer.text.startswith("[MODIFIED 1,3,5] ")
    assert searched(there, "DRAFT") == searched(there, "FLAGGED") == [1, 2, 3]
    answer = here.cmd("UID SEARCH ALL")
    assert answer.ok and answer.text == "Done" and numbers(answer, b"EXPUNGE") == [2, 3], "told at once"
    assert here.cmd("SEARCH ALL").text == "Done"
    there.cmd("STORE 1 +FLAGS.SILENT (\\Deleted)")
    there.cmd("EXPUNGE")
    here.cmd("FETCH 2 UID")  # so that it is known here, and not told
    answer = here.cmd("COPY 1:3 Box")
    assert answer.no and answer.text == words and numbers(answer, b"EXPUNGE") == [1]


def test_copy_of_what_another_session_expunged_copies_nothing(two):
    here, there = two
    there.cmd("CREATE Box")
    there.cmd("STORE 2 +FLAGS.SILENT (\\Deleted)")
    there.cmd("EXPUNGE")
    here.cmd("SEARCH ALL")  # so that it is known here, and not told
    answer = here.cmd("COPY 1:3 Box")
    assert answer.no and code(answer) == "EXPUNGEISSUED"
    assert there.cmd("STATUS Box (MESSAGES)").find(rb"MESSAGES 0")
    assert here.cmd("UID COPY 1:3 Box").ok and there.cmd("STATUS Box (MESSAGES)").find(rb"MESSAGES 2")


def test_close_tells_none_and_the_others_hear(two):
    here, there = two
    here.cmd("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    assert not here.cmd("CLOSE").untagged
    answer = there.cmd("NOOP")
    assert numbers(answer, b"EXPUNGE") == [1, 1]


def test_expunge_takes_what_is_marked_at_that_moment(two):
    here, there = two
    here.cmd("STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    there.cmd("STORE 2 -FLAGS (\\Deleted)")
    there.cmd("STORE 5 +FLAGS (\\Deleted)")
    answer = here.cmd("EXPUNGE")
    assert sorted(numbers(answer, b"EXPUNGE")) in ([1, 4], [1, 5])
    assert flags(here) == {2: set(), 3: set(), 4: set()}


def test_two_expunge_the_same(two):
    """What one removes while the other looks at the folder is gone for the other, too, and stays so."""
    for _ in range(6):
        for talk in two:
            assert talk.cmd("STORE 1:5 +FLAGS.SILENT (\\Deleted)").ok
        tags = [(talk, talk.start("EXPUNGE")) for talk in two]
        answers = [talk.finish(tag) for talk, tag in tags]
        for talk, answer in zip(two, answers):
            assert answer.ok and len(numbers(answer, b"EXPUNGE") + numbers(talk.cmd("NOOP"), b"EXPUNGE")) == 5
        for i in range(5):
            two[0].append("INBOX", message(i))
        assert numbers(two[1].cmd("NOOP"), b"EXISTS") == [5]


# --- new mail and flags of others ---

def test_new_mail_comes_with_any_command(two):
    here, there = two
    for i, command in enumerate(["NOOP", "FETCH 1 UID", "SEARCH ALL", "STATUS INBOX (UIDNEXT)", "CHECK"]):
        there.append("INBOX", message(i))
        answer = here.cmd(command)
        assert numbers(answer, b"EXISTS") == [6 + i], command
        assert here.cmd("FETCH * UID").untagged == [b"* %d FETCH (UID %d)" % (6 + i, 6 + i)]


def test_flags_of_others_are_told(two):
    there, here = two  # \Recent was told to the first
    there.cmd("STORE 2 +FLAGS (\\Flagged)")
    assert here.cmd("NOOP").untagged == [b"* 2 FETCH (FLAGS (\\Flagged))"]
    there.cmd("STORE 3 +FLAGS (newkw)")
    answer = here.cmd("FETCH 1 UID")
    lines = answer.untagged
    assert any(u.startswith(b"* FLAGS (") and b"newkw" in u for u in lines)
    known = [u.startswith(b"* FLAGS") for u in lines].index(True)
    assert lines[known + 1:].index(b"* 3 FETCH (FLAGS (newkw))") >= 0, "the keyword is told before the message that has it"
    assert not here.cmd("NOOP").untagged, "told once"
    there.cmd("STORE 3 -FLAGS (newkw)")
    there.cmd("STORE 3 +FLAGS (\\Answered)")
    assert here.cmd("FETCH 3 FLAGS").untagged[-1] == b"* 3 FETCH (FLAGS (\\Answered))"
    there.cmd("STORE 4 +FLAGS.SILENT (\\Seen)")
    there.cmd("STORE 4 -FLAGS.SILENT (\\Seen)")
    assert flags(here, "4") == {4: set()}


def test_commands_by_uid_see_what_is_there_now(two):
    here, there = two
    there.append("INBOX", message(6), "(\\Flagged kw) ")
    answer = here.cmd("UID FETCH 6:* FLAGS")
    assert len(answer.find(rb"^\* 6 FETCH \(UID 6 FLAGS \(\\Flagged kw")) == 1, answer
    there.append("INBOX", message(7), "(\\Flagged) ")
    assert here.cmd("UID SEARCH FLAGGED").untagged[-1] == b"* SEARCH 6 7"
    there.append("INBOX", message(8), "(\\Flagged) ")
    assert here.cmd("UID COPY 8 INBOX").text.startswith("[COPYUID ")
    there.cmd("STORE 1 +FLAGS.SILENT (\\Answered)")
    assert here.cmd("UID FETCH 1 FLAGS").find(rb"UID 1 FLAGS \(\\Answered")


def test_flags_of_two_sessions_merge(two):
    here, there = two
    for turn in range(20):
        mine, theirs = (("+FLAGS.SILENT (\\Seen a)", "+FLAGS.SILENT (\\Flagged b)") if turn % 2 == 0 else
                        ("-FLAGS.SILENT (\\Seen a)", "-FLAGS.SILENT (\\Flagged b)"))
        tags = [(here, here.start(f"STORE 1:5 {mine}")), (there, there.start(f"STORE 1:5 {theirs}"))]
        for talk, tag in tags:
            assert talk.finish(tag).ok
        want = {"\\Seen", "a", "\\Flagged", "b"} if turn % 2 == 0 else set()
        assert flags(here) == {i: want for i in range(1, 6)}, turn
        assert flags(there) == {i: want for i in range(1, 6)}, turn
    here.cmd("STORE 1 FLAGS (\\Draft)")
    there.cmd("STORE 1 +FLAGS (\\Seen)")
    assert flags(here, "1") == {1: {"\\Draft", "\\Seen"}}


def test_keyword_letters_are_shared(two):
    here, there = two
    tags = [(talk, talk.start(f"STORE 1 +FLAGS ({' '.join(f'{talk_name}{i}' for i in range(12))})")) for talk, talk_name in ((here, "h"), (there, "t"))]
    for talk, tag in tags:
        assert talk.finish(tag).ok
    want = {f"{n}{i}" for n in "ht" for i in range(12)}
    assert flags(here, "1") == flags(there, "1") == {1: want}


def test_changes_by_other_programs(two, server):
    anna = server.accounts["anna"]
    here = two[0]
    cur = sorted((p for s in ("cur", "new") for p in (anna.maildir / s).iterdir()), key=lambda p: p.name)
    moved = anna.maildir / "cur" / (cur[0].name.split(":")[0] + ":2,FS")
    cur[0].rename(moved)
    cur[1].unlink()
    anna.deliver(message(9))
    answer = here.cmd("NOOP")
    assert len(numbers(answer, b"EXPUNGE")) == 1 and numbers(answer, b"EXISTS") == [4, 5]
    assert len(answer.find(rb"FETCH \(FLAGS \(\\Flagged \\Seen( \\Recent)?\)\)")) == 1, answer
    assert len(flags(here)) == 5 and max(flags(here)) == 6


def test_mend22_the_count_follows_expunges(two):
    """Once for all of them, and again for what is new; not where VANISHED tells UIDs."""
    here, there = two
    here.cmd("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    assert here.cmd("EXPUNGE").untagged == [b"* 2 EXPUNGE", b"* 3 EXPUNGE", b"* 3 EXISTS"]
    there.cmd("NOOP")
    here.cmd("STORE 1 +FLAGS.SILENT (\\Deleted)")
    here.cmd("EXPUNGE")
    here.append("INBOX", message(9))
    assert there.cmd("NOOP").untagged[:3] == [b"* 1 EXPUNGE", b"* 2 EXISTS", b"* 3 EXISTS"]
    assert numbers(there.cmd("UID MOVE 3 INBOX"), b"EXISTS") == [2, 3]
    assert not there.cmd("NOOP").untagged
    there.cmd("ENABLE QRESYNC")
    there.cmd("STORE 1 +FLAGS.SILENT (\\Deleted)")
    answer = there.cmd("EXPUNGE")
    assert answer.find(rb"^\* VANISHED \d+$") and not numbers(answer, b"EXISTS")


# --- IDLE ---

class Idle:
    """A session in IDLE: what comes, without blocking for ever."""

    def __init__(self, talk):
        self.talk, self.tag, self.lines = talk, talk.start("IDLE"), []
        while not (line := talk.line()).startswith(b"+ "):
            self.lines.append(line)

    def until(self, pattern, seconds=SOON):
        """Waits for a line."""
        end = time.monotonic() + seconds
        while not any(re.search(pattern, line) for line in self.lines):
            self.talk.sock.settimeout(max(end - time.monotonic(), 0.001))
            try:
                self.lines.append(self.talk.line())
            except TimeoutError:
                raise AssertionError(f"{pattern} not within {seconds} s: {self.lines}") from None
        self.talk.sock.settimeout(20)

    def done(self, word=b"DONE"):
        self.talk.send(word + b"\r\n")
        return self.talk.finish(self.tag)


def test_idle_tells_what_other_sessions_do(two):
    there, here = two  # \Recent was told to the first
    idle = Idle(here)
    there.append("INBOX", message(6))
    idle.until(rb"^\* 6 EXISTS")
    there.cmd("STORE 1 +FLAGS (\\Flagged)")
    idle.until(rb"^\* 1 FETCH \(FLAGS \(\\Flagged\)\)")
    there.cmd("STORE 2 +FLAGS (\\Deleted)")
    there.cmd("EXPUNGE")
    idle.until(rb"^\* 2 EXPUNGE")
    there.cmd("STORE 2 +FLAGS (brandnew)")
    idle.until(rb"^\* 2 FETCH \(FLAGS \(brandnew\)\)")  # the third of before
    assert any(re.search(rb"^\* FLAGS .*brandnew", line) for line in idle.lines)
    assert idle.done(b"done").ok
    assert searched(here, "ALL") == [1, 2, 3, 4, 5]


def test_idle_tells_what_other_programs_do(two, server):
    anna = server.accounts["anna"]
    idle = Idle(two[0])
    anna.deliver(message(6))
    idle.until(rb"^\* 6 EXISTS")
    target = until(lambda: [p for p in (anna.maildir / "cur").iterdir()], 5)
    path = sorted(target)[0]
    flagged = path.with_name(path.name.split(":")[0] + ":2,F")
    path.rename(flagged)
    idle.until(rb"FETCH \(FLAGS \(\\Flagged")
    flagged.unlink()
    idle.until(rb"^\* \d EXPUNGE")
    assert idle.done().ok


def test_idle_is_quick(two, server):
    """A tenth of a second, the issue says; the best of some, since machines of tests are busy."""
    idle = Idle(two[0])
    times = []
    for i in range(5):
        begin = time.monotonic()
        server.accounts["anna"].deliver(message(i))
        idle.until(rb"^\* %d EXISTS" % (6 + i))
        times.append(time.monotonic() - begin)
    assert min(times) < (0.5 if ASAN else 0.1), times
    assert idle.done().ok


def test_idle_tells_what_came_just_before_it(two):
    here, there = two
    there.append("INBOX", message(6))
    idle = Idle(here)
    idle.until(rb"^\* 6 EXISTS")
    assert idle.done().ok


def test_idle_with_nothing_selected_and_with_examine(two, server):
    here, there = two
    here.cmd("UNSELECT")
    assert Idle(here).done().ok
    here.cmd("EXAMINE INBOX")
    idle = Idle(here)
    server.accounts["anna"].deliver(message(6))
    idle.until(rb"^\* 6 EXISTS")
    assert idle.done().ok


def test_mend12_idle_says_that_it_is_there(serve):
    """Also where no mailbox is selected; not all sessions at the same moment, and news come as before."""
    server = serve({"imap_still_here": "3s", "login_in_clear": "loopback"})
    talks = [server.imap_talk(tls=n % 2 == 0) for n in range(6)]
    for talk in talks[1:]:
        talk.cmd("SELECT INBOX")
    began, came = {}, {}
    for talk in talks:
        Idle(talk)
        began[talk] = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for talk in talks:
            selector.register(talk.sock, selectors.EVENT_READ, talk)
        while selector.get_map():
            for key, _ in selector.select(10):
                assert key.data.line() == b"* OK Still here", server.log()
                came[key.data] = time.monotonic() - began[key.data]
                selector.unregister(key.fileobj)
    assert all(2.6 < t for t in came.values()), came
    assert max(came.values()) - min(came.values()) > 0.03, f"all at the same moment: {came}"
    assert talks[0].line() == talks[0].line() == b"* OK Still here", "and again"
    server.accounts["anna"].deliver(message(1))
    line = talks[1].line()
    while line == b"* OK Still here":
        line = talks[1].line()
    assert line == b"* 1 EXISTS"
    talks[1].send(b"DONE\r\n")
    assert talks[1].finish(b"t3").ok


def test_mend12_the_kernel_asks_whether_the_client_is_there(serve):
    """On every connection, before and after the login, two minutes after the last octet."""
    server = serve({"login_in_clear": "loopback"})
    raw = [socket.create_connection(("127.0.0.1", port)) for port in
           (server.pop3, server.pop3s, server.imap, server.imaps)]
    held = [server.imap_talk(), server.imap_talk(tls=False), server.login(), server.imap_talk(None)]
    shown = {}

    def timers():
        for port in (server.pop3, server.pop3s, server.imap, server.imaps):
            shown[port] = subprocess.run(
                ["ss", "-Htno", "state", "established", f"( sport = :{port} )"], capture_output=True, text=True,
                check=True).stdout.splitlines()
        # Other timers run while octets are under way.
        return all("timer:(keepalive," in line for lines in shown.values() for line in lines)

    until(timers, 5, "keepalive")
    lines = [line for lines in shown.values() for line in lines]
    assert len(lines) == len(raw) + len(held), shown
    for line in lines:  # "1min58sec", "119sec"
        m = re.search(r"timer:\(keepalive,(?:(\d+)min)?(?:(\d+)sec)?", line)
        assert m and 60 < 60 * int(m[1] or 0) + int(m[2] or 0) <= 120, line


def test_idle_ends_with_done_only(two):
    here = two[0]
    for wrong in (b"NOOP", b"a NOOP", b"DONE x", b" DONE", b"DONE\0", b"DON", b"DONE DONE"):
        answer = Idle(here).done(wrong)
        assert answer.bad, wrong
        assert here.cmd("NOOP").ok
    here.send(b"a IDLE\r\nDONE\r\nb NOOP\r\n")
    assert here.line().startswith(b"+ ") and here.line().startswith(b"a OK") and here.line().startswith(b"b OK"), "pipelined"


def test_idle_with_a_client_that_is_gone_ends(two, server):
    here = two[0]
    count = len(server.children())
    Idle(here)
    here.close()
    until(lambda: len(server.children()) == count - 2, 10, "worker and reader are gone")


def test_a_mailbox_deleted_under_idle_ends_it(server):
    here, there = server.imap_talk(), server.imap_talk()
    there.cmd("CREATE Box")
    here.cmd("SELECT Box")
    idle = Idle(here)
    there.cmd("DELETE Box")
    idle.until(rb"^\* BYE", 5)


def test_a_mailbox_that_goes_slowly_ends_idle_too(server):
    """First its directory is set aside, later it is removed: of that the kernel tells nobody who has it open."""
    here = server.imap_talk()
    here.cmd("CREATE Box")
    here.cmd("SELECT Box")
    idle = Idle(here)
    maildir = server.accounts["anna"].maildir
    (maildir / ".Box").rename(maildir / "aside")
    time.sleep(0.3)
    shutil.rmtree(maildir / "aside")
    idle.until(rb"^\* BYE", 4.5)  # where inotify has no more to give it looks every 3 s


def test_shutdown_says_good_bye(server):
    talks = [server.imap_talk(), server.imap_talk(tls=False, name=None), server.imap_talk()]
    talks[0].cmd("SELECT INBOX")
    Idle(talks[0])
    talks[2].cmd("SELECT INBOX")
    server.stop()
    for talk in (talks[0], talks[2]):
        lines = []
        while line := talk.line():
            lines.append(line)
        assert lines and lines[-1].startswith(b"* BYE [UNAVAILABLE]"), lines


def test_a_session_that_is_silent_too_long(serve):
    server = serve({"imap_idle_timeout": "10s"})
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    begin = time.monotonic()
    assert talk.line().startswith(b"* BYE") and talk.line() == b""
    assert 8 < time.monotonic() - begin < 16


HOG = """
import ctypes, sys
libc = ctypes.CDLL(None)
while libc.inotify_init1(0) >= 0:
    pass
print("full", flush=True)
sys.stdin.read()
"""


@pytest.mark.root
def test_idle_where_inotify_gives_none(serve):
    """All that anna may have are taken: the session looks every few seconds."""
    if not INSTANCES.exists() or int(INSTANCES.read_text()) > 900:
        pytest.skip("a user may have more inotify instances than a process has descriptors")
    server = serve(start=False)
    anna = server.accounts["anna"]
    anna.uid = 61900  # nobody else's, in other tests at the same time
    anna.make()
    server.write_users()
    server.start()
    hog = subprocess.Popen([sys.executable, "-c", HOG], user=anna.uid, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert hog.stdout.readline() == b"full\n"
        talk = server.imap_talk()
        talk.cmd("SELECT INBOX")
        idle = Idle(talk)
        anna.deliver(message(1))
        idle.until(rb"^\* 1 EXISTS", 8)
        assert idle.done().ok
    finally:
        hog.stdin.close()
        hog.wait(10)
        hog.stdout.close()


def test_many_idle_sessions_of_one_user_all_hear(server):
    talks = [server.imap_talk() for _ in range(8)]
    for talk in talks:
        talk.cmd("SELECT INBOX")
    idles = [Idle(talk) for talk in talks]
    server.accounts["anna"].deliver(message(1))
    for idle in idles:
        idle.until(rb"^\* 1 EXISTS", 2 * SOON)
        idle.until(rb"RECENT")
    assert sum(b"* 1 RECENT" in idle.lines for idle in idles) == 1, "and it is recent for one of them"
    assert all(idle.done().ok for idle in idles)


def test_mend01_append_with_a_new_keyword_behind_store(server):
    """The batch that STORE leaves open for STOREs to come is no hindrance for the APPEND in the same packet."""
    anna = server.accounts["anna"]
    anna.deliver(message(1))
    talk, other = server.imap_talk(timeout=10), server.imap_talk(timeout=10)
    assert talk.cmd("SELECT INBOX").ok and other.cmd("SELECT INBOX").ok
    text = message(2)
    for n, target in enumerate(("INBOX", "INBOX", "Work", "Work")):
        assert target == "INBOX" or n > 2 or talk.cmd("CREATE Work").ok
        talk.send(b"a%d STORE 1 +FLAGS (f%d)\r\nb%d APPEND %s (kw%d) {%d+}\r\n%s\r\n"
                  % (n, n, n, target.encode(), n, len(text), text))
        assert talk.finish(b"a%d" % n).ok and talk.finish(b"b%d" % n).ok, talk.last
        assert other.cmd("NOOP").ok
    assert "f3" in flags(other)[1] and "kw1" in flags(other)[3]


class Pipeliner:
    """Random commands of one session, many in a packet."""

    def __init__(self, server, rng):
        self.talk, self.rng, self.n, self.box = server.imap_talk(timeout=10), rng, 0, "INBOX"
        assert self.talk.cmd("SELECT INBOX").ok

    def command(self):
        r = self.rng
        target = r.choice(("INBOX", "Work", "Work/Sub"))
        what = r.choice(("1", "1:*", "*", "2:3"))
        kind = r.randrange(16)
        if kind < 5:
            return f"STORE {what} {r.choice('+-')}FLAGS ({r.choice((chr(92) + 'Seen', f'kw{r.randrange(40)}'))})"
        if kind < 8:
            text = message(self.n).decode()
            return f"APPEND {target} ({r.choice((chr(92) + 'Seen', f'kw{r.randrange(40)}'))}) {{{len(text)}+}}\r\n{text}"
        if kind == 8:
            self.box = target
            return f"{r.choice(('SELECT', 'EXAMINE'))} {target}"
        return (f"COPY {what} {target}", f"MOVE {r.choice(('1', '*'))} {target}", f"CREATE X{r.randrange(3)}",
                f"DELETE X{r.randrange(3)}", f"RENAME X{r.randrange(3)} X{r.randrange(3)}",
                f"STATUS {target} (MESSAGES UNSEEN)", f"FETCH {what} (FLAGS BODY[])")[kind - 9]

    def packet(self):
        tags, text = [], ""
        for _ in range(self.rng.randrange(2, 9)):
            self.n += 1
            tags.append(f"p{self.n}".encode())
            text += f"p{self.n} {self.command()}\r\n"
        if self.rng.randrange(8) == 0:
            self.n += 1
            tags.append(f"p{self.n}".encode())
            text += f"p{self.n} RENAME INBOX Old{self.n}\r\n"
        self.talk.send(text)
        return tags

    def answers(self, tags):
        for tag in tags:
            answer = self.talk.finish(tag)
            assert "[INUSE]" not in answer.text and "[LIMIT]" not in answer.text and "BYE" not in answer.text, answer


@pytest.mark.parametrize("seed", range(2))
def test_mend01_whatever_comes_in_one_packet(server, seed):
    """Each is answered in seconds, here and in another session: nobody waits for the lock of his own process."""
    anna, rng = server.accounts["anna"], random.Random(seed)
    for name in ("Work", "Work/Sub"):
        anna.make_folder(name)
    for folder in (None, "Work", "Work/Sub"):
        for n in range(4):
            anna.deliver(message(n), folder=folder)
    both = [Pipeliner(server, rng) for _ in range(2)]
    for _ in range(40):
        for session, tags in [(session, session.packet()) for session in both]:
            session.answers(tags)
