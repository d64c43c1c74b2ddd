"""
Makes the stored stats small: first the packed stacks go, then the smallest nodes of the tree, then functions' callers.
"""

from __future__ import annotations

import json
from typing import Any

from perf_panels.vmprof.stored import forget_frames

Stats = dict[str, Any]

_FEWEST_NODES = 50


def shorten(stats: Stats, limit: int) -> None:
    """
    Cut in place what the page can do without until the stats fit; ``truncated`` counts what went.
    """
    if not stats.get("nodes") or _size(stats) <= limit:
        return
    if stats.get("raw"):
        stats["raw"] = None
    for function in stats["functions"]:
        function["callers"] = function["callers"][:1]
    while _size(stats) > limit and len(stats["nodes"]) > _FEWEST_NODES:
        _halve(stats)
    if _size(stats) > limit:
        stats["sources"] = {}
        stats["functions"] = stats["functions"][:20]
        forget_frames(stats)


def _size(stats: Stats) -> int:
    return len(json.dumps(stats))


def _halve(stats: Stats) -> None:
    nodes = stats["nodes"]
    kept = set(sorted(range(len(nodes)), key=lambda place: (-nodes[place][4], place))[: max(len(nodes) // 2, 1)])
    places = {old: new for new, old in enumerate(sorted(kept))}
    stats["nodes"] = [[places.get(nodes[old][0], -1), *nodes[old][1:]] for old in sorted(kept)]
    stats["functions"] = stats["functions"][: max(20, len(stats["functions"]) // 2)]
    stats["truncated"]["nodes"] = stats["truncated"].get("nodes", 0) + len(nodes) - len(kept)
    forget_frames(stats)
