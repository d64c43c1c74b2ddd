"""
A timer whose signal goes to one thread: POSIX ``timer_create`` with ``SIGEV_THREAD_ID`` (Linux, timer_create(2)).

``signal.setitimer`` lets the kernel pick a thread, so that other requests are interrupted and sampled too.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from functools import cache
from typing import Any, ClassVar

_SIGEV_THREAD_ID = 4


class _Event(ctypes.Structure):
    # struct sigevent of the kernel, 64 bytes everywhere.
    _fields_: ClassVar = [
        ("value", ctypes.c_void_p),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread", ctypes.c_int),
        ("_rest", ctypes.c_byte * 44),
    ]


class _Moment(ctypes.Structure):
    _fields_: ClassVar = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class _Times(ctypes.Structure):
    _fields_: ClassVar = [("interval", _Moment), ("value", _Moment)]


class ThreadTimer:
    """
    Sends ``number`` to this thread every ``period_s`` seconds, of its CPU time or of the clock on the wall, from
    ``begin()`` to ``end()``. ``delete()`` ends it for good. A child process does not have it: there nothing happens.

    Raises ``OSError`` where the system has no such timers.
    """

    def __init__(self, number: int, period_s: float, *, cpu: bool) -> None:
        every = _Moment(*divmod(round(period_s * 1e9), 1_000_000_000))
        self._every, self._never = _Times(every, every), _Times()
        self._timer = ctypes.c_void_p()
        self._process: int | None = os.getpid()
        clock = time.CLOCK_THREAD_CPUTIME_ID if cpu else time.CLOCK_MONOTONIC
        event = _Event(number=number, notify=_SIGEV_THREAD_ID, thread=threading.get_native_id())
        _called("timer_create", clock, ctypes.byref(event), ctypes.byref(self._timer))

    def begin(self) -> None:
        """
        Send the first one a period from now.
        """
        self._set(self._every)

    def end(self) -> None:
        """
        Send no more until the next ``begin()``; one that was sent already may still arrive.
        """
        self._set(self._never)

    def delete(self) -> None:
        if self._process == os.getpid():
            _called("timer_delete", self._timer)
        self._process = None

    def _set(self, times: _Times) -> None:
        # This stands around the host's view, so nothing is raised: what fails costs samples.
        if self._process == os.getpid():
            _library().timer_settime(self._timer, 0, ctypes.byref(times), None)


def _called(name: str, *arguments: Any) -> None:
    if _library()[name](*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


@cache
def _library() -> Any:
    """
    Return the library that has the timers: the C library, or librt before glibc 2.34. Raises ``OSError`` without any.
    """
    for name in (None, "librt.so.1"):
        # PyDLL keeps the GIL: a thread that begins must not wait for others before it comes to what is sampled.
        library = ctypes.PyDLL(name, use_errno=True)
        if hasattr(library, "timer_create"):
            return library
    raise OSError("this system has no timer_create")
