from __future__ import annotations

import json

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.plans import parse

SQL = "SELECT * FROM shop_order o JOIN shop_customer c ON c.id = o.customer_id"


def table(name="o", access="ALL", **keys):
    return {"table": {"table_name": name, "access_type": access, "rows": 1_000, "filtered": 100, **keys}}


def measured(name="o", access="ALL", **keys):
    times = {"r_loops": 1, "r_rows": 1_000, "r_filtered": 2, "r_table_time_ms": 6.0, "r_other_time_ms": 2.0}
    return table(name, access, **times | keys)


def plan_of(block, sql=SQL):
    return parse("mariadb", json.dumps({"query_block": {"select_id": 1, **block}}), sql)


def test_a_measured_scan_is_read():
    plan = plan_of({"r_total_time_ms": 9.5, "nested_loop": [measured(attached_condition="o.total > 5")]})

    node = plan.root
    assert (plan.analyzed, plan.execution_ms) == (True, 9.5)
    assert (node.kind, node.relation, node.alias, node.filter) == (Kind.SCAN, "shop_order", "o", "o.total > 5")
    assert (node.est_scanned, node.est_rows, node.act_rows, node.removed) == (1_000, 1_000, 20, 980)
    assert (node.scanned, node.self_ms, node.total_ms) == (1_000, 8.0, 8.0)


def test_the_table_of_an_update_has_no_loops_and_is_read_once():
    raw = measured(update=1)["table"]
    del raw["r_loops"]

    node = plan_of({"table": raw}, "UPDATE o SET total = 1").root

    assert (node.loops, node.act_rows, node.removed) == (1, 20, 980)


@pytest.mark.parametrize(("loops", "again"), [(5_000, True), (1, False)])
def test_a_subquery_without_a_cache_runs_again_when_it_was_measured_so(loops, again):
    block = {"query_block": {"select_id": 2, "r_loops": loops, **measured("l", r_loops=loops)}}

    plan = plan_of({**measured(update=1), "subqueries": [block]}, "UPDATE o SET total = (SELECT max(x) FROM l)")

    (subquery,) = [node for node in plan.nodes() if node.kind is Kind.SUBQUERY]
    assert subquery.dependent is again


def test_an_estimate_is_not_measured():
    plan = plan_of({"table": table()["table"] | {"filtered": 10}})

    assert not plan.analyzed
    assert (plan.root.est_rows, plan.root.act_rows, plan.root.loops) == (100, None, None)


def test_11_8_counts_the_rows_of_the_index_and_of_the_pushed_condition():
    raw = measured(
        access="range", key="city", used_key_parts=["city"], r_index_rows=500, r_icp_filtered=10, r_total_filtered=4
    )

    node = plan_of({"cost": 3.5, "nested_loop": [raw]}).root

    assert (node.kind, node.index, node.index_columns) == (Kind.INDEX_SCAN, "city", ("city",))
    assert (node.scanned, node.act_rows) == (500, 20)


@pytest.mark.parametrize("empty", [{"r_rows": None, "r_filtered": None}, {"r_loops": 0, "r_rows": None}])
def test_a_constant_table_has_no_rows_of_its_own(empty):
    assert plan_of({"nested_loop": [measured(access="const", key="PRIMARY", **empty)]}).root.act_rows == 0


def test_a_walk_of_a_whole_index_searches_nothing():
    raw = table(access="index", key="created", used_key_parts=["created"], using_index=True)

    node = plan_of({"nested_loop": [raw]}).root

    assert (node.kind, node.index, node.index_cond, node.index_columns) == (
        Kind.INDEX_ONLY_SCAN,
        "created",
        None,
        (),
    )


def test_a_lookup_names_what_it_compares():
    raw = table("c", "eq_ref", key="PRIMARY", used_key_parts=["id"], ref=["shop.o.customer_id"])

    inner = plan_of({"nested_loop": [table(), raw]}).root.children[1]

    assert (inner.relationship, inner.index_cond) == ("inner", "c.id = shop.o.customer_id")


