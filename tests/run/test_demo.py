"""etc/demo.sh: the commands that it prints work as printed, and it leaves nothing."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

import wire
from conftest import BUILD, IS_ROOT, PROGRAM, ROOT, free_ports, until

ORDINARY = 61980  # nobody's uid


class Demo:
    def __init__(self, drop=()):
        self.pop3, self.pop3s, self.imap, self.imaps = free_ports(4)
        self.drop = list(drop)
        self.environment = {**os.environ, "DEMO_POP3": str(self.pop3), "DEMO_POP3S": str(self.pop3s),
                            "DEMO_IMAP": str(self.imap), "DEMO_IMAPS": str(self.imaps), "HOME": "/"}
        # a group of its own, as a terminal gives it: ^C reaches all of it
        self.process = subprocess.Popen([*self.drop, "etc/demo.sh", str(PROGRAM)], cwd=ROOT, env=self.environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        process_group=0,
                                        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        os.set_blocking(self.process.stdout.fileno(), False)
        self.said = ""
        until(lambda: " master ready" in self.read() or self.process.poll() is not None, 20, "the demo")
        assert self.process.poll() is None, self.said
        self.folder = pathlib.Path(re.search(r"/tmp/sallyport-demo\.\w+", self.said).group())

    def read(self):
        self.said += (self.process.stdout.read() or b"").decode()
        return self.said

    def lines(self, program):
        """The command lines that it printed."""
        return re.findall(rf"^  ({program} .*)$", self.said, re.M)

    def group(self):
        """The processes that it has started."""
        out = subprocess.run(["ps", "-e", "-o", "pid=,pgid=,stat="], capture_output=True, text=True).stdout
        rows = [line.split() for line in out.splitlines()]
        return [int(pid) for pid, pgid, stat in rows if int(pgid) == self.process.pid and "Z" not in stat]

    def users(self):
        return {os.stat(f"/proc/{pid}").st_uid for pid in self.group()}

    def end(self, to_all, sig=signal.SIGINT):
        if to_all:
            os.killpg(self.process.pid, sig)
        else:
            self.process.send_signal(sig)
        try:
            return self.process.wait(20)
        finally:
            self.kill()

    def kill(self):
        """Ends what the test did not end."""
        left = self.group()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        self.process.wait(20)
        assert not left, "these were left"


def typed(line, given=""):
    """As a person types it, in another terminal, as the same user or another."""
    done = subprocess.run(["sh", "-c", line], cwd="/", env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
                          input=given.encode(), capture_output=True, timeout=20)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


WHO = [pytest.param((), id="as I am"),
       pytest.param(("setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups"), id="ordinary",
                    marks=pytest.mark.root)]


def reachable_by_others():
    """Whether an ordinary user can read the source and the program."""
    return subprocess.run(["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", "test", "-x",
                           str(PROGRAM)], cwd="/").returncode == 0


@pytest.fixture(params=WHO)
def demo(request):
    if request.param and not reachable_by_others():
        pytest.skip(f"an ordinary user cannot reach {BUILD.name}")
    d = Demo(request.param)
    try:
        yield d
    finally:
        if d.process.poll() is None:
            d.process.send_signal(signal.SIGTERM)
            try:
                d.process.wait(10)
            finally:
                d.kill()


def test_demo_works_as_printed(demo):
    mail = [p.read_bytes() for p in sorted((demo.folder / "home" / "Maildir" / "new").iterdir())]
    assert len(mail) == 2
    urls = [line for line in demo.lines("curl") if "pop3" in line]
    assert len(urls) == 3, demo.said
    assert typed(urls[0]) == b"".join(b"%d %d\r\n" % (i + 1, wire.size(m)) for i, m in enumerate(mail))
    assert typed(urls[1]) == wire.whole(mail[0])
    assert typed(urls[2]) == wire.whole(mail[1]), "over STLS"
    dialogues = demo.lines("openssl")[2:]
    assert len(dialogues) == 2
    commands = re.findall(r"\(type: (.*)\)", demo.said)[1].split(", ")
    assert commands == ["USER demo", "PASS secret", "STAT", "RETR 1", "QUIT"]
    for line in dialogues:
        said = typed(line, "".join(c + "\n" for c in commands))
        assert b"+OK 2 %d\r\n" % sum(map(wire.size, mail)) in said
        assert wire.retr(mail[0]) in said
        assert b"-ERR" not in said and said.splitlines()[-1].startswith(b"+OK")
    assert str(demo.pop3) in demo.said and str(demo.pop3s) in demo.said, "Thunderbird's settings too"
    until(lambda: demo.read().count("pop3 end user=demo") == 5, 10, "five sessions")


def test_demo_shows_imap_as_printed(demo):
    mail = {wire.whole(p.read_bytes()) for p in (demo.folder / "home" / "Maildir" / "new").iterdir()}
    urls = [line for line in demo.lines("curl") if "imap" in line]
    assert len(urls) == 4, demo.said
    listed = typed(urls[0])
    for name, use in ((b"INBOX", b""), (b"Sent", rb"\Sent"), (b"Drafts", rb"\Drafts"), (b"Trash", rb"\Trash"),
                      (b"Junk", rb"\Junk"), (b"Archive", rb"\Archive")):
        assert re.search(rb"\* LIST \([^)]*%s\) \"/\" \"?%s\"?\r\n" % (re.escape(use), name), listed), listed
    first = typed(urls[1])
    assert first in mail
    assert typed(urls[2]).strip() in (b"* SEARCH 1", b"* SEARCH 2")
    assert typed(urls[3]).count(b"ENVELOPE (") == 2, "over STARTTLS"
    dialogues = demo.lines("openssl")[:2]
    assert "starttls imap" in dialogues[1]
    commands = re.findall(r"\(type: (.*)\)", demo.said)[0].split(", ")
    for line in dialogues:
        said = typed(line, "".join(c + "\n" for c in commands))
        assert b"BODY[] {%d}\r\n%s" % (len(first), first) in said
        assert b" NO " not in said and b" BAD " not in said
        assert said.splitlines()[-1].startswith(b"d OK")
    assert str(demo.imap) in demo.said and str(demo.imaps) in demo.said, "a mail program's settings too"
    until(lambda: demo.read().count("imap end user=demo") == 6, 10, "six sessions")


def test_demo_does_not_run_as_root_what_need_not(demo):
    s = demo.users()
    if IS_ROOT and not demo.drop:
        assert len(s) == 3, "root for master; key process and outer spawner have users of their own"
    else:
        assert s == {ORDINARY if demo.drop else os.geteuid()}
        assert "not-root" in demo.read()


@pytest.mark.parametrize("to_all", [True, False], ids=["^C", "kill"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_demo_leaves_nothing(demo, to_all, sig):
    assert len(demo.group()) >= 3
    assert demo.folder.is_dir()
    demo.end(to_all, sig)
    assert not demo.folder.exists()
    demo.read()
    assert "stopped" in demo.said


def test_demo_ends_with_a_session_open(demo):
    talk = subprocess.Popen(["sh", "-c", demo.lines("openssl")[2]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    try:
        talk.stdin.write(b"USER demo\nPASS secret\n")
        talk.stdin.flush()
        until(lambda: "pop3 login user=demo" in demo.read(), 10, "a login")
        begun = time.monotonic()
        demo.end(to_all=True)
        assert time.monotonic() - begun < 8
        assert not demo.folder.exists()
        assert talk.stdout.read().count(b"+OK") >= 3
    finally:
        talk.kill()
        talk.communicate()


def test_demo_says_what_is_in_the_way(demo):
    """A second one with the same ports says so and is gone."""
    second = subprocess.run([*demo.drop, "etc/demo.sh", str(PROGRAM)], cwd=ROOT, env=demo.environment, text=True,
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert second.returncode != 0
    said = second.stdout + second.stderr
    assert "cannot-listen" in said and "in use" in said
    folders = set(re.findall(r"/tmp/sallyport-demo\.\w+", said))
    assert len(folders) == 1 and not pathlib.Path(folders.pop()).exists()
    assert len(typed(demo.lines("curl")[4]).splitlines()) == 2, "the first one still serves"
