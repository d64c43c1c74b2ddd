"""
Line events by ``sys.monitoring`` (Python 3.12 and later), for ``line_events``.

The tool is taken when the first watch opens and given back when the last one is left. Lines, starts, returns and calls
are local events of the chosen code objects. Two more cannot be local: exceptions that leave a function, which are rare,
and the start of any function, which switches itself off wherever it has fired once.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from perf_panels import exclusive

if TYPE_CHECKING:
    from contextvars import ContextVar
    from types import CodeType, FrameType

    from perf_panels.line_events import Run, Watch

TOOL_IDS = (4, 3)
TOOL_NAME = "perf_panels"
CALLS_SHOWN = 8
"""How often what a place in the code calls is looked at: it may be another function each time."""

_getframe = sys._getframe
_AWAITS = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR
_MONITORING: Any = getattr(sys, "monitoring", None)


class Monitoring:
    """
    One tool id for all watches of the process.
    """

    def __init__(self, current: ContextVar[Watch | None], runs: dict[FrameType, Run]) -> None:
        self.current = current
        self.runs = runs
        self.tool: int | None = None
        self.watches: list[Watch] = []
        self.counts: dict[int, list[Any]] = {}
        self.shown: dict[tuple[int, int], int] = {}
        self.lock = threading.Lock()
        self.gone: deque[Watch] = deque()

    def open(self, watch: Watch) -> None:
        """
        Begin to tell ``watch`` of its code objects. Raises ``Busy`` when no tool id is free.
        """
        with self.lock:
            self._leave_gone()
            if self.tool is None:
                self._take_tool()
            self.watches.append(watch)
            for code in watch.codes.values():
                self._count(code, 1)
            self._set_global_events()
            # What a watch before this one has switched off is to be seen again.
            self.shown.clear()
            _MONITORING.restart_events()

    def leave(self, watch: Watch) -> None:
        """
        Stop telling ``watch``.
        """
        with self.lock:
            self._leave(watch)
            self._leave_gone()

    def leave_soon(self, watch: Watch) -> None:
        """
        Stop telling ``watch``, now or with the next call. For finalizers: this very thread may hold the lock.
        """
        self.gone.append(watch)
        if self.lock.acquire(blocking=False):
            try:
                self._leave_gone()
            finally:
                self.lock.release()

    def add(self, watch: Watch, code: CodeType) -> None:
        """
        Choose one more function; its present activation is seen from the next line on.
        """
        with self.lock:
            if watch in self.watches:
                watch.codes[id(code)] = code
                self._count(code, 1)

    def _leave(self, watch: Watch) -> None:
        self.watches.remove(watch)
        for code in watch.codes.values():
            self._count(code, -1)
        self._set_global_events()
        if not self.watches:
            self._give_tool_back()

    def _leave_gone(self) -> None:
        while self.gone:
            self._leave(self.gone.popleft())

    def _count(self, code: CodeType, by: int) -> None:
        entry = self.counts.setdefault(id(code), [code, 0])
        entry[1] += by
        if entry[1] in (0, by):
            events = _MONITORING.events
            local = events.LINE | events.PY_START | events.PY_RESUME | events.PY_RETURN | events.PY_YIELD | events.CALL
            _MONITORING.set_local_events(self.tool, code, local if entry[1] else 0)
        if not entry[1]:
            del self.counts[id(code)]

    def _set_global_events(self) -> None:
        events = _MONITORING.events
        wanted = events.PY_UNWIND | events.PY_THROW if self.watches else 0
        if any(watch.meet for watch in self.watches):
            wanted |= events.PY_START
        if _MONITORING.get_events(self.tool) != wanted:
            _MONITORING.set_events(self.tool, wanted)

    def _take_tool(self) -> None:
        free = [tool for tool in TOOL_IDS if _MONITORING.get_tool(tool) is None]
        if not free:
            raise exclusive.Busy("sys.monitoring", str(exclusive.monitoring_holder(TOOL_IDS[0])))
        _MONITORING.use_tool_id(free[0], TOOL_NAME)
        self.tool = free[0]
        for event, callback in self._callbacks().items():
            _MONITORING.register_callback(self.tool, event, callback)

    def _give_tool_back(self) -> None:
        for event in self._callbacks():
            _MONITORING.register_callback(self.tool, event, None)
        _MONITORING.free_tool_id(self.tool)
        self.tool = None

    def _callbacks(self) -> dict[int, Any]:
        events = _MONITORING.events
        return {
            events.LINE: self._line,
            events.PY_START: self._start,
            events.PY_RESUME: self._resume,
            events.PY_THROW: self._resume,
            events.PY_RETURN: self._return,
            events.PY_UNWIND: self._return,
            events.PY_YIELD: self._yield,
            events.CALL: self._call,
        }

    # What the interpreter calls, in the thread where it happens: frame 1 is the function's

    def _line(self, _code: CodeType, line: int) -> Any:
        run = self.runs.get(_getframe(1))
        if run is not None and run.line(line) and len(self.watches) == 1:
            return _MONITORING.DISABLE
        return None

    def _start(self, code: CodeType, _offset: int) -> Any:
        watch = self.current.get()
        if watch is None or not watch.entered:
            return None
        if id(code) in watch.codes:
            watch.start(code, _getframe(1))
            return None
        if watch.meet:
            frame = _getframe(1)
            if watch.watcher.met(code, frame):
                watch.add(code)
                watch.start(code, frame)
                return None
        # Another watch may have more to learn from the same function.
        return _MONITORING.DISABLE if len(self.watches) == 1 and id(code) not in self.counts else None

    def _resume(self, _code: CodeType, _offset: int, _raised: object = None) -> None:
        run = self.runs.get(_getframe(1))
        if run is not None:
            run.resume()

    def _return(self, _code: CodeType, _offset: int, _value: object) -> None:
        run = self.runs.pop(_getframe(1), None)
        if run is not None:
            run.end()

    def _yield(self, code: CodeType, _offset: int, value: object) -> None:
        run = self.runs.get(_getframe(1))
        if run is not None:
            # What an async generator yields to whoever iterates comes wrapped; anything else is for the event loop.
            awaiting = code.co_flags & _AWAITS and type(value).__name__ != "async_generator_wrapped_value"
            run.suspend(bool(awaiting))

    def _call(self, code: CodeType, offset: int, called: object, _first: object) -> Any:
        frame = _getframe(1)
        run = self.runs.get(frame)
        watch = self.current.get()
        if run is None or watch is None:
            return None
        watch.watcher.calls(code, frame, called)
        place = (id(code), offset)
        shown = self.shown[place] = self.shown.get(place, 0) + 1
        return _MONITORING.DISABLE if shown >= CALLS_SHOWN and len(self.watches) == 1 else None
