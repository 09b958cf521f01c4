"""odd_lines.py: line ends, dots, sizes and octets that no program should send."""

from parts import crlf, head, noise, octets, prose

# Usual sizes of buffers.
BOUNDARIES = (4096, 8192, 16384, 65536)

HEAD = b"From: anna@example.org\nSubject: odd\n\n"


def tiny():
    yield "empty-file", b""
    yield "only-lf", b"\n"
    yield "only-crlf", b"\r\n"
    yield "only-cr", b"\r"
    yield "only-lf-cr", b"\n\r"
    yield "only-crcrlf", b"\r\r\n"
    yield "only-two-lf", b"\n\n"
    yield "only-two-crlf", b"\r\n\r\n"
    yield "only-lf-crlf", b"\n\r\n"
    yield "only-crlf-lf", b"\r\n\n"
    yield "only-many-cr", b"\r" * 5000
    yield "only-many-lf", b"\n" * 5000
    yield "one-octet-a", b"a"
    yield "one-octet-dot", b"."
    yield "one-octet-nul", b"\0"
    yield "one-octet-space", b" "
    yield "one-octet-colon", b":"
    yield "one-octet-ff", b"\xff"
    yield "one-octet-ctrl-z", b"\x1a"
    yield "two-dots", b".."
    yield "dot-lf", b".\n"
    yield "dot-crlf", b".\r\n"
    yield "dot-cr", b".\r"
    yield "lf-dot", b"\n."
    yield "crlf-dot", b"\r\n."
    yield "cr-dot", b"\r."
    yield "crlf-dot-crlf", b"\r\n.\r\n"
    yield "crlf-dot-crlf-crlf", b"\r\n.\r\n\r\n"


def line_ends():
    yield "bare-lf", HEAD + b"one\ntwo\n"
    yield "bare-cr", HEAD.replace(b"\n", b"\r") + b"one\rtwo\r"
    yield "crlf", crlf(HEAD + b"one\ntwo\n")
    yield "mixed-lf-crlf", HEAD + b"lf\ncrlf\r\nlf\ncrlf\r\n"
    yield "header-crlf-body-lf", crlf(HEAD) + b"one\ntwo\n"
    yield "header-lf-body-crlf", HEAD + b"one\r\ntwo\r\n"
    yield "separator-lf-crlf", b"Subject: x\n\r\nbody\n"
    yield "separator-crlf-lf", b"Subject: x\r\n\nbody\r\n"
    yield "separator-cr", b"Subject: x\n\rbody\n"
    yield "separator-crcrlf", b"Subject: x\n\r\r\nbody\n"
    yield "lf-cr", HEAD.replace(b"\n", b"\n\r") + b"one\n\rtwo\n\r"
    yield "crcrlf", HEAD.replace(b"\n", b"\r\r\n") + b"one\r\r\ntwo\r\r\n"
    yield "crlflf", HEAD + b"one\r\n\ntwo\r\n\n"
    yield "crlfcr", HEAD + b"one\r\n\rtwo\r\n\r"
    yield "cr-inside-lines", HEAD + b"one\rtwo\r\nthree\r four\n\rfive\n"
    yield "cr-at-the-end", HEAD + b"one\r"
    yield "crcr-at-the-end", HEAD + b"one\r\r"
    yield "lf-cr-at-the-end", HEAD + b"one\n\r"
    yield "no-final-newline", HEAD + b"the end"
    yield "no-final-newline-crlf", crlf(HEAD + b"one\nthe end")
    yield "no-final-newline-header", b"Subject: ends in the header"
    yield "final-newline-after-separator", b"Subject: x\n\n"
    yield "header-and-nothing", b"Subject: x\n"
    yield "many-final-newlines", HEAD + b"x" + b"\n" * 1000
    yield "other-line-ends", HEAD + b"vt\x0bff\x0cnel\xc2\x85ls\xe2\x80\xa8ps\xe2\x80\xa9end\n"
    yield "form-feeds", HEAD + b"\x0c\n\x0c.\n.\x0c\n"


