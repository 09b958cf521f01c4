"""The model: what must be true of a Maildir on which many work at once, and a mailbox as a client knows it.

A message has a name ("mx.12"); its text follows from the name.  A place is a folder and a name.  A message comes to a
place once and leaves it once, so the model knows for each place how many files must be there and how many may be.
"""

import os
import random
import re
import threading

MARKS = {"F": r"\Flagged", "R": r"\Answered", "S": r"\Seen", "T": r"\Deleted", "D": r"\Draft"}
ID = re.compile(rb"Message-ID: <([^>]*)@x>", re.I)


class Broken(AssertionError):
    """A rule of the model does not hold."""


class WrongNumber(Broken):
    """The server's message numbers are not those of the client."""


def content(name):
    """A message's text, with LF."""
    rng = random.Random(name)
    lines = rng.choice((0, 1, 3, 10, 40, 400))
    return (f"From: {name}@example.org\nTo: anna@localhost\nMessage-ID: <{name}@x>\n"
            f"Subject: {rng.random()}\n\n" + "".join(f"{rng.random()} of {name}\n" for _ in range(lines))).encode()


def wire(text):
    return text.replace(b"\n", b"\r\n")


class Model:
    def __init__(self, folders):
        self.folders, self.lock = folders, threading.RLock()
        self.places = {}      # (folder, name) -> [least, most]
        self.removals = set() # names of messages that an actor has begun to remove from some folder
        self.astray = set()   # names of messages whose files were away for a while, or got other flags meanwhile
        self.why = {}         # (folder, name) -> why no file may be there
        self.names = {}       # (folder, UID) -> name
        self.uids = {}        # (folder, name) -> UID
        self.uidls = {}       # POP3's UIDL -> name
        self.validity, self.modseq = {}, {}
        self.keywords = {}    # (folder, name) -> {keyword: True, False, or None: it may be either}
        self.copies = set()   # places whose messages came by COPY or MOVE, with keywords of another place

    # --- messages come and go ---

    def arriving(self, folder, name):
        """Call before a message comes.  Returns False if the message is there, was there, or is on its way."""
        with self.lock:
            if (folder, name) in self.places:
                return False
            self.places[folder, name] = [0, 1]
            return True

    def arrived(self, folder, name, uid=None, at=None):
        with self.lock:
            place = self.places[folder, name]
            place[0] = place[1]  # another actor may have removed it already
            if name in self.removals:
                place[0] = 0
        if uid is not None:
            self.saw(folder, uid, name)

    def refused(self, folder, name, why=""):
        with self.lock:
            self.places[folder, name] = [0, 0]
            self.why[folder, name] = f"refused: {why}"

    def leaving(self, folder, name, moved=False):
        with self.lock:
            self.places[folder, name][0] = 0
            if not moved:
                self.removals.add(name)

    def left(self, folder, name, why=""):
        """The message is gone for good, unless a program holds the file and puts it back."""
        with self.lock:
            if name not in self.astray:
                self.places[folder, name] = [0, 0]
                self.why[folder, name] = f"left: {why}"

    # --- what was seen ---

    def saw(self, folder, uid, name):
        with self.lock:
            if self.names.setdefault((folder, uid), name) != name:
                raise Broken(f"{folder}: UID {uid} is {name} and was {self.names[folder, uid]}")
            before = self.uids.setdefault((folder, name), uid)
            if before == uid:
                return
            # The server drops lines of dovecot-uidlist whose files are away once there are many.
            if name not in self.astray or uid < before:
                raise Broken(f"{folder}: {name} has UID {uid} and had {before}")
            self.uids[folder, name] = uid

    def saw_uidl(self, uidl, name):
        with self.lock:
            if self.uidls.setdefault(uidl, name) != name:
                raise Broken(f"UIDL {uidl} is {name} and was {self.uidls[uidl]}")

    def saw_validity(self, folder, validity):
        with self.lock:
            if self.validity.setdefault(folder, validity) != validity:
                raise Broken(f"{folder}: UIDVALIDITY is {validity} and was {self.validity[folder]}")

    def saw_modseq(self, folder, modseq, floor):
        """floor: the highest that was known before the client asked."""
        with self.lock:
            if modseq < floor:
                raise Broken(f"{folder}: HIGHESTMODSEQ has fallen from {floor} to {modseq}")
            self.modseq[folder] = max(modseq, self.modseq.get(folder, 0))

    def set_keyword(self, folder, name, keyword, value):
        with self.lock:
            if (folder, name) not in self.copies:
                self.keywords.setdefault((folder, name), {})[keyword] = value

    # --- the end ---

    def check_disk(self, folder, found):
        """found: name -> number of files."""
        for (where, name), (least, most) in self.places.items():
            n = found.get(name, 0)
            if where == folder and n == 1 and most == 0 and name in self.astray:
                self.places[where, name] = [0, 1]  # the file was away when its message was expunged, and is back
                continue
            if where == folder and not least <= n <= most:
                raise Broken(f"{folder}: {name} is there {n} times, not {least} to {most}; "
                             f"{self.why.get((folder, name), '')}")
        unknown = [n for n in found if (folder, n) not in self.places]
        if unknown:
            raise Broken(f"{folder}: nobody put these there: {unknown}")

    def check_all(self, found):
        """found: folder -> {name: number}.  A message that no actor removed is somewhere, whatever a MOVE did."""
        for name in {n for (_, n), (_, most) in self.places.items() if most} - self.removals:
            if any(p[0] for (_, n), p in self.places.items() if n == name):
                continue
            ever = [f for (f, n) in self.uids if n == name]
            if ever and not any(f.get(name) for f in found.values()):
                raise Broken(f"{name} is lost; it was in {ever}")


