"""The subcommands cert, passwd, check, version and help, and a run that cannot start."""

import datetime
import os
import pathlib
import poplib
import pty
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import termios
import time

import pytest

from conftest import IS_ROOT, KEY_USER, PROGRAM, WORKER_USER, free_ports, until


def sallyport(*arguments, cwd=None, given="", timeout=20):
    return subprocess.run([PROGRAM, *map(str, arguments)], cwd=cwd, input=given, text=True, capture_output=True,
                          timeout=timeout)


def openssl(*arguments, cwd=None):
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=cwd, text=True, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def folder():
    d = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test."))
    d.chmod(0o755)
    yield d
    shutil.rmtree(d)


# --- cert ---


def verify(directory, certificate, name, ca="ca.crt"):
    how = "-verify_ip" if re.fullmatch(r"[0-9.]+|.*:.*", name) else "-verify_hostname"
    said = openssl("verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslserver", how, name, certificate,
                   cwd=directory)
    assert f"{certificate}: OK" in said


def fingerprint(path):
    return openssl("x509", "-in", path, "-noout", "-fingerprint", "-sha256").strip().split("=")[1]


def test_cert_ca_and_server(folder):
    made = sallyport("cert", "ca", cwd=folder)
    assert made.returncode == 0 and made.stderr == ""
    assert fingerprint(folder / "ca.crt") in made.stdout
    made = sallyport("cert", "server", "mail.example.org", "*.example.net", "192.0.2.1", "2001:db8::1", cwd=folder)
    assert made.returncode == 0 and made.stderr == ""
    assert fingerprint(folder / "mail.example.org.crt") in made.stdout
    assert f"certificate = {folder}/mail.example.org.crt {folder}/mail.example.org.key" in made.stdout
    assert sorted(p.name for p in folder.iterdir()) == ["ca.crt", "ca.key", "mail.example.org.crt",
                                                       "mail.example.org.key"]
    assert mode(folder / "ca.key") == mode(folder / "mail.example.org.key") == 0o600
    assert mode(folder / "ca.crt") == mode(folder / "mail.example.org.crt") == 0o644
    for name in ("mail.example.org", "pop.example.net", "192.0.2.1", "2001:db8::1"):
        verify(folder, "mail.example.org.crt", name)
    other = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", "ca.crt", "-verify_hostname",
                            "other.example.org", "mail.example.org.crt"], cwd=folder, capture_output=True)
    assert other.returncode != 0, "the control: it is not for any name"
    assert "prime256v1" in openssl("x509", "-in", folder / "mail.example.org.crt", "-noout", "-text")
    assert openssl("pkey", "-in", folder / "mail.example.org.key", "-pubout") == openssl(
        "x509", "-in", folder / "mail.example.org.crt", "-noout", "-pubkey")


def test_cert_modes_do_not_depend_on_the_umask(folder):
    for mask in (0o000, 0o077):
        d = folder / f"{mask:o}"
        d.mkdir()
        subprocess.run(["sh", "-c", f'umask {mask:o}; exec "$0" cert ca', PROGRAM], cwd=d, check=True,
                       capture_output=True)
        assert mode(d / "ca.key") & 0o077 == 0
        assert mode(d / "ca.crt") & 0o022 == 0


def test_cert_server_signs_itself_without_a_ca(folder):
    made = sallyport("cert", "server", "localhost", cwd=folder)
    assert made.returncode == 0 and "signed by itself" in made.stdout
    verify(folder, "localhost.crt", "localhost", ca="localhost.crt")
    sallyport("cert", "ca", cwd=folder)
    made = sallyport("cert", "server", "-S", "-o", "own", "localhost", cwd=folder)
    assert made.returncode == 0 and "signed by itself" in made.stdout
    verify(folder, "own.crt", "localhost", ca="own.crt")


def test_cert_ca_elsewhere(folder):
    (folder / "ca").mkdir()
    (folder / "mail").mkdir()
    assert sallyport("cert", "ca", "-d", folder / "ca").returncode == 0
    made = sallyport("cert", "server", "-d", folder / "mail", "-c", folder / "ca", "a.example", cwd="/")
    assert made.returncode == 0
    assert sorted(p.name for p in (folder / "mail").iterdir()) == ["a.example.crt", "a.example.key"]
    verify(folder / "mail", "a.example.crt", "a.example", ca=folder / "ca" / "ca.crt")
    made = sallyport("cert", "server", "-c", folder / "none", "b.example", cwd=folder)
    assert made.returncode == 1 and str(folder / "none") in made.stderr
    assert not list(folder.glob("b.*")), "nothing is left of what failed"


