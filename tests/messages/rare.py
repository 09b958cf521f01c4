"""rare.py: rare forms that IMAP has to describe: structures, parameters, addresses and charsets.

Some are right and some are broken.  Each message is small and shows one thing.
"""

from parts import b64, crlf, multipart, octets, part, qp, word_b, word_q

TOP = "From: Anna <anna@example.org>\nSubject: rare\nMIME-Version: 1.0\n"
INNER = "From: inner@example.org\nTo: %s\nSubject: inside\nDate: Tue, 2 Jan 2024 10:00:00 +0100\n"


def entity(kind, body="x\n", *lines):
    """A message of one part."""
    return TOP + part(kind, body, *lines)


def letter(*lines, body="x\n"):
    return "".join(line + "\n" for line in lines) + "Subject: rare\n\n" + body


def nesting():
    plain = INNER % "a@b" + "\nplain\n"
    mixed = INNER % "a@b" + multipart(
        "mixed", "in", part("text/plain", "one\n"), part("text/html", "<p>two\n")
    )
    yield "nest-message-in-mixed", TOP + multipart(
        "mixed", "out", part("text/plain", "see below\n"), part("message/rfc822", mixed)
    )
    yield "nest-message-alone", entity("message/rfc822", plain)
    yield "nest-message-alone-mixed", entity("message/rfc822", mixed)
    yield "nest-message-in-message", entity(
        "message/rfc822", TOP + part("message/rfc822", TOP + part("message/rfc822", plain))
    )
    yield "nest-message-in-message-mixed", entity(
        "message/rfc822", TOP + part("message/rfc822", mixed)
    )
    yield "nest-three-messages", TOP + multipart(
        "mixed", "out", *[part("message/rfc822", m) for m in (plain, mixed, plain)]
    )
    yield "nest-message-without-header", TOP + multipart(
        "mixed", "out", part("message/rfc822", "\nno header\n"), part("text/plain", "x\n")
    )
    yield "nest-message-only-header", TOP + multipart(
        "mixed", "out", part("message/rfc822", "Subject: only\nTo: a@b\n"), part("text/plain", "x\n")
    )
    yield "nest-message-empty", TOP + multipart(
        "mixed", "out", part("message/rfc822", ""), part("text/plain", "x\n")
    )
    yield "nest-message-crlf", crlf(
        TOP + multipart("mixed", "out", part("message/rfc822", mixed), part("text/plain", "x\n"))
    )
    yield "nest-message-quoted-printable", TOP + multipart(
        "mixed",
        "out",
        part("message/rfc822", qp(plain), "Content-Transfer-Encoding: quoted-printable"),
        part("text/plain", "x\n"),
    )
    yield "nest-message-encoding-8bit", TOP + multipart(
        "mixed", "out", part("message/rfc822", plain, "Content-Transfer-Encoding: 8bit")
    )
    yield "nest-message-outer-boundary", TOP + multipart(
        "mixed",
        "b",
        part("message/rfc822", TOP + multipart("mixed", "b2", part("text/plain", "1\n"))),
        part("text/plain", "2\n"),
    )
    yield "nest-boundary-is-prefix", TOP + multipart(
        "mixed",
        "b2",
        multipart("alternative", "b", part("text/plain", "1\n"), part("text/html", "2\n")),
        part("text/plain", "3\n"),
    )
    yield "nest-related-alternative", TOP + multipart(
        "mixed",
        "m",
        multipart(
            'related; type="multipart/alternative"; start="<s@x>"',
            "r",
            multipart("alternative", "a", part("text/plain", "1\n"), part("text/html", "2\n")),
            part("image/gif", b64(b"GIF89a"), "Content-ID: <s@x>", "Content-Transfer-Encoding: base64"),
        ),
        part("application/pdf", b64(b"%PDF-"), "Content-Transfer-Encoding: base64"),
    )
    yield "nest-preamble-epilogue", TOP + multipart(
        "mixed",
        "m",
        part("text/plain", "1\n"),
        preamble="This is a MIME message.\n--not\n\n",
        epilogue="\nafterwards\n--m2\nand more\n",
    )
    yield "nest-preamble-only", TOP + "Content-Type: multipart/mixed; boundary=m\n\nno boundary comes\n"
    yield "nest-epilogue-inside", TOP + multipart(
        "mixed",
        "m",
        multipart("mixed", "n", part("text/plain", "1\n"), epilogue="inner epilogue\n"),
        part("text/plain", "2\n"),
        epilogue="outer epilogue",
    )
    yield "nest-parts-without-header", TOP + multipart("mixed", "m", "\none\n", "\n\ntwo\n", "\n")
    yield "nest-part-empty", TOP + multipart("mixed", "m", "", part("text/plain", ""), "")
    yield "nest-part-one-line", TOP + "Content-Type: multipart/mixed; boundary=m\n\n--m\n\nno end\n--m\n\nx--m--\n"
    yield "nest-multipart-in-parallel", TOP + multipart(
        "parallel", "p", part("audio/basic", b64(b"au"), "Content-Transfer-Encoding: base64"), part("text/plain", "x\n")
    )
    yield "nest-form-data", TOP + multipart(
        "form-data", "f", "Content-Disposition: form-data; name=a\n\n1\n"
    )
    yield "nest-multipart-unknown", TOP + multipart("x-mine", "x", part("text/plain", "1\n"))
    yield "nest-multipart-with-fields", TOP + (
        "Content-ID: <top@x>\nContent-Description: all of it\nContent-MD5: AAAA\n"
        "Content-Disposition: inline; filename=x\nContent-Language: en\nContent-Location: l\n"
    ) + multipart("mixed", "m", part("text/plain", "1\n"))


