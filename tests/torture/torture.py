"""Many at once on one Maildir, with kills, faults, a full disk and a broken index.  model.py says what must hold.

    torture.py [--seconds N] [--seed N] [--only Rsync,Killer]

Every actor decides by a random stream of its own, which follows from the seed and the actor's name; the machine decides
which actor comes first.  Every few seconds all actors stand still, and the torture compares the files, the answers to a
fresh session and the answers to every open session.  After a failure the tree and the log are kept; tests/README.md says
how to read them.
"""

import argparse
import collections
import mmap
import os
import pathlib
import poplib
import random
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "run"), str(HERE.parent)]

from conftest import BUILD, IS_ROOT, PROGRAM, Server, Talk, until  # noqa: E402
from model import Broken, Disk, Model, View, WrongNumber, content, wire  # noqa: E402

FAULT = BUILD / "fault" / "sallyport"
FOLDERS = ("INBOX", "Work", "Archive/Old")
INDEX = ("sallyport.index", "sallyport.log", "sallyport.texts")
QUIET = 6.0           # seconds between two looks at everything
PATIENCE = 60         # seconds for an actor to finish its turn
DISK = "48m"
GONE = r"EXPUNGEISSUED|NONEXISTENT|gone|no longer|INUSE"
MANY = 400            # messages in a folder; the deliverer waits at that number, so that a long run stays fast
LOST = (ConnectionError, OSError, EOFError, ssl.SSLError, poplib.error_proto)


class Dropped(ConnectionError):
    """The connection ended, as it does after a kill."""


class Line(Talk):
    """A Talk that keeps the last lines for the report and raises Dropped when the connection ends."""

    def line(self):
        whole = b""
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise Dropped(repr(line))
            self.heard(line)
            m = re.search(rb"\{(\d+)\}\r\n$", line)
            whole += line if m else line[:-2]
            if not m:
                if whole.startswith(b"* BYE"):
                    raise Dropped(repr(whole))
                return whole
            literal = self.file.read(int(m[1]))
            if len(literal) < int(m[1]):
                raise Dropped("inside a literal")
            whole += literal

    def heard(self, line):
        self.__dict__.setdefault("lines", collections.deque(maxlen=20000)).append(b"S: " + line[:300].rstrip())

    def send(self, data):
        data = data if isinstance(data, bytes) else data.encode()
        self.heard(b"")
        self.lines[-1] = b"C: " + data[:300].rstrip()
        self.sock.sendall(data)


class Plan:
    """The plan of the layer (tests/fault/layer.h), in memory that every process of the server shares."""
    KINDS = (1, 2, 3, 4, 5, 6, 7)
    NAMES = ("none", "eio", "full", "filled", "files", "short", "torn", "death")

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(4096))
        path.chmod(0o600)
        with open(path, "r+b") as f:
            self.memory = mmap.mmap(f.fileno(), 4096)

    def arm(self, kind, at):
        self.disarm()
        self.memory[:24] = struct.pack("=6I", kind, 0, at, 0, 0, 1)
        self.memory[4:8] = struct.pack("=I", 1)

    def disarm(self):
        """Returns the name of the call that was hit, or None."""
        self.memory[4:8] = bytes(4)
        happened = struct.unpack("=I", self.memory[16:20])[0]
        return self.memory[24:56].split(b"\0")[0].decode() if happened else None


