"""TLS: what is negotiated and what is refused, STLS, certificates by name and kind, resumption."""

import hashlib
import re
import socket
import ssl
import subprocess

import pytest

from conftest import PROGRAM, until

HAS_13 = "3.6" in subprocess.run([PROGRAM, "version"], capture_output=True, text=True).stdout


def s_client(server, *arguments, text="QUIT\n", port=None):
    return subprocess.run(["openssl", "s_client", "-connect", f"localhost:{port or server.pop3s}", "-CAfile", server.ca,
                           "-crlf", "-ign_eof", *arguments], input=text, capture_output=True, text=True, timeout=30)


def test_req01_commands_behind_stls_are_refused(server):
    """Injection: in the same segment, and just behind it; neither answered in clear nor inside TLS."""
    s = socket.create_connection(("127.0.0.1", server.pop3))
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"STLS\r\nCAPA\r\nUSER anna\r\n")
    rest = f.read()
    assert rest.startswith(b"-ERR") and rest.count(b"\r\n") == 1
    s = socket.create_connection(("127.0.0.1", server.pop3))
    assert s.recv(100).startswith(b"+OK")
    s.sendall(b"STLS\r\n")
    assert s.recv(100).startswith(b"+OK")
    s.sendall(b"CAPA\r\n" * 5)  # where a ClientHello belongs
    s.settimeout(10)
    got = b""
    try:
        while chunk := s.recv(4096):
            got += chunk
    except ConnectionResetError:
        pass
    assert b"+OK" not in got and b"TOP" not in got


def test_req02_what_was_learnt_before_tls_is_forgotten(serve):
    server = serve({"login_in_clear": "loopback"})
    s = socket.create_connection(("localhost", server.pop3))
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"USER anna\r\n")
    assert f.readline().startswith(b"+OK")
    s.sendall(b"STLS\r\n")
    assert f.readline().startswith(b"+OK")
    t = server.context().wrap_socket(s, server_hostname="localhost")
    g = t.makefile("rb")
    t.sendall(b"PASS sesame\r\nSTLS\r\nCAPA\r\n")
    assert g.readline().startswith(b"-ERR"), "USER was before TLS"
    assert g.readline().startswith(b"-ERR"), "STLS inside TLS"
    lines = [g.readline() for _ in range(12)]
    assert b"STLS\r\n" not in lines
    t.sendall(b"USER anna\r\nPASS sesame\r\n")
    t.close()


def test_req03_no_password_in_the_clear(server):
    s = socket.create_connection(("127.0.0.1", server.pop3))
    f = s.makefile("rb")
    f.readline()
    s.sendall(b"USER anna\r\nPASS sesame\r\nAUTH PLAIN AGFubmEAc2VzYW1l\r\nAUTH LOGIN\r\n")
    assert all(f.readline().startswith(b"-ERR") for _ in range(4))
    assert "denied" not in server.log(), "refused before the password was looked at"
    assert " login user" not in server.log()


def test_login_in_the_clear_from_loopback_when_allowed(serve):
    import poplib
    server = serve({"login_in_clear": "loopback"})
    p = server.clear()
    p.user("anna")
    p.pass_("sesame")
    assert p.stat() == (0, 0)
    p.quit()
    server.wait_log("login user=anna .* tls=no")


def test_stls(server):
    p = server.clear()
    p.stls(server.context())
    p.user("anna")
    p.pass_("sesame")
    p.quit()


def test_req14_versions_and_ciphers(server):
    for old in ("-tls1", "-tls1_1"):
        out = s_client(server, old, "-cipher", "ALL:@SECLEVEL=0")
        assert "+OK" not in out.stdout, old
    for cipher in ("AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "NULL",
                   "PSK"):
        out = s_client(server, "-tls1_2", "-cipher", cipher + ":@SECLEVEL=0")
        assert "+OK sallyport" not in out.stdout, cipher
    for cipher in ("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"):
        out = s_client(server, "-tls1_2", "-cipher", cipher)
        assert "+OK sallyport" in out.stdout and "Verify return code: 0" in out.stdout, cipher
    for group in ("X25519:P-256", "P-256", "P-384:P-256"):  # P-256 is the certificate's
        assert "+OK sallyport" in s_client(server, "-groups", group).stdout, group
    out = s_client(server)
    assert ("TLSv1.3" if HAS_13 else "TLSv1.2") in out.stdout
    assert "Compression: NONE" in out.stdout


