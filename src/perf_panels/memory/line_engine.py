"""
Memory statement by statement: what each statement of the chosen functions added, and how high it went meanwhile.

A ``Meter`` is the watcher of ``line_events`` for one request. What it reads (resident or traced memory) is given to it.
"""

from __future__ import annotations

import inspect
import logging
import threading
from dataclasses import dataclass, field
from time import perf_counter
from types import CodeType
from typing import TYPE_CHECKING

from perf_panels import origins
from perf_panels.functions import Target, target_of_frame
from perf_panels.memory.results import FunctionMemory, LineMemory, Metered
from perf_panels.memory.source import Spans, spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType

    Read = Callable[[], tuple[int, int]]
    """Returns the memory now, and the most since it was read the last time."""

logger = logging.getLogger("perf_panels")

MAX_FUNCTIONS = 200
MAX_CALLS = 100
"""Calls of one function that are measured, unless it is the view's own or was chosen by somebody."""

_KINDS = {
    inspect.CO_GENERATOR: "generator",
    inspect.CO_COROUTINE: "coroutine",
    inspect.CO_ASYNC_GENERATOR: "async generator",
}
_CALIBRATION = 200


@dataclass(slots=True)
class _Function:
    target: Target
    spans: Spans
    max_calls: float
    baseline: int = 0
    calls: int = 0
    running: int = 0
    deepest: int = 0
    limited: bool = False
    lines: dict[int, LineMemory] = field(default_factory=dict)
    entries: set[int] = field(default_factory=set)
    """Lines by which a statement of several lines was entered; its other lines need not be looked at again."""


class Meter:
    """
    Counts for one request, in every thread it runs in, until ``budget`` events are used up.

    ``targets`` are measured whenever they run; other functions of the project are met while they run. ``own_counts``:
    what is read sees every byte, those of these accounts too.
    """

    def __init__(self, read: Read, budget: int, targets: Iterable[Target] = (), *, own_counts: bool = False) -> None:
        self.read = read
        self.budget = budget
        self.own_counts = own_counts
        self.events = 0
        self.functions = {id(target.code): _function(target, float("inf")) for target in targets}
        self.threads: dict[str, None] = {}
        self.local = threading.local()
        self.failure: Exception | None = None
        """The first exception of ours; after it nothing more is counted."""

    # What ``line_events`` calls

    def start(self, code: CodeType, frame: FrameType) -> _Activation | None:
        try:
            return self._start(code, frame)
        except Exception as error:  # noqa: BLE001 - this runs inside the host's code
            self.fail(error)
            return None

    def _start(self, code: CodeType, frame: FrameType) -> _Activation | None:
        function = self.functions.get(id(code))
        if function is None:
            function = self.functions[id(code)] = _function(target_of_frame(code, frame), MAX_CALLS)
        if self.events >= self.budget or function.calls >= function.max_calls:
            function.limited = True
            return None
        stack: list[_Activation] | None = getattr(self.local, "stack", None)
        if stack is None:
            stack = self.local.stack = []
            self.threads.setdefault(threading.current_thread().name)
        self.events += 1
        return _Activation(self, function, stack)

    def met(self, code: CodeType, frame: FrameType) -> bool:
        # A comprehension or a lambda is part of the statement it stands in.
        return (
            self.events < self.budget
            and len(self.functions) < MAX_FUNCTIONS
            and not code.co_name.startswith("<")
            and origins.owner_of(code.co_filename) == origins.PROJECT
        )

    def calls(self, code: CodeType, frame: FrameType, called: object) -> None:
        pass

    def fail(self, error: Exception) -> None:
        """
        Keep our own exception for the panel, and stop.
        """
        if self.failure is None:
            self.failure = error
            logger.error("The memory panel stopped measuring the lines of this request", exc_info=error)
        self.budget = 0

    # What ``collect`` calls

    def result(self, backend: str) -> Metered:
        """
        Return what was counted.
        """
        return Metered(
            functions=[_measured(function) for function in self.functions.values() if function.calls],
            events=self.events,
            budget_hit=self.events >= self.budget and self.failure is None,
            event_us=_event_us(self.read) if self.events else 0.0,
            backend=backend,
            threads=list(self.threads),
        )