class Torture:
    def __init__(self, server, seed, say=print):
        self.server, self.seed, self.say = server, seed, say
        self.plan = Plan(server.dir / "plan")
        self.faults = 0        # armed and disarmed so often; odd while a fault may happen
        self.broken = 0.0      # the time when an actor last broke an index
        self.looked = 0.0      # the time when the last look at everything ended
        self.account = server.accounts["anna"]
        self.model = Model(FOLDERS)
        self.stop, self.resume, self.pausing = threading.Event(), threading.Event(), threading.Event()
        self.parked, self.lock = 0, threading.Lock()
        self.failure, self.kills, self.full, self.restarting = None, 0, 0, threading.Lock()
        self.returned = set()  # (folder, name): open sessions need not show these
        self.only = None       # names of the troubles to have; None: chosen at random
        self.actors, self.done = [], collections.Counter()
        self.states = {f: [] for f in FOLDERS}  # (modseq, {UID: flags}) to resync from

    def troubles(self):
        return self.full, self.faults

    def lately_broken(self):
        """True if an index was broken since the last look: that may end a session, or fail a command, since the
        server cannot know any more what it has told the client.  A look reads all of each index and so mends it."""
        return self.broken > self.looked

    def calm_since(self, before):
        """True if there was neither a full disk nor a fault since then, nor a broken index."""
        return before == self.troubles() and self.full % 2 == self.faults % 2 == 0 and not self.lately_broken()

    def nobody_killed(self, kills):
        """True if there was no kill since the count was so high; the count is odd during a kill."""
        return kills == self.kills and kills % 2 == 0

    def path(self, folder):
        return self.account.folder(None if folder == "INBOX" else folder)

    def add(self, kind, *args):
        name = f"{kind.__name__}{len(self.actors)}"
        self.actors.append(kind(self, name, random.Random(f"{self.seed}/{name}"), *args))

    def fail(self, actor, error):
        with self.lock:
            if self.failure is None:
                talk = getattr(error, "talk", None) or getattr(actor, "talk", None)
                lines = [x.decode("utf-8", "replace") for x in getattr(talk, "lines", ())]
                self.failure = (getattr(actor, "name", actor), error, lines)
        self.stop.set()
        self.resume.set()

    # --- the server ---

    def connect(self):
        """Returns a logged-in session.  Waits while master starts again."""
        end = time.monotonic() + PATIENCE
        while True:
            kills, faults = self.kills, self.faults
            try:
                s = socket.create_connection(("127.0.0.1", self.server.imaps), 30)
                talk = Line(self.context.wrap_socket(s, server_hostname="localhost"))
                talk.line()
                answer = talk.cmd(f"LOGIN anna {self.account.password}")
                if answer.ok:
                    talk.kills, talk.faults = kills, faults
                    return talk
                error = Broken(f"LOGIN: {answer}")
            except LOST as e:
                error = e
            if time.monotonic() > end or self.stop.is_set() and self.failure:
                raise Broken(f"no session within {PATIENCE} s") from error
            time.sleep(0.05)

    def start(self):
        """Starts the program that has the layer of tests/fault, while others already try to connect."""
        s = self.server
        s.log_file = open(s.log_path, "ab")
        s.process = subprocess.Popen([str(FAULT), "run", "-c", str(s.conf)], stdin=subprocess.DEVNULL,
                                     stdout=s.log_file, stderr=s.log_file,
                                     env={**os.environ, "SALLYPORT_FAULT": str(self.plan.path)})
        until(s.reachable, 20, "the server is there")

    def end_master(self):
        with self.restarting:
            pids = [self.server.process.pid, *self.server.children()]
            self.kills += 1
            self.server.process.kill()
            self.server.process.wait()
            until(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), 15, "nobody outlives master")
            self.start()
            self.kills += 1

    # --- pauses ---

    def running(self):
        """An actor calls this between two turns.  Waits while all stand still; returns False at the end of the run."""
        if self.pausing.is_set():
            with self.lock:
                self.parked += 1
            self.resume.wait(PATIENCE * 4)
        return not self.stop.is_set()

    def stand_still(self):
        self.resume.clear()
        self.pausing.set()
        end = time.monotonic() + PATIENCE
        while self.parked < len(self.actors):
            if self.failure:
                return False
            if time.monotonic() > end:
                busy = [a.name for a in self.actors if not a.resting]
                raise Broken(f"these hang: {busy}")
            time.sleep(0.01)
        time.sleep(1.5)  # until then a session may not see a change that fell into the moment of the server's own
        return True

    def go_on(self):
        self.parked = 0
        self.pausing.clear()
        self.resume.set()

    # --- what is compared ---

    def check(self, last=False):
        found = {}
        for folder in FOLDERS:
            found[folder] = self.check_folder(folder, last)
        self.model.check_all(found)
        for actor in self.actors:
            actor.check_view(self.fresh)
        self.done["looks"] += 1

    def check_folder(self, folder, last):
        talk = self.connect()
        view = View(talk, folder, self.model, self.parameters)
        if not view.selected:
            raise Broken(f"{folder}: SELECT: {talk.last}")
        more = "BODY.PEEK[]" if last else "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
        answer = view.cmd(f"UID FETCH 1:* (UID FLAGS RFC822.SIZE {more}{' MODSEQ' if self.parameters else ''})")
        disk = Disk(self.path(folder))
        self.model.check_disk(folder, disk.count)
        names = [view.name(u) for u in view.uids]
        if sorted(names) != sorted(disk.count):
            raise Broken(f"{folder}: a new session shows {sorted(set(names) - set(disk.count))} too much, "
                         f"not {sorted(set(disk.count) - set(names))}")
        sizes = {int(m[1]): int(m[2]) for m in answer.find(rb"UID (\d+) .*?RFC822\.SIZE (\d+)")}
        for uid, name in zip(view.uids, names):
            self.check_message(view, disk, uid, name, sizes.get(uid))
        if last:
            for line in answer.untagged:
                m = re.search(rb"UID (\d+) .*BODY\[\] \{\d+\}\r\n(.*)\)$", line, re.S)
                if m and m[2] != wire(content(view.name(int(m[1])))):
                    raise Broken(f"{folder}: UID {int(m[1])} is not what was delivered")
        self.check_resync(view)
        self.fresh[folder] = view
        talk.close()
        return disk.count

    def check_message(self, view, disk, uid, name, size):
        folder, flags = view.folder, view.flags[uid]
        marks = {f for f in flags if f.startswith("\\")}
        if marks != disk.flags[name]:
            raise Broken(f"{folder}: {name}: flags {marks}, the file's {disk.flags[name]}")
        named = {disk.keywords[c] for c in disk.letters[name] if c in disk.keywords}
        if not named <= flags:
            raise Broken(f"{folder}: {name}: keywords {flags}, the file's {named}")
        if size != disk.sizes[name]:
            raise Broken(f"{folder}: {name}: RFC822.SIZE {size}, not {disk.sizes[name]}")
        if self.parameters and not 0 < view.modseqs.get(uid, 0) <= view.highest:
            raise Broken(f"{folder}: {name}: MODSEQ {view.modseqs.get(uid)} and HIGHESTMODSEQ {view.highest}")
        if name in self.model.astray:
            return
        for keyword, value in self.model.keywords.get((folder, name), {}).items():
            if value is not None and (keyword in flags) != value:
                raise Broken(f"{folder}: {name}: {keyword} should be {value}: {sorted(flags)}")

    def check_resync(self, view):
        """A client that comes back from any of the kept earlier states must arrive at the state of now."""
        if not self.resyncs:
            return
        for modseq, state in self.states[view.folder]:
            talk = self.connect()
            if not talk.cmd("ENABLE QRESYNC").ok:
                raise Broken(f"ENABLE QRESYNC: {talk.last}")
            validity = self.model.validity[view.folder]
            again = View(talk, view.folder, self.model, f" (QRESYNC ({validity} {modseq}))", state=state)
            if again.uids != view.uids or again.state() != view.state() or again.exists != len(view.uids):
                raise Broken(f"{view.folder}: a resync from {modseq} differs in "
                             f"{sorted(set(again.state().items()) ^ set(view.state().items()))[:10]}; "
                             + " ".join(map(repr, list(talk.lines)[-60:])))
            talk.close()
            self.done["resyncs"] += 1
        kept = self.states[view.folder]
        kept.append((view.highest, view.state()))
        if len(kept) > 6:
            kept.pop(random.Random(f"{self.seed}/{self.done['looks']}").randrange(6))

    # --- the whole ---

    def choose_weather(self, rng):
        """Chooses the troubles until the next look.  With all of them at once each would excuse the others."""
        self.weather = [a.name for a in self.actors if a.trouble and rng.random() < 0.5]
        if self.only is not None:
            self.weather = [a.name for a in self.actors if type(a).__name__ in self.only]

    def learn_capabilities(self):
        talk = self.connect()
        capabilities = b" ".join(talk.cmd("CAPABILITY").untagged).split()
        self.parameters = " (CONDSTORE)" if b"CONDSTORE" in capabilities else ""
        self.resyncs = b"QRESYNC" in capabilities
        talk.close()

    def run(self, seconds):
        self.context, self.fresh = self.server.context(), {}
        self.learn_capabilities()
        end, rng = time.monotonic() + seconds, random.Random(f"{self.seed}/weather")
        self.choose_weather(rng)
        for actor in self.actors:
            actor.start()
        try:
            while not self.failure and time.monotonic() < end:
                self.stop.wait(min(QUIET, max(0.1, end - time.monotonic())))
                if not self.stand_still():
                    break
                self.check(last=time.monotonic() >= end)
                self.looked = time.monotonic()
                self.choose_weather(rng)
                self.go_on()
        except Exception as e:
            self.fail("a look at everything", e)
        self.stop.set()
        self.go_on()
        for actor in self.actors:
            actor.thread.join(PATIENCE)
        log = self.server.log()
        bad = re.search(r".*(Sanitizer|runtime error|forbidden system call|killed by signal (6|7|8|11|31)\b|"
                        r"all messages get new).*", log)
        if bad and not self.failure:
            self.fail("the log", Broken(bad[0]))
        return self.failure


