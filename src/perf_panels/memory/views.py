"""
What a click does: POSTs with a signed token, answered as JSON, only where the toolbar itself would answer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import HttpResponseBase, JsonResponse
from django.template.loader import render_to_string

from perf_panels import actions
from perf_panels.memory import PANEL_ID, chains as searching, choice, downloads
from perf_panels.numbers import duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from perf_panels.actions import Asked

_action = partial(actions.action, PANEL_ID)


@_action("engine")
def engine(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> HttpResponseBase:
    """
    Choose the engine of the next requests of this browser session.
    """
    if wanted.subject not in choice.CHOICES:
        raise actions.Refused(f"There is no engine {wanted.subject!r}.")
    response = JsonResponse({"engine": wanted.subject})
    choice.write(response, wanted.subject)
    return response


@_action("chains")
def chains(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Answer who holds objects of one type, in this process, now.
    """
    if wanted.subject == tuple.__name__:
        raise actions.Refused("To hold a tuple that is being made breaks the code that makes it.")
    found = searching.search(wanted.subject)
    context = {
        "name": found.name,
        "chains": found.chains,
        "count": found.count,
        "looked_at": found.looked_at,
        "elapsed_ms": duration(found.elapsed_ms),
        "stopped": found.stopped,
    }
    return {"content": render_to_string("perf_panels/memory/chains.html", context)}


VIEWS: dict[str, Callable[..., Any]] = {"engine": engine, "chains": chains, **downloads.VIEWS}
