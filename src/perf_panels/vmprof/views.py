"""
What a click does: look again, choose a mode, take more samples. POSTs with a signed token, answered as JSON.

Nothing the browser sends is part of what is run: a mode and numbers are checked, the request to replay is in the store.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import JsonResponse
from django.utils.translation import gettext as _

from perf_panels import actions
from perf_panels.actions import Asked, Refused, stored_panel
from perf_panels.conf import get_config
from perf_panels.vmprof import PANEL_ID, modes, pending, replaying
from perf_panels.vmprof.samples import MODES

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    Stats = dict[str, Any]

_action = partial(actions.action, PANEL_ID)

_MOST_SAMPLES = 200_000
_MOST_SECONDS = 600
_GONE_S = 60.0
"""Seconds after which a profile that nobody has read yet is taken for lost with its process."""


@_action("list")
def list_(request: HttpRequest, wanted: Asked, stats: Stats) -> Stats:
    """
    Answer the panel anew; finish its work now if the server never said that the request was over.
    """
    if stats.get("state") == "pending":
        _go_on(wanted.request_id, stats, now=request.POST.get("make") == "now")
    panel = stored_panel(PANEL_ID, wanted.request_id)
    return {
        "content": panel.content,
        "subtitle": panel.nav_subtitle,
        "state": panel.get_stats().get("state"),
    }


@_action("mode")
def mode(request: HttpRequest, wanted: Asked, stats: Stats) -> JsonResponse:
    """
    Keep the mode and the period for this browser session.
    """
    asked = request.POST.get("mode", "")
    if asked not in MODES:
        raise Refused(_("There is no such mode."))
    if why := modes.why_unavailable(asked):
        raise Refused(why)
    period = _period(request)
    answer = JsonResponse({"mode": asked, "sentence": _("The next request will be sampled in this mode.")})
    value = asked if period is None else f"{asked}:{period:g}"
    answer.set_cookie(modes.COOKIE, value, httponly=True, samesite="Lax", secure=request.is_secure())
    return answer


@_action("start")
def start(request: HttpRequest, wanted: Asked, stats: Stats) -> Stats:
    """
    Replay the request until there are enough samples, in the mode that the panel shows as chosen.
    """
    config = get_config()
    asked = request.POST.get("mode", "")
    mode = asked if asked in MODES else stats.get("mode", "cpu")
    if why := modes.why_unavailable(mode):
        raise Refused(why)
    limits = {
        "mode": mode,
        "samples": _number(request, "samples", config.VMPROF_REPLAY_SAMPLES, _MOST_SAMPLES),
        "seconds": _number(request, "seconds", config.VMPROF_REPLAY_SECONDS, _MOST_SECONDS),
        "period_ms": _period(request) or modes.chosen(request.COOKIES)[1],
    }
    return replaying.start(request, wanted.request_id, stats, limits)


@_action("progress")
def progress(request: HttpRequest, wanted: Asked, stats: Stats) -> Stats:
    """
    Answer how far it is.
    """
    return replaying.progress(wanted.request_id)


@_action("stop")
def stop(request: HttpRequest, wanted: Asked, stats: Stats) -> Stats:
    """
    End it; the samples so far are kept.
    """
    return replaying.stop(wanted.request_id)


VIEWS: dict[str, Callable[..., Any]] = {
    "list": list_,
    "mode": mode,
    "start": start,
    "progress": progress,
    "stop": stop,
}


def _go_on(request_id: str, stats: Stats, *, now: bool) -> None:
    old = time.time() - stats["recorded_at"] > _GONE_S
    if (now or old) and pending.finish(request_id):
        return
    if old and actions.stored_stats(PANEL_ID, request_id)["state"] == "pending":
        sentence = _("The server was restarted before it had read this profile. Load the page again.")
        actions.save_stats(PANEL_ID, request_id, stats | {"state": "refused", "refusal": sentence})


def _period(request: HttpRequest) -> float | None:
    given = request.POST.get("period_ms")
    period_ms = None if given is None else modes.valid_period(given)
    if given is not None and period_ms is None:
        shortest, longest = modes.PERIODS_MS
        raise Refused(
            _("Choose a period from %(shortest)g to %(longest)g ms.") % {"shortest": shortest, "longest": longest}
        )
    return period_ms


def _number(request: HttpRequest, name: str, default: int, most: int) -> int:
    given = request.POST.get(name, "")
    return min(int(given), most) if given.isdecimal() and int(given) else default
