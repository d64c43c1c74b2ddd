"""
Profiles that were collected and not yet reduced: by the thread that runs after the response, or by the first look.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Job = Callable[[], None]

# The store keeps 25 requests by default; older ones would have nowhere to go.
_MOST_KEPT = 50

_jobs: OrderedDict[str, Job] = OrderedDict()
_guard = threading.Lock()


def keep(request_id: str, job: Job) -> None:
    """
    Keep what ``finish`` runs, for this process.
    """
    with _guard:
        _jobs[request_id] = job
        while len(_jobs) > _MOST_KEPT:
            _jobs.popitem(last=False)


def finish(request_id: str) -> bool:
    """
    Run the job of a request, once; return whether this process had it. One that raises is kept for another look.
    """
    with _guard:
        job = _jobs.pop(request_id, None)
    if job is None:
        return False
    try:
        job()
    except BaseException:
        keep(request_id, job)
        raise
    return True
