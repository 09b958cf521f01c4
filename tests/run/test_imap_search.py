"""SEARCH: every key, sets, RETURN and $, charsets, encoded words and bodies."""

import base64
import calendar
import datetime
import os
import random
import re
import subprocess
import time

import pytest


def code(answer):
    m = re.match(r"\[(\S+?)[ \]]", answer.text)
    return m and m[1]


def header(subject="", more="", body=""):
    return f"Subject: {subject}\n{more}\n{body}\n".encode("latin-1")


NOW = int(time.time())
DAY = 24 * 3600
MESSAGES = [  # file name's flags, age of the file or its date, octets
    ("", NOW - 100, header("plain words", "From: \"Anna, A\" (the cook) <anna@example.org>\nTo: ben@example.org, Carl <carl@x.example>\n"
                           "Cc: Dora <dora@example.org>\nBcc: hidden@example.org\nDate: Mon, 5 Jul 2021 23:30:00 -0800\n"
                           "X-Long: first\n   folded   rest\nX-Empty:\n", "The quick brown fox\nover two\nlines jumped=20x")),
    ("S", NOW - 5000, header("=?utf-8?q?Gr=C3=BC=C3=9Fe_aus?= =?iso-8859-1?b?S/ZsbiBhbSBSaGVpbg==?=",
                             "From: =?utf-8?b?SsO8cmdlbg==?= <j@example.org>\nDate: Tue, 6 Jul 2021 00:10:00 +0200\n"
                             "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n",
                             "Stra=DFe nach S=FCden, ein lan=\nges Wort")),
    ("FRS", calendar.timegm((2021, 3, 28, 0, 0, 0)), header(
        "attached", "Date: 28 Mar 2021 12:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n",
        "preamble\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n" +
        base64.b64encode("versteckter Text: żółw".encode()).decode() +
        "\n--b\nContent-Type: message/rfc822\n\nSubject: inner subject\n\ninner words\n--b--\n")),
    ("DT", calendar.timegm((2021, 3, 27, 23, 59, 59)), header("no date here", "X-Spam: yes\n", "x" * 3000)),
    ("Sab", calendar.timegm((1999, 12, 31, 0, 0, 0)), header("=?x-unknown?q?odd?= =?utf-8?q?broken=ff?=", "Date: nonsense\n", "raw \xe9 octet")),
]


@pytest.fixture
def talk(server):
    anna = server.accounts["anna"]
    (anna.maildir / "dovecot-keywords").write_text("0 $Label\n1 work\n")
    anna.own(anna.maildir / "dovecot-keywords")
    for i, (flags, date, octets) in enumerate(MESSAGES, 1):
        name = f"100000000{i}.M{i}.test:2,{flags}"
        anna.deliver(octets, name, sub="cur")
        os.utime(anna.maildir / "cur" / name, (date, date))
    t = server.imap_talk()
    assert t.cmd("SELECT INBOX").find(rb"^\* 5 EXISTS")
    return t


def found(talk, keys, uid=False):
    if isinstance(keys, str):
        keys = keys.encode()
    answer = talk.cmd((b"UID " if uid else b"") + b"SEARCH " + keys)
    assert answer.ok and len(answer.untagged) == 1, (keys, answer)
    return [int(n) for n in re.match(rb"\* SEARCH(.*)$", answer.untagged[0])[1].split()]


