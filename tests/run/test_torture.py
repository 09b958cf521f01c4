"""A short run of tests/torture: many at once on one Maildir, with kills, a full disk and a broken index."""

import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "torture"))
import torture  # noqa: E402

SECONDS = int(os.environ.get("TORTURE_SECONDS", "45"))


@pytest.mark.root  # who kills readers must be root, and so must who makes a small disk
def test_nothing_is_lost_whatever_happens(serve):
    server = serve(torture.settings(), start=False)
    failure = torture.run(server, SECONDS, random.randrange(1 << 31))
    assert failure is None, failure
