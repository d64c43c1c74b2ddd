"""
One activation of a timed function, and what is counted of its lines. It runs inside the user's code, so it is short.

Every nanosecond of a thread belongs to the innermost line of each timed function on its stack: a line has the time of
what it calls, but a function that calls itself is not counted twice. What it costs us to notice a call is lost: it is
taken off every line it happened in.
"""

from __future__ import annotations

from time import perf_counter_ns as clock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf_panels.functions import Target
    from perf_panels.lines.recorder import Recorder
    from perf_panels.lines.timings import Chosen, Phase


class Cell:
    """
    What is counted of one line of one function in one phase.
    """

    __slots__ = (
        "awaited_ns",
        "called",
        "calls_unknown",
        "hits",
        "inner_ns",
        "queries",
        "query_ms",
        "template_ns",
        "total_ns",
    )

    def __init__(self) -> None:
        self.hits = 0
        self.total_ns = 0
        self.awaited_ns = 0
        self.inner_ns = 0
        self.template_ns = 0
        self.queries = 0
        self.query_ms = 0.0
        self.called: dict[int, tuple[Target, int]] = {}
        self.calls_unknown = False


class Timed:
    """
    A function that is timed in one phase.
    """

    __slots__ = ("calls", "cells", "chosen", "phase", "recursive", "target", "templates")

    def __init__(self, target: Target, chosen: Chosen, phase: Phase) -> None:
        self.target = target
        self.chosen = chosen
        self.phase = phase
        self.calls = 0
        self.recursive = False
        self.cells: dict[int, Cell] = {}
        self.templates: dict[tuple[str, str | None, int], int] = {}


class LineRun:
    """
    One activation of a timed function.
    """

    __slots__ = (
        "away_since",
        "began",
        "caller",
        "cell",
        "cells",
        "lost",
        "outer",
        "since",
        "stack",
        "timed",
        "watcher",
    )

    def __init__(self, watcher: Recorder, timed: Timed, came: int) -> None:
        self.watcher = watcher
        self.timed = timed
        self.cells = timed.cells
        # What runs before the first line, such as unpacking a closure, is thrown away.
        self.cell = Cell()
        self.since = self.away_since = 0
        self._enter(came)

    def line(self, line: int) -> None:
        now = clock()
        self.cell.total_ns += now - self.since
        cell = self.cells.get(line)
        if cell is None:
            cell = self.cells[line] = Cell()
        cell.hits += 1
        self.cell = cell
        # Our own time is nobody's.
        self.since = clock()
        self.lost += self.since - now

    def suspend(self, awaiting: bool) -> None:
        now = self._leave()
        if awaiting:
            self.away_since = now
            self.watcher.awaiting[id(self)] = self

    def resume(self) -> None:
        came = clock()
        if self.away_since:
            self.cell.awaited_ns += came - self.away_since
            self.away_since = 0
            self.watcher.awaiting.pop(id(self), None)
        self._enter(came)

    def end(self) -> None:
        self._leave()

    def _enter(self, came: int) -> None:
        stack = self.stack = self.watcher.stack()
        self.outer: LineRun | None = None
        for run in reversed(stack):
            if isinstance(run, LineRun) and run.timed is self.timed:
                run.cell.total_ns += came - run.since
                self.outer = run
                self.timed.recursive = True
                break
        stack.append(self)
        self.began = came
        self.since = clock()
        self.lost = self.since - came

    def _leave(self) -> int:
        now = clock()
        stack = self.stack
        if self in stack:
            del stack[stack.index(self) :]
            self.cell.total_ns += now - self.since
        caller = stack[-1] if stack else None
        if self.outer is not None:
            # Those in between will take off what was lost here, and it was not counted: once more, then.
            self.outer.since = now - self.lost
        if isinstance(caller, LineRun) and caller is not self.outer:
            caller.cell.inner_ns += now - self.began - self.lost
        self.caller = caller
        lose(self.watcher, caller, self.lost + clock() - now)
        return now


class TemplateRun:
    """
    One render of a template: its time is told apart in the line that asked for it.
    """

    __slots__ = ("lost", "since", "stack", "watcher")

    def __init__(self, watcher: Recorder) -> None:
        self.watcher = watcher
        self.stack = watcher.stack()
        self.stack.append(self)
        self.lost = 0
        self.since = clock()

    def line(self, _line: int) -> bool:
        return True

    def suspend(self, awaiting: bool) -> None:
        """
        Do nothing: a render is no generator.
        """

    def resume(self) -> None:
        """
        Do nothing, as above.
        """

    def end(self) -> None:
        # What is lost meanwhile moves it on.
        taken, stack = clock() - self.since, self.stack
        if self in stack:
            del stack[stack.index(self) :]
        caller = stack[-1] if stack else None
        if isinstance(caller, LineRun):
            caller.cell.template_ns += taken
        if not any(isinstance(run, TemplateRun) for run in stack):
            self.watcher.template_ns += taken
        lose(self.watcher, caller, self.lost)


def lose(watcher: Recorder, caller: LineRun | TemplateRun | None, lost: int) -> None:
    """
    Take what an activation has cost off its caller's time, or off the request's.
    """
    if caller is None:
        watcher.lost_ns[watcher.phase] = watcher.lost_ns.get(watcher.phase, 0) + lost
    else:
        caller.since += lost
        caller.lost += lost
