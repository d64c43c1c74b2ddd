"""
From what is stored to the page and the side bar: pure functions, made from the stats alone.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _, ngettext

from perf_panels import numbers
from perf_panels.actions import token
from perf_panels.memory import PANEL_ID, chooser, curve
from perf_panels.memory.allocations_page import allocations_context
from perf_panels.memory.disagreement import disagreement
from perf_panels.memory.finding_page import cards, changed
from perf_panels.memory.leaks_page import leaks_context
from perf_panels.memory.lines_page import functions_context, meter_text
from perf_panels.memory.measurements import ALLOCATIONS, OBJECTS
from perf_panels.memory.objects_page import objects_context
from perf_panels.memory.rules.growth import FLOOR_BYTES
from perf_panels.memory.wording import DASH, change, memory, place_of

Stats = dict[str, Any]

ABOUT = "≈ "
"""Before the numbers of the process while other requests ran in it."""


# The side bar


def subtitle(stats: Stats) -> str:
    """
    Return the line of the side bar: what was added, and where.
    """
    if not stats.get("watched"):
        return _("no view ran")
    if not _measured(stats):
        return _("not measured: open the panel")
    worst = next((finding for finding in stats["findings"] if finding["severity"] != "info"), None)
    said = _leading(worst, stats)
    place = place_of(worst["fix_at"] or worst["origin"]) if worst else ""
    return f"{said}, {place}" if place else said


def _leading(worst: Stats | None, stats: Stats) -> str:
    if worst is not None and worst["rule"] == "leak":
        return _("%(growth)s leaked") % {"growth": change(worst["evidence"]["growth_bytes_per_request"])}
    if worst is not None and worst["rule"] == "many-instances":
        return _("%(count)s model instances") % {"count": f"{worst['evidence']['instances']:,}"}
    rise = stats["rise_bytes"]
    if not rise and not stats["process"]["reading"]:
        return _("process not read")
    if rise <= stats["process"]["noise_bytes"]:
        return _("no growth")
    text = _("%(about)s%(growth)s peak")
    if worst is None and rise < FLOOR_BYTES:
        text = _("%(about)s%(growth)s peak, little")
    return text % {"about": _about(stats), "growth": change(rise)}


def _about(stats: Stats) -> str:
    return ABOUT if stats["others"]["requests"] else ""


def _measured(stats: Stats) -> bool:
    """
    Return whether the engine ran: else there is only what the process says of itself.
    """
    return any(stats.get(part) is not None for part in ("meter", "allocations", "objects"))


# The panel


def panel_context(stats: Stats, request_id: str, previous: Stats | None) -> Stats:
    """
    Return the context of the panel's template. ``previous`` is what is stored of the request before to the same URL.
    """
    if not stats.get("watched"):
        return stats
    previous = previous if previous and previous.get("watched") and "process" in previous else None
    context = stats | {
        "measured": _measured(stats),
        "engines": chooser.engines(stats, request_id),
        "engine_url": reverse("djdt:perf_panels_memory_engine"),
        "chains_url": reverse("djdt:perf_panels_memory_chains"),
        "facts": _facts(stats),
        "notes": _notes(stats, previous),
        "kept_text": _kept_text(stats),
        "kept_rows": _kept_rows(stats["kept"]),
        "change": _change(stats, previous),
        "drawn": curve.drawn(stats),
        "cards": cards(stats),
        **leaks_context(stats),
        "disagreement": disagreement(stats),
        "downloads": _downloads(stats, request_id),
    }
    if "functions" in stats:
        context |= {"function_views": functions_context(stats, previous), "meter_notes": meter_text(stats)}
    if stats["engine"] == ALLOCATIONS and "rows" in stats:
        context |= allocations_context(stats, previous)
    if stats["engine"] == OBJECTS and "types" in stats:
        context |= objects_context(stats, previous, request_id)
    return context


def _facts(stats: Stats) -> list[Stats]:
    process, pauses, about = stats["process"], stats["collections"], _about(stats)
    before = process["rss_before_bytes"]
    problems = [finding for finding in stats["findings"] if finding["severity"] != "info"]
    facts = [
        _fact(_("Problems"), f"{len(problems):,}" if _measured(stats) else DASH, level=_level(problems, stats)),
    ]
    if process["reading"]:
        facts.append(_fact(_("Process before"), memory(before), _("resident (RSS)")))
    if process["rss_peak_bytes"] is not None:
        rise = change(process["rss_peak_bytes"] - before)
        facts.append(
            _fact(_("At its height"), about + rise, _("to %(memory)s") % {"memory": memory(process["rss_peak_bytes"])})
        )
    if process["reading"]:
        facts.append(_fact(_("After the render"), about + change(process["rss_end_bytes"] - before)))
    if process["rss_after_bytes"] is not None:
        facts.append(_fact(_("After the response"), about + change(process["rss_after_bytes"] - before)))
    ran = ngettext("in %(count)s collection", "in %(count)s collections", pauses["count"])
    paused = numbers.ms(pauses["pause_ms"]) if pauses["count"] else "0"
    facts.append(_fact(_("Garbage collection"), paused, ran % {"count": f"{pauses['count']:,}"}))
    if stats["kept"]["total_bytes"]:
        facts.append(_fact(_("DEBUG and toolbar"), memory(stats["kept"]["total_bytes"]), _("not the view's")))
    return facts


def _level(problems: list[Stats], stats: Stats) -> str:
    if problems:
        return str(problems[0]["severity"])
    return "ok" if _measured(stats) else ""


def _fact(text: str, value: str, note: str = "", *, level: str = "") -> Stats:
    return {"text": text, "value": value, "note": note, "level": level}


def _notes(stats: Stats, previous: Stats | None) -> list[str]:
    process = stats["process"]
    how = {
        "VmHWM": _("The height is the kernel's own (VmHWM), reset before the view."),
        "ru_maxrss": _(
            "The height is the process's highest ever (ru_maxrss): lower ones than an earlier request's do not show."
        ),
        "samples": _("The height is the highest reading; between two readings it may have been higher."),
    }.get(process["how"], process["how"])
    exact = _("A reading (%(reading)s) shows no change below %(noise)s.") % {
        "reading": process["reading"],
        "noise": memory(process["noise_bytes"]),
    }
    unread = _(
        "What memory the process has is not known: on this system psutil is needed to read it, which is missing."
    )
    said = [how, exact] if process["reading"] else [unread]
    others = stats["others"]["requests"]
    if others:
        text = ngettext(
            "%(count)d other request ran in this process at the same time: numbers marked with ≈ may have its memory"
            " in them.",
            "%(count)d other requests ran in this process at the same time: numbers marked with ≈ may have their memory"
            " in them.",
            others,
        )
        said.append(text % {"count": others})
    if previous is None:
        said.append(
            _(
                "No earlier request to this URL is stored: this one may have loaded what is loaded once, modules,"
                " templates and caches. Load the page again to compare."
            )
        )
    return said


def _kept_text(stats: Stats) -> str:
    kept, growth = stats["kept"]["total_bytes"], stats["growth_bytes"]
    if not kept:
        return ""
    words = {"growth": memory(growth), "kept": _at_least(kept, cut=bool(stats["kept"]["cut_panels"]))}
    if not stats["process"]["reading"]:
        return _capital(_("%(kept)s is kept by DEBUG and this toolbar.") % words)
    if growth > kept:
        return _("Of %(growth)s, %(kept)s is kept by DEBUG and this toolbar.") % words
    return _capital(_("%(kept)s is kept by DEBUG and this toolbar; the process grew by no more than that.") % words)


def _at_least(size: int, *, cut: bool) -> str:
    return _("at least %(memory)s") % {"memory": memory(size)} if cut else memory(size)


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _kept_rows(kept: Stats) -> list[tuple[str, str]]:
    entries = ngettext("%(count)s statement", "%(count)s statements", kept["query_log_entries"]) % {
        "count": f"{kept['query_log_entries']:,}"
    }
    rows = [
        (_("Query log (connection.queries), %(entries)s") % {"entries": entries}, kept["query_log_bytes"], False),
        (_("What templates keep for their error page"), kept["template_debug_bytes"], False),
        *(
            (_("Toolbar: %(panel)s") % {"panel": name}, size, name in kept["cut_panels"])
            for name, size in kept["toolbar_panels"].items()
        ),
    ]
    return [(text, _at_least(size, cut=cut)) for text, size, cut in sorted(rows, key=lambda row: -row[1]) if size]


def _change(stats: Stats, previous: Stats | None) -> Stats | None:
    if previous is None:
        return None
    same = previous["engine"] == stats["engine"] and _measured(previous) and _measured(stats)
    gone, new = changed(stats, previous) if same else ([], [])
    pairs = [
        (_("at its height"), previous["rise_bytes"], stats["rise_bytes"]) if same else None,
        (_("after the render"), previous["growth_bytes"], stats["growth_bytes"])
        if stats["process"]["reading"]
        else None,
    ]
    return {
        "pairs": [
            {"name": name, "before": change(was), "now": change(became)} for name, was, became in filter(None, pairs)
        ],
        "gone": gone,
        "new": new,
    }


def _downloads(stats: Stats, request_id: str) -> list[Stats]:
    offered = []
    if stats.get("functions"):
        offered.append(("text", _("Text, as memory_profiler prints it"), ""))
    if stats.get("rows"):
        warning = _("A pickle: load only one that you made yourself, as loading it can run any code.")
        offered.append(("snapshot", _("tracemalloc snapshot"), warning))
    if _measured(stats):
        offered.append(("csv", "CSV", ""))
    return [
        {
            "text": text,
            "warning": warning,
            "url": reverse(f"djdt:perf_panels_memory_{name}"),
            "token": token(PANEL_ID, request_id, name),
        }
        for name, text, warning in offered
    ]
