"""
From what is stored to the list on the page: pure functions, one row for each statement. ``detail_page`` has the rest.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _, ngettext

from perf_panels import numbers
from perf_panels.actions import token
from perf_panels.explain import PANEL_ID
from perf_panels.explain.detail_page import detail_context, group_of
from perf_panels.explain.wording import is_withdrawn, place_of, severity_text
from perf_panels.findings import SEVERITIES

__all__ = ["detail_context", "panel_context", "row_context"]

Stats = dict[str, Any]

_EXPLAINED = frozenset({"estimated", "analyzed"})
_ORDER = (*SEVERITIES, "ok", "failed", "unknown")
_STATE_ORDER = ("refused", "none", "failed", "estimated", "analyzed")


def panel_context(stats: Stats, request_id: str, change: dict[str, Any] | None) -> dict[str, Any]:
    """
    Return the context of the list: one row for each statement, the worst first, and what was and was not done.
    """
    if not stats.get("watched"):
        return stats
    longest = _longest(stats)
    rows = [_row(stats, group, request_id, longest) for group in stats["groups"]]
    rows.sort(key=lambda row: (-row["rank"], -row["total_ms"]))
    for row in rows[:1]:
        row["tab"] = "0"
    return stats | {
        "rows": rows,
        "change": _change(change),
        "facts": _facts(stats, rows),
        "severities": _severities(rows),
        "problems": sum(row["severity"] in {"critical", "warning"} for row in rows),
        "aliases": _aliases(stats),
        "several_aliases": len(stats["aliases"]) > 1,
        "planning_text": _planning_text(stats),
        "pending": stats["planning"]["state"] == "pending",
        "list_url": reverse("djdt:perf_panels_explain_list"),
        "row_url": reverse("djdt:perf_panels_explain_row"),
        "list_token": token(PANEL_ID, request_id, "list"),
    }


def row_context(stats: Stats, group_id: str, request_id: str) -> dict[str, Any]:
    """
    Return the context of one row of the list. Raises ``KeyError`` for a statement that is not stored.
    """
    row = _row(stats, group_of(stats, group_id), request_id, _longest(stats))
    return {"rows": [row], "several_aliases": len(stats["aliases"]) > 1}


def _longest(stats: Stats) -> float:
    return max((group["total_ms"] for group in stats["groups"]), default=0.0)


def _row(stats: Stats, group: dict[str, Any], request_id: str, longest: float) -> dict[str, Any]:
    """
    Return one row, every value as the text it is shown as: a template that formats 600 of them is slow.
    """
    plan = stats["plans"].get(group["id"])
    cards = [card for card in plan["cards"] if not is_withdrawn(card, stats)] if plan else []
    slow = group["worst_ms"] >= stats["slow_ms"]
    severity = _severity(cards, plan, slow=slow)
    state = plan["state"] if plan else "refused" if group["params_problem"] else "none"
    verb, _space, rest = group["summary"].partition(" ")
    return {
        "id": group["id"],
        "alias": group["alias"],
        "severity": severity,
        "severity_text": severity_text(severity),
        "rank": len(_ORDER) - _ORDER.index(severity),
        "title": _title(cards, group, stats, slow=slow),
        "more": _("and %(count)d more") % {"count": len(cards) - 1} if len(cards) > 1 else "",
        "verb": verb,
        # Quotes are noise in a line to recognise a statement by; the full text has them.
        "rest": rest.replace('"', "").replace("`", ""),
        "full": group["sql"] or group["summary"],
        "place": place_of(group["origin"]),
        "failed": _failed(group),
        "count": f"{group['count']:,}",
        "total": numbers.ms(group["total_ms"]),
        "worst": numbers.ms(group["worst_ms"]),
        "rows": numbers.whole(group["rows"]),
        "share": numbers.width(group["total_ms"] / longest if longest else 0.0),
        "slow": slow,
        "state": state,
        "state_text": _state_text(state),
        "why": str((plan["problem"] if plan else group["params_problem"]) or ""),
        "token": token(PANEL_ID, request_id, "row", group["id"]),
        "tab": "-1",
        "total_ms": group["total_ms"],
        "sort_total": f"{group['total_ms']:.4f}",
        "sort_worst": f"{group['worst_ms']:.4f}",
        "sort_count": str(group["count"]),
        "sort_rows": str(-1 if group["rows"] is None else group["rows"]),
        "sort_state": str(_STATE_ORDER.index(state)),
    }


def _severity(cards: list[dict[str, Any]], plan: dict[str, Any] | None, *, slow: bool) -> str:
    found = {card["finding"]["severity"] for card in cards}
    # As in the list of findings: slow is a problem by itself until a plan says what it comes from.
    if slow and not found & {"critical", "warning"}:
        found.add("warning")
    for severity in SEVERITIES:
        if severity in found:
            return severity
    if plan is None:
        return "unknown"
    return "ok" if plan["state"] in _EXPLAINED else "failed"


def _title(cards: list[dict[str, Any]], group: dict[str, Any], stats: Stats, *, slow: bool) -> str:
    worst = min(cards, key=lambda card: SEVERITIES.index(card["finding"]["severity"]), default=None)
    if worst is not None and (worst["finding"]["severity"] != "info" or not slow):
        return str(worst["finding"]["title"])
    if not slow:
        return ""
    return _("%(time)s for one execution, over the limit of %(limit)s") % {
        "time": numbers.ms(group["worst_ms"]),
        "limit": numbers.ms(stats["slow_ms"]),
    }


def _failed(group: dict[str, Any]) -> str:
    if not group["failed"]:
        return ""
    words = ngettext("%(count)d execution failed", "%(count)d executions failed", group["failed"])
    return words % {"count": group["failed"]}


def _state_text(state: str) -> str:
    return {
        "none": _("not explained"),
        "refused": _("not possible"),
        "failed": _("failed"),
        "estimated": _("estimated"),
        "analyzed": _("analysed"),
    }[state]


# What stands above the rows


def _facts(stats: Stats, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    problems = sum(finding["severity"] != "info" for finding in stats["findings"])
    slow = sum(row["slow"] for row in rows)
    worst = stats["findings"][0]["severity"] if problems else "ok"
    limit = _("over %(limit)s") % {"limit": numbers.ms(stats["slow_ms"])}
    different = ngettext("%(count)s different", "%(count)s different", len(rows)) % {"count": f"{len(rows):,}"}
    if len(rows) == stats["queries"]:
        different = ""
    return [
        {"name": "problems", "text": _("Problems"), "value": f"{problems:,}", "note": "", "level": worst},
        {"name": "slow", "text": _("Slow"), "value": f"{slow:,}", "note": limit, "level": "warning" if slow else "ok"},
        {"name": "queries", "text": _("Statements"), "value": f"{stats['queries']:,}", "note": different, "level": ""},
        {"name": "time", "text": _("In the database"), "value": numbers.ms(stats["total_ms"]), "note": "", "level": ""},
    ]


def _severities(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counted = {name: sum(row["severity"] == name for row in rows) for name in _ORDER}
    return [
        {"name": name, "text": severity_text(name), "count": f"{count:,}"} for name, count in counted.items() if count
    ]


def _aliases(stats: Stats) -> list[dict[str, Any]]:
    counted = {alias["alias"]: 0 for alias in stats["aliases"]}
    for group in stats["groups"]:
        counted[group["alias"]] = counted.get(group["alias"], 0) + 1
    vendors = {alias["alias"]: alias["vendor"] for alias in stats["aliases"]}
    return [{"alias": name, "vendor": vendors.get(name, ""), "count": f"{count:,}"} for name, count in counted.items()]


def _change(change: dict[str, Any] | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return change | {
        "queries_before": f"{change['queries_before']:,}",
        "queries": f"{change['queries']:,}",
        "ms_before": numbers.ms(change["ms_before"]),
        "ms": numbers.ms(change["ms"]),
    }


def _planning_text(stats: Stats) -> str:
    planning = stats["planning"]
    if planning["state"] == "empty":
        return ""
    if planning["state"] == "off":
        return _("No plan was made by itself (EXPLAIN_STATEMENTS is 0): open a statement and press Explain.")
    if planning["state"] == "pending":
        return _(
            "The plans of the slowest statements are made after the response."
            " They are not stored: not yet, or they could not be, and the log says why."
        )
    if planning["state"] == "failed":
        return _("The plans that are made after the response failed: open a statement and press Explain.")
    made = ngettext(
        "%(made)d plan was made after the response, in %(time)s, without running anything.",
        "%(made)d plans were made after the response, in %(time)s, without running anything.",
        planning["made"],
    ) % {"made": planning["made"], "time": numbers.ms(planning["elapsed_ms"])}
    if not planning["left"]:
        return made
    left = ngettext(
        "%(left)d statement has none: open it and press Explain.",
        "%(left)d statements have none: open one and press Explain.",
        planning["left"],
    ) % {"left": planning["left"]}
    return f"{made} {left}"
