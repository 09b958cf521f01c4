"""The log: the client's address in every line of a connection, the complaints of clients, the journal."""

import os
import re
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import PROGRAM, until
from test_tls import HAS_13

VERSIONS = ["TLSv1_2"] + (["TLSv1_3"] if HAS_13 else [])


def lines_of(server, port):
    """The lines of the connection from that port, without id."""
    ids = re.findall(rf"^([0-9a-f]{{8}}) \S+ connect rip=\S+ rport={port} ", server.log(), re.M)
    return re.findall(rf"^{ids[-1]}(?:/[a-z]+)? (.*)$", server.log(), re.M)


def test_mend27_every_line_has_the_address(serve):
    server = serve({"log_tls": "full"})
    talk = server.imap_talk()
    port = talk.sock.getsockname()[1]
    assert talk.cmd('ID ("name" "x")').ok and talk.cmd("LOGOUT").ok
    server.wait_log("imap end user=anna")
    refused = server.imap_talk(None)
    assert refused.cmd("LOGIN anna wrong").no and refused.cmd("LOGIN nobody-here x").no
    refused.close()
    server.wait_log("imap end rip")
    stranger = socket.create_connection(("127.0.0.1", server.imaps))
    stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
    until(lambda: server.log().count("imap end ") == 3)
    seen = lines_of(server, port)
    assert {line.split()[1] for line in seen} >= {"connect", "handshake", "login", "end"}
    for line in server.log().splitlines():
        if not line.startswith("-"):
            assert len(re.findall(r" rip=127\.0\.0\.1 rport=\d+", line)) == 1 and "client=" not in line, line
    assert all(f"rport={port}" in line for line in seen)


def test_mend27_lip_is_the_address_that_was_reached(serve):
    server = serve(start=False)
    server.settings["listen_imap"] = f"0.0.0.0:{server.imap} [::]:{server.imap}"
    server.write_conf()
    server.start()
    for address, text in (("127.0.0.1", "127.0.0.1"), ("127.0.0.7", "127.0.0.7"), ("::1", "[::1]")):
        socket.create_connection((address, server.imap)).close()
        server.wait_log(re.escape(f" lip={text}:{server.imap}") + "$|" + re.escape(f" lip={text}:{server.imap}\n"))


@pytest.mark.parametrize("version", VERSIONS)
def test_mend27_client_refuses_the_certificate(server, version):
    """At the default level: the name of its alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = getattr(ssl.TLSVersion, version)
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(socket.create_connection(("localhost", server.imaps)), server_hostname="localhost")
    server.wait_log(r'imap end rip=\S+ rport=\d+ reason="client refused the certificate: unknown CA"')


def test_mend27_refused_login_without_tls(server):
    """One line a connection, and not the name, which may be a password."""
    for commands in (b"a LOGIN anna sesame\r\nb LOGIN anna sesame\r\n", b"a LOGIN {4}\r\n", b"a AUTHENTICATE PLAIN\r\n"):
        before = server.log().count("imap refused")
        with socket.create_connection(("localhost", server.imap)) as s:
            s.sendall(commands + b"x LOGOUT\r\n")
            while s.recv(1000):
                pass
        until(lambda: server.log().count("imap refused") == before + 1)
    for commands in (b"USER anna\r\nPASS sesame\r\n", b"AUTH PLAIN\r\n"):
        before = server.log().count("pop3 refused")
        with socket.create_connection(("localhost", server.pop3)) as s:
            s.sendall(commands + b"QUIT\r\n")
            while s.recv(1000):
                pass
        until(lambda: server.log().count("pop3 refused") == before + 1)
    assert re.search(r'imap refused rip=\S+ rport=\d+ reason="login without TLS"\n', server.log())
    assert "sesame" not in server.log() and "user=anna" not in server.log()


# --- the journal ---

DENIED = 30


def denied_logins(server):
    for i in range(DENIED):
        p = server.pops()
        p.user("anna")
        with pytest.raises(Exception):
            p.pass_("wrong")
        p.close()


def run_with_stream(server, stream):
    """The server with that socket as standard output and error, as systemd starts it."""
    st = os.fstat(stream.fileno())
    server.settings["log"] = "syslog"
    server.write_conf()
    server.process = subprocess.Popen([str(PROGRAM), "run", "-c", str(server.conf)], stdin=subprocess.DEVNULL,
                                      stdout=stream, stderr=stream,
                                      env={**os.environ, "JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"})


def test_mend27_lines_go_to_the_journals_stream(serve):
    """A stream socket as journald's: whole lines with priorities, of all processes."""
    server = serve(start=False)
    ours, theirs = socket.socketpair()
    got = []
    reader = threading.Thread(target=lambda: got.extend(ours.makefile("rb")))
    reader.start()
    run_with_stream(server, theirs)
    theirs.close()
    until(lambda: b"<6>- master ready" in b"".join(got), 20)
    denied_logins(server)
    server.stop()
    reader.join(20)
    ours.close()
    assert all(re.match(rb"<[346]>([0-9a-f]{8}|-)(/[a-z]+)? \w+ [\w-]+.*\n$", line) for line in got), got
    assert sum(b" denied user=anna rip=" in line for line in got) == DENIED
    assert b"".join(got).count(b"<6>") > DENIED


