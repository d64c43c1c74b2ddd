"""
What the operating system says of the process: resident memory, its high-water mark, how exact they are.

Read at the beginning and the end of each phase, at each profiled line and a few hundred times a second in between.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PSUTIL = "psutil"
USS = "psutil_uss"
BACKENDS = (PSUTIL, USS)

_PAGE = mmap.PAGESIZE
_HIGH_WATER = re.compile(rb"^VmHWM:\s*(\d+) kB", re.MULTILINE)
_STATM = "/proc/self/statm"
_PURPOSE = "reading the memory of a process on this system"
_MISSING = "psutil is not installed, and {} needs it"
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Missing(Exception):  # noqa: N818 - an answer for people
    """
    Nothing on this system tells what was asked for; the message says what to install.
    """


class Reading:
    """
    ``read()`` returns the resident bytes of this process; ``name`` says where they come from. Where nothing on this
    system tells, ``name`` is empty and ``read()`` returns 0: most of the panel does without.

    One for a request: the file is this process's own, and a fork would go on reading its parent's.
    """

    def __init__(self, backend: str = PSUTIL) -> None:
        self.fd: int | None = None
        self.name, self.read = self._make(backend)

    def require(self) -> None:
        """
        Raise ``Missing`` where nothing tells.
        """
        if not self.name:
            raise Missing(_MISSING.format(_PURPOSE))

    def close(self) -> None:
        """
        Give the file back; a second call does nothing.
        """
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    @classmethod
    def once(cls) -> int:
        """
        Read the resident memory now.
        """
        reading = cls()
        try:
            return reading.read()
        finally:
            reading.close()

    def _make(self, backend: str) -> tuple[str, Callable[[], int]]:
        if backend == USS:
            process = _psutil("the psutil_uss backend")
            return "psutil memory_full_info().uss", lambda: int(process.memory_full_info().uss)
        if Path(_STATM).exists():
            return _STATM, self._statm()
        try:
            process = _psutil(_PURPOSE)
        except Missing:
            return "", lambda: 0
        return "psutil memory_info().rss", lambda: int(process.memory_info().rss)

    def _statm(self) -> Callable[[], int]:
        fd = self.fd = os.open(_STATM, os.O_RDONLY)
        pread, page = os.pread, _PAGE

        def read() -> int:
            return int(pread(fd, 64, 0).split(None, 2)[1]) * page

        return read


class HighWater:
    """
    The most the process has had since the last ``reset()``, as the kernel counts it: no reading in between is needed.

    ``resettable`` is False where /proc/self/clear_refs cannot be written: then only what rises above every earlier
    peak of the process is seen.
    """

    def __init__(self) -> None:
        self.fd: int | None = None
        self.status_fd: int | None = None
        try:
            self.fd = os.open("/proc/self/clear_refs", os.O_WRONLY)
            os.write(self.fd, b"5")
        except OSError:
            self.close()
        self.resettable = self.fd is not None
        self._usage = _maxrss()
        # What a parent had before this program started is in ru_maxrss for ever: only more than that is ours.
        self._floor = self._usage() if self._usage else 0
        if self.resettable and self._floor > Reading.once() + noise_bytes():
            self._read_status()

    @property
    def how(self) -> str:
        if self._usage is None:
            return "samples"
        return "VmHWM" if self.resettable else "ru_maxrss"

    def _read_status(self) -> None:
        # Slower by tens of microseconds, and so only where ru_maxrss says nothing.
        try:
            self.status_fd = os.open("/proc/self/status", os.O_RDONLY)
        except OSError:
            self._usage = None
            return
        self._floor = 0
        self._usage = self._marked

    def _marked(self) -> int:
        if self.status_fd is None:
            return 0
        found = _HIGH_WATER.search(os.pread(self.status_fd, 4096, 0))
        return int(found[1]) * 1024 if found else 0

    def bytes(self) -> int | None:
        """
        Return the mark, or None where nothing above what was before has been seen.
        """
        if self._usage is None:
            return None
        marked = self._usage()
        return marked if marked > self._floor else None

    def reset(self) -> None:
        """
        Let the mark begin anew at what the process has now.
        """
        if self.fd is not None:
            os.write(self.fd, b"5")

    def close(self) -> None:
        """
        Give the files back; a second call does nothing.
        """
        for fd in (self.fd, self.status_fd):
            if fd is not None:
                os.close(fd)
        self.fd = self.status_fd = None


@lru_cache(maxsize=1)
def noise_bytes() -> int:
    """
    Return the smallest change of the resident memory that a reading shows here, measured once.

    The kernel may count pages per CPU and add them up late (Linux 6.2 to 6.15).
    """
    reading = Reading()
    try:
        return _granularity(reading.read)
    finally:
        reading.close()


def _granularity(read: Callable[[], int]) -> int:
    pages = 512
    with mmap.mmap(-1, pages * _PAGE) as fresh:
        steps, last = [], read()
        for number in range(pages):
            fresh[number * _PAGE] = 1
            now = read()
            if now != last:
                steps.append(abs(now - last))
                last = now
    # An allocator asks for more than one page at a time; below this a number is no news.
    return max(int(median(steps or [_PAGE])), 16 * _PAGE)


def _maxrss() -> Callable[[], int] | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    getrusage, own = resource.getrusage, resource.RUSAGE_SELF
    return lambda: getrusage(own).ru_maxrss * _MAXRSS_UNIT


def _psutil(purpose: str) -> Any:
    try:
        import psutil
    except ImportError:
        raise Missing(_MISSING.format(purpose)) from None
    return psutil.Process()
