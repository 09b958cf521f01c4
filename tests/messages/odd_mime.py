"""odd_mime.py: MIME that is broken or very rare."""

from parts import b64, head, mime, multipart, octets, part, prose

TOP = "MIME-Version: 1.0\nSubject: mime\nFrom: a@b\n"


def boundaries():
    mixed = TOP + "Content-Type: multipart/mixed"
    yield "boundary-missing", mixed + "\n\n--a\n\nx\n--a--\n"
    yield "boundary-empty", mixed + '; boundary=""\n\n--\n\nx\n----\n'
    yield "boundary-never-used", mixed + "; boundary=a\n\nno part at all\n"
    yield "boundary-only-end", mixed + "; boundary=a\n\n--a--\n"
    yield "boundary-not-closed", mixed + "; boundary=a\n\n--a\n\none\n--a\n\ntwo\n"
    yield "boundary-cut", mixed + "; boundary=a\n\n--a\n\none\n--"
    yield "boundary-cut-in-header", mixed + "; boundary=a\n\n--a\nContent-Type: text/pl"
    yield "boundary-no-final-newline", mixed + "; boundary=a\n\n--a\n\none\n--a--"
    yield "boundary-quoted", mixed + "; boundary=\"a b:c=d?e'()+_,-./\"\n\n--a b:c=d?e'()+_,-./\n\nx\n--a b:c=d?e'()+_,-./--\n"
    yield "boundary-unquoted-specials", mixed + "; boundary=a=b/c:d\n\n--a=b/c:d\n\nx\n--a=b/c:d--\n"
    yield "boundary-quote-open", mixed + '; boundary="a\n\n--a\n\nx\n--a--\n'
    yield "boundary-escaped", mixed + '; boundary="a\\"b\\\\c"\n\n--a"b\\c\n\nx\n--a"b\\c--\n'
    yield "boundary-trailing-space", mixed + '; boundary="a "\n\n--a \n\nx\n--a --\n'
    yield "boundary-lwsp-after", mixed + "; boundary=a\n\n--a \t \n\nx\n--a-- \t\n"
    yield "boundary-twice", mixed + "; boundary=a; boundary=b\n\n--a\n\nx\n--b\n\ny\n--a--\n--b--\n"
    yield "boundary-prefix", mixed + "; boundary=a\n\n--ab\n\nx\n--a\n\ny\n--a-\n--abc--\n--a--\n"
    yield "boundary-70", mixed + "; boundary=%s\n\n--%s\n\nx\n--%s--\n" % (("b" * 70,) * 3)
    yield "boundary-5000", mixed + "; boundary=%s\n\n--%s\n\nx\n--%s--\n" % (("b" * 5000,) * 3)
    yield "boundary-of-dashes", mixed + "; boundary=------\n\n--------\n\nx\n----------\n"
    yield "boundary-dot", mixed + "; boundary=.\n\n--.\n\n.\n--.--\n"
    yield "boundary-rfc2231", mixed + "; boundary*0=ab; boundary*1=cd\n\n--abcd\n\nx\n--abcd--\n"
    yield "boundary-in-header-of-part", mixed + "; boundary=a\n\n--a\nX: y\n--a\n\nx\n--a--\n"
    yield "boundary-in-epilogue", mixed + "; boundary=a\n\n--a\n\nx\n--a--\n--a\n\nepilogue\n--a--\n"
    yield "boundary-same-nested", mixed + "; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n--a--\n"
    yield "boundary-outer-ends-inner", mixed + "; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a--\n"
    yield "boundary-crlf-lf", octets(
        mixed + "; boundary=a\n\n--a\r\n\r\nx\r\n--a\n\ny\n\r\n--a--\r\n"
    )
    yield "boundary-bare-cr", octets(mixed + "; boundary=a\n\n--a\r\rx\r--a--\r")
    yield "boundary-eight-bit", mixed + '; boundary="ä"\n\n--ä\n\nx\n--ä--\n'
    yield "boundary-nul", octets(mixed + '; boundary="a\0b"\n\n--a\0b\n\nx\n--a\0b--\n')


