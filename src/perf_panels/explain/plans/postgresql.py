"""
PostgreSQL's ``EXPLAIN (FORMAT JSON)``, of the servers 13 to 19.
"""

from __future__ import annotations

import json
import re
from typing import Any

from perf_panels.explain.plan import Kind, Node, Plan, Trigger, fill_self_times
from perf_panels.explain.plans.values import mappings, number

_KINDS = {
    "Seq Scan": Kind.SCAN,
    "Sample Scan": Kind.SCAN,
    "Index Scan": Kind.INDEX_SCAN,
    "Index Only Scan": Kind.INDEX_ONLY_SCAN,
    "Bitmap Heap Scan": Kind.BITMAP_SCAN,
    "Bitmap Index Scan": Kind.BITMAP_INDEX,
    "BitmapAnd": Kind.BITMAP_AND,
    "BitmapOr": Kind.BITMAP_OR,
    "Tid Scan": Kind.INDEX_SCAN,
    "Tid Range Scan": Kind.INDEX_SCAN,
    "Subquery Scan": Kind.SUBQUERY_SCAN,
    "Function Scan": Kind.TABLE_FUNCTION,
    "Table Function Scan": Kind.TABLE_FUNCTION,
    "Values Scan": Kind.TABLE_FUNCTION,
    "CTE Scan": Kind.CTE_SCAN,
    "WorkTable Scan": Kind.CTE_SCAN,
    "Named Tuplestore Scan": Kind.TABLE_FUNCTION,
    "Foreign Scan": Kind.OTHER,
    "Custom Scan": Kind.OTHER,
    "Materialize": Kind.MATERIALIZE,
    "Memoize": Kind.MEMOIZE,
    "Nested Loop": Kind.NESTED_LOOP,
    "Hash Join": Kind.HASH_JOIN,
    "Merge Join": Kind.MERGE_JOIN,
    "Hash": Kind.HASH,
    "Sort": Kind.SORT,
    "Incremental Sort": Kind.INCREMENTAL_SORT,
    "Limit": Kind.LIMIT,
    "Aggregate": Kind.AGGREGATE,
    "Group": Kind.AGGREGATE,
    "Unique": Kind.DISTINCT,
    "WindowAgg": Kind.WINDOW,
    "Append": Kind.APPEND,
    "Merge Append": Kind.APPEND,
    "Recursive Union": Kind.SET_OPERATION,
    "SetOp": Kind.SET_OPERATION,
    "Gather": Kind.GATHER,
    "Gather Merge": Kind.GATHER,
    "LockRows": Kind.LOCK_ROWS,
    "ModifyTable": Kind.MODIFY,
    "Result": Kind.RESULT,
    "ProjectSet": Kind.OTHER,
}
_PLAIN = {
    "schema": "Schema",
    "relation": "Relation Name",
    "alias": "Alias",
    "index": "Index Name",
    "filter": "Filter",
    "join_filter": "Join Filter",
    "name": "Subplan Name",
    "est_rows": "Plan Rows",
    "act_rows": "Actual Rows",
    "loops": "Actual Loops",
    "removed": "Rows Removed by Filter",
    "removed_by_join": "Rows Removed by Join Filter",
    "removed_by_recheck": "Rows Removed by Index Recheck",
    "heap_fetches": "Heap Fetches",
    "width_bytes": "Plan Width",
    "cost": "Total Cost",
    "start_ms": "Actual Startup Time",
    "total_ms": "Actual Total Time",
    "blocks_hit": "Shared Hit Blocks",
    "blocks_read": "Shared Read Blocks",
    "temp_read": "Temp Read Blocks",
    "temp_written": "Temp Written Blocks",
    "exact_blocks": "Exact Heap Blocks",
    "lossy_blocks": "Lossy Heap Blocks",
    "sort_method": "Sort Method",
    "sort_space_kb": "Sort Space Used",
    "original_batches": "Original Hash Batches",
    "disk_kb": "Disk Usage",
    "cache_hits": "Cache Hits",
    "cache_misses": "Cache Misses",
    "workers_planned": "Workers Planned",
    "workers_launched": "Workers Launched",
    "index_searches": "Index Searches",
    "subplans_removed": "Subplans Removed",
}
_LISTS = {"output": "Output", "sort_keys": "Sort Key", "presorted_keys": "Presorted Key", "grouping": "Group Key"}
_AGGREGATES = {"Sorted": "GroupAggregate", "Hashed": "HashAggregate", "Mixed": "MixedAggregate"}
# 18: (hashed SubPlan 1); 19: (hashed SubPlan any_1), and names such as expr_1 without the word before them.
_HASHED = re.compile(r"\bhashed (?:SubPlan )?(\w+)")
_NOT_JSON = "This is not a plan in JSON: ask for EXPLAIN (FORMAT JSON), or ANALYZE, BUFFERS, VERBOSE with it."


