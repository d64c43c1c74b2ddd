"""
The findings as cards, and, where there is none, the next step: the line to go deeper from.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels.actions import token
from perf_panels.lines import PANEL_ID
from perf_panels.numbers import ms, percent
from perf_panels.origins import short_path
from perf_panels.source_view import texts, visible

Stats = dict[str, Any]

_AROUND = 2
_LEAST_SHARE = 0.3
_LEAST_MS = 5.0
"""Less than this is not worth a click."""


def cards(stats: Stats, request_id: str) -> list[dict[str, Any]]:
    """
    Return the findings with their source, and the buttons that lead on from them.
    """
    return [_card(finding, stats, request_id) for finding in stats["findings"]]


def next_step(stats: Stats, request_id: str) -> dict[str, Any] | None:
    """
    Return the line that takes most without being a finding, with the functions to go into, if there is such a line.
    """
    if stats["findings"]:
        return None
    # A finding is the project's; that a line of a package takes the time is worth a hint all the same.
    lines = [(function, line) for function in stats["functions"] for line in function["lines"]]
    if not lines:
        return None
    function, line = max(lines, key=lambda each: each[1]["own_ms"])
    if line["own_ms"] < _LEAST_MS or own_share(line, stats) < _LEAST_SHARE:
        return None
    called = deeper(line, stats, request_id)
    return {
        "text": _("Most of the time, %(ms)s of %(all)s, is in line %(line)d of %(function)s.")
        % {"ms": ms(line["own_ms"]), "all": ms(stats["total_ms"]), "line": line["line"], "function": function["name"]},
        "key": function["key"],
        "line": str(line["line"]),
        "deeper": called,
        "calls": _calls_text(line, called),
    }


def deeper(line: Stats, stats: Stats, request_id: str, *, only_project: bool = False) -> list[dict[str, Any]]:
    """
    Return what a line called as buttons: to the function where it is timed, else to have it timed.
    """
    keys = {function["id"]: function["key"] for function in reversed(stats["functions"])}
    lines = {function["key"]: str(function["first_line"]) for function in stats["functions"]}
    called = sorted(line["called"], key=lambda each: each["owner"] != "project")
    return [
        {
            "name": each["name"],
            "id": each["id"],
            "owner": owner_text(each["owner"]),
            "calls": f"{each['calls']:,}" if each["calls"] else "",
            "key": keys.get(each["id"], ""),
            "line": lines.get(keys.get(each["id"], ""), ""),
            "token": "" if each["id"] in keys else token(PANEL_ID, request_id, "deeper", each["id"]),
        }
        for each in called
        if not only_project or each["owner"] == "project"
    ]


def own_share(line: Stats, stats: Stats) -> float:
    """
    Return what part of the request a line took by itself, as the findings count it: without the profiler's own cost.
    """
    return min(1.0, line["own_ms"] / stats["net_ms"]) if stats["net_ms"] else 0.0


def owner_text(owner: str) -> str:
    """
    Return whose code it is, for people.
    """
    return {"project": _("project"), "django": "Django", "python": "Python"}.get(owner, owner)


def severity_text(severity: str) -> str:
    """
    Return a severity in the page's language.
    """
    return {"critical": _("critical"), "warning": _("warning"), "info": _("info")}[severity]


def _calls_text(line: Stats, called: list[dict[str, Any]]) -> str:
    if called:
        return _("It calls these; time one of them to see its lines:")
    # A request that is stored may be older than this key.
    if line.get("calls_unknown"):
        return _("What it calls is not known yet: run it again to see it.")
    if line["called_left_out"]:
        return _("What it calls was not kept.")
    return _("It was not seen to call anything that could be timed.")


def _card(finding: Stats, stats: Stats, request_id: str) -> dict[str, Any]:
    origin, fix_at = finding["origin"], finding["fix_at"]
    function = next((each for each in stats["functions"] if _is_at(each, origin)), None)
    line = next((each for each in function["lines"] if each["line"] == origin["line"]), None) if function else None
    return {
        "finding": finding,
        "severity": severity_text(finding["severity"]),
        "place": origin,
        "path": short_path(origin["file"]),
        "fix_path": short_path(fix_at["file"]) if fix_at else "",
        "source": _excerpt(function, origin["line"]),
        "key": function["key"] if function else "",
        "line": str(origin["line"]),
        "deeper": [each for each in deeper(line, stats, request_id) if each["token"]] if line else [],
        "saving": ms(finding["evidence"]["own_ms"]),
        "share": percent(finding["evidence"]["share_percent"] / 100),
    }


def _is_at(function: Stats, origin: Stats) -> bool:
    return (
        function["file"] == origin["file"]
        and function["name"] == origin["function"]
        and any(line["line"] == origin["line"] for line in function["lines"])
    )


def _excerpt(function: Stats | None, line: int) -> list[dict[str, Any]]:
    source = texts(function["source"]) if function else {}
    return [
        {"number": str(number), "text": visible(source[number]), "hit": number == line}
        for number in range(line - _AROUND, line + _AROUND + 1)
        if number in source
    ]