# --- the actors ---

class Actor:
    pause = 0.01
    trouble = False  # True: has turns only when choose_weather() chose it

    def __init__(self, torture, name, rng):
        self.torture, self.name, self.rng, self.resting = torture, name, rng, True
        self.model, self.talk, self.view = torture.model, None, None

    def start(self):
        self.thread = threading.Thread(target=self.live, name=self.name, daemon=True)
        self.thread.start()

    def live(self):
        try:
            while self.torture.running():
                if not self.trouble or self.name in self.torture.weather:
                    self.resting = False
                    self.turn()
                    self.resting = True
                    self.torture.done[type(self).__name__] += 1
                time.sleep(self.rng.random() * 2 * self.pause)
        except Exception as e:
            self.torture.fail(self, e)

    def folder(self):
        return self.rng.choice(FOLDERS)

    def files(self, folder, *subs):
        return [p for sub in subs for p in (self.torture.path(folder) / sub).iterdir() if p.name[0] != "."]

    @staticmethod
    def name_of(path):
        """Returns the name of the message in a file, or None."""
        try:
            m = re.search(rb"Message-ID: <([^>]*)@x>", path.read_bytes())
            return m[1].decode() if m else None
        except OSError:
            return None

    def check_view(self, fresh):
        pass


class Deliverer(Actor):
    """A delivery agent: writes to tmp/, then links the file into new/."""
    count = 0

    def turn(self):
        self.count += 1
        name, folder = f"{self.name}.{self.count}", self.folder()
        if len(self.files(folder, "new", "cur")) > MANY:
            return
        base = f"{int(time.time())}.M{self.count}P{os.getpid()}Q{self.name}.mx"
        tmp = self.torture.path(folder) / "tmp" / base
        self.model.arriving(folder, name)
        try:
            tmp.write_bytes(content(name))
            self.torture.account.own(tmp)
            os.link(tmp, self.torture.path(folder) / "new" / base)
        except OSError:
            self.model.refused(folder, name)
        else:
            self.model.arrived(folder, name)
        tmp.unlink(missing_ok=True)


