"""maildir/ with a layer between it and the file system that fails the n-th call or kills the process there; see tests/fault.
Whatever happens, no message is lost or doubled, no UID is given twice, and a change that was confirmed is made."""

import os
import random
import re
import subprocess

import pytest

from conftest import ASAN, BUILD

FAULT = BUILD / "fault"
SECONDS = int(os.environ.get("FAULT_SECONDS", "20"))

# What maildir/ uses of libc that does not go into the file system, and fails only for want of memory.
HARMLESS = re.compile(r"""_*(
    errno_location | \w*sn?printf(_chk)? | \w*scanf | stack_chk_\w+ | (isoc23_)?(mem|str)\w+ | [cm]alloc |
    realloc(array)? | free | open_memstream | qsort | bsearch | clock_gettime | time | gmtime_r | timegm | nanosleep |
    get[eu]*[gpu]id | getrandom | kill | iconv\w* | sched_yield | munmap | madvise | ctype_\w+ | abort |
    \w*san_\w+ | sig\w+ | poll | sysconf | tls_get_addr | GLOBAL_OFFSET_TABLE_)""", re.X)


def symbols(kinds):
    out = subprocess.run(["nm", FAULT / "libmaildir.a"], capture_output=True, text=True, check=True).stdout
    return {f[-1] for line in out.splitlines() if len(f := line.split()) >= 2 and f[-2] in kinds}


def test_every_call_goes_through_the_layer():
    """A function of libc that the layer does not know would be one that never fails here."""
    outside = symbols("U") - symbols("TWBDRC")
    assert {"fault_fsync", "fault_renameat2"} <= outside
    assert [s for s in sorted(outside) if not s.startswith("fault_") and not HARMLESS.fullmatch(s)] == []


def test_any_call_may_fail_and_any_may_be_the_last():
    """As many as there is time for, other ones each time; `make torture` does them all."""
    seed = random.randrange(1 << 31)
    run = subprocess.run([FAULT / "script", "--seconds", str(SECONDS), "--seed", str(seed)],
                         capture_output=True, text=True, timeout=SECONDS * 10)
    assert run.returncode == 0, run.stdout + run.stderr
    done = int(re.match(r"\d+", run.stdout)[0])
    print(run.stdout)
    assert done > SECONDS * (1 if ASAN else 10), run.stdout


def test_any_octet_of_the_index_may_be_wrong():
    """Flipped, zeroed, cut, also under a session: what is shown stays the truth."""
    seed = random.randrange(1 << 31)
    run = subprocess.run([FAULT / "damage", "--seconds", str(SECONDS), "--seed", str(seed)],
                         capture_output=True, text=True, timeout=SECONDS * 10)
    if run.returncode == 77:
        pytest.skip("this maildir/ makes no index")
    assert run.returncode == 0, run.stdout + run.stderr
