"""Mailboxes of IMAP: names, CREATE to UNSUBSCRIBE, LIST and its extensions, special uses, SELECT and STATUS."""

import os
import re
import subprocess
from random import Random

import pytest

from conftest import PROGRAM


def unquote(name):
    if name.startswith(b"{"):
        return name.split(b"\r\n", 1)[1]
    return re.sub(rb"\\(.)", rb"\1", name[1:-1])


def listed(answer, kind=b"LIST"):
    """name -> set of attributes, as the lines came."""
    assert answer.ok, answer
    found = {}
    for u in answer.untagged:
        if m := re.match(rb'\* ' + kind + rb' \(([^)]*)\) "/" ("(?:[^"\\]|\\.)*"|\{\d+\}\r\n.*?)( \(.*\))?$', u, re.S):
            name = unquote(m[2]).decode()
            assert name not in found, f"{name} twice"
            found[name] = set(m[1].decode().split())
            if m[3]:
                found[name].add(m[3].decode().strip())
    return found


def code(answer):
    m = re.match(r"\[(\S+?)[ \]]", answer.text)
    return m and m[1]


def status(talk, name, *items):
    answer = talk.cmd(f"STATUS {name} ({' '.join(items)})")
    assert answer.ok, answer
    told = dict(re.findall(r"([A-Z]+) (\d+)", answer.find(rb"\((.*)\)$")[0][1].decode()))
    assert set(told) == set(items)
    return int(told[items[0]]) if len(items) == 1 else tuple(int(told[i]) for i in items)


def make(talk, *names):
    for name in names:
        assert talk.cmd(f'CREATE "{name}"').ok, (name, talk.last)


MESSAGE = b"Subject: x\r\n\r\ny\r\n"


# --- names ---

GOOD = [  # as sent, as told, directory
    ("Simple", "Simple", ".Simple"), ('"two words"', "two words", ".two words"), ("a/b/c", "a/b/c", ".a.b.c"),
    ("Entw&APw-rfe", "Entw&APw-rfe", ".Entw&APw-rfe"), ("&-", "&-", ".&-"), ("x&-y", "x&-y", ".x&-y"),
    ("&U,BTFw-/&ZeVnLIqe-", "&U,BTFw-/&ZeVnLIqe-", ".&U,BTFw-.&ZeVnLIqe-"), ("&2D3cKQ-", "&2D3cKQ-", ".&2D3cKQ-"),
    ("~foo", "~foo", ".~foo"), ("~", "~", ".~"), ("NIL", "NIL", ".NIL"), ("trailing/", "trailing", ".trailing"),
    ('"quo\\"te"', 'quo"te', '.quo"te'), ('"back\\\\slash"', "back\\slash", ".back\\slash"), ("!#$'+,-0:;<=>?@[]^_`|}",
     "!#$'+,-0:;<=>?@[]^_`|}", ".!#$'+,-0:;<=>?@[]^_`|}"), ('"per%cent"', "per%cent", ".per%cent"),
    ('"st*r"', "st*r", ".st*r"), ('"(x){y"', "(x){y", ".(x){y"), ("{5+}\r\nliter", "liter", ".liter"), ("x" * 200, "x" * 200, "." + "x" * 200),
    ("inbox/Below", "INBOX/Below", ".INBOX.Below"), ("INBOXes", "INBOXes", ".INBOXes"), ('" "', " ", ". "),
]
BAD = ['""', '"/"', "/a", "a//b", "a//", ".", "..", "../x", "a/..", "a/../b", "./a", "a.b", ".a", "a.", "x" * 201,
       "/".join(["x" * 100] * 3), "&", "&Jjo", "&Jjo!", "&AGE-", "&U,BTFw-&ZeVnLIqe-", "&AAA-", "&AAo-", "&2D0-", "&3Ck-", "&AP", "&APx-",
       "&=-", "&A-", '"a\tb"', "{3+}\r\na\nb", "{4+}\r\na\r\nb", "{1+}\r\n\xfc", "{1+}\r\n\x7f", '"Entwürfe"', "x" * 2000]


def test_good_names_make_round_trips(server):
    talk = server.imap_talk()
    maildir = server.accounts["anna"].maildir
    for sent, told, directory in GOOD:
        assert talk.cmd(f"CREATE {sent}").ok, (sent, talk.last)
        assert (maildir / directory / "cur").is_dir() and (maildir / directory / "maildirfolder").is_file(), sent
        again = talk.cmd(f"CREATE {sent}")
        assert again.no and code(again) == "ALREADYEXISTS"
        assert talk.append(sent, MESSAGE).ok
        assert talk.cmd(f"SUBSCRIBE {sent}").ok and talk.cmd(f"SELECT {sent}").find(rb"\* 1 EXISTS")
        assert talk.cmd("COPY 1 " + sent).ok
        answer = talk.cmd(f"STATUS {sent} (MESSAGES)")
        assert unquote(answer.find(rb"STATUS (.*) \(")[0][1]).decode() == told and b"MESSAGES 2" in answer.untagged[-1]
        assert talk.cmd("UNSELECT").ok
    assert set(listed(talk.cmd('LIST "" *'))) == {told for _, told, _ in GOOD} | {"INBOX", "a", "a/b", "&U,BTFw-"}
    assert set(listed(talk.cmd('LSUB "" *'), b"LSUB")) == {told for _, told, _ in GOOD}
    for sent, told, directory in GOOD:
        assert told in listed(talk.cmd(f'LIST "" {sent.rstrip("/")}')), "a name is a pattern of itself"
        assert talk.cmd(f"UNSUBSCRIBE {sent}").ok and talk.cmd(f"DELETE {sent}").ok
        assert not (maildir / directory).exists()
    assert set(listed(talk.cmd('LIST "" *'))) == {"INBOX"}


def test_req22_mend24_bad_names_are_refused_with_the_reason(server):
    talk = server.imap_talk()
    home = server.accounts["anna"].home
    before = sorted(home.rglob("*"))
    for sent in BAD:
        for command in ("CREATE {}", "SELECT {}", "STATUS {} (MESSAGES)", "DELETE {}", "SUBSCRIBE {}", "RENAME INBOX {}",
                        "RENAME {} y", "EXAMINE {}", "UNSUBSCRIBE {}", "APPEND {} {{5+}}\r\na: b\n", "CREATE {} (USE (\\Sent))"):
            command = command.format(sent).encode("latin-1" if "{" in sent else "utf-8")
            answer = talk.cmd(command)
            if answer.bad and command.startswith(b'APPEND "Entw'):
                continue  # 8 bits in quotes are no argument there
            # mend24: only what would make the name says that it cannot be one.
            made = command.startswith((b"CREATE", b"RENAME INBOX"))
            assert answer.no and code(answer) == ("CANNOT" if made else "NONEXISTENT") and not answer.untagged, (command, answer)
    for wrong in ("a{b", "a(b", "a)b", "a\\b", 'a"b', "a\x7fb", "{3}x", "~{3+}\r\nabc", '"abc', "x\0y", "{3+}\r\na\0b"):
        assert talk.cmd(f"CREATE {wrong}").bad, wrong
    talk.cmd("NOOP")
    assert [p for p in sorted(home.rglob("*")) if p not in before and "dovecot" not in p.name and "sallyport" not in p.name] == []


