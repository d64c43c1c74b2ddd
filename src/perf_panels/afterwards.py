"""
Work that a request leaves for later: done in a thread of its own, after its response was sent.

``schedule`` is called while the response is made; the thread starts with ``request_finished``, which Django sends when
the server has closed the response. A server that never closes it leaves the work to the click.
"""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.core.signals import request_finished
from django.db import connections

if TYPE_CHECKING:
    from collections.abc import Callable

    Job = Callable[[], object]

logger = logging.getLogger("perf_panels")

_pending: ContextVar[tuple[Job, ...]] = ContextVar("perf_panels_afterwards", default=())
_one_at_a_time = threading.Lock()


def install() -> None:
    """
    Listen to the end of requests; a second call does nothing.
    """
    request_finished.connect(_start, dispatch_uid="perf_panels.afterwards")


def schedule(job: Job) -> None:
    """
    Run ``job`` when the request of this context is over, after those scheduled before it.
    """
    _pending.set((*_pending.get(), job))


def _start(**_kwargs: Any) -> None:
    jobs = _pending.get()
    if not jobs:
        return
    _pending.set(())
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
    except Exception:
        logger.exception("A panel could not finish its work after the response")
