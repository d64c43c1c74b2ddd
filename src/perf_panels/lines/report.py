"""
From what was timed to what is stored: functions by their time, their lines, and the findings.

Called once for each request, while its response is made. Knows neither requests nor HTML.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from perf_panels.findings import finding_dicts, worst_first
from perf_panels.lines.hot import Limits, hot_lines, net_ms, own_ms, total_ms
from perf_panels.origins import PROJECT
from perf_panels.source_view import keep

if TYPE_CHECKING:
    from perf_panels.lines.timings import FunctionTiming, LineTiming, Timings

_SEEN = 300
_CALLED = 12
"""Functions that a line called, kept with it; a line that calls more of them is a dispatcher."""

_NOTABLE = 0.01
"""Share of its function's time from which a line is a reason to keep the source around it, where that is long."""


def report(timings: Timings, limits: Limits) -> dict[str, Any]:
    """
    Return the panel's own keys of what is stored, in plain JSON types.
    """
    functions = sorted(timings.functions, key=lambda each: -each.elapsed_ms)
    # The project's own first: they are what a suggestion is for.
    seen = sorted(timings.seen, key=lambda each: (each.owner != PROJECT, not each.from_outside, -each.calls))
    left_out = max(0, len(seen) - _SEEN)
    return {
        "engine": timings.engine,
        "hits": timings.hits,
        "overhead_ns": timings.overhead_ns,
        "overhead_ms": timings.hits * timings.overhead_ns / 1e6,
        "view_ms": timings.view_ms,
        "render_ms": timings.render_ms,
        "template_ms": timings.template_ms,
        "total_ms": total_ms(timings),
        "net_ms": net_ms(timings),
        "functions": [_function(each, timings) for each in functions],
        "selection": [asdict(each) for each in timings.selection],
        "unseen": timings.unseen,
        "seen": [asdict(each) for each in seen[:_SEEN]],
        "notes": timings.notes,
        "findings": finding_dicts(worst_first(hot_lines(timings, limits))),
        "truncated": {"suggested functions": left_out} if left_out else {},
    }


def _function(timing: FunctionTiming, timings: Timings) -> dict[str, Any]:
    notable = [line.line for line in timing.lines if line.elapsed_ms >= _NOTABLE * timing.elapsed_ms]
    return {
        "key": f"{timing.id}|{timing.phase}",
        "id": timing.id,
        "name": timing.name,
        "module": timing.module,
        "file": timing.file,
        "first_line": timing.first_line,
        "kind": timing.kind,
        "owner": timing.owner,
        "phase": timing.phase,
        "chosen": timing.chosen,
        "calls": timing.calls,
        "elapsed_ms": timing.elapsed_ms,
        "awaited_ms": timing.awaited_ms,
        "lines": [_line(line, own_ms(timing, line, timings)) for line in timing.lines],
        "executable": timing.executable,
        "templates": [asdict(each) for each in timing.templates],
        "source": keep(timing.file, timing.first_line, timing.last_line, notable, code=timing.code),
    }


def _line(line: LineTiming, own: float) -> dict[str, Any]:
    return {
        "line": line.line,
        "hits": line.hits,
        "elapsed_ms": line.elapsed_ms,
        "own_ms": own,
        "awaited_ms": line.awaited_ms,
        "sql_count": line.sql_count,
        "sql_ms": line.sql_ms,
        "called": [asdict(each) for each in line.called[:_CALLED]],
        "calls_unknown": line.calls_unknown,
        "called_left_out": max(0, len(line.called) - _CALLED),
    }
