"""
From what a recorder counted to ``Timings``: plain data for the report, whichever engine it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.lines.timings import Called, FunctionTiming, LineTiming, Seen, TemplateCall, Timings
from perf_panels.origins import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

    from perf_panels.functions import Target
    from perf_panels.lines.recorder import Recorder
    from perf_panels.lines.runs import Cell, Timed
    from perf_panels.lines.timings import Phase

_HOT_SHARE = 0.1
_HOT_MS = 5.0
"""From when on one of Django's own methods is shown: a tenth of its phase, and this long."""


def timings_of(recorder: Recorder, *, engine: str, overhead_ns: float, phase_ms: dict[str, float]) -> Timings:
    """
    Return what was timed, the functions in the order in which they first ran.
    """
    functions = [function_timing(timed) for timed in recorder.timed.values() if timed.calls]
    return Timings(
        engine=engine,
        overhead_ns=overhead_ns,
        view_ms=_without_lost("view", recorder, phase_ms),
        render_ms=_without_lost("render", recorder, phase_ms),
        template_ms=recorder.template_ns / 1e6,
        hits=sum(line.hits for each in functions for line in each.lines),
        functions=[each for each in functions if _is_worth_showing(each, functions, phase_ms)],
        seen=list(_seen(recorder)),
    )


def _without_lost(phase: Phase, recorder: Recorder, phase_ms: dict[str, float]) -> float:
    return max(0.0, phase_ms.get(phase, 0.0) - recorder.lost_ns.get(phase, 0) / 1e6)


def function_timing(timed: Timed) -> FunctionTiming:
    """
    Return the times of one function in one phase.
    """
    target, code = timed.target, timed.target.code
    lines = [_line(number, cell) for number, cell in sorted(timed.cells.items())]
    return FunctionTiming(
        id=target.id,
        name=target.name,
        module=target.module,
        file=target.file,
        first_line=target.first_line,
        last_line=last_line(code),
        owner=target.owner,
        phase=timed.phase,
        calls=timed.calls,
        elapsed_ms=sum(line.elapsed_ms for line in lines),
        awaited_ms=sum(line.awaited_ms for line in lines),
        lines=lines,
        executable=executable(code),
        chosen=timed.chosen,
        kind=target.kind,
        templates=_templates(timed.templates),
        code=code,
    )


def last_line(code: CodeType) -> int:
    """
    Return the last line of a function, its inner ones included.
    """
    own = [line for _, _, line in code.co_lines() if line]
    inner = [last_line(each) for each in code.co_consts if isinstance(each, type(code))]
    return max([code.co_firstlineno, *own, *inner])


def executable(code: CodeType) -> list[int]:
    """
    Return the lines of a function's own code; its first one runs only where everything is on it.
    """
    lines = {line for _, _, line in code.co_lines() if line}
    return sorted(lines - {code.co_firstlineno} or lines)


def _line(number: int, cell: Cell) -> LineTiming:
    return LineTiming(
        line=number,
        hits=cell.hits,
        elapsed_ms=cell.total_ns / 1e6,
        awaited_ms=cell.awaited_ns / 1e6,
        sql_count=cell.queries,
        sql_ms=cell.query_ms,
        inner_ms=cell.inner_ns / 1e6,
        template_ms=cell.template_ns / 1e6,
        called=[called(target, count) for target, count in cell.called.values()],
        calls_unknown=cell.calls_unknown,
    )


def called(target: Target, count: int = 0) -> Called:
    """
    Return a target as what it is offered as.
    """
    return Called(target.id, target.name, target.owner, count, target.kind)


def _is_worth_showing(timing: FunctionTiming, functions: list[FunctionTiming], phase_ms: dict[str, float]) -> bool:
    if timing.chosen != "second choice":
        return True
    if not any(each.owner == PROJECT for each in functions):
        return True
    return timing.elapsed_ms >= max(_HOT_MS, _HOT_SHARE * phase_ms.get(timing.phase, 0.0))


def _seen(recorder: Recorder) -> Iterator[Seen]:
    for key, (target, from_outside) in recorder.met_codes.items():
        if target.owner == PROJECT:
            yield Seen(
                id=target.id,
                name=target.name,
                module=target.module,
                owner=target.owner,
                kind=target.kind,
                from_outside=from_outside,
                templates=_templates(recorder.met_templates.get(key, {})),
            )


def _templates(places: dict[tuple[str, str | None, int], int]) -> list[TemplateCall]:
    by_calls: Iterable[tuple[tuple[str, str | None, int], int]] = sorted(places.items(), key=lambda item: -item[1])
    return [TemplateCall(template, path, line, calls) for (template, path, line), calls in by_calls]
