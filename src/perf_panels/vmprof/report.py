"""
From the samples of an engine to what the panel stores. Pure; called after the response, and after More samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf_panels.conf import get_config
from perf_panels.findings import finding_dicts
from perf_panels.origins import excerpt
from perf_panels.vmprof import memory, stored
from perf_panels.vmprof.charges import charge, hot_lines
from perf_panels.vmprof.findings import Limits, Measured, findings
from perf_panels.vmprof.owners import label_of
from perf_panels.vmprof.tree import build, functions_of

if TYPE_CHECKING:
    from perf_panels.findings import Finding
    from perf_panels.vmprof.charges import Charges
    from perf_panels.vmprof.samples import Samples
    from perf_panels.vmprof.tree import Tree

_FUNCTIONS_KEPT = 150
_CALLERS_KEPT = 4


def report(samples: Samples) -> dict[str, Any]:
    """
    Return the stats of a profile. Times are those of one run; samples are those of all.
    """
    tree = build(samples)
    charges = charge(tree)
    found = _found(samples, tree, charges)
    nodes, cut = stored.nodes_of(tree, samples.runs)
    stats = {
        "profile": _facts(samples),
        "frames": stored.frames_of(tree),
        "nodes": nodes,
        "functions": _functions(tree, samples.runs),
        "owners": _owners(tree, samples.runs),
        "areas": {area: round(ms / samples.runs, 3) for area, ms in charges.areas.items()},
        "headline": _headline(charges, samples),
        "memory": memory.curve(samples, tree, functions_of(samples.frames)[1]),
        "findings": finding_dicts(found),
        "sources": _sources(found),
        "raw": stored.pack(samples),
        "truncated": {"nodes": cut} if cut else {},
    }
    stored.forget_frames(stats)
    return stats


def _limits() -> Limits:
    config = get_config()
    return Limits(config.VMPROF_HOT_PERCENT / 100, config.VMPROF_HOT_MS)


def _facts(samples: Samples) -> dict[str, Any]:
    runs = samples.runs or 1
    return {
        "engine": samples.engine,
        "mode": samples.mode,
        "clock": samples.clock,
        "period_ms_asked": samples.period_ms_asked,
        "rate_hz": round(samples.rate_hz, 1),
        "samples": samples.count,
        "runs": runs,
        "sampled_ms": round(samples.total_ms / runs, 3),
        "wall_ms": round(samples.wall_ms / runs, 3),
        "cpu_ms": round(samples.cpu_ms / runs, 3),
        "waiting_ms": round(samples.waiting_ms / runs, 3),
        "phases_ms": {phase: round(ms / runs, 3) for phase, ms in samples.phases_ms.items()},
        "other_threads": samples.other_threads,
        "lost_ms": round(samples.lost_ms / runs, 3),
        "crashes": samples.crashes,
        "notes": list(samples.notes),
    }


def _functions(tree: Tree, runs: int) -> list[dict[str, Any]]:
    """
    Return the functions, those with the most time of their own first.
    """
    found: dict[int, dict[str, Any]] = {}
    callers: dict[int, dict[int, int]] = {}
    for node in tree.nodes():
        entry = found.get(node.frame)
        if entry is None:
            entry = found[node.frame] = {"frame": node.frame, "self_ms": 0.0, "total_ms": 0.0}
            entry |= {"self_samples": 0, "samples": 0}
        entry["self_ms"] += node.self_ms / runs
        entry["self_samples"] += node.self_samples
        if not node.again:
            entry["total_ms"] += node.total_ms / runs
            entry["samples"] += node.samples
        if node.parent is not None and node.parent.frame >= 0:
            calling = callers.setdefault(node.frame, {})
            calling[node.parent.frame] = calling.get(node.parent.frame, 0) + node.samples
    kept = sorted(found.values(), key=lambda each: (-each["self_ms"], -each["total_ms"]))[:_FUNCTIONS_KEPT]
    return [each | _rounded(each) | {"callers": _most(callers.get(each["frame"], {}))} for each in kept]


def _rounded(entry: dict[str, Any]) -> dict[str, float]:
    return {key: round(entry[key], 3) for key in ("self_ms", "total_ms")}


def _most(counted: dict[int, int]) -> list[list[int]]:
    return [[frame, counted[frame]] for frame in sorted(counted, key=lambda each: -counted[each])[:_CALLERS_KEPT]]


def _owners(tree: Tree, runs: int) -> list[dict[str, Any]]:
    """
    Return whose the innermost function was, with its time, the most first.
    """
    found: dict[str, dict[str, Any]] = {}
    for node in tree.leaves():
        if node.frame < 0:
            continue
        role = tree.roles[node.frame]
        label = label_of(role.owner, role.package)
        entry = found.setdefault(label, {"owner": role.owner, "package": role.package, "ms": 0.0, "samples": 0})
        entry["ms"] += node.self_ms / runs
        entry["samples"] += node.self_samples
    return [each | {"ms": round(each["ms"], 3)} for each in sorted(found.values(), key=lambda each: -each["ms"])]


def _headline(charges: Charges, samples: Samples) -> dict[str, Any] | None:
    total = samples.total_ms
    if not total or not charges.charges:
        return None
    area = max(charges.areas, key=lambda each: charges.areas[each])
    frame, ms = charges.by_area.get(area, (None, 0.0))
    return {
        "area": area,
        "area_share": charges.areas[area] / total,
        "frame": frame,
        "frame_share": ms / total,
    }


def _found(samples: Samples, tree: Tree, charges: Charges) -> list[Finding]:
    measured, limits = Measured(samples.count, samples.total_ms, samples.runs, samples.clock), _limits()
    least_ms = limits.share * measured.total_ms
    large = {each.frame for each in charges.charges if max(each.self_ms, each.database_ms) >= least_ms}
    return findings(tree, charges, measured, limits, hot_lines(samples, tree, large))


def _sources(found: list[Finding]) -> dict[str, list[dict[str, Any]]]:
    """
    Return the source around each finding as it was then, by ``file:line``.
    """
    return {
        f"{each.origin.file}:{each.origin.line}": excerpt(each.origin.file, each.origin.line, around=3)
        for each in found
        if each.origin
    }