@pytest.mark.parametrize("kind, bits", [("rsa", 2048), ("rsa3072", 3072)])
def test_cert_rsa(folder, kind, bits):
    assert sallyport("cert", "ca", "-k", "rsa", cwd=folder).returncode == 0
    assert sallyport("cert", "server", "-k", kind, "a.example", cwd=folder, timeout=60).returncode == 0
    verify(folder, "a.example.crt", "a.example")
    text = openssl("x509", "-in", folder / "a.example.crt", "-noout", "-text")
    assert f"({bits} bit)" in text and "sha256WithRSAEncryption" in text
    assert f"RSA, {bits} bits" in sallyport("cert", "show", folder / "a.example.crt").stdout


def test_cert_request_goes_to_a_real_ca(folder):
    made = sallyport("cert", "request", "mail.example.org", "192.0.2.1", cwd=folder)
    assert made.returncode == 0 and mode(folder / "mail.example.org.key") == 0o600
    assert "verify OK" in openssl("req", "-in", folder / "mail.example.org.csr", "-verify", "-noout")
    text = openssl("req", "-in", folder / "mail.example.org.csr", "-text", "-noout")
    assert "DNS:mail.example.org" in text and "IP Address:192.0.2.1" in text
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "real.key",
            "-out", "real.crt", "-subj", "/CN=real CA", "-days", "2", cwd=folder)
    openssl("x509", "-req", "-in", "mail.example.org.csr", "-CA", "real.crt", "-CAkey", "real.key", "-CAcreateserial",
            "-copy_extensions", "copyall", "-days", "2", "-out", "mail.example.org.crt", cwd=folder)
    with open(folder / "mail.example.org.crt", "a") as f:
        f.write((folder / "real.crt").read_text())
    setting = re.search(r"^ +(certificate = .*)$", made.stdout, re.M).group(1)
    (folder / "conf").write_text(f"{setting}\nworker_user = nobody\nkey_user = daemon\n")
    checked = sallyport("check", "-c", folder / "conf")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("what, files", [(("ca",), ["ca.crt", "ca.key"]),
                                         (("server", "a.example"), ["a.example.crt", "a.example.key"]),
                                         (("request", "a.example"), ["a.example.csr", "a.example.key"])])
def test_cert_overwrites_nothing(folder, what, files):
    for present in files:
        (folder / present).write_text("mine")
        made = sallyport("cert", *what, cwd=folder)
        assert made.returncode == 1
        assert present in made.stderr and "not overwritten" in made.stderr
        assert [p.name for p in folder.iterdir()] == [present]
        assert (folder / present).read_text() == "mine"
        (folder / present).unlink()
        (folder / present).symlink_to("nowhere")
        assert sallyport("cert", *what, cwd=folder).returncode == 1, "nor written through a link"
        assert [p.name for p in folder.iterdir()] == [present]
        (folder / present).unlink()


@pytest.mark.parametrize("name", ["bad name", "", "a..b", "-a.example", "a/b", "../a", "a_\n", "*", "a.*.example",
                                  "straße.example", "a" * 64 + ".example", "x." * 127 + "xx", "a.example\r"])
def test_cert_bad_names(folder, name):
    for what in ("server", "request"):
        made = sallyport("cert", what, "--", "good.example", name, cwd=folder)
        assert made.returncode == 1, made.stdout
        assert "neither a host name nor an address" in made.stderr
        made = sallyport("cert", what, "--", name, cwd=folder)
        assert made.returncode in (1, 2)
        assert list(folder.iterdir()) == []


def test_cert_show(folder, certificates):
    shown = sallyport("cert", "show", certificates / "localhost.crt")
    assert shown.returncode == 0
    assert re.search(r"^  names    localhost\n +127\.0\.0\.1\n +::1$", shown.stdout, re.M), shown.stdout
    assert re.findall(r"SHA-256  (\S+)", shown.stdout) == [fingerprint(certificates / n)
                                                           for n in ("localhost.crt", "ca.crt")]
    end = openssl("x509", "-in", certificates / "localhost.crt", "-noout", "-enddate").split("=")[1].strip()
    end = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.strptime(end, "%b %d %H:%M:%S %Y GMT"))
    assert f"until    {end}" in shown.stdout
    # any other CA's
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "k", "-out", folder / "c", "-subj",
            "/O=Somebody\x1b[31m/CN=els\\e", "-days", "2")
    shown = sallyport("cert", "show", folder / "c")
    assert shown.returncode == 0 and fingerprint(folder / "c") in shown.stdout
    assert "\x1b" not in shown.stdout, "no escape sequence of a stranger reaches the terminal"
    for path, why in ((folder / "k", "PEM certificate|private key"), (folder / "none", "No such file"),
                      (folder, "not a regular file")):
        shown = sallyport("cert", "show", path)
        assert shown.returncode == 1 and re.search(why, shown.stderr) and str(path) in shown.stderr


# --- passwd ---


