"""
Findings as cards: their evidence in words, their source, and where in the panel to see more.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from perf_panels.memory.lines_page import function_key
from perf_panels.memory.wording import memory
from perf_panels.origins import short_path

if TYPE_CHECKING:
    from collections.abc import Iterator

Stats = dict[str, Any]


def cards(stats: Stats) -> list[Stats]:
    """
    Return the context of each finding's card.
    """
    return [_card(finding, excerpt, stats) for finding, excerpt in _with_excerpts(stats)]


def _with_excerpts(stats: Stats) -> Iterator[tuple[Stats, list[Stats]]]:
    excerpts = stats["excerpts"] + [[]] * (len(stats["findings"]) - len(stats["excerpts"]))
    return zip(stats["findings"], excerpts, strict=False)


def changed(stats: Stats, previous: Stats) -> tuple[list[str], list[str]]:
    """
    Return the titles of the findings of the previous request that are gone, and of those that are new.
    """
    gone, new = _named(previous), _named(stats)
    # First by the statement's text, then by its function: of two in one function the other may have been edited.
    for size in (3, 2):
        gone, new = _unmatched(gone, new, size), _unmatched(new, gone, size)
    return [title for *_name, title in gone], [title for *_name, title in new]


def _named(stats: Stats) -> list[tuple[Any, ...]]:
    """
    Return (where, what leaks there, text of the statement, title) of each finding.

    Not the line: the previous request may have run before an edit above it.
    """
    leaking = [each["name"] for each in stats.get("leaks") or [] if each["name"]]
    named = []
    for finding, excerpt in _with_excerpts(stats):
        place = finding["origin"] or {}
        where = finding["rule"], place.get("file"), place.get("function"), place.get("template")
        names = [name for name in leaking if finding["rule"] == "leak" and name in finding["title"]]
        text = next((line["text"].strip() for line in excerpt if line["hit"]), "")
        named.append((where, max(names, key=len, default=""), text, finding["title"]))
    return named


def _unmatched(found: list[tuple[Any, ...]], others: list[tuple[Any, ...]], size: int) -> list[tuple[Any, ...]]:
    """
    Return those that are there more often than among the others, which are the same if so much of their names is.
    """
    left = Counter(other[:size] for other in others)
    unmatched = []
    for each in found:
        left[each[:size]] -= 1
        if left[each[:size]] < 0:
            unmatched.append(each)
    return unmatched


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
