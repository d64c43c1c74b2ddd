"""
What a click does: POSTs with a signed token, answered as JSON, only where the toolbar itself would answer.

The statement is looked up in the store; nothing the browser sends is ever part of what is run.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from perf_panels import actions
from perf_panels.actions import Asked, Refused, stored_panel
from perf_panels.explain import PANEL_ID, automatic, merging, page, planner, redact, stored_plan
from perf_panels.explain.databases.base import NotPossible
from perf_panels.explain.detail_page import group_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    Change = Callable[[dict[str, Any]], dict[str, Any]]

_LONGEST_MS = 600_000

_action = partial(actions.action, PANEL_ID)


@_action("row")
def row(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Answer the detail of a statement.
    """
    return _answer(stats, wanted, wanted.subject)


@_action("explain")
def explain(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Make the plain plan of a statement, without running it.
    """
    group = _group(stats, wanted.subject)
    # The click is the confirmation: the page has shown what a plain EXPLAIN of this statement may run.
    options = planner.options(timeout_ms=_timeout(request), confirmed=True)
    made = planner.make(group, options, previous=stats["plans"].get(group["id"]))
    return _with_plan(wanted, made)


@_action("analyze", "analyze-confirmed")
def analyze(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Run a statement under EXPLAIN ANALYZE and undo it.
    """
    group = _group(stats, wanted.subject)
    options = planner.options(
        timeout_ms=_timeout(request),
        timing=request.POST.get("timing", "on") == "on",
        confirmed=wanted.action == "analyze-confirmed",
    )
    made = planner.make(group, options, analyze=True, previous=stats["plans"].get(group["id"]))
    return _with_plan(wanted, made)


@_action("try", "try-confirmed")
def try_(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Make the plan of a statement with an index that a finding asks for, and take the suggestion back if it is no help.
    """
    group, card = _card(stats, wanted.subject)
    options = planner.options(timeout_ms=_timeout(request), confirmed=wanted.action == "try-confirmed")
    try:
        trial = planner.try_index(group, card["sql"], options)
    except NotPossible as problem:
        trial = {"error": str(problem), "helps": None, "used": None}
    with_trial = {wanted.subject: trial}
    return _saved(wanted, group["id"], lambda stats: stats | {"trials": stats["trials"] | with_trial})


@_action("redacted")
def export(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Answer a plan's text with its literals taken out, to be shown to others.
    """
    group = _group(stats, wanted.subject)
    plan = stats["plans"].get(group["id"])
    if not plan or not plan["text"]:
        raise Refused(_("There is no plan of this statement yet."))
    return {"text": redact.plan_text(plan["text"], plan["engine"])}


@_action("list")
def list_(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Answer the panel anew, with the plans made since; make them now if the server never said that the request was over.
    """
    if request.POST.get("make") == "now" and stats.get("planning", {}).get("state") == "pending":
        stats = _updated(wanted, automatic.make_plans(stats))
    panel = stored_panel(PANEL_ID, wanted.request_id)
    return {"content": panel.content, "subtitle": panel.nav_subtitle, "state": stats.get("planning", {}).get("state")}


VIEWS: dict[str, Callable[..., Any]] = {
    "row": row,
    "plan": explain,
    "analyze": analyze,
    "try": try_,
    "export": export,
    "list": list_,
}


# What is stored


def _group(stats: dict[str, Any], group_id: str) -> dict[str, Any]:
    try:
        return group_of(stats, group_id)
    except KeyError:
        raise Refused(_("This statement is no longer stored. Load the page again.")) from None


def _card(stats: dict[str, Any], index_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    for group_id, plan in stats["plans"].items():
        for card in plan["cards"]:
            if card["trial"] and card["trial"]["id"] == index_id:
                return _group(stats, group_id), card
    raise Refused(_("This index is no longer suggested. Explain the statement again."))


def _with_plan(wanted: Asked, made: dict[str, Any]) -> dict[str, Any]:
    group_id = wanted.subject

    def change(stats: dict[str, Any]) -> dict[str, Any]:
        plans = stats["plans"]
        return stats | {"plans": plans | {group_id: stored_plan.renewed(plans.get(group_id), made)}}

    return _saved(wanted, group_id, change)


def _saved(wanted: Asked, group_id: str, change: Change) -> dict[str, Any]:
    """
    Store what a click made beside what others made meanwhile, and answer the statement anew.
    """
    return _answer(_updated(wanted, lambda stats: merging.merged(change(stats))), wanted, group_id)


def _updated(wanted: Asked, change: Change) -> dict[str, Any]:
    return actions.update_stats(PANEL_ID, wanted.request_id, change)


def _answer(stats: dict[str, Any], wanted: Asked, group_id: str) -> dict[str, Any]:
    group = _group(stats, group_id)
    group |= planner.permissions(group)
    context = page.detail_context(stats, group_id, wanted.request_id)
    row_context = page.row_context(stats, group_id, wanted.request_id)
    return {
        "content": render_to_string("perf_panels/explain/detail.html", context),
        "row": render_to_string("perf_panels/explain/row.html", row_context),
        "subtitle": stored_panel(PANEL_ID, wanted.request_id).nav_subtitle,
        "findings": sum(finding["severity"] != "info" for finding in stats["findings"]),
    }


def _timeout(request: HttpRequest) -> int:
    given = request.POST.get("timeout_ms", "")
    if given.isdigit() and int(given) > 0:
        return min(int(given), _LONGEST_MS)
    return planner.options().timeout_ms