def test_req14_no_renegotiation(server):
    """A client that asks for a new handshake gets none."""
    out = subprocess.run(["openssl", "s_client", "-tls1_2", "-connect", f"localhost:{server.pop3s}", "-CAfile", server.ca],
                         input="R\nCAPA\n", capture_output=True, text=True, timeout=30)
    assert "no renegotiation" in out.stderr or "RENEGOTIATING" in out.stdout + out.stderr
    assert "EXPIRE NEVER" not in out.stdout


def test_alpn(server):
    for offer, wanted in (("pop3", "pop3"), ("http/1.1,pop3", "pop3")):
        c = server.context()
        c.set_alpn_protocols(offer.split(","))
        with c.wrap_socket(socket.create_connection(("127.0.0.1", server.pop3s)), server_hostname="localhost") as t:
            assert t.selected_alpn_protocol() == wanted
    c = server.context()
    c.set_alpn_protocols(["h2", "imap"])
    with pytest.raises(ssl.SSLError):
        with c.wrap_socket(socket.create_connection(("127.0.0.1", server.pop3s)), server_hostname="localhost") as t:
            t.recv(10)


def make(server, *names, kind="p256"):
    subprocess.run([PROGRAM, "cert", "server", "-k", kind, *names], cwd=server.certificates, check=True,
                   capture_output=True)
    return f"{server.certificates}/{names[0]}.crt {server.certificates}/{names[0]}.key"