def test_passwd_from_standard_input(serve):
    server = serve(start=False)
    anna = server.accounts["anna"]
    identity = ["-u", anna.uid, "-g", anna.uid if IS_ROOT else os.getegid(), "-h", anna.home]
    made = sallyport("passwd", *identity, "anna", given="über sechs \r\nsecond line\n")
    assert made.returncode == 0 and made.stderr == ""
    assert re.fullmatch(rf"anna:(\{{CRYPT\}})?\$\S+:{anna.uid}:\d+::{re.escape(str(anna.home))}::\n", made.stdout)
    again = sallyport("passwd", *identity, "anna", given="über sechs \n")
    assert again.stdout != made.stdout, "salted"
    (server.dir / "users").write_text(made.stdout)
    server.start()
    p = server.pops()
    p.user("anna")
    with pytest.raises(poplib.error_proto):
        p.pass_("secret")
    p = server.pops()
    p.encoding = "utf-8"
    p.user("anna")
    p.pass_("über sechs ")
    assert p.stat() == (0, 0)
    p.quit()


@pytest.mark.parametrize("given, why", [("", "empty"), ("\n", "empty"), ("x" * 512 + "\n", "too long"),
                                        ("a\0b\n", "NUL")])
def test_passwd_refuses(given, why):
    made = sallyport("passwd", "-u", "5000", "-g", "5000", "-h", "/x", "anna", given=given)
    assert made.returncode == 1 and made.stdout == "" and why in made.stderr


@pytest.mark.parametrize("arguments, status, why", [
    (["-u", "5000", "-g", "5000", "-h", "x", "anna"], 1, "absolute"),
    (["-u", "0", "-g", "5000", "-h", "/x", "anna"], 1, "root"),
    (["-u", "5000", "-g", "0", "-h", "/x", "anna"], 1, "root"),
    (["-u", "5x", "-g", "5000", "-h", "/x", "anna"], 1, "uid"),
    (["-u", "5000", "-g", "5000", "-h", "/x:y", "anna"], 1, "colon"),
    (["-u", "5000", "-g", "5000", "-h", "/x\ny", "anna"], 1, "control"),
    (["-u", "5000", "-g", "5000", "-h", "/x", "a:b"], 2, "name"),
    (["-u", "5000", "-g", "5000", "-h", "/x", "../etc"], 2, "name"),
    (["-u", "5000", "-g", "5000", "-h", "/x"], 2, "NAME"),
    (["-u", "5000", "-g", "5000", "-h", "/x", "a", "b"], 2, "NAME"),
    (["-x", "anna"], 2, "option"),
    (["no.such.user.here"], 1, "-u"),
])
def test_passwd_wrong_line(arguments, status, why):
    made = sallyport("passwd", *arguments, given="secret\n")
    assert (made.returncode, made.stdout) == (status, "")
    assert why in made.stderr


class Terminal:
    """A program on a terminal of its own, with its standard output apart."""

    def __init__(self, *arguments):
        out, self.child_out = os.pipe()
        self.out = os.fdopen(out)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.dup2(self.child_out, 1)
                os.execv(PROGRAM, [str(PROGRAM), *arguments])
            finally:
                os._exit(127)
        os.close(self.child_out)
        self.seen = ""

    def read(self):
        if not select.select([self.fd], [], [], 10)[0]:
            os.kill(self.pid, signal.SIGKILL)
            raise AssertionError(f"it waits; seen so far: {self.seen!r}")
        try:
            got = os.read(self.fd, 4096)
        except OSError:  # EIO: the program has ended
            got = b""
        self.seen += got.decode()
        return got

    def expect(self, text):
        while text not in self.seen:
            assert self.read(), self.seen
        self.seen = self.seen.split(text, 1)[1]

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def type(self, text):
        assert not self.echoes(), "echo goes before the question comes"
        until(lambda: pathlib.Path(f"/proc/{self.pid}/stat").read_text().split(") ")[1][0] == "S", 5, "it waits")
        os.write(self.fd, text.encode())

    def end(self):
        """Its status, standard output, and what else was seen."""
        while self.read():
            pass
        self.echoed = self.echoes()
        status = os.waitpid(self.pid, 0)[1]
        with self.out:
            out = self.out.read()
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), out, self.seen


def test_passwd_on_a_terminal(serve):
    server = serve(start=False)
    anna = server.accounts["anna"]
    t = Terminal("passwd", "-u", str(anna.uid), "-g", str(anna.uid if IS_ROOT else os.getegid()), "-h", str(anna.home),
                 "anna")
    t.expect("Password: ")
    t.type("typed twice\n")
    t.expect("The same again: ")
    t.type("typed twice\n")
    status, line, seen = t.end()
    assert status == 0 and t.echoed, "and the terminal echoes again"
    assert "typed" not in seen and "anna:" not in seen
    (server.dir / "users").write_text(line)
    server.accounts["anna"].password = "typed twice"
    server.start().login().quit()


