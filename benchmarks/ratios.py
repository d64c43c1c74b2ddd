"""
One way to compare two series of times that were measured in turn.
"""

from __future__ import annotations

import statistics

LEGEND = "ratio of the medians [median of the paired ratios] {ratio of the fastest}"


def ratio(times: list[float], base: list[float]) -> str:
    """
    Return how the times compare with those of the baseline, in the order of ``LEGEND``.

    What else a machine does only ever adds time, which is why the fastest runs are the steadiest of the three where it
    does much (the documentation of ``timeit`` says the same of ``repeat()``).
    """
    medians = statistics.median(times) / statistics.median(base)
    paired = statistics.median(mine / theirs for mine, theirs in zip(times, base, strict=True))
    return f"{medians:.2f} [{paired:.2f}] {{{min(times) / min(base):.2f}}}"