def dots():
    yield "dot-first-octet", b".Subject: x\n\nbody\n"
    yield "dot-first-line", b".\n\nbody\n"
    yield "dot-first-line-crlf", b".\r\nSubject: x\r\n\r\nbody\r\n"
    yield "dots-first-line", b"...\nSubject: x\n\nbody\n"
    yield "dot-in-header", b"Subject: x\n.X: y\n.\n..\n\nbody\n"
    yield "dot-first-in-body", HEAD + b".\n"
    yield "dot-crlf-in-body", crlf(HEAD + b"before\n.\nafter\n")
    yield "dot-crlf-among-lf", HEAD + b"before\n.\r\nafter\n"
    yield "dot-lf-among-crlf", crlf(HEAD) + b"before\r\n.\nafter\r\n"
    yield "dot-cr-in-body", HEAD + b"before\n.\rafter\n"
    yield "dot-after-cr", HEAD + b"before\r.\rafter\r\n"
    yield "dot-cr-cr-lf", HEAD + b"before\n.\r\r\nafter\n"
    yield "dot-last-line", HEAD + b"before\n.\n"
    yield "dot-last-line-crlf", crlf(HEAD + b"before\n.\n")
    yield "dot-last-octet", HEAD + b"before\n."
    yield "dot-last-octet-crlf", crlf(HEAD + b"before\n.")
    yield "dot-last-cr", HEAD + b"before\n.\r"
    yield "two-dots-last", HEAD + b"before\n.."
    yield "dots-growing", HEAD + b"".join(b"." * i + b"\n" for i in range(200))
    yield "dot-lines-only", HEAD + b".\n" * 5000
    yield "dot-lines-only-crlf", crlf(HEAD + b".\n" * 5000)
    yield "dot-dot-crlf", crlf(HEAD + b"..\n.\n..\n")
    yield "dot-space", HEAD + b". \n.\t\n .\n\t.\n"
    yield "dot-after-empty-lines", HEAD + b"\n\n.\n\n\n..\n\n.\n"
    yield "dot-then-commands", HEAD + b".\r\nQUIT\r\n.\r\n+OK bye\r\n-ERR no\r\nDELE 1\r\n"
    yield "answers-in-body", HEAD + b"+OK 12 octets\r\n.\r\n-ERR\r\n* 1 EXISTS\r\na OK done\r\n)\r\n"
    yield "stuffed-already", HEAD + b"..this\n..\n...\n"
    yield "smtp-end-variants", HEAD + b"a\n.\nb\r.\rc\r\n.\nd\n.\r\ne\r.\r\nf\r\n.\rg\n"


