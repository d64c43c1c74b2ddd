"""
What each page of the tour must make its panel say: (panel, rule, relation) on the slow version, none on the fixed one.
"""

from __future__ import annotations

from unittest.mock import ANY

from django.db import connection

NPLUSONE = "NPlusOnePanel"
EXPLAIN = "ExplainPanel"
VMPROF = "VMProfPanel"
LINES = "LineProfilerPanel"
MEMORY = "MemoryProfilerPanel"


def on(default, **others):
    """
    Return what is expected on the database of the tests: plans and their rules differ.
    """
    return others.get(connection.vendor, default)


ENGINES = {"order-lines": "objects", "sales-report": "allocations"}
"""Of the memory panel: the one that sees what is planted, however much the process has kept of the pages before."""

PLANTED = {
    "home": [(NPLUSONE, "lazy-load", "shop.Product.category"), (NPLUSONE, "related-filter", "shop.Product.images")],
    "category": [(NPLUSONE, "lazy-load", "shop.Variant.stock")],
    "cart": [(NPLUSONE, "lazy-load", "shop.Product.category"), (LINES, "hot-line", None)],
    "order-lines": [
        (NPLUSONE, "join-fanout", "shop.OrderLine.voucher"),
        (EXPLAIN, "sort-limit", ANY),
        (MEMORY, "many-instances", None),
    ],
    # SQLite drops the copies while it joins.
    "catalogue": [(EXPLAIN, on("distinct-fanout", sqlite="sort-limit", mysql="group-temp"), None)],
    "search": [(EXPLAIN, "leading-wildcard", "shop.Product.name")],
    "to-ship": [
        on(
            (EXPLAIN, "partial-index", "shop.Order.status"),
            mysql=(EXPLAIN, "sort-limit", "shop.Order.created"),
        )
    ],
    "price-list": [(EXPLAIN, "sort-limit", "shop.Variant.price_cents")],
    "export": [(VMPROF, "hot-function", None), (LINES, ANY, None)],
    "sales-report": [(MEMORY, "memory-growth", None)],
    "facets": [(LINES, "hot-line", None), (VMPROF, "hot-function", None)],
}
