"""
The frames by which samples of a request are told from all others, one for the view and one for the render.

Only the request that is being profiled runs through them. They also measure exactly what the samples estimate.

And they keep vmprof from crashing Python. Frames lie in chunks of 16 KiB; a call that does not fit into the last chunk
gets a new one, which is unmapped when the call ends. The call of a generator function ends before its thread forgets
its frame (``RETURN_GENERATOR`` in Python/bytecodes.c pops it and then sets ``current_frame``), so a signal handler that
comes between follows a pointer into unmapped memory; a loop that makes generators at just this depth crashes within
seconds. A marker frame takes so much room that everything below it lies in one chunk.
"""

from __future__ import annotations

import sys
import time
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction

from perf_panels.vmprof.samples import PHASES, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import CodeType

    from perf_panels.vmprof.thread_timer import ThreadTimer


@dataclass
class Clock:
    """
    What was measured of one phase. ``running_ns`` is less than ``wall_ns`` where an async view gave way to others.
    """

    began_ns: int = 0
    wall_ns: int = 0
    running_ns: int = 0
    cpu_ns: int = 0


def marked(
    phase: Phase, call: Callable[..., Any], clock: Clock, timer: ThreadTimer | None = None
) -> Callable[..., Any]:
    """
    Return what calls ``call`` below the phase's marker frame, measuring it with ``clock``.

    ``timer`` runs meanwhile and at no other time: what other panels do before and after is below no marker.
    """
    begin, end = (timer.begin, timer.end) if timer is not None else (_nothing, _nothing)
    if is_async(call):
        step = _timed(_STEPS[phase], begin, end)

        async def amarked(*args: Any, **kwargs: Any) -> Any:
            clock.began_ns = began_ns = time.monotonic_ns()
            try:
                return await _driven(step, _coroutine(call(*args, **kwargs)), clock)
            finally:
                clock.wall_ns += time.monotonic_ns() - began_ns

        return amarked
    run = _RUNS[phase]

    def smarked(*args: Any, **kwargs: Any) -> Any:
        clock.began_ns = began_ns = time.monotonic_ns()
        cpu_ns = time.thread_time_ns()
        begin()
        try:
            return run(call, *args, **kwargs)
        finally:
            end()
            clock.cpu_ns += time.thread_time_ns() - cpu_ns
            clock.wall_ns = clock.running_ns = time.monotonic_ns() - began_ns

    return smarked


def is_async(call: Callable[..., Any]) -> bool:
    """
    Return whether the view or the render is a coroutine function.
    """
    return bool(iscoroutinefunction(call))


def _nothing() -> None:
    pass


def _timed(step: Callable[..., Any], begin: Callable[[], None], end: Callable[[], None]) -> Callable[..., Any]:
    def timed(*args: Any) -> Any:
        begin()
        try:
            return step(*args)
        finally:
            end()

    return timed


def _run_view(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return call(*args, **kwargs)


def _step_view(step: Callable[..., Any], *args: Any) -> Any:
    return step(*args)


# Words of 8 bytes: a new chunk is at least twice the size of the frame that needs it (push_chunk in Python/pystate.c),
# so this much is left for the frames below, of which most have 10 to 30 words. Only what is used of it takes memory.
_ROOM = 1024 * 64 if sys.version_info >= (3, 11) else 0


def _copy(function: Callable[..., Any], name: str) -> Any:
    """
    Return the function with a code object of its own, which is what a sample knows it by, and with room below it.
    """
    assert isinstance(function, types.FunctionType)
    code = function.__code__
    code = code.replace(co_name=name, co_stacksize=code.co_stacksize + _ROOM)
    return types.FunctionType(code, function.__globals__)


_RUNS: dict[Phase, Any] = {phase: _copy(_run_view, f"perf_panels_{phase}") for phase in PHASES}
_STEPS: dict[Phase, Any] = {phase: _copy(_step_view, f"perf_panels_{phase}_step") for phase in PHASES}

CODES: dict[CodeType, Phase] = {
    function.__code__: phase for functions in (_RUNS, _STEPS) for phase, function in functions.items()
}


def _coroutine(made: Any) -> Any:
    """
    Return what can be run step by step: an async view may also return a future, say.
    """
    return made if hasattr(made, "send") and hasattr(made, "throw") else _awaiting(made)


async def _awaiting(made: Any) -> Any:
    return await made


@types.coroutine
def _driven(step: Any, coroutine: Coroutine[Any, Any, Any], clock: Clock) -> Generator[Any, Any, Any]:
    """
    Run a coroutine step by step, so that only what its own task does is below the marker and is measured.
    """
    resume: tuple[Any, ...] = (coroutine.send, None)
    while True:
        running_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        try:
            yielded = step(*resume)
        except StopIteration as finished:
            return finished.value
        finally:
            clock.running_ns += time.monotonic_ns() - running_ns
            clock.cpu_ns += time.thread_time_ns() - cpu_ns
        try:
            resume = (coroutine.send, (yield yielded))
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # noqa: BLE001 - thrown into the view, such as its cancellation
            resume = (coroutine.throw, error)