def parse(answer: Any, sql: str = "") -> Plan:
    """
    Return the plan in ``answer``: JSON text, or its value; a psql column of it is read too.
    """
    text = answer if isinstance(answer, str) else json.dumps(answer, indent=1, default=str)
    value = _value(answer)
    found = value[0] if isinstance(value, list) and value else value
    if not isinstance(found, dict) or not isinstance(found.get("Plan"), dict):
        return Plan("postgresql", None, text=text, problem=_NOT_JSON, problem_rule="invalid-plan")
    notes: list[str] = []
    root = _node(found["Plan"], _Reader(notes, _hashed(found["Plan"])), parallel=False)
    fill_self_times(root)
    plan = Plan("postgresql", root, analyzed=root.act_rows is not None, text=text, notes=notes)
    plan.planning_ms, plan.execution_ms = _number(found.get("Planning Time")), _number(found.get("Execution Time"))
    jit = found.get("JIT")
    timing = jit.get("Timing") if isinstance(jit, dict) else None
    plan.jit_ms = _number(timing.get("Total")) if isinstance(timing, dict) else None
    plan.triggers = [_trigger(each) for each in mappings(found.get("Triggers"))]
    settings = found.get("Settings")
    plan.settings = {str(key): str(given) for key, given in settings.items()} if isinstance(settings, dict) else {}
    return plan


def _value(answer: Any) -> Any:
    if not isinstance(answer, str):
        return answer
    try:
        return json.loads(answer)
    except ValueError:
        pass
    # psql ends wrapped lines of a column with "+" and puts a header and a row count around it.
    lines = [re.sub(r"\s*\+$", "", line) for line in answer.splitlines()]
    starts = [place for place, line in enumerate(lines) if line.strip() in {"[", "{"}]
    ends = [place for place, line in enumerate(lines) if line.strip() in {"]", "}"}]
    try:
        return json.loads("\n".join(lines[starts[0] : ends[-1] + 1])) if starts and ends else None
    except ValueError:
        return None


class _Reader:
    """
    What the nodes of one plan share: where notes go, and which subplans are hashed.
    """

    def __init__(self, notes: list[str], hashed: frozenset[str]) -> None:
        self.notes = notes
        self.hashed = hashed


def _hashed(plan: dict[str, Any]) -> frozenset[str]:
    """
    Return the names of subplans that run once and are looked up: only the expressions that use them say so.
    """
    return frozenset(_HASHED.findall(json.dumps(plan, default=str)))


def _node(raw: dict[str, Any], reader: _Reader, *, parallel: bool) -> Node:
    name = str(raw.get("Node Type", "?"))
    kind = _KINDS.get(name)
    if kind is None:
        reader.notes.append(f"A step this version does not know: {name}.")
    node = Node(kind or Kind.OTHER, _label(raw, name), parallel=parallel)
    node.raw = {key: value for key, value in raw.items() if key not in {"Plans", "Workers"}}
    for attribute, key in _PLAIN.items():
        given = raw.get(key)
        default = getattr(node, attribute)
        if isinstance(given, str) and attribute not in _NUMERIC:
            setattr(node, attribute, given)
        elif attribute in _NUMERIC:
            setattr(node, attribute, _number(given) if given is not None else default)
    for attribute, key in _LISTS.items():
        given = raw.get(key)
        if isinstance(given, list):
            setattr(node, attribute, tuple(str(each) for each in given))
    _details(node, raw, reader)
    below = parallel or node.kind is Kind.GATHER
    # An InitPlan runs in the leader alone, whatever is above it.
    node.children = [
        _node(child, reader, parallel=below and child.get("Parent Relationship") != "InitPlan")
        for child in mappings(raw.get("Plans"))
    ]
    return node


