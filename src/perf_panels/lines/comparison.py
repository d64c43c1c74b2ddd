"""
This run beside the previous one of the same URL: which lines became faster or slower, wherever they stand now.

Called when the page is made, with what is stored of both.
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from perf_panels.numbers import duration
from perf_panels.source_view import texts

Stored = dict[str, Any]

_LEAST_MS = 0.5
_LEAST_SHARE = 0.1
"""Less than either is noise."""


class Change(NamedTuple):
    """
    A text for people, and the class that colours it.
    """

    text: str
    tone: str = ""


def change(now_ms: float, before_ms: float | None) -> Change:
    """
    Return how a time differs from the one before, if by more than noise.
    """
    if before_ms is None:
        return Change(_("new"), "perf-is-quiet")
    difference = now_ms - before_ms
    if abs(difference) < max(_LEAST_MS, _LEAST_SHARE * before_ms):
        return Change("=", "perf-is-quiet")
    if difference > 0:
        return Change(f"▲ +{duration(difference)}", "perf-new")
    return Change(f"▼ \N{MINUS SIGN}{duration(-difference)}", "perf-gone")


def same_function(function: Stored, previous: Stored | None) -> Stored | None:
    """
    Return what is stored of the same function in the previous run, or None.
    """
    for each in (previous or {}).get("functions", []):
        if each["key"] == function["key"]:
            found: Stored = each
            return found
    return None


def times_before(function: Stored, before: Stored) -> dict[int, float]:
    """
    Return the previous time of each line of ``function`` that was there before, matched by what the lines say.
    """
    took = {line["line"]: line["elapsed_ms"] for line in before["lines"]}
    moved = _moved(texts(function["source"]), texts(before["source"]))
    # A line that was there and had no time took none; one that was not there has no entry.
    return {now: took.get(then, 0.0) for now, then in moved.items()}


def _moved(now: dict[int, str], before: dict[int, str]) -> dict[int, int]:
    """
    Return {line now: line before} of the lines that say the same in the same order.
    """
    numbers_now, numbers_before = list(now), list(before)
    matcher = SequenceMatcher(
        None, [text.strip() for text in before.values()], [text.strip() for text in now.values()], autojunk=False
    )
    return {
        numbers_now[block.b + step]: numbers_before[block.a + step]
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    }