class Mua(Actor):
    """A mail program such as mutt: moves new mail to cur/, changes flags by rename, sometimes removes a message."""

    def turn(self):
        folder = self.folder()
        files = self.files(folder, "new", "cur")
        for path in self.rng.sample(files, min(3, len(files))):
            base, _, flags = path.name.partition(":2,")
            flags = set(flags) ^ {self.rng.choice("FRS")}  # the letters of keywords stay
            new = self.torture.path(folder) / "cur" / (base + ":2," + "".join(sorted(flags)))
            try:
                if not new.exists():
                    os.rename(path, new)
            except FileNotFoundError:
                pass
        remove = 3 if len(files) > MANY // 2 else self.rng.random() < 0.05
        for path in self.rng.sample(files, min(remove, len(files))):
            name = self.name_of(path)
            if name is not None and (folder, name) in self.model.places:
                self.model.leaving(folder, name)
                try:
                    path.unlink()
                except FileNotFoundError:
                    continue
                self.model.left(folder, name)


class Rsync(Actor):
    """Takes files away for a while and puts them back under their names."""
    pause = 0.2
    trouble = True

    def turn(self):
        folder, away = self.folder(), []
        files = self.files(folder, "cur")
        for path in self.rng.sample(files, min(4, len(files))):
            name, hidden = self.name_of(path), self.torture.path(folder) / "tmp" / (path.name + ".away")
            if name is None:
                continue
            with self.model.lock:
                self.model.astray.add(name)
                self.torture.returned.add((folder, name))
            try:
                os.rename(path, hidden)
                away.append((hidden, path))
            except FileNotFoundError:
                pass
        time.sleep(self.rng.random() * 0.4)
        for hidden, path in away:
            os.rename(hidden, path)