ALL = [1, 2, 3, 4, 5]
SIZES = [len(re.sub(rb"(?<!\r)\n", b"\r\n", octets)) for _, _, octets in MESSAGES]
KEYS = [
    ("ALL", ALL), ("ANSWERED", [3]), ("UNANSWERED", [1, 2, 4, 5]), ("DELETED", [4]), ("UNDELETED", [1, 2, 3, 5]), ("DRAFT", [4]), ("UNDRAFT", [1, 2, 3, 5]),
    ("FLAGGED", [3]), ("UNFLAGGED", [1, 2, 4, 5]), ("SEEN", [2, 3, 5]), ("UNSEEN", [1, 4]), ("KEYWORD $label", [5]), ("UNKEYWORD work", [1, 2, 3, 4]),
    ("KEYWORD none", []), ("UNKEYWORD none", ALL), ("unseen UNdeleted", [1]),
    # numbers
    ("1", [1]), ("2:4", [2, 3, 4]), ("4:2", [2, 3, 4]), ("*", [5]), ("1,3,*", [1, 3, 5]), ("UID 1:2", [1, 2]), ("UID 9:*", [5]), ("UID 9", []), ("1:3 UID 3:5", [3]),
    ("NOT 1:3", [4, 5]), ("NOT UID *", [1, 2, 3, 4]), ("1:4294967295", ALL),
    # dates of arrival
    ("BEFORE 28-Mar-2021", [4, 5]), ("ON 28-Mar-2021", [3]), ("SINCE 28-Mar-2021", [1, 2, 3]), ("ON 27-Mar-2021", [4]), ('BEFORE "1-Jan-2000"', [5]),
    ("on 31-dec-1999", [5]), ("SINCE 1-Jan-2000 BEFORE 1-Apr-2021", [3, 4]), ("OLDER 1000", [2, 3, 4, 5]), ("YOUNGER 1000", [1]), ("YOUNGER 4294967295", ALL),
    ("OLDER 4294967295", []), ("NOT OLDER 1000", [1]),
    # and of sending, without their zones
    ("SENTON 5-Jul-2021", [1]), ("SENTON 6-Jul-2021", [2]), ("SENTBEFORE 6-Jul-2021", [1, 3]), ("SENTSINCE 5-Jul-2021", [1, 2]), ("SENTSINCE 1-Jan-1970", [1, 2, 3]),
    # sizes
    (f"LARGER {SIZES[3]}", []), (f"LARGER {SIZES[3] - 1}", [4]), (f"SMALLER {SIZES[0]}", [i for i in ALL if SIZES[i - 1] < SIZES[0]]), ("SMALLER 0", []), ("LARGER 0", ALL),
    ("SMALLER 9223372036854775807", ALL),
    # texts in fields
    ("SUBJECT WORDS", [1]), ('SUBJECT "plain words"', [1]), ("SUBJECT {5+}\r\nplain", [1]), ('SUBJECT ""', ALL), ("SUBJECT inner", []),
    ("FROM anna@example", [1]), ('FROM "the cook"', [1]), ('FROM "Anna, A"', [1]), ("TO CARL", [1]), ("TO x.example", [1]), ("CC dora", [1]), ("BCC hidden", [1]),
    ("HEADER X-Spam yes", [4]), ('HEADER X-Spam ""', [4]), ('HEADER "X-Empty" ""', [1]), ("HEADER x-empty z", []), ('HEADER X-Long "folded   rest"', [1]),
    ('HEADER Date ""', [1, 2, 3, 5]), ('HEADER None ""', []), ('HEADER {7+}\r\nSubject {4+}\r\nhere', [4]),
    ("FROM jürgen", None), ('FROM "JÜRGEN"', [2]), ('SUBJECT "Grüße"', [2]), ('SUBJECT "GRÜSSE"', None), ('SUBJECT "grüße aus"', [2]), ('SUBJECT "Köln am RHEIN"', [2]),
    # and in bodies, decoded
    ('BODY "quick brown"', [1]), ("BODY words", [3]), ("TEXT words", [1, 3]), ('BODY "straße nach SÜDEN"', [2]), ('BODY "langes Wort"', [2]), ('BODY "lan="', []),
    ('TEXT "żółw"', [3]), ('BODY "VERSTECKTER TEXT: ŻÓŁW"', [3]), ('BODY "inner subject"', [3]), ("BODY attached", []), ("TEXT attached", [3]), ('TEXT "rfc822"', [3]),
    ("BODY jumped=20x", [1]), ('BODY ""', ALL), ("TEXT preamble", None), ("BODY " + "x" * 3000, [4]), ("BODY " + "x" * 3001, []), ('BODY "raw "', [5]),
    # put together
    ("NOT SEEN", [1, 4]), ("NOT NOT SEEN", [2, 3, 5]), ("OR SEEN DELETED", [2, 3, 4, 5]), ("OR (SEEN 2) (UNSEEN 4)", [2, 4]), ("OR OR 1 2 3", [1, 2, 3]),
    ("NOT OR 1 2", [3, 4, 5]), ("(1:3) (2:4)", [2, 3]), ("((SEEN) (NOT FLAGGED))", [2, 5]), ("NOT (SEEN FLAGGED)", [1, 2, 4, 5]), ("OR NOT SEEN NOT NOT FLAGGED", [1, 3, 4]),
    ("OR BODY quick OR SUBJECT here 2", [1, 2, 4]), ("SEEN NOT BODY straße", None), ("(OR (SUBJECT plain) (BODY inner)) UNSEEN", [1]),
    # charsets
    ("CHARSET UTF-8 ALL", ALL), ("CHARSET us-ascii SUBJECT plain", [1]), ("charset {5+}\r\nutf-8 SEEN", [2, 3, 5]),
    ("CHARSET UTF-8 SUBJECT {4+}\r\nGrü".encode(), [2]), (b"CHARSET ISO-8859-1 SUBJECT {3+}\r\nGr\xfc", [2]),
    (b"CHARSET iso-8859-1 BODY {6+}\r\nS\xdcDEN,", [2]), ("SUBJECT {4+}\r\nGrü".encode(), [2]),
]


