"""
Hand-written plans of the shop for the tests of the rules.
"""

from __future__ import annotations

from typing import Any

from perf_panels.explain.limits import Limits
from perf_panels.explain.plan import Kind, Node, Plan, fill_self_times
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import RULES, Match, Subject
from perf_panels.explain.rules.engine import all_rules
from perf_panels.explain.schema import Index, Schema, Table

ORDER = Table(
    "shop_order",
    300_000,
    {
        "id": "bigint",
        "customer_id": "bigint",
        "status": "character varying",
        "city": "character varying",
        "created_at": "timestamp with time zone",
        "refunded_at": "timestamp with time zone",
        "archived": "boolean",
        "total": "numeric",
        "tracking_number": "varchar(20)",
        "data": "jsonb",
        "coupon_id": "bigint",
    },
    [
        Index("shop_order_pkey", ("id",), unique=True, primary=True),
        Index("shop_order_customer_idx", ("customer_id",)),
        Index("shop_order_city_idx", ("city",)),
        Index("shop_order_tracking_idx", ("tracking_number",)),
    ],
)
CUSTOMER = Table(
    "shop_customer", 50_000, {"id": "bigint", "email": "varchar(254)"}, [Index("pk", ("id",), primary=True)]
)


def find(rule: str, root: Node, sql: str = "SELECT 1", engine: str = "postgresql", **limits: Any) -> list[Match]:
    """
    Return what one rule finds in a plan.
    """
    fill_self_times(root)
    tables = {table.name: table for table in (ORDER, CUSTOMER)}
    analyzed = any(node.analyzed for node in root.walk())
    plan = Plan(engine, root, analyzed)
    all_rules()
    return list(RULES[rule].find(Subject(plan, read(sql, engine), Schema(tables=tables), Limits(**limits))))


def scan(condition: str | None = None, **fields: Any) -> Node:
    """
    Return a scan of shop_order that read 300,000 rows in 30 ms and kept 8.
    """
    measured = {"act_rows": 8, "removed": 299_992, "loops": 1, "total_ms": 30.0}
    shape = {"relation": "shop_order", "alias": "shop_order", "filter": condition}
    return Node(fields.pop("kind", Kind.SCAN), fields.pop("label", "Seq Scan"), **{**shape, **measured, **fields})


def estimated(condition: str | None = None, **fields: Any) -> Node:
    """
    Return the same scan before it ran, expected to give 8 rows.
    """
    shape = {"relation": "shop_order", "alias": "shop_order", "filter": condition, "est_rows": 8}
    return Node(fields.pop("kind", Kind.SCAN), fields.pop("label", "Seq Scan"), **{**shape, **fields})


def above(kind: Kind, *children: Node, **fields: Any) -> Node:
    """
    Return a node over others that took no time of its own.
    """
    slowest = max((child.total_ms or 0 for child in children), default=0)
    measured = {"act_rows": 8, "loops": 1, "total_ms": slowest} if any(child.analyzed for child in children) else {}
    return Node(kind, kind.value, list(children), **{**measured, **fields})