_NUMERIC = frozenset(_PLAIN) - {"schema", "relation", "alias", "index", "filter", "join_filter", "name", "sort_method"}


def _label(raw: dict[str, Any], name: str) -> str:
    if raw.get("Parallel Aware"):
        name = f"Parallel {name}"
    if raw.get("Scan Direction") == "Backward":
        name += " Backward"
    strategy = str(raw.get("Strategy", ""))
    if name == "Aggregate" and strategy in _AGGREGATES:
        return _AGGREGATES[strategy]
    if raw.get("Node Type") == "ModifyTable":
        return str(raw.get("Operation", name))
    join = raw.get("Join Type")
    return f"{name} ({join})" if join and join != "Inner" else name


def _details(node: Node, raw: dict[str, Any], reader: _Reader) -> None:
    """
    Fill what has several keys, or a meaning that depends on the kind of the node.
    """
    relationship = raw.get("Parent Relationship")
    node.relationship = relationship.lower() if isinstance(relationship, str) else None
    node.dependent = node.relationship == "subplan" and not _is_once(node.name or "", reader.hashed)
    node.index_cond = _joined(raw, "Index Cond", "Recheck Cond", "TID Cond", "Order By")
    node.join_cond = _joined(raw, "Hash Cond", "Merge Cond")
    join = raw.get("Join Type")
    node.join_type = join.lower() if isinstance(join, str) else None
    node.derived = node.kind in {Kind.SUBQUERY_SCAN, Kind.CTE_SCAN, Kind.TABLE_FUNCTION}
    if node.kind is Kind.CTE_SCAN:
        node.name = str(raw.get("CTE Name") or node.name or "")
    node.batches = _number(raw.get("Hash Batches", raw.get("HashAgg Batches")))
    node.sort_on_disk = any(each.get("Sort Space Type") == "Disk" for each in (raw, *mappings(raw.get("Workers"))))
    node.sort_on_disk = node.sort_on_disk or _incremental_on_disk(raw)
    if raw.get("Cache Evictions") is not None or raw.get("Cache Overflows") is not None:
        node.cache_evictions = (_number(raw.get("Cache Evictions")) or 0) + (_number(raw.get("Cache Overflows")) or 0)
    node.strategy = _strategy(node, raw)


def _is_once(name: str, hashed: frozenset[str]) -> bool:
    return name.startswith("InitPlan") or name.removeprefix("SubPlan ") in hashed


def _incremental_on_disk(raw: dict[str, Any]) -> bool:
    groups = [raw.get("Full-sort Groups"), raw.get("Pre-sorted Groups")]
    return any(isinstance(group, dict) and group.get("Sort Space Disk") for group in groups)


def _strategy(node: Node, raw: dict[str, Any]) -> str | None:
    if node.kind is Kind.MODIFY:
        return str(raw.get("Operation", "")).lower() or None
    one_time = str(raw.get("One-Time Filter", "")).strip("()").lower()
    if node.kind is Kind.RESULT and one_time == "false":
        return "never"
    if raw.get("Node Type") == "SetOp":
        return str(raw.get("Command", "")).lower() or None
    strategy = raw.get("Strategy")
    return strategy.lower() if isinstance(strategy, str) else None


def _trigger(raw: dict[str, Any]) -> Trigger:
    return Trigger(
        name=str(raw.get("Trigger Name", "")),
        relation=raw.get("Relation"),
        constraint=raw.get("Constraint Name"),
        calls=_number(raw.get("Calls")) or 0,
        total_ms=_number(raw.get("Time")) or 0,
    )


def _joined(raw: dict[str, Any], *keys: str) -> str | None:
    found = [str(raw[key]) for key in keys if raw.get(key)]
    return found[0] if found else None


def _number(value: Any) -> float | None:
    return None if isinstance(value, str) else number(value)
