"""
Line events by ``sys.settrace`` (Python 3.10 and 3.11), for ``line_events``.

The trace function is set in the thread that enters a watch, and removed when the thread's last watch is left. It
returns None for frames of other code: their lines cost nothing.
"""

from __future__ import annotations

import dis
import inspect
import sys
import threading
from typing import TYPE_CHECKING, Any

from perf_panels import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar
    from types import CodeType, FrameType

    from perf_panels.line_events import Run, Watch

_AWAITS = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR
_SUSPENDS = _AWAITS | inspect.CO_GENERATOR
_RESUME = dis.opmap.get("RESUME")
_YIELD_VALUE = dis.opmap["YIELD_VALUE"]
_YIELD_FROM = dis.opmap.get("YIELD_FROM")
_AWAITING = bytes([_YIELD_FROM or 0])


class Tracing:
    """
    One trace function a thread, for all watches entered in it.
    """

    def __init__(self, current: ContextVar[Watch | None], runs: dict[FrameType, Run]) -> None:
        self.current = current
        self.runs = runs
        self.local = threading.local()
        self.trace = self._tracer()

    def open(self, watch: Watch) -> None:
        """
        Begin to tell ``watch`` of its code objects. Raises ``Busy`` where a trace function is set.
        """
        entered: list[Watch] = self.local.__dict__.setdefault("entered", [])
        if not entered:
            if (holder := exclusive.trace_holder()) is not None:
                raise exclusive.Busy("sys.settrace", holder)
            sys.settrace(self.trace)
        entered.append(watch)

    def leave(self, watch: Watch) -> None:
        """
        Stop telling ``watch``.
        """
        self.local.entered.remove(watch)
        # Whoever set a trace function of their own in the meantime keeps it.
        if not self.local.entered and sys.gettrace() is self.trace:
            sys.settrace(None)

    def add(self, watch: Watch, code: CodeType) -> None:
        """
        Choose one more function.
        """
        watch.codes[id(code)] = code

    def _tracer(self) -> Callable[[FrameType, str, object], Any]:
        # All code that is not watched costs this, 0.4 µs a call: to be no method pays for the look at the caller.
        watch_of, runs, begin = self.current.get, self.runs, self._begin

        def trace(frame: FrameType, event: str, _arg: object) -> Any:
            watch = watch_of()
            if watch is None:
                return None
            # First of all what most calls are.
            if id(frame.f_code) in watch.passed:
                caller = frame.f_back
                if caller in runs:
                    watch.watcher.calls(caller.f_code, caller, frame.f_code)
                return None
            return begin(watch, frame) if event == "call" else None

        return trace

    def _begin(self, watch: Watch, frame: FrameType) -> Any:
        code = frame.f_code
        run = self.runs.get(frame)
        if run is not None:
            run.resume()
            return self._local
        if not watch.entered or not _begins(frame):
            return None
        if id(code) not in watch.codes:
            if not (watch.meet and watch.watcher.met(code, frame)):
                watch.passed[id(code)] = code
                return None
            watch.add(code)
        return self._local if watch.start(code, frame) is not None else None

    def _local(self, frame: FrameType, event: str, value: object) -> Any:
        run = self.runs.get(frame)
        if run is None:
            return None
        if event == "line":
            run.line(frame.f_lineno)
        elif event == "return":
            if _yields(frame):
                flags = frame.f_code.co_flags
                wrapped = type(value).__name__ == "async_generator_wrapped_value"
                run.suspend(bool(flags & _AWAITS) and not wrapped)
            else:
                del self.runs[frame]
                run.end()
        return self._local


def _begins(frame: FrameType) -> bool:
    """
    Return whether a "call" event is one of a start, and not of a coroutine or generator that goes on.
    """
    code, at = frame.f_code, frame.f_lasti
    if not code.co_flags & _SUSPENDS or at < 0:
        return True
    # From Python 3.11 on an instruction says which of them it is.
    return code.co_code[at] == _RESUME and not code.co_code[at + 1] & 3


def _yields(frame: FrameType) -> bool:
    """
    Return whether a "return" event is one of a suspension: the interpreter says the same of both.
    """
    code, at = frame.f_code, frame.f_lasti
    if not code.co_flags & _SUSPENDS:
        return False
    # Python 3.10 steps back before it suspends in an await, so that it comes to the same instruction again.
    return code.co_code[at] == _YIELD_VALUE or (_YIELD_FROM is not None and code.co_code[at + 2 : at + 3] == _AWAITING)