def digests():
    inner = INNER % "digest@example.org" + "\nin the digest\n"
    yield "digest-mixed-kinds", TOP + multipart(
        "digest", "d", "\n" + inner, part("message/rfc822", inner), part("text/plain", "table\n")
    )
    yield "digest-typed-parts", TOP + multipart(
        "digest", "d", "Content-Description: one\n\n" + inner, "Content-ID: <2@x>\n\n" + inner
    )
    yield "digest-in-mixed", TOP + multipart(
        "mixed", "m", part("text/plain", "contents\n"), multipart("digest", "d", "\n" + inner, "\n" + inner)
    )
    yield "digest-of-multipart", TOP + multipart(
        "digest", "d", "\n" + TOP + multipart("mixed", "i", part("text/plain", "1\n"))
    )
    yield "digest-encoded", TOP + multipart(
        "digest", "d", "Content-Transfer-Encoding: base64\n\n" + b64(inner)
    )
    yield "digest-bad-type", TOP + multipart("digest", "d", "Content-Type: nonsense\n\n" + inner)
    yield "digest-inside-digest", TOP + multipart(
        "digest", "d", "\n" + TOP + multipart("digest", "e", "\n" + inner)
    )


def parameters():
    rows = [
        ("extended", "name*=iso-8859-1'de'%DCbersicht.txt"),
        ("both", "name=plain.txt; name*=utf-8''%C3%9Cbersicht.txt"),
        ("both-turned", "name*=utf-8''%C3%9C.txt; name=plain.txt"),
        ("pieces", "name*0=long-; name*1=file-; name*2=name.txt"),
        ("pieces-turned", "name*2=name.txt; name*1=file-; name*0=long-"),
        ("pieces-encoded", "name*0*=utf-8''%C3%9C; name*1*=%C3%9F; name*2*=.txt"),
        ("pieces-mixed", "name*0*=utf-8'en'%C3%9C; name*1=\"a b%41\"; name*2*=%2Etxt"),
        ("pieces-late", "name*0=a; name*1*=%62"),
        ("pieces-quoted", 'name*0="a\\"b"; name*1="c\\\\d"'),
        ("pieces-two-names", "a*0=1; b*0=2; a*1=3; b*1=4"),
        ("pieces-from-1", "name*1=a; name*2=b"),
        ("pieces-ten", "; ".join("n*%d=%c" % (i, 97 + i) for i in range(12))),
        ("pieces-and-whole", "name*0=a; name*1=b; name=whole"),
        ("no-charset", "name*=''%41"),
        ("no-quotes", "name*=plain"),
        ("star-only", "name*; *=x; **0=y"),
        ("encoded-word", "name=%s" % word_b("Übersicht.txt")),
        ("encoded-word-quoted", 'name="%s"' % word_q("Übersicht.txt")),
        ("eight-bit", 'name="Übersicht.txt"'),
        ("eight-bit-bare", "name=Übersicht.txt"),
        ("quoted-pairs", 'name="a\\"b\\\\c\\d"'),
        ("quoted-empty", 'name=""'),
        ("quoted-folded", 'name="a\n\tb"'),
        ("quoted-tspecials", 'name="a;b=c, d@e/f?g"'),
        ("comments", 'name=(one)x(two); (three) charset="utf-8"(four)'),
        ("blanks", "name \t=\n x ; charset\n =utf-8"),
        ("case", "NAME=X; Charset=UTF-8"),
        ("twice", "name=first; name=second"),
        ("no-semicolon", "name=x charset=utf-8"),
        ("semicolon-end", "name=x;"),
        ("bare-blanks", "name=two words.txt"),
        ("bare-tspecials", "name=a/b:c?d@e.txt"),
        ("long", "name=" + "l" * 600),
        ("many", "; ".join("p%d=%d" % (i, i) for i in range(50))),
    ]
    for name, text in rows:
        yield "parameter-" + name, entity("text/plain; " + text)
    for name, text in rows[:8] + rows[16:20]:
        text = text.replace("name", "filename")
        yield "disposition-parameter-" + name, entity(
            "text/plain", "x\n", "Content-Disposition: attachment; " + text
        )


