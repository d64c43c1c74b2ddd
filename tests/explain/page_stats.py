"""
Stats as the EXPLAIN panel stores them, built by hand: a statement of each state, and as many as wanted.
"""

from __future__ import annotations

from perf_panels.explain.params import keep


def node(depth=0, kind="scan", label="Seq Scan", relation="shop_order", **given):
    unknown = (
        "name alias index est_rows act_rows loops removed self_ms total_ms cost self_cost rows_read"
        " blocks_hit blocks_read temp_written"
    )
    return (
        {"depth": depth, "kind": kind, "label": label, "relation": relation, "notes": [], "rules": []}
        | dict.fromkeys(unknown.split())
        | given
    )


def finding(severity="warning", **given):
    return {
        "rule": "full-scan-filter",
        "severity": severity,
        "title": "shop.Order: 60,000 rows read to find 606, without an index on status",
        "detail": "Estimated: the condition keeps 1% of the rows read.",
        "evidence": {"estimated_rows_read": 60_000, "self_ms": 3.5},
        "advice": "Index status: in Order.Meta.indexes.",
        "code": 'models.Index(fields=["status"], name="order_status")',
        "origin": None,
        "fix_at": {"file": "/shop/models.py", "line": 3, "function": "Order", "template": None, "template_line": None},
        "saving_ms": None,
        "relation": "shop.Order.status",
    } | given


def card(place=0, *, sql="CREATE INDEX order_status ON shop_order (status)", verdict="yes", **given):
    trial = {"id": "try1", "verdict": verdict, "reasons": [] if verdict == "yes" else ["It takes a lock on 8 MB."]}
    return {"finding": finding(**given), "node": place, "sql": sql, "table": "shop_order", "trial": trial}


def plan(*nodes, cards=(), state="estimated", **given):
    return {
        "state": state,
        "problem": None,
        "made_at": 1.0,
        "engine": "postgresql",
        "version": "18.1",
        "analyzed": state == "analyzed",
        "planning_ms": None,
        "execution_ms": None,
        "cost": nodes[0]["cost"] if nodes else None,
        "rows_read": None,
        "text": '[{"Plan": {}}]',
        "text_cut": 0,
        "notes": [],
        "nodes": list(nodes),
        "cards": list(cards),
        "undecided": [],
        "before": None,
    } | given


def failed(why):
    return plan(state="failed", problem=why, text="", cost=None)


def group(name="a", sql='SELECT "shop_order"."id" FROM "shop_order" WHERE "status" = %s', params=("new",), **given):
    kept = keep(params)
    return {
        "id": name,
        "alias": "default",
        "vendor": "postgresql",
        "kind": "SELECT",
        "count": 24,
        "total_ms": 31.2,
        "worst_ms": 4.1,
        "rows": 240,
        "failed": 0,
        "many": False,
        "summary": 'SELECT … FROM "shop_order" WHERE "status" = %s',
        "sql": sql,
        "sql_cut": 0,
        "params": kept.shown,
        "params_problem": kept.problem,
        "values": kept.values,
        "origin": {
            "file": "/shop/views.py",
            "line": 41,
            "function": "home",
            "template": "shop/home.html",
            "template_line": 7,
        },
        "may_explain": {"verdict": "yes", "reasons": []},
        "may_analyze": {"verdict": "yes", "reasons": []},
    } | given


def stats(*groups, plans=None, trials=None, findings=(), **given):
    return {
        "schema": 1,
        "url": "GET /shop/",
        "recorded_at": 1.0,
        "watched": True,
        "view": "shop.views.home",
        "streaming": False,
        "queries": sum(each["count"] for each in groups),
        "total_ms": sum(each["total_ms"] for each in groups),
        "slow_ms": 100.0,
        "aliases": [{"alias": "default", "vendor": "postgresql", "queries": 24, "total_ms": 31.2}],
        "planning": {"state": "done", "made": 1, "left": 0, "elapsed_ms": 12.0, "budget_ms": 500},
        "groups": list(groups),
        "sources": {"shop/home.html:7": [{"number": 7, "text": "{% for order in orders %}", "hit": True}]},
        "plans": plans or {},
        "trials": trials or {},
        "findings": list(findings),
        "error": None,
        "truncated": {},
    } | given


def trial(*, used=True, helps=True, **given):
    before = [node(label="Seq Scan", cost=1628.0, self_cost=1628.0)]
    index = {"kind": "index scan", "label": "Index Scan", "index": "order_status"}
    after = [node(**index, cost=71.0, self_cost=71.0)] if used else before
    return {
        "method": "transaction",
        "used": used,
        "helps": helps,
        "cost_before": 1628.0,
        "cost_after": 71.0 if helps else 1628.0,
        "rows_read_before": 60_000.0,
        "rows_read_after": 606.0 if helps else 60_000.0,
        "before": before,
        "after": after,
        "notes": [],
        "error": None,
    } | given
