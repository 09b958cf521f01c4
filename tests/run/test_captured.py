"""An attacker who has taken over a worker or a reader reaches no other process and no other user's files.

The server is build/captured/sallyport, whose workers and readers run the attacks of tests/captured on request."""

import signal

import pytest

from conftest import ASAN, until
from test_processes import by_title


def pid_of_one_more(server, title, connect):
    """Connects, and returns the connection and the new process of that title."""
    before = set(by_title(server, title))
    connection = connect()
    return connection, until(lambda: set(by_title(server, title)) - before, 5, f"a {title}").pop()

SIGNALS = ["kill", pytest.param("own", marks=pytest.mark.skipif(ASAN, reason="a sanitizer needs fcntl"))]


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
@pytest.mark.parametrize("attack", SIGNALS)
def test_a_captured_worker_ends_no_other(serve, attack, landlock):
    server = serve(captured=True, landlock=landlock)
    victim = server.login("ben")
    pid = by_title(server, "worker")[0]
    worker = server.capture()
    worker.run(f"{attack} {pid}")
    if not worker.dead:
        worker.run("stat /")  # the octets that would send the signal
    assert victim.noop().startswith(b"+OK")
    assert pid in by_title(server, "worker")
    if not ASAN:
        server.wait_log(r"worker died .*how=.killed by signal 31 \(a forbidden system call\)")
    victim.quit()


@pytest.mark.root
@pytest.mark.parametrize("landlock", [True, False])
@pytest.mark.parametrize("attack", SIGNALS)
def test_a_captured_reader_ends_no_other(serve, attack, landlock):
    """Two sessions of one user have one uid, and so have virtual users."""
    server = serve(captured=True, landlock=landlock)
    victim = server.imap_talk("anna")
    pid = until(lambda: by_title(server, "reader"), 5)[0]
    reader = server.capture("anna", tls=True)
    reader.run(f"{attack} {pid}")
    if not reader.dead:
        reader.run("there-is-no-such-attack")  # the octets that would send the signal
    assert victim.cmd("NOOP").ok
    assert pid in by_title(server, "reader")
    if not ASAN:
        server.wait_log(r"reader died .*how=.killed by signal 31 \(a forbidden system call\)")


@pytest.mark.parametrize("name", [None, "anna"])
def test_an_abort_is_not_a_forbidden_call(serve, name):
    server = serve(captured=True)
    captured = server.capture(name, tls=True)
    assert captured.run("abort") == [] and captured.dead
    server.wait_log(rf"{'reader' if name else 'worker'} died .*how=.killed by signal {int(signal.SIGABRT)}.\s")
    assert "forbidden" not in server.log()
