"""
One timed function on the page: its heading, and its source with the numbers of each line.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext as _, ngettext

from perf_panels.lines.cards import deeper, owner_text
from perf_panels.lines.comparison import change, same_function, times_before
from perf_panels.numbers import duration, ms, percent, whole, width
from perf_panels.origins import short_path
from perf_panels.source_view import Column, Line, table

Stats = dict[str, Any]

_LINE_EXTRA = "perf_panels/lines/line_extra.html"


class Shown(NamedTuple):
    """
    What every section needs besides its function.
    """

    stats: Stats
    request_id: str
    previous: Stats | None


def section(function: Stats, shown: Shown) -> dict[str, Any]:
    """
    Return a function with its heading and its table, each value as the text it is shown as.
    """
    stats = shown.stats
    weight = min(1.0, function["elapsed_ms"] / stats["total_ms"]) if stats["total_ms"] else 0.0
    marks = _marks(function, stats)
    view = _table(function, shown, weight, marks)
    hottest = max(function["lines"], key=lambda line: line["elapsed_ms"], default=None)
    return {
        "key": function["key"],
        "name": function["name"],
        "module": function["module"],
        "owner": owner_text(function["owner"]),
        "is_project": function["owner"] == "project",
        "phase": _phase_text(function["phase"]),
        "why": _why(function),
        "path": short_path(function["file"]),
        "file": function["file"],
        "first_line": str(function["first_line"]),
        "calls": ngettext("%(count)s call", "%(count)s calls", function["calls"]) % {"count": whole(function["calls"])},
        "time": ms(function["elapsed_ms"]),
        "awaited": ms(function["awaited_ms"]) if function["awaited_ms"] else "",
        "share": percent(weight),
        "width": width(weight),
        "heat": "hot" if weight >= 0.5 else "warm" if weight >= 0.1 else "cold",
        "hottest": str(hottest["line"]) if hottest else "",
        "hottest_share": percent(_share(hottest, function)) if hottest else "",
        "templates": [f"{each['template']}:{each['line']}" for each in function["templates"][:5]],
        "templates_more": max(0, len(function["templates"]) - 5),
        "marked": bool(marks),
        "open": bool(marks),
        "view": view,
    }


def _table(function: Stats, shown: Shown, weight: float, marks: dict[int, str]) -> dict[str, Any]:
    before = same_function(function, shown.previous)
    then = times_before(function, before) if before else None
    queries = any(line["sql_count"] for line in function["lines"])
    awaited = any(line["awaited_ms"] for line in function["lines"])
    lines = [
        Line(
            line["line"],
            tuple(text for text, _tone in cells),
            heat=_share(line, function),
            weight=weight,
            mark=marks.get(line["line"], ""),
            tones=tuple(tone for _text, tone in cells),
            extra=_extra(line, shown),
        )
        for line in function["lines"]
        for cells in [list(_cells(line, function, queries=queries, awaited=awaited, then=then))]
    ]
    columns = _columns(queries=queries, awaited=awaited, compared=then is not None)
    return table(function["source"], lines, columns, executable=function["executable"], extra=_LINE_EXTRA)


def _columns(*, queries: bool, awaited: bool, compared: bool) -> list[Column]:
    columns = [
        Column(_("Hits"), _("How often the line ran")),
        Column(_("Time"), _("With all that the line calls, and with the profiler's own cost")),
        Column(_("Per hit")),
        Column(_("Share"), _("Of the function's time"), bar=True),
    ]
    if awaited:
        columns.append(Column(_("Waiting"), _("Time suspended in await: not part of the time")))
    if queries:
        columns.append(
            Column(_("SQL"), _("Statements that the line sent, by itself or by what it calls, and their time"))
        )
    if compared:
        columns.append(
            Column(_("Change"), _("Beside the previous request to this URL; lines are matched by their text"))
        )
    return columns


def _cells(
    line: Stats, function: Stats, *, queries: bool, awaited: bool, then: dict[int, float] | None
) -> list[tuple[str, str]]:
    cells = [
        (whole(line["hits"]), ""),
        (duration(line["elapsed_ms"]), ""),
        (duration(line["elapsed_ms"] / line["hits"]) if line["hits"] else "", ""),
        (percent(_share(line, function)), ""),
    ]
    if awaited:
        cells.append((duration(line["awaited_ms"]) if line["awaited_ms"] else "", ""))
    if queries:
        cells.append((f"{whole(line['sql_count'])} · {duration(line['sql_ms'])}" if line["sql_count"] else "", ""))
    if then is not None:
        cells.append(change(line["elapsed_ms"], then.get(line["line"])))
    return cells


def _share(line: Stats, function: Stats) -> float:
    return min(1.0, line["elapsed_ms"] / function["elapsed_ms"]) if function["elapsed_ms"] else 0.0


def _extra(line: Stats, shown: Shown) -> dict[str, Any] | None:
    called = deeper(line, shown.stats, shown.request_id)
    if not called:
        return None
    count = len(called) + line["called_left_out"]
    return {
        "called": called,
        "label": ngettext("calls %(count)s", "calls %(count)s", count) % {"count": f"{count:,}"},
        "left_out": line["called_left_out"],
        "url": "perf_panels_lines_deeper",
    }


def _marks(function: Stats, stats: Stats) -> dict[int, str]:
    return {
        finding["origin"]["line"]: finding["severity"]
        for finding in reversed(stats["findings"])
        if finding["origin"]["file"] == function["file"] and finding["origin"]["function"] == function["name"]
    }


def _phase_text(phase: str) -> str:
    return {"view": _("in the view"), "render": _("in the render"), "response": _("while the response was sent")}[phase]


def _why(function: Stats) -> str:
    return {
        "view": "",
        # Where a template called it, the heading names the place.
        "page": "" if function["templates"] else _("called by Django"),
        "deeper": _("added by you"),
        "second choice": _("Django's own, timed because it turned out hot"),
    }[function["chosen"]]
