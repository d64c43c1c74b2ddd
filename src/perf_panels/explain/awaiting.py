"""
Where an async view waits: its statements run in another thread, whose stack has none of the project's lines.

Asked by ``collect`` for statements that no line of the project's was found for.
"""

from __future__ import annotations

import asyncio
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from perf_panels import origins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from perf_panels.origins import Site


def current_task() -> asyncio.Task[Any] | None:
    """
    Return the task that is running in this thread, None where no event loop is.
    """
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def waiting_site(task: asyncio.Task[Any]) -> Site | None:
    """
    Return the innermost project line of the view at which a task waits, or None. For what is gathered that is the line
    of ``gather``.
    """
    found = None
    for frame in _waiting(task):
        if origins.owner_of(frame.f_code.co_filename) == origins.OWN:
            # Everything before our hook around the view is middleware.
            found = None
        elif (site := origins.caller(frame)) is not None and site.file:
            found = site
    return found


def _waiting(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """
    Yield the frames of a task that waits, the outermost first; none of one that runs, as its line says nothing.
    """
    awaited: Any = task.get_coro()
    while awaited is not None and not getattr(awaited, "cr_running", False):
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None:
            yield frame
        if isinstance(awaited, GeneratorType):
            # The VMProf panel's: it drives the coroutine of the view itself.
            driving = awaited.gi_frame
            awaited = driving.f_locals.get("coroutine") if driving is not None else None
        else:
            # An asynchronous generator says nothing of itself: the line that iterates over it is as near as one gets.
            awaited = getattr(awaited, "cr_await", None)
