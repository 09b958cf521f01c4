"""odd_headers.py: headers that break RFC 5322 or are very rare."""

from parts import head, octets


def letter(*lines, body="body\n"):
    """A message with just these header lines."""
    return "".join(line + "\n" for line in lines) + "\n" + body


def shape():
    yield "no-header", "\nbody\nSubject: not a header\n"
    yield "no-header-no-separator", "just some text\nand more\n"
    yield "no-separator", "From: a@example.org\nSubject: x\n"
    yield "no-separator-then-text", "From: a@example.org\nSubject: x\nthis is no header line\nmore text\n"
    yield "no-colon", letter("Subject: x", "there is no colon", "From: a@example.org")
    yield "no-colon-first", letter("there is no colon", "Subject: x")
    yield "colon-only", letter(":", "Subject: x")
    yield "colon-first", letter(": nothing before", "Subject: x")
    yield "colon-colon", letter("Subject:: x", "From:a@example.org")
    yield "space-before-colon", letter("Subject : x", "From\t: a@example.org")
    yield "space-in-name", letter("My Subject: x", "From: a@example.org")
    yield "no-space-after-colon", letter("Subject:x", "From:a@example.org")
    yield "empty-values", letter("Subject:", "From: ", "To:\t", "Date:")
    yield "folded-first-line", " Subject: x\nFrom: a@example.org\n\nbody\n"
    yield "folded-everywhere", letter("Subject:\n x\n\ty\n  z", "From:\n a@example.org")
    yield "folded-empty", letter("Subject: x\n ", "To: a\n \n b", "Cc: c\n\t")
    yield "folded-blank-looking", "Subject: x\n \nFrom: a@example.org\n\t\n\nbody\n"
    yield "blank-looking-separator", "Subject: x\n   \nstill the header?\n\nbody\n"
    yield "blank-looking-with-nbsp", octets("Subject: x\n\u00a0\nbody\n")
    yield "header-in-body", letter("Subject: x", body="Subject: y\n\nFrom: z\n")
    yield "thousands-of-headers", letter("Subject: x", *["X-%d: %d" % (i, i) for i in range(20000)])
    yield "thousands-of-the-same", letter("Subject: x", *["Received: by x"] * 5000)
    yield "huge-header-name", letter("X" * 20000 + ": y", "Subject: x")
    yield "huge-header", letter(
        "X-Big: " + "\n ".join("word%d" % i for i in range(60000)), "Subject: x"
    )
    yield "header-only-huge", "X-Big: " + "z" * 300000
    yield "name-with-octets", letter("Sub(ject): x", "X-\u00fc: y", "X/y: z", "\x01: c", "X\x7f: d")
    yield "name-case", letter("SUBJECT: X", "fRoM: a@example.org", "MESSAGE-id: <a@b>")
    yield "duplicated", letter(
        *["Subject: %d" % i for i in range(5)],
        *["From: %d@example.org" % i for i in range(5)],
        "Date: Mon, 1 Jan 2024 00:00:00 +0000",
        "Date: Tue, 2 Jan 2024 00:00:00 +0000",
        "Message-ID: <1@x>",
        "Message-ID: <2@x>"
    )
    yield "duplicated-mime", letter(
        "MIME-Version: 1.0",
        "MIME-Version: 2.0",
        "Content-Type: text/plain",
        "Content-Type: multipart/mixed; boundary=a",
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: 8bit",
    )


def from_lines():
    yield "from-line-first", "From anna@example.org Mon Jan  1 10:00:00 2024\n" + head(
        400, "mbox"
    ) + "\nbody\n"
    yield "from-line-quoted-first", ">From anna@example.org Mon Jan  1 10:00:00 2024\n" + head(
        401, "mbox"
    ) + "\nbody\n"
    yield "from-line-in-header", letter(
        "Subject: x", "From anna@example.org Mon Jan  1 10:00:00 2024", "To: b"
    )
    yield "from-in-body", head(
        402, "From"
    ) + "\nFrom here on\n>From quoted\n>>From twice\n\nFrom a@example.org Mon Jan  1 10:00:00 2024\n"
    yield "mbox-in-a-file", "".join(
        "From a Mon Jan  1 10:00:00 2024\n" + head(403 + i, "mbox %d" % i) + "\nbody\n\n"
        for i in range(3)
    )
    yield "content-length-wrong", letter(
        "Subject: x", "Content-Length: 999999", "Lines: -1", "Status: RO", "X-UID: 7", "X-IMAP: 1 2"
    )
    yield "babyl", "BABYL OPTIONS: -*- rmail -*-\nVersion: 5\n\x1f\x0c\n1,,\nSubject: x\n\nbody\n\x1f"
    yield "mmdf", "\x01\x01\x01\x01\nSubject: x\n\nbody\n\x01\x01\x01\x01\n"


