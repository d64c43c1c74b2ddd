"""
Python's own collections of garbage while a request is watched: each stops all code of the process.
"""

from __future__ import annotations

import gc
from time import perf_counter
from typing import TYPE_CHECKING, Any

from perf_panels.memory.measurements import GarbageCollection

if TYPE_CHECKING:
    from collections.abc import Callable


class Pauses:
    """
    Listens to the collector from ``start()`` to ``stop()``; ``clock`` gives milliseconds since the view began.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.collections: list[GarbageCollection] = []
        self.began = 0.0
        # One object: a bound method is made anew at each access, and the list is searched by identity first.
        self.callback = self._told

    def start(self) -> None:
        gc.callbacks.append(self.callback)

    def stop(self) -> None:
        """
        Stop listening; a second call does nothing.
        """
        if self.callback in gc.callbacks:
            gc.callbacks.remove(self.callback)

    def _told(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self.began = perf_counter()
            return
        pause_ms = (perf_counter() - self.began) * 1000 if self.began else 0.0
        self.collections.append(
            GarbageCollection(
                info["generation"], self.clock() - pause_ms, pause_ms, info["collected"], info["uncollectable"]
            )
        )