def test_names_in_utf8(server):
    names = ["Entwürfe", "台北/日本語", "😀", "R&D", "a&b", "Кошка", "~peter", "é"]
    plain = server.imap_talk()
    for switch in ("UTF8=ACCEPT", "IMAP4rev2"):
        talk = server.imap_talk()
        assert talk.cmd(f"ENABLE {switch}").ok
        for name in names:
            assert talk.cmd(f'CREATE "{name}"').ok, name
            assert talk.cmd(f'STATUS "{name}" (MESSAGES)').untagged == [f'* STATUS "{name}" (MESSAGES 0)'.encode()]
            assert talk.cmd("STATUS {%d+}\r\n%s (MESSAGES)" % (len(name.encode()), name)).ok
        assert set(names) <= set(listed(talk.cmd('LIST "" *')))
        assert set(listed(talk.cmd('LIST "" "*ü%"'))) == {"Entwürfe"}
        there = listed(plain.cmd('LIST "" *'))
        assert {"Entw&APw-rfe", "R&-D", "&2D3eAA-"} <= set(there)
        for bad in (b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"{2+}\r\n\xc2\x85", "{3+}\r\n\u2028".encode(), b'"../\xc3\xa9"', b'"a.\xc3\xa9"'):
            assert talk.cmd(b"CREATE " + bad).status in ("NO", "BAD"), bad
        assert talk.cmd('RENAME "Entwürfe" "Änder"').ok and "&AMQ-nder" in listed(plain.cmd('LIST "" %'))
        for name in ["Änder", *names[1:]]:
            assert talk.cmd(f'DELETE "{name}"').ok
    assert plain.cmd('LIST "" *').untagged == [b'* LIST (\\HasNoChildren) "/" "INBOX"']


def test_folders_of_others_with_odd_names_cost_nothing(server):
    """Directories that no client could have made: shown where they can be, and never break a line."""
    anna = server.accounts["anna"]
    for name in (b".a\nb", b".evil\r\n* BYE x", b".\xff\xfe", b".Plain", b".&bad", b".a..b", b".x."):
        path = bytes(anna.maildir) + b"/" + name
        for sub in (b"", b"/cur", b"/new", b"/tmp"):
            os.mkdir(path + sub)
            anna.own(path + sub)
    for switch in (None, "IMAP4rev2"):
        talk = server.imap_talk()
        if switch:
            talk.cmd("ENABLE IMAP4rev2")
        answer = talk.cmd('LIST "" *')
        assert answer.ok and not answer.find(rb"BYE") and answer.find(rb'"Plain"')
        assert all(u.startswith(b"* LIST (") for u in answer.untagged)
        assert talk.cmd('LIST "" * RETURN (STATUS (MESSAGES))').ok
        assert talk.cmd("NOOP").ok


# --- directories of others: one folder has one name ---

SPELLINGS = [b"Inbox", b"INBOX", b"inbox", b"Sub", b"Sub", b"&AOk-", "\u00e9".encode(), "e\u0301".encode(), b"e&AwE-", b"\xe9", b"&", b"&-",
             b"R&D", b"R&-D", b"K", "\u212a".encode(), b"&ISo-", b"&AGE-", b"&Jjo", "q\u0307\u0323".encode(), "q\u0323\u0307".encode(),
             "\u1112\u1161\u11ab".encode(), "\ud55c".encode(), b"a b", b"", b"x\x01", b"\x80", b"&AAA-", "\u2028".encode(), b"x" * 201]
PARTS = [b"cur", b"new", b"tmp", b"maildirfolder"]


def make_directory(account, name, parts, mail=True):
    """A directory with some of what a folder has; with one message, if it can hold it."""
    path = bytes(account.maildir) + b"/" + name
    if os.path.exists(path):
        return 0
    os.mkdir(path)
    for part in parts:
        os.mkdir(path + b"/" + part) if part != b"maildirfolder" else open(path + b"/" + part, "x").close()
    where = [p for p in (b"cur", b"new") if p in parts]
    if where and mail:
        with open(path + b"/" + where[0] + b"/1.m:2,", "xb") as f:
            f.write(b"Subject: %s\n\nx\n" % name.hex().encode())
    for top, directories, files in os.walk(path):
        for entry in [top, *(os.path.join(top, f) for f in directories + files)]:
            os.chown(entry, account.uid, account.uid) if os.geteuid() == 0 else None
    return 1 if where and mail else 0


def literal(name):
    name = name if isinstance(name, bytes) else name.encode()
    return b"{%d+}\r\n%s" % (len(name), name)


def messages(talk, name):
    answer = talk.cmd(b"STATUS " + literal(name) + b" (MESSAGES)")
    assert answer.ok, (name, answer)
    return int(answer.find(rb"MESSAGES (\d+)")[0][1])


@pytest.mark.parametrize("seed", range(4))
def test_mend07_every_name_of_list_opens_and_stands_once(serve, seed):
    """On random trees, in each encoding; and no mail is hidden without a word."""
    random = Random(seed)
    server = serve(start=False)
    anna = server.accounts["anna"]
    made = {}
    for _ in range(40):
        name = b"." + b".".join(random.choices(SPELLINGS, k=random.choice((1, 1, 1, 2, 2, 3))))
        parts = random.sample(PARTS, random.choice((0, 1, 2, 3, 4, 4)))
        if len(name) < 255 and set(name) != {ord(".")} and not os.path.exists(bytes(anna.maildir) + b"/" + name):
            made[name] = make_directory(anna, name, parts)
    (anna.maildir / "subscriptions").write_bytes(
        b"".join(b".".join(random.choices(SPELLINGS[:-7], k=random.choice((1, 2)))) + b"\n" for _ in range(12)))
    anna.own(anna.maildir / "subscriptions")
    server.start()
    sets = []
    for switch in (None, "UTF8=ACCEPT", "IMAP4rev2"):
        talk = server.imap_talk()
        assert switch is None or talk.cmd(f"ENABLE {switch}").ok
        names = listed(talk.cmd('LIST "" * RETURN (SUBSCRIBED)'))  # asserts that none stands twice
        listed(talk.cmd('LSUB "" *'), b"LSUB")
        listed(talk.cmd('LIST (SUBSCRIBED) "" *'))
        for name, attributes in names.items():
            answer = talk.cmd(b"EXAMINE " + literal(name))
            if attributes & {"\\NonExistent", "\\Noselect"}:
                assert answer.no and code(answer) == "NONEXISTENT", (name, answer)
                continue
            assert answer.ok, (name, answer)
            assert talk.cmd(b"CREATE " + literal(name)).no
        sets.append((len(names), sum(messages(talk, n) for n, a in names.items() if not a & {"\\NonExistent", "\\Noselect"})))
    assert sets[0] == sets[1] == sets[2]

    # What is not shown, `maildir check` tells, and the log has a word of it.
    told = subprocess.run([PROGRAM, "maildir", "check", anna.maildir], capture_output=True, timeout=60).stdout
    odd = [m.decode("unicode_escape").encode("latin-1") for m in
           re.findall(rb"odd: (\..*) (?:has messages and is no folder|means the name of another)", told)]
    assert sum(made.values()) == sets[0][1] + sum(made[name] for name in odd)
    assert told.count(b"type: mv -nT $'") == len(odd) and (not odd or "is not shown" in server.log())

    # A hidden folder comes to light when the one before it goes; so all go, one by one.
    talk, gone = server.imap_talk(), 0
    assert talk.cmd("ENABLE UTF8=ACCEPT").ok
    for i in range(200):
        names = [n for n, a in listed(talk.cmd('LIST "" *')).items() if n != "INBOX" and not a & {"\\NonExistent", "\\Noselect"}]
        if not names:
            break
        if random.random() < 0.2 and not names[0].startswith("New"):
            assert talk.cmd(b"RENAME " + literal(names[0]) + b" New%d" % i).ok, (names[0], talk.last)
            continue
        gone += messages(talk, names[0])
        assert talk.cmd(b"DELETE " + literal(names[0])).ok, (names[0], talk.last)
    left = sum(made[n] for n in made if os.path.exists(bytes(anna.maildir) + b"/" + n))
    assert gone + left == sum(made.values())


