"""
The three engines in one shape, as ``collect`` drives them: start, phases, stop, a look after the response, release.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from django.utils.translation import gettext as _

from perf_panels import exclusive
from perf_panels.conf import get_config
from perf_panels.line_events import Watch
from perf_panels.memory.allocations import Tracing
from perf_panels.memory.line_engine import Meter
from perf_panels.memory.objects import Counting
from perf_panels.memory.process import PSUTIL, Reading
from perf_panels.memory.refusal import sentence
from perf_panels.memory.results import Metered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from perf_panels.functions import Target
    from perf_panels.memory.kept import Baseline
    from perf_panels.memory.measurements import Measurements
    from perf_panels.memory.process import HighWater

HOLDER = "the memory panel"


class Engine(Protocol):
    """
    What one engine does in a request. ``looks_after``: it has something to say about what stays after the response.
    """

    looks_after: bool

    @property
    def failure(self) -> Exception | None:
        """
        The first exception of ours inside the host's code, which never saw it.
        """

    def glance(self) -> None:
        """
        Be told by the sampler's thread that some milliseconds have passed.
        """

    def start(self) -> None: ...

    def phase(self) -> AbstractContextManager[Any]:
        """
        Return what is entered around the view and the render. Entering may raise ``exclusive.Busy``.
        """

    def view_is_over(self) -> None: ...

    def stop(self) -> None: ...

    def after(self) -> None:
        """
        Look at what is still there; the response is gone.
        """

    def release(self) -> None:
        """
        Give back what was taken; a second call does nothing.
        """

    def fill(self, measured: Measurements) -> None:
        """
        Put what was found into the measurements.
        """


class LinesEngine:
    """
    Resident memory, statement by statement.
    """

    looks_after = False

    @property
    def failure(self) -> Exception | None:
        return self.meter.failure

    def glance(self) -> None:
        pass

    def __init__(
        self, targets: list[Target], resident: Reading, high: HighWater, peak_seen: Callable[[int], None]
    ) -> None:
        self.backend = get_config().MEMORY_BACKEND
        self.own_reading = None if self.backend == PSUTIL else Reading(self.backend)
        self.reading = self.own_reading or resident
        read = _resident_reader(self.reading, None if self.own_reading else high, peak_seen)
        self.meter = Meter(read, get_config().MEMORY_LINE_EVENTS, targets)
        self.watch = _watch(targets, self.meter)
        self.result = Metered()

    def start(self) -> None:
        pass

    def phase(self) -> AbstractContextManager[Any]:
        return self.watch

    def view_is_over(self) -> None:
        pass

    def stop(self) -> None:
        self.watch.close()
        self.result = self.meter.result(self.backend)

    def after(self) -> None:
        pass

    def release(self) -> None:
        if self.own_reading is not None:
            self.own_reading.close()

    def fill(self, measured: Measurements) -> None:
        measured.lines = self.result


class AllocationsEngine:
    """
    tracemalloc by line, and its traced memory statement by statement.
    """

    def __init__(self, targets: list[Target], frames: int, clock: Callable[[], float], kept_before: Baseline) -> None:
        self.tracing = Tracing(frames, clock)
        self.kept_before = kept_before
        self.meter = Meter(self.tracing.read, get_config().MEMORY_LINE_EVENTS, targets, own_counts=True)
        self.watch = _watch(targets, self.meter)
        self.looks_after = get_config().MEMORY_LEAK_REQUESTS > 0
        self.problem: str | None = None
        self.metered = Metered()

    @property
    def failure(self) -> Exception | None:
        return self.meter.failure

    def glance(self) -> None:
        self.tracing.glance()

    def start(self) -> None:
        self.tracing.start()

    @contextmanager
    def phase(self) -> Iterator[None]:
        self.tracing.phase_begins()
        try:
            with self._lines():
                yield
        finally:
            self.tracing.phase_is_over()

    def view_is_over(self) -> None:
        self.tracing.view_is_over()

    def stop(self) -> None:
        self.tracing.stop(self.kept_before.log())
        self.watch.close()
        self.metered = self.meter.result("tracemalloc")
        self.metered.problem = self.problem

    def after(self) -> None:
        self.tracing.after()

    def release(self) -> None:
        self.tracing.release()

    def fill(self, measured: Measurements) -> None:
        if self.tracing.lost:
            measured.problem = _(
                "Your code stopped tracemalloc during the request, or cleared its traces. Take that out, or choose "
                "another engine below, and load the page again."
            )
            return
        measured.allocations = self.tracing.result()
        measured.allocations.metered = self.metered

    def _lines(self) -> AbstractContextManager[Any]:
        if self.problem is not None:
            return nullcontext()
        try:
            return _Entered(self.watch)
        except exclusive.Busy as busy:
            # The lines are only half of this engine.
            self.problem = sentence(busy)
            return nullcontext()


class ObjectsEngine:
    """
    Objects by type and model instances by model.
    """

    def __init__(self) -> None:
        self.counting = Counting()
        self.looks_after = get_config().MEMORY_LEAK_REQUESTS > 0

    @property
    def failure(self) -> Exception | None:
        return self.counting.instances.failure

    def glance(self) -> None:
        pass

    def start(self) -> None:
        self.counting.start()

    def phase(self) -> AbstractContextManager[Any]:
        return self.counting.phase()

    def view_is_over(self) -> None:
        self.counting.view_is_over()

    def stop(self) -> None:
        self.counting.stop()

    def after(self) -> None:
        self.counting.after()

    def release(self) -> None:
        pass

    def fill(self, measured: Measurements) -> None:
        measured.objects = self.counting.result()


class _Entered:
    """
    A watch that is entered already, for a ``with`` of its own.
    """

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        watch.__enter__()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        self.watch.__exit__(*raised)


def _watch(targets: list[Target], meter: Meter) -> Watch:
    return Watch([target.code for target in targets], meter, holder=HOLDER, meet=True)


def _resident_reader(
    reading: Reading, high: HighWater | None, peak_seen: Callable[[int], None]
) -> Callable[[], tuple[int, int]]:
    read = reading.read
    if high is None:

        def now_only() -> tuple[int, int]:
            now = read()
            return now, now

        return now_only

    mark, reset = high.bytes, high.reset

    def now_and_most() -> tuple[int, int]:
        now, most = read(), mark() or 0
        most = max(now, most)
        # The mark begins anew at each line: what it says is of this line alone.
        reset()
        peak_seen(most)
        return now, most

    return now_and_most