def filled(size, tail):
    """A header and lines of CRLF, exactly size octets, which end in tail."""
    start = crlf(HEAD)
    room = size - len(start) - len(tail)
    line = b"x" * 62 + b"\r\n"
    return start + b"y" * (room % len(line)) + line * (room // len(line)) + tail


def around(place, text, at=0):
    """CRLF lines with text so that its octet number at stands at that place of the wire."""
    before = filled(place - at, b"\r\n")
    return before + text + b"after\r\n" + b"z" * 70 + b"\r\n"


def boundaries():
    """Dots, CR and the end just before, on and just behind the boundaries of buffers.

    Each comes with CRLF on disk and, where its wire is then the same, with LF.  Places count
    from 0: 4095 is the last octet of a buffer, 4096 the first of the next.
    """
    for size in BOUNDARIES:
        for offset in (-1, 0, 1):
            place = size + offset
            yield "dot-at-%s-crlf" % place, around(place, b".\r\n")
            yield "dot-at-%s-lf" % place, around(place, b".\r\n").replace(b"\r\n", b"\n")
            yield "dot-on-disk-at-%s" % place, on_disk(place, b".\n")
            yield "cr-at-%s" % place, around(place, b"ab\r\n.\r\n", 2)
            yield "lone-cr-at-%s" % place, around(place, b"ab\r.\r\n", 2)
            yield "lone-cr-on-disk-at-%s" % place, on_disk(place, b"ab\rc\n", 2)
            yield "crlf-on-disk-at-%s" % place, on_disk(place, b"ab\r\n.\n", 2)
            yield "ends-at-%s" % place, filled(place, b"\r\n")
            yield "ends-open-at-%s" % place, filled(place, b"\r\n.")
            yield "ends-in-cr-at-%s" % place, filled(place, b"end\r")


def on_disk(place, text, at=0):
    """LF lines with text so that its octet number at stands at that place of the file."""
    room = place - at - len(HEAD) - 1
    line = b"x" * 63 + b"\n"
    before = HEAD + b"y" * (room % len(line)) + line * (room // len(line)) + b"\n"
    return before + text + b"after\n" + b"z" * 70 + b"\n"


def long_lines():
    for length in (76, 77, 78, 79, 997, 998, 999, 1000, 1001, 4095, 4096, 4097, 8191, 8192, 8193):
        yield "line-of-%d" % length, HEAD + b"x" * length + b"\nnext\n"
    yield "line-of-1-mb", HEAD + b"x" * (1 << 20) + b"\n"
    yield "line-of-1-mb-alone", b"x" * (1 << 20)
    yield "line-of-1-mb-dots", HEAD + b"." * (1 << 20)
    yield "header-line-of-100-kb", b"Subject: " + b"x" * 100000 + b"\n\nbody\n"
    yield "header-word-folds-100-kb", b"Subject:" + b"\n x" * 33000 + b"\n\nbody\n"
    yield "big-lf", HEAD + b"x\n" * 400000
    yield "big-crlf", crlf(HEAD + octets(prose(300, 100000)))


def octets_odd():
    yield "nul-in-header", b"Subject: a\0b\nFrom: x\0@example.org\n\nbody\n"
    yield "nul-in-body", HEAD + b"a\0b\n\0\n\0\0\0\n"
    yield "nul-first", b"\0Subject: x\n\nbody\n"
    yield "nul-only", b"\0" * 10000
    yield "nul-hole", HEAD + b"before\n" + b"\0" * 70000 + b"\nafter\n"
    yield "nul-dot", HEAD + b"\0.\n.\0\n"
    yield "controls-in-header", b"Subject: " + bytes(
        range(1, 9)
    ) + b"\x0b\x0c\x0e\x1b[31m\x7f\n\nbody\n"
    yield "controls-in-body", HEAD + bytes(range(32)) + b"\x7f\n"
    yield "all-octets", HEAD + bytes(range(256)) * 3
    yield "all-octets-reversed", HEAD + bytes(range(255, -1, -1)) * 3
    yield "terminal-escapes", HEAD + b"\x1b]0;title\x07\x1b[2J\x9b31m\n"
    yield "ctrl-z", HEAD + b"before\x1aafter\n\x1a\n"
    yield "noise", noise(301, 70000)
    yield "noise-with-header", HEAD + noise(302, 70000)
    yield "eight-bit-header", "Subject: Grüße\nFrom: Jürgen <j@example.org>\n\nbody\n".encode(
        "latin-1"
    )
    yield "latin-1-undeclared", head(303, "x").encode() + "\nÄÖÜ äöü ß é\n".encode("latin-1")
    yield "utf-8-undeclared", head(304, "x").encode() + "\nÄÖÜ äöü ß €\n".encode()
    yield "utf-16-le", "\ufeffSubject: x\n\nGrüße\n".encode("utf-16-le")
    yield "utf-16-be", "\ufeffSubject: x\n\nGrüße\n".encode("utf-16-be")
    yield "utf-16-body", b"Subject: x\nContent-Type: text/plain; charset=utf-16\n\n" + "Grüße\n.\n".encode(
        "utf-16-le"
    )
    yield "utf-32", "Subject: x\n\nGrüße\n".encode("utf-32-le")
    yield "utf-7", b"Subject: x\nContent-Type: text/plain; charset=utf-7\n\nGr+APwA3w-e +ACI-\n"
    yield "bom-first", b"\xef\xbb\xbfSubject: x\n\nbody\n"
    yield "bom-in-body", HEAD + b"\xef\xbb\xbfbody\n\xef\xbb\xbf.\n"
    yield "lone-surrogates", HEAD + b"\xed\xa0\x80 \xed\xbf\xbf\n"
    yield "overlong-utf-8", b"Subject: \xc0\xae\xc1\xbf\n\n\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf\xc0\x8a.\xc0\x8d\n"
    yield "cut-utf-8", HEAD + b"\xc3\n\xe2\x82\n\xf0\x9f\x98"
    yield "beyond-unicode", HEAD + b"\xf4\x90\x80\x80 \xf8\x88\x80\x80\x80 \xfe\xff\n"
    yield "noncharacters", HEAD + "\ufdd0\ufffe\U0010ffff\u202eright to left\u202c\n".encode()
    yield "combining", HEAD + ("a" + "\u0301" * 5000 + "\n").encode()


def odd_lines():
    """All of them: name and content."""
    for group in (tiny, line_ends, dots, boundaries, long_lines, octets_odd):
        yield from group()
