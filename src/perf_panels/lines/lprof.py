"""
The file format of line_profiler, made from what is stored: ``python -m line_profiler`` reads it.

Its result shape is {(file, first line, name): [(line, hits, time)]}, with a unit in seconds; ours is a nanosecond.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    TimingsMap = dict[tuple[str, int, str], list[tuple[int, int, int]]]

UNIT = 1e-9


def timings_of(functions: Iterable[dict[str, Any]]) -> TimingsMap:
    """
    Return stored functions in line_profiler's result shape; the phases of one function are added up.
    """
    lines: dict[tuple[str, int, str], dict[int, tuple[int, int]]] = {}
    for function in functions:
        cells = lines.setdefault((function["file"], function["first_line"], function["name"]), {})
        for line in function["lines"]:
            hits, time = cells.get(line["line"], (0, 0))
            cells[line["line"]] = hits + line["hits"], time + round(line["elapsed_ms"] * 1e6)
    return {key: [(line, *cell) for line, cell in sorted(cells.items())] for key, cells in lines.items()}


def dumps(functions: Iterable[dict[str, Any]]) -> bytes:
    """
    Return the content of an ``.lprof`` file. Raises ``ImportError`` where line_profiler is not installed.
    """
    from line_profiler.line_profiler import LineStats

    return pickle.dumps(LineStats(timings_of(functions), UNIT), protocol=pickle.HIGHEST_PROTOCOL)
