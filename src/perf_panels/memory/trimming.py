"""
Shortens what the panel stores of a request until it fits: callers and cold sources first, whole rows last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from perf_panels.memory.sampling import extremes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Stats = dict[str, Any]

_WHOLE = 5
"""Functions, those that took most, that keep their source whatever happens."""
_TRACE_LEFT = 5
_PLACES_LEFT = 2
_STEP = 50
"""Rows that are shortened before the size is looked at again."""


def shorten(stats: Stats, limit: int) -> None:
    """
    Cut ``stats`` in place to at most ``limit`` characters of JSON, as far as that goes without losing an entry.
    """
    over = len(json.dumps(stats)) - limit
    for save in _savings(stats):
        if over <= 0:
            return
        over -= save()


def _savings(stats: Stats) -> Iterator[Callable[[], int]]:
    truncated = stats.setdefault("truncated", {})
    rows = [row for row in reversed(stats.get("rows") or []) if len(row["trace"]) > _TRACE_LEFT]
    for first in range(0, len(rows), _STEP):
        yield _saver(rows[first : first + _STEP], _cut_trace, truncated, "lists of callers")
    for function in reversed((stats.get("functions") or [])[_WHOLE:]):
        if function["source"]:
            yield _saver([function], _cut_source, truncated, "sources of functions")
    if len(stats.get("curve") or []) > 2 * _STEP:
        yield _saver([stats], _cut_curve, truncated, "halves of the curve's readings")
    models = [model for model in stats.get("models") or [] if len(model["places"]) > _PLACES_LEFT]
    if models:
        yield _saver(models, _cut_places, truncated, "lists of places")


def _saver(
    entries: list[Stats], cut: Callable[[Stats], None], truncated: dict[str, int], what: str
) -> Callable[[], int]:
    def save() -> int:
        before = len(json.dumps(entries))
        for entry in entries:
            cut(entry)
        truncated[what] = truncated.get(what, 0) + len(entries)
        return before - len(json.dumps(entries))

    return save


def _cut_trace(row: Stats) -> None:
    row["trace"] = row["trace"][:_TRACE_LEFT]


def _cut_source(function: Stats) -> None:
    function["source"] = None


def _cut_curve(stats: Stats) -> None:
    stats["curve"] = [stats["curve"][place] for place in extremes([rss for _at, rss in stats["curve"]])]


def _cut_places(model: Stats) -> None:
    model["places"] = model["places"][:_PLACES_LEFT]
