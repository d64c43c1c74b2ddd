"""
The three engines: what each of them answers and what it costs, said before one is chosen.
"""

from __future__ import annotations

import sys
from typing import Any

from django.utils.translation import gettext as _

from perf_panels.actions import token
from perf_panels.memory import PANEL_ID
from perf_panels.memory.measurements import ALLOCATIONS, LINES, OBJECTS

# Tracing, which is all that Python before 3.12 has, costs more on a page of templates (docs/memory.md).
_HAS_MONITORING = sys.version_info >= (3, 12)


def engines(stats: dict[str, Any], request_id: str) -> list[dict[str, Any]]:
    """
    Return the engines with their ways to be chosen; the one that made this request's numbers is ``current``.
    """
    frames = (stats.get("allocations") or {}).get("frames", 1)
    lines = {
        "name": LINES,
        "text": _("Lines"),
        "answers": _(
            "Which statement made the process grow? Resident memory, statement by statement, in your functions."
        ),
        "costs": _("some 10 µs for each line of yours that runs; a page of templates takes up to twice as long")
        if _HAS_MONITORING
        else _("some 10 µs for each line of yours that runs; a page of templates takes up to five times as long"),
        "ways": [_way(request_id, LINES, _("Use Lines"))],
    }
    allocations = {
        "name": ALLOCATIONS,
        "text": _("Allocations"),
        "answers": _(
            "Which line allocated what, in any package, and what of it is still there? Exact, by tracemalloc."
        ),
        "costs": _("a page takes several times as long, one that allocates much more; traces need memory too"),
        "ways": [
            _way(
                request_id,
                ALLOCATIONS,
                _("1 frame"),
                _("the line alone: 3 to 6 times as long")
                if _HAS_MONITORING
                else _("the line alone: 6 to 13 times as long"),
                chosen=frames == 1,
            ),
            _way(
                request_id, f"{ALLOCATIONS}-10", _("10 frames"), _("with callers: 6 to 25 times"), chosen=frames == 10
            ),
            _way(
                request_id,
                f"{ALLOCATIONS}-25",
                _("25 frames"),
                _("with all callers: 10 to 50 times"),
                chosen=frames == 25,
            ),
        ],
    }
    objects = {
        "name": OBJECTS,
        "text": _("Objects"),
        "answers": _(
            "Which objects and model instances are there that were not before, where from, and who holds them?"
        ),
        "costs": _("the page runs as fast as ever; counting before and after takes 0.1 to 1 s"),
        "ways": [_way(request_id, OBJECTS, _("Use Objects"))],
    }
    return [_engine(each, current=stats["engine"] == each["name"]) for each in (lines, allocations, objects)]


def _engine(engine: dict[str, Any], *, current: bool) -> dict[str, Any]:
    return engine | {
        "current": current,
        "ways": [way | {"chosen": current and way["chosen"]} for way in engine["ways"]],
    }


def _way(request_id: str, subject: str, text: str, costs: str = "", *, chosen: bool = True) -> dict[str, Any]:
    return {"text": text, "costs": costs, "chosen": chosen, "token": token(PANEL_ID, request_id, "engine", subject)}