def nested():
    for depth in (99, 100, 101, 200):
        entity = part("text/plain", "core\n")
        for i in range(depth):
            entity = multipart("mixed", "n%d" % i, entity)
        yield "nested-multipart-%d" % depth, TOP + entity
    entity = part("text/plain", "core\n")
    for i in range(200):
        entity = "Content-Type: message/rfc822\n\nSubject: %d\nMIME-Version: 1.0\n" % i + entity
    yield "nested-rfc822-200", TOP + entity
    yield "nested-open-200", TOP + "".join(
        "Content-Type: multipart/mixed; boundary=n%d\n\n--n%d\n" % (i, i) for i in range(200)
    )
    yield "parts-10001", TOP + multipart("mixed", "p", *["\nx\n"] * 10001)
    yield "parts-empty", TOP + "Content-Type: multipart/mixed; boundary=a\n\n" + "--a\n" * 3000 + "--a--\n"
    yield "part-without-separator", TOP + "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/plain\n--a\nno header here\n--a--\n"
    yield "digest-default-type", TOP + multipart(
        "digest", "d", "Content-Type: text/plain\n\nnot a message\n", "\nno header\n", ""
    )
    yield "rfc822-empty", TOP + "Content-Type: message/rfc822\n\n"
    yield "rfc822-base64", TOP + part(
        "message/rfc822", b64(head(500, "in base64") + "\nx\n"), "Content-Transfer-Encoding: base64"
    )
    yield "rfc822-no-header", TOP + part("message/rfc822", "\nonly a body\n")
    yield "multipart-base64", TOP + "Content-Transfer-Encoding: base64\n" + multipart(
        "mixed", "a", part("text/plain", "x\n")
    )


def encodings():
    text = TOP + "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
    rows = [
        ("unknown", "rot13", "uryyb\n"),
        ("empty", "", "x\n"),
        ("two-words", "base64 8bit", "eA==\n"),
        ("comment", "(c) base64 (d)", "eA==\n"),
        ("case", "BaSe64", "eA==\n"),
        ("quoted", '"base64"', "eA==\n"),
        ("uuencode", "x-uuencode", "begin 644 x\n#:&D*\n`\nend\n"),
        ("7bit-with-8bit", "7bit", "Ä\n"),
        ("base64-broken", "base64", "!!!!\n====\nA\n"),
        ("base64-cut", "base64", "QUJDRE"),
        ("base64-one-line", "base64", "QUJD" * 20000),
        ("base64-padding-inside", "base64", "QQ==QQ==\nQUI=QUI=\n"),
        ("base64-junk", "base64", "Q*U(J)D\n\n\n Q U J D \n.\n"),
        ("base64-and-text", "base64", "QUJD\n\n-- \nlist footer in clear\n"),
        ("base64-lines-of-1", "base64", "Q\nU\nJ\nD\n" * 100),
        ("qp-broken", "quoted-printable", "=\n=Z\n=G1\n==\n=3\n=C3\n=c3=a4\n"),
        ("qp-ends-in-soft-break", "quoted-printable", "soft="),
        ("qp-trailing-space", "quoted-printable", "a \t\n= \n=\t \nb=20\n"),
        ("qp-long", "quoted-printable", "x" * 20000 + "=\n" + "y" * 20000),
        ("qp-soft-dots", "quoted-printable", "a=\n.=\n.\n=2E\n"),
        ("qp-crlf-encoded", "quoted-printable", "a=0D=0Ab=0D=0A=0A=0D\n"),
        ("qp-only-soft", "quoted-printable", "=\n" * 3000),
    ]
    for name, encoding, body in rows:
        yield "encoding-" + name, text + encoding + "\n\n" + body


