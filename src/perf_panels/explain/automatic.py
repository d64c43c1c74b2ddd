"""
Makes the plans of a request unasked: of its slowest and most frequent statements, within a budget.

Called after the response was sent (``perf_panels.afterwards``), or by a click where the server never said that it was.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from perf_panels.conf import get_config
from perf_panels.explain import merging, planner
from perf_panels.explain.query import read
from perf_panels.explain.report import candidates
from perf_panels.explain.rules.engine import all_rules


def make_plans(stats: dict[str, Any]) -> dict[str, Any]:
    """
    Return the stats with the plans of the slowest and most frequent statements, as far as the budget goes.
    """
    # The rules and the SQL parser are imported when they are first asked: that is not the time of a plan.
    all_rules()
    read("SELECT 1", "sqlite")
    config, began = get_config(), perf_counter()
    chosen = candidates(stats["groups"], config.EXPLAIN_STATEMENTS)
    schemas: dict[Any, Any] = {}
    plans = dict(stats["plans"])
    made = 0
    for group in chosen:
        left = config.EXPLAIN_BUDGET_MS - (perf_counter() - began) * 1000
        if left <= 0:
            break
        if group["params_problem"]:
            continue
        timeouts = {
            "timeout_ms": max(1, int(left)),
            "lock_timeout_ms": max(1, min(int(left), config.EXPLAIN_LOCK_TIMEOUT_MS)),
        }
        plans[group["id"]] = planner.make(group, planner.options(automatic=True, **timeouts), schemas=schemas)
        made += plans[group["id"]]["state"] != "failed"
    planning = {
        "state": "done",
        "made": made,
        "left": len(stats["groups"]) - made,
        "elapsed_ms": (perf_counter() - began) * 1000,
        "budget_ms": config.EXPLAIN_BUDGET_MS,
    }
    return merging.merged(stats | {"plans": plans, "planning": planning})
