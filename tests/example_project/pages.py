"""
What each page of the tour must make its panel say: (panel, rule, relation) on the slow version, none on the fixed one.
"""

from __future__ import annotations

NPLUSONE = "NPlusOnePanel"

PLANTED = {
    "home": [(NPLUSONE, "lazy-load", "shop.Product.category"), (NPLUSONE, "related-filter", "shop.Product.images")],
    "category": [(NPLUSONE, "lazy-load", "shop.Variant.stock")],
    "cart": [(NPLUSONE, "lazy-load", "shop.Product.category"), ("LineProfilerPanel", None, None)],
    "order-lines": [
        (NPLUSONE, "join-fanout", "shop.OrderLine.voucher"),
        ("ExplainPanel", None, None),
        ("MemoryProfilerPanel", None, None),
    ],
    "catalogue": [("ExplainPanel", None, None)],
    "search": [("ExplainPanel", None, None)],
    "to-ship": [("ExplainPanel", None, None)],
    "price-list": [("ExplainPanel", None, None)],
    "export": [("VMProfPanel", None, None), ("LineProfilerPanel", None, None)],
    "sales-report": [("MemoryProfilerPanel", None, None)],
    "facets": [("LineProfilerPanel", None, None), ("VMProfPanel", None, None)],
}