def fields():
    rows = [
        ("language-one", "Content-Language: de"),
        ("language-list", "Content-Language: en, de-AT,fr"),
        ("language-comments", "Content-Language: en (English), (nothing) de (Deutsch)"),
        ("language-empty", "Content-Language:"),
        ("language-quoted", 'Content-Language: "en"'),
        ("location", "Content-Location: http://example.org/a?b=c"),
        ("location-folded", "Content-Location: http://example.org/\n a/\n b"),
        ("location-eight-bit", "Content-Location: /ä"),
        ("md5", "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ=="),
        ("id", "Content-ID: <a@b>"),
        ("id-comment", "Content-ID: (c) <a@b> (d)"),
        ("id-bare", "Content-ID: a@b"),
        ("id-folded", "Content-ID:\n <a@b>"),
        ("id-empty", "Content-ID:"),
        ("description", "Content-Description: the plain text"),
        ("description-folded", "Content-Description: the\n\tplain  text "),
        ("description-word", "Content-Description: " + word_q("Füße")),
        ("description-eight-bit", "Content-Description: Füße"),
        ("description-empty", "Content-Description:  "),
        ("description-quotes", 'Content-Description: "quoted" \\ back'),
        ("disposition-inline", "Content-Disposition: inline"),
        ("disposition-case", "CONTENT-DISPOSITION: ATTACHMENT; FILENAME=X"),
        ("disposition-empty", "Content-Disposition:"),
        ("disposition-only-parameter", "Content-Disposition: filename=x"),
        ("disposition-dates", 'Content-Disposition: attachment; size=7; creation-date="Mon, 1 Jan 2024 00:00:00 +0000"'),
        ("disposition-comment", "Content-Disposition: (c) attachment (d); (e) filename=(f)x"),
        ("disposition-two", "Content-Disposition: inline\nContent-Disposition: attachment"),
        ("encoding-unknown", "Content-Transfer-Encoding: x-own"),
        ("encoding-8bit", "Content-Transfer-Encoding: 8BIT"),
        ("encoding-comment", "Content-Transfer-Encoding: base64 (eight bits)"),
        ("encoding-quoted", 'Content-Transfer-Encoding: "base64"'),
        ("encoding-semicolon", "Content-Transfer-Encoding: base64;"),
        ("encoding-two", "Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64"),
        ("encoding-folded", "Content-Transfer-Encoding:\n\tbase64"),
    ]
    for name, line in rows:
        yield "field-" + name, entity("text/plain", "eA==\n", line)


