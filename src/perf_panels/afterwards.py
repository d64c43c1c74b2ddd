"""
Work that a request leaves for later: done in a thread of its own, after its response was sent.

``schedule`` is called while the response is made; the thread starts with ``request_finished``, which Django sends when
the server has closed the response. A server that never closes it leaves the work to the click.

The signal says nothing of its request, so the work waits in a context variable. Before Django 6.1 an async handler
makes the response in one task and closes it in another, so the response brings it there.
"""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.signals import request_finished
from django.db import connections

from perf_panels import considerate

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpResponseBase

    Job = Callable[[], object]

logger = logging.getLogger("perf_panels")

_pending: ContextVar[list[Job] | None] = ContextVar("perf_panels_afterwards", default=None)
_one_at_a_time = threading.Lock()


def install() -> None:
    """
    Listen to the end of requests; a second call does nothing.
    """
    request_finished.connect(_start, dispatch_uid="perf_panels.afterwards")


def schedule(job: Job, response: HttpResponseBase) -> None:
    """
    Run ``job`` when the request of this context is over, after those scheduled before it.
    """
    waiting = _pending.get()
    if waiting is None:
        waiting = []
        _pending.set(waiting)
    waiting.append(job)
    closers: list[Any] = response._resource_closers  # type: ignore[attr-defined] # its type hints leave out what is private
    closers.append(_Bringing(waiting))


class _Bringing:
    """
    What the response closes besides its own: puts the work into the context in which the signal is sent next.
    """

    def __init__(self, waiting: list[Job]) -> None:
        self.waiting = waiting

    def __call__(self) -> None:
        _pending.set(self.waiting)

    def __reduce__(self) -> Any:
        # A cache pickles the response: nothing of ours goes with it.
        return partial, (bool,)


def _start(**_kwargs: Any) -> None:
    waiting = _pending.get()
    if not waiting:
        return
    jobs = tuple(waiting)
    # Emptied, too: the same list may wait in another context.
    waiting.clear()
    _pending.set(None)
    # A daemon: work that takes long must not hold up the server's end.
    threading.Thread(target=_run, args=(jobs,), name="perf-panels-afterwards", daemon=True).start()


def _run(jobs: tuple[Job, ...]) -> None:
    try:
        with _one_at_a_time:
            for job in jobs:
                _run_one(job)
    finally:
        # What this thread opened besides its own: the store's connection, when the store is in the database.
        connections.close_all()


def _run_one(job: Job) -> None:
    try:
        job()
    except Exception as error:
        if considerate.is_locked(error):
            # Nothing of ours is wrong, and the remedy is a setting: a traceback would hide it.
            logger.warning(
                "A panel could not store its work after the response: %s. Check perf_panels.W005 names the remedy.",
                error,
            )
        else:
            logger.exception("A panel could not finish its work after the response")
