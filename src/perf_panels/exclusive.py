"""
What only one can have at a time in a process: profilers, tracers, monitoring tools. Who holds them is found out here.

Nothing waits. Whoever comes second is served without the tool and says who held it.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_held: dict[str, str] = {}
_guard = threading.Lock()


class Busy(Exception):  # noqa: N818 - an answer for people
    """
    The tool is in use; ``holder`` says by whom.
    """

    def __init__(self, tool: str, holder: str) -> None:
        super().__init__(f"{tool} is in use by {holder}")
        self.tool = tool
        self.holder = holder


def acquire(tool: str, holder: str) -> None:
    """
    Take ``tool`` in the name of ``holder``, such as "GET /slow/home/". Raises ``Busy``; never waits.
    """
    with _guard:
        if tool in _held:
            raise Busy(tool, _held[tool])
        _held[tool] = holder


def release(tool: str) -> None:
    """
    Give ``tool`` back; only for whoever acquired it.
    """
    with _guard:
        _held.pop(tool, None)


@contextmanager
def exclusively(tool: str, holder: str) -> Iterator[None]:
    """
    Hold ``tool`` for the length of the block. Raises ``Busy`` before the block is entered.
    """
    acquire(tool, holder)
    try:
        yield
    finally:
        release(tool)


def trace_holder() -> str | None:
    """
    Return the name of who set ``sys.settrace`` in this thread (a debugger, coverage before 3.12), or None.
    """
    return _name(sys.gettrace())


def profile_holder() -> str | None:
    """
    Return the name of who set ``sys.setprofile`` in this thread (cProfile before 3.12, pyinstrument), or None.
    """
    return _name(sys.getprofile())


def monitoring_holder(tool_id: int) -> str | None:
    """
    Return the name under which a ``sys.monitoring`` tool id is taken, or None; always None before Python 3.12.

    0 is a debugger's, 1 coverage's, 2 a profiler's (cProfile, line_profiler): the ids of ``sys.monitoring``.
    """
    monitoring: Any = getattr(sys, "monitoring", None)
    return monitoring.get_tool(tool_id) if monitoring is not None else None


def _name(function: Any) -> str | None:
    if function is None:
        return None
    target = function if hasattr(function, "__qualname__") else type(function)
    return f"{target.__module__}.{target.__qualname__}"
