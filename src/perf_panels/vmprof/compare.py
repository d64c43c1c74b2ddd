"""
What changed since the profile before of the same URL: node by node, and the functions whose time surely differs.
"""

from __future__ import annotations

from typing import Any

from perf_panels.vmprof.findings import error

Stats = dict[str, Any]

_MOST = 6
_SURE = 3.0
"""Many functions are compared at once: with twice the error one in twenty would seem to have changed."""


def comparable(stats: Stats, previous: Stats | None) -> bool:
    """
    Tell whether the two profiles count the same clock and both have something to compare.
    """
    if not previous or len(previous.get("nodes") or ()) < 2 or len(stats.get("nodes") or ()) < 2:
        return False
    return bool(previous["profile"]["clock"] == stats["profile"]["clock"])


def both(stats: Stats, previous: Stats) -> list[tuple[float, float]]:
    """
    Return for each node how many milliseconds the same node had and has, 0 where there was none.

    Siblings of one file and name, such as two lambdas, are added up on either side: nothing lasting tells them apart.
    """
    known: dict[tuple[int, Any], int] = {}
    then = _totals(previous, _paths(previous, known))
    paths = _paths(stats, known)
    now = _totals(stats, paths)
    return [(then.get(number, 0.0), now[number]) for number in paths]


def changes(stats: Stats, previous: Stats) -> list[dict[str, Any]]:
    """
    Return the functions whose own time differs by more than the samples leave open, the largest change first.
    """
    now, then = _own(stats), _own(previous)
    found = []
    for key in now.keys() | then.keys():
        after_ms, after_error = now.get(key, (0.0, _none(stats)))
        before_ms, before_error = then.get(key, (0.0, _none(previous)))
        if abs(after_ms - before_ms) > _SURE * (after_error**2 + before_error**2) ** 0.5:
            found.append({"name": key[1], "before_ms": before_ms, "ms": after_ms, "change_ms": after_ms - before_ms})
    return sorted(found, key=lambda each: -abs(each["change_ms"]))[:_MOST]


def _totals(stats: Stats, paths: list[int]) -> dict[int, float]:
    totals: dict[int, float] = {}
    for number, (_parent, _frame, total_ms, *_rest) in zip(paths, stats["nodes"], strict=True):
        totals[number] = round(totals.get(number, 0.0) + total_ms, 3)
    return totals


def _paths(stats: Stats, known: dict[tuple[int, Any], int]) -> list[int]:
    """
    Return for each node the number of its way from the root; ``known`` grows by the ways that are new.
    """
    numbers: list[int] = []
    for parent, frame, *_rest in stats["nodes"]:
        above = numbers[parent] if parent >= 0 else 0
        numbers.append(known.setdefault((above, _key(stats, frame)), len(known) + 1))
    return numbers


def _key(stats: Stats, frame: int) -> Any:
    if frame < 0:
        return frame
    each = stats["frames"][frame]
    # Not the line: what stands above a function may have grown.
    return each["file"], f"{each['template']}:{each['template_line']}" if each["template"] else each["name"]


def _own(stats: Stats) -> dict[Any, tuple[float, float]]:
    found: dict[Any, tuple[float, float]] = {}
    for function in stats["functions"]:
        key, share = _key(stats, function["frame"]), _share(function["self_ms"], stats)
        own_ms, own_error = found.get(key, (0.0, 0.0))
        found[key] = (own_ms + function["self_ms"], own_error + error(share, _samples(stats)) * _total(stats))
    return found


def _none(stats: Stats) -> float:
    return error(0.0, _samples(stats)) * _total(stats)


def _share(ms: float, stats: Stats) -> float:
    return min(1.0, ms / _total(stats)) if _total(stats) else 0.0


def _samples(stats: Stats) -> int:
    return int(stats["profile"]["samples"])


def _total(stats: Stats) -> float:
    return float(stats["profile"]["sampled_ms"])