class Filler(Actor):
    """Fills the disk for a moment."""
    pause = 1.0
    trouble = True

    def turn(self):
        ballast = self.torture.account.maildir / "ballast"
        self.torture.full += 1
        try:
            with open(ballast, "wb", buffering=0) as f:
                for size in (1 << 20, 4096):
                    try:
                        while True:
                            f.write(bytes(size))
                    except OSError:
                        pass
                time.sleep(self.rng.random() * 0.4)
        finally:
            ballast.unlink(missing_ok=True)
            self.torture.full += 1


class Breaker(Actor):
    """Removes, cuts or overwrites files of an index, or puts an old copy back."""
    pause = 0.15
    trouble = True

    def __init__(self, *args):
        super().__init__(*args)
        self.old = {}

    def turn(self):
        path = self.torture.path(self.folder()) / self.rng.choice(INDEX)
        what = self.rng.choice(("remove", "cut", "empty", "garbage", "zero", "keep", "old"))
        try:
            size = path.stat().st_size
            if what == "remove":
                path.unlink()
            elif what in ("cut", "empty"):
                os.truncate(path, self.rng.randrange(size + 1) if what == "cut" else 0)
            elif what in ("garbage", "zero") and size:
                with open(path, "r+b") as f:
                    f.seek(self.rng.randrange(size))
                    n = self.rng.choice((1, 8, 64, 4096))
                    f.write(self.rng.randbytes(n) if what == "garbage" else bytes(n))
            elif what == "keep":
                self.old[path] = path.read_bytes()
            elif path in self.old:
                path.write_bytes(self.old[path])
                self.torture.account.own(path)
        except OSError:
            return  # the file is missing at the moment, or the disk is full
        self.torture.done[what] += 1
        if what != "keep":
            self.torture.broken = time.monotonic()


class Killer(Actor):
    """Kills workers, readers, the key process and, now and then, master."""
    pause = 0.3
    trouble = True

    def turn(self):
        title = self.rng.choice(("worker", "worker", "reader", "reader", "reader", "reader", "key"))
        if self.rng.random() < 0.04:
            self.torture.end_master()
            self.torture.done["master killed"] += 1
            return
        pids = [p for p, (_, args) in self.torture.server.children().items() if f"sallyport: {title}" in args]
        if not pids:
            return
        self.torture.kills += 1
        try:
            os.kill(self.rng.choice(sorted(pids)), signal.SIGKILL)
            self.torture.done[f"{title} killed"] += 1
        except ProcessLookupError:
            pass
        time.sleep(0.5 if title == "key" else 0.1)  # handshakes fail until a new key process is there
        self.torture.kills += 1


class Faulter(Actor):
    """Makes a call into the file system fail, in whichever reader gets there, or kills that reader at the call."""
    pause = 0.2
    trouble = True

    def turn(self):
        t = self.torture
        kind, at = self.rng.choice(t.plan.KINDS), self.rng.randrange(1, 300)
        t.faults += 1
        t.plan.arm(kind, at)
        time.sleep(self.rng.random() * 0.2)
        happened = t.plan.disarm()
        t.faults += 1
        if happened:
            t.done[f"fault {t.plan.NAMES[kind]}"] += 1


