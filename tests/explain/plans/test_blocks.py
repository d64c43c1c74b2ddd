from __future__ import annotations

from perf_panels.explain.plan import Kind
from perf_panels.explain.plans import mariadb

SQL = "SELECT id FROM shop_order WHERE city > 'a' AND status = 'pending'"


def plan_of(sql=SQL, **table):
    block = {"select_id": 1, "nested_loop": [{"table": {"table_name": "shop_order", **table}}]}
    return mariadb.parse({"query_block": block}, sql)


def test_a_range_searches_for_what_the_index_condition_says():
    plan = plan_of(
        access_type="range",
        key="city_idx",
        used_key_parts=["city"],
        index_condition="shop_order.city > 'a'",
        attached_condition="shop_order.status = 'pending'",
    )

    assert plan.root.index_cond == "shop_order.city > 'a'"
    assert plan.root.filter == "shop_order.status = 'pending'"


def test_a_table_behind_a_view_is_a_table():
    plan = plan_of("SELECT id FROM paid_orders", access_type="ALL")

    assert (plan.root.derived, plan.root.relation) == (False, "shop_order")


def test_the_table_of_an_insert_is_not_read():
    plan = plan_of("INSERT INTO shop_order (id) VALUES (1)")

    assert plan.notes == []
    assert all(node.kind is not Kind.SCAN for node in plan.nodes())