def test_mend07_inbox_is_one_name_on_disk(server):
    anna = server.accounts["anna"]
    for name in (b".Inbox.Bar", b".inbox.Bar.Baz", b".INBOX.Own", b".Inbox.Own", b".inbox"):
        assert make_directory(anna, name, PARTS) == 1
    anna.deliver(MESSAGE)
    talk = server.imap_talk()
    assert set(listed(talk.cmd('LIST "" *'))) == {"INBOX", "INBOX/Bar", "INBOX/Bar/Baz", "INBOX/Own"}
    for name in ("INBOX/Bar", "inbox/Bar", "Inbox/Bar/Baz", "InBox/Own", "inbox"):
        assert messages(talk, name) == 1
    assert talk.cmd("SUBSCRIBE inbox/Bar").ok and b"\tBar\n" in (anna.maildir / "subscriptions").read_bytes()
    assert listed(talk.cmd('LIST (SUBSCRIBED) "" *')) == {"INBOX/Bar": {"\\Subscribed", "\\HasChildren"}}
    assert talk.cmd("SELECT Inbox/Bar").ok and talk.append("INBOX/Bar", MESSAGE).ok
    assert messages(talk, "INBOX/Bar") == 2
    log = server.wait_log("another directory has the name INBOX/Own")
    assert log and "another directory has the name INBOX:" in server.log()
    # The directory that is spelled as the name is the folder; the other comes to light after it.
    assert talk.cmd("EXAMINE INBOX/Own").find(rb"EXISTS")
    assert b"Subject: " + b".INBOX.Own".hex().encode() in talk.cmd("FETCH 1 BODY[]").untagged[0]
    assert talk.cmd("DELETE INBOX/Own").ok and talk.cmd("EXAMINE INBOX/Own").ok
    assert b"Subject: " + b".Inbox.Own".hex().encode() in talk.cmd("FETCH 1 BODY[]").untagged[0]
    assert talk.cmd("RENAME INBOX/Bar Bar").ok and (anna.maildir / ".Bar.Baz" / "cur").is_dir()
    assert not (anna.maildir / ".Inbox.Bar").exists()


@pytest.mark.namespaces
def test_mend09_a_folder_elsewhere_is_mounted_and_not_linked(serve):
    """As sallyport.8 says; the mount is the server's own, and gone with it."""
    server = serve(start=False)
    anna = server.accounts["anna"]
    for name in (b".Linked", b".Bound"):
        make_directory(anna, name, PARTS)
        (anna.maildir / name.decode()).rename(anna.home / name.decode())
    (anna.maildir / ".Linked").symlink_to(anna.home / ".Linked")
    (anna.maildir / ".Bound").mkdir()
    server.wrapper = ["unshare", "--mount", "sh", "-c", f'mount --bind {anna.home}/.Bound {anna.maildir}/.Bound && exec "$0" "$@"']
    server.start()
    talk = server.imap_talk()
    assert set(listed(talk.cmd('LIST "" *'))) == {"INBOX", "Bound"}
    assert messages(talk, "Bound") == 1 and talk.append("INBOX", MESSAGE).ok
    assert talk.cmd("SELECT INBOX").ok and talk.cmd("COPY 1 Bound").ok and messages(talk, "Bound") == 2
    for command in ("SELECT Linked", "STATUS Linked (MESSAGES)", "APPEND Linked {1+}\r\nx"):
        assert talk.cmd(command).no
    told = subprocess.run([PROGRAM, "maildir", "check", anna.maildir], capture_output=True, timeout=60, text=True).stdout
    link = f"$'{anna.maildir}/.Linked'"
    assert f"type as root: rm {link} && mkdir {link} && mount --bind TARGET {link}\n" in told
    assert len(list((anna.home / ".Linked").rglob("*"))) == 5, "nothing was written through the link"


NFC, NFD = "Caf\u00e9", "Cafe\u0301"


