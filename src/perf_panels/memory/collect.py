"""
Measures one request's memory: the process always, and what the chosen engine sees on top of it.

A ``Collection`` is started when the view begins, stopped when the request leaves the toolbar's middleware, and may look
once more when the response is gone. Whatever it took from the process is given back by ``release()``.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from perf_panels import exclusive
from perf_panels.memory.engines import AllocationsEngine, LinesEngine, ObjectsEngine
from perf_panels.memory.kept import Baseline, stored_bytes
from perf_panels.memory.measurements import ALLOCATIONS, LINES, VIEW, Measurements, Phase, Process
from perf_panels.memory.others import Crowd
from perf_panels.memory.pauses import Pauses
from perf_panels.memory.process import HighWater, Missing, Reading, noise_bytes
from perf_panels.memory.refusal import sentence
from perf_panels.memory.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.functions import Target
    from perf_panels.memory.engines import Engine

TOOL = "the measurement of memory"
NOBODY_CLOSED_S = 10.0
"""Seconds after which tracing ends although no server said that the response is over."""

PATIENCE_S = 0.5
"""Seconds for which a request waits until what stayed of the last one was looked at."""

_waiting: list[Collection] = []
"""Requests that are over, and wait for their response to be gone."""


def _give_way() -> None:
    for collection in _waiting.copy():
        collection.give_way()


class Collection:
    """
    One request. ``problem`` says why the engine does not run; the process is looked at all the same.
    """

    def __init__(self, engine: str, *, frames: int, holder: str, targets: list[Target]) -> None:
        self.engine_name = engine
        self.frames = frames
        self.holder = holder
        self.targets = targets
        self.engine: Engine | None = None
        self.problem: str | None = None
        self.phases: list[Phase] = []
        self.taken = False
        self.stopped = False
        self.began = perf_counter()
        self.reading = Reading()
        self.pauses = Pauses(self.clock)
        self.crowd = Crowd()
        self.high: HighWater | None = None
        self.sampler = Sampler(self.reading.read, self.clock)
        self.kept_before: Baseline | None = None
        self.rss_before = self.rss_end = self.rss_peak = 0
        self.rss_after: int | None = None
        self.store_before = self.store_after = 0
        self.timer: threading.Timer | None = None
        self.guard = threading.Lock()

    def clock(self) -> float:
        """
        Return the milliseconds since the view began.
        """
        return (perf_counter() - self.began) * 1000

    def start(self) -> None:
        """
        Take the tools, the costly preparations first: what is read afterwards is the request's.
        """
        noise_bytes()
        self.kept_before = Baseline()
        self.store_before = stored_bytes()
        _give_way()
        try:
            exclusive.acquire(TOOL, self.holder)
            self.taken = True
            self.high = HighWater()
            self.engine = self._engine()
            self.engine.start()
        except exclusive.Busy as busy:
            self._refused(busy)
        except Missing as missing:
            self.problem = _("%(what)s. Install it, or choose another engine below.") % {"what": missing}
        self.crowd.start()
        self.pauses.start()
        self.began = perf_counter()
        self.rss_before = self.rss_end = self.rss_peak = self.reading.read()
        if self.high is not None:
            self.high.reset()
        if self.taken:
            if self.engine is not None:
                self.sampler.also = self.engine.glance
            self.sampler.start()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """
        Measure what runs in this block: the view, or the render.
        """
        if self.stopped:
            yield
            return
        if self.phases and self.high is not None:
            # What came between the view and the render is not theirs.
            self.high.reset()
        self.sampler.phase, self.sampler.thread = name, threading.get_ident()
        phase = Phase(name, self.clock(), 0.0, self.sampler.add())
        self.phases.append(phase)
        with ExitStack() as stack:
            if self.engine is not None:
                try:
                    stack.enter_context(self.engine.phase())
                except exclusive.Busy as busy:
                    self._refused(busy)
            try:
                yield
            finally:
                stack.close()
                phase.end_ms, phase.rss_end_bytes = self.clock(), self.sampler.add()
                self.rss_end = phase.rss_end_bytes
                self._note_peak()
                self.sampler.phase = ""
                if self.engine is not None and name == VIEW:
                    self.engine.view_is_over()

    def stop(self) -> None:
        """
        End the measurement; a second call does nothing. Only what stays after the response is still of interest.
        """
        if self.stopped:
            return
        self.stopped = True
        self.sampler.stop()
        self.pauses.stop()
        self.crowd.stop()
        try:
            if self.engine is not None:
                self.engine.stop()
        finally:
            if self.engine is None or not self.engine.looks_after:
                self.release()
            else:
                _waiting.append(self)
                # Where the server never says that the response is over, and nothing was reported.
                self.timer = threading.Timer(NOBODY_CLOSED_S, self.release)
                self.timer.daemon = True
                self.timer.start()

    def after(self) -> bool:
        """
        Look at what is still there, now that the response is gone, and give everything back. False: it is too late.
        """
        try:
            with self.guard:
                if self.engine is not None and self.engine.looks_after:
                    if not self.taken:
                        return False
                    self.engine.after()
            self.rss_after, self.store_after = Reading.once(), stored_bytes()
        finally:
            self.release()
        return True

    def release(self) -> None:
        """
        Give every tool back; a second call does nothing.
        """
        with self.guard:
            self._release()

    def _release(self) -> None:
        timer, self.timer = self.timer, None
        if timer is not None:
            timer.cancel()
        if self in _waiting:
            _waiting.remove(self)
        if self.engine is not None:
            self.engine.release()
        if self.high is not None:
            self.high.close()
        self.reading.close()
        if self.taken:
            self.taken = False
            exclusive.release(TOOL)

    def give_way(self) -> None:
        """
        Give everything back to a request that begins, unless what stayed is being looked at for long.
        """
        if self.guard.acquire(timeout=PATIENCE_S):
            try:
                self._release()
            finally:
                self.guard.release()

    def measurements(self) -> Measurements:
        """
        Return what is known by now.
        """
        measured = Measurements(
            self.engine_name,
            self._process() if self.reading.name else Process(0, 0, reading="", noise_bytes=noise_bytes()),
            phases=self.phases,
            curve=list(self.sampler.points) if self.reading.name else [],
            others=self.crowd.counted,
            problem=self.problem,
        )
        measured.process.collections = list(self.pauses.collections)
        if self.engine is not None and self.problem is None:
            self.engine.fill(measured)
        return measured

    def _process(self) -> Process:
        high = self.high
        return Process(
            rss_before_bytes=self.rss_before,
            rss_end_bytes=self.rss_end,
            rss_peak_bytes=max([self.rss_peak, *(point.rss_bytes for point in self.sampler.points if point.phase)]),
            how=high.how if high is not None else "samples",
            rss_after_bytes=self.rss_after,
            store_before_bytes=self.store_before,
            store_after_bytes=self.store_after,
            reading=self.reading.name,
            noise_bytes=noise_bytes(),
        )

    def kept(self, toolbar: Any) -> Any:
        """
        Return what DEBUG and the toolbar keep of this request.
        """
        assert self.kept_before is not None
        return self.kept_before.kept(toolbar)

    def _engine(self) -> Engine:
        if self.engine_name == LINES:
            assert self.high is not None
            self.reading.require()
            return LinesEngine(self.targets, self.reading, self.high, self._peak_seen)
        if self.engine_name == ALLOCATIONS:
            assert self.kept_before is not None
            return AllocationsEngine(self.targets, self.frames, self.clock, self.kept_before)
        return ObjectsEngine()

    def _peak_seen(self, high: int) -> None:
        if self.sampler.phase:
            self.rss_peak = max(self.rss_peak, high)

    def _note_peak(self) -> None:
        self.rss_peak = max(self.rss_peak, self.rss_end, (self.high.bytes() or 0) if self.high is not None else 0)

    def _refused(self, busy: exclusive.Busy) -> None:
        self.problem = sentence(busy)
