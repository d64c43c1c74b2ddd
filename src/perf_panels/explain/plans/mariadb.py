"""
MariaDB's ``EXPLAIN FORMAT=JSON`` and ``ANALYZE FORMAT=JSON``, of the servers 10.6 to 11.8.
"""

from __future__ import annotations

import json
import re
from typing import Any

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.plans.blocks import Blocks
from perf_panels.explain.plans.values import number

_NOT_A_PLAN = "This is not a plan of MariaDB in JSON: ask for EXPLAIN FORMAT=JSON or ANALYZE FORMAT=JSON."
_INVALID = "MariaDB printed a plan that is not valid JSON, so it is shown as text: {error}."
_CONDITION = re.compile(r'^(\s*"(?:\w+_condition|sort_key|having_condition)": ")(.*)(",?)$')


def parse(answer: Any, sql: str = "") -> Plan:
    """
    Return the plan in ``answer``: JSON text, or its value.
    """
    text = answer if isinstance(answer, str) else json.dumps(answer, indent=1, default=str)
    try:
        value = json.loads(_mended(answer)) if isinstance(answer, str) else answer
    except ValueError as error:
        problem = _INVALID.format(error=error) if answer.lstrip().startswith("{") else _NOT_A_PLAN
        return Plan("mariadb", None, text=text, problem=problem, problem_rule="invalid-plan")
    block = value.get("query_block") if isinstance(value, dict) else None
    if not isinstance(block, dict):
        return Plan("mariadb", None, text=text, problem=_NOT_A_PLAN, problem_rule="invalid-plan")
    reader = _MariaDB(sql, "mariadb")
    root = reader.block(block)
    plan = Plan("mariadb", root, "r_loops" in text or "r_total_time_ms" in text, text, notes=reader.notes)
    plan.execution_ms = number(block.get("r_total_time_ms"))
    optimization = value.get("query_optimization")
    plan.planning_ms = number(optimization.get("r_total_time_ms")) if isinstance(optimization, dict) else None
    return plan


def _mended(text: str) -> str:
    """
    Escape the quotes that MariaDB leaves as they are inside conditions on JSON; each stands on a line of its own.
    """
    try:
        json.loads(text)
    except ValueError:
        # It also writes \' for the apostrophe of a literal: SQL knows that, JSON does not.
        text = re.sub(r"(?<!\\)((?:\\\\)*)\\'", r"\1\\\\'", text)
        return "\n".join(_escaped(line) for line in text.splitlines())
    return text


def _escaped(line: str) -> str:
    found = _CONDITION.match(line)
    if not found:
        return line
    inner = re.sub(r'(?<!\\)"', r"\"", found[2])
    return f"{found[1]}{inner}{found[3]}"


class _MariaDB(Blocks):
    """
    ``filtered`` is 100 without statistics of the engine's own, so estimates say little of what a filter keeps.
    """

    def measure(self, node: Node, raw: dict[str, Any]) -> None:
        node.cost = number(raw.get("cost"))
        node.est_scanned = number(raw.get("rows"))
        filtered = number(raw.get("filtered"))
        if node.est_scanned is not None:
            node.est_rows = node.est_scanned * (100 if filtered is None else filtered) / 100
        node.loops = number(raw.get("r_loops"))
        if node.loops is None and number(raw.get("r_rows")) is not None:
            # The table of an UPDATE or DELETE is read once.
            node.loops = 1.0
        if node.loops is None:
            return
        read = number(raw.get("r_index_rows")) or number(raw.get("r_rows"))
        kept = number(raw.get("r_filtered"))
        total = number(raw.get("r_total_filtered"))
        if read is None:
            # A constant table, read while the plan was made, or a step that was never reached.
            node.act_rows = 0.0
            return
        kept = total if total is not None and raw.get("r_index_rows") is not None else kept
        node.act_rows = read * (100 if kept is None else kept) / 100
        node.removed = read - node.act_rows
        own = (number(raw.get("r_table_time_ms")) or 0) + (number(raw.get("r_other_time_ms")) or 0)
        node.self_ms = own
        node.total_ms = own / node.loops if node.loops else 0.0
        stats = raw.get("r_engine_stats")
        if isinstance(stats, dict):
            node.blocks_hit = number(stats.get("pages_accessed"))
            node.blocks_read = number(stats.get("pages_read_count"))
        if node.kind is Kind.SCAN and raw.get("using_index"):
            node.kind = Kind.INDEX_ONLY_SCAN