def addresses():
    rows = [
        ("group-one", "To: friends: a@b;"),
        ("group-names", 'To: My Friends: Anna <a@b>, "Bert, B." <c@d>;, e@f'),
        ("group-quoted", 'To: "Friends, all": a@b;'),
        ("group-empty-comment", "To: nobody (really):;"),
        ("group-two", "To: a: b@c;, d: e@f, g@h;"),
        ("group-folded", "To: friends:\n a@b,\n c@d;"),
        ("group-not-closed", "To: friends: a@b"),
        ("group-in-cc", "Cc: undisclosed-recipients: ;"),
        ("group-no-comma-after", "To: a: b@c; d@e"),
        ("group-dots", "To: A.B. Group: c@d;"),
        ("name-comment", "From: anna@example.org (Anna Berg)"),
        ("name-comment-two", "From: anna@example.org (Anna) (Berg)"),
        ("name-comment-both", "From: Anna <anna@example.org> (at work)"),
        ("name-comment-escaped", "From: anna@example.org (A \\(B\\) \"C\")"),
        ("name-comment-nested", "From: anna@example.org (A (B) C)"),
        ("name-comment-empty", "From: anna@example.org ()"),
        ("name-quoted", 'From: "Berg, Anna" <anna@example.org>'),
        ("name-quoted-pairs", 'From: "A \\"B\\" \\\\ C" <anna@example.org>'),
        ("name-quoted-empty", 'From: "" <anna@example.org>'),
        ("name-quoted-blank", 'From: " " <anna@example.org>'),
        ("name-mixed", 'From: Dr. "A. B." Berg <anna@example.org>'),
        ("name-dots", "From: J. R. Berg <anna@example.org>"),
        ("name-dots-tight", "From: J.R.Berg <anna@example.org>"),
        ("name-blanks", "From:   Anna \t  Berg   <anna@example.org>  "),
        ("name-folded", "From: Anna\n   Berg\n <anna@example.org>"),
        ("name-apostrophe", "From: 'Anna Berg' <anna@example.org>"),
        ("name-at", "From: anna@example.org <anna@example.org>"),
        ("name-brackets", "From: [List] Anna <anna@example.org>"),
        ("name-eight-bit", "From: Änna Bërg <anna@example.org>"),
        ("name-word-b", "From: %s <anna@example.org>" % word_b("Ännä Bërg")),
        ("name-word-q", "From: %s <anna@example.org>" % word_q("Ännä, Bërg")),
        ("name-word-quoted", 'From: "%s" <anna@example.org>' % word_q("Ännä")),
        ("name-words", "From: %s\n %s Berg <anna@example.org>" % (word_b("Än"), word_q("nä"))),
        ("name-word-comment", "From: anna@example.org (%s)" % word_q("Ännä")),
        ("local-quoted", 'From: "anna berg"@example.org'),
        ("local-quoted-angle", 'From: A <"anna@berg"@example.org>'),
        ("local-dots-blanks", "From: anna . berg @ example . org"),
        ("local-eight-bit", "From: Änna <ännä@example.org>"),
        ("local-only", "From: anna"),
        ("local-only-angle", "From: Anna <anna>"),
        ("local-only-list", "To: anna, bert, cleo@example.org"),
        ("domain-literal", "From: anna@[IPv6:2001:db8::1]"),
        ("domain-empty", "From: anna@"),
        ("domain-empty-angle", "From: Anna <anna@>"),
        ("domain-two", "From: anna@example.org@example.com"),
        ("domain-trailing-dot", "From: anna@example.org."),
        ("domain-underscore", "From: anna@my_host.example.org"),
        ("domain-eight-bit", "From: anna@exämple.org"),
        ("domain-comment", "From: anna@example(c).org"),
        ("angle-empty", "From: <>"),
        ("angle-empty-name", "From: Anna <>"),
        ("angle-blanks", "From: Anna < anna@example.org >"),
        ("angle-junk", "From: Anna <anna@example.org> junk"),
        ("angle-no-open", "From: anna@example.org>"),
        ("route", "From: Anna <@a.example,@b.example:anna@example.org>"),
        ("empty-elements", "To: , a@b, , c@d ,"),
        ("semicolon-separated", "To: a@b; c@d; e@f"),
        ("name-only", "To: Anna Berg"),
        ("name-only-quoted", 'To: "Anna Berg"'),
        ("name-then-comma", "To: Berg, Anna <anna@example.org>"),
        ("two-fields-to", "To: a@b\nTo: c@d"),
        ("two-fields-from", "From: a@b\nFrom: c@d"),
        ("two-fields-sender", "From: a@b\nSender: c@d\nSender: e@f"),
        ("sender-empty", "From: a@b\nSender:\nReply-To:"),
        ("sender-comment", "From: a@b\nSender: (nobody)\nReply-To: ,"),
        ("reply-to-group", "From: a@b\nReply-To: list: c@d;"),
        ("from-group", "From: Board: a@b;\nSender: c@d"),
        ("empty-to", "To:\nCc: \nBcc:"),
        ("percent", "To: a%b@c, a!b!c, \"a\"@b"),
        ("mailto", "To: <mailto:a@b>"),
        ("x400", "To: /G=Anna/S=Berg/@x400.example"),
        ("tabs", "To:\ta@b,\tc@d"),
        ("control", "To: a\x01b@c, \x7f@d"),
    ]
    for name, *lines in rows:
        yield "mailbox-" + name, letter(*lines)


