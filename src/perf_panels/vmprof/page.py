"""
From what is stored to the page: pure functions. The graph and the call tree are drawn in the browser, from ``graph``.
"""

from __future__ import annotations

import json
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _, ngettext

from perf_panels import numbers
from perf_panels.actions import token
from perf_panels.conf import get_config
from perf_panels.vmprof import PANEL_ID, compare, speedscope, tables
from perf_panels.vmprof.findings import FEW_SAMPLES
from perf_panels.vmprof.memory_page import memory_context
from perf_panels.vmprof.owners import TOOLBAR
from perf_panels.vmprof.replaying import MOST_SAMPLES
from perf_panels.vmprof.wording import area_text, mode_text, name_of, owner_text, part_text, place_of, share_text

Stats = dict[str, Any]

_SAMPLES = (100, 1_000, 5_000)
_SECONDS = (10, 30)
_WAITED_SHARE = 0.5
_WAITED_MS = 50.0
_TOOLBAR_SHARE = 0.1
_HIDDEN = str.maketrans({"<": "\\u003C", ">": "\\u003E", "&": "\\u0026"})


def panel_context(stats: Stats, request_id: str, previous: Stats | None) -> dict[str, Any]:
    """
    Return the context of the page, in each of its states.
    """
    if not stats.get("watched"):
        return stats
    context = stats | _controls(stats, request_id)
    if not stats.get("profile"):
        return context
    change = _change(stats, previous) if previous and compare.comparable(stats, previous) else None
    samples = stats["profile"]["samples"]
    return context | {
        "facts": _facts(stats),
        "headline": _headline(stats),
        "remarks": _remarks(stats),
        "samples": samples,
        "sampled_text": numbers.ms(stats["profile"]["sampled_ms"] or stats["profile"]["wall_ms"]),
        "few": 0 < samples < FEW_SAMPLES,
        "cards": tables.cards(stats),
        "owners": tables.owners(stats),
        "rows": tables.rows(stats),
        "memory": memory_context(stats),
        "change": change,
        "graph": _graph(stats, previous if change else None),
        "phases": _phases(stats),
        "downloads": _downloads(stats, request_id),
        "speedscope_url": speedscope.viewer_url(),
        "speedscope_token": token(PANEL_ID, request_id, "speedscope"),
        "download_url": reverse("djdt:perf_panels_vmprof_download"),
        "frame_url": reverse("djdt:perf_panels_vmprof_frame"),
        "frame_token": token(PANEL_ID, request_id, "frame"),
    }


def subtitle(stats: Stats) -> str:
    """
    Return the line of the side bar: 84 ms CPU, 62 % templates.
    """
    if not stats.get("watched"):
        return _("no view ran")
    if stats.get("state") == "pending":
        # The side bar is made with the page: it says what is known by then.
        return _time_text(stats["measured"])
    if not stats.get("profile"):
        return _("not profiled")
    facts = stats["profile"]
    if facts["samples"] == 0:
        return _("%(time)s, no sample") % {"time": _time_text(facts)}
    if facts["samples"] < FEW_SAMPLES:
        few = ngettext("%(time)s, %(count)d sample", "%(time)s, %(count)d samples", facts["samples"])
        return few % {"time": _time_text(facts), "count": facts["samples"]}
    headline = stats.get("headline")
    if not headline:
        return _time_text(facts)
    return f"{_time_text(facts)}, {headline['area_share'] * 100:.0f} % {area_text(headline['area'])}"


# What can be done


def _controls(stats: Stats, request_id: str) -> dict[str, Any]:
    return {
        "modes": [_mode(each, stats) for each in stats.get("modes") or []],
        "pending": stats.get("state") == "pending",
        "failed": stats.get("state") == "failed",
        "replayable": stats.get("method") in {"GET", "HEAD"},
        "urls": {
            name: {
                "url": reverse(f"djdt:perf_panels_vmprof_{name}"),
                "token": token(PANEL_ID, request_id, name),
            }
            for name in ("list", "mode", "start", "progress", "stop")
        },
    } | _ends()


def _ends() -> dict[str, Any]:
    """
    Return what More samples may be asked for: samples, the setting's number chosen, or seconds, the setting's at most.
    """
    samples, seconds = get_config().VMPROF_REPLAY_SAMPLES, get_config().VMPROF_REPLAY_SECONDS
    return {
        "samples_chosen": samples,
        "samples_wanted": sorted({*_SAMPLES, samples}),
        "seconds_wanted": sorted({each for each in _SECONDS if each < seconds} | {seconds}),
        "most_samples": MOST_SAMPLES,
    }


def _mode(mode: dict[str, Any], stats: Stats) -> dict[str, Any]:
    text, hint = mode_text(mode["mode"])
    return mode | {"text": text, "hint": mode["unavailable"] or hint, "pressed": mode["mode"] == stats.get("mode")}


def _downloads(stats: Stats, request_id: str) -> list[dict[str, Any]]:
    kinds = [
        ("speedscope", _("Speedscope JSON"), _("For speedscope.app and for other viewers of that format.")),
        ("collapsed", _("Collapsed stacks"), _("One stack a line, for flamegraph.pl and inferno.")),
    ]
    if stats["profile"]["engine"] == "vmprof":
        kinds.insert(0, ("prof", _("vmprof .prof"), _("Opens with vmprofshow and vmprof's other tools.")))
    return [{"text": text, "hint": hint, "token": token(PANEL_ID, request_id, kind)} for kind, text, hint in kinds]


# What is said first