def test_passwd_typed_differently():
    t = Terminal("passwd", "-u", "5000", "-g", "5000", "-h", "/x", "anna")
    t.expect("Password: ")
    t.type("one thing\n")
    t.expect("The same again: ")
    t.type("another\n")
    status, line, seen = t.end()
    assert (status, line) == (1, "") and "differ" in seen and t.echoed


def test_passwd_interrupted():
    t = Terminal("passwd", "-u", "5000", "-g", "5000", "-h", "/x", "anna")
    t.expect("Password: ")
    t.type("half\x03")
    status, line, seen = t.end()
    assert (status, line) == (-signal.SIGINT, "") and "half" not in seen and t.echoed


# --- check ---


@pytest.fixture
def conf(serve):
    """A server that was never started: a good configuration with its files."""
    return serve(start=False)


def check(server):
    checked = sallyport("check", "-c", server.conf)
    assert checked.stderr == ""
    return checked.returncode, checked.stdout


def test_check_good(conf):
    status, said = check(conf)
    assert status == 0 and f"{conf.conf}: good\n" in said
    assert str(conf.certificates / "localhost.crt") in said and f"{conf.dir}/users: 2 accounts" in said


def test_check_the_configuration_that_comes_with_it(folder):
    """etc/sallyport.conf and its own comments, with only the pair of files that it names."""
    shipped = pathlib.Path(__file__).resolve().parents[2] / "etc" / "sallyport.conf"
    subprocess.run([PROGRAM, "cert", "server", "-o", "mail", "mail.example.org"], cwd=folder, check=True,
                   capture_output=True)
    text = shipped.read_text().replace("/etc/sallyport/mail.", f"{folder}/mail.")
    (folder / "conf").write_text(text + f"worker_user = {WORKER_USER}\nkey_user = {KEY_USER}\n")
    checked = sallyport("check", "-c", folder / "conf")
    assert checked.returncode == 0, checked.stdout


# The mistake, and what to write instead.
MISTAKES = [
    ("listen_pop3s = 300.0.0.1", r"\"300\.0\.0\.1\" is no IP address; write \* or .*192\.0\.2\.1:995"),
    ("listen_pop3s = localhost:995", r"\"localhost\" is no IP address; write \*"),
    ("listen_pop3s = *:65536", r"write off, \*, ADDRESS or ADDRESS:PORT, such as \*:995"),
    ("listen_pop3s = *:", r"such as \*:995"),
    ("listen_pop3s = [::1", r"such as \*:995"),
    ("listen_pop3s = *:0", r"such as \*:995"),
    ("listen_pop3s = 127.0.0.1:9995 127.0.0.1:9995", r"127\.0\.0\.1:9995 is listened on already; write it once"),
    ("listen_pop3s = " + " ".join(f"127.0.0.{i}" for i in range(40)), r"more than 32 addresses.*write \*:995"),
    ("certificate = /a", r"write two absolute paths.*certificate = /etc/sallyport/mail\.crt /etc/"),
    ("certificate = a.crt a.key", r"two absolute paths"),
    ("certificate = /a /b /c", r"two absolute paths"),
    ("mark_seen = maybe", r"mark_seen: write yes or no, not \"maybe\""),
    ("mark_seen = YES", r"write yes or no"),
    ("login_in_clear = always", r"\"always\" is none of: never loopback"),
    ("log_tls = everything", r"none of: brief full"),
    ("max_connections = many", r"\"many\" is not a number from 1 to 100000; the default is 1000"),
    ("max_connections = -1", r"not a number from 1 to"),
    ("max_connections = 0", r"not a number from 1 to"),
    ("max_connections = 1e3", r"not a number from 1 to"),
    ("max_connections = 99999999999999999999", r"not a number from 1 to"),
    ("login_failures = 11", r"from 1 to 10; the default is 3"),
    ("login_timeout = 1s", r"not a time \(such as 30s, 10m, 2h\) from 5s to 600s; the default is 60s"),
    ("login_timeout = 1 m", r"not a time"),
    ("login_timeout = 60d", r"not a time"),
    ("pop3_login_delay = 1000h", r"not a time"),
    ("pop3_idle_timeout = 9s", r"from 10s to"),
    ("pop3_login_delay = soon", r"not a time"),
    ("shutdown_wait = 0s", r"from 1s to"),
    ("max_per_user = 5K", r"not a number"),
    ("maximum_connections = 5", r"there is no setting \"maximum_connections\"; did you mean max"),
    ("Mark_seen = yes", r"there is no setting \"Mark_seen\""),
    ("mark_seen", r"write NAME = VALUE, or # before a comment"),
    ("mark_seen =", r"mark_seen has no value; write mark_seen = VALUE, or delete the line"),
    ("= yes", r"there is no setting \"\""),
    ("accounts = file", r"accounts stands in line (\d+) already; keep one of the two"),
    ("x" * 5000, r"longer than 4096 octets or holds a NUL; write it as text"),
    ("mark_seen = y\0es", r"or holds a NUL; write it as text"),
]


