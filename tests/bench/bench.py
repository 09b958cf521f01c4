"""bench.py PROGRAM: sallyport beside Debian's Dovecot, in one run, alternating: the same certificate, users,
passwords and mail, POP3 and IMAP over TLS on loopback.

    make bench            or: /usr/bin/python3 tests/bench/bench.py build/sallyport
    --tls 1.2             both with TLS 1.2 at most; otherwise each as it comes
    --shared              Dovecot with processes that serve many connections, as its manual suggests for speed
    --only WORD           only measures whose name has this word: imap, pop3, or as pop3.py and imap.py call them

wall: what the client waited.  CPU: user and system time of all of the server's processes; the client's own is
in neither.  The ratio is sallyport to Dovecot: below 1.00 sallyport needs less.  No figure makes this fail; a
wrong answer does.  As root the processes have their real uids; otherwise sallyport is measured alone.
"""

import argparse
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

import imap
import pop3
from client import Imap, Misbehaved, Pop3, expect
from measure import IDLE_USERS, ORDINARY, Table, fill
from servers import IS_ROOT, Dovecot, Sallyport

PASSWORD = "sesame"
USERS = [*IDLE_USERS, "bulk", "big", "many", "new", "idle", "sync", "append", "gone", "folders"]


def introduce(servers, directory):
    kind = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True).stdout.strip()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}, Linux {os.uname().release}, {directory} on {kind},"
          f" client {ssl.OPENSSL_VERSION}")
    for s in servers:
        with Pop3(s) as session:
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
        table = Table(servers)
        for room, protocol in ((pop3, Pop3), (imap, Imap)):
            table.servers = [s for s in servers if s.serves(protocol)]
            for measure in room.MEASURES:
                if options.only in f"{room.__name__} {measure.__name__}":
                    measure(table.servers, table)
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
