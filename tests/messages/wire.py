"""wire.py: the exact POP3 octets for a message file, for tests to compare with.

A file may have LF, CRLF or both.  On the wire every bare LF becomes CRLF; a CRLF stays, and so does a CR alone (RFC 1939,
section 3; RFC 5321, section 2.3.8).  All results are the octets after the status line "+OK ...".

    python3 tests/messages/wire.py [FOLDER]     tests itself, also on the files of FOLDER
"""

import itertools
import os
import re
import sys

END = b".\r\n"


def wire(content):
    """The message as it is sent, before stuffing: every bare LF as CRLF."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", content)


def whole(content):
    """wire(), with the CRLF that ends the last line.  An empty message has no line."""
    octets = wire(content)
    if octets and not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    return octets


def size(content):
    """What STAT and LIST say: the octets of RETR before stuffing and without the end."""
    return len(whole(content))


def stuff(octets):
    """Doubles the dot at the beginning of every line, of the first one too."""
    if octets.startswith(b"."):
        octets = b"." + octets
    return octets.replace(b"\r\n.", b"\r\n..")


def retr(content):
    """The answer to RETR; for an empty message that is just the end."""
    return stuff(whole(content)) + END


def top(content, n):
    """The answer to TOP with n lines: header, the empty line, n lines of the body.

    The header ends with the first empty line, which may be the first of all; without one all of
    the message is header.
    """
    lines = whole(content).split(b"\r\n")[:-1]
    keep = len(lines)
    if b"" in lines:
        keep = min(keep, lines.index(b"") + 1 + n)
    return stuff(b"".join(line + b"\r\n" for line in lines[:keep])) + END


def unstuff(answer):
    """What a client makes of an answer; fails unless it ends where it should and only there."""
    lines = answer.split(b"\r\n")
    if lines.index(b".") != len(lines) - 2 or lines[-1] != b"":
        raise ValueError("the end of the answer is not where it should be")
    return b"".join((l[1:] if l.startswith(b".") else l) + b"\r\n" for l in lines[:-2])


def retr_slowly(content):
    """retr() again, octet by octet and another way, for the check."""
    out = bytearray()
    last = None
    at_start = True
    for octet in content:
        if octet == 0x0A and last != 0x0D:
            out.append(0x0D)
        if at_start and octet == 0x2E:
            out.append(0x2E)
        out.append(octet)
        at_start = octet == 0x0A
        last = octet
    if content and not at_start:
        out += b"\r\n"
    return bytes(out) + END


ROWS = [
    # content, RETR, size
    (b"", b".\r\n", 0),
    (b"\n", b"\r\n.\r\n", 2),
    (b"\r\n", b"\r\n.\r\n", 2),
    (b"\r", b"\r\r\n.\r\n", 3),
    (b"a", b"a\r\n.\r\n", 3),
    (b"a\n", b"a\r\n.\r\n", 3),
    (b"a\r\n", b"a\r\n.\r\n", 3),
    (b"a\r\r\n", b"a\r\r\n.\r\n", 4),
    (b"a\n\r", b"a\r\n\r\r\n.\r\n", 6),
    (b".", b"..\r\n.\r\n", 3),
    (b".\n", b"..\r\n.\r\n", 3),
    (b"..", b"...\r\n.\r\n", 4),
    (b"a\n.", b"a\r\n..\r\n.\r\n", 6),
    (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n.\r\n", 9),
    (b"a\r.\n", b"a\r.\r\n.\r\n", 5),
    (b"\n.", b"\r\n..\r\n.\r\n", 5),
]

TOPS = [
    # content, lines, TOP
    (b"", 0, b".\r\n"),
    (b"A: b", 0, b"A: b\r\n.\r\n"),
    (b"A: b\n", 5, b"A: b\r\n.\r\n"),
    (b"A: b\n\nx\ny\n", 0, b"A: b\r\n\r\n.\r\n"),
    (b"A: b\n\nx\ny\n", 1, b"A: b\r\n\r\nx\r\n.\r\n"),
    (b"A: b\n\nx\ny", 2, b"A: b\r\n\r\nx\r\ny\r\n.\r\n"),
    (b"A: b\n\nx\ny", 9, b"A: b\r\n\r\nx\r\ny\r\n.\r\n"),
    (b"\nx\ny\n", 1, b"\r\nx\r\n.\r\n"),
    (b"A: b\n \nx\n\ny\n", 0, b"A: b\r\n \r\nx\r\n\r\n.\r\n"),
    (b"A: b\n\n\n\n", 1, b"A: b\r\n\r\n\r\n.\r\n"),
    (b".\n\n.\n.", 2, b"..\r\n\r\n..\r\n..\r\n.\r\n"),
    (b"A: b\n\r\r\nx\n", 0, b"A: b\r\n\r\r\nx\r\n.\r\n"),
]


def agree(content):
    """Whether all functions agree about one message."""
    answer = retr(content)
    assert answer == retr_slowly(content), content
    assert unstuff(answer) == whole(content), content
    assert size(content) == len(unstuff(answer)), content
    assert top(content, content.count(b"\n") + 1) == answer, content
    shorter = unstuff(top(content, 1))
    assert whole(content).startswith(shorter), content


def check(folder=None):
    """Tables, every short message of CR, LF, dot and a letter, and the files of the folder."""
    for content, answer, octets in ROWS:
        assert retr(content) == answer, (content, retr(content))
        assert size(content) == octets, (content, size(content))
    for content, n, answer in TOPS:
        assert top(content, n) == answer, (content, n, top(content, n))
    count = 0
    for length in range(8):
        for letters in itertools.product(b"\r\n.a", repeat=length):
            agree(bytes(letters))
            count += 1
    for name in sorted(os.listdir(folder)) if folder else []:
        with open(os.path.join(folder, name), "rb") as file:
            agree(file.read())
            count += 1
    return count


if __name__ == "__main__":
    print("wire.py: %d messages agree" % check(*sys.argv[1:2]))
