"""bench.py PROGRAM: sallyport beside Debian's Dovecot, in one run, alternating: the same certificate, users,
passwords and mail, POP3 over TLS on loopback.

    make bench            or: /usr/bin/python3 tests/bench/bench.py build/sallyport
    --tls 1.2             both with TLS 1.2 at most; otherwise each as it comes
    --shared              Dovecot with processes that serve many connections, as its manual suggests for speed
    --only WORD           only measures whose name has this word

wall: what the client waited.  CPU: user and system time of all of the server's processes; the client's own is
in neither.  The ratio is sallyport to Dovecot: below 1.00 sallyport needs less.  No figure makes this fail; a
wrong answer does.  As root the processes have their real uids; otherwise sallyport is measured alone.
"""

import argparse
import collections
import multiprocessing
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

from client import Misbehaved, Session, expect
from servers import IS_ROOT, Dovecot, Sallyport, Watch, message

PASSWORD = "sesame"
SESSIONS, PARALLEL = 60, 4
ORDINARY = 100  # messages of an ordinary mailbox
IDLE = 50
BULK, BULK_SIZE = 2000, 8192
BIG_SIZE = 50 << 20
MANY, NEW, SMALL = 50000, 20000, 600
ROUNDS = 3
IDLE_USERS = [f"user{i}" for i in range(IDLE)]
USERS = [*IDLE_USERS, "bulk", "big", "many", "new"]


class Table:
    def __init__(self, servers):
        self.servers = servers
        print(f"\n{'':50}{'wall':>25}{'CPU':>28}")
        print(f"{'':50}" + f"{'sallyport':>10}{'Dovecot':>9}{'ratio':>7}  " * 2)

    @staticmethod
    def three(values, form):
        text = [format(v, form) for v in values]
        ratio = f"{values[0] / values[1]:.2f}" if len(values) == 2 and values[1] else "-"
        return f"{text[0]:>10}{text[1] if len(text) == 2 else '-':>9}{ratio:>7}  "

    def times(self, name, watches, n):
        """Milliseconds for each of n."""
        walls = [watches[s].wall * 1000 / n for s in self.servers]
        cpus = [watches[s].cpu * 1000 / n for s in self.servers]
        print(f"{name:50}" + self.three(walls, ".1f") + self.three(cpus, ".1f"), flush=True)

    def values(self, name, values, form=".0f"):
        print(f"{name:50}" + self.three(values, form), flush=True)

    def note(self, text):
        print("    " + text, flush=True)


def alternate(servers, one, rounds=ROUNDS):
    """one(server, watch) for each server in turn, the first one changing; the watches with their sums."""
    watches = {s: Watch(s) for s in servers}
    for r in range(rounds):
        for s in servers if r % 2 == 0 else servers[::-1]:
            one(s, watches[s])
    return watches


def short_session(server, user, resume=None):
    """Login, STAT, QUIT.  Tells whether TLS was resumed, and a TLS session to resume."""
    with server.login(user, resume) as s:
        expect(s.ask("STAT").split()[1] == b"%d" % ORDINARY, f"{server.name}: STAT")
        resumed, next_ = s.tls.session_reused, s.tls.session
        s.quit()
    return resumed, next_


def several(server, user, n, resume):
    count = 0
    for _ in range(n):
        resumed, next_ = short_session(server, user, resume)
        count += resumed
        resume = next_ if resume else None
    return count


def in_parallel(server, watch, n, resumes):
    """PARALLEL client processes with n sessions each; how many were resumed."""
    fork = multiprocessing.get_context("fork")
    barrier, counts = fork.Barrier(PARALLEL + 1), fork.Queue()

    def client(i):
        barrier.wait()
        counts.put(several(server, IDLE_USERS[i], n, resumes[i]))

    clients = [fork.Process(target=client, args=(i,)) for i in range(PARALLEL)]
    for c in clients:
        c.start()
    with watch:
        barrier.wait()
        for c in clients:
            c.join()
    expect(all(c.exitcode == 0 for c in clients), f"{server.name}: a parallel session failed")
    return sum(counts.get() for _ in clients)