class Disk:
    """The files of a folder."""

    def __init__(self, path):
        self.flags, self.count, self.letters, self.sizes = {}, {}, {}, {}
        for sub in ("new", "cur"):
            for entry in os.scandir(path / sub):
                text = open(entry.path, "rb").read()
                m = ID.search(text)
                name = m[1].decode() if m else ""
                if not m or text != content(name):
                    raise Broken(f"{entry.path} is not what was delivered")
                info = entry.name.partition(":2,")[2]
                self.count[name] = self.count.get(name, 0) + 1
                self.flags[name] = {MARKS[c] for c in info if c in MARKS}
                self.letters[name] = {c for c in info if c.islower()}
                self.sizes[name] = len(wire(text))
        self.keywords = {}
        file = path / "dovecot-keywords"
        for line in file.read_text().splitlines() if file.exists() else []:
            number, _, keyword = line.partition(" ")
            if number.isdigit() and int(number) < 26:
                self.keywords[chr(ord("a") + int(number))] = keyword


class View:
    """The selected mailbox as the client knows it from the answers: UIDs by message number, and flags."""

    def __init__(self, talk, folder, model, parameters="", verb="SELECT", state=None):
        self.talk, self.folder, self.model = talk, folder, model
        self.uids, self.flags, self.modseqs = [], {}, {}
        self.highest, self.resync = None, state is not None
        if self.resync:  # what the client knew of it before
            self.uids, self.flags = sorted(state), dict(state)
        self.floor = model.modseq.get(folder, 0)
        answer = self.cmd(f'{verb} "{folder}"{parameters}')
        self.selected = answer.ok
        self.resync = False

    def cmd(self, command, *literals):
        answer = self.talk.cmd(command, *literals)
        for line in answer.untagged:
            self.take(line, command)
        return answer

    def must(self, condition, line, what):
        if not condition:
            raise WrongNumber(f"{self.folder}: {what}: {line[:300]!r}; {len(self.uids)} messages")

    def take(self, line, command=""):
        m = re.match(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)", line)
        if m:
            getattr(self, "take_" + m[2].decode().lower())(int(m[1]), line, command)
            return
        m = re.match(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)", line)
        if m:
            self.take_vanished(m[2], bool(m[1]), line)
        m = re.match(rb"\* OK \[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]", line)
        if m and m[1] == b"UIDVALIDITY":
            self.model.saw_validity(self.folder, int(m[2]))
        elif m:
            self.highest = int(m[2])
            if command.startswith(("SELECT", "EXAMINE")):
                self.model.saw_modseq(self.folder, self.highest, self.floor)

    def take_exists(self, n, line, command):
        if self.resync:  # the number of messages; VANISHED and FETCH say which they are
            self.exists = n
            return
        self.must(n >= len(self.uids), line, "EXISTS never takes away")
        self.uids += [None] * (n - len(self.uids))

    def take_expunge(self, n, line, command):
        self.must(1 <= n <= len(self.uids), line, "no such message")
        self.must(not re.match(r"(FETCH|STORE|SEARCH)", command), line, "numbers were in use")
        del self.uids[n - 1]

    def take_vanished(self, text, earlier, line):
        gone = set()
        for part in text.split(b","):
            first, _, last = part.partition(b":")
            low, high = sorted((int(first), int(last or first)))
            gone |= {u for u in self.uids if u is not None and low <= u <= high}
        if not earlier:
            self.must(gone, line, "none of these was there")
        self.uids = [u for u in self.uids if u not in gone]

    def take_fetch(self, n, line, command):
        m = re.search(rb"UID (\d+)", line)
        if self.resync:
            self.must(m, line, "FETCH without UID")
            if int(m[1]) not in self.uids:
                self.uids = sorted(self.uids + [int(m[1])])
        else:
            self.must(1 <= n <= len(self.uids), line, "no such message")
            if m:
                self.must(self.uids[n - 1] in (None, int(m[1])), line, f"number {n} is UID {self.uids[n - 1]}")
                self.uids[n - 1] = int(m[1])
                known = [u for u in self.uids if u is not None]
                self.must(known == sorted(set(known)), line, "UIDs do not rise")
        uid = int(m[1]) if m else self.uids[n - 1]
        if uid is None:
            return
        found = ID.search(line)
        if found:
            self.model.saw(self.folder, uid, found[1].decode())
        found = re.search(rb"FLAGS \(([^)]*)\)", line)
        if found:
            self.flags[uid] = frozenset(f.decode() for f in found[1].split()) - {r"\Recent"}
        found = re.search(rb"MODSEQ \((\d+)\)", line)
        if found:
            self.modseqs[uid] = int(found[1])

    def learn(self):
        """Asks for UIDs, names and flags of the new messages.  Returns None if there are none."""
        first = next((i for i, u in enumerate(self.uids) if u is None), None)
        if first is None:
            return None
        start = self.uids[first - 1] + 1 if first else 1
        return self.cmd(f"UID FETCH {start}:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")

    def name(self, uid):
        return self.model.names.get((self.folder, uid))

    def state(self):
        return {u: self.flags.get(u) for u in self.uids if u is not None}