def types():
    rows = [
        ("empty", ""),
        ("no-slash", "text"),
        ("slash-only", "/"),
        ("no-subtype", "text/"),
        ("no-type", "/plain"),
        ("spaces", " text / plain ; charset = utf-8 "),
        ("semicolons", "text/plain;;;; charset=utf-8;;"),
        ("no-value", "text/plain; charset"),
        ("empty-value", "text/plain; charset="),
        ("comment", "text(a)/(b)plain(c);(d)charset(e)=(f)utf-8(g)"),
        ("quote-open", 'text/plain; charset="utf-8'),
        ("backslash-end", 'text/plain; name="a\\'),
        ("comment-open", "text/plain (never closed"),
        ("unknown-charset", "text/plain; charset=klingon"),
        ("charset-quoted-odd", "text/plain; charset='utf-8'"),
        ("charset-twice", "text/plain; charset=utf-8; charset=latin1"),
        ("charset-long", "text/plain; charset=" + "x" * 5000),
        ("three-parts", "text/plain/more"),
        ("sun", "X-sun-attachment"),
        ("value-with-equals", "text/plain; a=b=c"),
        ("name-eight-bit", 'text/plain; name="Übersicht.txt"'),
        ("name-path", 'text/plain; name="../../etc/passwd"'),
        ("name-nul", 'text/plain; name="a\0.txt"'),
        ("name-newline", 'text/plain; name="a\n b"'),
        ("parameters-1001", "text/plain" + "".join("; p%d=%d" % (i, i) for i in range(1001))),
        ("parameters-the-same", "text/plain" + "; a=b" * 3000),
        ("rfc2231-gap", "text/plain; n*0=a; n*2=c; n*1=b; n*01=d"),
        ("rfc2231-huge-number", "text/plain; n*0=a; n*4294967296=b; n*99999999999999999999=c"),
        ("rfc2231-bad-percent", "text/plain; n*=utf-8''%ZZ%C3%; m*=utf-8'%41; o*=%41"),
        ("rfc2231-unknown-charset", "text/plain; n*=klingon'tlh'%41"),
        ("eight-bit", "täxt/plain"),
        ("multipart-only", "multipart; boundary=a"),
        ("html-in-plain", "text/plain; charset=utf-8\nContent-Type: text/html"),
        ("boundary-on-text", "text/plain; boundary=a"),
    ]
    for name, kind in rows:
        yield "type-" + name, TOP + "Content-Type: " + kind + "\n\nbody\n--a\n\nx\n--a--\n"


def fields():
    yield "mime-version-odd", "MIME-Version: (c) 1 . 0 (d)\nContent-Type: text/plain\n\nx\n"
    yield "mime-version-2", "MIME-Version: 2.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a--\n"
    yield "mime-without-version", "Subject: x\nContent-Type: text/html\n\n<p>x\n"
    yield "disposition-unknown", mime(
        510,
        "x",
        part(
            "text/plain",
            "x\n",
            "Content-Disposition: sideways; filename=a; filename=b; size=-1; creation-date=never",
        ),
    )
    yield "disposition-broken", mime(
        511,
        "x",
        part(
            "text/plain",
            "x\n",
            'Content-Disposition: ; filename="',
            "Content-ID: no brackets",
            "Content-MD5: wrong",
            "Content-Language: ,,de,",
        ),
    )
    yield "disposition-filename-odd", mime(
        512,
        "x",
        part(
            "text/plain",
            "x\n",
            "Content-Disposition: attachment; filename=a b c.txt; filename*0*=utf-8''a; filename*1=\"%41\"; filename*2*=%42",
        ),
    )
    yield "content-location", mime(
        513,
        "x",
        part(
            "text/html",
            "x\n",
            "Content-Location: file:///etc/passwd",
            "Content-Base: http://example.org/",
            "Content-Description: " + "=?utf-8?Q?=C3?=" * 50,
        ),
    )
    yield "html-with-dots", mime(
        514, "x", part("text/html", ".\n<p>\n.class { }\n..\n</p>\n" + prose(514))
    )
    yield "signed-altered", mime(
        515,
        "x",
        multipart(
            'signed; protocol="application/pgp-signature"',
            "s",
            part("text/plain", "trailing space \n\n\n"),
        ),
    )
    yield "report-without-report", mime(
        516, "x", multipart("report", "r", part("text/plain", "x\n"))
    )
    yield "delivery-status-broken", mime(
        517, "x", part("message/delivery-status", "no colon\n\n\n\nAction\n: x\n")
    )
    yield "yenc", octets(
        head(518, "yEnc")
    ) + b"\n=ybegin line=128 size=3 name=x\n\x8b\x8c=J=@\n..\n=yend size=3\n"
    yield "uuencode-open", head(519, "uu") + "\nbegin 644 ../x\nM" + "A" * 60 + "\n"


def odd_mime():
    """All of them: name and content."""
    for group in (boundaries, nested, encodings, types, fields):
        for name, content in group():
            yield name, octets(content)