class _Activation:
    """
    One call of a function, from its start to its end. ``stack`` has the activations of the thread, innermost last.
    """

    __slots__ = (
        "before", "entered_at", "first", "function", "high", "inner", "last", "most", "own_spike", "row", "same",
        "stack", "watcher",
    )  # fmt: skip

    def __init__(self, meter: Meter, function: _Function, stack: list[_Activation]) -> None:
        self.watcher = meter
        self.function = function
        self.stack = stack
        self.row: LineMemory | None = None
        self.first, self.last = 0, -1
        # What calls made by the present statement have added, this same function's apart, the most seen meanwhile, and
        # the most that the statement itself had taken when it made one.
        self.inner = self.same = self.high = self.own_spike = 0
        self._enter()
        function.calls += 1
        if function.calls == 1:
            function.baseline = self.before
        function.running += 1
        function.deepest = max(function.deepest, function.running)

    def line(self, line: int) -> bool:
        """
        Close the accounts of the statement before and open those of this one. Return True for "never again this line".
        """
        try:
            return self._line(line)
        except Exception as error:  # noqa: BLE001 - this runs inside the host's code
            self.watcher.fail(error)
            return True

    def _line(self, line: int) -> bool:
        meter, function = self.watcher, self.function
        if self.first <= line <= self.last:
            # Inside the statement that runs; a line by which it is entered may begin it anew.
            return line not in function.entries
        if meter.events >= meter.budget:
            return True
        meter.events += 1
        now, high = meter.read()
        self._credit(now, high)
        if meter.events >= meter.budget:
            self._stop()
            return True
        # A statement of one line has no inside: in a loop each event of it is a new round.
        first, last = function.spans.get(line, (line, -1))
        self.first, self.last = first, last
        if last != -1:
            function.entries.add(line)
        row = function.lines.get(first)
        if row is None:
            row = function.lines[first] = LineMemory(first, max(first, last), 0, 0, 0)
        row.hits += 1
        self.row = row
        self.before = meter.read()[0] if meter.own_counts else now
        return False

    def suspend(self, awaiting: bool) -> None:
        self._safely(self._leave)

    def resume(self) -> None:
        self._safely(self._enter)

    def end(self) -> None:
        self._safely(self._leave)
        self.function.running -= 1
        self.row = None

    def _safely(self, account: Callable[[], None]) -> None:
        try:
            account()
        except Exception as error:  # noqa: BLE001 - as above
            self.watcher.fail(error)

    def _enter(self) -> None:
        now, high = self.watcher.read()
        if self.stack:
            outer = self.stack[-1]
            outer.high = max(outer.high, high)
            outer.own_spike = max(outer.own_spike, high - outer.before - outer.inner)
        self.stack.append(self)
        self.before = self.entered_at = self.most = now

    def _leave(self) -> None:
        now, high = self.watcher.read()
        self._credit(now, high)
        self.stack.remove(self)
        if not self.stack:
            return
        grown, outer = now - self.entered_at, self.stack[-1]
        outer.high = max(outer.high, self.most)
        outer.inner += grown
        for each in reversed(self.stack):
            if each.function is self.function:
                each.same += grown
                break

    def _credit(self, now: int, high: int) -> None:
        high = max(high, now)
        # Of what the statement itself took; a call's own height is in ``self.high`` alone.
        own_spike = max(self.own_spike, high - self.before - self.inner)
        high = max(high, self.high)
        self.most = max(self.most, high)
        row = self.row
        if row is not None:
            row.increment_bytes += now - self.before - self.same
            row.peak_bytes = max(row.peak_bytes, high)
            own_spike = max(own_spike, row.spike_bytes - row.inner_spike_bytes)
            row.spike_bytes = max(row.spike_bytes, high - self.before)
            row.inner_bytes += self.inner - self.same
            row.inner_spike_bytes = row.spike_bytes - own_spike
        self.inner = self.same = self.high = self.own_spike = 0

    def _stop(self) -> None:
        """
        Close the accounts for good: the budget is used up.
        """
        for each in self.stack:
            each.row = None


def _function(target: Target, max_calls: float) -> _Function:
    return _Function(target, spans(target.file), max_calls)


def _measured(function: _Function) -> FunctionMemory:
    target = function.target
    kinds = [kind for flag, kind in _KINDS.items() if target.code.co_flags & flag]
    return FunctionMemory(
        file=target.file,
        function=target.name,
        first_line=target.first_line,
        owner=target.owner,
        calls=function.calls,
        baseline_bytes=function.baseline,
        lines=[function.lines[line] for line in sorted(function.lines)],
        kind=kinds[0] if kinds else "function",
        deepest=function.deepest,
        limited=function.limited,
        last_line=_last_line(target.code),
        id=target.id,
        code=target.code,
    )


def _last_line(code: CodeType) -> int:
    lines = [line for _, _, line in code.co_lines() if line]
    nested = [_last_line(each) for each in code.co_consts if isinstance(each, CodeType)]
    return max([code.co_firstlineno, *lines, *nested])


def _event_us(read: Read) -> float:
    """
    Return what one profiled line costs here, in microseconds.
    """
    code = _event_us.__code__
    activation = _Activation(Meter(read, _CALIBRATION * 2), _Function(Target(code, "", ""), {}, 1), [])
    began = perf_counter()
    for number in range(_CALIBRATION):
        activation.line(number % 7)
    return (perf_counter() - began) / _CALIBRATION * 1e6
