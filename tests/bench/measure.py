"""measure.py: what the measures of both protocols share: the table, turns, sessions, memory, system calls."""

import collections
import functools
import multiprocessing
import re
import shutil
import signal
import subprocess

from client import expect
from servers import IS_ROOT, Watch, message

SESSIONS, PARALLEL = 60, 4
ORDINARY = 100  # messages of an ordinary mailbox
IDLE = 50
ROUNDS = 3
IDLE_USERS = [f"user{i}" for i in range(IDLE)]


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


@functools.cache
def octets(count, size, make=message):
    return sum(len(make(i, size)) for i in range(count))


def fill(servers, user, count, size, sub="cur", make=message):
    """As Server.fill, where that is not there already; nobody may have changed it."""
    for s in servers:
        if s.filled.get(user) != (count, size, sub, make, "", ()):
            s.fill(user, count, size, sub, make)
            s.octets[user] = octets(count, size, make)


# --- sessions: short(server, user, resume) is one; it tells whether TLS was resumed, and what to resume ---


def several(short, server, user, n, resume):
    count = 0
    for _ in range(n):
        resumed, next_ = short(server, user, resume)
        count += resumed
        resume = next_ if resume else None
    return count


def in_parallel(short, server, watch, n, resumes):
    """PARALLEL client processes with n sessions each; how many were resumed."""
    fork = multiprocessing.get_context("fork")
    barrier, counts = fork.Barrier(PARALLEL + 1), fork.Queue()

    def client(i):
        barrier.wait()
        counts.put(several(short, server, IDLE_USERS[i], n, resumes[i]))

    clients = [fork.Process(target=client, args=(i,)) for i in range(PARALLEL)]
    for c in clients:
        c.start()
    with watch:
        barrier.wait()
        for c in clients:
            c.join()
    expect(all(c.exitcode == 0 for c in clients), f"{server.name}: a parallel session failed")
    return sum(counts.get() for _ in clients)


def sessions(servers, table, short, what, resumption):
    kind = "resumed" if resumption else "new"
    resumed = collections.Counter()
    for s in servers:
        for user in IDLE_USERS[:PARALLEL]:
            short(s, user)

    def a_resume(server, user):
        return short(server, user)[1] if resumption else None

    def sequential(server, watch):
        resume = a_resume(server, IDLE_USERS[0])
        with watch:
            resumed[server] += several(short, server, IDLE_USERS[0], SESSIONS // ROUNDS, resume)

    def parallel(server, watch):
        resumes = [a_resume(server, u) for u in IDLE_USERS[:PARALLEL]]
        resumed[server] += in_parallel(short, server, watch, SESSIONS // ROUNDS // PARALLEL, resumes)

    table.times(f"{kind} session, {what} (ms)", alternate(servers, sequential), SESSIONS)
    table.times(f"  the same, {PARALLEL} at a time (ms)", alternate(servers, parallel), SESSIONS)
    if resumption:
        table.note("resumed: " + ", ".join(f"{s.name} {resumed[s]} of {2 * SESSIONS}" for s in servers))
    else:
        expect(not any(resumed.values()), "a full handshake was none")


def memory(servers, table, what, open_one, quit_one):
    """What each of IDLE sessions costs: open_one(server, i) opens one."""
    if not IS_ROOT:
        table.note(f"memory, {what}: needs root")
        return
    kinds, processes = {}, {}
    for server in servers:
        server.settle()
        before, count = server.memory(), len(server.processes())
        opened = [open_one(server, i) for i in range(IDLE)]
        server.settle()
        after = server.memory()
        processes[server] = (len(server.processes()) - count) / IDLE
        kinds[server] = {k: (after[k] - before[k]) / IDLE for k in after}
        for s in opened:
            quit_one(s)
    for name, kind in [("private memory", "Private_Dirty"), ("its share of all memory", "Pss")]:
        table.values(f"{name}, {what} (KiB)", [kinds[s][kind] for s in servers])
    table.values(f"processes of an {what}", [processes[s] for s in servers], ".1f")


def system_calls(servers, table, short, what):
    server = servers[0]
    if not IS_ROOT or shutil.which("strace") is None:
        table.note("system calls: needs root and strace")
        return
    short(server, IDLE_USERS[0])
    server.settle()
    out = server.dir / "strace"
    pids = list(server.processes())
    command = ["strace", "-f", "-c", "-S", "calls", "-U", "calls,name", "-o", str(out), *(f"-p{pid}" for pid in pids)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        try:
            for _ in pids:
                line = strace.stderr.readline()
                expect("attached" in line, f"strace: {line}")
            short(server, IDLE_USERS[0])
            server.settle()
        finally:
            strace.send_signal(signal.SIGINT)
            strace.communicate(timeout=20)
    rows = re.findall(r"^\s*(\d+) (\w+)$", out.read_text(), re.M)
    expect(rows and rows[-1][1] == "total", "strace: no table")
    table.values(f"system calls of one warm {what}", [int(rows[-1][0])])
    table.note("most: " + ", ".join(f"{name} {n}" for n, name in rows[:12]))