def texts():
    rows = [
        ("subject-eight-bit-latin", octets("Subject: Füße\n\nx\n", "iso-8859-1")),
        ("subject-eight-bit-koi8", octets("Subject: Привет\n\nx\n", "koi8-r")),
        ("subject-utf-8", octets("Subject: Füße und Grüße\n\nx\n")),
        ("subject-words-adjacent", "Subject: %s\n %s\n\nx\n" % (word_b("Grü"), word_b("ße"))),
        ("subject-words-apart", "Subject: %s and %s\n\nx\n" % (word_q("Grü"), word_q("ße"))),
        ("subject-word-inside", "Subject: a%sb\n\nx\n" % word_q("ü")),
        ("subject-word-language", "Subject: =?iso-8859-1*de?Q?Stra=DFe?=\n\nx\n"),
        ("subject-word-latin", "Subject: %s\n\nx\n" % word_q("Straße", "iso-8859-1")),
        ("subject-word-koi8", "Subject: %s\n\nx\n" % word_b("Привет", "koi8-r")),
        ("subject-word-2022", "Subject: %s\n\nx\n" % word_b("東京タワー", "iso-2022-jp")),
        ("subject-word-lower", "Subject: =?UTF-8?q?gr=c3=bc=c3=9fe?=\n\nx\n"),
        ("subject-word-underscore", "Subject: =?utf-8?Q?a_b=5Fc?=\n\nx\n"),
        ("subject-word-nul", "Subject: =?utf-8?Q?a=00b?=\n\nx\n"),
        ("subject-word-bad-base64", "Subject: =?utf-8?B?w7w*?= x\n\nx\n"),
        ("subject-word-not-utf-8", "Subject: =?utf-8?Q?=FF=FE?= x\n\nx\n"),
        ("subject-quotes", 'Subject: "a" \\ b\n\nx\n'),
        ("subject-parens", "Subject: (a) [b] {3}\n\nx\n"),
        ("subject-nil", "Subject: NIL\n\nx\n"),
        ("subject-blanks", "Subject:    a  \t b   \n\nx\n"),
        ("subject-folded", "Subject: a\n b\n\tc\n   d\n\nx\n"),
        ("subject-folded-blank", "Subject: a\n  \n b\n\nx\n"),
        ("subject-empty", "Subject:\n\nx\n"),
        ("subject-twice", "Subject: one\nSubject: two\n\nx\n"),
        ("subject-tab", "Subject:\tx\ty\n\nx\n"),
        ("subject-bare-cr", b"Subject: a\rb\n\nx\n"),
        ("subject-nul", b"Subject: a\0b\n\nx\n"),
        ("subject-long", "Subject: " + "word " * 300 + "\n\nx\n"),
        ("subject-sharp-s", "Subject: %s\n\nx\n" % word_b("STRASSE Straße ẞ")),
        ("subject-dotless-i", "Subject: %s\n\nx\n" % word_b("İstanbul ıI")),
        ("subject-combining", "Subject: %s\n\nx\n" % word_b("Cafe\u0301 \uff21\ufb01")),
        ("message-id-folded", "Message-ID:\n <a@b>\nSubject: x\n\nx\n"),
        ("message-id-comment", "Message-ID: <a@b> (c)\nIn-Reply-To: (d) <e@f>\n\nx\n"),
        ("message-id-eight-bit", "Message-ID: <ä@b>\n\nx\n"),
        ("date-folded", "Date: Mon,\n 1 Jan 2024\n 10:00:00 +0100\n\nx\n"),
        ("date-comment", "Date: Mon, 1 Jan 2024 10:00:00 +0100 (CET)\n\nx\n"),
        ("date-midnight-east", "Date: Tue, 2 Jan 2024 00:30:00 +0900\n\nx\n"),
        ("date-midnight-west", "Date: Tue, 2 Jan 2024 23:30:00 -0900\n\nx\n"),
        ("date-two-digits", "Date: 2 Jan 24 10:00 GMT\n\nx\n"),
        ("date-no-weekday", "Date: 2 Jan 2024 10:00:00 +0000\n\nx\n"),
        ("date-twice", "Date: Mon, 1 Jan 2024 10:00:00 +0000\nDate: Tue, 2 Jan 2024 10:00:00 +0000\n\nx\n"),
    ]
    for name, content in rows:
        yield "text-" + name, content


