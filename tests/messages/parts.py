"""parts.py: the parts from which the messages are made.

A text is a str with LF; octets() makes the file's content of it.  Nothing here depends on the version of Python or on the
time, so the messages are the same everywhere.
"""

import base64
import random

NAMES = [
    "Anna Berg <anna@example.org>",
    "Bert Stein <bert@example.com>",
    "Cleo Marsh <cleo@example.net>",
    "Dana Ruiz <dana@mail.example.org>",
    "Emil Holm <emil@example.org>",
]

WORDS = (
    "the a of and to in that it was for on with as at by from but not this have are which one had"
    " were all when there can more if no out so said what up its about into than them only other"
    " time new some could these two may then do first any my now such like our over man me even"
    " most made after also did many before must through back years where much your way well down"
    " should because each just those people how too little state good very make world still own"
    " see men work long get here between both life being under never day same another know while"
).split()


def octets(text, charset="utf-8"):
    """The octets of a text; bytes stay as they are."""
    return text if isinstance(text, bytes) else text.encode(charset)


def crlf(content):
    """The same with CRLF."""
    return octets(content).replace(b"\n", b"\r\n")


def prose(seed, words=120, width=72):
    """Lines of words, the same for the same seed."""
    chance = random.Random(seed)
    line, lines = "", []
    for _ in range(words):
        word = WORDS[chance.randrange(len(WORDS))]
        if len(line) + len(word) + 1 > width:
            lines.append(line)
            line = word
        else:
            line = (line + " " + word).strip()
    return "\n".join(lines + [line]) + "\n"


def noise(seed, count):
    """Octets that look like a compressed file."""
    chance = random.Random(seed)
    return bytes(chance.randrange(256) for _ in range(count))


def b64(data, width=76):
    """base64 in lines."""
    text = base64.b64encode(octets(data)).decode()
    return "".join(text[i : i + width] + "\n" for i in range(0, len(text), width))


def qp(text, charset="utf-8"):
    """quoted-printable (RFC 2045, section 6.7) with soft line breaks."""
    out = []
    for line in octets(text, charset).split(b"\n"):
        done = ""
        for i, octet in enumerate(line):
            plain = 33 <= octet <= 126 and octet != 61 or octet in b" \t" and i + 1 < len(line)
            piece = chr(octet) if plain else "=%02X" % octet
            if len(done) - done.rfind("\n") - 1 + len(piece) > 75:
                done += "=\n"
            done += piece
        out.append(done)
    return "\n".join(out)


def word_b(text, charset="utf-8"):
    """An encoded word (RFC 2047), B."""
    return "=?%s?B?%s?=" % (charset, base64.b64encode(text.encode(charset)).decode())


def word_q(text, charset="utf-8"):
    """An encoded word, Q."""
    out = ""
    for octet in text.encode(charset):
        c = chr(octet)
        out += "_" if c == " " else c if c.isalnum() and octet < 128 else "=%02X" % octet
    return "=?%s?Q?%s?=" % (charset, out)


def head(number, subject, *more, sender=None, to=None):
    """A header as a mail program writes it; more are whole lines.  No empty line at the end."""
    lines = [
        "Return-Path: <%s>" % NAMES[number % 5].split("<")[1][:-1],
        "Received: from mx.example.com (mx.example.com [192.0.2.%d])" % (number % 250 + 1),
        "\tby mail.example.org (Postfix) with ESMTPS id 4X%05dZ" % number,
        "\tfor <anna@example.org>; %s" % date(number),
        "Date: " + date(number),
        "From: " + (sender or NAMES[number % 5]),
        "To: " + (to or NAMES[(number + 1) % 5]),
        "Message-ID: <%d.%d@example.com>" % (20240100 + number, number * 7919),
        "Subject: " + subject,
    ]
    return "\n".join(lines + list(more)) + "\n"


def date(number):
    """A date of January 2024, which began on a Monday."""
    day = number % 31
    weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"][day % 7]
    return "%s, %02d Jan 2024 %02d:%02d:%02d +0100" % (
        weekday,
        day + 1,
        number % 24,
        number * 7 % 60,
        number * 11 % 60,
    )


def part(kind, body, *lines):
    """A body part: its header, the empty line, its text."""
    return "\n".join(["Content-Type: " + kind] + list(lines)) + "\n\n" + body


def multipart(kind, boundary, *parts, preamble="", epilogue=""):
    """A multipart entity from its Content-Type on; parts are str."""
    kind_line = 'Content-Type: multipart/%s; boundary="%s"' % (kind, boundary)
    body = "".join("--%s\n%s\n" % (boundary, p) for p in parts)
    return kind_line + "\n\n" + preamble + body + "--%s--\n" % boundary + epilogue


def mime(number, subject, entity, *more):
    """A whole message around an entity, which begins with its Content-Type."""
    return head(number, subject, "MIME-Version: 1.0", *more) + entity