@pytest.mark.parametrize(("kind", "expected"), [("BNL", Kind.NESTED_LOOP), ("BNLH", Kind.HASH_JOIN)])
def test_a_block_join_takes_the_outer_side(kind, expected):
    block = {
        "block-nl-join": {
            **measured("c", r_rows=50),
            "join_type": kind,
            "attached_condition": "c.id = o.customer_id",
            "r_loops": 1_000,
            "r_filtered": 2,
            "r_effective_rows": 50,
        }
    }

    join = plan_of({"nested_loop": [measured(), block]}).root

    assert (join.kind, [child.alias for child in join.children]) == (expected, ["o", "c"])
    assert (join.act_rows, join.removed_by_join) == (1_000, 49_000)
    assert join.join_cond == ("c.id = o.customer_id" if kind == "BNLH" else None)


def test_a_hash_join_before_11_has_no_index():
    raw = table("c", "hash_ALL", key="#hash#$hj", used_key_parts=["id"])

    assert (plan_of({"nested_loop": [raw]}).root.kind, plan_of({"nested_loop": [raw]}).root.index) == (Kind.SCAN, None)


def test_a_sort_on_disk_and_its_limit_are_read():
    block = {"filesort": {"sort_key": "o.total desc, o.id", "r_limit": 20, "r_sort_passes": 3, "r_loops": 1}}
    block["filesort"]["nested_loop"] = [measured()]

    sort = plan_of({"read_sorted_file": block}).root

    assert (sort.kind, sort.sort_keys) == (Kind.SORT, ("o.total desc", "o.id"))
    assert (sort.limit, sort.sort_on_disk) == (20, True)


@pytest.mark.parametrize(("sql", "kind"), [(SQL, Kind.OTHER), (f"{SQL} GROUP BY o.city", Kind.AGGREGATE)])
def test_a_temporary_table_is_a_group_where_the_statement_groups(sql, kind):
    assert plan_of({"temporary_table": {"nested_loop": [table()]}}, sql).root.kind is kind


@pytest.mark.parametrize("cache", ["expression_cache", "subquery_cache"])
def test_a_subquery_behind_a_cache_runs_again(cache):
    inner = {"query_block": {"select_id": 2, "nested_loop": [measured("c", "ref", r_loops=40)]}}
    sub = {cache: {"state": "disabled", "r_loops": 200, "r_hit_ratio": 0, **inner}}

    node = plan_of({"nested_loop": [measured()], "subqueries": [sub]}).root.children[0]

    assert (node.relationship, node.dependent) == ("subplan", True)
    assert (node.children[0].kind, node.children[0].cache_misses) == (Kind.MEMOIZE, 200)


def test_a_derived_table_is_not_a_table():
    raw = table("<derived2>", materialized={"query_block": {"select_id": 2, "nested_loop": [table("c")]}})

    node = plan_of({"nested_loop": [raw]}).root

    assert (node.derived, node.relation, node.children[0].kind) == (True, None, Kind.MATERIALIZE)
    assert node.children[0].children[0].relation == "shop_customer"


@pytest.mark.parametrize(("name", "kind"), [("<union1,2>", Kind.SET_OPERATION), (None, Kind.APPEND)])
def test_a_union_is_told_from_a_union_all(name, kind):
    members = [{"query_block": {"nested_loop": [table(each)]}} for each in ("o", "c")]
    union = {"table_name": name, "query_specifications": members} if name else {"query_specifications": members}

    node = plan_of({"union_result": union}).root

    assert (node.kind, len(node.children)) == (kind, 2)


def test_an_impossible_where_is_never_run():
    assert plan_of({"table": {"message": "Impossible WHERE"}}).root.strategy == "never"


def test_quotes_that_mariadb_does_not_escape_are_mended():
    text = json.dumps({"query_block": {"table": table()["table"] | {"attached_condition": "X"}}}, indent=2)

    plan = parse("mariadb", text.replace('"X"', """"json_value(o.data,"$.a") = 'it\\'s'\""""), SQL)

    assert plan.root.filter == """json_value(o.data,"$.a") = 'it\\'s'"""


def test_what_is_no_json_is_text_with_its_reason():
    plan = parse("mariadb", '{"query_block": {"table": "a" b }}', SQL)

    assert (plan.root, plan.problem_rule) == (None, "invalid-plan")
    assert "not valid JSON" in plan.problem


def test_a_step_of_a_later_version_is_kept_and_named():
    plan = plan_of({"rowid_wizard": {"table": table()["table"]}})

    assert (plan.root.kind, plan.root.children[0].relation) == (Kind.OTHER, "shop_order")
    assert plan.notes == ["A step this version does not know: rowid_wizard."]
