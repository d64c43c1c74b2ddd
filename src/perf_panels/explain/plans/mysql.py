"""
MySQL's plans in JSON: version 2 (8.3 and later, the only one that ANALYZE can give) and version 1 (8.0 and 8.4).
"""

from __future__ import annotations

import json
from typing import Any

from perf_panels.explain.plan import Node, Plan
from perf_panels.explain.plans import mysql_v2
from perf_panels.explain.plans.blocks import Blocks
from perf_panels.explain.plans.values import number

_NOT_A_PLAN = "This is not a plan of MySQL in JSON: ask for EXPLAIN FORMAT=JSON or EXPLAIN ANALYZE FORMAT=JSON."
_TREE = "A plan in FORMAT=TREE rounds its numbers, so no rule is run on it."


def parse(answer: Any, sql: str = "") -> Plan:
    """
    Return the plan in ``answer``: JSON text of either version, or its value.
    """
    text = answer if isinstance(answer, str) else json.dumps(answer, indent=1, default=str)
    try:
        value = json.loads(answer) if isinstance(answer, str) else answer
    except ValueError:
        problem = _TREE if text.lstrip().startswith("->") else _NOT_A_PLAN
        if "<not executable" in text:
            return Plan("mysql", None, text=text, problem="MySQL does not run this statement to explain it.")
        return Plan("mysql", None, text=text, problem=problem, problem_rule="invalid-plan")
    if isinstance(value, dict) and isinstance(value.get("query_plan"), dict):
        return mysql_v2.parse(value, text, sql)
    block = value.get("query_block") if isinstance(value, dict) else None
    if isinstance(value, dict) and block is None and "inputs" in value:
        return mysql_v2.parse({"query_plan": value}, text, sql)
    if not isinstance(block, dict):
        return Plan("mysql", None, text=text, problem=_NOT_A_PLAN, problem_rule="invalid-plan")
    reader = _VersionOne(sql, "mysql")
    return Plan("mysql", reader.block(block), text=text, notes=reader.notes)


class _VersionOne(Blocks):
    """
    Estimates only; ``filtered`` is a constant guess without a histogram.
    """

    def measure(self, node: Node, raw: dict[str, Any]) -> None:
        node.est_scanned = number(raw.get("rows_examined_per_scan"))
        filtered = number(raw.get("filtered"))
        if node.est_scanned is not None:
            node.est_rows = node.est_scanned * (100 if filtered is None else filtered) / 100
        cost = raw.get("cost_info")
        node.cost = number(cost.get("prefix_cost")) if isinstance(cost, dict) else None
        if raw.get("using_join_buffer"):
            node.label += f", join buffer ({raw['using_join_buffer']})"

    def _runs_again(self, raw: dict[str, Any]) -> bool:
        return bool(raw.get("dependent"))