@pytest.mark.parametrize("mistake, instead", MISTAKES, ids=[m[:30].replace("\0", "NUL") for m, _ in MISTAKES])
def test_check_says_line_and_what_to_write(conf, mistake, instead):
    lines = conf.conf.read_text().splitlines() + ["", "  # the mistake:", mistake, ""]
    conf.conf.write_text("\n".join(lines) + "\n")
    status, said = check(conf)
    assert status == 1
    found = re.search(rf"^{re.escape(str(conf.conf))}:(\d+): .*{instead}", said, re.M)
    assert found and int(found.group(1)) == len(lines) - 1, said
    assert len(set(said.splitlines())) == 1, "and nothing else is wrong"
    if found.re.groups == 2:
        assert lines[int(found.group(2)) - 1] == "accounts = file"
    run = sallyport("run", "-c", conf.conf)
    assert run.returncode == 1 and run.stderr == said, "run says the same"


REPLACED = [
    ({"users_file": "users"}, r"users_file: \"users\" is not an absolute path; write one that begins with /"),
    ({"empty_dir": "empty"}, r"empty_dir: \"empty\" is not an absolute path"),
    ({"accounts": "ldap"}, r"accounts: \"ldap\" is none of: system file"),
    ({"log": "/var/log/x"}, r"none of: stderr syslog"),
    ({"min_uid": "0"}, r"min_uid: \"0\" is not a number from 1 to"),
    ({"failure_delay": "1h"}, r"not a time"),
    ({"memory": "1M"}, r"memory: \"1M\" is not a size \(such as 64M\) from"),
    ({"memory": "64 M"}, r"not a size"),
]


@pytest.mark.parametrize("settings, instead", REPLACED)
def test_check_wrong_values(serve, settings, instead):
    server = serve(settings, start=False)
    status, said = check(server)
    (name, value), = settings.items()
    line = server.conf.read_text().splitlines().index(f"{name} = {value}") + 1
    assert status == 1 and re.search(rf"^{re.escape(str(server.conf))}:{line}: .*{instead}", said, re.M), said


@pytest.mark.parametrize("settings, instead", [
    ({f"listen_{p}": "off" for p in ("pop3", "pop3s", "imap", "imaps")}, r"nothing to listen on; write listen_pop3s = \*"),
    ({"certificate": []}, r"no certificate; write certificate = CHAIN KEY"),
    ({"maildir": "Mail"}, r"maildir: write a path that begins with ~/"),
    ({"maildir": "/var/mail/%h"}, r"maildir: a % that means nothing; write %u"),
    ({"max_connections": "50", "max_before_login": "60"}, r"max_before_login is above max_connections; write at most 50"),
])
def test_check_of_the_whole(serve, settings, instead):
    server = serve(settings, start=False)
    status, said = check(server)
    assert status == 1 and re.search(rf"^{re.escape(str(server.conf))}: .*{instead}", said, re.M), said


def test_check_tells_all_mistakes_at_once(conf):
    with conf.conf.open("a") as f:
        f.write("one = 1\ntwo = 2\nmark_seen = 3\n")
    status, said = check(conf)
    assert status == 1 and len(re.findall(r":\d+: ", said)) == 3


def test_check_missing_configuration(folder):
    for path, why in ((folder / "none", "No such file"), (folder, "Is a directory|Invalid argument")):
        for what in ("check", "run"):
            checked = sallyport(what, "-c", path)
            assert checked.returncode == 1
            assert re.search(rf"{re.escape(str(path))}: cannot read it: .*({why})", checked.stdout + checked.stderr)


def key_of_another(d):
    subprocess.run([PROGRAM, "cert", "server", "-S", "-o", "other", "localhost"], cwd=d, check=True,
                   capture_output=True)
    shutil.copy(d / "other.key", d / "localhost.key")


def expired(d):
    """A certificate that was good for a day, long ago."""
    (d / "ext").write_text("subjectAltName=DNS:localhost\n")
    (d / "db").write_text("")
    (d / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=c\n[c]\ndatabase={d}/db\nnew_certs_dir={d}\nserial={d}/serial\ndefault_md=sha256\n"
        "policy=p\n[p]\ncommonName=supplied\n")
    (d / "serial").write_text("1000\n")
    openssl("req", "-new", "-key", d / "localhost.key", "-subj", "/CN=localhost", "-out", d / "csr")
    openssl("ca", "-batch", "-config", d / "ca.cnf", "-selfsign", "-keyfile", d / "localhost.key", "-in", d / "csr",
            "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-extfile", d / "ext", "-notext", "-out",
            d / "localhost.crt")


def encrypted(d):
    openssl("pkey", "-in", d / "localhost.key", "-aes256", "-passout", "pass:x", "-out", d / "e")
    shutil.copy(d / "e", d / "localhost.key")


