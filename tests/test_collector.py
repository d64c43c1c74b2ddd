"""
No collection of garbage starts where it could make the process wait for itself, and afterwards all is as it was.
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


LOOKS_WHILE_THREADS_BEGIN = """
import gc, sys, threading, time
from perf_panels.collector import frames_of_threads

def work():
    for _ in range(5):
        deep(200)

def deep(calls):
    if calls:
        deep(calls - 1)
    else:
        time.sleep(0.0001)

def look():
    looking.add(threading.get_ident())
    while not over:
        with frames_of_threads() as frames:
            for frame in frames.values():
                while frame is not None:
                    frame = frame.f_back

def told(phase, info):
    # Another thread runs meanwhile, as it may in any finalizer.
    if threading.get_ident() in looking:
        time.sleep(0.001)

over, looking = False, set()
lookers = [threading.Thread(target=look) for _ in range(2)]
gc.callbacks.append(told)
gc.set_threshold(1, 1_000_000, 1_000_000)
for thread in lookers:
    thread.start()
for _ in range(100):
    begun = [threading.Thread(target=work) for _ in range(4)]
    for thread in begun:
        thread.start()
    for thread in begun:
        thread.join()
over = True
gc.callbacks.clear()
"""


def test_looking_at_all_threads_while_others_begin_and_end_does_no_harm():
    # In a process of its own: Python 3.11 would crash, or never come back.
    looking = subprocess.run([sys.executable, "-c", LOOKS_WHILE_THREADS_BEGIN], timeout=60, check=False)

    assert looking.returncode == 0
