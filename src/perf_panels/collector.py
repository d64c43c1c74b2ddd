"""
The garbage collector, kept from running where threads must not change: in the middle of a call into C.

Before Python 3.12 a collection may start wherever an object is made, and run finalizers and ``gc.callbacks`` written in
Python, at which threads change.
"""

from __future__ import annotations

import gc
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Pauses:
    """
    How many blocks want no collection at present, and whether there were any before the first of them.
    """

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.count = 0
        self.enabled = False

    def begin(self) -> None:
        with self.guard:
            if not self.count:
                self.enabled = gc.isenabled()
                gc.disable()
            self.count += 1

    def end(self) -> None:
        with self.guard:
            self.count -= 1
            if not self.count and self.enabled:
                gc.enable()

    def forked(self) -> None:
        """
        Begin anew in a child: the threads that wanted no collection are not there.
        """
        self.guard = threading.Lock()
        if self.count and self.enabled:
            gc.enable()
        self.count = 0


_pauses = _Pauses()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pauses.forked)


@contextmanager
def paused() -> Iterator[None]:
    """
    Let no collection start by itself within the block, in any thread; blocks of several threads may overlap.
    """
    _pauses.begin()
    try:
        yield
    finally:
        _pauses.end()
