"""
Collects the times of one request's lines: chooses the functions, starts an engine around each phase, keeps the result.

``Collection`` is made when the view begins and read when the response is there. On Python 3.12 and later lines are
timed by ``sys.monitoring``; before that by line_profiler, and by ``sys.settrace`` where line_profiler cannot tell one
coroutine from another, or is not installed.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from asgiref.sync import iscoroutinefunction
from django.utils.translation import gettext as _

from perf_panels import selection, statements
from perf_panels.conf import get_config
from perf_panels.functions import target_of
from perf_panels.line_events import Watch
from perf_panels.lines import body, by_line_profiler, result
from perf_panels.lines.calibration import LOOPS, ROUNDS, called, calling, loop, plain_ns
from perf_panels.lines.recorder import TEMPLATE_RENDER, Recorder
from perf_panels.reachable import targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.http import HttpRequest, HttpResponseBase

    from perf_panels.functions import Target
    from perf_panels.line_events import Followed
    from perf_panels.lines.timings import Chosen, Phase, Timings
    from perf_panels.selection import Selection

HOLDER = "the line profiler panel"
HAS_MONITORING = sys.version_info >= (3, 12)

Chosens = dict[int, "tuple[Target, Chosen]"]


class Engine(Protocol):
    """
    What times lines. ``recorder`` has the result.
    """

    name: str
    recorder: Recorder

    @property
    def overhead_ns(self) -> tuple[float, float, float]: ...

    def entered(self, phase: Phase) -> AbstractContextManager[Any]:
        """
        Time what runs in this block. Raises ``exclusive.Busy``.
        """

    def close(self) -> None:
        """
        Let go of everything.
        """


class Events:
    """
    The engine of ``line_events``: ours.
    """

    def __init__(self, chosen: Chosens) -> None:
        self.name = "sys.monitoring" if HAS_MONITORING else "sys.settrace"
        self.recorder = Recorder(chosen, get_config().LINES_FUNCTIONS)
        codes = [target.code for target, _ in chosen.values()]
        self.watch = Watch([*codes, TEMPLATE_RENDER], self.recorder, holder=HOLDER, meet=True)

    @property
    def overhead_ns(self) -> tuple[float, float, float]:
        return events_overhead_ns()

    @contextmanager
    def entered(self, phase: Phase) -> Iterator[None]:
        self.recorder.phase = phase
        with statements.listening(self.recorder), self.watch:
            yield

    def close(self) -> None:
        self.watch.close()


class Collection:
    """
    One request. ``timings`` gives what was timed; nothing is kept of the request itself.
    """

    def __init__(self, name: str, view: Callable[..., Any], request: HttpRequest, chosen: Selection) -> None:
        method = request.method or "GET"
        self.name = name
        self.url = f"{method} {request.get_full_path()}"
        self.phase_ms: dict[str, float] = {}
        self.followed: Followed | None = None
        self.streaming = False
        self.targets = targets_of(view, method)
        selection.remember(name, self.targets)
        self.added, self.unseen = selection.chosen(name, chosen)
        self.engine = self._engine(is_async=iscoroutinefunction(view))

    @contextmanager
    def entered(self, phase: Phase) -> Iterator[None]:
        """
        Time what runs in this block. Raises ``exclusive.Busy`` before the block is entered.
        """
        with self.engine.entered(phase):
            began = perf_counter()
            try:
                yield
            finally:
                self.phase_ms[phase] = self.phase_ms.get(phase, 0.0) + (perf_counter() - began) * 1000

    def timings(self) -> Timings:
        """
        Return what was timed, and let functions that ran be chosen from now on.
        """
        engine, recorder = self.engine, self.engine.recorder
        selection.remember(self.name, _met(recorder))
        if isinstance(engine, Events) and not HAS_MONITORING:
            by_line_profiler.learn(self.name, self.url, recorder)
        in_line, whole, each_call = engine.overhead_ns
        timings = result.timings_of(recorder, engine=engine.name, overhead_ns=in_line, phase_ms=self.phase_ms)
        timings.whole_overhead_ns, timings.call_overhead_ns = whole, each_call
        timings.selection = [result.called(target) for target in self.added]
        timings.unseen = self.unseen
        timings.notes = list(self._notes(timings))
        return timings

    def follow(self, response: HttpResponseBase) -> Followed | None:
        """
        End the timing of all else, and time a streamed body while it is sent, where that can be done.
        """
        self.engine.close()
        if HAS_MONITORING and response.streaming:
            self.followed = body.follow(response, self.engine.recorder)
        self.streaming = response.streaming
        return self.followed

    def _engine(self, *, is_async: bool) -> Engine:
        chosen = self._chosen()
        # line_profiler counts for a thread, and an event loop has many tasks in one.
        if HAS_MONITORING or is_async:
            return Events(chosen)
        return by_line_profiler.engine(self.name, self.url, chosen) or Events(chosen)

    def _chosen(self) -> Chosens:
        chosen: Chosens = {
            id(target.code): (target, "second choice" if target.second_choice else "view") for target in self.targets
        }
        for target in self.added:
            live = target if HAS_MONITORING else by_line_profiler.live(self.name, target)
            chosen[id(live.code)] = live, "deeper"
        return chosen

    def _notes(self, timings: Timings) -> Iterator[str]:
        if timings.unseen:
            yield _("Not seen under this view in this process yet, so not timed: %(names)s.") % {
                "names": ", ".join(each.rpartition(":")[0] for each in timings.unseen)
            }
        if any(line.calls_unknown for function in timings.functions for line in function.lines):
            yield _("Lines ran here that had not run before: what they call is known from the next request on.")
        if self.streaming and self.followed is None:
            yield _("The body is sent after the view has returned, and was not timed.")


def _met(recorder: Recorder) -> Iterator[Target]:
    yield from (target for target, _ in recorder.met_codes.values())
    for timed in recorder.timed.values():
        yield timed.target
        for cell in timed.cells.values():
            yield from (target for target, _ in cell.called.values())


@lru_cache(maxsize=1)
def events_overhead_ns() -> tuple[float, float, float]:
    """
    Return what one hit adds to the time of its line, and to the request; and a call to the line that calls.

    Measured once in this process. What else a hit or call costs is measured as it happens, and in no time.
    """
    hits, total_ns = min((_watched(loop) for _round in range(ROUNDS)), key=lambda found: found[1])
    in_line = max(0.0, (total_ns - plain_ns()) / hits)
    rounds = [_watched(calling, called) for _round in range(ROUNDS)]
    by_calls = min(own_ns - hits * in_line for hits, own_ns in rounds)
    return in_line, in_line, max(0.0, (by_calls - plain_ns(calling)) / LOOPS)


def _watched(*functions: Callable[..., Any]) -> tuple[int, int]:
    """
    Return the hits of the first of these functions and the time that its lines took by themselves.
    """
    targets = [target for each in functions if (target := target_of(each)) is not None]
    recorder = Recorder({id(target.code): (target, "view") for target in targets}, 0)
    with Watch([target.code for target in targets], recorder, holder=HOLDER):
        functions[0](LOOPS)
    cells = recorder.timed["view", id(targets[0].code)].cells.values()
    return sum(cell.hits for cell in cells), sum(cell.total_ns - cell.inner_ns for cell in cells)