def new_sessions(servers, table, resumption):
    kind = "resumed" if resumption else "new"
    resumed = collections.Counter()

    def a_resume(server, user):
        return short_session(server, user)[1] if resumption else None

    def sequential(server, watch):
        resume = a_resume(server, IDLE_USERS[0])
        with watch:
            resumed[server] += several(server, IDLE_USERS[0], SESSIONS // ROUNDS, resume)

    def parallel(server, watch):
        resumes = [a_resume(server, u) for u in IDLE_USERS[:PARALLEL]]
        resumed[server] += in_parallel(server, watch, SESSIONS // ROUNDS // PARALLEL, resumes)

    table.times(f"{kind} session, login, STAT, QUIT (ms)", alternate(servers, sequential), SESSIONS)
    table.times(f"  the same, {PARALLEL} at a time (ms)", alternate(servers, parallel), SESSIONS)
    if resumption:
        table.note("resumed: " + ", ".join(f"{s.name} {resumed[s]} of {2 * SESSIONS}" for s in servers))
    else:
        expect(not any(resumed.values()), "a full handshake was none")


def full_sessions(servers, table):
    new_sessions(servers, table, False)


def resumed_sessions(servers, table):
    new_sessions(servers, table, True)


def retr_many(servers, table):
    wanted = [message(i, BULK_SIZE) for i in range(BULK)]

    def one(server, watch):
        with server.login("bulk") as s:
            s.ask("STAT")
            with watch:
                data = s.multi([f"RETR {i + 1}" for i in range(BULK)])
            expect(s.parse(data) == wanted, f"{server.name}: RETR of many: not the messages")
            s.quit()

    fill(servers, "bulk", BULK, BULK_SIZE)
    alternate(servers, one, 1)
    table.times(f"RETR of {BULK:,} messages of 8 kB, pipelined (ms)", alternate(servers, one), ROUNDS)


def retr_big(servers, table):
    wanted = message(0, BIG_SIZE)

    def one(server, watch):
        with server.login("big") as s:
            with watch:
                data = s.multi(["RETR 1"])
            expect(s.parse(data) == [wanted], f"{server.name}: RETR of one: not the message")
            s.quit()

    fill(servers, "big", 1, BIG_SIZE)
    alternate(servers, one, 1)
    table.times("RETR of one message of 50 MB (ms)", alternate(servers, one, 5), 5)


def lists(server, user, count):
    """A session with STAT, LIST and UIDL, and what it says checked."""
    with server.login(user) as s:
        stat = s.ask("STAT").split()
        listed, uidls = s.multi(["LIST"]), s.multi(["UIDL"])
        s.quit()
    sizes = [line.split() for line in s.parse(listed)[0].split(b"\r\n")[:-1]]
    names = [line.split() for line in s.parse(uidls)[0].split(b"\r\n")[:-1]]
    expect(int(stat[1]) == len(sizes) == len(names) == count, f"{server.name}: STAT, LIST, UIDL: not {count}")
    expect(sum(int(size) for _, size in sizes) == int(stat[2]) == server.octets[user], f"{server.name}: sizes")
    expect(len({uidl for _, uidl in names}) == count, f"{server.name}: UIDLs are not unique")


def list_many(servers, table):
    def one(server, watch):
        with watch:
            lists(server, "many", MANY)

    fill(servers, "many", MANY, SMALL)
    alternate(servers, one, 1)
    table.times(f"second session, LIST, UIDL of {MANY:,} (ms)", alternate(servers, one), ROUNDS)
    for s in servers:
        s.fill("many", 0, 0)


def first_session(servers, table):
    def one(server, watch):
        fill([server], "new", NEW, SMALL, "new")
        os.sync()  # not while it is measured
        with watch:
            lists(server, "new", NEW)

    table.times(f"first session, LIST, UIDL of {NEW:,} new (ms)", alternate(servers, one, 2), 2)


def idle_memory(servers, table):
    if not IS_ROOT:
        table.note("memory of idle sessions: needs root")
        return
    kinds, processes = {}, {}
    for server in servers:
        server.settle()
        before, count = server.memory(), len(server.processes())
        sessions = [server.login(user) for user in IDLE_USERS]
        for s in sessions:
            s.ask("STAT")
        server.settle()
        after = server.memory()
        processes[server] = (len(server.processes()) - count) / IDLE
        kinds[server] = {k: (after[k] - before[k]) / IDLE for k in after}
        for s in sessions:
            s.quit()
    for name, kind in [("private memory", "Private_Dirty"), ("its share of all memory", "Pss")]:
        table.values(f"{name}, idle session (KiB)", [kinds[s][kind] for s in servers])
    table.values("processes of an idle session", [processes[s] for s in servers], ".1f")


def system_calls(servers, table):
    server = servers[0]
    if not IS_ROOT or shutil.which("strace") is None:
        table.note("system calls: needs root and strace")
        return
    short_session(server, IDLE_USERS[0])
    server.settle()
    out = server.dir / "strace"
    pids = list(server.processes())
    command = ["strace", "-f", "-c", "-S", "calls", "-U", "calls,name", "-o", str(out), *(f"-p{pid}" for pid in pids)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        try:
            for _ in pids:
                line = strace.stderr.readline()
                expect("attached" in line, f"strace: {line}")
            short_session(server, IDLE_USERS[0])
            server.settle()
        finally:
            strace.send_signal(signal.SIGINT)
            strace.communicate(timeout=20)
    rows = re.findall(r"^\s*(\d+) (\w+)$", out.read_text(), re.M)
    expect(rows and rows[-1][1] == "total", "strace: no table")
    table.values("system calls of one warm session", [int(rows[-1][0])])
    table.note("most: " + ", ".join(f"{name} {n}" for n, name in rows[:12]))


def fill(servers, user, count, size, sub="cur"):
    for s in servers:
        s.fill(user, count, size, sub)
        s.octets[user] = sum(len(message(i, size)) for i in range(count))


MEASURES = [full_sessions, resumed_sessions, retr_many, retr_big, list_many, first_session, idle_memory, system_calls]


def introduce(servers, directory):
    kind = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True).stdout.strip()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}, Linux {os.uname().release}, {directory} on {kind},"
          f" client {ssl.OPENSSL_VERSION}")
    for s in servers:
        with Session(s) as session:
            tls = f"{session.tls.version()} {session.tls.cipher()[0]}"
            session.quit()
        print(f"{s.name}: {s.version()}; {tls}")


