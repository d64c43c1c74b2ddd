"""
vmprof in this process: started around a phase of the request, stopped the cheap way, read after the response.

Only where ``modes`` says that it is safe, and only the thread that starts it is interrupted: a signal that meets a
thread while it makes a generator could crash the process (see ``markers``). A caller holds the tool exclusively and
stops in a ``finally``.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # CPython's own part of signal has no type stubs
import ctypes
import os
import signal
import threading
from dataclasses import dataclass, field
from typing import Any

from perf_panels.vmprof import prof
from perf_panels.vmprof.thread_timer import ThreadTimer

# More than any platform's struct sigaction (152 bytes with glibc on x86-64).
_SIGACTION_BYTES = 512
# The longest period that vmprof takes.
_LONGEST_S = 0.999


class Taken(Exception):  # noqa: N818 - an answer for people
    """
    The application uses what vmprof needs; the message says what.
    """


@dataclass
class Session:
    """
    A vmprof that samples this thread from ``timer.begin()`` to ``timer.end()``. ``stop`` returns what it wrote.

    ``yielded``: the view set a handler for the signal of its own, and there were no samples from then on.
    """

    descriptor: int
    signal: int
    timer: ThreadTimer
    handlers: dict[int, Any]
    yielded: bool = False
    process: int = field(default_factory=os.getpid)
    set_handler: Any = None

    def watch(self) -> None:
        """
        Yield the signal to a view that sets a handler for it, which only the main thread can do.

        Python's handler would take the place of vmprof's, and the next sample would call it, or kill the process.
        """
        original = self.set_handler = _signal.signal

        def set_handler(number: int, handler: Any) -> Any:
            if number == self.signal and not self.yielded:
                self.yielded = True
                self.timer.delete()
                # A signal that is pending by now is dropped.
                original(number, original(number, _signal.SIG_IGN))
            return original(number, handler)

        _signal.signal = set_handler  # what signal.signal calls, however it was imported

    def stop(self) -> bytes:
        """
        Stop sampling and give back the signals; takes 0.05 ms.

        ``vmprof.disable`` would take 20 ms to write the names of all code objects, leak half a megabyte, and in wall
        mode free the list of threads while the signal handler of another thread walks it.
        """
        if self.set_handler is not None:
            _signal.signal = self.set_handler
        if self.yielded:
            self.handlers[self.signal] = _handler(self.signal)
        if self.process != os.getpid():
            return self._left_by_a_child()
        try:
            _stop(self.signal, self.timer)
        finally:
            # vmprof leaves both signals ignored, for this process and for its children.
            _restore(self.handlers)
            data = _read_all(self.descriptor)
            os.close(self.descriptor)
        return data

    def _left_by_a_child(self) -> bytes:
        # vmprof has closed the file there and counts as stopped, but its timer, which a fork starts anew, goes on.
        signal.setitimer(signal.ITIMER_REAL if self.signal == signal.SIGALRM else signal.ITIMER_PROF, 0)
        _restore(self.handlers)
        return b""


def start(period_s: float, *, real_time: bool, memory: bool) -> Session:
    """
    Prepare vmprof for this thread. Raises ``Taken`` where the application uses the signal or runs vmprof itself.
    """
    import vmprof

    number, timer = _signal_of(real_time=real_time)
    if vmprof.is_enabled():
        raise Taken("vmprof was started by the application itself")
    if signal.getsignal(number) not in {signal.SIG_DFL, signal.SIG_IGN}:
        raise Taken(f"the application has a handler for {signal.Signals(number).name}, which vmprof needs")
    if any(signal.getitimer(timer)):
        raise Taken(f"the application has a timer that sends {signal.Signals(number).name}, which vmprof needs")
    # At each sample vmprof guards itself against SIGSEGV, and puts back less than faulthandler had set.
    handlers = {each: _handler(each) for each in (number, signal.SIGSEGV)}
    descriptor = os.memfd_create("perf_panels_vmprof")
    session_timer = None
    try:
        # Lines cost nothing measurable here. native=False always: it leaks descriptors and takes 10 ms.
        vmprof.enable(descriptor, _LONGEST_S, memory=memory, lines=True, native=False, real_time=real_time)
        # Its own timer would interrupt whichever thread the kernel picks. A fork starts it anew: hence the period.
        signal.setitimer(timer, 0)
        session_timer = ThreadTimer(number, period_s, cpu=not real_time)
    except BaseException as error:
        if vmprof.is_enabled():
            _stop(number, session_timer)
        os.close(descriptor)
        _restore(handlers)
        if isinstance(error, OSError):
            raise Taken(f"this system has no timer for one thread ({error})") from error
        raise
    session = Session(descriptor, number, session_timer, handlers)
    if threading.current_thread() is threading.main_thread():
        session.watch()
    return session


def records(data: bytes) -> list[prof.Record]:
    """
    Return the samples that a session wrote.
    """
    return list(prof.read(data))


def _signal_of(*, real_time: bool) -> tuple[int, int]:
    if real_time:
        return signal.SIGALRM, signal.ITIMER_REAL
    return signal.SIGPROF, signal.ITIMER_PROF


def _stop(number: int, timer: ThreadTimer | None) -> None:
    import _vmprof

    # This thread must not be interrupted by the signal while it has vmprof's spinlock, or it waits for itself. One that
    # is pending by then is dropped when vmprof ignores the signal.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        if timer is not None:
            timer.delete()
        if number == signal.SIGALRM:
            _vmprof.remove_real_time_thread(0)
        _vmprof.stop_sampling()
        _vmprof.disable()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _handler(number: int) -> Any:
    """
    Return what the kernel has for a signal. Python's own function for it sets handlers in the main thread only.
    """
    kept = ctypes.create_string_buffer(_SIGACTION_BYTES)
    return kept if _libc().sigaction(number, None, kept) == 0 else None


def _restore(handlers: dict[int, Any]) -> None:
    for number, kept in handlers.items():
        if kept is not None:
            _libc().sigaction(number, kept, None)


def _libc() -> Any:
    global _loaded  # noqa: PLW0603 - dlopen once
    if _loaded is None:
        _loaded = ctypes.CDLL(None)
    return _loaded


_loaded: Any = None


def _read_all(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    parts, position = [], 0
    while position < size:
        part = os.pread(descriptor, size - position, position)
        if not part:
            break
        parts.append(part)
        position += len(part)
    return b"".join(parts)