def test_certificates_by_sni_and_by_kind(serve):
    server = serve(start=False)
    first = server.settings["certificate"]
    server.settings["certificate"] = [first, make(server, "mail.example.org", "*.example.net"),
                                      make(server, "rsa.example.org", "localhost", kind="rsa")]
    server.write_conf()
    server.start()

    def subject(name, *more):
        out = s_client(server, "-servername", name, *more)
        assert "+OK sallyport" in out.stdout, out.stdout + out.stderr
        return out.stdout.replace("CN = ", "CN=")  # OpenSSL 3.0 and 3.5 differ

    assert "CN=mail.example.org" in subject("mail.example.org")
    assert "CN=mail.example.org" in subject("MAIL.Example.ORG")
    assert "CN=mail.example.org" in subject("any.example.net")
    assert "CN=localhost" in subject("a.b.example.net"), "a wildcard is one label"
    assert "CN=localhost" in subject("unknown.example"), "an unknown name is served"
    assert "CN=rsa.example.org" in subject("rsa.example.org")
    assert "CN=localhost" in subject("localhost"), "of two kinds ECDSA is preferred"
    assert "CN=rsa.example.org" in subject("localhost", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")


def test_rsa_alone(serve):
    server = serve(start=False)
    server.settings["certificate"] = make(server, "rsa.test", "localhost", kind="rsa")
    server.write_conf()
    server.start()
    server.login().quit()
    assert "+OK sallyport" in s_client(server, "-tls1_2").stdout


@pytest.mark.parametrize("version", ["-tls1_2"] + (["-tls1_3"] if HAS_13 else []))
def test_resumption_across_workers(server, version):
    ticket = server.dir / "ticket"
    # -ign_eof keeps the connection until a ticket of TLS 1.3 has come
    s_client(server, version, "-sess_out", ticket)
    out = s_client(server, version, "-sess_in", ticket)
    assert "Reused, TLSv1" in out.stdout and "+OK sallyport" in out.stdout
    server.stop()
    server.start()
    assert "Reused, TLSv1" not in s_client(server, version, "-sess_in", ticket).stdout, "keys lived in memory only"


def test_req15_strange_hellos(server):
    before = len(server.children())
    for name in ("a" * 250, "x.y" * 60):
        s_client(server, "-servername", name)
    for junk in (b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\x80\x2e\x01\x00\x02", b"\x15\x03\x01\0\x02\x02\x28", b"\0" * 5):
        with socket.create_connection(("127.0.0.1", server.pop3s)) as s:
            s.sendall(junk)
            s.settimeout(10)
            try:
                while s.recv(100):
                    pass
            except ConnectionResetError:
                pass
    until(lambda: len(server.children()) == before, 10)
    server.login().quit()


class Cutter:
    """A TLS client over a socket, whose records in the clear go out cut, in pieces of at most `most` octets."""

    def __init__(self, server, most, alpn=("imap",), version=None):
        context = server.context()
        context.set_alpn_protocols(list(alpn))
        if version:
            context.maximum_version = version
        self.inward, self.outward, self.most = ssl.MemoryBIO(), ssl.MemoryBIO(), most
        self.tls = context.wrap_bio(self.inward, self.outward, server_hostname="localhost")
        self.sock = socket.create_connection(("127.0.0.1", server.imaps), 20)
        self.records = 0  # that the handshake took in the clear
        self.cutting = True

    def cut(self, octets):
        out = b""
        while octets:
            length = int.from_bytes(octets[3:5], "big")
            header, content, octets = octets[:3], octets[5:5 + length], octets[5 + length:]
            # in TLS 1.2 what follows ChangeCipherSpec is encrypted, in 1.3 it has another type
            self.cutting = self.cutting and (header[0] == 22 or self.tls.version() == "TLSv1.3")
            most = self.most if self.cutting and header[0] == 22 else length
            for at in range(0, length, most):
                piece = content[at:at + most]
                out += header + len(piece).to_bytes(2, "big") + piece
                self.records += header[0] == 22
        return out

    def do(self, call, *arguments):
        while True:
            try:
                result = call(*arguments)
                self.sock.sendall(self.cut(self.outward.read()))
                return result
            except ssl.SSLWantReadError:
                self.sock.sendall(self.cut(self.outward.read()))
                octets = self.sock.recv(65536)
                assert octets, "the server ended the connection"
                self.inward.write(octets)

    def greeting(self):
        self.do(self.tls.do_handshake)
        return self.do(self.tls.read, 1000)


@pytest.mark.parametrize("version", ["TLSv1_2"] + (["TLSv1_3"] if HAS_13 else []))
def test_mend14_hello_in_many_records(server, version):
    """Cut anywhere, down to single octets; hellos as large as post-quantum key shares and padding make them."""
    large = ["imap"] + ["x" * 250 + str(i) for i in range(50)]  # and 1.2 kB of a key share come with OpenSSL 3.5
    for most, alpn in ((1, ["imap"]), (3, ["imap"]), (4, ["imap"]), (100, large[:7]), (700, large[:7]), (1, large),
                       (9000, large)):
        client = Cutter(server, most, alpn, getattr(ssl.TLSVersion, version))
        assert client.greeting().startswith(b"* OK"), (most, len(alpn))
        assert client.records > 1, "nothing was cut"
        client.sock.close()


def test_mend14_what_is_no_hello(server):
    """Too large, mixed with other records, or empty: an alert, and the end; the server lives on."""
    client = Cutter(server, 16384, ["imap"] + ["x" * 250 + str(i) for i in range(70)])
    with pytest.raises(ssl.SSLError, match="(?i)illegal.parameter"):
        client.greeting()
    for wrong in (b"\x16\3\1\0\2\1\0" b"\x14\3\1\0\1\1", b"\x16\3\1\0\0", b"\x16\3\1\0\2\1\0" b"\x15\3\1\0\2\2\50"):
        with socket.create_connection(("127.0.0.1", server.imaps), 20) as s:
            s.sendall(wrong)
            assert s.recv(100) == b"\x15\3\3\0\2\2\x0a", wrong
    server.imap_login().logout()


def test_req16_cut_stream_executes_nothing(server):
    server.accounts["anna"].deliver(b"Subject: x\n\n\n")
    s = socket.create_connection(("127.0.0.1", server.pop3s))
    t = server.context().wrap_socket(s, server_hostname="localhost")
    f = t.makefile("rb")
    f.readline()
    t.sendall(b"USER anna\r\nPASS sesame\r\nDELE 1\r\nQUIT")
    assert all(f.readline() for _ in range(3))
    t.shutdown(socket.SHUT_RDWR)  # of the connection: no close_notify
    server.wait_log("pop3 end user=anna")
    assert len(server.accounts["anna"].files()) == 1


def test_req17_one_certificate_for_both_doors(server):
    def leaf(*args):
        out = s_client(server, *args)
        return re.search("-----BEGIN.*END", out.stdout, re.S).group(0)
    assert leaf() == leaf("-starttls", "pop3", "-connect", f"localhost:{server.pop3}")
    assert "Verification: OK" in s_client(server, "-verify_hostname", "localhost").stdout


def test_two_workers_draw_different_random_numbers(server):
    """Server randoms and key shares of many connections, forked from the same master, never repeat."""
    seen = set()
    for version in ("-tls1_2",) + (("-tls1_3",) if HAS_13 else ()):
        for _ in range(12):
            out = s_client(server, version, "-msg")
            hello = re.search(r"<<< [^\n]*ServerHello\n((?:    [0-9a-f ]+\n)+)", out.stdout).group(1)
            random = bytes.fromhex(hello)[6:38]
            assert len(random) == 32 and random not in seen
            seen.add(random)
    assert len(seen) >= 12


def test_chain_is_sent_and_verifies_strictly(server):
    out = s_client(server, "-x509_strict", "-verify_return_error", "-showcerts")
    assert "Verify return code: 0 (ok)" in out.stdout
