"""everyday.py: everyday messages."""

import base64

from parts import b64, crlf, head, mime, multipart, noise, octets, part, prose, qp, word_b, word_q

HTML = (
    '<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>News</title>\n'
    "<style>p { margin: 0 }\n.lead { font-weight: bold }\n</style></head>\n"
    '<body><p class="lead">Hello Anna,</p>\n<p>%s</p>\n</body></html>\n'
)

# The same sentence for everybody, and charsets in which it is written.
LANGUAGES = [
    ("english", "The quick brown fox jumps over the lazy dog.", ["us-ascii"]),
    (
        "german",
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Deich.",
        ["iso-8859-1", "utf-8"],
    ),
    (
        "french",
        "Voyez le brick géant : l'été, à Noël, où est-il ?",
        ["iso-8859-15", "windows-1252"],
    ),
    ("polish", "Pchnąć w tę łódź jeża lub ośm skrzyń fig.", ["iso-8859-2", "windows-1250"]),
    (
        "russian",
        "Съешь же ещё этих мягких французских булок.",
        ["koi8-r", "windows-1251", "iso-8859-5"],
    ),
    ("ukrainian", "Жебракують філософи при ґанку церкви в Гадячі.", ["koi8-u", "utf-8"]),
    ("greek", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.", ["iso-8859-7", "utf-8"]),
    ("turkish", "Pijamalı hasta yağız şoföre çabucak güvendi.", ["iso-8859-9"]),
    ("hebrew", "דג סקרן שט בים מאוכזב ולפתע מצא חברה.", ["iso-8859-8", "windows-1255"]),
    ("arabic", "نص حكيم له سر قاطع وذو شأن عظيم.", ["iso-8859-6", "utf-8"]),
    ("japanese", "いろはにほへと ちりぬるを。", ["iso-2022-jp", "shift_jis", "euc-jp"]),
    ("chinese", "视野无限广，窗外有蓝天。", ["gb2312", "gb18030"]),
    ("taiwanese", "視野無限廣，窗外有藍天。", ["big5"]),
    ("korean", "다람쥐 헌 쳇바퀴에 타고파.", ["euc-kr", "iso-2022-kr"]),
    ("thai", "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", ["tis-620"]),
    ("vietnamese", "Do bạch kim rất quý nên sẽ dùng để lắp vô xương.", ["utf-8", "windows-1258"]),
    ("hindi", "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा।", ["utf-8"]),
    ("icelandic", "Kæmi ný öxi hér, ykist þjófum nú bæði víl og ádrepa.", ["iso-8859-1"]),
    ("czech", "Příliš žluťoučký kůň úpěl ďábelské ódy.", ["iso-8859-2"]),
    ("esperanto", "Eĥoŝanĝo ĉiuĵaŭde.", ["iso-8859-3"]),
    ("latvian", "Glāžšķūņa rūķīši dzērumā čiepj.", ["iso-8859-13", "windows-1257"]),
    (
        "emoji",
        "Good morning \U0001f31e, see you at \U0001f552! \U0001f468\u200d\U0001f469\u200d\U0001f467",
        ["utf-8"],
    ),
]


def plain():
    yield "plain", head(1, "Lunch on Friday?") + "\nHi Anna,\n\n%s\nBert\n" % prose(1)
    yield "plain-crlf", crlf(head(2, "The same on a disk with CRLF") + "\n" + prose(2))
    yield "plain-mime", mime(
        3, "With a MIME header", part("text/plain; charset=us-ascii", prose(3))
    )
    yield "one-word", head(4, "Yes") + "\nYes\n"
    yield "signature", head(5, "Signed") + "\n" + prose(5) + "\n-- \nBert Stein\nExample Ltd.\n"
    yield "reply", head(
        6,
        "Re: Lunch on Friday?",
        "In-Reply-To: <20240101.7919@example.com>",
        "References: <20240101.7919@example.com>",
    ) + "\n> Hi Anna,\n> \n> how about Friday?\n\nFine.\n\n>> older\n> still quoted\n"
    yield "no-body-text", head(7, "Subject only, as some write (eom)") + "\n"
    yield "blank-lines-only", head(8, "Nothing but lines") + "\n" + "\n" * 40
    yield "long-plain", head(9, "A long letter") + "\n" + "".join(
        prose(100 + i, 200) + "\n" for i in range(60)
    )
    yield "tabs-and-trailing-space", head(10, "Table") + "\na\tb\tc   \n1\t2\t3\t\n   \n\t\nend  \n"
    yield "many-recipients", head(
        11,
        "To all",
        "Cc: " + ",\n\t".join("user%d@example.org" % i for i in range(300)),
    ) + "\nHello all.\n"
    yield "long-thread", head(
        12,
        "Re: [SV: AW: Fwd: Re: Re: budget]",
        "References: " + "\n ".join("<%d.budget@example.com>" % i for i in range(400)),
        "In-Reply-To: <399.budget@example.com>",
    ) + "\n" + "".join("> " * (i % 30) + "line %d\n" % i for i in range(200))
    yield "format-flowed", mime(
        13,
        "Flowed",
        part(
            "text/plain; charset=us-ascii; format=flowed",
            "This line flows on \nto the next and \nends here.\n\n>> quoted line that \n>> flows\n"
            " From here is stuffed\n >not a quote\n-- \nsignature\n",
        ),
    )
    yield "format-flowed-delsp", mime(
        14,
        "DelSp",
        part(
            "text/plain; charset=utf-8; format=flowed; delsp=yes",
            "東京は \n大きい \nです。\n",
            "Content-Transfer-Encoding: 8bit",
        ),
    )
    yield "inline-pgp", head(15, "Signed the old way") + (
        "\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- -- dashes are escaped\n- From here\n"
        "-----BEGIN PGP SIGNATURE-----\n\n%s=abcd\n-----END PGP SIGNATURE-----\n"
        % b64(noise(15, 200), 64)
    )
    yield "uuencoded", head(16, "A file, the old way") + "\nbegin 644 x.txt\n#:&D*\n`\nend\n"
    yield "patch", head(17, "[PATCH 1/2] pop3: stuff the first line") + (
        "\n---\n server/pop3.c | 2 +-\n 1 file changed\n\ndiff --git a/p.c b/p.c\n--- a/p.c\n+++ b/p.c\n"
        "@@ -1,3 +1,3 @@\n int x;\n-.dot\n+..dot\n.\n-- \n2.39.2\n\n"
    )


def rich():
    yield "html-only", mime(20, "Newsletter", part("text/html; charset=utf-8", HTML % prose(20)))
    yield "html-alternative", mime(
        21,
        "Both forms",
        multipart(
            "alternative",
            "=_alt21",
            part("text/plain; charset=utf-8", prose(21)),
            part("text/html; charset=utf-8", HTML % prose(21)),
        ),
    )
    yield "html-quoted-printable", mime(
        22,
        "Quoted",
        part(
            "text/html; charset=utf-8",
            qp(HTML % ("Preis: 5 € = günstig. " * 20)),
            "Content-Transfer-Encoding: quoted-printable",
        ),
    )
    yield "html-base64", mime(
        23,
        "In base64",
        part(
            "text/html; charset=utf-8",
            b64(HTML % prose(23, 900)),
            "Content-Transfer-Encoding: base64",
        ),
    )
    yield "html-related-image", mime(
        24,
        "With a picture",
        multipart(
            "related",
            "rel=24",
            part("text/html", '<img src="cid:logo@example.com">\n'),
            part(
                "image/png",
                b64(b"\x89PNG\r\n\x1a\n" + noise(24, 3000)),
                "Content-ID: <logo@example.com>",
                "Content-Transfer-Encoding: base64",
                'Content-Disposition: inline; filename="logo.png"',
            ),
        ),
    )
    yield "alternative-in-mixed", mime(
        25,
        "Usual with an attachment",
        multipart(
            "mixed",
            "m25",
            multipart(
                "alternative",
                "a25",
                part("text/plain", prose(25)),
                multipart(
                    "related",
                    "r25",
                    part("text/html", HTML % "x"),
                    part(
                        "image/gif",
                        b64(noise(25, 500)),
                        "Content-ID: <i@x>",
                        "Content-Transfer-Encoding: base64",
                    ),
                ),
            ),
            part(
                'application/pdf; name="bill.pdf"',
                b64(b"%PDF-1.4\n" + noise(26, 9000)),
                "Content-Transfer-Encoding: base64",
                'Content-Disposition: attachment; filename="bill.pdf"',
            ),
        ),
    )
    yield "enriched", mime(27, "Enriched", part("text/enriched", "<bold>Now</bold> is the time\n"))
    yield "html-one-line", mime(
        28, "All in one line", part("text/html", "<p>" + "word " * 20000 + "</p>\n")
    )
    yield "apple-style", mime(
        29,
        "From a phone",
        part(
            "text/plain;\n\tcharset=utf-8",
            qp("Grüße 👋\n\nVon meinem Telefon gesendet\n"),
            "Content-Transfer-Encoding: quoted-printable",
        ),
        "X-Mailer: Phone Mail (21C62)",
    )
    yield "outlook-style", crlf(
        mime(
            30,
            "RE: Termin",
            multipart(
                "mixed",
                "_004_AM0PR01MB",
                part(
                    'text/plain; charset="Windows-1252"',
                    qp("Schöne Grüße", "cp1252"),
                    "Content-Transfer-Encoding: quoted-printable",
                ),
                part(
                    'application/ms-tnef; name="winmail.dat"',
                    b64(b"\x78\x9f\x3e\x22" + noise(30, 2000)),
                    'Content-Disposition: attachment; filename="winmail.dat"',
                    "Content-Transfer-Encoding: base64",
                ),
                preamble="This is a multi-part message in MIME format.\n\n",
            ),
            "Thread-Topic: Termin",
            "Thread-Index: AdoQ" + "A" * 24,
            "X-MS-Has-Attach: yes",
            "Accept-Language: de-DE",
        )
    )


def attachments():
    for number, size in ((40, 1), (41, 57), (42, 58), (43, 100000), (44, 700000)):
        yield "attachment-%d-octets" % size, mime(
            number,
            "A file of %d octets" % size,
            multipart(
                "mixed",
                "b%d" % number,
                part("text/plain", "Here it is.\n"),
                part(
                    "application/octet-stream",
                    b64(noise(number, size)),
                    "Content-Transfer-Encoding: base64",
                    'Content-Disposition: attachment; filename="file.bin"; size=%d' % size,
                ),
            ),
        )
    yield "attachment-only", mime(
        45,
        "No text",
        part(
            "application/zip; name=a.zip",
            b64(b"PK\x03\x04" + noise(45, 400)),
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment; filename=a.zip",
        ),
    )
    yield "attachment-empty", mime(
        46,
        "Empty file",
        multipart(
            "mixed",
            "b46",
            part("text/plain", "See the file.\n"),
            part("text/plain", "", 'Content-Disposition: attachment; filename="empty.txt"'),
        ),
    )
    yield "attachment-text-with-dots", mime(
        47,
        "Dots in a file",
        multipart(
            "mixed",
            "b47",
            part("text/plain", "\n.\n..\n...\n.hidden\n", "Content-Disposition: attachment"),
        ),
    )
    yield "attachment-many", mime(
        48,
        "Fifty files",
        multipart(
            "mixed",
            "b48",
            *[
                part(
                    "text/plain; name=f%d.txt" % i,
                    prose(i, 30),
                    "Content-Disposition: attachment; filename=f%d.txt" % i,
                )
                for i in range(50)
            ],
        ),
    )
    yield "rfc2231-filename", mime(
        49,
        "RFC 2231",
        part(
            "application/pdf",
            b64(noise(49, 90)),
            "Content-Transfer-Encoding: base64",
            "Content-Disposition: attachment; filename*=utf-8'de'Rechnung%20f%C3%BCr%20M%C3%A4rz.pdf",
        ),
    )
    yield "rfc2231-continuations", mime(
        50,
        "RFC 2231, in pieces",
        part(
            "application/x-stuff;\n title*0*=us-ascii'en'This%20is%20even%20more%20;\n"
            ' title*1*=%2A%2A%2Afun%2A%2A%2A%20;\n title*2="isn\'t it!"',
            "x\n",
            'Content-Disposition: attachment; filename*0="a very long "; filename*1="file name"; filename*3="lost"',
        ),
    )
    yield "rfc2047-filename", mime(
        51,
        "RFC 2047 where it must not be",
        part(
            'application/pdf; name="%s"' % word_b("Übersicht.pdf"),
            b64("x"),
            "Content-Transfer-Encoding: base64",
        ),
    )
    yield "external-body", mime(
        52,
        "Elsewhere",
        part(
            'message/external-body; access-type=URL; URL="https://example.org/f"',
            "Content-Type: application/pdf\nContent-ID: <f@x>\n\n",
        ),
    )
    yield "partial", mime(
        53,
        "Piece 2 of 3",
        part(
            'message/partial; id="abc@example.com"; number=2; total=3',
            prose(53),
        ),
    )
    yield "binary-encoding", octets(
        mime(
            54,
            "Really binary",
            part(
                "application/octet-stream",
                "",
                "Content-Transfer-Encoding: binary",
            ),
        )
    ) + noise(54, 5000)
    yield "applefile", mime(
        55,
        "AppleDouble",
        multipart(
            "appledouble",
            "b55",
            part("application/applefile", b64(noise(55, 80)), "Content-Transfer-Encoding: base64"),
            part(
                "image/jpeg",
                b64(b"\xff\xd8\xff\xe0" + noise(56, 800)),
                "Content-Transfer-Encoding: base64",
            ),
        ),
    )


def forwarded():
    inner = head(60, "The inner one") + "\nInner text.\n.\nFrom here on\n"
    yield "forward-inline", head(61, "Fwd: The inner one") + (
        "\nFYI\n\n---------- Forwarded message ---------\nFrom: Bert <bert@example.com>\n"
        "Date: Mon, 1 Jan 2024\nSubject: The inner one\n\nInner text.\n"
    )
    yield "forward-rfc822", mime(
        62,
        "Fwd: The inner one",
        multipart(
            "mixed",
            "f62",
            part("text/plain", "FYI\n"),
            part("message/rfc822", inner),
        ),
    )
    yield "rfc822-alone", mime(63, "Nothing but a message", part("message/rfc822", inner))
    nested = inner
    for depth in range(20):
        nested = mime(64, "Fwd: " * depth + "nested", part("message/rfc822", nested))
    yield "rfc822-nested-20", nested
    yield "digest", mime(
        65,
        "list Digest, Vol 7, Issue 2",
        multipart(
            "digest",
            "d65",
            *["\n" + head(66 + i, "Topic %d" % i) + "\n" + prose(66 + i, 60) for i in range(8)],
            preamble="Today's topics:\n\n",
            epilogue="End of list Digest\n",
        ),
    )
    yield "rfc1153-digest", head(75, "Digest in plain text") + (
        "\n"
        + "-" * 70
        + "\n\n"
        + ("\n" + "-" * 30 + "\n\n").join(head(76 + i, "Topic") + "\nText\n" for i in range(3))
    )
    yield "bounced-resent", (
        "Resent-Date: Tue, 02 Jan 2024 10:00:00 +0000\nResent-From: dana@example.org\n"
        "Resent-To: emil@example.org\nResent-Message-ID: <r1@example.org>\n" + inner
    )
    yield "global", mime(
        79,
        "RFC 6532 inside",
        part(
            "message/global",
            "From: Jürgen <jürgen@exämple.org>\nSubject: Grüße\n\nÄ\n",
            "Content-Transfer-Encoding: 8bit",
        ),
    )


def reports():
    returned = head(80, "You will not get this") + "\nText\n"
    status = "Reporting-MTA: dns; mx.example.org\nArrival-Date: Mon, 1 Jan 2024 10:00:00 +0000\n\n"
    yield "dsn-failed", mime(
        81,
        "Undelivered Mail Returned to Sender",
        multipart(
            "report; report-type=delivery-status",
            "dsn81",
            part("text/plain; charset=us-ascii", "I'm sorry to have to inform you.\n"),
            part(
                "message/delivery-status",
                status + "Final-Recipient: rfc822; x@example.net\nAction: failed\n"
                "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n",
            ),
            part("message/rfc822", returned),
        ),
        "Auto-Submitted: auto-replied",
    ).replace("<anna@example.org>\nReceived", "<>\nReceived", 1)
    yield "dsn-headers-only", mime(
        82,
        "Delayed Mail (still being retried)",
        multipart(
            "report; report-type=delivery-status",
            "dsn82",
            part("text/plain", "Still trying.\n"),
            part(
                "message/delivery-status",
                status + "Final-Recipient: rfc822; x@example.net\nAction: delayed\nStatus: 4.4.1\n",
            ),
            part("text/rfc822-headers", head(80, "You will not get this")),
        ),
    )
    yield "dsn-utf8", mime(
        83,
        "Zustellung fehlgeschlagen",
        multipart(
            "report; report-type=delivery-status",
            "dsn83",
            part("text/plain; charset=utf-8", "Nicht zugestellt für jürgen\n"),
            part(
                "message/global-delivery-status",
                status + "Final-Recipient: utf-8; jürgen@example.org\nAction: failed\n",
            ),
        ),
    )
    yield "mdn-displayed", mime(
        84,
        "Read: Lunch",
        multipart(
            "report; report-type=disposition-notification",
            "mdn84",
            part("text/plain", "It was displayed.\n"),
            part(
                "message/disposition-notification",
                "Final-Recipient: rfc822;anna@example.org\n"
                "Original-Message-ID: <1@x>\nDisposition: manual-action/MDN-sent-manually; displayed\n",
            ),
        ),
    )
    yield "mdn-requested", head(
        85, "Please confirm", "Disposition-Notification-To: bert@example.com"
    ) + "\nPlease.\n"
    yield "abuse-report", mime(
        86,
        "FW: Earn money",
        multipart(
            "report; report-type=feedback-report",
            "arf86",
            part("text/plain", "This is an abuse report.\n"),
            part(
                "message/feedback-report",
                "Feedback-Type: abuse\nUser-Agent: Someone/1.0\nVersion: 1\n",
            ),
            part("message/rfc822", returned),
        ),
    )
    yield "dmarc-report", mime(
        87,
        "Report Domain: example.org",
        part(
            "application/gzip",
            b64(b"\x1f\x8b\x08" + noise(87, 600)),
            "Content-Transfer-Encoding: base64",
            'Content-Disposition: attachment; filename="example.net!example.org!1!2.xml.gz"',
        ),
    )
    yield "vacation", head(
        88, "Out of office", "Auto-Submitted: auto-replied", "Precedence: bulk"
    ) + "\nI am away.\n"


def lists():
    yield "mailing-list", head(
        90,
        "[users] How to?",
        "List-Id: Users <users.lists.example.org>",
        "List-Post: <mailto:users@lists.example.org>",
        "List-Unsubscribe: <https://lists.example.org/u?x=1>,\n\t<mailto:users-leave@lists.example.org>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "Precedence: list",
        "Errors-To: users-bounces@lists.example.org",
        "Reply-To: users@lists.example.org",
        "Sender: users-bounces@lists.example.org",
    ) + "\n" + prose(90) + "_______________________________________________\nusers mailing list\n"
    yield "many-trace-lines", "".join(
        "Received: from h%d.example.com ([192.0.2.%d])\n\tby h%d.example.com with ESMTP id %d;\n\tMon, 1 Jan 2024 10:00:%02d +0000\n"
        % (i, i, i + 1, i, i % 60)
        for i in range(60)
    ) + head(91, "Far travelled") + "\nHello\n"
    yield "dkim-arc", (
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;\n\th=from:to:subject; bh=%s;\n\tb=%s\n"
        "ARC-Seal: i=1; a=rsa-sha256; t=1704103200; cv=none;\n        d=example.net; s=arc; b=%s\n"
        "Authentication-Results: mx.example.org;\n       dkim=pass header.i=@example.com (a comment (nested));\n       spf=pass\n"
        % (
            b64(noise(92, 32))[:-1],
            b64(noise(93, 256), 60)[:-1].replace("\n", "\n\t "),
            b64(noise(94, 256), 60)[:-1].replace("\n", "\n         "),
        )
    ) + head(92, "Signed on the way") + "\nHello\n"
    yield "spam-report", head(
        95,
        "***SPAM*** Cheap!!!",
        "X-Spam-Flag: YES",
        "X-Spam-Status: Yes, score=19.3 required=5.0\n\ttests=[BAYES_99=3.5,\n\tHTML=1]\n\tautolearn=no",
        "X-Spam-Report:\n\t* 3.5 BAYES_99 Bayes says so\n\t*  0.0 HTML_MESSAGE HTML included",
    ) + "\nBuy.\n"
    yield "news-article", "Path: news.example.org!not-for-mail\nNewsgroups: comp.mail.misc,de.test\nXref: news comp.mail.misc:1\n" + head(
        96, "An article"
    ) + "\nText\n"


def sealed():
    signature = part(
        'application/pgp-signature; name="signature.asc"',
        "-----BEGIN PGP SIGNATURE-----\n\n%s-----END PGP SIGNATURE-----\n"
        % b64(noise(100, 200), 64),
    )
    yield "pgp-signed", mime(
        100,
        "Signed",
        multipart(
            'signed; micalg=pgp-sha512; protocol="application/pgp-signature"',
            "sig100",
            part("text/plain", prose(100)),
            signature,
        ),
    )
    yield "pgp-encrypted", mime(
        101,
        "...",
        multipart(
            'encrypted; protocol="application/pgp-encrypted"',
            "enc101",
            part("application/pgp-encrypted", "Version: 1\n"),
            part(
                'application/octet-stream; name="encrypted.asc"',
                "-----BEGIN PGP MESSAGE-----\n\n%s-----END PGP MESSAGE-----\n"
                % b64(noise(101, 2000), 64),
            ),
        ),
    )
    yield "smime-signed", crlf(
        mime(
            102,
            "Signed with a certificate",
            multipart(
                'signed; protocol="application/pkcs7-signature"; micalg=sha-256',
                "----A102",
                part("text/plain", prose(102)),
                part(
                    'application/pkcs7-signature; name="smime.p7s"',
                    b64(b"\x30\x80" + noise(102, 1500)),
                    "Content-Transfer-Encoding: base64",
                    'Content-Disposition: attachment; filename="smime.p7s"',
                ),
            ),
        )
    )
    yield "smime-enveloped", mime(
        103,
        "Encrypted",
        part(
            'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"',
            b64(b"\x30\x82" + noise(103, 3000)),
            "Content-Transfer-Encoding: base64",
        ),
    )
    yield "smime-opaque", mime(
        104,
        "Signed, opaque",
        part(
            "application/x-pkcs7-mime; smime-type=signed-data; name=smime.p7m",
            b64(noise(104, 1000)),
            "Content-Transfer-Encoding: base64",
        ),
    )
    yield "autocrypt", head(
        105,
        "With a key",
        "Autocrypt: addr=anna@example.org; prefer-encrypt=mutual; keydata=\n "
        + b64(noise(105, 900), 75)[:-1].replace("\n", "\n "),
    ) + "\nHi\n"


def calendars():
    event = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1@example.org\r\nSUMMARY:Budget\r\n a folded line\r\nDTSTART:20240105T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    yield "invite", mime(
        110,
        "Invitation: Budget",
        multipart(
            "mixed",
            "c110",
            multipart(
                "alternative",
                "c111",
                part("text/plain", "You are invited.\n"),
                part("text/html", HTML % "Invited"),
                part("text/calendar; charset=utf-8; method=REQUEST", event.replace("\r", "")),
            ),
            part(
                'application/ics; name="invite.ics"',
                b64(event),
                "Content-Transfer-Encoding: base64",
            ),
        ),
    )
    yield "invite-mixed-line-ends", mime(
        111, "CRLF inside a file with LF", part("text/calendar; method=REQUEST", event)
    )
    yield "invite-reply", mime(
        112,
        "Accepted: Budget",
        part("text/calendar; method=REPLY", event.replace("REQUEST", "REPLY").replace("\r", "")),
    )
    yield "vcard", mime(
        113, "My card", part("text/vcard", "BEGIN:VCARD\nVERSION:4.0\nFN:Anna Berg\nEND:VCARD\n")
    )
    yield "voice-message", mime(
        114,
        "Voice message",
        multipart(
            "voice-message",
            "v114",
            part("audio/wav", b64(b"RIFF" + noise(114, 4000)), "Content-Transfer-Encoding: base64"),
        ),
    )
    yield "fax", mime(
        115,
        "Fax",
        part("image/tiff", b64(b"II*\x00" + noise(115, 2000)), "Content-Transfer-Encoding: base64"),
    )
    yield "receipt", mime(
        116,
        "Your order 0815",
        multipart(
            "alternative",
            "o116",
            part("text/plain", "Thank you.\n"),
            part("text/html", HTML % '<script type="application/ld+json">{}</script>'),
        ),
    )


CODECS = {"koi8-u": "koi8_u", "tis-620": "tis_620", "windows-1258": "cp1258"}


def languages():
    number = 120
    for name, text, charsets in LANGUAGES:
        for charset in charsets:
            codec = CODECS.get(charset, charset)
            raw = text.encode(codec, "replace")
            subject = "=?%s?B?%s?=" % (
                charset,
                base64.b64encode(raw[:40] if codec != "iso-2022-jp" else raw).decode(),
            )
            number += 1
            top = head(
                number, subject, "MIME-Version: 1.0", "Content-Type: text/plain; charset=" + charset
            )
            if number % 3 == 0:
                body = octets(top + "Content-Transfer-Encoding: base64\n\n" + b64(raw + b"\n"))
            elif number % 3 == 1:
                body = octets(
                    top + "Content-Transfer-Encoding: quoted-printable\n\n" + qp(raw + b"\n")
                )
            else:
                body = octets(top + "Content-Transfer-Encoding: 8bit\n\n") + (raw + b"\n") * 3
            yield "%s-%s" % (name, charset.replace("_", "-")), body


def headers():
    yield "rfc2047-folded", head(
        160, "\n ".join(word_q("Größe Nummer %d " % i) for i in range(12))
    ) + "\nx\n"
    yield "rfc2047-mixed", head(
        161, "Re: %s and %s (%s)" % (word_b("Ärger"), word_q("naïve", "iso-8859-1"), word_b("日本"))
    ) + "\nx\n"
    yield "rfc2047-names", head(
        162,
        "Names",
        sender="%s <jurgen@example.org>" % word_q("Jürgen Müller"),
        to='%s <f@example.fr>, "Smith, John" <j@example.com>' % word_b("François"),
    ) + "\nx\n"
    yield "rfc2047-language", head(163, "=?utf-8*de?Q?Gr=C3=BC=C3=9Fe?=") + "\nx\n"
    yield "rfc2047-split-character", head(
        164, "=?utf-8?B?w6Q=?= =?utf-8?B?ww==?= =?utf-8?B?pA==?="
    ) + "\nx\n"
    yield "rfc6532-utf8-header", mime(
        165,
        "Grüße aus Köln 🍻",
        part("text/plain; charset=utf-8", "Ä\n", "Content-Transfer-Encoding: 8bit"),
        "X-Unicode: jä",
    ).replace("Bert Stein <bert", "Bért Stéin <bért")
    yield "rfc6532-addresses", "From: 用户 <用户@例子.广告>\nTo: χρήστης@παράδειγμα.ελ\nSubject: 你好\nMessage-ID: <ü@exämple.org>\n\nHi\n"
    yield "punycode", head(166, "IDN", sender="x@xn--exmple-cua.org") + "\nx\n"


def everyday():
    """All of them: name and content."""
    for group in (
        plain,
        rich,
        attachments,
        forwarded,
        reports,
        lists,
        sealed,
        calendars,
        languages,
        headers,
    ):
        for name, content in group():
            yield name, octets(content)
