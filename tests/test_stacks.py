"""
Looking at other threads finds what they are doing, and does them no harm.
"""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from perf_panels.stacks import line_at, stack_of, stacks


class Waiting:
    """
    A thread that waits in ``inner``, called by ``outer``.
    """

    def __init__(self):
        self.there, self.over = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.outer)

    def outer(self):
        self.inner()

    def inner(self):
        self.there.set()
        self.over.wait(20)


@pytest.fixture
def waiting():
    waiting = Waiting()
    waiting.thread.start()
    waiting.there.wait(20)
    yield waiting
    waiting.over.set()
    waiting.thread.join(20)


def test_the_calls_of_a_thread_are_found_the_innermost_first(waiting):
    codes, instructions = stack_of(waiting.thread.ident)

    assert len(codes) == len(instructions)
    place = codes.index(waiting.inner.__code__)
    assert codes[place + 1] is waiting.outer.__code__
    assert line_at(codes[place + 1], instructions[place + 1]) == waiting.outer.__code__.co_firstlineno + 1


def test_the_stack_ends_where_it_is_asked_to(waiting):
    codes, _ = stack_of(waiting.thread.ident, until={waiting.outer.__code__})

    assert codes[-2:] == [waiting.inner.__code__, waiting.outer.__code__]


def test_a_thread_that_has_ended_has_no_calls(waiting):
    waiting.over.set()
    waiting.thread.join(20)

    assert stack_of(waiting.thread.ident) == ([], [])


def test_all_threads_are_found(waiting):
    found = stacks()

    assert waiting.inner.__code__ in found[waiting.thread.ident].codes
    assert sys._getframe().f_code in found[threading.get_ident()].codes


LOOKS_WHILE_THREADS_BEGIN = """
import gc, sys, threading, time
from perf_panels.stacks import stacks

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
        stacks()

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
for _ in range(20):
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


def test_a_call_that_has_not_begun_is_at_its_first_line():
    code = test_a_call_that_has_not_begun_is_at_its_first_line.__code__

    assert line_at(code, -1) == code.co_firstlineno