def small_rsa(d):
    openssl("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", d / "localhost.key", "-out",
            d / "localhost.crt", "-subj", "/CN=localhost", "-days", "2")


PAIRS = [
    ("chain missing", lambda d: (d / "localhost.crt").unlink(), "localhost.crt", "No such file"),
    ("chain empty", lambda d: (d / "localhost.crt").write_text(""), "localhost.crt", "no PEM certificate"),
    ("chain damaged", lambda d: (d / "localhost.crt").write_text(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "localhost.crt", "."),
    ("key in the chain", lambda d: (d / "localhost.crt").write_text(
        (d / "localhost.crt").read_text() + (d / "localhost.key").read_text()), "localhost.crt",
     "move the key to a file of its own"),
    ("key missing", lambda d: (d / "localhost.key").unlink(), "localhost.key", "No such file"),
    ("key of another", key_of_another, "localhost.key", "does not belong"),
    ("key is a folder", lambda d: ((d / "localhost.key").unlink(), (d / "localhost.key").mkdir()), "localhost.key",
     "not a regular file"),
    ("key read by all", lambda d: (d / "localhost.key").chmod(0o644), "localhost.key", "chmod 600 "),
    ("key read by the group", lambda d: (d / "localhost.key").chmod(0o640), "localhost.key", "chmod 600 "),
    ("key encrypted", encrypted, "localhost.key", "openssl pkey"),
    ("expired", expired, "localhost.crt", "expired"),
    ("RSA too small", small_rsa, "localhost.crt", "1024 bits; 2048 to"),
]


@pytest.mark.parametrize("what, spoil, path, why", PAIRS, ids=[p[0] for p in PAIRS])
def test_check_certificates(conf, what, spoil, path, why):
    spoil(conf.certificates)
    status, said = check(conf)
    assert status == 1, said
    assert re.search(rf"^(.*:\d+: )?certificate: .*{re.escape(str(conf.certificates / path))}.*{why}", said, re.M), said
    assert f"{conf.conf}: not good" in said


class Chain:
    """A root, an intermediate and a server's certificate by openssl, with times as wished."""

    def __init__(self, d):
        self.d = d
        self.count = 0

    def make(self, name, issuer=None, days=(-1, 365), names="DNS:localhost", key=None):
        """name.pem, signed by issuer's key or by itself, valid from and until so many days from now."""
        d, ca = self.d / "chain", name != "leaf"
        d.mkdir(exist_ok=True)
        self.count += 1
        times = [(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=x)).strftime("%Y%m%d%H%M%SZ")
                 for x in days]
        (d / "ext").write_text(("basicConstraints=critical,CA:TRUE\n" if ca else "") +
                               (f"subjectAltName={names}\n" if names and not ca else ""))
        (d / "db").write_text("")
        (d / "cnf").write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={d}/db\nnew_certs_dir={d}\nserial={d}/serial\n"
                               "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        (d / "serial").write_text(f"{1000 + self.count}\n")
        key = d / f"{name}.key" if ca else self.d / "localhost.key"
        if ca:
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", d / "csr")
        sign = ["-selfsign", "-keyfile", key] if issuer is None else ["-cert", d / f"{issuer}.pem", "-keyfile",
                                                                      d / f"{issuer}.key"]
        openssl("ca", "-batch", "-config", d / "cnf", *sign, "-in", d / "csr", "-startdate", times[0], "-enddate",
                times[1], "-extfile", d / "ext", "-notext", "-out", d / f"{name}.pem")
        return self

    def serve(self, *names):
        (self.d / "localhost.crt").write_text("".join((self.d / "chain" / f"{n}.pem").read_text() for n in names))


def three(d, **leaf):
    return Chain(d).make("root").make("middle", "root").make("leaf", "middle", **leaf)


# what; how the file is made; what is said, or None; whether that is a fault
CHAINS = [
    ("full", lambda d: three(d).serve("leaf", "middle"), None, False),
    ("with its root", lambda d: three(d).serve("leaf", "middle", "root"), None, False),
    ("self-signed", lambda d: Chain(d).make("leaf").serve("leaf"), None, False),
    ("not yet valid", lambda d: three(d, days=(1, 40)).serve("leaf", "middle"), "CN=leaf is not valid before", True),
    ("expired", lambda d: three(d, days=(-9, -1)).serve("leaf", "middle"), "CN=leaf has expired", True),
    ("soon", lambda d: three(d, days=(-9, 13.5)).serve("leaf", "middle"), "CN=leaf expires in 13 days", False),
    ("not so soon", lambda d: three(d, days=(-9, 14.5)).serve("leaf", "middle"), None, False),
    ("intermediate expired", lambda d: Chain(d).make("root").make("middle", "root", (-9, -1)).make("leaf", "middle")
     .serve("leaf", "middle"), "CN=middle has expired", True),
    ("no intermediate", lambda d: three(d).serve("leaf"), "lacks the certificate of CN=middle.*fullchain", True),
    ("root alone", lambda d: three(d).serve("leaf", "root"), "lacks the certificate of CN=middle", True),
    ("wrong order", lambda d: three(d).serve("leaf", "root", "middle"), "wrong order: CN=leaf must .*CN=middle", True),
    ("twice", lambda d: three(d).serve("leaf", "leaf", "middle"), "wrong order", True),
    ("another's", lambda d: Chain(d).make("root").make("middle", "root").make("leaf", "middle").make("middle", "root")
     .serve("leaf", "middle"), "signature", True),
    ("no names", lambda d: three(d, names=None).serve("leaf", "middle"), "names no host", True),
]


