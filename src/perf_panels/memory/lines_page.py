"""
The functions of a request with what each statement added: the context of their source tables.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.utils.translation import gettext as _, ngettext

from perf_panels import numbers, source_view
from perf_panels.memory.measurements import LINES
from perf_panels.memory.wording import DASH, change, memory
from perf_panels.origins import short_path

Stats = dict[str, Any]

_LEAST_INNER = 0.5
"""Share of a statement's memory from which on it is said that it belongs to a function below."""
_OPEN = 3
"""Functions that are unfolded at first."""


def functions_context(stats: Stats, previous: Stats | None) -> list[Stats]:
    """
    Return each function with its source table, the one that took most first.
    """
    marks = {
        (finding["origin"]["file"], finding["origin"]["line"]): finding["severity"]
        for finding in stats["findings"]
        if finding["origin"] and finding["rule"] == "memory-growth" and finding["severity"] != "info"
    }
    earlier = _by_key(previous) if previous and previous.get("engine") == stats["engine"] else {}
    before = {function_key(function): earlier.get(key) for key, function in _by_key(stats).items()}
    return [
        _function(function, stats, marks, before[function_key(function)], place)
        for place, function in enumerate(stats["functions"])
    ]


def function_key(function: Stats) -> str:
    """
    Return how the page calls a function: the same for the same function of the same request.
    """
    return f"{function['file']}:{function['first_line']}"


def _by_key(stats: Stats) -> dict[tuple[str, int], Stats]:
    """
    Return the functions by their names, those of one name numbered in their order.

    Not by their lines: the previous request may have run before an edit above the function.
    """
    counted: Counter[str] = Counter()
    found = {}
    for function in sorted(stats.get("functions") or [], key=lambda each: each["first_line"]):
        name = _name(function)
        counted[name] += 1
        found[name, counted[name]] = function
    return found


def _name(function: Stats) -> str:
    # The id of a target ends with the function's first line.
    name, _colon, _first_line = function["id"].rpartition(":")
    return name or f"{function['file']}:{function['function']}"


def _function(
    function: Stats, stats: Stats, marks: dict[tuple[str, int], str], before: Stats | None, place: int
) -> Stats:
    most = max((line["own_bytes"] for line in function["lines"]), default=0)
    kept = sum(line["increment_bytes"] for line in function["lines"])
    return {
        "key": function_key(function),
        "name": function["function"],
        "path": f"{short_path(function['file'])}:{function['first_line']}",
        "file": function["file"],
        "owner": function["owner"],
        "open": place < _OPEN and (place == 0 or most > stats["process"]["noise_bytes"]),
        "kept": change(kept),
        "most": memory(most) if most > stats["process"]["noise_bytes"] else "",
        "calls": ngettext("%(count)s call", "%(count)s calls", function["calls"]) % {"count": f"{function['calls']:,}"},
        "notes": _notes(function),
        "view": source_view.table(
            function["source"],
            _lines(function, marks, before),
            _columns(stats, compared=before is not None),
            extra="perf_panels/memory/line_extra.html",
        ),
    }


def _notes(function: Stats) -> list[str]:
    notes = []
    if function["limited"]:
        notes.append(_("Only its first calls were measured: it was called too often to measure all of them."))
    if function["kind"] != "function":
        notes.append(
            _("This is a %(kind)s: what happens while it is suspended is not counted to it.")
            % {"kind": function["kind"]}
        )
    if function["deepest"] > 1:
        notes.append(
            _("It called itself, %(depth)s deep: growth inside the inner calls is counted once.")
            % {"depth": function["deepest"]}
        )
    return notes


def _columns(stats: Stats, *, compared: bool) -> list[source_view.Column]:
    rss = stats["engine"] == LINES
    what = _("memory of the process") if rss else _("memory that Python allocated")
    columns = [
        source_view.Column(_("Hits"), _("How often the statement ran")),
        source_view.Column(
            _("Increment"),
            _("Sum over all hits of the %(what)s after minus before; what it calls is included") % {"what": what},
        ),
    ]
    if compared:
        columns.append(source_view.Column(_("Before"), _("The increment in the previous request to this URL")))
    return [
        *columns,
        source_view.Column(
            _("At its height"), _("The most that one hit rose above its own start, freed again or not"), bar=True
        ),
        source_view.Column(_("Running total"), _("What the function had added up to and with this line")),
    ]