class Session(Actor):
    """An IMAP client.  It connects again when its connection ends."""

    def turn(self):
        self.calm = self.torture.troubles()
        try:
            if self.talk is None:
                self.talk = self.torture.connect()
                self.view = None
            if self.view is None:
                view = View(self.talk, self.folder(), self.model, self.select())
                self.accept(self.talk.last, "SELECT")
                self.view = view if view.selected else None
                return
            answer = self.view.learn()
            if answer is None or answer.ok:
                self.work()
        except LOST as e:
            self.dropped(e)
        except WrongNumber:
            # An old copy of an index, written over it, is believed until the next change of the folder (index_read.c).
            if not self.torture.lately_broken():
                raise
            self.torture.done["old index believed"] += 1
            self.talk.close()
            self.talk = self.view = None

    def select(self):
        return self.torture.parameters if self.rng.random() < 0.5 else ""

    def accept(self, answer, what):
        """A NO needs a full disk, a fault or a missing message as its reason; a BAD is always wrong."""
        if answer.ok:
            return True
        # The server is about to end a session to which it cannot tell what became of its mailbox.
        ending = (self.torture.returned and "came back" in answer.text
                  or self.torture.lately_broken() and "rebuilt" in answer.text)
        if answer.bad or not ending and self.torture.calm_since(self.calm) and not re.search(GONE, answer.text):
            raise Broken(f"{what}: {answer}")
        self.torture.done["NO"] += 1
        return False

    def dropped(self, error):
        if isinstance(error, TimeoutError):
            raise Broken("no answer in 30 s") from error
        t = self.torture
        talk = self.talk
        # The server may have sent the reason while this client did not read.
        said = "BYE" in str(error)
        anew = ("rebuilt" in str(error) or not said) and t.lately_broken()
        anew = anew or ("came back" in str(error) or not said) and t.returned
        if (talk is not None and not anew and t.nobody_killed(talk.kills)
                and t.faults == talk.faults and t.faults % 2 == 0):
            raise Broken(f"the connection ended, and nobody was killed: {error}") from error
        try:
            if self.talk is not None:
                self.talk.close()
        except OSError:
            pass
        self.talk = self.view = None
        self.torture.done["dropped"] += 1

    def check_view(self, fresh):
        """The mailbox as this client knows it must be the mailbox that a fresh session reads."""
        if self.view is None:
            return
        try:
            for _ in range(2):
                self.view.cmd("NOOP")
                self.view.learn()
                # A session compares the times of its index when it has the lock: what was broken before ends it now.
                uid = next((u for u in reversed(self.view.uids) if u is not None), None)
                if uid is not None:
                    self.view.cmd(f"UID STORE {uid} +FLAGS.SILENT ()")
        except LOST as e:
            self.dropped(e)
            return
        now = fresh[self.view.folder]
        difference = self.difference(now)
        if difference is not None:
            time.sleep(1.5)
            self.view.cmd("NOOP")
            late = self.difference(now) is None
            heard = " ".join(map(repr, list(self.talk.lines)[-30:]))
            error = Broken(f"{self.name} in {now.folder}{' for a second' if late else ''}: {difference}: {heard}")
            error.talk = self.talk
            raise error
        self.torture.done["views"] += 1

    def difference(self, now):
        missing = [u for u in now.uids if u not in self.view.uids
                   and (now.folder, now.name(u)) not in self.torture.returned]
        extra = [u for u in self.view.uids if u not in now.uids]
        other = {u: (self.view.flags.get(u), now.flags[u]) for u in now.uids
                 if u in self.view.uids and self.view.flags.get(u) != now.flags[u]}
        return f"missing {missing}, too much {extra}, flags {other}" if missing or extra or other else None


class Watcher(Session):
    """Only looks, by NOOP and IDLE."""
    pause = 0.05

    def work(self):
        if self.rng.random() < 0.5:
            self.accept(self.view.cmd("NOOP"), "NOOP")
            return
        tag = self.talk.start("IDLE")
        line = self.talk.line()
        while not line.startswith(b"+"):
            self.view.take(line, "IDLE")
            line = self.talk.line()
        time.sleep(self.rng.random() * 0.2)
        self.talk.send("DONE\r\n")
        for line in self.talk.finish(tag).untagged:
            self.view.take(line, "IDLE")


