"""
A plan as the toolbar's store keeps it: plain JSON, the tree as a flat list in the order in which it is drawn.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.advice import Advised
    from perf_panels.explain.databases.base import Permission, Trial
    from perf_panels.explain.plan import Node, Plan

_TEXT_KEPT = 40_000
_NODES_KEPT = 300
_NOTE_KEPT = 2_000


def stored(
    plan: Plan, advised: list[Advised], undecided: list[str], previous: dict[str, Any] | None = None
) -> dict[str, Any]:
    """
    Return a plan with its findings; ``previous`` is what was stored of the same statement before, to compare with.
    """
    listed = list(_flat(plan.root)) if plan.root else []
    places = {id(node): place for place, (_, node) in enumerate(listed)}
    cards = [_card(each, places) for each in advised]
    nodes = [_node(node, depth) for depth, node in listed]
    for card in cards:
        if card["node"] is not None:
            nodes[card["node"]]["rules"].append(card["finding"]["rule"])
    notes = list(plan.notes)
    if len(nodes) > _NODES_KEPT:
        notes.append(f"{len(nodes) - _NODES_KEPT} more steps of this plan are in its text only.")
    return {
        "state": "failed" if plan.root is None else "analyzed" if plan.analyzed else "estimated",
        "problem": plan.problem,
        "made_at": time.time(),
        "engine": plan.engine,
        "version": plan.version,
        "analyzed": plan.analyzed,
        "planning_ms": plan.planning_ms,
        "execution_ms": plan.execution_ms,
        "cost": plan.root.cost if plan.root else None,
        "rows_read": rows_read(plan),
        "text": plan.text[:_TEXT_KEPT],
        "text_cut": max(0, len(plan.text) - _TEXT_KEPT),
        "notes": notes,
        "nodes": nodes[:_NODES_KEPT],
        "cards": cards,
        "undecided": undecided,
        "before": _before(previous),
    }


def failed(reason: str, engine: str = "") -> dict[str, Any]:
    """
    Return what is stored when no plan could be made: the sentence that says why.
    """
    return {
        "state": "failed",
        "problem": reason,
        "made_at": time.time(),
        "engine": engine,
        "version": "",
        "analyzed": False,
        "planning_ms": None,
        "execution_ms": None,
        "cost": None,
        "rows_read": None,
        "text": "",
        "text_cut": 0,
        "notes": [],
        "nodes": [],
        "cards": [],
        "undecided": [],
        "before": None,
    }


def renewed(before: dict[str, Any] | None, made: dict[str, Any]) -> dict[str, Any]:
    """
    Return what to store where ``before`` is: ``made``, unless that was refused or stopped and ``before`` is a plan.
    """
    stopped = not made["text"] or any(card["finding"]["rule"] == "partial-plan" for card in made["cards"])
    if made["state"] != "failed" or not stopped or before is None or before["state"] == "failed":
        return made
    return before | {"problem": f"{made['problem']} The plan made before is kept."}


def stored_trial(trial: Trial) -> dict[str, Any]:
    """
    Return what is stored of an index that was tried.
    """
    return {
        "method": trial.method,
        "used": trial.used,
        "helps": trial.helps,
        "cost_before": trial.cost_before,
        "cost_after": trial.cost_after,
        "rows_read_before": trial.rows_read_before,
        "rows_read_after": trial.rows_read_after,
        "before": [_node(node, depth) for depth, node in _tree(trial.before)][:_NODES_KEPT],
        "after": [_node(node, depth) for depth, node in _tree(trial.after)][:_NODES_KEPT],
        "notes": list(trial.notes),
        "error": None,
    }


def permission(given: Permission) -> dict[str, Any]:
    return {"verdict": given.verdict, "reasons": list(given.reasons)}


def rows_read(plan: Plan) -> float | None:
    """
    Return the rows all scans of a plan read together: measured, else as far as they were estimated.
    """
    counted = [
        node.scanned if node.scanned is not None else node.est_scanned
        for node in plan.nodes()
        if node.relation and node.kind.value.endswith("scan")
    ]
    known = [rows for rows in counted if rows is not None]
    return sum(known) if known else None


def index_id(group_id: str, sql: str) -> str:
    """
    Return the id under which the index ``sql`` creates is tried for one statement.
    """
    return hashlib.blake2s(f"{group_id}|{sql}".encode(), digest_size=8).hexdigest()


def _tree(plan: Plan) -> list[tuple[int, Node]]:
    return list(_flat(plan.root)) if plan.root else []


def _flat(node: Node, depth: int = 0) -> Iterator[tuple[int, Node]]:
    yield depth, node
    for child in node.children:
        yield from _flat(child, depth + 1)


def _card(advised: Advised, places: dict[int, int]) -> dict[str, Any]:
    return {
        "finding": advised.finding.as_dict(),
        "node": places.get(id(advised.node)) if advised.node is not None else None,
        "sql": advised.suggestion.sql if advised.suggestion else None,
        "table": advised.suggestion.table if advised.suggestion else None,
        "trial": None,
    }


def _node(node: Node, depth: int) -> dict[str, Any]:
    below = sum(child.cost or 0 for child in node.children)
    return {
        "depth": depth,
        "kind": node.kind.value,
        "label": node.label,
        "name": node.name,
        "relation": node.relation,
        "alias": node.alias,
        "index": node.index,
        "est_rows": node.est_rows,
        "act_rows": node.act_rows,
        "loops": node.loops,
        "removed": node.removed,
        "self_ms": node.self_ms,
        "total_ms": node.elapsed_ms,
        "cost": node.cost,
        "self_cost": None if node.cost is None else max(0.0, node.cost - below),
        "rows_read": node.scanned if node.scanned is not None else node.est_scanned,
        "blocks_hit": node.blocks_hit,
        "blocks_read": node.blocks_read,
        "temp_written": node.temp_written,
        "notes": _notes(node),
        "rules": [],
    }


def _notes(node: Node) -> list[list[str]]:
    said = [
        ("Join", node.join_type if node.join_type != "inner" else None),
        ("Index Cond", node.index_cond),
        ("Filter", node.filter),
        ("Join Cond", node.join_cond),
        ("Join Filter", node.join_filter),
        ("Sort Key", ", ".join(node.sort_keys)),
        ("Group Key", ", ".join(node.grouping)),
        ("Strategy", node.strategy),
        ("Sort Method", node.sort_method),
        ("Sort Space", _space(node)),
        ("Batches", f"{node.batches:,.0f}" if node.batches and node.batches > 1 else None),
        ("Heap Fetches", f"{node.heap_fetches:,.0f}" if node.heap_fetches else None),
        ("Workers", _workers(node)),
    ]
    return [[key, text[:_NOTE_KEPT]] for key, text in said if text]


def _space(node: Node) -> str | None:
    where = "on disk" if node.sort_on_disk else "in memory"
    return f"{node.sort_space_kb:,.0f} kB {where}" if node.sort_space_kb else None


def _workers(node: Node) -> str | None:
    if node.workers_launched is None or not node.workers_planned:
        return None
    return f"{node.workers_launched:,.0f} of {node.workers_planned:,.0f}"


def _before(previous: dict[str, Any] | None) -> dict[str, Any] | None:
    if not previous or previous["state"] == "failed":
        return None
    return {key: previous.get(key) for key in ("cost", "execution_ms", "rows_read", "analyzed", "nodes")}
