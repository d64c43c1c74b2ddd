"""
Why the memory of the process and what Python allocated are not the same number, said where both are known.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels.memory.measurements import ALLOCATIONS, LINES
from perf_panels.memory.wording import change, memory

_FAR = 1.3
_LITTLE_BYTES = 1024**2


def disagreement(stats: dict[str, Any]) -> str:
    """
    Return what these very numbers say about the two ways of counting, or "" where they agree or are too small.
    """
    if not stats["process"]["reading"]:
        return ""
    if stats["engine"] == ALLOCATIONS and stats.get("allocations"):
        return _traced(stats)
    if stats["engine"] == LINES and stats.get("functions"):
        return _resident(stats)
    return ""


def _traced(stats: dict[str, Any]) -> str:
    summary, process = stats["allocations"], stats["process"]
    traced = stats["rise_bytes"]
    resident = max(process["rss_peak_bytes"] or 0, process["rss_end_bytes"]) - process["rss_before_bytes"]
    words = {"traced": memory(traced), "resident": change(resident), "tracing": memory(summary["tracing_bytes"])}
    if max(traced, resident) < _LITTLE_BYTES:
        return ""
    if resident * _FAR < traced:
        text = _(
            "Python allocated %(traced)s at its height, the process grew by %(resident)s only: it used memory again"
            " that earlier requests had left free, or pages were reserved and never written to."
        )
        return text % words
    if resident > traced * _FAR:
        text = _(
            "The process grew by %(resident)s, Python allocated %(traced)s: the rest is tracemalloc's own"
            " (%(tracing)s), memory of C libraries and database drivers, and space between objects."
        )
        return text % words
    return ""


def _resident(stats: dict[str, Any]) -> str:
    lines = [line for function in stats["functions"] for line in function["lines"]]
    rise = stats["rise_bytes"]
    seen = max((max(line["increment_bytes"], line["spike_bytes"]) for line in lines), default=0)
    if rise >= _LITTLE_BYTES and lines and seen * 2 < rise:
        if stats["meter"]["budget_hit"]:
            text = _(
                "The process grew by %(rise)s, and no statement below accounts for half of it: the readings had ended"
                " after %(events)s line events (MEMORY_LINE_EVENTS). The steps of the curve name the lines of then."
            )
            return text % {"rise": memory(rise), "events": f"{stats['meter']['events']:,}"}
        text = _(
            "The process grew by %(rise)s, and no statement below accounts for half of it: it happened outside of the"
            " measured functions, in the render or in the framework. Allocations shows where."
        )
        return text % {"rise": memory(rise)}
    if lines and seen <= stats["process"]["noise_bytes"]:
        return _(
            "No statement made the process grow. They may have allocated all the same: what earlier requests freed is"
            " used again, and that changes nothing here. Allocations counts it."
        )
    return ""