def _lines(function: Stats, marks: dict[tuple[str, int], str], before: Stats | None) -> list[source_view.Line]:
    total = sum(max(0, line["own_bytes"]) for line in function["lines"])
    earlier = _earlier(function, before) if before else {}
    running, lines = 0, []
    for line in sorted(function["lines"], key=lambda each: each["line"]):
        running += line["increment_bytes"]
        cells = [f"{line['hits']:,}", _amount(line["increment_bytes"], signed=True)]
        if before is not None:
            cells.append(_amount(earlier[line["line"]], signed=True) if line["line"] in earlier else DASH)
        cells += [_amount(max(line["spike_bytes"], line["increment_bytes"])), memory(running)]
        lines.append(
            source_view.Line(
                line["line"],
                tuple(cells),
                heat=max(0, line["own_bytes"]) / total if total else 0.0,
                mark=marks.get((function["file"], line["line"]), ""),
                extra=_extra(line),
            )
        )
    return lines


def _amount(value: int, *, signed: bool = False) -> str:
    if not value:
        return "0"
    return change(value) if signed else memory(value)


def _earlier(function: Stats, before: Stats) -> dict[int, int]:
    """
    Return by line what each statement had added in the previous request, as far as it had run there.
    """
    by_text = all(source_view.texts(each["source"]) for each in (function, before))
    places = _places(before, by_text=by_text)
    increments = {places[line["line"]]: line["increment_bytes"] for line in before["lines"]}
    return {
        line: increments[place] for line, place in _places(function, by_text=by_text).items() if place in increments
    }


def _places(function: Stats, *, by_text: bool) -> dict[int, tuple[str, int]]:
    """
    Return what stays of each line after an edit elsewhere: (its text, which of those with this text it is).

    Where there is no text, it is how far the line is from the function's first one.
    """
    places = {line["line"]: ("", line["line"] - function["first_line"]) for line in function["lines"]}
    if by_text:
        counted: Counter[str] = Counter()
        # Those that did not run are counted too.
        for line, text in sorted(source_view.texts(function["source"]).items()):
            if text.strip():
                counted[text.strip()] += 1
                places[line] = text.strip(), counted[text.strip()]
    return places


def _extra(line: Stats) -> Stats | None:
    most = max(line["increment_bytes"], line["spike_bytes"])
    inner = max(line["inner_bytes"], line["inner_spike_bytes"])
    last = line["last_line"] if line["last_line"] > line["line"] else None
    inside = memory(inner) if most > 0 and inner >= most * _LEAST_INNER else ""
    return {"last_line": last, "inside": inside} if last or inside else None


def meter_text(stats: Stats) -> list[str]:
    """
    Return what is to be known of how the statements were measured.
    """
    meter = stats["meter"]
    lines = ngettext("%(count)s line event", "%(count)s line events", meter["events"]) % {
        "count": f"{meter['events']:,}"
    }
    backend = {
        "psutil": _("resident memory (RSS)"),
        "psutil_uss": _("memory of this process alone (USS)"),
        "tracemalloc": _("what Python allocated (tracemalloc)"),
    }.get(meter["backend"], meter["backend"])
    said = [
        _("Measured: %(backend)s at %(lines)s, %(cost)s each.")
        % {"backend": backend, "lines": lines, "cost": numbers.duration(meter["event_us"] / 1_000)}
    ]
    if meter["budget_hit"]:
        said.append(
            _("It stopped there, so that the page does not stand still: lines that ran later are missing or too small.")
        )
    if len(meter["threads"]) > 1:
        said.append(_("Lines ran in several threads: %(names)s.") % {"names": ", ".join(meter["threads"])})
    return said
