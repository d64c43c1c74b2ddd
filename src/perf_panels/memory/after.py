"""
What stays: looked at in a thread of its own, when the response was sent and is gone.
"""

from __future__ import annotations

import gc
import logging
import time
from typing import TYPE_CHECKING, Any

from debug_toolbar.store import get_store

from perf_panels import actions
from perf_panels.memory import PANEL_ID, leaks
from perf_panels.memory.measurements import LATE
from perf_panels.memory.report import report

if TYPE_CHECKING:
    import weakref

    from django.http import HttpResponseBase

    from perf_panels.memory.collect import Collection
    from perf_panels.memory.measurements import Kept

logger = logging.getLogger("perf_panels")

PATIENCE_S = 1.0
"""A server drops the response right after it was sent; one that keeps it is not waited for any longer."""

_POLL_S = 0.1


def look_again(
    collection: Collection, kept: Kept, view: str, request_id: str, response: weakref.ref[HttpResponseBase]
) -> None:
    """
    Add what stayed after the response to what is stored of the request. Run by ``afterwards``.
    """
    try:
        seen = _seen(collection, kept, view, response)
    except Exception as error:
        logger.exception("The memory panel failed after the response; the page is not affected")
        seen = {"error": f"after the response: {type(error).__name__}: {error}"}
    _add(request_id, seen)


def _seen(collection: Collection, kept: Kept, view: str, response: weakref.ref[HttpResponseBase]) -> dict[str, Any]:
    try:
        gone = _is_gone(response)
        in_time = collection.after()
    finally:
        collection.release()
    if not in_time:
        # The next request has begun meanwhile, and is measured.
        return {"unseen": LATE}
    measured = collection.measurements()
    measured.kept, measured.complete = kept, True
    leaks.remember(view, measured, None if gone else response)
    return report(measured)


def _add(request_id: str, known: dict[str, Any]) -> None:
    stored = get_store().panel(request_id, PANEL_ID)
    if stored:
        actions.save_stats(PANEL_ID, request_id, stored | known)


def _is_gone(response: weakref.ref[HttpResponseBase]) -> bool:
    """
    Wait for the server to drop the response, and collect what only waits to be collected: that has not stayed.
    """
    waited_s = 0.0
    while True:
        began = time.monotonic()
        gc.collect()
        if response() is None:
            return True
        if waited_s >= PATIENCE_S:
            return False
        # A large heap takes seconds to collect, which are no waiting, and is collected less often.
        pause_s = max(_POLL_S, time.monotonic() - began)
        time.sleep(pause_s)
        waited_s += pause_s