def test_every_key(talk):
    for keys, want in KEYS:
        if want is None:  # 8 bits in an atom, or where more than one answer is right
            assert talk.cmd(("SEARCH " + keys).encode()).status in ("OK", "BAD")
            continue
        assert found(talk, keys) == want, keys
        assert found(talk, keys, uid=True) == want, "UIDs are the same here"
    assert talk.cmd("FETCH 1:* FLAGS").find(rb"\* 1 FETCH \(FLAGS \(\\Recent\)\)"), "searching marks nothing"


def test_searches_that_cannot_be(talk):
    for keys in ("", "XKEY", "ALL,", "SUBJECT", "SUBJECT a b", "FROM", "HEADER x", "HEADER x y z", "KEYWORD", "KEYWORD \\Seen", "BEFORE", "BEFORE 32-Jan-2020",
                 "ON 30-Feb-2020", "ON 1-Jan-20", "ON 2020-01-01", "ON 001-Jan-2020", "SENTON tomorrow", "LARGER -1", "LARGER x", "SMALLER 99999999999999999999", "OLDER 0", "YOUNGER -5",
                 "OLDER 4294967296", "UID", "UID x", "UID 0", "0", "1:0", "1,", "4294967296", "NOT", "OR 1", "OR", "(", ")", "()", "(ALL", "ALL)", "(ALL))", "(ALL)(SEEN)", "NOT ()",
                 "CHARSET", "CHARSET UTF-8", "CHARSET UTF-8 ", "RETURN", "RETURN ALL", "RETURN (ALL)", "RETURN (X) ALL", "RETURN (MIN MIN", "RETURN () ", "SUBJECT NIL()", "SUBJECT ~{1+}\r\nx",
                 "SUBJECT {3+}\r\na\0b", 'SUBJECT "a', 'SUBJECT "a\\x"', "ALL RETURN (MIN)", "SEEN CHARSET UTF-8 ALL", "$x", "MODSEQ", "MODSEQ x", "MODSEQ 9223372036854775808", 'MODSEQ "/flags/" all 5', 'MODSEQ "/flags/\\\\seen" none 5',
                 'MODSEQ "/flags/\\\\seen" all', "MODSEQ seen all 5", "EMAILID", "EMAILID a.b", 'EMAILID ""', "EMAILID " + "a" * 256, "THREADID a/b", "SAVEDON 1", "SAVEDATESUPPORTED x"):
        answer = talk.cmd(f"SEARCH {keys}")
        assert answer.bad and not answer.untagged, (keys, answer)
        if talk.n % 20 == 0:
            assert talk.cmd("NOOP").ok
    answer = talk.cmd("SEARCH CHARSET x-klingon SUBJECT a")
    assert answer.no and code(answer) == "BADCHARSET" and "UTF-8" in answer.text.upper()
    for octets in (b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"):
        for charset in (b"", b"CHARSET UTF-8 "):
            assert talk.cmd(b"SEARCH " + charset + b"SUBJECT {%d+}\r\n%s" % (len(octets), octets)).status in ("OK", "NO", "BAD")
    assert found(talk, "ALL") == ALL, "and the session lives"


def test_extended_search(talk):
    def esearch(command):
        answer = talk.cmd(command)
        assert answer.ok and len(answer.untagged) == 1, (command, answer)
        m = re.match(rb'\* ESEARCH \(TAG "t(\d+)"\)(.*)$', answer.untagged[0])
        assert int(m[1]) == talk.n
        return m[2].decode().strip()

    for command, want in [("SEARCH RETURN (MIN) SEEN", "MIN 2"), ("SEARCH RETURN (MAX) SEEN", "MAX 5"), ("SEARCH RETURN (COUNT) SEEN", "COUNT 3"),
                          ("SEARCH RETURN (ALL) SEEN", "ALL 2:3,5"), ("SEARCH RETURN () SEEN", "ALL 2:3,5"), ("search return (min max count all) SEEN", "MIN 2 MAX 5 COUNT 3 ALL 2:3,5"),
                          ("SEARCH RETURN (MIN MAX COUNT ALL) KEYWORD none", "COUNT 0"), ("SEARCH RETURN (ALL) KEYWORD none", ""), ("SEARCH RETURN (MIN) KEYWORD none", ""),
                          ("UID SEARCH RETURN (ALL COUNT) SEEN", "UID COUNT 3 ALL 2:3,5"), ("UID SEARCH RETURN (MIN) 9:*", "UID MIN 5"), ("SEARCH RETURN (COUNT) CHARSET UTF-8 ALL", "COUNT 5"),
                          ("UID SEARCH RETURN () KEYWORD none", "UID")]:
        assert esearch(command) == want, command


def test_search_results_are_saved(talk):
    assert talk.cmd("SEARCH RETURN (SAVE) SEEN").untagged == [], "no answer but the tagged one"
    assert found(talk, "$") == [2, 3, 5] and found(talk, "$ FLAGGED") == [3] and found(talk, "NOT $") == [1, 4] and found(talk, "UID $") == [2, 3, 5]
    assert [u.split()[1] for u in talk.cmd("FETCH $ UID").untagged] == [b"2", b"3", b"5"]
    assert [u.split()[1] for u in talk.cmd("UID FETCH $ FLAGS").untagged] == [b"2", b"3", b"5"]
    assert talk.cmd("FETCH $ FLAGS").untagged[0].startswith(b"* 2 FETCH (FLAGS ("), "no UID that was not asked for"
    assert talk.cmd("UID FETCH $ FLAGS").untagged[0].startswith(b"* 2 FETCH (UID 2 FLAGS (")
    assert talk.cmd("CREATE Box").ok and talk.cmd("COPY $ Box").text.split()[2:4] == ["2:3,5", "1:3]"]
    assert len(talk.cmd("STORE $ +FLAGS (saved)").untagged) >= 3 and found(talk, "KEYWORD saved") == [2, 3, 5]
    for returns, want in [("SAVE MIN", [2]), ("SAVE MAX", [5]), ("MIN SAVE MAX", [2, 5]), ("SAVE COUNT MIN", [2, 3, 5]), ("SAVE ALL MIN", [2, 3, 5]), ("COUNT SAVE", [2, 3, 5])]:
        talk.cmd(f"SEARCH RETURN ({returns}) SEEN")
        assert found(talk, "$") == want, returns
    talk.cmd("SEARCH RETURN (SAVE) SEEN")
    talk.cmd("SEARCH RETURN (COUNT) ALL")
    talk.cmd("SEARCH RETURN (SAVE) XBAD")
    assert found(talk, "$") == [2, 3, 5], "a search without SAVE, or one that is BAD, leaves it"
    talk.cmd("SEARCH RETURN (SAVE) CHARSET x-none SUBJECT a")
    assert found(talk, "$") == [], "one that is NO empties it"
    assert talk.cmd("FETCH $ UID").ok and not talk.last.untagged and talk.cmd("UID STORE $ FLAGS (\\Seen)").ok
    talk.cmd("SEARCH RETURN (SAVE) 2:4")
    talk.cmd("STORE 3 +FLAGS.SILENT (\\Deleted)")
    talk.cmd("UID EXPUNGE 3")
    assert found(talk, "$") == [2, 3] and found(talk, "UID 2,4", uid=True) == [2, 4], "numbers move, messages stay"
    talk.cmd("SELECT INBOX")
    assert found(talk, "$") == [], "another SELECT forgets it"
    answer = talk.cmd("FETCH 1,$ UID")
    assert answer.bad


def test_save_is_used_by_what_is_pipelined_behind_it(talk):
    talk.send(b"a SEARCH RETURN (SAVE) FLAGGED\r\nb STORE $ +FLAGS (next)\r\nc SEARCH KEYWORD next\r\n")
    assert talk.finish(b"a").ok and talk.finish(b"b").ok and talk.finish(b"c").untagged[-1] == b"* SEARCH 3"


def test_utf8_accept_wants_no_charset(talk):
    assert talk.cmd("ENABLE UTF8=ACCEPT").ok
    assert talk.cmd("SEARCH CHARSET UTF-8 ALL").bad and found(talk, 'SUBJECT "Grüße"') == [2]
    assert talk.cmd(b'SEARCH SUBJECT "\xff"').bad


def test_a_search_whose_client_is_gone_stops(server):
    anna = server.accounts["anna"]
    big = b"a: b\n\n" + b"lorem ipsum dolor sit amet\n" * 400000
    for i in range(4):
        anna.deliver(big, f"100000000{i}.M{i}.test:2,", sub="cur")
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    count = len(server.children())
    talk.start("SEARCH " + " ".join(f"NOT BODY nowhere{i}" for i in range(150)))
    time.sleep(0.2)
    talk.close()
    end = time.monotonic() + 8
    while len(server.children()) > count - 2:
        assert time.monotonic() < end, "it searches on for nobody"
        time.sleep(0.05)


# Each with a part of its text as a person reads it, "|" between them.
ADDRESSES = [
    "<user (comment)@ (comment) example.org>|<user (comment)@ (comment) example.org>",
    "plain@example.org|plain@",
    "\"Doe, Jane\" <jane . doe@example . org>|doe, jane\" <jane . doe",
    "\"John (the \\\"Second\\\")\" <\"john doe\"@example.org>|<\"john doe\"@",
    "\"odd\\\"one\"@example.org (a comment with x@y.example in it)|comment with x@y",
    "=?utf-8?q?J=C3=BCrgen?= <juergen\n (folded) @example.org>|Jürgen <juergen (folded)",
    "<@relay.example,@other.example:routed@example.org>|@other.example:routed",
    "group: one (1) @example.org, two@(2)example.org;, after(3)@example.org|one (1) @",
    "literal@ [192.0.2.1]|literal@ [192",
    "J\xfcrgen <latin (1) @example.org>|Jürgen <latin",
    "no host|no host",
    "a@b@c.example, \"\"@empty.example, <>, x@|a@b@c",
]


def told(envelope):
    """The addresses of an ENVELOPE's four fields: from, to, cc, bcc."""
    quoted = rb'"((?:[^"\\]|\\.)*)"'
    place, lists, depth, begin = 0, [], 0, 0
    text = re.sub(rb"\{\d+\}\r\n([^)]*?)(?=[ )])", rb'"\1"', envelope)
    for m in re.finditer(rb'"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+', text):
        word = m[0]
        if depth == 0 and word != b"(":
            place += 1
        depth += (word == b"(") - (word == b")")
        if word == b"(" and depth == 1:
            begin = m.start()
        if word == b")" and depth == 0:
            place += 1
            pairs = re.findall(rb"(?:NIL|" + quoted + rb") (?:NIL|" + quoted + rb")\)", text[begin:m.end()])
            if place in (3, 6, 7, 8):
                lists.append({re.sub(rb"\\(.)", rb"\1", a + b"@" + b) for a, b in pairs if a and b})
    return lists


@pytest.mark.parametrize("where", ["index", "fields", "long"])
def test_mend15_addresses_as_envelope_tells_them(server, where):
    """Each key finds what ENVELOPE tells and what a person reads: from the index, beside a date, and in long headers."""
    anna = server.accounts["anna"]
    more = "".join(f"X-Priority: {n} {'x' * 900}\n" for n in range(40)) if where == "long" else ""
    for n, row in enumerate(ADDRESSES):
        field, _, text = row.rpartition("|")
        anna.deliver("".join(f"{name}: {field}\n" for name in ("From", "To", "Cc", "Bcc")).encode("latin-1") +
                     f"Date: Mon, 5 Jul 2021 23:30:00 +0000\nSubject: s\n{more}\nx\n".encode(), f"{1000000000 + n}.M{n}.test")
    talk = server.imap_talk()
    talk.cmd("SELECT INBOX")
    before = b"SENTON 5-Jul-2021 " if where == "fields" else b""
    seen = 0
    for n, row in enumerate(ADDRESSES, 1):
        envelope = re.search(rb"ENVELOPE \((.*)\)\)$", talk.cmd(f"FETCH {n} ENVELOPE").untagged[0], re.S)[1]
        lists = told(envelope)
        text = row.rpartition("|")[2].encode()
        for key, addresses in zip((b"FROM", b"TO", b"CC", b"BCC", b"HEADER To"), lists + lists[:1]):
            for wanted in (*addresses, text):
                seen += 1
                literal = b"{%d+}\r\n%s" % (len(wanted), wanted.upper() if wanted.isascii() else wanted)
                assert n in found(talk, b"CHARSET UTF-8 " + before + key + b" " + literal), (row, key, wanted)
    assert seen > 5 * 2 * len(ADDRESSES)
    for key in ("FROM", "TO"):
        assert found(talk, f'{key} "user@example.org"') == [1]
        assert found(talk, f'{key} "nobody@example.org"') == found(talk, f'{key} "comment@example.org"') == []
    assert found(talk, 'TEXT "user@example.org"') == [], "TEXT is what is written"


# --- dates of files ---

EDGES = [-62167219200, 253402300799, -2147483648, 2147483647, 0, -1, -86400, -86401, 86399, 86400, -3000000000, 15032385535,
         -62167219201, 253402300800, 1 << 40, -(1 << 40), (1 << 62), -(1 << 62)]


def days_of(talk, n):
    """The day that INTERNALDATE tells, as SEARCH writes it: the day before, it, the day after."""
    told_ = talk.cmd(f"FETCH {n} INTERNALDATE").find(rb'INTERNALDATE "([ \d]\d)-(\w\w\w)-(\d{4}) (\d\d):(\d\d):(\d\d) \+0000"')[0]
    year = int(told_[3])
    # 400 years are a whole number of days, and Python's calendar begins with the year 1.
    shift = 400 if year < 10 else -400 if year > 9990 else 0
    day = datetime.date(year + shift, MONTHS.index(told_[2].decode()) + 1, int(told_[1]))

    def text(d):
        return f"{d.day}-{MONTHS[d.month - 1]}-{d.year - shift:04}" if 0 <= d.year - shift <= 9999 else None

    seconds = int(told_[4]) * 3600 + int(told_[5]) * 60 + int(told_[6])
    return [text(day + datetime.timedelta(n)) for n in (-1, 0, 1)], \
        (day - datetime.date(1970, 1, 1)).days * DAY + seconds - shift // 400 * 146097 * DAY


MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


@pytest.fixture(params=["here", pytest.param("tmpfs", marks=pytest.mark.root)])
def dated(server, request):
    """A server whose account lies on the file system of the tests, or on one that has every time of 64 bits."""
    anna = server.accounts["anna"]
    if request.param == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", anna.maildir], check=True)
        anna.make()
    try:
        yield server
    finally:
        if request.param == "tmpfs":
            subprocess.run(["umount", "-l", anna.maildir], check=True)


def test_mend21_internaldate_and_search_agree(dated):
    anna, rng, put = dated.accounts["anna"], random.Random(21), []
    for n, date in enumerate(EDGES + [rng.randrange(-70000000000, 260000000000) for _ in range(30)]):
        name = anna.deliver(b"Subject: x\n\nx\n", f"{1000000000 + n}.M{n:03d}.test:2,", sub="cur")
        try:
            os.utime(anna.maildir / "cur" / name, (0, date))
        except OverflowError:
            continue
        put.append(n + 1)
    talk = dated.imap_talk()
    talk.cmd("SELECT INBOX")
    for turn in range(2):  # from the file, then from the index
        for n in put:
            (before, on, after), seconds = days_of(talk, n)
            assert found(talk, f"{n} ON {on}") == found(talk, f"{n} SINCE {on}") == [n], on
            assert found(talk, f"{n} BEFORE {on}") == [], on
            assert before is None or found(talk, f"OR {n} ON {before} {n} BEFORE {before}") == [], on
            assert after is None or found(talk, f"{n} BEFORE {after}") == [n] and found(talk, f"{n} ON {after}") == [], on
            mtime = os.stat(next((anna.maildir / "cur").glob(f"*.M{n - 1:03d}.*"))).st_mtime_ns // 10 ** 9
            assert seconds == min(max(mtime, EDGES[0]), EDGES[1])
        talk = dated.imap_talk()
        talk.cmd("EXAMINE INBOX")


def test_mend21_append_says_what_date_it_could_not_keep(dated):
    """A date that the file system has, or IMAP's calendar, is kept without a word; and what is told is what is searched."""
    talk, anna, lost = dated.imap_talk(), dated.accounts["anna"], 0
    talk.cmd("SELECT INBOX")
    dates = [("31-Dec-9999 23:59:59 +0000", 253402300799), (" 1-Jan-0000 00:00:00 +0000", -62167219200),
             (" 1-Jan-0000 00:00:00 +0100", -62167222800), ("31-Dec-1969 23:59:59 +0000", -1),
             ("17-Jul-1996 02:44:25 -0700", 837596665), (" 1-Jan-3000 00:00:00 +0000", 32503680000)]
    for n, (date, wanted) in enumerate(dates, 1):
        answer = talk.append("INBOX", b"Subject: x\r\n\r\nx\r\n", f'"{date}" ')
        (_, on, _), seconds = days_of(talk, n)
        assert answer.ok and ("with another date" in answer.text) == (seconds != wanted), (date, answer)
        lost += seconds != wanted
        assert found(talk, f"{n} ON {on}") == [n]
    assert lost >= 1 and found(talk, "5 ON 17-Jul-1996") == [5] and len(anna.files()) == len(dates)