@pytest.mark.parametrize("switch", [None, "UTF8=ACCEPT", "IMAP4rev2"])
def test_mend16_names_are_normalised_in_every_command(server, switch):
    """RFC 9051 section 5.1; OLDNAME is section 6.3.9.7."""
    talk = server.imap_talk()
    assert switch is None or talk.cmd(f"ENABLE {switch}").ok
    nfc, nfd = ('"%s"' % NFC, '"%s"' % NFD) if switch else ("Caf&AOk-", "Cafe&AwE-")
    told, old = ((f'"{NFC}"', f'"{NFD}"') if switch else ('"Caf&AOk-"', '"Cafe&AwE-"'))

    def line(answer, attributes=None):
        """The untagged LIST with its OLDNAME; none of it for a client that is older than UTF-8 in names."""
        assert answer.ok, answer
        lines = [u.decode() for u in answer.untagged if b"OLDNAME" in u]
        if switch is None:
            return lines == []
        want = rf'\* LIST \(([^)]*)\) "/" {re.escape(told)} \("OLDNAME" \({re.escape(old)}\)\)'
        return len(lines) == 1 and (m := re.fullmatch(want, lines[0])) and (attributes is None or attributes in m[1])

    assert line(talk.cmd(f"CREATE {nfd}")) and (server.accounts["anna"].maildir / ".Caf&AOk-" / "cur").is_dir()
    assert code(talk.cmd(f"CREATE {nfd}")) == code(talk.cmd(f"CREATE {nfc}")) == "ALREADYEXISTS"
    assert line(talk.append(nfd, MESSAGE)) and "OLDNAME" not in str(talk.append(nfc, MESSAGE).untagged)
    assert talk.cmd(f"STATUS {nfd} (MESSAGES)").untagged == [f"* STATUS {told} (MESSAGES 2)".encode()]
    assert line(talk.cmd(f"SELECT {nfd}")) and talk.last.find(rb"\* 2 EXISTS") and line(talk.cmd(f"EXAMINE {nfd}"))
    assert "OLDNAME" not in str(talk.cmd(f"SELECT {nfc}").untagged) and talk.cmd(f"COPY 1 {nfd}").ok
    assert talk.cmd(f"SUBSCRIBE {nfd}").ok and talk.cmd(f"SUBSCRIBE {nfc}").ok
    name = NFC if switch else "Caf&AOk-"
    for pattern in (nfd, nfc, '"*f%s"' % (NFD if switch else "Cafe&AwE-")[3:], '"%"'):
        assert name in listed(talk.cmd(f'LIST "" {pattern}')), pattern
    assert set(listed(talk.cmd(f'LIST (SUBSCRIBED) "" {nfd}'))) == set(listed(talk.cmd(f'LSUB "" {nfd}'), b"LSUB")) == {name}
    assert talk.cmd(f"UNSUBSCRIBE {nfd}").ok and listed(talk.cmd('LSUB "" *'), b"LSUB") == {}
    assert talk.cmd("UNSELECT").ok and talk.cmd("CREATE Plain").ok and code(talk.cmd(f"RENAME Plain {nfd}")) == "ALREADYEXISTS"
    assert talk.cmd(f"RENAME {nfd} Other").ok
    assert switch is None or talk.last.find(('LIST .* "/" "Other" ."OLDNAME" .%s..$' % old).encode())
    assert talk.cmd(f"RENAME Other {nfd}").ok
    assert switch is None or talk.last.find(('LIST .* "/" %s ."OLDNAME" ."Other"..$' % told).encode())
    assert messages(talk, NFD if switch else "Cafe&AwE-") == 3
    assert line(talk.cmd(f"DELETE {nfd}"), "\\NonExistent") and code(talk.cmd(f"DELETE {nfc}")) == "NONEXISTENT"
    inbox = talk.cmd("SELECT inbox")
    assert bool(inbox.find(rb'"INBOX" \("OLDNAME" \("inbox"\)\)')) == (switch == "IMAP4rev2")


def test_mend16_a_folder_that_lies_decomposed_on_disk(server):
    anna = server.accounts["anna"]
    for name in (f".{NFD}".encode(), b".Cafe&AwE-.Below", b".\xd1\xf1"):
        assert make_directory(anna, name, PARTS) == 1
    talk, plain = server.imap_talk(), server.imap_talk()
    assert talk.cmd("ENABLE IMAP4rev2").ok
    assert set(listed(talk.cmd('LIST "" *'))) == {"INBOX", NFC, NFC + "/Below", "\u00d1\u00f1"}
    assert set(listed(plain.cmd('LIST "" *'))) == {"INBOX", "Caf&AOk-", "Caf&AOk-/Below", "&ANEA8Q-"}
    for name in (NFC, NFD, NFD + "/Below", "\u00d1\u00f1", "N\u0303n\u0303"):
        assert messages(talk, name) == 1 and talk.cmd(b"SELECT " + literal(name)).ok
        idle = talk.start("IDLE")
        assert talk.line().startswith(b"+")
        talk.send(b"DONE\r\n")
        assert talk.finish(idle).ok
    assert talk.append("{%d+}\r\n%s" % (len(NFC.encode()), NFC), MESSAGE).ok and messages(plain, "Caf&AOk-") == 2
    assert code(talk.cmd(b"CREATE " + literal(NFC))) == "ALREADYEXISTS" and not (anna.maildir / ".Caf&AOk-").exists()
    # A subscription is written as others know the folder: by its directory.
    assert plain.cmd("SUBSCRIBE Caf&AOk-").ok and f"\n{NFD}\n" in (anna.maildir / "subscriptions").read_text()
    assert set(listed(talk.cmd('LIST (SUBSCRIBED) "" *'))) == {NFC}
    assert plain.cmd("RENAME Caf&AOk- Plain").ok and messages(talk, "Plain/Below") == 1
    assert (anna.maildir / ".Plain" / "cur").is_dir() and plain.cmd("DELETE &ANEA8Q-").ok
    assert sorted(p.name for p in anna.maildir.glob(".*")) == [".Plain", ".Plain.Below"]


def test_mend06_any_part_makes_a_folder(server):
    """git, rsync and backups leave out empty directories."""
    anna = server.accounts["anna"]
    for part in PARTS:
        make_directory(anna, b".Only-" + part, [part])
    make_directory(anna, b".None", [])
    make_directory(anna, b".Parent.Below", [b"new"])
    talk = server.imap_talk()
    names = ["Only-cur", "Only-maildirfolder", "Only-new", "Only-tmp"]
    assert set(listed(talk.cmd('LIST "" *'))) == {"INBOX", *names, "Parent", "Parent/Below"}
    for name in [*names, "Parent/Below"]:
        count = name in ("Only-cur", "Only-new", "Parent/Below")
        assert messages(talk, name) == count
        assert talk.cmd(f"SELECT {name}").find(rb"\* %d EXISTS" % count), talk.last
        assert talk.append(name, MESSAGE).ok and messages(talk, name) == count + 1
        for part in PARTS[:3]:
            assert (anna.folder(name) / part.decode()).is_dir()
    assert talk.cmd("UNSELECT").ok
    assert talk.cmd("STATUS None (MESSAGES)").no and talk.cmd("CREATE None").ok and talk.cmd("DELETE None").ok
    assert talk.cmd("DELETE Only-tmp").ok and talk.cmd("RENAME Only-new Other").ok and messages(talk, "Other") == 2


# --- CREATE, DELETE, RENAME ---

def test_create_and_parents_that_were_never_made(server):
    talk = server.imap_talk()
    make(talk, "Top/Mid/Low")
    tree = listed(talk.cmd('LIST "" *'))
    assert tree == {"INBOX": {"\\HasNoChildren"}, "Top": {"\\Noselect", "\\HasChildren"},
                    "Top/Mid": {"\\Noselect", "\\HasChildren"}, "Top/Mid/Low": {"\\HasNoChildren"}}
    for command in ("SELECT Top", "STATUS Top (MESSAGES)", "DELETE Top"):
        assert talk.cmd(command).no
    assert talk.cmd("CREATE Top").ok and listed(talk.cmd('LIST "" Top')) == {"Top": {"\\HasChildren"}}
    for name in ("INBOX", "inbox", "InBoX/"):
        assert code(talk.cmd(f"CREATE {name}")) == "ALREADYEXISTS" and talk.last.no


def test_delete(server):
    talk = server.imap_talk()
    make(talk, "A", "A/B", "A/B/C")
    assert talk.append("A", MESSAGE).ok
    assert talk.cmd("DELETE A").ok
    assert listed(talk.cmd('LIST "" A*')) == {"A": {"\\Noselect", "\\HasChildren"}, "A/B": {"\\HasChildren"}, "A/B/C": {"\\HasNoChildren"}}
    assert talk.cmd("DELETE A").no, "it is there for its children only"
    assert code(talk.cmd("APPEND A {5+}\r\na: b\n")) == "TRYCREATE"
    assert talk.cmd("DELETE A/B/C").ok and talk.cmd("DELETE A/B").ok
    assert listed(talk.cmd('LIST "" A*')) == {}
    for name in ("INBOX", "inbox"):
        assert talk.cmd(f"DELETE {name}").no
    assert code(talk.cmd("DELETE None")) == "NONEXISTENT"


