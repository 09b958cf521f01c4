"""A deliverer, a mail program that renames, an rm and POP3 clients at once on the same Maildirs."""

import os
import poplib
import random
import threading
import time

SECONDS = 6


class Storm:
    def __init__(self, server, account):
        self.server, self.account, self.end = server, account, time.monotonic() + SECONDS
        self.delivered, self.removed = {}, {}  # numbers; removed by rm or by a client, and from when on
        self.seen = {}                         # UIDL -> number
        self.missed = []                       # numbers that a session did not find, and when
        self.errors, self.sessions, self.kept, self.in_use = [], 0, 0, 0
        self.lock = threading.Lock()

    def running(self):
        return time.monotonic() < self.end

    def guard(self, work):
        def run():
            rng = random.Random(work.__name__ + self.account.name)
            while self.running() and not self.errors:
                try:
                    work(rng)
                except Exception as e:  # told in the test's own thread
                    self.errors.append(f"{work.__name__}: {e!r}")
        return run

    def deliver(self, rng):
        n = len(self.delivered)
        with self.lock:
            self.delivered[n] = self.account.deliver(b"Subject: %d\n\n" % n + b"line\n" * rng.randrange(50),
                                                     f"{1000000 + n}.M{n}.storm")
        time.sleep(rng.random() / 100)

    def mutt(self, rng):
        """Moves new mail to cur and changes flags, by rename, as a MUA does."""
        for sub in ("new", "cur"):
            for name in rng.sample(names := os.listdir(self.account.maildir / sub), min(5, len(names))):
                base = name.split(":")[0]
                flags = "".join(f for f in "FRS" if rng.random() < 0.5)
                try:
                    os.rename(self.account.maildir / sub / name, self.account.maildir / "cur" / f"{base}:2,{flags}")
                except FileNotFoundError:
                    pass
        time.sleep(rng.random() / 100)

    def rm(self, rng):
        names = os.listdir(self.account.maildir / "cur")
        if names and rng.random() < 0.5:
            name, now = rng.choice(names), time.monotonic()
            try:
                (self.account.maildir / "cur" / name).unlink()
                with self.lock:
                    self.removed.setdefault(int(name.split(".M")[1].split(".")[0]), now)
            except FileNotFoundError:
                pass
        time.sleep(rng.random() / 20)

    def login(self):
        """A session and the UIDLs that it must show, or None."""
        with self.lock:
            known = dict(self.seen)
        try:
            return self.server.login(self.account.name), known
        except poplib.error_proto as e:
            assert "IN-USE" in str(e), e
            self.in_use += 1
            time.sleep(0.05)
            return None, None

    def miss(self, numbers):
        with self.lock:
            self.missed += [(number, time.monotonic()) for number in numbers]

    def look(self, p, known, rng, most):
        """Reads some messages: a UIDL must always have the same one."""
        listed = [line.split() for line in p.uidl()[1]]
        assert len({u for _, u in listed}) == len(listed)
        self.miss(known[uidl] for uidl in known.keys() - {u for _, u in listed})
        found = {}
        for n, uidl in rng.sample(listed, min(most, len(listed))):
            try:
                text = p.retr(int(n))[1]
            except poplib.error_proto:
                self.miss([known[uidl]] if uidl in known else [])
                continue
            number = int(text[0].split()[1])
            with self.lock:
                assert self.seen.setdefault(uidl, number) == number, "a UIDL was used for two messages"
            found[int(n)] = number
        return found

    def client_that_keeps(self, rng):
        p, known = self.login()
        if p is not None:
            found = self.look(p, known, rng, 10)
            if self.kept % 20 == 0:
                time.sleep(1.5)  # the other client is told [IN-USE]; the names of the files change meanwhile
                self.again(p, found)
            self.kept += 1
            p.quit()
            self.sessions += 1

    def again(self, p, found):
        for n, number in found.items():
            try:
                assert int(p.retr(n)[1][0].split()[1]) == number
            except poplib.error_proto:
                self.miss([number])

    def client_that_deletes(self, rng):
        p, known = self.login()
        if p is None:
            return
        chosen = dict(list(self.look(p, known, rng, 6).items())[:3])
        for n in chosen:
            p.dele(n)
        if rng.random() < 0.3:
            p.close()  # without QUIT: nothing is removed
            return
        with self.lock:
            for number in chosen.values():
                self.removed.setdefault(number, time.monotonic())
        assert p.quit().startswith(b"+OK"), "what rm took is no failure"
        self.sessions += 1

    def threads(self):
        return [threading.Thread(target=self.guard(w)) for w in (
            self.deliver, self.mutt, self.rm, self.client_that_keeps, self.client_that_deletes)]


def settle(storm):
    p = storm.server.login(storm.account.name)
    found = {}
    for line in p.uidl()[1]:
        n, uidl = line.split()
        number = int(p.retr(int(n))[1][0].split()[1])
        assert storm.seen.setdefault(uidl, number) == number
        assert number not in found, "a message was doubled"
        found[number] = uidl
    p.quit()
    return found


def test_nothing_is_lost_doubled_or_renumbered(serve):
    server = serve({"max_per_address": "1000", "max_before_login": "1000"})
    storms = [Storm(server, account) for account in server.accounts.values()]
    threads = [t for s in storms for t in s.threads()]
    for t in threads:
        t.start()
    for t in threads:
        t.join(SECONDS + 60)
    for s in storms:
        assert not s.errors, s.errors
        found = settle(s)
        assert set(found) == set(s.delivered) - set(s.removed), "lost, or come back"
        assert [n for n, when in s.missed if s.removed.get(n, when) >= when] == [], "not served though it was there"
        on_disk = [int(name.split(".M")[1].split(".")[0]) for name in s.account.files()]
        assert sorted(on_disk) == sorted(found), "doubled, or lost, on disk"
        numbers = list(s.seen.values())
        assert len(numbers) == len(set(numbers)), "a message had two UIDLs"
        assert len(s.delivered) > 50 and s.sessions > 10 and s.removed and s.in_use, "the storm was one"
