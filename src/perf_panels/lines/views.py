"""
What a click does: change what is timed for a view, show the newest run, download what is stored.

POSTs with signed tokens. A function is chosen by an id or a name that is looked up among those seen in this process
under the view; nothing is imported, and no path is taken, from what the browser sends.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from perf_panels import actions, selection
from perf_panels.actions import Asked, Refused, stored_panel
from perf_panels.lines import PANEL_ID, downloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    Stats = dict[str, Any]

_action = partial(actions.action, PANEL_ID)


@_action("deeper")
def deeper(request: HttpRequest, wanted: Asked, stats: Stats) -> JsonResponse:
    """
    Time one function more for this view.
    """
    target = selection.seen(stats["view"]).get(wanted.subject)
    if target is None:
        raise Refused(_("This process has not seen that function yet: reload the page, and try again."))
    return _chosen(request, stats, target)


@_action("add")
def add(request: HttpRequest, _wanted: Asked, stats: Stats) -> JsonResponse:
    """
    Time the function that is named, if this process has seen it under this view.
    """
    name = request.POST.get("name", "").strip()
    found = selection.named(stats["view"], name)
    if not found:
        raise Refused(_("No function “%(name)s” has run under this view in this process.") % {"name": name[:200]})
    if len(found) > 1:
        known = ", ".join(target.id for target in found[:5])
        raise Refused(_("Several functions have this name; write the whole of one: %(names)s") % {"names": known})
    return _chosen(request, stats, found[0])


@_action("remove")
def remove(request: HttpRequest, wanted: Asked, stats: Stats) -> JsonResponse:
    """
    Time one chosen function no more, or none of them.
    """
    chosen = selection.remove(selection.read(request), stats["view"], wanted.subject or None)
    return _kept(request, chosen, _("Removed."))


@_action("refresh")
def refresh(_request: HttpRequest, wanted: Asked, stats: Stats) -> dict[str, Any]:
    """
    Answer the panel of the newest run of the same URL.
    """
    newest = _newest(wanted.request_id, stats)
    if newest is None:
        raise Refused(_("The page has not run again, or was not timed: reload it."))
    panel = stored_panel(PANEL_ID, newest)
    return {"content": panel.content, "subtitle": panel.nav_subtitle}


@_action("text")
def text(_request: HttpRequest, _wanted: Asked, stats: Stats) -> HttpResponse:
    """
    Answer what is stored as ``python -m line_profiler`` prints it.
    """
    return _file(downloads.as_text(stats), "text/plain; charset=utf-8", f"{downloads.file_name(stats)}.txt")


@_action("lprof")
def lprof(_request: HttpRequest, _wanted: Asked, stats: Stats) -> HttpResponse:
    """
    Answer what is stored as line_profiler's own file.
    """
    return _file(downloads.as_lprof(stats), "application/octet-stream", f"{downloads.file_name(stats)}.lprof")


@_action("markdown")
def markdown(_request: HttpRequest, _wanted: Asked, stats: Stats) -> dict[str, Any]:
    """
    Answer what is stored as Markdown, to be pasted into a pull request.
    """
    return {"text": downloads.as_markdown(stats)}


VIEWS: dict[str, Callable[..., Any]] = {
    "deeper": deeper,
    "add": add,
    "remove": remove,
    "refresh": refresh,
    "text": text,
    "lprof": lprof,
    "markdown": markdown,
}


def _chosen(request: HttpRequest, stats: Stats, target: Any) -> JsonResponse:
    chosen = selection.add(selection.read(request), stats["view"], target.id)
    return _kept(request, chosen, _("%(name)s is timed from the next run on.") % {"name": target.name})


def _kept(request: HttpRequest, chosen: dict[str, list[str]], said: str) -> JsonResponse:
    response = JsonResponse({"said": said})
    selection.write(request, response, chosen)
    return response


def _newest(request_id: str, stats: Stats) -> str | None:
    """
    Return the last stored request to the URL of ``stats`` that was timed after it, or None.
    """
    store = stored_panel(PANEL_ID, request_id).toolbar.store
    found, since = None, stats["recorded_at"]
    for each in list(store.request_ids()):
        other = store.panel(each, PANEL_ID)
        if other.get("url") == stats["url"] and other.get("recorded_at", 0) > since:
            found, since = each, other["recorded_at"]
    return found


def _file(content: str | bytes, content_type: str, name: str) -> HttpResponse:
    return HttpResponse(
        content, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
