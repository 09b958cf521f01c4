"""bench.py: measures sallyport beside other servers, each in turn at the same work.  README.md explains the rows.

    make bench [PEERS="dovecot24 ..."] [ROWS=word] [QUICK=1] [VAST=1] [README=1] [BENCH_DIR=folder]
"""

import argparse
import dataclasses
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import rows
from servers import HERE, IS_ROOT, Bench, Lacks, Misbehaved, Peer, Sallyport

SLOW = 15.0  # s: a server that needs longer for a round has no other
MARKS = "<!-- results: written by make bench README=1 -->\n", "<!-- end of results -->\n"


class Output:
    """Prints lines, and keeps them for the README."""

    def __init__(self):
        self.lines = []

    def say(self, line=""):
        self.lines.append(line.rstrip())
        print(line.rstrip(), flush=True)

    def write_readme(self):
        path = HERE / "README.md"
        head, rest = path.read_text().split(MARKS[0])
        tail = rest.split(MARKS[1])[1]
        path.write_text(head + MARKS[0] + "```\n" + "\n".join(self.lines) + "\n```\n" + MARKS[1] + tail)


class Results:
    """The figures of one group: for each server and row the rounds that counted; lacking: why a server has fewer."""

    def __init__(self, group, servers):
        self.group, self.figures, self.lacking = group, {s: [] for s in servers}, {}

    def median(self, server, row, what):
        values = [getattr(f[row], what) for f in self.figures[server] if len(f) > row]
        values = [v for v in values if v is not None]
        return statistics.median(values) if values else None


def turn(server, group, size, number):
    """Runs one round on one server.  Returns its figures, and the reason if some are missing, else None."""
    figures = []
    try:
        for figure in group.one(server, size, number):
            figures.append(figure)
    except Lacks as e:
        return figures, str(e)
    except Misbehaved as e:
        server.forget_client()
        server.filled.clear()
        return figures, f"wrong: {e}"
    return figures, None


def measure(group, servers, size, rounds):
    results = Results(group, servers)
    left = list(servers)
    for number in range(group.before + rounds):
        for server in left[::-1] if number % 2 else list(left):
            figures, why = turn(server, group, size, number)
            slow = sum(f.wall or 0.0 for f in figures) > SLOW * 1e3
            if number >= group.before or slow:
                results.figures[server].append(figures)
            if why:
                results.lacking[server] = why
            if slow or why and (not figures or why.startswith("wrong")):
                left.remove(server)
    return results


def text(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(row, value, ratio, figure):
    """True if sallyport reaches the goal of the row; None without a peer to compare with."""
    measured = value if row.what.endswith(" ms") else ratio
    return None if measured is None else measured <= row.goal and not figure.wrong


def show(out, results, servers, score):
    for number, row in enumerate(results.group.rows):
        out.say(row.name)
        value = {s: results.median(s, number, row.what.removesuffix(" ms")) for s in servers}
        base = next((value[s] for s in servers[1:] if value[s]), None)
        for s in servers:
            rounds = [f[number] for f in results.figures[s] if len(f) > number]
            if not rounds:
                out.say(f"  {s.name:12} {results.lacking.get(s, '-')}")
                if s is servers[0]:
                    score.append((row.name, False))
                continue
            ratio = value[s] / base if base and value[s] is not None else None
            cells = [text(results.median(s, number, what)) for what in ("wall", "cpu", "client", "memory")]
            line = f"  {s.name:12}" + "".join(f"{c:>11}" for c in cells)
            line += f"{text(ratio) if ratio is None or ratio >= 1 else f'{ratio:.3f}':>8}  "
            if s is servers[0]:
                reached = verdict(row, value[s], ratio, rounds[-1])
                score.append((row.name, reached))
                line += f"{text(row.goal)}{' ms' if row.what.endswith(' ms') else '':4}"
                line += {None: "", True: "reached ", False: "missed "}[reached]
            out.say(line + rounds[-1].note)
            if row is results.group.rows[-1] and results.lacking.get(s, "").startswith("wrong"):
                out.say(f"  {'':12} then {results.lacking[s]}")


def introduce(out, servers, size, quick):
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    kind = subprocess.run(["stat", "-f", "-c", "%T", servers[0].bench.dir], capture_output=True, text=True)
    commit = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"], capture_output=True, text=True)
    out.say(f"{time.strftime('%d %B %Y')}, {system}, Linux {platform.release()}, {os.cpu_count()} CPUs ({model}), "
            f"{memory} GB, {kind.stdout.strip()}, load {os.getloadavg()[0]:.1f}")
    out.say(f"commit {commit.stdout.strip()}{', quick: these sizes say little' if quick else ''}")
    for s in servers:
        out.say(f"{s.name}: {s.version()}; {s.cipher()}")
    out.say()
    out.say(f"{'':14}{'wall ms':>11}{'CPU ms':>11}{'client ms':>11}{'private KiB':>12}{'ratio':>7}  {'to reach'}")


def run(options, directory):
    size = rows.QUICK if options.quick else rows.Size()
    if options.vast:
        size = dataclasses.replace(size, vast=rows.VAST)
    peers = options.peers.split() if IS_ROOT else []
    if options.peers and not IS_ROOT:
        print("not root: sallyport alone")
    bench = Bench(directory, options.build.resolve(), rows.USERS)
    if not all((directory / p).is_dir() for p in peers):
        print(f"making {options.peers}: see {directory}/make.log", file=sys.stderr, flush=True)
        subprocess.run([HERE / "peers.sh", "make", *peers], check=True, env={**os.environ, "BENCH_DIR": str(directory)},
                       stdout=open(directory / "make.log", "wb"), stderr=subprocess.STDOUT)
    servers, score, out, failed = [], [], Output(), False
    try:
        for make in [lambda: Sallyport(bench)] + [lambda n=n: Peer(n, bench) for n in peers]:
            servers.append(make())
            servers[-1].start()
        introduce(out, servers, size, options.quick)
        for group in rows.groups(size):
            if not any(options.rows.lower() in row.name.lower() for row in group.rows):
                continue
            took_part = [s for s in servers if group.protocol in s.protocols]
            results = measure(group, took_part, size, 1 if options.quick else group.rounds)
            show(out, results, took_part, score)
            failed = failed or results.lacking.get(servers[0], "").startswith("wrong")
    finally:
        for s in servers:
            s.stop()
    known = [reached for _, reached in score if reached is not None]
    if known:
        out.say()
        out.say(f"{sum(known)} of {len(known)} rows reached; missed:")
        for name, reached in score:
            if reached is False:
                out.say(f"  {name.strip()}")
    if options.readme:
        out.write_readme()
    return int(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--peers", default="")
    parser.add_argument("--rows", default="")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--vast", action="store_true")
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    begin = time.monotonic()
    directory = options.dir if IS_ROOT else pathlib.Path(tempfile.mkdtemp(prefix="sallyport-bench."))
    try:
        return run(options, directory)
    except Misbehaved as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1
    finally:
        if not IS_ROOT:
            shutil.rmtree(directory, ignore_errors=True)
        print(f"\n{time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