class Client(Session):
    """Marks, appends, copies, moves, expunges, and changes folders."""

    def __init__(self, *args):
        super().__init__(*args)
        self.count = 0

    def work(self):
        choice = self.rng.choice(("noop", "mark", "mark", "keyword", "keyword", "append", "append", "copy", "move",
                                  "expunge", "change", "fetch", "search", "status"))
        getattr(self, choice)()

    def pick(self, most):
        """Returns up to so many messages of the view: UID -> name."""
        known = [u for u in self.view.uids if u is not None and self.view.name(u)]
        return {u: self.view.name(u) for u in self.rng.sample(known, min(most, len(known)))}

    def cmd(self, command, *literals):
        return self.accept(self.view.cmd(command, *literals), command)

    def noop(self):
        self.cmd("NOOP")

    def mark(self):
        flags = self.rng.choice((r"\Seen", r"\Flagged", r"\Answered", r"\Seen \Flagged", r"\Draft"))
        sign = self.rng.choice("+-")
        if self.view.uids and self.rng.random() < 0.3:
            first = self.rng.randint(1, len(self.view.uids))
            self.cmd(f"STORE {first}:* {sign}FLAGS ({flags})")
        elif uids := self.pick(8):
            self.cmd(f"UID STORE {','.join(map(str, uids))} {sign}FLAGS ({flags})")

    def keyword(self):
        """Sets keywords that no other client uses, so they must stay.  All clients together use more than 26."""
        keyword, sign = f"${self.name}-{self.rng.randrange(6)}", self.rng.choice("++-")
        uids = self.pick(3)
        if not uids:
            return
        for name in uids.values():
            self.model.set_keyword(self.view.folder, name, keyword, None)
        if self.cmd(f"UID STORE {','.join(map(str, uids))} {sign}FLAGS ({keyword})"):
            for uid, name in uids.items():
                if uid in self.view.uids and self.view.flags.get(uid) is not None:
                    self.model.set_keyword(self.view.folder, name, keyword, keyword in self.view.flags[uid])

    def append(self):
        self.count += 1
        name, folder = f"{self.name}.{self.count}", self.folder()
        text = wire(content(name))
        self.model.arriving(folder, name)
        answer = self.view.cmd(f'APPEND "{folder}" {{{len(text)}}}', text)
        if self.accept(answer, "APPEND"):
            m = re.match(r"\[APPENDUID (\d+) (\d+)\]", answer.text)
            self.model.saw_validity(folder, int(m[1]))
            self.model.arrived(folder, name, int(m[2]))
        else:
            self.model.refused(folder, name, f"APPEND: {answer}")

    def transfer(self, verb):
        uids, target = self.pick(4), self.rng.choice([f for f in FOLDERS if f != self.view.folder])
        uids = {u: n for u, n in uids.items() if self.model.arriving(target, n)}
        if not uids:
            return
        for name in uids.values():
            self.model.copies.add((target, name))
            if verb == "MOVE":
                self.model.leaving(self.view.folder, name, moved=True)
        answer = self.view.cmd(f'UID {verb} {",".join(map(str, uids))} "{target}"')
        ok = self.accept(answer, verb)
        text = answer.text + " ".join(u.decode("utf-8", "replace") for u in answer.untagged)
        m = re.search(r"\[COPYUID (\d+) ([0-9:,]+) ([0-9:,]+)\]", text)
        went = dict(zip(numbers(m[2]), numbers(m[3]))) if m else {}
        for uid, name in uids.items():
            if uid in went:
                self.model.arrived(target, name, went[uid])
                if ok and verb == "MOVE":
                    self.model.left(self.view.folder, name, f"{verb} {uid}: {answer}")
            else:
                self.model.refused(target, name, f"{verb} {uid}: {answer}")

    def copy(self):
        self.transfer("COPY")

    def move(self):
        self.transfer("MOVE")

    def expunge(self):
        for uid, name in self.pick(1).items():
            self.model.leaving(self.view.folder, name)
            if self.cmd(rf"UID STORE {uid} +FLAGS (\Deleted)") and self.cmd(f"UID EXPUNGE {uid}"):
                self.model.left(self.view.folder, name, f"EXPUNGE {uid}: {self.talk.last}")
                # While a directory never stands still the server may report the EXPUNGE later.
                self.torture.done["EXPUNGE told late"] += uid in self.view.uids

    def change(self):
        self.view = None

    def fetch(self):
        if not self.view.uids:
            return
        self.cmd("FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE BODYSTRUCTURE INTERNALDATE)")
        for uid, name in self.pick(2).items():
            answer = self.view.cmd(f"UID FETCH {uid} (UID BODY.PEEK[])")
            for m in answer.find(rb"BODY\[\] \{\d+\}\r\n(.*)\)$"):
                if m[1] != wire(content(name)):
                    raise Broken(f"{self.view.folder}: UID {uid} is not what was delivered as {name}")

    def search(self):
        self.cmd(self.rng.choice((
            "UID SEARCH NOT SEEN", "UID SEARCH SUBJECT 0.5", "SEARCH FLAGGED", "SEARCH LARGER 500")))

    def status(self):
        folder = self.folder()
        self.cmd(f'STATUS "{folder}" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)')


