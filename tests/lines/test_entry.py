"""
The line that counts the calls of a function is hit once in each of them, or there is none.
"""

from __future__ import annotations

import sys

import pytest

from perf_panels.lines.entry import entry_line

CALLS = 3
ROUNDS = 4


def plain(number):
    """A docstring is no line."""
    number *= 2
    return number


def on_one_line(number): return number  # fmt: skip


def over_several_lines(number):
    return max(
        number,
        len([number]),
    )


def with_a_branch(number):
    if number > 2 and number:
        return 1
    return 2


def trying(number):
    try:
        return number / 0
    except ZeroDivisionError:
        return 0


def in_a_context(number):
    with pytest.raises(ZeroDivisionError):
        number /= 0


def generating(number):
    yield number
    yield number


def looping(number):
    for each in range(number):
        str(each)


def leaving_a_loop(number):
    for each in range(number):
        if each == number - 1: return each  # noqa: E701 # fmt: skip
    return None


def going_on(number):
    while number:
        number -= 1


def choosing_over_lines(number):
    return 1 if number else {
        "number": number,
    }  # fmt: skip


COUNTED = [plain, on_one_line, over_several_lines, with_a_branch, trying, generating]
LOOPS = [looping, leaving_a_loop, going_on]


def hits_of(function):
    found = {}

    def trace(frame, event, _value):
        if frame.f_code is not function.__code__:
            return None
        if event == "line":
            found[frame.f_lineno] = found.get(frame.f_lineno, 0) + 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for _ in range(CALLS):
            list(result) if hasattr(result := function(ROUNDS), "__next__") else None
    finally:
        sys.settrace(before)
    return found


@pytest.mark.parametrize("function", COUNTED, ids=lambda each: each.__name__)
def test_a_function_without_a_loop_at_its_start_has_a_line_that_is_hit_once_a_call(function):
    assert hits_of(function)[entry_line(function.__code__)] == CALLS


@pytest.mark.parametrize("function", [*LOOPS, in_a_context, choosing_over_lines], ids=lambda each: each.__name__)
def test_where_a_line_is_named_it_is_right(function):
    line = entry_line(function.__code__)

    assert line is None or hits_of(function)[line] == CALLS


@pytest.mark.parametrize("function", LOOPS, ids=lambda each: each.__name__)
def test_a_function_that_begins_with_a_loop_has_no_such_line(function):
    assert entry_line(function.__code__) is None
