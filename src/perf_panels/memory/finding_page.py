"""
Findings as cards: their evidence in words, their source, and where in the panel to see more.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels.memory.lines_page import function_key
from perf_panels.memory.wording import memory
from perf_panels.origins import short_path

Stats = dict[str, Any]


def cards(stats: Stats) -> list[Stats]:
    """
    Return the context of each finding's card.
    """
    excerpts = stats["excerpts"] + [[]] * (len(stats["findings"]) - len(stats["excerpts"]))
    return [_card(finding, excerpt, stats) for finding, excerpt in zip(stats["findings"], excerpts, strict=False)]


def identity(finding: Stats) -> tuple[Any, ...]:
    """
    Return what makes a finding the same as one of another request.
    """
    place = finding["origin"] or {}
    return finding["rule"], place.get("file"), place.get("function"), place.get("template")


def severity_text(severity: str) -> str:
    """
    Return a severity in the page's language.
    """
    return {"critical": _("critical"), "warning": _("warning"), "info": _("info")}[severity]


def _card(finding: Stats, excerpt: list[Stats], stats: Stats) -> Stats:
    origin, names = finding["origin"], _names()
    return {
        "finding": finding,
        "badge": severity_text(finding["severity"]),
        "path": short_path(origin["file"]) if origin else "",
        "fix_path": short_path(finding["fix_at"]["file"]) if finding["fix_at"] else "",
        "evidence": [(names[key], _value(key, number)) for key, number in finding["evidence"].items() if key in names],
        "excerpt": excerpt,
        "key": _shown_in(finding, stats),
        "line": str(origin["line"]) if origin else "",
    }


def _names() -> dict[str, str]:
    return {
        "taken_bytes": _("taken"),
        "kept_bytes": _("still there afterwards"),
        "request_growth_bytes": _("request in all"),
        "hits": _("hits"),
        "blocks": _("blocks"),
        "instances": _("instances"),
        "instance_bytes": _("with their values"),
        "growth_bytes_per_request": _("each request"),
        "growth_objects_per_request": _("objects each request"),
        "requests": _("requests in a row"),
    }


def _value(key: str, number: float) -> str:
    return memory(number) if "bytes" in key else f"{number:,}"


def _shown_in(finding: Stats, stats: Stats) -> str:
    """
    Return the key of the function in whose source the finding's line is shown, or "".
    """
    origin = finding["origin"]
    if finding["rule"] != "memory-growth" or not origin or not origin["function"]:
        return ""
    for function in stats.get("functions") or []:
        inside = function["first_line"] <= origin["line"] <= function["last_line"]
        if function["file"] == origin["file"] and function["function"] == origin["function"] and inside:
            return function_key(function)
    return ""