def _facts(stats: Stats) -> list[dict[str, Any]]:
    facts = stats["profile"]
    problems = sum(finding["severity"] != "info" for finding in stats["findings"])
    worst = stats["findings"][0]["severity"] if problems else "ok"
    samples = facts["samples"]
    total = facts["sampled_ms"] or 1
    engine = "vmprof" if facts["engine"] == "vmprof" else _("the safe sampler")
    rate = _("%(rate)s a second, by %(engine)s") % {
        "rate": numbers.whole(round(facts["rate_hz"])),
        "engine": engine,
    }
    runs = ngettext("in %(count)s run", "in %(count)s runs", facts["runs"]) % {"count": f"{facts['runs']:,}"}
    fact: list[dict[str, Any]] = [
        {"name": "problems", "text": _("Hot places"), "value": f"{problems:,}", "level": worst},
        {"name": "cpu", "text": _("On the CPU"), "value": numbers.ms(facts["cpu_ms"])}
        | {"note": _("of %(wall)s in all") % {"wall": numbers.ms(facts["wall_ms"])}},
        {"name": "samples", "text": _("Samples"), "value": f"{samples:,}"}
        | {
            "note": f"{runs}, {rate}" if facts["runs"] > 1 else rate,
            "level": "" if samples >= FEW_SAMPLES else "warning",
        },
    ]
    for area in ("templates", "database"):
        share = stats["areas"].get(area, 0.0) / total
        if samples and share > 0:
            value = share_text(share, samples)
            fact.append({"name": area, "text": _("In %(area)s") % {"area": area_text(area)}, "value": value})
    return fact


def _headline(stats: Stats) -> dict[str, Any] | None:
    """
    Return the plain sentence in its parts: 62 % in templates: ``money`` filter at shop/templatetags/shop_format.py:12.
    """
    headline = stats.get("headline")
    if not headline or stats["profile"]["samples"] < FEW_SAMPLES:
        return None
    samples = stats["profile"]["samples"]
    found = {
        "share": share_text(headline["area_share"], samples),
        "area": area_text(headline["area"]),
    }
    if headline["frame"] is None or headline["frame_share"] < headline["area_share"] / 4:
        return found
    frame = stats["frames"][headline["frame"]]
    return found | {
        "name": name_of(frame),
        "part": part_text(frame),
        "place": "" if frame["template"] else place_of(frame),
        "own": share_text(headline["frame_share"], samples) if headline["frame_share"] < headline["area_share"] else "",
    }


def _remarks(stats: Stats) -> list[str]:
    facts = stats["profile"]
    remarks = list(facts["notes"])
    own_ms = sum(each["ms"] for each in stats["owners"] if each["owner"] == TOOLBAR)
    if own_ms > _TOOLBAR_SHARE * (facts["sampled_ms"] or 1):
        remarks.append(
            _("%(time)s is the work of the toolbar's other panels: untick the costly ones to see the page alone.")
            % {"time": numbers.ms(own_ms)}
        )
    if facts["other_threads"]:
        counted = ngettext(
            "%(count)s sample of another thread or task was left out.",
            "%(count)s samples of other threads or tasks were left out.",
            facts["other_threads"],
        )
        remarks.append(counted % {"count": f"{facts['other_threads']:,}"})
    if facts["samples"] and facts["lost_ms"] > 0.02 * (facts["sampled_ms"] or 1):
        remarks.append(_("No sample stands for %(time)s of it.") % {"time": numbers.ms(facts["lost_ms"])})
    return remarks


def _waited(facts: dict[str, Any]) -> bool:
    waited = facts["wall_ms"] - facts["cpu_ms"]
    return bool(facts["clock"] == "cpu" and waited > _WAITED_MS and waited > _WAITED_SHARE * facts["wall_ms"])


def _time_text(facts: dict[str, Any]) -> str:
    if facts["clock"] == "cpu":
        text = _("%(time)s CPU of %(wall)s") if _waited(facts) else _("%(time)s CPU")
        return text % {"time": numbers.ms(facts["cpu_ms"]), "wall": numbers.ms(facts["wall_ms"])}
    return numbers.ms(facts["wall_ms"])


def _phases(stats: Stats) -> list[dict[str, str]]:
    """
    Return what the switch between view and render offers; nothing where only one of them was sampled.
    """
    found = [node for node in stats["nodes"][1:] if node[0] == 0]
    if len(found) < 2:
        return []
    texts = {-1: _("View"), -2: _("Render")}
    return [{"text": _("All"), "frame": "-3", "ms": ""}] + [
        {"text": texts[node[1]], "frame": str(node[1]), "ms": numbers.ms(node[2])} for node in found
    ]


def _change(stats: Stats, previous: Stats) -> dict[str, Any]:
    return {
        "before": _time_text(previous["profile"]),
        "now": _time_text(stats["profile"]),
        "functions": [
            {
                "name": each["name"],
                "before": numbers.ms(each["before_ms"]),
                "now": numbers.ms(each["ms"]),
                "grew": each["change_ms"] > 0,
            }
            for each in compare.changes(stats, previous)
        ],
    }


def _before(stats: Stats, previous: Stats) -> dict[str, Any]:
    return {"samples": previous["profile"]["samples"], "both": compare.both(stats, previous)}


def _graph(stats: Stats, previous: Stats | None) -> SafeString:
    """
    Return what the browser draws, as JSON that no HTML parser mistakes for markup.
    """
    frames = [
        [name_of(frame), place_of(frame), frame["owner"], owner_text(frame["owner"], frame["package"])]
        + ([frame["package"]] if frame["package"] else [])
        for frame in stats["frames"]
    ]
    graph = {
        "frames": frames,
        "nodes": stats["nodes"],
        "before": _before(stats, previous) if previous else None,
        "samples": stats["profile"]["samples"],
        "names": {"-1": _("view"), "-2": _("render"), "-3": _("all")},
    }
    return mark_safe(  # noqa: S308 - no < > & is left in it
        json.dumps(graph, separators=(",", ":")).translate(_HIDDEN)
    )
