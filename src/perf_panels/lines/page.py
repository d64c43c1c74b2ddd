"""
From what is stored to the page: pure functions, one section for each function, the slowest first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext as _, ngettext

from perf_panels.actions import token
from perf_panels.lines import PANEL_ID
from perf_panels.lines.cards import cards, next_step, own_share
from perf_panels.lines.comparison import change, same_function
from perf_panels.lines.functions_page import Shown, section
from perf_panels.numbers import duration, ms, percent, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

Stats = dict[str, Any]

_OFFERED = 10
"""Functions that ran and were not timed, shown with a button each; the field knows the others."""
_ACTIONS = ("deeper", "add", "remove", "refresh", "text", "lprof", "markdown")


def panel_context(stats: Stats, request_id: str, previous: Stats | None) -> dict[str, Any]:
    """
    Return the context of the page: facts, findings, the selection, and the source of what was timed.
    """
    if not stats.get("watched"):
        return stats
    previous = previous if previous and previous.get("functions") else None
    shown = Shown(stats, request_id, previous)
    sections = [section(function, shown) for function in stats.get("functions", [])]
    for each in sections[:1]:
        each["open"] = True
    return stats | {
        "facts": list(_facts(stats)),
        "sections": sections,
        "cards": cards(stats, request_id),
        "next_step": next_step(stats, request_id),
        "change": _change(stats, previous),
        "crumbs": _crumbs(stats, request_id),
        "unseen_text": ", ".join(stats.get("unseen", [])),
        "offered": _offered(stats, request_id),
        "names": [each["id"] for each in stats.get("seen", [])] + _called_names(stats),
        "overhead": duration(stats.get("overhead_ns", 0) / 1e6),
        "own_cost": duration(stats.get("overhead_ms")),
        "hits_text": whole(stats.get("hits")),
        "replays": stats.get("method") == "GET" and not stats.get("streaming"),
        "urls": {name: reverse(f"djdt:perf_panels_lines_{name}") for name in _ACTIONS},
        "tokens": {name: token(PANEL_ID, request_id, name) for name in _ACTIONS},
    }


def subtitle(stats: Stats) -> str:
    """
    Return the line of the side bar: the view, its time, and its slowest line.
    """
    if stats.get("refused"):
        return _("not run: %(holder)s is on") % {"holder": stats["refused"]["holder"]}
    if not stats.get("watched"):
        return _("no view ran")
    found = max(_project_lines(stats), key=lambda each: each[1]["own_ms"], default=None)
    said = {"view": stats["view"].rpartition(".")[2], "ms": ms(stats["total_ms"])}
    if found is None:
        return _("%(view)s %(ms)s: no line timed") % said
    function, line = found
    share = own_share(line, stats)
    said |= {"line": line["line"], "share": percent(share), "function": function["name"].rpartition(".")[2]}
    if function["chosen"] == "view":
        return _("%(view)s %(ms)s: line %(line)d, %(share)s") % said
    return _("%(view)s %(ms)s: %(function)s line %(line)d, %(share)s") % said


def _project_lines(stats: Stats) -> Iterator[tuple[Stats, Stats]]:
    return (
        (function, line)
        for function in stats["functions"]
        if function["owner"] == "project"
        for line in function["lines"]
    )


def _facts(stats: Stats) -> Iterator[dict[str, str]]:
    together = stats["total_ms"]
    sending = together - stats["view_ms"] - stats["render_ms"]
    yield {"name": _("View"), "value": ms(stats["view_ms"]), "note": _of(stats["view_ms"], together)}
    if stats["render_ms"]:
        yield {"name": _("Render"), "value": ms(stats["render_ms"]), "note": _of(stats["render_ms"], together)}
    elif stats["template_ms"]:
        note = _("inside the view")
        yield {"name": _("Templates"), "value": ms(stats["template_ms"]), "note": note}
    waiting = max((function["awaited_ms"] for function in stats["functions"]), default=0.0)
    if waiting:
        yield {"name": _("Waiting"), "value": ms(waiting), "note": _("in await, in no line's time")}
    if sending > 0.001:
        yield {"name": _("Body"), "value": ms(sending), "note": _of(sending, together)}
    found = max(_project_lines(stats), key=lambda each: each[1]["own_ms"], default=None)
    if found:
        share = own_share(found[1], stats)
        level = "critical" if stats["findings"] else ""
        yield {
            "name": _("Slowest line"),
            "value": percent(share),
            "note": f"{found[0]['name'].rpartition('.')[2]}:{found[1]['line']}",
            "level": level,
        }
    queries = sum(line["sql_count"] for _function, line in _project_lines(stats))
    if queries:
        yield {"name": _("Statements"), "value": whole(queries), "note": _("sent by these lines")}
    if not stats["hits"]:
        return
    yield {
        "name": _("Profiler in these times"),
        "value": duration(stats["overhead_ms"]),
        "note": _("%(hits)s hits, about %(each)s each")
        % {"hits": whole(stats["hits"]), "each": duration(stats["overhead_ns"] / 1e6)},
    }


def _of(part: float, together: float) -> str:
    return percent(part / together) if together and part != together else ""


def _change(stats: Stats, previous: Stats | None) -> dict[str, Any] | None:
    """
    Return how the request and its functions differ from the previous run, or None without one.
    """
    if previous is None:
        return None
    now, before = stats["total_ms"], previous["total_ms"]
    functions = []
    for function in stats["functions"]:
        old = same_function(function, previous)
        text, tone = change(function["elapsed_ms"], old["elapsed_ms"] if old else None)
        if old and text != "=":
            functions.append({"name": function["name"], "text": text, "tone": tone})
    text, tone = change(now, before)
    return {"before": ms(before), "now": ms(now), "text": text, "tone": tone, "functions": functions[:4]}


def _crumbs(stats: Stats, request_id: str) -> list[dict[str, str]]:
    return [
        {"name": each["name"], "id": each["id"], "remove": token(PANEL_ID, request_id, "remove", each["id"])}
        for each in stats.get("selection", [])
    ]


def _offered(stats: Stats, request_id: str) -> list[dict[str, str]]:
    """
    Return the project's functions that ran, were not timed, and are at no line's button.
    """
    at_lines = {each["id"] for function in stats["functions"] for line in function["lines"] for each in line["called"]}
    own = [each for each in stats["seen"] if each["owner"] == "project" and each["id"] not in at_lines]
    return [
        {
            "name": each["name"],
            "id": each["id"],
            "from": _template_text(each["templates"]),
            "token": token(PANEL_ID, request_id, "deeper", each["id"]),
        }
        for each in own[:_OFFERED]
    ]


def _template_text(templates: list[dict[str, Any]]) -> str:
    first = max(templates, key=lambda each: each["calls"], default=None)
    if first is None:
        return ""
    more = len(templates) - 1
    place = f"{first['template']}:{first['line']}"
    if not more:
        return place
    return ngettext("%(place)s and %(count)d more", "%(place)s and %(count)d more", more) % {
        "place": place,
        "count": more,
    }


def _called_names(stats: Stats) -> list[str]:
    timed = {function["id"] for function in stats["functions"]} | {each["id"] for each in stats["seen"]}
    called = {each["id"] for function in stats["functions"] for line in function["lines"] for each in line["called"]}
    return sorted(called - timed)
