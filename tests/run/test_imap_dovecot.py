"""Every message of tests/messages by IMAP, from Dovecot and from sallyport: the answers are the same.

Answers are read into trees and compared by meaning.  For each difference a row below says in a line why sallyport's
answer is right, and a predicate says for which answers the row counts.
"""

import base64
import binascii
import datetime
import email.utils
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_to_bytes

import pytest

import make
from conftest import Server, Talk, free_ports, until

pytestmark = [pytest.mark.root, pytest.mark.skipif(not os.access("/usr/lib/dovecot/imap", os.X_OK), reason="no Dovecot here")]

USES = ("Drafts", "Sent", "Trash", "Junk", "Archive")  # names of folders, and what they are for


class Dovecot:
    """Debian's, 2.3 or 2.4, with a configuration of its own in the test's folder."""

    def __init__(self, server):
        self.server, self.dir, (self.port,) = server, server.dir / "dovecot", free_ports(1)
        self.dir.mkdir()
        self.log = self.dir / "log"
        shutil.copy(server.dir / "users", self.dir / "users")
        shutil.chown(self.dir / "users", "dovecot")
        conf = self.dir / "dovecot.conf"
        version = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True, check=True).stdout
        new = tuple(map(int, re.findall(r"\d+", version)[:2])) >= (2, 4)
        mailboxes = "".join(f'mailbox {use} {{\n    special_use = "\\\\{use}"\n  }}\n  ' for use in USES)
        conf.write_text((self.new() if new else self.old()) + f"""
base_dir = {self.dir}/run
log_path = {self.log}
protocols = imap
listen = 127.0.0.1
ssl = no
# else folders that another program removed are listed for a second
mailbox_list_index = no
namespace inbox {{
  inbox = yes
  separator = /
  {mailboxes}
}}
service imap-login {{
  inet_listener imap {{
    port = {self.port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")
        # a day of INTERNALDATE is one in the zone of the server
        self.process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", conf], stderr=subprocess.DEVNULL,
                                        env={**os.environ, "TZ": "UTC"})
        try:
            until(lambda: self.log.exists() and "starting up" in self.log.read_text(), 15, "Dovecot")
        except AssertionError:
            self.stop()
            raise

    def old(self):
        users = f"driver = passwd-file\n  args = {self.dir}/users"
        return f"""
state_dir = {self.dir}/run
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
passdb {{
  {users}
}}
userdb {{
  {users}
}}
"""

    def new(self):
        return f"""dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
auth_allow_cleartext = yes
mail_driver = maildir
mail_path = ~/Maildir
passdb passwd-file {{
  passwd_file_path = {self.dir}/users
}}
userdb passwd-file {{
  passwd_file_path = {self.dir}/users
}}
"""

    def imap_talk(self, name="anna"):
        talk = Talk(socket.create_connection(("127.0.0.1", self.port), 60))
        talk.line()
        assert talk.cmd(f"LOGIN {name} {self.server.accounts[name].password}").ok, talk.last
        return talk

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def check(self):
        log = self.log.read_text()
        assert not re.search(r"(Error|Panic|Fatal|Warning): (?!Killed with signal 15)", log), log[-3000:]


# --- answers as trees ---

TOKEN = re.compile(rb'[()]|"([^"\\]*(?:\\.[^"\\]*)*)"|~?\{(\d+)\}\r\n|([^ ()"{\[]+(?:\[[^]]*\](?:<\d+>)?)?|\[[^ ]*)', re.S)


def tree(line):
    """A line of an answer: lists, bytes for strings, None for NIL, numbers, str for all other words."""
    stack, at = [[]], 0
    while at < len(line):
        if line[at] == 32:
            at += 1
            continue
        m = TOKEN.match(line, at)
        assert m, line[at:at + 80]
        at = m.end()
        if m[1] is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", m[1], flags=re.S))
        elif m[2] is not None:
            stack[-1].append(line[at:at + int(m[2])])
            at += int(m[2])
        elif m[3] is not None:
            word = m[3].decode("ascii")
            stack[-1].append(None if word == "NIL" else int(word) if word.isdigit() else word)
        elif m[0] == b"(":
            stack.append([])
        else:
            stack[-2].append(stack.pop())
    assert len(stack) == 1, line[-80:]
    return stack[0]


def fetch(talk, numbers, items):
    """uid -> item -> tree"""
    answer = talk.cmd(f"UID FETCH {numbers} {items}")
    assert answer.ok, answer.text
    return fetched(answer)


def fetched(answer):
    found = {}
    for line in answer.untagged:
        m = re.match(rb"\* \d+ FETCH ", line)
        if m:
            (told,) = tree(line[m.end():])
            items = dict(zip(told[::2], told[1::2]))
            found.setdefault(items["UID"], {}).update(items)
    return found


# --- structures and envelopes, their parts named ---

def low(text):
    return text.lower() if isinstance(text, bytes) else text


def pairs(flat):
    return tuple((low(n), v) for n, v in zip(flat[::2], flat[1::2])) if flat else ()


def extension(rest):
    """md5 is gone: disposition, language, location, where they are told."""
    rest = (list(rest) + [None] * 3)[:3]
    disposition, language, location = rest
    return {
        "disposition": disposition and low(disposition[0]),
        "disposition parameters": pairs(disposition[1]) if disposition else (),
        "language": tuple(language) if isinstance(language, list) else (language,) if language else (),
        "location": location,
    }


def structure(body, number=(), found=None, inside=True):
    """IMAP's number of a part -> what is told of it.  A multipart that is a whole message: "2.TEXT"."""
    found = {} if found is None else found
    if isinstance(body[0], list):
        kids = body[:next(i for i, b in enumerate(body) if not isinstance(b, list))]
        rest = body[len(kids):]
        name = ".".join(map(str, (*number, "TEXT") if inside else number))
        found[name] = {"type": b"multipart", "subtype": low(rest[0]), "parts": len(kids),
                       "parameters": pairs(rest[1]) if len(rest) > 1 else (), **extension(rest[2:])}
        for i, kid in enumerate(kids, 1):
            structure(kid, (*number, i), found, False)
        return found
    if inside:
        number = (*number, 1)
    kind = low(body[0]), low(body[1])
    rest = body[7:]
    part = found[".".join(map(str, number))] = {
        "type": kind[0], "subtype": kind[1], "parameters": pairs(body[2]), "id": body[3], "description": body[4],
        "encoding": low(body[5]), "size": body[6]}
    if kind == (b"message", b"rfc822"):
        part.update({"envelope " + k: v for k, v in envelope(rest[0]).items()})
        structure(rest[1], number, found)
        rest = rest[2:]
    if kind[0] == b"text" or kind == (b"message", b"rfc822"):
        part["lines"] = rest.pop(0)
    part.update({"md5": rest[0] if rest else None, **extension(rest[1:])})
    return found


ENVELOPE = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")


def envelope(fields):
    assert len(fields) == 10
    return {name: [tuple(a) for a in field] if isinstance(field, list) else field for name, field in zip(ENVELOPE, fields)}


# --- both servers ---

class Both:
    def __init__(self, server, dovecot):
        self.server, self.dovecot = server, dovecot
        self.talks = server.imap_talk("anna", timeout=60), dovecot.imap_talk()
        for talk in reversed(self.talks):
            assert talk.cmd("EXAMINE INBOX").ok
        lines = (server.accounts["anna"].maildir / "dovecot-uidlist").read_text().splitlines()[1:]
        names = {int(line.split()[0]): line.split(" :", 1)[1].split(".")[1] for line in lines}
        contents = {name[4:-4]: content for name, content in make.messages()}
        assert sorted(names.values()) == sorted(contents)
        self.messages = {uid: Message(name, contents[name]) for uid, name in names.items()}
        told = [fetch(talk, "1:*", "(RFC822.SIZE INTERNALDATE ENVELOPE BODY BODYSTRUCTURE)") for talk in self.talks]
        for uid, m in self.messages.items():
            m.told = [t[uid] for t in told]
            m.envelopes = [envelope(t["ENVELOPE"]) for t in m.told]
            m.structures = [structure(t["BODYSTRUCTURE"]) for t in m.told]


class Message:
    def __init__(self, name, content):
        self.name, self.content = name, content
        self.lines = content.replace(b"\r\n", b"\n")
        self.wire = self.lines.replace(b"\n", b"\r\n")

    def fields(self, name, whole=False):
        """Texts of a field of the header (or of all headers), unfolded, as they are written."""
        text = self.lines if whole else self.lines.partition(b"\n\n")[0]
        found = re.findall(rb"(?im)^%s[ \t]*:(.*(?:\n[ \t].*)*)" % name.encode(), text)
        return [f.replace(b"\n", b"") for f in found]

    def field(self, name):
        return (self.fields(name) or [b""])[-1]


@pytest.fixture(scope="module")
def both(certificates):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-test."))
    directory.chmod(0o755)
    (directory / "home").mkdir()
    server, dovecot = Server(directory, {}, {"anna": "sesame"}, certificates), None
    try:
        anna = server.accounts["anna"]
        for i, (name, content) in enumerate(make.messages()):
            file = anna.deliver(content, f"{1700000000 + i}.{name[4:-4]}.test")
            # about a message each hour, so that days begin in between
            os.utime(anna.maildir / "new" / file, (1704063600 + i * 3557,) * 2)
        server.start()
        dovecot = Dovecot(server)
        yield Both(server, dovecot)
        dovecot.check()
        server.stop()
        assert not re.search(r"Sanitizer|runtime error|forbidden system call", server.log()), server.log()[-6000:]
    finally:
        if dovecot:
            dovecot.stop()
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


class Difference:
    """message, where (a part, a section, ""), what (an item of it), and what both tell."""

    def __init__(self, message, where, what, ours, theirs):
        self.message, self.where, self.what, self.ours, self.theirs = message, where, what, ours, theirs
        self.name = message.name

    def __repr__(self):
        return f"{self.name} {self.where} {self.what}\n      sallyport {self.ours!r:.300}\n      Dovecot   {self.theirs!r:.300}"


def settle(differences, rows):
    """Fails on differences that no row explains."""
    open_ = [d for d in differences if not any(fits(d) for _, fits in rows)]
    assert not open_, f"{len(open_)} differences:\n  " + "\n  ".join(map(repr, open_[:20]))


# --- ENVELOPE, BODY, BODYSTRUCTURE ---

# Dovecot's words where something is missing; an empty string says as much, and NIL would be a group
MISSING = (b"MISSING_MAILBOX", b"MISSING_DOMAIN", b"SYNTAX_ERROR", b"INVALID_ROUTE")


def gave_up(d):
    """Dovecot understood one address of the field in part or not at all."""
    return any(word in MISSING for address in d.theirs or () for word in address)


def without_missing(addresses):
    return addresses and [tuple(b"" if word in MISSING else word for word in a) for a in addresses]


def raw(d):
    """The field's text; Sender and Reply-To may come of From."""
    text = d.message.field(d.what)
    return text if d.what not in ("sender", "reply-to") or text.strip() else d.message.field("from")


def is_address(d):
    return isinstance(d.ours, list) or isinstance(d.theirs, list)


def row_of_address(pattern):
    return lambda d: is_address(d) and bool(re.search(pattern, raw(d)))


ENVELOPES = [
    ("Dovecot has words for what is missing",
     lambda d: is_address(d) and d.ours == without_missing(d.theirs)),
    ("elements of a list may be empty (RFC 5322 section 4.4) and are no addresses",
     lambda d: is_address(d) and (d.ours or []) == [a for a in without_missing(d.theirs) or [] if a != (None, None, b"", b"")]),
    ("blanks within a text are told as they are; Dovecot makes one of many",
     lambda d: isinstance(d.ours, bytes) and d.ours.split() == d.theirs.split()),
    ("quotes, comments, angles, literals, routes that do not end, do so with the field; Dovecot drops the rest",
     lambda d: row_of_address(rb'^[^"]*"[^"]*$|\\$|\([^)]*$|<[^>]*$|\[[^]]*$|^[^"]*"(\\.|[^"\\])*$|\({5000}')(d) and gave_up(d)),
    ("a NUL is told as U+FFFD; Dovecot ends the text there", row_of_address(rb"\0")),
    ("controls are octets like others", lambda d: row_of_address(rb"[\x01-\x08\x7f]")(d)),
    ("a quoted blank is a name", row_of_address(rb'" "')),
    ("a semicolon outside of groups is taken as the comma it is meant for", row_of_address(rb";\s*[^;\s]|^\s*;")),
    ("no group is within another: its name is dropped, the addresses are told", row_of_address(rb":[^;]*:")),
    ("dots at the ends of domains are told",
     lambda d: row_of_address(rb"\.(\s|,|>|$)|@\.")(d) and gave_up(d)),
    ("blanks around dots are the obsolete syntax (RFC 5322 section 4.4)", row_of_address(rb"\s\.\s")),
    ("names unquoted that should be quoted, doubled angles, URLs: the address is told",
     lambda d: row_of_address(rb"@[^<,]*<|\[\w+\] |<<|<mailto:")(d) and all(a[3] for a in d.ours)),
    ("where Sender or Reply-To is absent, From is told again",
     lambda d: d.what in ("sender", "reply-to") and not d.message.field(d.what).strip()
     and [d.ours, d.theirs] == [e["from"] for e in d.message.envelopes]),
    ("a Sender or Reply-To without any address is empty: From is told (RFC 9051 section 7.5.2)",
     lambda d: d.what in ("sender", "reply-to") and d.ours == d.message.envelopes[0]["from"]
     and re.fullmatch(rb"(\(.*\)|[\s,])+", d.message.field(d.what))),
]


def envelope_differences(m):
    return [Difference(m, "", k, v, m.envelopes[1][k]) for k, v in m.envelopes[0].items() if v != m.envelopes[1][k]]


def test_envelopes(both):
    settle([d for m in both.messages.values() for d in envelope_differences(m)], ENVELOPES)


def test_sizes_and_dates(both):
    for m in both.messages.values():
        ours, theirs = m.told
        assert ours["RFC822.SIZE"] == theirs["RFC822.SIZE"] == len(m.wire), m.name
        instants = [email.utils.parsedate_to_datetime(t["INTERNALDATE"].decode().strip().replace("-", " ", 2)) for t in m.told]
        assert instants[0] == instants[1], m.told


# --- BODYSTRUCTURE and BODY ---

def type_text(d):
    """All Content-Types of a message as they are written."""
    return b"\n".join(d.message.fields("content-type", True))


def decoded(parameters):
    """Their percents decoded, in any order."""
    def undo(name, value):
        return unquote_to_bytes(value) if name.endswith(b"*") else value
    return sorted((name, undo(name, value)) for name, value in parameters)


def readings(name, value):
    """A parameter's value as it is, without charset and language, and decoded."""
    yield value
    if name.endswith(b"*"):
        charset, _, rest = value.partition(b"'")
        rest = rest.partition(b"'")[2]
        yield from (rest, unquote_to_bytes(rest))
        try:
            yield unquote_to_bytes(rest).decode(charset.decode("ascii")).encode()
        except (LookupError, ValueError):
            pass


def is_reading(ours, theirs):
    """Whether each name is told once and by itself, with one of the values that sallyport tells of it."""
    values = {}
    for name, value in ours:
        values.setdefault(name.removesuffix(b"*"), []).extend(readings(name, value))
    return len(theirs) == len(dict(theirs)) == len(values) and all(value in values.get(name, ()) for name, value in theirs)


def told_by(d, where, what, who=0):
    return d.message.structures[who].get(where, {}).get(what)


STRUCTURES = [
    ("parameters have no order; pieces are joined (RFC 9051 section 7.5.2), and encoded where RFC 2231 section 7 wants it",
     lambda d: "parameters" in d.what and None not in (d.ours, d.theirs) and decoded(d.ours) == decoded(d.theirs)),
    ("... and are told as they are written but for that (RFC 2231 section 6); Dovecot 2.4 decodes them and tells each name once",
     lambda d: "parameters" in d.what and None not in (d.ours, d.theirs) and is_reading(d.ours, d.theirs)),
    ("a type that is malformed is text/plain in US-ASCII (RFC 2045 section 5.2), in a digest message/rfc822; Dovecot's is empty",
     lambda d: b"" in (told_by(d, d.where.partition(".")[0], k, 1) for k in ("type", "subtype"))
     and told_by(d, d.where.partition(".")[0], "subtype") in (b"plain", b"rfc822")),
    ("values that should have been quoted are taken whole, up to a blank or a semicolon",
     lambda d: "parameters" in d.what and re.search(rb"=[^\s\";]*[/:=?@]", type_text(d))
     and all(o[1].startswith(t[1]) for o, t in zip(d.ours, d.theirs))),
    ("... and so the boundary is another one", lambda d: re.search(rb"boundary=[\w]+=", type_text(d))),
    ("a quoted string without its end is one that ends with the field",
     lambda d: re.search(rb'(?m)^[^"\n]*"[^"\n]*$', type_text(d))),
    ("semicolons that are missing, or too many, mean nothing",
     lambda d: d.what == "parameters" and re.search(rb";;|=[\w-]+ \w+=", type_text(d))),
    ("of parameters 1,000 are told and a charset, of Dovecot fewer",
     lambda d: d.what == "parameters" and len(d.ours) == 1001 and d.ours[:len(d.theirs) - 1] == d.theirs[:-1]),
    ("a section of RFC 2231 has no leading zeros and few digits: another is no piece, and told as it is",
     lambda d: d.what == "parameters" and re.search(rb"\*0\d|\*\d{4,}", type_text(d))),
    ("a name with a star alone is told as it is", lambda d: d.what == "parameters" and re.search(rb"; \*=", type_text(d))),
    ("of the parts 10,000 are told", lambda d: len(d.message.structures[0]) == 10000 and d.where == "9999"),
    ("the line end before a boundary is the boundary's (RFC 2046 section 5.1.1), also behind a header only",
     lambda d: d.what in ("size", "lines") and None not in (d.ours, d.theirs) and d.theirs - d.ours in (1, 2)
     and told_by(d, d.where, "type") == b"message"),
    ("an encoded message is not looked into: RFC 2046 section 5.2.1 allows no encoding of one",
     lambda d: re.search(rb"(?i)encoding: (base64|quoted)", d.message.content)
     and told_by(d, d.where.removesuffix(".1"), "type") == b"message" and (d.what.startswith("envelope") or d.where.endswith(".1"))),
    ("the first word of an encoding counts, whatever comes behind", lambda d: d.what == "encoding" and d.ours == b"base64"
     and re.search(rb"(?i)encoding: base64(;| 8bit)", d.message.content)),
    ("an empty disposition is none", lambda d: d.what == "disposition" and d.ours is None and d.theirs == b""),
    ("of two dispositions the first counts, as of all such fields", lambda d: d.what == "disposition"
     and len(re.findall(rb"(?m)^Content-Disposition", d.message.content)) == 2),
    ("a language is told that Dovecot does not parse", lambda d: d.what == "language" and d.theirs == ()
     and re.search(rb'(?m)^Content-Language: (,|")', d.message.content)),
    ("blanks around a text are not part of it", lambda d: d.what in ("id", "description") and d.ours == d.theirs.strip()),
]


def structure_differences(m):
    ours, theirs = m.structures
    for where in {**ours, **theirs}:
        a, b = ours.get(where), theirs.get(where)
        if a is None or b is None:
            yield Difference(m, where, "part", a, b)
            continue
        for what in {**a, **b}:
            if a.get(what) != b.get(what):
                yield Difference(m, where, what, a.get(what), b.get(what))


def test_structures(both):
    settle([d for m in both.messages.values() for d in structure_differences(m)], STRUCTURES)


def test_body_is_bodystructure_without_extension_data(both):
    def basic(part):
        return {k: v for k, v in part.items() if k not in ("md5", "disposition", "disposition parameters", "language", "location")
                and not (k == "parameters" and part["type"] == b"multipart")}

    for m in both.messages.values():
        short = structure(m.told[0]["BODY"])
        assert {n: basic(p) for n, p in short.items()} == {n: basic(p) for n, p in m.structures[0].items()}, m.name


# --- BODY[...] and BINARY[...] ---

def pipelined(talk, commands, at_once=20):
    """Answers of commands, some of them under way at a time."""
    tags = []
    for command in commands:
        if len(tags) == at_once:
            yield talk.finish(tags.pop(0))
        tags.append(talk.start(command))
    for tag in tags:
        yield talk.finish(tag)


FIELDS = ["HEADER.FIELDS (SUBJECT FROM TO DATE)", "HEADER.FIELDS (X-NOTHING)", "HEADER.FIELDS (RECEIVED X-BIG)",
          "HEADER.FIELDS.NOT (SUBJECT FROM X-BIG)"]
PARTS_MAX = 120  # of one message


def numbers_of(m):
    """Numbers of parts that either server tells."""
    numbers = [n for n in {**m.structures[0], **m.structures[1]} if not n.endswith("TEXT")]
    return numbers if len(numbers) <= PARTS_MAX else numbers[:PARTS_MAX // 2] + numbers[-PARTS_MAX // 2:]


def sections(m):
    yield from ("[]", "[HEADER]", "[TEXT]", *(f"[{f}]" for f in FIELDS), "[7.7]")
    for n in numbers_of(m):
        yield from (f"[{n}]", f"[{n}.MIME]", f"[{n}.HEADER]", f"[{n}.TEXT]", f"[{n}.{FIELDS[0]}]", f"[{n}.{FIELDS[3]}]")


def partials(m):
    size = len(m.wire)
    yield from (f"[]<{origin}.{length}>" for origin, length in ((0, 10), (5, 7), (max(size - 3, 0), 10), (size, 5), (size + 9, 5)))
    yield from ("[HEADER]<3.20>", "[TEXT]<3.20>", f"[{FIELDS[0]}]<2.9>", "[1]<1.9>", "[1.MIME]<0.8>")


def line_ends_differ(m):
    """Dovecot miscounts partials then, and drops the session where there is a CR alone."""
    return re.search(rb"\r(?!\n)", m.content) or b"\r\n" in m.content and re.search(rb"(?<!\r)\n", m.content)


def fetch_sections(talk, asked):
    """(uid, section) -> what came; asked: uid -> sections"""
    told = {}
    commands = [f"UID FETCH {uid} ({' '.join('BODY.PEEK' + s for s in names[i:i + 50])})"
                for uid, names in asked.items() for i in range(0, len(names), 50)]
    for answer in pipelined(talk, commands):
        assert answer.ok, answer.text
        for uid, items in fetched(answer).items():
            told.update({(uid, item[4:].upper()): octets for item, octets in items.items() if item.startswith("BODY")})
    return told


@pytest.fixture(scope="module")
def told_sections(both):
    asked = [{uid: [*sections(m), *([] if who == 1 and line_ends_differ(m) else partials(m))] for uid, m in both.messages.items()}
             for who in (0, 1)]
    with ThreadPoolExecutor() as pool:
        return list(pool.map(fetch_sections, both.talks, asked))


def number(section):
    return re.match(r"\[([\d.]*\d)?", section)[1]


def structures_differ_at(d):
    n = number(d.where)
    return n and [m.get(n) for m in d.message.structures].count(None) or any(
        told_by(d, n, k) != told_by(d, n, k, 1) for k in ("type", "subtype", "size"))


def header_is_open(d):
    """The header has no blank line; then nobody needs to make one up (RFC 9051 section 6.4.5)."""
    if number(d.where) is not None:
        return told_by(d, number(d.where), "size") == 0
    return b"\r\n\r\n" not in b"\r\n" + d.message.wire


def last_line_dropped(text):
    """Without a last line that does not end and is no field."""
    return re.sub(rb"(\A|\n)[^\n:]+\Z", rb"\1", text)


SECTIONS = [
    ("NIL where there is no such part, or it is no message; Dovecot has an empty string", lambda d: d.ours is None and d.theirs == b""),
    ("an encoded message is not looked into: RFC 2046 section 5.2.1 allows no encoding of one",
     lambda d: d.ours is None and re.search(rb"(?i)encoding: (base64|quoted)", d.message.content)
     and told_by(d, number(d.where).partition(".")[0], "type") == b"message"),
    ("as the structures differ, for the reasons above", lambda d: structures_differ_at(d) and [
        x for x in structure_differences(d.message) if x.where == number(d.where)]),
    ("of a header without a blank line fields are told whole, and with one behind them",
     lambda d: header_is_open(d) and "FIELDS" in d.where and d.ours.strip() in (last_line_dropped(d.theirs).strip(), d.theirs.strip())),
    ("the line end in front of a boundary belongs to the header where nothing else is left for it",
     lambda d: ".MIME" in d.where and d.ours == (d.theirs or b"") + b"\r\n" and told_by(d, number(d.where), "size") == 0),
    ("the line end in front of a boundary is no part of the multipart inside that ends there",
     lambda d: told_by(d, number(d.where), "type") == b"multipart" and d.theirs == d.ours + b"\r\n"),
    ("a line that ends in CR CR LF has a CR, and is no blank one; Dovecot 2.4 leaves the CR out of HEADER.FIELDS",
     lambda d: "FIELDS" in d.where and b"\r\r\n" in d.ours
     and d.ours.replace(b"\r\r\n", b"\r\n") in (d.theirs, d.theirs.removesuffix(b"\r\n"))),
    ("a message/global can be looked into", lambda d: told_by(d, number(d.where), "subtype") == b"global" and d.theirs == b""),
]


def test_sections(both, told_sections):
    ours, theirs = told_sections
    settle([Difference(both.messages[uid], section, "", ours.get((uid, section), "not told"), octets)
            for (uid, section), octets in theirs.items() if ours.get((uid, section), "not told") != octets], SECTIONS)


def test_sections_agree_with_the_structure_and_the_file(both, told_sections):
    told = told_sections[0]
    lengths = {uid: {re.sub(r"\.\d+>$", ">", p): int(re.search(r"(\d+)>$", p)[1]) for p in partials(m)} for uid, m in both.messages.items()}
    for (uid, section), octets in told.items():
        partial = re.fullmatch(r"(.*)<(\d+)>", section)
        if partial and octets is not None:
            length = lengths[uid][section]
            assert octets == told[uid, partial[1]][int(partial[2]):][:length], (uid, section)
    for uid, m in both.messages.items():
        assert told[uid, "[]"] == m.wire.replace(b"\0", b"\x80"), m.name
        assert told[uid, "[HEADER]"] + told[uid, "[TEXT]"] == told[uid, "[]"], m.name
        for n in numbers_of(m):
            part, octets = m.structures[0].get(n), told[uid, f"[{n}]"]
            if part and "size" in part:
                assert len(octets or b"") == part["size"], (m.name, n)
                assert "lines" not in part or (octets or b"").count(b"\r\n") == part["lines"], (m.name, n)
            if told[uid, f"[{n}.HEADER]"] is not None:
                assert told[uid, f"[{n}.HEADER]"] + told[uid, f"[{n}.TEXT]"] == octets, (m.name, n)


def is_sound(octets, encoding):
    """Of a broken encoding Dovecot makes the end of the session."""
    if encoding == b"quoted-printable":
        return not re.search(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r\n)", octets)
    if encoding != b"base64":
        return True
    try:
        base64.b64decode(b"".join(octets.split()), validate=True)
        return True
    except binascii.Error:
        return False


def fetch_binary(talk, parts):
    """(uid, number) -> size, content, some of it; or the response code that refuses it"""
    told = {}
    for uid, n in parts:
        answer = talk.cmd(f"UID FETCH {uid} (BINARY.SIZE[{n}] BINARY.PEEK[{n}] BINARY.PEEK[{n}]<2.7>)")
        if answer.ok:
            items = fetched(answer)[uid]
            told[uid, n] = tuple(items[f"BINARY{item}"] for item in (f".SIZE[{n}]", f"[{n}]", f"[{n}]<2>"))
        else:
            told[uid, n] = answer.text.partition("]")[0]
    return told


@pytest.fixture(scope="module")
def told_binary(both, told_sections):
    """Of all parts by sallyport; of those that are sound, and of few in a message, by Dovecot too."""
    def parts_of(m):
        numbers = numbers_of(m)
        return [n for n in (numbers[:2] if len(numbers) == PARTS_MAX else numbers) if all(n in s for s in m.structures)]

    def sound(uid, n):
        return is_sound(told_sections[0][uid, f"[{n}]"] or b"", both.messages[uid].structures[0][n].get("encoding"))

    parts = [(uid, n) for uid, m in both.messages.items() for n in parts_of(m)]
    sound_ones = [part for part in parts if sound(*part)]
    assert len(sound_ones) > 0.98 * len(parts) > 1000
    with ThreadPoolExecutor() as pool:
        return list(pool.map(fetch_binary, both.talks, (parts, sound_ones)))


def encodings(d):
    return [e.strip().lower() for e in d.message.fields("content-transfer-encoding", True)]


BINARIES = [
    ("Dovecot's BINARY.SIZE is not that of what it sends; sallyport's is",
     lambda d: d.ours[1:] == d.theirs[1:] and d.ours[0] == len(d.ours[1]) != d.theirs[0]),
    ("an encoding that is malformed is none, as both tell in BODYSTRUCTURE; the first word and the first field count",
     lambda d: d.theirs == "[UNKNOWN-CTE" and re.fullmatch(rb'"base64"|base64 8bit|', encodings(d)[0])),
    ("a field may be folded", lambda d: d.theirs == "[UNKNOWN-CTE" and b":\n" in d.message.lines.lower()),
    ("of two encodings the first counts, which both tell in BODYSTRUCTURE",
     lambda d: len(encodings(d)) == 2 and told_by(d, d.where[1:-1], "encoding", 1) == encodings(d)[0]),
    ("an encoded message is not looked into, but decoded as a whole",
     lambda d: re.search(rb"(?i)encoding: (base64|quoted)", d.message.content)
     and told_by(d, number(d.where).partition(".")[0], "type") == b"message"),
    ("Dovecot decodes the parts inside a multipart; by RFC 3516 section 4.3 it is the section's own encoding that is removed",
     lambda d: told_by(d, number(d.where), "type") == b"multipart" and b"Content-Transfer-Encoding: binary" in d.theirs[1]),
    ("as the structures differ, for the reasons above",
     lambda d: any(x.where == number(d.where) for x in structure_differences(d.message))),
    ("the line end in front of a boundary is no part of the multipart inside that ends there",
     lambda d: told_by(d, number(d.where), "type") == b"multipart" and d.theirs[1] == d.ours[1] + b"\r\n"),
]


def test_binary(both, told_binary):
    ours, theirs = told_binary
    settle([Difference(both.messages[uid], f"[{n}]", "", ours[uid, n], theirs[uid, n])
            for uid, n in theirs if ours[uid, n] != theirs[uid, n]], BINARIES)


def test_binary_agrees_with_itself(told_binary):
    for size, content, some in (told for told in told_binary[0].values() if isinstance(told, tuple)):
        assert size == len(content or b"") and (some or b"") == (content or b"")[2:9]


# --- SEARCH ---

def header_texts():
    yield from ((key, text) for key in ("FROM", "TO", "CC", "BCC") for text in (
        "anna", "ANNA BERG", "example.org", "friends", "@", "no-such-text"))
    yield from (("SUBJECT", text) for text in ("rare", "Lunch on", "LUNCH", "re:", "mime", "a b", "[a]", "no-such-text", "=?utf-8"))
    yield from (("HEADER " + name, text) for name, text in (
        ("Subject", "rare"), ("SUBJECT", ""), ("Message-ID", "example.com"), ("message-id", ""), ("Content-Type", "boundary"),
        ("References", "<"), ("X-Nothing", ""), ("X-Nothing", "a"), ("Received", "postfix"), ("List-Id", ""), ("Date", "Jan 2024"),
        ("In-Reply-To", "@"), ("Content-Transfer-Encoding", "BASE64")))
    yield from (("BODY", "body"), ("TEXT", "The"))
    # the large messages left out, for the time they take
    yield from ((key, text) for key in ("SMALLER 60000 BODY", "SMALLER 60000 TEXT") for text in (
        "body", "BODY", "the", "needleinthestack", "unbroken word", "innersubject", "innertext", "quarterly-figures", "preambleword",
        "epilogueword", "Subject: rare", "boundary=", "no-such-text", "needle onlines", "secret octets", "underlined"))


UMLAUTS = ("Grüße", "grüsse", "GRÜSSE", "STRASSE", "straße", "München", "Füße", "Übersicht", "Привет", "ПРИВЕТ", "東京", "東京タワー", "café",
           "Café", "łódź", "żeź", "Zwölf", "zwölf", "été", "istanbul", "ﬁ", "ＲＡＲＥ")


def quoted(text):
    return b'"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').encode()


def searches():
    """Arguments of SEARCH, as octets."""
    yield from (k.encode() for k in (
        "ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT", "UNFLAGGED", "UNSEEN",
        "KEYWORD nothing", "UNKEYWORD nothing", "1", "*", "1:*", "10:5", "3,5:7,1", "1,1,2", "UID 1", "UID 1:10", "UID *", "UID 100000:*",
        "NOT 5:800", "NOT UID 2:*", "OR 1 2", "OR (1 2) 3", "1:10 NOT 3", "NOT NOT 7", "NOT (1:5 OR 3 900)", "(1:9) (5:20)",
        "OR OR OR 1 2 3 4", "NOT OR SEEN UNSEEN", "((((7))))", "1:50 LARGER 2000 SMALLER 10000 NOT SUBJECT lunch",
        "OR FROM bert (TO bert NOT SUBJECT rare)", "SMALLER 60000 OR BODY under HEADER Subject rare", "ALL ALL NOT ALL"))
    yield from (f"{key} {size}".encode() for key in ("LARGER", "SMALLER") for size in (0, 1, 2, 1000, 600, 700000, 4294967295))
    yield from (f"{key} {date}".encode() for key in ("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE") for date in (
        "1-Jan-2024", "2-Jan-2024", "31-Dec-2023", "02-Jan-2024", "3-Feb-2024", "1-Jan-1970", "29-Feb-2024", '"15-Jan-2024"', "1-Jan-1971"))
    yield from (key.encode() + b" " + quoted(text) for key, text in header_texts())
    yield from (b"CHARSET UTF-8 %s %s" % (key, quoted(text)) for key in (b"SUBJECT", b"FROM", b"SMALLER 60000 BODY", b"SMALLER 60000 TEXT")
                for text in UMLAUTS)
    for charset, text in (("iso-8859-1", "Grüße"), ("koi8-r", "Привет"), ("windows-1252", "Füße"), ("iso-2022-jp", "東京"),
                          ("us-ascii", "rare"), ("utf-8", "Grüße")):
        octets = text.encode(charset)
        yield from (b"CHARSET %s %s {%d+}\r\n%s" % (charset.encode(), key, len(octets), octets) for key in (b"SUBJECT", b"SMALLER 60000 TEXT"))


def search(talk, commands):
    """UIDs that each search finds."""
    found = []
    for command in commands:  # not pipelined: Dovecot answers searches in another order then
        answer = talk.cmd(b"UID SEARCH " + command)
        assert answer.ok, answer.text
        found.append(set(map(int, answer.find(rb"^\* SEARCH(.*)")[0][1].split())))
    return found


def sent_day(m):
    """The day of Date as it is written, or None."""
    text = re.sub(rb"\(.*?\)", b" ", m.field("date"))
    found = re.match(rb"\s*(?:[A-Za-z]+\s*,?\s*)?(\d\d?)\s+([A-Z][a-z]{2})\s+(\d{4}|\d\d)\b", text)
    try:
        year = int(found[3])
        return datetime.date(year if year > 99 or len(found[3]) == 4 else year + (2000 if year < 50 else 1900),
                             time.strptime(found[2].decode(), "%b").tm_mon, int(found[1]))
    except (TypeError, ValueError):
        return None


def was_sent(d):
    """What a search for SENT... should find."""
    day, (key, wanted) = sent_day(d.message), d.where.replace(b'"', b"").split()
    wanted = datetime.datetime.strptime(wanted.decode(), "%d-%b-%Y").date()
    return day is not None and {b"SENTON": day == wanted, b"SENTBEFORE": day < wanted, b"SENTSINCE": day >= wanted}[key]


def is_in_field(d):
    """Whether one of the fields asked for has the text (in US-ASCII, without encoded words), or its address has."""
    key, _, text = d.where.partition(b" ")
    lines = [re.sub(rb"\s+", b" ", f).lower() for f in d.message.fields(key.decode())]
    return any(text.strip(b'"').lower() in x for line in lines for x in (line, re.sub(rb" ?([.@]) ?", rb"\1", line)))


def has_message_inside(d):
    return any(p["type"] == b"message" for p in d.message.structures[0].values())


SEARCHES = [
    ("the day of the last Date as it is written, and none without one; Dovecot has the first, or 1970",
     lambda d: d.where.startswith(b"SENT") and d.ours == was_sent(d)),
    ("the text of the field as it is written, and the address without its blanks; Dovecot makes it of the addresses, with its words for what is missing",
     lambda d: re.match(rb"FROM|TO|CC|BCC", d.where) and d.ours == is_in_field(d)),
    ("what has a malformed type is text", lambda d: d.ours and re.search(rb"BODY|TEXT", d.where)
     and any(b"" in (p["type"], p["subtype"]) for p in d.message.structures[1].values())),
    ("the header of a message inside belongs to the body around it",
     lambda d: d.ours and b"BODY" in d.where and has_message_inside(d) and not re.search(rb"(?i)encoding: base64", d.message.lines)),
    ("an encoded message is decoded as a whole",
     lambda d: d.ours and re.search(rb"BODY|TEXT", d.where) and has_message_inside(d) and re.search(rb"(?i)encoding: base64", d.message.lines)),
    ("encoded words have languages (RFC 2231 section 5)", lambda d: d.ours and re.search(rb"=\?[\w-]+\*\w+\?", d.message.lines)),
    ("octets in a header that cannot be UTF-8 are taken for Windows' Latin",
     lambda d: d.ours and b"\xfc\xdf" in d.message.field("subject")),
    ("an encoded word has no question mark; it is one all the same", lambda d: b"=?utf-8" in d.where and b"?Q?a?b?=" in d.message.lines),
    ("UTF-16 without a mark is big-endian (RFC 2781 section 4.3)",
     lambda d: d.theirs and b"charset=utf-16\n" in d.message.lines and not re.search(rb"\xff\xfe|\xfe\xff", d.message.lines)),
]


def test_searches(both):
    commands = list(searches())
    with ThreadPoolExecutor() as pool:
        ours, theirs = pool.map(search, both.talks, [commands] * 2)
    assert len(commands) > 250 and sum(map(bool, ours)) > 150, "most of them find something"
    settle([Difference(both.messages[uid], command, "", uid in a, uid in b)
            for command, a, b in zip(commands, ours, theirs) for uid in sorted(a ^ b)], SEARCHES)


# --- one tree, both servers by turns ---

@pytest.fixture
def turns(serve):
    """Sessions of sallyport and of Dovecot on the same empty tree."""
    server = serve()
    dovecot = Dovecot(server)
    try:
        talks = [server.imap_talk("anna", timeout=60), dovecot.imap_talk()]
        talks[0].server = server
        yield talks
        dovecot.check()
    finally:
        dovecot.stop()


def listed(talk, command):
    """name -> attributes"""
    answer = talk.cmd(command)
    assert answer.ok, (command, answer.text)
    rows = [tree(line[2:]) for line in answer.untagged if re.match(rb"\* (LIST|LSUB) ", line)]
    if "*" in command:  # parents that were never made are told by "%" everywhere, by "*" as one likes
        rows = [row for row in rows if not {"\\Noselect", "\\NonExistent"} & set(row[1])]
    return {(name.encode() if isinstance(name, str) else name): set(attributes) - untold(command, attributes)
            for _, attributes, _, name, *_ in rows}


def untold(command, attributes):
    """What a server need not tell: children and uses where nobody asks for them; that what is not there cannot be selected."""
    children, uses = {"\\HasChildren", "\\HasNoChildren"}, {f"\\{use}" for use in USES}
    free = uses if command.startswith("LSUB") else set() if "RETURN" in command or '"" (' not in command and "LIST (" not in command \
        else children | uses
    return free | ({"\\Noselect"} if "\\NonExistent" in attributes else set())


NAMES = ["Work", "Work/2024", "Work/2024/Q1", "Deep/er/and/deep/er", '"with space"', '"Entw&APw-rfe"', "&ZeVnLIqe-", '"quo\\"te"',
         '"back\\\\slash"', "a&-b", '"per%cent"', '"st*r"', "NIL", '"(x)"', '"[x]"', "a'b", '"#news"', '"$x"', "a|b", "tmp", "cur", "new",
         "cur/x", "INBOX/Sub", "inbox/Other", "x" * 190, "Drafts", "Sent", "Trash", "Junk", "Archive", "Archive/2023"]
LISTS = ['LIST "" "*"', 'LIST "" "%"', 'LIST "" "Work/%"', 'LIST "" "%/%"', 'LIST "Work/" "*"', 'LIST "" "*e*r*"', 'LIST "" "INBOX"', 'LIST "" "inbox/%"',
         'LIST "" ("W*" "A%")', 'LIST (SUBSCRIBED) "" "*"', 'LIST (SPECIAL-USE) "" "*"', 'LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE)',
         'LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"', 'LSUB "" "*"', 'LSUB "" "%"']


def test_names_subscriptions_and_special_uses(turns):
    def compare():
        for command in LISTS:
            assert listed(turns[0], command) == listed(turns[1], command), command

    for i, name in enumerate(NAMES):
        assert turns[i % 2].cmd(f"CREATE {name}").ok, turns[i % 2].last
        if i % 3:
            assert turns[i // 2 % 2].cmd(f"SUBSCRIBE {name}").ok, turns[i // 2 % 2].last
    compare()
    for i, command in enumerate(("UNSUBSCRIBE Sent", "RENAME Work Arbeit", "SUBSCRIBE gone", "DELETE Archive/2023", "DELETE Trash",
                                 "UNSUBSCRIBE gone", "RENAME &ZeVnLIqe- Plain", "CREATE Work", "RENAME cur/x Work/y",
                                 'DELETE "quo\\"te"', "UNSUBSCRIBE Junk", "CREATE Trash")):
        assert turns[i % 2].cmd(command).ok, (command, turns[i % 2].last)
        compare()


def mailbox(talk, name):
    """What a client sees of a mailbox: UIDVALIDITY, UIDNEXT, and of each UID flags, size and instant."""
    status = tree(talk.cmd(f"STATUS {name} (UIDVALIDITY UIDNEXT MESSAGES UNSEEN)").find(rb"^\* STATUS")[0].string)[3]
    assert talk.cmd(f"EXAMINE {name}").ok
    told = fetch(talk, "1:*", "(FLAGS RFC822.SIZE INTERNALDATE)")
    assert talk.cmd("CLOSE").ok
    return dict(zip(status[::2], status[1::2])), {
        uid: (set(t["FLAGS"]) - {"\\Recent"}, t["RFC822.SIZE"], email.utils.parsedate_to_datetime(
            t["INTERNALDATE"].decode().strip().replace("-", " ", 2))) for uid, t in told.items()}


STEPS = [  # in INBOX, and what comes of it: UID -> flags
    ("UID STORE 1,3 +FLAGS (\\Seen)", {1: "\\Seen", 3: "\\Seen"}),
    ("UID STORE 2 +FLAGS (\\Flagged Later)", {2: "\\Flagged Later"}),
    ("UID STORE 2:4 +FLAGS ($Work)", {2: "\\Flagged Later $Work", 3: "\\Seen $Work", 4: "$Work"}),
    ("UID STORE 3 -FLAGS (\\Seen $Work)", {3: ""}),
    ("UID STORE 4 FLAGS (\\Answered \\Draft Later)", {4: "\\Answered \\Draft Later"}),
    ("UID STORE 5 FLAGS ($Forwarded $MDNSent NonJunk)", {5: "$Forwarded $MDNSent NonJunk"}),
    ("UID STORE 5 -FLAGS ($Forwarded)", {5: "$MDNSent NonJunk"}),
    ("UID STORE 6 +FLAGS (\\Deleted later)", {6: "\\Deleted Later"}),
    ("UID COPY 2:4 Work", {}),
    ("UID EXPUNGE 6", {6: None}),
    ("UID MOVE 5 Work", {5: None}),
    ("UID COPY 1 INBOX", {7: "\\Seen"}),
    ("UID STORE 7 +FLAGS (\\Deleted)", {7: "\\Seen \\Deleted"}),
    ("EXPUNGE", {7: None}),
]


@pytest.mark.parametrize("first", [0, 1], ids=["sallyport first", "Dovecot first"])
def test_uids_flags_and_keywords(turns, first):
    assert turns[first].cmd("CREATE Work").ok
    for i in range(6):
        date = f'"{i + 1:2d}-Mar-2024 10:00:00 +0{i}00"'
        answer = turns[(i + first) % 2].append("INBOX", b"Subject: %d\r\n\r\nbody\r\n" % i, f"{date} ")
        assert answer.ok and re.match(rf"\[APPENDUID \d+ {i + 1}\]", answer.text), answer
    flags = {uid: set() for uid in range(1, 7)}
    validity = None
    for i, (command, changes) in enumerate(STEPS):
        talk = turns[(i + first) % 2]
        assert talk.cmd("SELECT INBOX").ok
        assert talk.cmd(command).ok, (command, talk.last)
        assert talk.cmd("UNSELECT").ok
        flags.update({uid: None if f is None else set(f.split()) for uid, f in changes.items()})
        for name in ("INBOX", "Work"):
            ours, theirs = (mailbox(t, name) for t in (turns if i % 3 else turns[::-1]))
            assert ours == theirs, (command, name)
            if name == "INBOX":
                assert {uid: f for uid, (f, _, _) in ours[1].items()} == {uid: f for uid, f in flags.items() if f is not None}, command
                assert validity in (None, ours[0]["UIDVALIDITY"])
                validity = ours[0]["UIDVALIDITY"]
    assert len(ours[1]) == 4 and ours[0]["UIDNEXT"] == 5


def test_sessions_of_both_at_the_same_time(turns):
    """Each hears of what the other did, when it may be told."""
    for i in range(4):
        assert turns[0].append("INBOX", b"Subject: %d\r\n\r\nbody\r\n" % i).ok
    for talk in turns:
        assert talk.cmd("SELECT INBOX").ok
    for a, b in ((0, 1), (1, 0)):
        assert turns[a].cmd(f"STORE {a + 1} +FLAGS (\\Answered key{a})").ok
        told = [set(tree(line)[3][1]) for line in turns[b].cmd("NOOP").untagged if b" FETCH " in line]
        assert [t - {"\\Recent"} for t in told] == [{"\\Answered", f"key{a}"}], turns[b].last
        assert turns[a].append("INBOX", b"Subject: more\r\n\r\n").ok
        assert turns[b].cmd("NOOP").find(rb"^\* %d EXISTS" % (5 + a)), turns[b].last
    for a, b in ((0, 1), (1, 0)):
        assert turns[a].cmd("STORE 1 +FLAGS.SILENT (\\Deleted)").ok and turns[a].cmd("EXPUNGE").ok
        assert turns[b].cmd("NOOP").find(rb"^\* 1 EXPUNGE"), turns[b].last
    assert mailbox(turns[0], "INBOX") == mailbox(turns[1], "INBOX")


def test_mend08_a_uidlist_that_a_crash_has_cut(turns):
    """Lines of Dovecot's that are whole keep their UIDs, the others' are given to nobody else, and both servers go on."""
    ours, theirs = turns
    for i in range(5):
        assert theirs.append("Work" if i == 0 and theirs.cmd("CREATE Work").ok else "INBOX", b"Subject: %d\r\n\r\nbody\r\n" % i).ok
    before, told = mailbox(theirs, "INBOX")
    assert sorted(told) == [1, 2, 3, 4]
    uidlist = ours.server.accounts["anna"].maildir / "dovecot-uidlist"
    lines = uidlist.read_bytes().splitlines(keepends=True)
    uidlist.write_bytes(lines[0] + lines[1] + b"\n" + b"\0" * len(lines[2]) + lines[3] + lines[4][:-6])
    after, now = mailbox(ours, "INBOX")
    assert after["UIDVALIDITY"] == before["UIDVALIDITY"] and after["UIDNEXT"] > 1000
    assert set(now) & {1, 2, 3, 4} == {1} and len(now) == 4, "two and three are in one line now, which is lost"
    ours.server.wait_log("dovecot-uidlist: a line without UID; some messages get new UIDs")
    assert mailbox(theirs, "INBOX") == (after, now)
    assert theirs.append("INBOX", b"Subject: more\r\n\r\n").ok
    assert mailbox(ours, "INBOX") == mailbox(theirs, "INBOX")
    assert mailbox(ours, "INBOX")[0]["UIDNEXT"] == after["UIDNEXT"] + 1