def test_deleting_the_selected_mailbox_leaves_it(server):
    talk = server.imap_talk()
    make(talk, "A")
    talk.append("A", MESSAGE)
    talk.cmd("SELECT A")
    assert talk.cmd("DELETE A").ok
    assert talk.cmd("FETCH 1 UID").bad and talk.cmd("SELECT INBOX").ok


def test_rename_takes_the_tree_along(server):
    talk = server.imap_talk()
    make(talk, "A", "A/B", "A/B/C", "AB", "Z")
    for name in ("A", "A/B/C"):
        talk.append(name, MESSAGE, "(\\Flagged kw) ")
    talk.cmd("SELECT A/B/C")
    uid, validity = status(talk, "A/B/C", "UIDNEXT", "UIDVALIDITY")
    talk.cmd("UNSELECT")
    assert talk.cmd("RENAME A New/Place").ok
    assert listed(talk.cmd('LIST "" *')).keys() == {"INBOX", "New", "New/Place", "New/Place/B", "New/Place/B/C", "AB", "Z"}
    assert status(talk, "New/Place/B/C", "UIDNEXT", "UIDVALIDITY") == (uid, validity)
    talk.cmd("SELECT New/Place/B/C")
    assert talk.cmd("FETCH 1 (UID FLAGS)").find(rb"UID 1 FLAGS \(\\Flagged kw")
    for bad, want in (("RENAME None x", "NONEXISTENT"), ("RENAME Z AB", "ALREADYEXISTS"), ("RENAME Z INBOX", "ALREADYEXISTS"),
                      ("RENAME New/Place New/Place/B/X", "CANNOT"), ("RENAME Z Z", "ALREADYEXISTS")):
        assert talk.cmd(bad).no and code(talk.last) == want, talk.last
    make(talk, "T", "T/B")
    assert talk.cmd("RENAME New/Place T").no
    assert talk.cmd("RENAME T " + "x" * 150).ok
    assert talk.cmd("RENAME " + "x" * 150 + " " + "/".join(["y" * 126] * 2)).no, "the child would be too long"
    assert "x" * 150 + "/B" in listed(talk.cmd('LIST "" *'))


def test_rename_of_a_parent_that_was_never_made(server):
    talk = server.imap_talk()
    make(talk, "P/C")
    assert talk.cmd("RENAME P Q").ok
    assert listed(talk.cmd('LIST "" *')).keys() == {"INBOX", "Q", "Q/C"}


def test_rename_inbox_moves_the_messages(server):
    talk = server.imap_talk()
    make(talk, "INBOX/Kid")
    for i in range(3):
        talk.append("INBOX", b"Subject: %d\r\n\r\n" % i, "(\\Seen kw) ")
    old = status(talk, "INBOX", "UIDNEXT", "UIDVALIDITY")
    assert talk.cmd("RENAME INBOX Old").ok
    assert listed(talk.cmd('LIST "" *')).keys() == {"INBOX", "INBOX/Kid", "Old"}
    assert status(talk, "INBOX", "MESSAGES") == 0 and status(talk, "Old", "MESSAGES", "UNSEEN") == (3, 0)
    assert status(talk, "INBOX", "UIDVALIDITY") > old[1] or status(talk, "INBOX", "UIDNEXT") >= old[0]
    talk.cmd("SELECT Old")
    assert talk.cmd("SEARCH KEYWORD kw").untagged == [b"* SEARCH 1 2 3"]
    assert code(talk.cmd("RENAME INBOX Old")) == "ALREADYEXISTS"
    assert talk.cmd("RENAME inbox Older").ok, "an empty one, too"


def test_req35_uidvalidity_of_what_is_made_again(server):
    talk = server.imap_talk()
    make(talk, "A", "B")
    seen = {"A": [], "B": []}
    for turn in range(4):
        for name in ("A", "B"):
            talk.append(name, MESSAGE)
            pair = status(talk, name, "UIDVALIDITY", "UIDNEXT")
            assert all(pair[0] != v or pair[1] > n for v, n in seen[name]), "also within a second"
            seen[name].append(pair)
        if turn % 2:
            assert talk.cmd("DELETE A").ok and talk.cmd("CREATE A").ok
        else:
            assert talk.cmd("DELETE A").ok and talk.cmd("RENAME B A").ok and talk.cmd("CREATE B").ok


def test_special_bits_of_names_in_answers(server):
    talk = server.imap_talk()
    make(talk, 'q\\"x', "b\\\\s")
    assert talk.cmd('LIST "" *').find(rb'"q\\"x"') and talk.cmd('LIST "" *').find(rb'"b\\\\s"')


# --- LIST, LSUB ---

TREE = ["A", "A/B", "A/B/C", "AB", "A B", "INBOX/Kid", "Z/Y", "per%cent"]


@pytest.fixture
def tree(server):
    talk = server.imap_talk()
    make(talk, *TREE)
    return talk


ALL = {"INBOX", "INBOX/Kid", "A", "A/B", "A/B/C", "AB", "A B", "Z", "Z/Y", "per%cent"}
PATTERNS = [
    ('"" *', ALL), ('"" "*"', ALL), ('"" %', {"INBOX", "A", "AB", "A B", "Z", "per%cent"}), ('"" %/%', {"INBOX/Kid", "A/B", "Z/Y"}),
    ('"" */C', {"A/B/C"}), ('"" %/C', set()), ('"" A*', {"A", "A/B", "A/B/C", "AB", "A B"}), ('"" A%', {"A", "AB", "A B"}),
    ('"" A/%', {"A/B"}), ('"" A/*', {"A/B", "A/B/C"}), ("A/ %", {"A/B"}), ("A/ *", {"A/B", "A/B/C"}), ("A %", {"A", "AB", "A B"}),
    ("A /B", {"A/B"}), ("A/B /C", {"A/B/C"}), ('"" inbox', {"INBOX"}), ('"" iNb%', set()), ('"" INB%', {"INBOX"}), ('"" inbox/%', {"INBOX/Kid"}),
    ('"" a', set()), ('"" *%*', ALL), ('"" %*', ALL), ('"" *B', {"A/B", "AB", "A B"}), ('"" %B', {"AB", "A B"}), ('"" */*/*', {"A/B/C"}),
    ('"" A/', set()), ('"" "A B"', {"A B"}), ('"" per%%cent', {"per%cent"}), ('"" {1+}\r\n%', {"INBOX", "A", "AB", "A B", "Z", "per%cent"}),
    ('"None/" *', set()), ('"" ~*', set()), ('"" *a*b*c*d*e*f*', set()),
]