def bodies():
    umlauts = "Grüße aus München: STRASSE, Straße.\n"
    for charset in ("utf-8", "iso-8859-1", "windows-1252", "utf-16", "utf-7"):
        text = umlauts.encode(charset)
        yield "body-%s" % charset, entity(
            "text/plain; charset=" + charset, b64(text), "Content-Transfer-Encoding: base64"
        )
    yield "body-utf-8-quoted-printable", entity(
        "text/plain; charset=utf-8", qp(umlauts), "Content-Transfer-Encoding: quoted-printable"
    )
    yield "body-iso-2022-jp", octets(
        entity("text/plain; charset=iso-2022-jp", "東京タワーへ行く。\n"), "iso-2022-jp"
    )
    yield "body-koi8-r", octets(
        entity("text/plain; charset=koi8-r", "Привет из Москвы\n"), "koi8-r"
    )
    yield "body-wrong-charset", octets(entity("text/plain; charset=us-ascii", umlauts))
    yield "body-html-entities", entity(
        "text/html; charset=utf-8", "<p>Gr&uuml;&szlig;e <b>aus</b> M&#252;nchen</p>\n"
    )
    yield "body-word-split-by-tags", entity("text/html", "<p>under<b>line</b>d</p>\n")
    yield "body-soft-break-in-word", entity(
        "text/plain; charset=utf-8", "unbro=\nken word\n", "Content-Transfer-Encoding: quoted-printable"
    )
    yield "body-base64-line-in-word", entity(
        "text/plain", b64("x" * 55 + "needleinthestack", 60), "Content-Transfer-Encoding: base64"
    )
    yield "body-needle-over-lines", entity("text/plain", "needle\nonlines\n")
    yield "body-attachment-name", TOP + multipart(
        "mixed",
        "m",
        part("text/plain", "see there\n"),
        part(
            'application/octet-stream; name="quarterly-figures.bin"',
            b64(b"secret octets"),
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment; filename=quarterly-figures.bin",
        ),
    )
    yield "body-inner-message", TOP + multipart(
        "mixed",
        "m",
        part("message/rfc822", "Subject: innersubject\nFrom: innersender@x\n\ninnertext\n"),
    )
    yield "body-binary-nul", octets(
        entity("application/octet-stream", "a\0b\n", "Content-Transfer-Encoding: binary")
    )
    yield "body-base64-nul", entity(
        "application/octet-stream", b64(b"a\0b"), "Content-Transfer-Encoding: base64"
    )
    yield "body-base64-with-crlf", entity(
        "text/plain", b64(b"one\r\ntwo\r\n"), "Content-Transfer-Encoding: base64"
    )
    yield "body-base64-with-lf", entity(
        "text/plain", b64(b"one\ntwo\n"), "Content-Transfer-Encoding: base64"
    )
    yield "body-preamble-words", TOP + multipart(
        "mixed", "m", part("text/plain", "x\n"), preamble="preambleword\n", epilogue="epilogueword\n"
    )


def rare():
    """All of them: name and content."""
    for group in (nesting, digests, parameters, fields, addresses, texts, bodies):
        for name, content in group():
            yield name, octets(content)