def numbers(text):
    """The UIDs of a UID set, in its order."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        low, high = int(first), int(last or first)
        found += range(low, high + 1) if low <= high else range(low, high - 1, -1)
    return found


class Pop(Actor):
    """A POP3 client.  A UIDL must mean the same message for ever.  It deletes some messages."""
    pause = 0.1

    def turn(self):
        calm, kills = self.torture.troubles(), self.torture.kills
        try:
            p = poplib.POP3_SSL("localhost", self.torture.server.pop3s, timeout=30, context=self.torture.context)
            p.user("anna")
            p.pass_(self.torture.account.password)
            self.session(p)
        except poplib.error_proto as e:
            if "IN-USE" not in str(e) and self.torture.calm_since(calm) and self.torture.nobody_killed(kills):
                raise Broken(f"POP3: {e}") from e
        except LOST as e:
            if self.torture.nobody_killed(kills) and self.torture.calm_since(calm):
                raise Broken(f"POP3: the connection ended, and nobody was killed: {e}") from e

    def session(self, p):
        listed = [line.split() for line in p.uidl()[1]]
        chosen = []
        for n, uidl in self.rng.sample(listed, min(4, len(listed))):
            try:
                text = b"\r\n".join(p.retr(int(n))[1]) + b"\r\n"
            except poplib.error_proto:
                continue  # removed meanwhile
            name = re.search(rb"Message-ID: <([^>]*)@x>", text)[1].decode()
            if text != wire(content(name)):
                raise Broken(f"POP3: {uidl} is not what was delivered as {name}")
            self.model.saw_uidl(uidl, name)
            chosen.append((int(n), name))
        if self.rng.random() < 0.3 and chosen:
            n, name = chosen[0]
            self.model.leaving("INBOX", name)
            p.dele(n)
            p.quit()
            self.model.left("INBOX", name)
        elif self.rng.random() < 0.5:
            p.quit()
        else:
            p.close()


# --- a run ---

def mount(account):
    """Mounts a small disk for the Maildir, so that it can run full.  Returns False if that cannot be done."""
    if not IS_ROOT:
        return False
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", account.maildir])
    if r.returncode == 0:
        account.make()
    return r.returncode == 0


def populate(torture):
    for actor in (Deliverer, Mua, Rsync, Breaker, Killer, Faulter, Pop, Pop):
        torture.add(actor)
    for actor in (Client, Client, Client, Client, Watcher, Watcher, Watcher):
        torture.add(actor)


def run(server, seconds, seed, say=print, only=None):
    """Runs on a server that is not started yet.  Returns None, or in words what is wrong; then the tree is kept."""
    account = server.accounts["anna"]
    mounted = mount(account)
    try:
        for folder in FOLDERS[1:]:
            account.make_folder(folder)
        torture = Torture(server, seed, say)
        torture.only = only
        populate(torture)
        if mounted:
            torture.add(Filler)
        torture.start()
        failure = torture.run(seconds)
        say(", ".join(f"{k} {v}" for k, v in sorted(torture.done.items())))
        if failure is None:
            return None
        kept = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-torture."))
        shutil.copytree(account.maildir, kept / "Maildir", symlinks=True, copy_function=shutil.copy2)
        shutil.copy(server.log_path, kept / "log")
        (kept / "said").write_text("\n".join([*map(str, failure[:2]), *failure[2]]) + "\n")
        noticed = [line for line in server.log().splitlines() if " notice " in line]
        return (f"seed {seed}: {failure[0]}: {failure[1]!r}\nwith {torture.weather}\nkept: {kept}\n"
                + "\n".join(noticed[-6:] + failure[2][-12:]))
    finally:
        if mounted:
            subprocess.run(["umount", "-l", account.maildir], check=True)


def settings():
    return {"make_special_folders": "no", "max_per_address": "1000", "max_before_login": "1000"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--only", type=lambda s: s.split(","), help="troubles: Rsync,Breaker,Killer,Faulter,Filler")
    args = parser.parse_args()
    print(f"torture: seed {args.seed}, {args.seconds:g} s", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test."))
    certificates = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-certs."))
    for d in (directory, certificates):
        d.chmod(0o755)
    (directory / "home").mkdir()
    for what in (["ca"], ["server", "localhost", "127.0.0.1", "::1"]):
        subprocess.run([PROGRAM, "cert", *what], cwd=certificates, check=True, capture_output=True)
    server = Server(directory, settings(), {"anna": "sesame"}, certificates)
    try:
        failure = run(server, args.seconds, args.seed, only=args.only)
    finally:
        server.stop()
        shutil.rmtree(certificates)
        shutil.rmtree(directory, ignore_errors=True)
    print(f"torture: {failure}" if failure else "torture: all is well")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
