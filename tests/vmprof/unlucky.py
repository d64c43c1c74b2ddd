"""
``python -m tests.vmprof.unlucky MODE``: a view that makes generators at every depth, longest where it is slowest.

That is where each call maps a new chunk of Python's stack and unmaps it. Prints how much was written when it survives;
with ``--bare`` there is no marker frame, and Python 3.13.0 does not.
"""

from __future__ import annotations

import sys
import time

from django.conf import settings


def generator():
    yield


def making_us(count):
    """
    Return how long it takes to make one generator, in microseconds.
    """
    make, began = generator, time.perf_counter()
    for _ in range(count):
        make()
    return (time.perf_counter() - began) / count * 1e6


def at_depth(depth, call):
    return call() if depth == 0 else at_depth(depth - 1, call)


def view():
    for depth in range(300):
        if at_depth(depth, lambda: making_us(200)) > 2:
            at_depth(depth, lambda: making_us(100_000))


if __name__ == "__main__":
    settings.configure()
    from perf_panels.vmprof.live import Profile, sampled
    from perf_panels.vmprof.modes import Choice

    bare = "--bare" in sys.argv
    profile = Profile(Choice(sys.argv[1], "vmprof", 0.25), "GET /unlucky/")
    for _round in range(5):
        with sampled(profile, "view"):
            (view if bare else profile.marked("view", view))()
    sys.stdout.write(str(sum(len(phase.data) for phase in profile.phases)))