def test_list_patterns(tree):
    for pattern, want in PATTERNS:
        got = listed(tree.cmd(f"LIST {pattern}"))
        if "iNb%" in pattern:
            got.pop("INBOX", None)  # INBOX in any case: either way is right
        assert set(got) == want, pattern
    assert tree.cmd('LIST "" ""').untagged == [b'* LIST (\\Noselect) "/" ""']
    assert tree.cmd('LIST A/B ""').untagged[0].startswith(b'* LIST (\\Noselect) "/" "')
    lines = [m[1] for m in tree.cmd('LIST "" *').find(rb'"/" (.*)$')]
    assert lines.index(b'"A"') < lines.index(b'"A/B"') < lines.index(b'"A/B/C"'), "parents first"
    assert tree.cmd("NAMESPACE").untagged == [b'* NAMESPACE (("" "/")) NIL NIL']


def test_req23_patterns_cost_no_time(tree):
    for pattern in ("*a" * 300, "%*" * 400 + "x", "*%/" * 300, "*" * 1024, "%" * 100000):
        assert tree.cmd(f'LIST "" {pattern}').ok
    assert tree.cmd('LIST "" (' + " ".join(["*a*b*c*d*e*f*g*" * 60] * 32) + ")").ok


def test_subscriptions(tree):
    for name in ("A/B", "A/B/C", "INBOX", "Gone", "Ghost/Kid", "INBOX"):
        assert tree.cmd(f"SUBSCRIBE {name}").ok, "what is not there, too"
    make(tree, "Gone")
    assert tree.cmd("DELETE Gone").ok
    assert listed(tree.cmd('LSUB "" *'), b"LSUB") == {n: set() for n in ("INBOX", "A/B", "A/B/C", "Gone", "Ghost/Kid")}
    assert listed(tree.cmd('LSUB "" %'), b"LSUB") == {"INBOX": set(), "Gone": set(), "A": {"\\Noselect"}, "Ghost": {"\\Noselect"}}
    assert set(listed(tree.cmd('LSUB A/ %'), b"LSUB")) == {"A/B"}
    assert tree.cmd('LSUB "" ""').untagged == [b'* LSUB (\\Noselect) "/" ""']
    assert tree.cmd("UNSUBSCRIBE A/B").ok
    assert listed(tree.cmd('LSUB "" A/%'), b"LSUB") == {"A/B": {"\\Noselect"}}
    assert "Gone" not in listed(tree.cmd('LIST "" *')), "a subscription makes no mailbox"
    assert tree.cmd("UNSUBSCRIBE None").ok or tree.last.no


def test_list_extended(tree):
    for name in ("A", "A/B/C", "Gone", "INBOX/Kid"):
        tree.cmd(f"SUBSCRIBE {name}")

    def ask(rest):
        return listed(tree.cmd(f"LIST {rest}"))

    subscribed = ask('(SUBSCRIBED) "" *')
    assert set(subscribed) == {"A", "A/B/C", "Gone", "INBOX/Kid"} and all("\\Subscribed" in a for a in subscribed.values())
    assert "\\NonExistent" in subscribed["Gone"] and "\\NonExistent" not in subscribed["A"]
    assert set(ask('(SUBSCRIBED) "" %')) == {"A", "Gone"}
    recursive = ask('(SUBSCRIBED RECURSIVEMATCH) "" %')
    assert recursive["INBOX"] >= {'("CHILDINFO" ("SUBSCRIBED"))'} and "\\Subscribed" not in recursive["INBOX"]
    assert recursive["A"] >= {"\\Subscribed", '("CHILDINFO" ("SUBSCRIBED"))'}
    assert set(recursive) == {"INBOX", "A", "Gone"} and not any("CHILDINFO" in a for a in recursive["Gone"])
    assert set(ask('(SUBSCRIBED RECURSIVEMATCH) "" A/%')) == {"A/B"}
    returned = ask('"" % RETURN (SUBSCRIBED CHILDREN)')
    assert {n for n, a in returned.items() if "\\Subscribed" in a} == {"A"} and "Gone" not in returned
    assert "\\HasChildren" in returned["A"] and "\\HasNoChildren" in returned["AB"] and "\\NonExistent" in returned["Z"]
    assert set(ask('"" (A% INBOX Z/%) RETURN ()')) == {"A", "AB", "A B", "INBOX", "Z/Y"}
    assert set(ask('"" (A A A% *)')) == ALL, "each once"
    assert ask('() "" ""') == {} and set(ask('() "" %')) == {"INBOX", "A", "AB", "A B", "Z", "per%cent"}
    assert set(ask('(SUBSCRIBED REMOTE) "" *')) == set(subscribed)
    for bad in ('(RECURSIVEMATCH) "" *', '(X) "" *', '(SUBSCRIBED "" *', '"" * RETURN', '"" * RETURN (X)', '"" ()',
                '"" * RETURN (STATUS)', '"" * RETURN (STATUS ())', '"" * (CHILDREN)', '(SUBSCRIBED REMOTE RECURSIVEMATCH)'):
        assert tree.cmd(f"LIST {bad}").bad, bad
    assert tree.cmd('LSUB (SUBSCRIBED) "" *').bad


def test_mend17_childinfo_only_for_what_is_not_told_itself(server):
    """Example 8 of RFC 9051 section 6.3.9.8, and a mailbox that is told with all of its children."""
    talk = server.imap_talk()
    make(talk, "foo2", "foo2/bar1", "foo2/bar2", "baz2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2")
    for name in ("foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2"):
        assert talk.cmd(f"SUBSCRIBE {name}").ok
    info = '("CHILDINFO" ("SUBSCRIBED"))'

    def ask(pattern):
        told = listed(talk.cmd(f'LIST (RECURSIVEMATCH SUBSCRIBED) "" {pattern}'))
        return {name: info in attributes for name, attributes in told.items()}

    assert ask("*2") == {"foo2": True, "foo2/bar2": False, "baz2/bar2": False, "baz2/bar22": False, "baz2/bar222": False,
                         "eps2": True, "qux2/bar2": False}
    assert ask("%") == {"foo2": True, "baz2": True, "eps2": True, "qux2": True}
    assert ask("*") == {name: False for name in ("foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22", "baz2/bar222", "eps2",
                                                 "eps2/mamba", "qux2/bar2")}
    assert ask("(eps2 eps2/mamba)") == {"eps2": False, "eps2/mamba": False}
    assert ask("foo2/%") == {"foo2/bar1": False, "foo2/bar2": False}
    # A child that meets one criterion and another that meets the other are no child that meets both.
    assert talk.cmd("CREATE foo2/sent (USE (\\Sent))").ok
    assert listed(talk.cmd('LIST (RECURSIVEMATCH SUBSCRIBED SPECIAL-USE) "" %')) == {}