def addresses():
    rows = [
        ("unterminated-quote", 'From: "Anna <anna@example.org>', 'To: "\\'),
        ("unterminated-comment", "From: anna@example.org (never (closed", "To: a (x\\"),
        ("unterminated-angle", "From: Anna <anna@example.org", "To: <"),
        ("unterminated-literal", "From: a@[192.0.2.1", "To: a@[\\"),
        ("unterminated-route", "From: <@a,@b", "To: <@a:"),
        ("unterminated-group", "From: x@y", "To: friends: a@b, c@d"),
        ("group", "From: x@y", "To: friends: a@b, c@d;, others:;, e@f"),
        ("group-empty", "From: nobody:;", "To: undisclosed-recipients:;"),
        ("group-nested", "From: x@y", "To: a: b: c@d;; e;"),
        (
            "source-route",
            "From: <@relay.example.com,@other.example.com:a@example.org>",
            "To: <@x:y@z>",
        ),
        ("percent-and-bang", "From: a%b@example.org", "To: host!user, a!b!c@d"),
        ("no-domain", "From: root", "To: anna, <bert>, @example.org, a@, @"),
        ("domain-literal", "From: a@[192.0.2.1]", "To: a@[IPv6:2001:db8::1], a@[]"),
        (
            "quoted-local-part",
            'From: "a b"@example.org',
            'To: "very.(),:;<>[]\\".VERY.\\"very@\\\\ \\"very\\".unusual"@example.org, ""@x',
        ),
        (
            "comments-everywhere",
            "From: (a)Anna(b)Berg(c)<(d)anna(e)@(f)example(g).(h)org(i)>(j)",
            "To: a(\\))@b",
        ),
        ("commas-only", "From: ,,,", "To: ,a@b,,c@d,"),
        ("semicolons", "From: a@b; c@d", "To: ;;;"),
        ("angle-twice", "From: <<a@b>>", "To: <a@b> <c@d>"),
        ("dots", "From: .a..b.@example..org.", "To: a.b.@.c"),
        ("folded-inside", "From: Anna\n <anna@\n example\n .org>", 'To: "a\n b" <c\n @d>'),
        ("several-from", "From: a@b, c@d", "Sender: e@f, g@h"),
        ("no-from", "To: a@b", "Cc:"),
        ("bcc", "From: a@b", "Bcc: secret@example.org\nBcc:"),
        ("tabs-and-controls", "From: a\t@\tb\x01", "To: \x07bell@example.org"),
        ("spoof", 'From: "support@bank.example" <thief@example.net>', "To: a@b\u202egro.elpmaxe"),
    ]
    for name, *lines in rows:
        yield "address-" + name, letter(*lines, "Subject: x")
    yield "address-nested-comments", letter(
        "From: a@b " + "(" * 5000 + ")" * 5000, "To: c@d " + "(" * 5000
    )
    yield "address-nested-groups", letter("From: a@b", "To: " + "g:" * 5000 + ";" * 5000)
    yield "address-backslashes", letter('From: "' + "\\" * 9999, "To: (" + "\\" * 9999)
    yield "address-50-kb", letter("From: " + "a" * 50000 + "@" + "b." * 5000 + "org")
    yield "address-no-newline-cut-quote", 'Subject: x\nFrom: "a\\'
    yield "address-no-newline-cut-comment", "Subject: x\nFrom: (a\\"
    yield "address-no-newline-cut-group", "Subject: x\nTo: group:"


