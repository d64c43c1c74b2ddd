"""
From what a server answered to a ``Plan``: one parser per engine; none raises on what it does not know.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from perf_panels.explain.plan import Plan

_TOO_DEEP = "This plan is nested too deeply to be read: is it the whole answer of EXPLAIN?"


def parse(engine: str, answer: Any, sql: str = "") -> Plan:
    """
    Return the plan in ``answer``: JSON text or its value; for SQLite the rows, for Oracle the lines of DBMS_XPLAN.
    """
    module = import_module(f"perf_panels.explain.plans.{engine}")
    try:
        plan: Plan = module.parse(answer, sql)
    except RecursionError:
        text = answer if isinstance(answer, str) else ""
        plan = Plan(engine, None, text=text, problem=_TOO_DEEP, problem_rule="invalid-plan")
    return plan