def test_mend17_nonexistent_says_noselect(server):
    talk = server.imap_talk()
    make(talk, "Top/Mid/Low")
    assert talk.cmd("SUBSCRIBE Gone").ok
    for command in ('LIST "" *', 'LIST "" * RETURN (CHILDREN)', 'LIST (SUBSCRIBED) "" *', "ENABLE IMAP4rev2", 'LIST "" *', 'LIST "" % RETURN ()'):
        answer = talk.cmd(command)
        assert answer.ok and not answer.find(rb"NonExistent.*Noselect|Noselect.*NonExistent"), answer
    # The name with others below it cannot be deleted; one without is not there.
    for name in ("Top", "Top/Mid"):
        answer = talk.cmd(f"DELETE {name}")
        assert answer.no and code(answer) == "HASCHILDREN", answer
    for name in ("To", "Gone", "Top/Mid/Low/x", "Topp"):
        assert code(talk.cmd(f"DELETE {name}")) == "NONEXISTENT"
    assert talk.cmd("DELETE Top/Mid/Low").ok and code(talk.cmd("DELETE Top")) == "NONEXISTENT"


def test_list_special_use_recursively(tree):
    assert tree.cmd("CREATE A/Mine (USE (\\Sent))").ok
    assert set(listed(tree.cmd('LIST (SPECIAL-USE) "" *'))) == {"A/Mine"}
    above = listed(tree.cmd('LIST (SPECIAL-USE RECURSIVEMATCH) "" %'))
    assert set(above) == {"A"} and above["A"] >= {'("CHILDINFO" ("SPECIAL-USE"))'}
    tree.cmd("SUBSCRIBE A/Mine")
    both = listed(tree.cmd('LIST (SPECIAL-USE SUBSCRIBED RECURSIVEMATCH) "" %'))
    assert set(both) == {"A"} and both["A"] >= {'("CHILDINFO" ("SUBSCRIBED" "SPECIAL-USE"))'}


def test_list_status(tree):
    for i in range(3):
        tree.append("A/B", MESSAGE, "(\\Seen) " if i else "")
    answer = tree.cmd('LIST "" (A* Z) RETURN (CHILDREN STATUS (MESSAGES UNSEEN SIZE))')
    lines = answer.untagged
    assert lines[lines.index(b'* LIST (\\HasChildren) "/" "A/B"') + 1] == b'* STATUS "A/B" (MESSAGES 3 UNSEEN 1 SIZE 51)'
    assert len(answer.find(rb"^\* STATUS")) == 5, "none for what is not selectable"
    assert tree.cmd('LIST (SUBSCRIBED) "" * RETURN (STATUS (UIDNEXT))').ok


# --- special uses ---

def uses(talk, command='LIST "" *'):
    return {(n, u) for n, a in listed(talk.cmd(command)).items() for u in a & {"\\Drafts", "\\Sent", "\\Trash", "\\Junk", "\\Archive"}}


def test_special_uses_by_name(server):
    talk = server.imap_talk()
    make(talk, "Entw&APw-rfe", "Gesendet", "deleted items", "INBOX/spam", "Archives", "Archives/2020", "Sent of old", "Archives x")
    want = {("Entw&APw-rfe", "\\Drafts"), ("Gesendet", "\\Sent"), ("deleted items", "\\Trash"), ("INBOX/spam", "\\Junk"), ("Archives", "\\Archive")}
    assert uses(talk) == want
    assert uses(talk, 'LIST (SPECIAL-USE) "" *') == want and set(listed(talk.cmd('LIST (SPECIAL-USE) "" *'))) == {n for n, _ in want}
    assert uses(talk, 'LIST "" * RETURN (SPECIAL-USE)') == want
    make(talk, "Sent")
    assert {n for n, u in uses(talk) if u == "\\Sent"} == {"Sent"}, "the English one counts first"


@pytest.mark.parametrize("others", [["Sent/2019", "Sent Items"], ["Sent Items", "Sent/a", "Sent/b", "Sent!"], ["A", "A/B", "A B", "A!", "Sent-x"],
                                    ["Z", "Z/Y", "Z Z", "Sent/x/y", "Sent x/y"]])
def test_special_uses_among_names_that_sort_oddly(server, others):
    talk = server.imap_talk()
    make(talk, *others, "Sent", "Drafts", "Trash")
    assert uses(talk) == {("Sent", "\\Sent"), ("Drafts", "\\Drafts"), ("Trash", "\\Trash")}
    make(talk, "Junk/a", "Junk/b", "Junk/c", "Junk E-mail")
    assert ("Junk E-mail", "\\Junk") in uses(talk)


def test_special_uses_by_setting(serve):
    server = serve({"sent_folder": "Post/Raus", "drafts_folder": "Entwürfe neu", "trash_folder": "None"})
    talk = server.imap_talk()
    make(talk, "Post/Raus", "Sent", "Entw&APw-rfe neu", "Drafts", "Trash", "Junk")
    assert uses(talk) == {("Post/Raus", "\\Sent"), ("Entw&APw-rfe neu", "\\Drafts"), ("Junk", "\\Junk")}
    assert talk.cmd("CREATE Mine (USE (\\Sent))").ok
    assert {n for n, u in uses(talk) if u == "\\Sent"} == {"Mine"}, "what a client says counts first"


def test_create_special_use(server):
    talk = server.imap_talk()
    make(talk, "Sent")
    assert talk.cmd('CREATE "My Out" (USE (\\Sent))').ok and talk.cmd("CREATE Box/Arch (USE (\\archive))").ok
    assert uses(talk) == {("My Out", "\\Sent"), ("Box/Arch", "\\Archive")}
    assert talk.cmd("RENAME Box Kiste").ok and ("Kiste/Arch", "\\Archive") in uses(talk)
    for other in ("\\All", "\\Flagged", "\\Bogus", "\\Sent \\Trash"):
        answer = talk.cmd(f"CREATE Other (USE ({other}))")
        assert answer.no and code(answer) == "USEATTR", other
    answer = talk.cmd("CREATE Other (USE (\\Sent))")
    assert answer.no and code(answer) == "USEATTR", "RFC 6154: what cannot be told is not made"
    assert "Other" not in listed(talk.cmd('LIST "" *'))
    assert talk.cmd("CREATE Fine (USE ())").ok and talk.cmd("CREATE Sent (USE (\\Junk))").no
    for bad in ("(USE \\Sent)", "(USE (\\Sent)", "(X (\\Sent))", "USE", "(USE (\\Sent)) x"):
        assert talk.cmd(f"CREATE Bad {bad}").bad, bad
    assert ("Sent", "\\Junk") not in uses(talk), "it was there before"
    assert talk.cmd('DELETE "My Out"').ok and ("Sent", "\\Sent") in uses(talk)
    assert talk.cmd("CREATE Other (USE (\\Sent))").ok and ("Other", "\\Sent") in uses(talk), "it is free again"


def test_make_special_folders(serve):
    server = serve({"make_special_folders": "yes", "trash_folder": "Müll", "junk_folder": "../x"})
    anna = server.accounts["anna"]
    anna.make_folder("Gesendet")
    talk = server.imap_talk()
    want = {("Drafts", "\\Drafts"), ("Gesendet", "\\Sent"), ("M&APw-ll", "\\Trash"), ("Archive", "\\Archive")}
    assert uses(talk) == want
    assert set(listed(talk.cmd('LSUB "" *'), b"LSUB")) == {"Drafts", "M&APw-ll", "Archive"}
    again = server.imap_talk()
    assert uses(again) == want, "made once"


