"""
What DEBUG and the toolbar hold of a traced request after its response, to be taken off what stayed at each line.

Told while tracemalloc still runs: of the query log in the request's thread, of the store when the response is gone.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from perf_panels.memory.allocations import Block, Trace

_DICT_BYTES = sys.getsizeof({})


class NotTheViews:
    """
    Blocks by where they were allocated, and by their size alone where nobody knows.
    """

    def __init__(self) -> None:
        self.placed: defaultdict[Trace, list[int]] = defaultdict(lambda: [0, 0])
        self.unplaced: Counter[int] = Counter()
        self.seen: set[int] = set()

    def add(self, objects: Iterable[Any]) -> None:
        """
        Add objects, each by itself.
        """
        for each in objects:
            self._place(each, sys.getsizeof(each))

    def add_log(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """
        Add entries of Django's query log.
        """
        for entry in entries:
            self._place(entry, _DICT_BYTES)
            self.add(entry.values())
            # Python keeps the tables of small dicts to use them again. They stay where they were first allocated: at
            # any line that makes small dicts, and no call says at which.
            self.unplaced[sys.getsizeof(entry) - _DICT_BYTES] += 1

    def by_trace(self, blocks: Iterable[Block]) -> dict[Trace, tuple[int, int]]:
        """
        Return {trace: (bytes, blocks)} of what is to be taken off, of these blocks that are still there.
        """
        found = defaultdict(lambda: [0, 0], {trace: list(sums) for trace, sums in self.placed.items()})
        alike: Counter[tuple[Trace, int]] = Counter()
        if self.unplaced:
            alike.update((trace, size) for _domain, size, trace, _frames in blocks if size in self.unplaced)
        for (trace, size), count in alike.items():
            # Rather too much than to blame a line for what is not its own.
            likely = min(count, self.unplaced[size])
            found[trace][0] += likely * size
            found[trace][1] += likely
        return {trace: (sums[0], sums[1]) for trace, sums in found.items()}

    def _place(self, each: Any, size: int) -> None:
        trace = tracemalloc._get_object_traceback(each)  # type: ignore[attr-defined] # as in ``Tracing``
        if trace is not None and id(each) not in self.seen:
            self.seen.add(id(each))
            entry = self.placed[trace]
            entry[0] += size
            entry[1] += 1
