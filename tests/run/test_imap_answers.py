"""The reader answers first and does afterwards what the client need not wait for; its system calls show the order."""

import re
import shutil
import subprocess

import pytest
from conftest import until

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

MESSAGE = "From: Anna <anna@example.org>\r\nSubject: %d\r\n\r\nHello\r\n"


class Trace:
    """The system calls of a session's reader, in lines."""

    def __init__(self, server):
        self.pid = next(pid for pid, (_, title) in server.children().items() if "reader" in title)
        self.path = server.dir / "trace"
        self.strace = subprocess.Popen(["strace", "-qq", "-y", "-s", "100000", "-o", self.path, "-p", str(self.pid)])
        status = f"/proc/{self.pid}/status"
        until(lambda: not re.search(r"TracerPid:\t0\n", open(status).read()), 10, "strace")

    def lines(self):
        return self.path.read_text(errors="replace").splitlines()

    def end(self):
        """Waits for the reader's end."""
        self.strace.wait(20)
        return self.lines()


def place(lines, pattern):
    return next((n for n, line in enumerate(lines) if re.search(pattern, line)), None)


def test_mend23_idle_keeps_its_instance(server):
    """The kernel takes 16 ms to close a used inotify descriptor; neither DONE nor SELECT nor LOGOUT waits for it."""
    anna = server.accounts["anna"]
    anna.make_folder("Box")
    talk = server.imap_talk()
    trace = Trace(server)
    for n, folder in enumerate(("INBOX", "Box", "INBOX", None)):
        talk.cmd(f"SELECT {folder}" if folder else "UNSELECT")
        for again in range(2):
            tag = talk.start("IDLE")
            assert talk.line().startswith(b"+ ")
            if folder:
                anna.deliver(MESSAGE % n, folder=None if folder == "INBOX" else folder)
                assert talk.line().endswith(b" EXISTS")
            talk.send(b"DONE\r\n")
            assert talk.finish(tag).ok
    talk.cmd("LOGOUT")
    talk.close()
    lines = trace.end()
    made = [line for line in lines if "inotify_init1(" in line]
    assert len(made) == 1, made
    assert place(lines, r"^close\(\d+<anon_inode:inotify>") is None
    assert sum("inotify_add_watch(" in line for line in lines) == 6 * 3


def test_mend23_the_answer_leaves_first(server):
    """What was learned is written down, and a deleted mailbox is removed, behind the answer."""
    anna = server.accounts["anna"]
    anna.make_folder("Box")
    for n in range(3):
        anna.deliver(MESSAGE % n)
        anna.deliver(MESSAGE % n, folder="Box")
    talk = server.imap_talk()
    assert talk.cmd("SELECT INBOX").ok
    trace = Trace(server)
    written = r"^pwrite64\(\d+<[^>]*/sallyport\.(log|texts)>"
    for command, work in (("FETCH 1:2 (ENVELOPE)", written), ("SEARCH LARGER 20", written),
                          ("FETCH 3 (ENVELOPE BODYSTRUCTURE)", written), ("DELETE Box", r"^unlinkat\(.*M\d+P")):
        before = len(trace.lines())
        assert talk.cmd(command).ok
        # News are written before; the command's own work comes last.
        told = until(lambda: place(trace.lines(), rf"^write\(.*t{talk.n} OK "), 5, "its answer in the trace")
        until(lambda: place(trace.lines()[told:], work) is not None, 5, f"{command}: its work, after the answer")
        assert command[0] != "D" or place(trace.lines()[before:told], work) is None
    assert not list(anna.maildir.glob("sallyport.deleted*")) or until(
        lambda: not list(anna.maildir.glob("sallyport.deleted*")), 5, "it is removed")
    talk.cmd("LOGOUT")
    talk.close()
    lines = trace.end()
    lines = lines[place(lines, r"^read\(.* LOGOUT"):]
    assert place(lines, r"^write\(.* OK Logged out") < place(lines, r"^close\("), lines


def test_mend23_pop3_says_goodbye_first(server):
    anna = server.accounts["anna"]
    for n in range(3):
        anna.deliver(MESSAGE % n)
    client = server.login()
    trace = Trace(server)
    client.quit()
    lines = trace.end()
    written = place(lines, r"^pwrite64\(\d+<[^>]*/sallyport\.log>")
    assert written is not None and place(lines, r"^write\(.*\+OK Bye") < written, lines
