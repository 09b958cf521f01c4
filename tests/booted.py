"""The unit of etc/ under a real systemd: kernels.sh boots a machine in which the program was installed as the README
says, and this runs there, as root.  The last line that it writes to the console says whether a step failed."""

import imaplib
import os
import pathlib
import poplib
import re
import ssl
import subprocess
import time

CONTEXT = ssl.create_default_context(cafile="/etc/sallyport/ca.crt")
PATIENCE = 120  # seconds; the processor is emulated


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.strip()


def journal():
    return output("journalctl", "--boot", "--unit", "sallyport", "--output", "cat")


def wait_for_ready(times):
    end = time.monotonic() + PATIENCE
    while len(re.findall("^- master ready ", journal(), re.M)) < times:
        assert time.monotonic() < end, "the server is not ready"
        time.sleep(1)
    assert output("systemctl", "is-active", "sallyport") == "active"


def imap(password="sesame", port=None):
    if port is None:
        m = imaplib.IMAP4("localhost", timeout=PATIENCE)
        m.starttls(CONTEXT)
    else:
        m = imaplib.IMAP4_SSL("localhost", port, ssl_context=CONTEXT, timeout=PATIENCE)
    m.login("anna", password)
    return m


def start():
    wait_for_ready(1)


def session():
    """What changes a Maildir: a message, flags, folders, an index."""
    m = imap()
    folder = f"Folder{time.monotonic_ns()}"
    for name, *arguments in (("create", folder), ("select", folder), ("append", folder, None, None, b"Subject: x\r\n\r\ny\r\n"),
                             ("fetch", "1:*", "(FLAGS ENVELOPE BODY[])"), ("store", "1", "+FLAGS", "(\\Flagged $Label1)"),
                             ("search", None, "TEXT", "y"), ("copy", "1", "INBOX"), ("store", "1", "+FLAGS", "\\Deleted"),
                             ("expunge",), ("select", "INBOX"), ("delete", folder), ("logout",)):
        answer = getattr(m, name)(*arguments)
        assert answer[0] in ("OK", "BYE"), (name, answer)


def idle():
    m = imap(port=993)
    m.select()
    m.send(b"i IDLE\r\n")
    m.readline()
    fresh = pathlib.Path("/home/anna/Maildir/new") / f"{time.time_ns()}.x.host"
    fresh.write_bytes(b"Subject: fresh\n\n")
    os.chown(fresh, 1000, 1000)
    assert re.search(rb"^\* \d+ EXISTS", m.readline())
    m.send(b"DONE\r\n")


def pop3():
    for p in (poplib.POP3_SSL("127.0.0.1", context=CONTEXT, timeout=PATIENCE), poplib.POP3("::1", timeout=PATIENCE)):
        if not isinstance(p, poplib.POP3_SSL):
            p.stls(CONTEXT)
        p.user("anna")
        p.pass_("sesame")
        assert p.stat()[0] > 0 and p.retr(1)
        p.quit()


def wrong_password():
    try:
        imap("nonsense")
    except imaplib.IMAP4.error as e:
        assert b"AUTHENTICATIONFAILED" in e.args[0]
        assert re.search('imap denied user=anna .*reason="wrong password"', journal())
        return
    raise AssertionError("a wrong password is right")


def reload():
    """Sessions of before go on, and a new certificate serves those that come after."""
    before = imap()
    output("systemctl", "reload", "sallyport")
    end = time.monotonic() + PATIENCE
    while journal().count("certificate is=") < 2:
        assert time.monotonic() < end, "no certificate is loaded again"
        time.sleep(1)
    assert before.noop()[0] == "OK"
    session()


def restart():
    output("systemctl", "restart", "sallyport")
    wait_for_ready(2)
    session()
    pop3()


def exposure():
    found = re.search(r"exposure level for sallyport.service: ([\d.]+)", output("systemd-analyze", "security", "sallyport"))
    assert float(found[1]) <= 1.5, found[0]


def stop():
    output("systemctl", "stop", "sallyport.socket", "sallyport.service")
    assert "Result=success" in output("systemctl", "show", "sallyport", "--property", "Result,NRestarts")
    assert "NRestarts=0" in output("systemctl", "show", "sallyport", "--property", "Result,NRestarts")
    assert not re.search("died|forbidden|stuck", journal())


def main():
    failed = 0
    with open("/dev/ttyS0", "w", buffering=1) as console:
        print(f"kernel {os.uname().release}, {output('systemctl', '--version').splitlines()[0]}", file=console)
        for step in (start, session, idle, pop3, wrong_password, reload, restart, exposure, stop):
            try:
                step()
                print(f"systemd: {step.__name__}: ok", file=console)
            except Exception as e:
                failed = 1
                print(f"systemd: {step.__name__}: {e!r}\n{journal()[-3000:]}", file=console)
        print(f"kernels.sh: failed={failed}", file=console)
    time.sleep(1)
    pathlib.Path("/proc/sysrq-trigger").write_text("o")


if __name__ == "__main__":
    main()
