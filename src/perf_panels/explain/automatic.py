"""
Makes the plans of a request unasked: of its slowest and most frequent statements, within a budget.

Called after the response was sent (``perf_panels.afterwards``), or by a click where the server never said that it was.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from perf_panels.conf import get_config
from perf_panels.explain import merging, planner
from perf_panels.explain.query import read
from perf_panels.explain.report import candidates
from perf_panels.explain.rules.engine import all_rules

if TYPE_CHECKING:
    from collections.abc import Callable

Stats = dict[str, Any]


def make_plans(stats: Stats) -> Callable[[Stats], Stats]:
    """
    Make the plans of the slowest and most frequent statements that have none, as far as the budget goes.

    Return what adds them to what is stored by then: a plan that somebody asked for meanwhile stays.
    """
    # The rules and the SQL parser are imported when they are first asked: that is not the time of a plan.
    all_rules()
    read("SELECT 1", "sqlite")
    config, began = get_config(), perf_counter()
    schemas: dict[Any, Any] = {}
    plans: dict[str, Any] = {}
    for group in candidates(stats["groups"], config.EXPLAIN_STATEMENTS):
        left = config.EXPLAIN_BUDGET_MS - (perf_counter() - began) * 1000
        if left <= 0:
            break
        if group["params_problem"] or group["id"] in stats["plans"]:
            continue
        timeouts = {
            "timeout_ms": max(1, int(left)),
            "lock_timeout_ms": max(1, min(int(left), config.EXPLAIN_LOCK_TIMEOUT_MS)),
        }
        plans[group["id"]] = planner.make(group, planner.options(automatic=True, **timeouts), schemas=schemas)
    return partial(_with_plans, plans, (perf_counter() - began) * 1000)


def _with_plans(plans: dict[str, Any], elapsed_ms: float, stats: Stats) -> Stats:
    asked_for = {group_id: plan for group_id, plan in stats["plans"].items() if plan["state"] != "failed"}
    planned = stats["plans"] | plans | asked_for
    made = sum(plan["state"] != "failed" for plan in planned.values())
    planning = {
        "state": "done",
        "made": made,
        "left": len(stats["groups"]) - made,
        "elapsed_ms": elapsed_ms,
        "budget_ms": get_config().EXPLAIN_BUDGET_MS,
    }
    return merging.merged(stats | {"plans": planned, "planning": planning})
