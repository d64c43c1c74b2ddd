"""
All findings of a request: those of its plans, one for each rule and relation, and the statements that were slow.
"""

from __future__ import annotations

from typing import Any

from perf_panels.explain.wording import is_withdrawn
from perf_panels.findings import SEVERITIES

Stats = dict[str, Any]


def merged(stats: Stats) -> Stats:
    """
    Return the stats with ``findings`` made anew from their plans, worst first.
    """
    found: dict[Any, dict[str, Any]] = {}
    groups = {group["id"]: group for group in stats["groups"]}
    for group_id, plan in stats["plans"].items():
        if group_id in groups:
            for card in plan["cards"]:
                if not is_withdrawn(card, stats):
                    _merge(found, card, groups[group_id])
    for group in stats["groups"]:
        if group["worst_ms"] >= stats["slow_ms"]:
            found["slow", group["id"]] = _slow(group, stats)
    return stats | {"findings": sorted(found.values(), key=_badness)}


def _merge(found: dict[Any, dict[str, Any]], card: dict[str, Any], group: dict[str, Any]) -> None:
    finding = card["finding"]
    key = (finding["rule"], finding["relation"], finding["title"] if not finding["relation"] else card["sql"])
    earlier = found.get(key)
    statements = (earlier["evidence"]["statements"] if earlier else 0) + 1
    executions = (earlier["evidence"]["executions"] if earlier else 0) + group["count"]
    worst = min([finding, earlier] if earlier else [finding], key=_badness)
    found[key] = worst | {"evidence": worst["evidence"] | {"statements": statements, "executions": executions}}


def _slow(group: dict[str, Any], stats: Stats) -> dict[str, Any]:
    plan = stats["plans"].get(group["id"])
    explained = bool(plan and any(card["finding"]["severity"] != "info" for card in plan["cards"]))
    detail = (
        f"Limit: {stats['slow_ms']:g} ms (SLOW_MS). Sent {group['count']:,} times, {group['total_ms']:,.1f} ms in all."
    )
    return {
        "rule": "slow-statement",
        "severity": "warning" if not explained else "info",
        "title": f"{group['worst_ms']:,.0f} ms for one statement: {group['summary'][:120]}",
        "detail": detail,
        "evidence": {"worst_ms": group["worst_ms"], "total_ms": group["total_ms"], "executions": group["count"]},
        "advice": "Its plan says why: see its other findings."
        if explained
        else "Open the statement and measure its plan: it says where the time goes.",
        "code": None,
        "origin": group["origin"],
        "fix_at": None,
        "saving_ms": None,
        "relation": None,
    }


def _badness(finding: dict[str, Any]) -> tuple[int, float, float]:
    evidence = finding["evidence"]
    return (
        SEVERITIES.index(finding["severity"]),
        -(finding["saving_ms"] or 0),
        -evidence.get("worst_ms", evidence.get("rows_read", 0)),
    )
