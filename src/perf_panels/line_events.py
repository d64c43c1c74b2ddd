"""
Line events of chosen functions only, in one thread or task only: what the line profiler and the memory panel count by.

A ``Watch`` is entered around the view and again around the render. On Python 3.12 and later it asks ``sys.monitoring``
for events of the chosen code objects, so that all other code runs as fast as ever; before that it is ``sys.settrace``,
which traces no frame of other code. Activations are told apart by their frame: threads, tasks, recursion and
generators cannot mix.
"""

from __future__ import annotations

import sys
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from perf_panels import exclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextvars import Token
    from types import CodeType, FrameType

current: ContextVar[Watch | None] = ContextVar("perf_panels_line_events", default=None)

runs: dict[FrameType, Run] = {}
"""The activations of chosen functions that are not over yet, of all watches, by their frame."""


class Run(Protocol):
    """
    One activation of a chosen function, from its start to its end, with the pauses of a generator or coroutine.
    """

    @property
    def watcher(self) -> Watcher:
        """
        Whoever made it, in ``start``.
        """

    def line(self, line: int) -> bool | None:
        """
        Be told that ``line`` is about to run; True asks not to be told of this place again, which is not promised.
        """

    def suspend(self, awaiting: bool) -> None:
        """
        Be told that a value was yielded: to whoever iterates, or (``awaiting``) to the event loop.
        """

    def resume(self) -> None:
        """
        Be told that the function goes on after ``suspend``.
        """

    def end(self) -> None:
        """
        Be told that the function returned or raised.
        """


class Watcher(Protocol):
    """
    Whoever counts. Nothing it does may raise: it runs inside the user's code.
    """

    def start(self, code: CodeType, frame: FrameType) -> Run | None:
        """
        Return what is told of this activation of a chosen function, or None to let it pass.
        """

    def met(self, code: CodeType, frame: FrameType) -> bool:
        """
        Look at a function that was not chosen and runs; True chooses it, from this activation on.

        Most functions are shown once only; ``frame.f_back`` is the caller.
        """

    def calls(self, code: CodeType, frame: FrameType, called: object) -> None:
        """
        Look at what a line of a chosen function calls.

        On Python 3.12 and later ``called`` is shown a few times for each place; before that it is the code object of a
        function that was met and left alone, each time that it is called.
        """


class Watch:
    """
    Tells ``watcher`` of the lines of ``codes`` that run in this thread or task while the block is entered.

    May be entered again; a generator's activation goes on from one block to the next until ``close``. Raises
    ``exclusive.Busy`` where something else holds the tool. With ``meet`` the other functions that run are shown too.
    """

    def __init__(self, codes: Iterable[CodeType], watcher: Watcher, *, holder: str, meet: bool = False) -> None:
        # By identity: equal functions of two files have equal code objects, and hashing one takes long.
        self.codes = {id(code): code for code in codes}
        self.passed: dict[int, CodeType] = {}
        self.watcher = watcher
        self.holder = holder
        self.meet = meet
        self._token: Token[Watch | None] | None = None

    @property
    def entered(self) -> bool:
        """
        Whether the block is entered. A task that the view has left behind goes on in its context after that.
        """
        return self._token is not None

    def __enter__(self) -> None:
        if (other := current.get()) is not None and other.entered:
            raise exclusive.Busy("line events", other.holder)
        engine.open(self)
        self._token = current.set(self)

    def __exit__(self, *raised: object) -> None:
        if self._token is not None:
            current.reset(self._token)
            self._token = None
            engine.leave(self)

    def add(self, code: CodeType) -> None:
        """
        Choose one more function while the block is entered.
        """
        if id(code) not in self.codes:
            engine.add(self, code)

    def start(self, code: CodeType, frame: FrameType) -> Run | None:
        """
        Begin an activation. Called by the engine.
        """
        run = self.watcher.start(code, frame)
        if run is not None:
            runs[frame] = run
        return run

    def close(self) -> None:
        """
        Forget the activations that never ended, such as a generator nobody used up.
        """
        for frame, run in list(runs.items()):
            if run.watcher is self.watcher:
                del runs[frame]


class Followed:
    """
    One generator whose lines are told to ``run``, in whichever thread or task somebody iterates it. Python 3.12 only.

    ``close`` may be called more than once. A generator that is gone is followed no more, by and by.
    """

    def __init__(self, generator: Any, frame: FrameType, run: Run) -> None:
        self.watch = Watch([frame.f_code], run.watcher, holder="a streaming response")
        self.frame: FrameType | None = frame
        engine.open(self.watch)
        runs[frame] = run
        weakref.finalize(generator, self._stop, engine.leave_soon)

    def close(self) -> None:
        """
        Stop following.
        """
        self._stop(engine.leave)

    def _stop(self, leave: Callable[[Watch], None]) -> None:
        frame, self.frame = self.frame, None
        if frame is not None:
            runs.pop(frame, None)
            leave(self.watch)


if sys.version_info >= (3, 12):
    from perf_panels.line_monitoring import Monitoring as Engine
else:
    from perf_panels.line_tracing import Tracing as Engine

engine: Any = Engine(current, runs)
