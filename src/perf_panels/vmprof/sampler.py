"""
The safe engine: a thread that looks at the request's thread through ``sys._current_frames()``, at a modest rate.

For Pythons on which vmprof can crash, and where there is no vmprof. The thread needs the GIL for each look, so it sees
the request between two bytecodes only, and never a half-built frame.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from perf_panels.stacks import stack_of
from perf_panels.vmprof.markers import CODES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

# A look waits this long at most for a thread that computes. The default of 5 ms would halve the rate and draw the
# samples to where the thread lets go of the GIL by itself: its queries and its files.
_SWITCH_S = 0.0005
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Look(NamedTuple):
    """
    One sample: code objects and instruction offsets, the innermost first, up to the marker; and three clocks.
    """

    codes: tuple[CodeType, ...]
    instructions: tuple[int, ...]
    marker: CodeType | None
    at_ns: int
    cpu_ns: int
    rss_bytes: int | None


class Session:
    """
    A running sampler of the thread that made it. ``stop`` returns the looks.
    """

    def __init__(self, period_s: float, *, memory: bool) -> None:
        self.period_s = period_s
        self.looks: list[Look] = []
        self.began_ns = time.monotonic_ns()
        self._target = threading.get_ident()
        self._cpu_ns = _cpu_clock(self._target)
        self._statm = os.open("/proc/self/statm", os.O_RDONLY) if memory else None
        self._stopped = threading.Lock()
        self._stopped.acquire()
        self._switch_s = sys.getswitchinterval()
        self.began_cpu_ns = self._cpu_ns()
        self._thread = threading.Thread(target=self._run, name="perf-panels-sampler", daemon=True)
        sys.setswitchinterval(min(_SWITCH_S, self._switch_s))
        try:
            self._thread.start()
        except BaseException:
            sys.setswitchinterval(self._switch_s)
            raise

    def stop(self) -> list[Look]:
        """
        Stop looking. Does not wait for the thread, which ends at its next turn.
        """
        sys.setswitchinterval(self._switch_s)
        self._stopped.release()
        return self.looks

    def _run(self) -> None:
        try:
            while not self._stopped.acquire(timeout=self.period_s):
                try:
                    look = self._look()
                except OSError:
                    # The thread has ended since it was looked at, and its clock with it.
                    return
                if look is None:
                    return
                self.looks.append(look)
        finally:
            if self._statm is not None:
                os.close(self._statm)

    def _look(self) -> Look | None:
        codes, instructions = stack_of(self._target, until=CODES)
        if not codes:
            return None
        marker = None
        if codes[-1] in CODES:
            marker = codes.pop()
            instructions.pop()
        rss_bytes = None
        if self._statm is not None:
            rss_bytes = int(os.pread(self._statm, 100, 0).split()[1]) * _PAGE_BYTES
        return Look(tuple(codes), tuple(instructions), marker, time.monotonic_ns(), self._cpu_ns(), rss_bytes)


def can_see_memory() -> bool:
    """
    Return whether the memory of the process can be read in a few microseconds.
    """
    return os.path.exists("/proc/self/statm")  # noqa: PTH110 - one call and no path object


def has_cpu_clock() -> bool:
    """
    Return whether the CPU time of one thread can be read from another.
    """
    return hasattr(time, "pthread_getcpuclockid")


def _cpu_clock(thread: int) -> Callable[[], int]:
    if not has_cpu_clock():
        return time.process_time_ns
    clock: Any = time.pthread_getcpuclockid(thread)
    return lambda: time.clock_gettime_ns(clock)
