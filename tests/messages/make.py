#!/usr/bin/env python3
"""make.py: writes the messages of the tests into a folder, as NNN-name.eml.

    python3 tests/messages/make.py FOLDER

Some hundred messages that were written for the tests: everyday ones (everyday.py), oddities of lines (odd_lines.py),
headers (odd_headers.py) and MIME (odd_mime.py), and rare forms that IMAP has to describe (rare.py).  They are the same in
every run, octet for octet.  wire.py says how POP3 sends such a file.
"""

import os
import sys

sys.dont_write_bytecode = True  # a test leaves nothing in the source

from everyday import everyday
from odd_headers import odd_headers
from odd_lines import odd_lines
from odd_mime import odd_mime
from rare import rare


def messages():
    """All messages: file name and content, numbered from 1."""
    number = 0
    seen = set()
    for source in (everyday, odd_lines, odd_headers, odd_mime, rare):
        for name, content in source():
            if name in seen:
                raise ValueError("two messages are named " + name)
            seen.add(name)
            number += 1
            yield "%03d-%s.eml" % (number, name), content


def write(folder):
    """Writes all of them and returns their number and octets."""
    os.makedirs(folder, exist_ok=True)
    count = size = 0
    for name, content in messages():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
        count += 1
        size += len(content)
    return count, size


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make.py FOLDER")
    print("%d messages, %d octets" % write(sys.argv[1]))