@pytest.mark.parametrize("what, make, why, wrong", CHAINS, ids=[c[0] for c in CHAINS])
def test_mend28_check_looks_at_the_chain(conf, what, make, why, wrong):
    make(conf.certificates)
    status, said = check(conf)
    told = re.findall(rf"^{re.escape(str(conf.conf))}:\d+: (certificate|warning): {conf.certificates}/localhost.crt: (.*)$",
                      said, re.M)
    assert status == int(wrong), said
    assert [kind for kind, _ in told] == ([] if why is None else ["certificate" if wrong else "warning"]), said
    assert why is None or re.search(why, told[0][1]), said
    assert said.endswith(": not good\n" if wrong else ": good, but for the warnings\n" if why else ": good\n")


def test_mend28_run_tells_at_start(serve):
    server = serve(start=False)
    three(server.certificates, days=(-9, 3.5)).serve("leaf")
    server.start()
    server.wait_log('master certificate-problem what="CN=leaf expires in 3 days')
    server.wait_log('master certificate-problem what="the chain lacks')
    assert "certificate-problem" not in serve().log()


def test_check_certificates_tells_the_line(conf):
    """Of several certificates, the setting that is wrong."""
    with conf.conf.open("a") as f:
        f.write(f"certificate = {conf.certificates}/none.crt {conf.certificates}/localhost.key\n")
    status, said = check(conf)
    assert status == 1
    line = [i for i, l in enumerate(conf.conf.read_text().splitlines(), 1) if "none.crt" in l][0]
    assert f"{conf.conf}:{line}: certificate" in said


USERS = [
    (lambda u: u + "nonsense\n", 3, "."),
    (lambda u: u + "../x:{CRYPT}$6$x:61001:61001::/home/x::\n", 3, "name"),
    (lambda u: u + "x:{CRYPT}$6$x:nobody:61001::/home/x::\n", 3, "uid"),
    (lambda u: u + "x:{CRYPT}$6$x:61001:::/home/x::\n", 3, "gid"),
    (lambda u: u + "y" * 5000 + "\n", 3, "too long"),
    (lambda u: "# comment\n\n" + u + "x:{CRYPT}$6$x:1\n", 5, "gid"),
    # those who can never log in, see sallyport-users(5)
    (lambda u: u + "x:{CRYPT}$6$abc$def:0:61001::/home/x::\n", 3, "uid"),
    (lambda u: u + "x:{CRYPT}$6$abc$def:61001:61001\n", 3, "home"),
    (lambda u: u + "x:{CRYPT}$6$abc$def:61001:61001::relative::\n", 3, "home"),
    # mend26: with these no password can be compared
    (lambda u: u + "x:{SSHA}abc:61001:61001::/home/x::\n", 3, "scheme"),
    (lambda u: u + "x:{CRYPT}$6$abc$def:61001:61001::/home/x::\n", 3, "cut off"),
]


@pytest.mark.parametrize("change, line, why", USERS)
def test_check_users_file(conf, change, line, why):
    users = conf.dir / "users"
    users.write_text(change(users.read_text()))
    status, said = check(conf)
    assert status == 1, said
    assert re.search(rf"^{re.escape(str(users))}:{line}: .*{why}", said, re.M), said


def test_check_users_file_modes_and_absence(conf):
    users = conf.dir / "users"
    for bits in (0o644, 0o660, 0o602):
        users.chmod(bits)
        status, said = check(conf)
        assert status == 1 and re.search(rf"^{re.escape(str(users))}: .*chmod 6[04]0 ", said, re.M), said
    users.chmod(0o640)
    assert check(conf)[0] == 0
    users.unlink()
    status, said = check(conf)
    assert status == 1 and re.search(rf"^{re.escape(str(users))}: No such file.*sallyport passwd", said, re.M)


@pytest.mark.root
@pytest.mark.parametrize("setting", ["worker_user", "key_user"])
def test_check_missing_user(serve, setting):
    server = serve({setting: "no-such-user"}, start=False)
    status, said = check(server)
    assert status == 1 and re.search(rf"{setting}: there is no user no-such-user: useradd .* no-such-user$", said, re.M)