def run(options):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-bench."))
    directory.chmod(0o755)
    servers = []
    try:
        certificates = directory / "certificates"
        certificates.mkdir()
        for words in (["ca"], ["server", "localhost", "127.0.0.1"]):
            subprocess.run([options.program, "cert", *words], cwd=certificates, check=True, capture_output=True)
        common = certificates, USERS, PASSWORD
        servers.append(Sallyport(options.program, directory / "sallyport", *common))
        if not Dovecot.installed():
            print("Dovecot is not installed (dovecot-pop3d): sallyport alone")
        elif not IS_ROOT:
            print("not root: sallyport alone, without its changes of uid")
        else:
            servers.append(Dovecot(options.shared, directory / "dovecot", *common))
        for s in servers:
            s.octets = {}
            if options.tls == "1.2":
                s.context.maximum_version = ssl.TLSVersion.TLSv1_2
            s.start()
        introduce(servers, directory)
        for user in IDLE_USERS:
            fill(servers, user, ORDINARY, 2000)
        for s in servers:
            for user in IDLE_USERS:
                short_session(s, user)
        table = Table(servers)
        for measure in MEASURES:
            if options.only in measure.__name__:
                measure(servers, table)
        for s in servers:
            expect(s.process.poll() is None, f"{s.name} has ended\n{s.log()}")
    except Misbehaved as e:
        print(f"bench: {e}", file=sys.stderr)
        for s in servers:
            print(f"--- {s.name}'s log\n{s.log()}", file=sys.stderr)
        return 1
    finally:
        for s in servers:
            s.stop()
        shutil.rmtree(directory, ignore_errors=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=lambda p: str(pathlib.Path(p).resolve()))
    parser.add_argument("--tls", choices=["1.2"])
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--only", default="", metavar="WORD")
    options = parser.parse_args()
    begin = time.monotonic()
    status = run(options)
    print(f"\n{time.monotonic() - begin:.0f} s")
    return status


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