# --- SELECT, EXAMINE, STATUS ---

def test_select_tells_what_is_there(server):
    talk = server.imap_talk()
    empty = talk.cmd("SELECT INBOX")
    assert empty.find(rb"^\* 0 EXISTS") and empty.find(rb"^\* 0 RECENT") and not empty.find(rb"UNSEEN") and empty.find(rb"\[UIDNEXT 1\]")
    for flags in ("(\\Seen)", "(\\Seen kw)", "()", "(\\Answered)"):
        talk.append("INBOX", MESSAGE, flags + " ")
    answer = talk.cmd("SELECT inbox")
    assert answer.find(rb"^\* 4 EXISTS$") and answer.find(rb"^\* OK \[UNSEEN 3\]") and answer.find(rb"\[UIDNEXT 5\]")
    assert answer.find(rb"^\* FLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft kw\)$")
    assert answer.find(rb"\[PERMANENTFLAGS \(\\Answered \\Flagged \\Deleted \\Seen \\Draft kw \\\*\)\]")
    validity = int(answer.find(rb"\[UIDVALIDITY (\d+)\]")[0][1])
    assert status(talk, "INBOX", "UIDVALIDITY", "UIDNEXT", "MESSAGES", "UNSEEN", "SIZE", "DELETED") == (validity, 5, 4, 2, 4 * len(MESSAGE), 0)
    talk.cmd("STORE 1:* +FLAGS (\\Deleted)")
    assert status(talk, "INBOX", "DELETED") == 4
    talk.cmd("EXPUNGE")
    assert status(talk, "INBOX", "UIDNEXT", "MESSAGES") == (5, 0), "UIDNEXT outlives the last message"
    assert talk.cmd("SELECT INBOX").find(rb"\[UIDNEXT 5\]")


def test_a_select_that_fails_leaves_nothing_selected(server):
    talk = server.imap_talk()
    talk.append("INBOX", MESSAGE)
    for bad in ("None", "a..b", '""'):
        talk.cmd("SELECT INBOX")
        assert talk.cmd(f"SELECT {bad}").no
        assert talk.cmd("FETCH 1 UID").bad
    talk.cmd("SELECT INBOX")
    assert talk.cmd("SELECT").bad and talk.cmd("FETCH 1 UID").ok, "but what is malformed does nothing"


def recent(talk, command):
    return int(talk.cmd(command).find(rb"^\* (\d+) RECENT")[0][1])


def test_recent_is_told_in_one_session_only(server):
    anna = server.accounts["anna"]
    talk, other = server.imap_talk(), server.imap_talk()
    for i in range(2):
        anna.deliver(MESSAGE)
    assert status(talk, "INBOX", "RECENT") == 2 and status(talk, "INBOX", "RECENT") == 2, "STATUS takes nothing away"
    assert recent(talk, "EXAMINE INBOX") == 2 and recent(other, "EXAMINE INBOX") == 2, "nor does EXAMINE"
    assert recent(talk, "SELECT INBOX") == 2 and recent(other, "SELECT INBOX") == 0
    assert talk.cmd("FETCH 1 FLAGS").untagged == [b"* 1 FETCH (FLAGS (\\Recent))"]
    assert talk.cmd("SEARCH RECENT").untagged == [b"* SEARCH 1 2"] and other.cmd("SEARCH OLD").untagged == [b"* SEARCH 1 2"]
    assert talk.cmd("SEARCH NEW").untagged == [b"* SEARCH 1 2"]
    talk.cmd("STORE 1 FLAGS (\\Seen)")
    assert talk.cmd("SEARCH NEW").untagged == [b"* SEARCH 2"] and talk.cmd("FETCH 1 FLAGS").find(rb"\\Seen \\Recent")
    assert status(talk, "INBOX", "RECENT") == 0
    anna.deliver(MESSAGE)
    assert recent(talk, "NOOP") == 3 and other.cmd("NOOP").find(rb"^\* 3 EXISTS") and other.cmd("SEARCH RECENT").untagged == [b"* SEARCH"]
    third = server.imap_talk()
    assert recent(third, "SELECT INBOX") == 0


def test_appended_and_copied_mail_is_recent_where_nobody_has_it_open(server):
    talk = server.imap_talk()
    make(talk, "Box")
    talk.append("INBOX", MESSAGE)
    talk.cmd("SELECT INBOX")
    assert talk.cmd("COPY 1 Box").ok
    assert status(talk, "Box", "RECENT") == 1 and recent(talk, "SELECT Box") == 1 and recent(talk, "SELECT Box") == 0


def test_a_mailbox_deleted_under_a_session_ends_it(server):
    talk, other = server.imap_talk(), server.imap_talk()
    for command in ("NOOP", "FETCH 1 BODY[]", "UID STORE 1 FLAGS (\\Seen)", "SEARCH ALL", "EXPUNGE", "IDLE", "CLOSE", "COPY 1 INBOX"):
        make(other, "Box")
        other.append("Box", MESSAGE)
        talk.cmd("SELECT Box")
        assert other.cmd("DELETE Box").ok
        tag = talk.start(command)
        lines = []
        while (line := talk.line()) and not line.startswith(tag):
            lines.append(line)
        if command == "CLOSE":
            assert line.startswith(tag + b" OK")
            continue
        while line and not line.startswith(b"* BYE"):
            line = talk.line()
        assert line.startswith(b"* BYE") or any(x.startswith(b"* BYE") for x in lines), (command, lines, line)
        assert not any(b"FETCH" in x for x in lines), (command, lines)
        talk = server.imap_talk()


def test_a_mailbox_made_anew_under_a_session_ends_it(server):
    talk, other = server.imap_talk(), server.imap_talk()
    for again in (lambda: other.cmd("CREATE Box"), lambda: other.cmd("RENAME Else Box")):
        make(other, "Box", "Else")
        for name in ("Box", "Else"):
            other.append(name, MESSAGE)
        talk.cmd("SELECT Box")
        assert other.cmd("DELETE Box").ok and again().ok
        tag = talk.start("UID FETCH 1 BODY.PEEK[]")
        lines = []
        while line := talk.line():
            lines.append(line)
        assert lines[-1].startswith(b"* BYE") and not any(b"FETCH (" in x for x in lines), (tag, lines)
        other.cmd("DELETE Box")
        other.cmd("DELETE Else")
        talk = server.imap_talk()


def test_a_renamed_mailbox_under_a_session(server):
    """Where it went nobody told us: the session ends, or goes on with it; it never shows another one."""
    talk, other = server.imap_talk(), server.imap_talk()
    make(other, "Box")
    other.append("Box", b"Subject: mine\r\n\r\n")
    talk.cmd("SELECT Box")
    assert other.cmd("RENAME Box Away").ok and other.cmd("CREATE Box").ok
    other.append("Box", b"Subject: other\r\n\r\n")
    talk.start("UID FETCH 1 BODY.PEEK[]")
    talk.start("LOGOUT")
    lines = []
    while line := talk.line():
        lines.append(line)
    assert not any(b"Subject: other" in line for line in lines), lines