@pytest.mark.root
@pytest.mark.parametrize("settings", [{"worker_user": KEY_USER}, {"key_user": "root"}, {"worker_user": "root"}])
def test_check_sees_users_that_run_refuses(serve, settings):
    status, said = check(serve(settings, start=False))
    assert status == 1 and re.search(r"(worker|key)_user.*(different|root)", said), said


# --- version, help, command lines ---


def test_version_and_help():
    said = sallyport("version")
    assert said.returncode == 0 and re.fullmatch(r"sallyport \d+\.\d+\S*, [Mm]bed ?TLS \d+\.\d+\.\d+\S*\n", said.stdout)
    said = sallyport("help")
    assert said.returncode == 0 and said.stderr == ""
    for command in ("run", "check", "passwd", "cert", "version", "help"):
        assert f"  sallyport {command}" in said.stdout
    said = sallyport("cert", "help")
    assert said.returncode == 0 and "sallyport cert ca" in said.stdout


@pytest.mark.parametrize("arguments", [
    [], ["serve"], ["--run"], ["run", "-x"], ["run", "-c"], ["check", "-x"], ["check", "-c"], ["cert"], ["cert", "x"],
    ["cert", "ca", "name"], ["cert", "ca", "-D", "0"], ["cert", "ca", "-D", "x"], ["cert", "ca", "-k", "dsa"],
    ["cert", "server"], ["cert", "server", "-x", "a"], ["cert", "server", "-S", "-c", ".", "a"],
    ["cert", "server", "-o", "a/b", "a"], ["cert", "request"], ["cert", "show"], ["cert", "show", "a", "b"], ["passwd"],
    ["run", "/etc/sallyport.conf"], ["check", "/etc/sallyport.conf"], ["version", "x"], ["help", "x"],
], ids=" ".join)
def test_wrong_command_line(folder, arguments):
    said = sallyport(*arguments, cwd=folder)
    assert said.returncode == 2, said
    assert said.stdout == "" and "usage:" in said.stderr
    assert list(folder.iterdir()) == []


# --- run ---


def run_fails(server):
    """Its log; it ends by itself, with 1, and leaves no process.  A session of its own tells its processes from those of
    other tests."""
    p = subprocess.Popen([PROGRAM, "run", "-c", server.conf], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, start_new_session=True)
    said = p.communicate(timeout=20)[0]
    assert p.returncode == 1, said
    until(lambda: not processes(p.pid), 5, "the end of its processes")
    assert "master ready" not in said
    return said


def processes(session):
    """The processes of a session, whatever their titles."""
    return subprocess.run(["ps", "-o", "pid=", "--sid", str(session)], capture_output=True, text=True).stdout.split()


def test_run_wrong_configuration(serve):
    server = serve({"mark_seen": "maybe"}, start=False)
    assert re.search(rf"^{re.escape(str(server.conf))}:\d+: mark_seen: write yes or no", run_fails(server), re.M)


@pytest.mark.parametrize("setting", ["listen_pop3", "listen_pop3s"])
def test_run_port_in_use(serve, setting):
    port, = free_ports(1)
    server = serve({setting: f"127.0.0.1:{port}"}, start=False)
    with socket.create_server(("127.0.0.1", port)):
        log = run_fails(server)
    assert re.search(rf"cannot-listen address=127\.0\.0\.1:{port} error=.*in use", log), log


@pytest.mark.parametrize("spoil, why", [
    (lambda d: (d / "localhost.key").unlink(), r"localhost\.key.*No such file"),
    (lambda d: (d / "localhost.key").chmod(0o644), r"chmod 600 \S*localhost\.key"),
    (lambda d: (d / "localhost.crt").unlink(), r"localhost\.crt.*No such file"),
    (key_of_another, r"localhost\.key does not belong"),
])
def test_run_wrong_key_or_certificate(serve, spoil, why):
    server = serve(start=False)
    spoil(server.certificates)
    assert re.search(why, run_fails(server))


@pytest.mark.root
@pytest.mark.parametrize("settings, why", [
    ({"worker_user": "no-such-user"}, r"worker_user: there is no user no-such-user: useradd"),
    ({"key_user": "no-such-user"}, r"key_user: there is no user no-such-user: useradd"),
    ({"key_user": WORKER_USER}, "worker_user and key_user must be different"),
    ({"worker_user": "root"}, "has root.s uid"),
    ({"key_user": "root"}, "has root.s uid"),
])
def test_run_wrong_users(serve, settings, why):
    assert re.search(why, run_fails(serve(settings, start=False)))


@pytest.mark.root
def test_run_empty_dir_that_others_write(serve):
    server = serve(start=False)
    d = server.dir / "empty"
    d.mkdir()
    d.chmod(0o777)
    assert "empty_dir" in run_fails(server)
