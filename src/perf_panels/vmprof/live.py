"""
A profile of the request that is being served: one at a time in the process, started and given back around each phase.
"""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from perf_panels import exclusive
from perf_panels.vmprof import engine, markers, modes, sampler, template_frames, tracebacks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perf_panels.vmprof.modes import Choice
    from perf_panels.vmprof.samples import Phase
    from perf_panels.vmprof.thread_timer import ThreadTimer

TOOL = "the sampling profiler"


@dataclass
class Recorded:
    """
    What was written in one phase: the file of a vmprof session, or the looks of a sampler.
    """

    phase: Phase
    engine: str
    clock: markers.Clock = field(default_factory=markers.Clock)
    began_ns: int = 0
    began_cpu_ns: int = 0
    data: bytes = b""
    looks: list[sampler.Look] = field(default_factory=list)
    is_async: bool = False
    timer: ThreadTimer | None = None


@dataclass
class Profile:
    """
    What was collected of one request. ``refused`` is a sentence where nothing was, because somebody has the profiler.
    """

    choice: Choice
    holder: str
    phases: list[Recorded] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    refused: str = ""
    running: Recorded | None = None

    def note(self, sentence: str) -> None:
        """
        Keep a sentence, once.
        """
        if sentence not in self.notes:
            self.notes.append(sentence)

    def measured(self) -> dict[str, Any]:
        """
        Return the times that are known without a look at the samples.
        """
        clocks = [recorded.clock for recorded in self.phases]
        return {
            "clock": "cpu" if self.choice.mode == "cpu" else "wall",
            "cpu_ms": round(sum(clock.cpu_ns for clock in clocks) / 1e6, 3),
            "wall_ms": round(sum(clock.wall_ns for clock in clocks) / 1e6, 3),
        }

    def marked(self, phase: Phase, call: Callable[..., Any]) -> Callable[..., Any]:
        """
        Return what is called instead of the view or the render, so that samples of it are known.
        """
        recorded = self.running
        if recorded is None or recorded.phase != phase:
            return call
        recorded.is_async = markers.is_async(call)
        return markers.marked(phase, call, recorded.clock, recorded.timer)


@contextmanager
def sampled(profile: Profile, phase: Phase) -> Iterator[None]:
    """
    Sample this thread within the block, unless another request is being sampled.
    """
    holder = _acquire(profile)
    if holder is not None:
        _refuse(profile, phase, holder)
        yield
        return
    try:
        _others(profile)
        with template_frames.named():
            recorded = Recorded(phase, profile.choice.engine)
            stop = _start(profile, recorded)
            profile.running = recorded
            try:
                yield
            except BaseException as error:
                tracebacks.clean(error)
                raise
            finally:
                profile.running = None
                stop()
                profile.phases.append(recorded)
    finally:
        exclusive.release(TOOL)


def _acquire(profile: Profile) -> str | None:
    """
    Take the profiler, or return who has it.
    """
    try:
        exclusive.acquire(TOOL, profile.holder)
    except exclusive.Busy as busy:
        return busy.holder
    return None


def _start(profile: Profile, recorded: Recorded) -> Callable[[], None]:
    """
    Start the engine and return what stops it.
    """
    choice = profile.choice
    memory = choice.mode == "memory"
    if choice.engine == "vmprof":
        try:
            session = engine.start(choice.period_ms / 1000, real_time=choice.mode != "cpu", memory=memory)
        except engine.Taken as taken:
            profile.note(_("vmprof was not started: %(reason)s. The safe sampler took its place.") % {"reason": taken})
        else:
            recorded.timer = session.timer
            recorded.began_ns, recorded.began_cpu_ns = time.monotonic_ns(), time.process_time_ns()

            def stop() -> None:
                recorded.data = session.stop()
                if session.yielded:
                    profile.note(
                        _("The view set a handler for %(signal)s, which vmprof needs: what came after was not sampled.")
                        % {"signal": signal.Signals(session.signal).name}
                    )

            return stop
    recorded.engine = "sampler"
    safe = sampler.Session(modes.sampler_period_ms(choice.period_ms) / 1000, memory=memory)
    recorded.began_ns, recorded.began_cpu_ns = safe.began_ns, safe.began_cpu_ns

    def stop_safe() -> None:
        recorded.looks = safe.stop()

    return stop_safe


def _refuse(profile: Profile, phase: Phase, holder: str) -> None:
    if phase == "view" or not profile.phases:
        profile.refused = _(
            "%(holder)s was being profiled, and a process can profile one request at a time. This one was served as "
            "usual. Load it again."
        ) % {"holder": holder}
    else:
        profile.note(
            _("The render was not sampled: by then %(holder)s was being profiled.") % {"holder": holder},
        )


def _others(profile: Profile) -> None:
    """
    Say who else looks at this thread: sampling goes with all of them, but their cost is in the times.
    """
    holders = [exclusive.trace_holder(), exclusive.profile_holder()]
    holders += [exclusive.monitoring_holder(tool) for tool in (0, 1, 2)]
    names = sorted({holder for holder in holders if holder})
    if names:
        profile.note(
            _("%(names)s was active in this request: the times include what it costs.") % {"names": ", ".join(names)}
        )