JOURNAL = "/lib/systemd/systemd-journald"


@pytest.mark.namespaces
@pytest.mark.skipif(not os.path.exists(JOURNAL), reason="no systemd-journald here")
def test_mend27_journald_has_every_line(serve):
    """A real journald in mount and process namespaces of its own, asked by journalctl -u."""
    server = serve({"log": "syslog"}, start=False)
    inside = server.dir / "inside.py"
    inside.write_text(JOURNALD.format(journald=JOURNAL, program=PROGRAM, conf=server.conf, dir=server.dir))
    server.process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "/usr/bin/python3", inside],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    word = server.process.stdout.readline().strip()
    if word != "started":
        server.process.communicate()
        server.process = None
        assert word == "no socket", word
        pytest.skip("journald does not run here")
    until(server.reachable, 20)
    denied_logins(server)
    out, _ = server.process.communicate("stop\n", timeout=60)
    server.process = None
    assert len(re.findall("^6 .* denied user=anna rip=.*wrong password", out, re.M)) == DENIED, out[-3000:]
    assert len(re.findall("^6 .* pop3 end rip=", out, re.M)) >= DENIED


# What runs in the namespace: journald, then the server on a stream that names its unit, then journalctl.
JOURNALD = """
import os, signal, socket, subprocess, sys, time
run = lambda *command: subprocess.run(command, check=True)
run("mount", "-t", "tmpfs", "tmpfs", "/run")
os.makedirs("/run/systemd/journal")
os.makedirs("/run/log/journal")
log = open("{dir}/journald", "wb")
journald = subprocess.Popen(["{journald}"], stdout=log, stderr=log)
for i in range(100):
    if os.path.exists("/run/systemd/journal/stdout"):
        break
    time.sleep(0.1)
else:
    journald.kill()
    print("no socket", flush=True)
    sys.exit()
stream = socket.socket(socket.AF_UNIX)
stream.connect("/run/systemd/journal/stdout")
stream.sendall(b"sallyport\\nsallyport.service\\n6\\n1\\n0\\n0\\n0\\n")
st = os.fstat(stream.fileno())
os.environ["JOURNAL_STREAM"] = "%d:%d" % (st.st_dev, st.st_ino)
server = subprocess.Popen(["{program}", "run", "-c", "{conf}"], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
print("started", flush=True)
sys.stdin.readline()
server.terminate()
server.wait()
subprocess.run(["journalctl", "--sync"])
out = subprocess.run(["journalctl", "-u", "sallyport.service", "-o", "json", "--output-fields=PRIORITY,MESSAGE"],
                     stdout=subprocess.PIPE, text=True).stdout
import json
for line in out.splitlines():
    entry = json.loads(line)
    print(entry["PRIORITY"], entry["MESSAGE"])
journald.terminate()
journald.wait()
"""
