"""
What a click in a panel does: POSTs with a signed token, answered as JSON, only where the toolbar itself would answer.

The subject of a click is looked up in the store by the ids in the token. The browser sends back what we gave it: never
SQL, a path, code or an id of its own.
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from debug_toolbar.decorators import render_with_toolbar_language, require_show_toolbar
from debug_toolbar.store import get_store
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    Stats = dict[str, Any]
    Answer = Callable[..., dict[str, Any] | HttpResponseBase]

logger = logging.getLogger("perf_panels")

_SALT = "perf_panels.actions"


class Asked(NamedTuple):
    """
    What a token stands for: one action of a panel on one subject (an id of the panel's own) of one stored request.
    """

    request_id: str
    action: str
    subject: str


class Refused(Exception):  # noqa: N818 - an answer for people
    """
    The click cannot be served; the message is shown in its place.
    """


def token(panel_id: str, request_id: str, action: str, subject: str = "") -> str:
    """
    Return a token for one action on one subject of one stored request.
    """
    return signing.dumps([request_id, action, subject], salt=f"{_SALT}.{panel_id}")


def asked(panel_id: str, given: str, *actions: str) -> Asked:
    """
    Return what a token stands for. Raises ``django.core.signing.BadSignature`` for any other than ``actions``.
    """
    found = Asked(*signing.loads(given, salt=f"{_SALT}.{panel_id}"))
    if found.action not in actions:
        msg = f"A token for {found.action} was used for {actions[0]}"
        raise signing.BadSignature(msg)
    return found


def action(panel_id: str, *actions: str) -> Callable[[Answer], Callable[..., HttpResponseBase]]:
    """
    Make a view of ``answer(request, asked, stats)``, which returns what to send as JSON, or a response of its own.

    ``stats`` is what the store has of the request. ``answer`` may raise ``Refused``; any other exception is logged and
    answered as a sentence with status 500.
    """

    def decorate(answer: Answer) -> Callable[..., HttpResponseBase]:
        @wraps(answer)
        def view(request: HttpRequest) -> HttpResponseBase:
            try:
                wanted = asked(panel_id, request.POST.get("token", ""), *actions)
                answered = answer(request, wanted, stored_stats(panel_id, wanted.request_id))
            except signing.BadSignature:
                return _error(_("This page is out of date: its token is not valid here. Load it again."), 403)
            except Refused as refusal:
                return _error(str(refusal), 409)
            except Exception as error:
                logger.exception("%s failed to answer a click", panel_id)
                return _error(f"{type(error).__name__}: {error}", 500)
            return answered if isinstance(answered, HttpResponseBase) else JsonResponse(answered)

        # The token is what proves that the click came from our own page: a foreign site cannot know one.
        toolbar_view: Any = require_show_toolbar  # the toolbar has not typed its decorators
        in_language: Any = render_with_toolbar_language
        guarded: Callable[..., HttpResponseBase] = toolbar_view(in_language(require_POST(view)))
        return login_not_required(csrf_exempt(guarded))

    return decorate


def stored_stats(panel_id: str, request_id: str) -> Stats:
    """
    Return what the store has of a panel and a request. Raises ``Refused`` when it has nothing any more.
    """
    stats: Stats = get_store().panel(request_id, panel_id)
    if not stats:
        raise _gone()
    return stats


def save_stats(panel_id: str, request_id: str, stats: Stats) -> Stats:
    """
    Store the stats of a panel anew, cut to the cap, and return them so.
    """
    stored: Stats = stored_panel(panel_id, request_id).store_again(stats)
    return stored


def update_stats(panel_id: str, request_id: str, change: Callable[[Stats], Stats]) -> Stats:
    """
    Store ``change(stats)`` of what the store has by now, cut to the cap, and return it so. Raises ``Refused`` when it
    has nothing any more. For clicks that take long: what others stored meanwhile is kept.
    """
    stored: Stats | None = stored_panel(panel_id, request_id).update_stored(change)
    if stored is None:
        raise _gone()
    return stored


def stored_panel(panel_id: str, request_id: str) -> Any:
    """
    Return the panel as it is made from the store, for its ``content`` and ``nav_subtitle``.
    """
    from debug_toolbar.toolbar import StoredDebugToolbar

    return StoredDebugToolbar.from_store(request_id, panel_id).get_panel_by_id(panel_id)


def _gone() -> Refused:
    return Refused(_("This request is no longer stored. Load the page again."))


def _error(sentence: str, status: int) -> JsonResponse:
    return JsonResponse({"error": sentence}, status=status)
