"""
Loops of cheap lines and of calls, by which an engine finds out what one of them costs in this process.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Short and often: on a busy machine, some of the rounds are not interrupted.
LOOPS = 200
ROUNDS = 25


def loop(times: int) -> int:
    """
    Run two lines for each of ``times``.
    """
    total = 0
    for number in range(times):
        total += number
    return total


def calling(times: int) -> None:
    """
    Call a function for each of ``times``.
    """
    for number in range(times):
        called(number)


def called(number: int) -> int:
    """
    Do nothing that takes time.
    """
    return number


def timed_ns(function: Callable[[int], object] = loop) -> int:
    """
    Return how long the loop takes by the clock.
    """
    began = perf_counter_ns()
    function(LOOPS)
    return perf_counter_ns() - began


def plain_ns(function: Callable[[int], object] = loop) -> int:
    """
    Return how long the loop takes when nobody watches.
    """
    return min(timed_ns(function) for _round in range(ROUNDS))
