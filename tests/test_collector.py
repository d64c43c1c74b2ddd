"""
No collection of garbage starts within the block, and afterwards all is as it was.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import pytest

from perf_panels import collector


@pytest.fixture(autouse=True)
def collecting():
    assert gc.isenabled()
    yield
    gc.enable()


def test_no_collection_starts_by_itself_within_the_block():
    with collector.paused():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_blocks_of_several_threads_may_overlap():
    first, second = collector.paused(), collector.paused()
    first.__enter__()
    second.__enter__()

    first.__exit__(None, None, None)
    assert not gc.isenabled()

    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_project_without_collections_stays_without():
    gc.disable()

    with collector.paused(), collector.paused():
        pass

    assert not gc.isenabled()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_child_that_is_forked_meanwhile_collects():
    # In a process of its own: this one may have threads.
    program = """
import gc, os
from perf_panels import collector
with collector.paused():
    child = os.fork()
    if not child:
        collected = gc.isenabled()
        with collector.paused():
            pass
        os._exit(0 if collected and gc.isenabled() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=20, check=False).returncode == 0