def values():
    dates = [
        "Mon, 32 Jan 2024 25:61:61 +9999",
        "1 Jan 70 00:00 GMT",
        "Thu, 1 Jan 1970 00:00:00 -0000",
        "Tue, 19 Jan 2038 03:14:08 +0000",
        "Fri, 31 Dec 9999 23:59:60 +1400",
        "Mon, 01 Jan 0001 00:00:00 +0000",
        "2024-01-01T00:00:00Z",
        "Mon Jan  1 10:00:00 2024",
        "yesterday",
        "Mon, 1 Jan 2024 10:00:00 (comment) +0100 (CET)",
        "Mon,1 Jan 2024 10:00:00+0100",
        "Mon, 1 Jan 2024 10:00:00 EDT",
        'Mon, 1 Jan 2024 10:00:00 "GMT"',
        "Mon, 1 Jan 99999999999999999999 10:00:00 +0000",
        "Mo, 1. Januar 2024 10 Uhr",
        "",
        "Mon, 29 Feb 2023 10:00:00 +0000",
        "-1",
    ]
    for i, date in enumerate(dates):
        yield "date-%02d" % i, letter("Date: " + date, "From: a@b", "Subject: date")
    ids = [
        "<>",
        "<a>",
        "a@b",
        "<a@b",
        "<a b@c>",
        "<a@b> <c@d>",
        "(comment) <a@b>",
        "<" + "x" * 5000 + "@y>",
        '<"quoted"@x>',
        "<a@[1.2.3.4]>",
        "<\u00fc@x>",
    ]
    for i, ident in enumerate(ids):
        yield "message-id-%02d" % i, letter(
            "Message-ID: " + ident, "In-Reply-To: " + ident, "References: " + ident * 3, "From: a@b"
        )
    yield "references-50000", letter(
        "References: " + "\n ".join("<%d@x>" % i for i in range(50000)), "Subject: thread"
    )
    yield "references-loop", letter(
        "Message-ID: <self@x>", "References: <self@x> <self@x>", "In-Reply-To: <self@x>"
    )
    yield "references-garbage", letter(
        'References: <a@b <c@d> > , ;;; "<e@f>" (<g@h>)',
        "In-Reply-To: Your message of yesterday <i@j>",
    )
    yield "subject-re-only", letter("Subject: " + "Re: " * 2000)
    yield "subject-blobs", letter("Subject: [a][b] Re[2]: Fwd: [c] (fwd) (fwd) ", "From: a@b")
    words = [
        "=?utf-8?B?",
        "=?utf-8?B?R3J1",
        "=?utf-8?Q?a=?=",
        "=?utf-8?Q?a=Z?=",
        "=?utf-8?X?abc?=",
        "=??B?YQ==?=",
        "=?utf-8??YQ==?=",
        "=?utf-8?B??=",
        "=?unknown?Q?abc?=",
        "=?utf-8?Q?a b?=",
        "=?utf-8?B?Y Q==?=",
        "=?utf-8?B?YQ?=",
        "=?utf-8?B?YQ=?=",
        "=?utf-8?B?!!!!?=",
        "a=?utf-8?Q?b?=c",
        "=?utf-8?Q?=00=0D=0A?=",
        "=?utf-8?Q?a?==?utf-8?Q?b?=",
        "=?utf-8?q?" + "a" * 5000 + "?=",
        '"=?utf-8?Q?quoted?=" (=?utf-8?Q?comment?=)',
        "=?utf-16?B?//5hAA==?=",
        "=?utf-8?Q?a?b?=",
        "=?iso-2022-jp?B?GyRC?=",
    ]
    for i, word in enumerate(words):
        yield "encoded-word-%02d" % i, letter("Subject: " + word, "From: %s <a@b>" % word)
    yield "encoded-word-header-injection", letter(
        "Subject: =?utf-8?Q?a=0D=0AX-Evil:_yes=0D=0A=0D=0Abody?="
    )
    yield "uidl-and-x-headers", letter(
        "X-UIDL: abc def", "X-Mozilla-Status: 0001", "X-Keywords: a b", "Status: O", "Subject: x"
    )


def odd_headers():
    """All of them: name and content."""
    for group in (shape, from_lines, addresses, values):
        for name, content in group():
            yield name, octets(content)
