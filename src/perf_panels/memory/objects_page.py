"""
Model instances and types of objects, as the page shows them.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _, ngettext

from perf_panels import numbers
from perf_panels.actions import token
from perf_panels.memory import PANEL_ID
from perf_panels.memory.wording import DASH, change, count_change, memory, place_of

Stats = dict[str, Any]


def objects_context(stats: Stats, previous: Stats | None, request_id: str) -> Stats:
    """
    Return the context of the part for objects.
    """
    same = previous if previous and previous.get("engine") == stats["engine"] else {}
    models_before = {model["label"]: model for model in same.get("models") or []}
    types_before = {each["name"]: each for each in same.get("types") or []}
    most_loaded = max((model["loaded"] for model in stats["models"]), default=0)
    most_grown = max((_grown_bytes(each) for each in stats["types"]), default=0)
    return {
        "object_text": _text(stats["objects"]),
        "types_problem": stats["objects"]["problem"],
        "looked": stats["complete"],
        "compared": bool(same),
        "model_rows": [
            _model(model, models_before.get(model["label"]), most_loaded, request_id) for model in stats["models"]
        ],
        "type_rows": [_type(each, types_before.get(each["name"]), most_grown, request_id) for each in stats["types"]],
    }


def _text(counted: Stats) -> str:
    words = {
        "before": f"{counted['objects_before']:,}",
        "after": f"{counted['objects_after']:,}",
        "bytes": change(counted["bytes_after"] - counted["bytes_before"]),
        "time": numbers.ms(counted["elapsed_ms"]),
    }
    return (
        _("%(before)s objects before the view, %(after)s after the render, %(bytes)s. Counting them took %(time)s.")
        % words
    )


def _model(model: Stats, before: Stats | None, most: int, request_id: str) -> Stats:
    alive = max(model["alive_view"], model["alive_render"])
    return {
        "label": model["label"],
        "loaded": f"{model['loaded']:,}",
        "bar": numbers.width(model["loaded"] / most if most else 0.0),
        "before": count_change(model["loaded"] - before["loaded"]) if before else DASH,
        "alive_view": f"{model['alive_view']:,}",
        "alive_render": f"{model['alive_render']:,}",
        "left": DASH if model["left"] is None else f"{model['left']:,}",
        "stays": bool(model["left"]),
        "each": memory(model["bytes_each"]),
        "total": memory(model["bytes_each"] * max(alive, model["loaded"])),
        "places": [_loaded(place) for place in model["places"]],
        "token": token(PANEL_ID, request_id, "chains", model["id"]) if model["id"] else "",
        "sort_loaded": str(model["loaded"]),
        "sort_alive": str(alive),
        "sort_left": str(model["left"] or 0),
        "sort_total": str(model["bytes_each"] * max(alive, model["loaded"])),
    }


def _loaded(place: Stats) -> Stats:
    hows = {
        "queryset": _("by a queryset"),
        "related": _("by select_related"),
        "prefetch": _("by prefetch_related"),
        "iterator": _("by .iterator()"),
    }
    origin = place["origin"]
    counted = ngettext("%(count)s instance", "%(count)s instances", place["count"]) % {"count": f"{place['count']:,}"}
    evaluated = place_of(place["evaluated"])
    return {
        "evaluated": evaluated if evaluated != place_of(origin) else "",
        "place": place_of(origin) or _("no line of the project"),
        "title": f"{origin['file']}:{origin['line']}" if origin else "",
        "function": (origin or {}).get("function") or "",
        "count": counted,
        "how": hows.get(place["how"], place["how"]),
        "limited": place["limited"],
    }


def _grown_bytes(grown: Stats) -> int:
    return int(grown["bytes_after"] - grown["bytes_before"])


def _type(grown: Stats, before: Stats | None, most: int, request_id: str) -> Stats:
    count = grown["count_after"] - grown["count_before"]
    module, _dot, name = grown["name"].rpartition(".")
    return {
        "name": name,
        "module": module,
        "count_before": f"{grown['count_before']:,}",
        "count_after": f"{grown['count_after']:,}",
        "growth": count_change(count),
        "bytes": change(_grown_bytes(grown)),
        "bar": numbers.width(max(0, _grown_bytes(grown)) / most if most > 0 else 0.0),
        "before": count_change(count - (before["count_after"] - before["count_before"])) if before else DASH,
        "left": DASH if grown["count_left"] is None else f"{grown['count_left']:,}",
        "token": token(PANEL_ID, request_id, "chains", grown["id"]) if grown["id"] else "",
        "sort_count": str(count),
        "sort_after": str(grown["count_after"]),
        "sort_bytes": str(_grown_bytes(grown)),
        "sort_left": str(grown["count_left"] or 0),
    }
