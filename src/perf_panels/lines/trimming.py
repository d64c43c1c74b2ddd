"""
Shortens what the panel stores of a request until it fits: the source of cold functions first, numbers last.
"""

from __future__ import annotations

import json
from typing import Any

Stats = dict[str, Any]

_SUGGESTIONS_LEFT = _LINES_LEFT = 40


def shorten(stats: Stats, limit: int) -> None:
    """
    Cut ``stats`` in place to at most ``limit`` characters of JSON, as far as that goes without losing a function.
    """
    over = len(json.dumps(stats)) - limit
    functions = stats.get("functions", [])
    # They are sorted: the coldest is last. The hottest keeps its source whatever happens.
    for function in reversed(functions[1:]):
        if over <= 0:
            return
        if function["source"]:
            over -= len(json.dumps(function["source"]))
            function["source"] = None
            _count(stats, "sources of functions")
    seen = stats.get("seen", [])
    if over > 0 and len(seen) > _SUGGESTIONS_LEFT:
        over -= len(json.dumps(seen[_SUGGESTIONS_LEFT:]))
        _count(stats, "suggested functions", len(seen) - _SUGGESTIONS_LEFT)
        stats["seen"] = seen[:_SUGGESTIONS_LEFT]
    for function in reversed(functions):
        if over <= 0:
            return
        over -= _without_details(stats, function)


def _without_details(stats: Stats, function: dict[str, Any]) -> int:
    """
    Take out what the lines called, and the lines that took least; return what that saves.
    """
    before = len(json.dumps(function))
    for line in function["lines"]:
        line["called_left_out"] += len(line["called"])
        line["called"] = []
    function["executable"] = []
    lines = sorted(function["lines"], key=lambda line: -line["elapsed_ms"])
    if len(lines) > _LINES_LEFT:
        _count(stats, "lines", len(lines) - _LINES_LEFT)
        function["lines"] = sorted(lines[:_LINES_LEFT], key=lambda line: line["line"])
    return before - len(json.dumps(function))


def _count(stats: Stats, what: str, count: int = 1) -> None:
    truncated = stats.setdefault("truncated", {})
    truncated[what] = truncated.get(what, 0) + count
