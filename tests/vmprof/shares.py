"""
Work of known shares, in functions that tests look for by name.
"""

from __future__ import annotations

import time


def busy(seconds, clock=time.thread_time):
    """
    Use that much CPU time of this thread, or of another clock.
    """
    until = clock() + seconds
    number = 0
    while clock() < until:
        for value in range(300):
            number += value
    return number


def half(seconds, clock=time.thread_time):
    busy(seconds * 0.5, clock)


def third(seconds, clock=time.thread_time):
    busy(seconds * 0.3, clock)


def fifth(seconds, clock=time.thread_time):
    busy(seconds * 0.2, clock)


def known(seconds, rounds=20, clock=time.thread_time):
    """
    Spend 50, 30 and 20 per cent in three functions, in many small turns.
    """
    for _ in range(rounds):
        half(seconds / rounds, clock)
        third(seconds / rounds, clock)
        fifth(seconds / rounds, clock)


def share_of(samples, function):
    """
    Return the share of the sampled time spent below a function.
    """
    indexes = {index for index, frame in enumerate(samples.frames) if frame.function == function}
    inside = sum(stack.weight_ms for stack in samples.stacks if indexes & set(stack.frames))
    return inside / samples.total_ms if samples.total_ms else 0.0
