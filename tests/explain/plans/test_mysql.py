from __future__ import annotations

import json

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.plans import parse

SQL = "SELECT * FROM shop_order o JOIN shop_customer c ON c.id = o.customer_id"
RUN = {"actual_rows": 100, "actual_loops": 1, "actual_first_row_ms": 0.1, "actual_last_row_ms": 5.0}


def tree(**plan):
    return parse("mysql", json.dumps({"json_schema_version": "2.0", "query_plan": plan}), SQL)


def scan(alias="o", table="shop_order", **keys):
    return {
        "access_type": "table",
        "operation": f"Table scan on {alias}",
        "table_name": table,
        "alias": alias,
        "schema_name": "shop",
        "estimated_rows": 1_000,
        **keys,
    }


def index(kind, **keys):
    return scan(access_type="index", index_access_type=kind, index_name="created", key_columns=["created"], **keys)


def block(**keys):
    return parse("mysql", json.dumps({"query_block": {"select_id": 1, **keys}}), SQL)


def table(**keys):
    return {"table": {"table_name": "o", "access_type": "ALL", "rows_examined_per_scan": 1_000, **keys}}


class TestVersionTwo:
    def test_a_filter_is_folded_into_its_scan(self):
        below = scan(**RUN | {"actual_rows": 1_000})

        node = tree(access_type="filter", condition="(o.total > 5)", estimated_rows=333, inputs=[below], **RUN).root

        assert (node.kind, node.relation, node.alias, node.schema) == (Kind.SCAN, "shop_order", "o", "shop")
        assert (node.filter, node.est_rows, node.est_scanned) == ("(o.total > 5)", 333, 1_000)
        assert (node.act_rows, node.removed, node.scanned) == (100, 900, 1_000)

    def test_a_filter_over_a_join_stays_a_step(self):
        join = {"access_type": "join", "join_algorithm": "nested_loop", "inputs": [scan(), scan("c", "shop_customer")]}

        node = tree(
            access_type="filter", condition="(o.total > c.id)", inputs=[join | RUN | {"actual_rows": 500}], **RUN
        )

        assert (node.root.kind, node.root.removed) == (Kind.FILTER, 400)
        assert [child.relationship for child in node.root.children[0].children] == ["outer", "inner"]

    def test_an_index_lookup_says_what_it_looks_up(self):
        node = tree(**index("index_lookup", lookup_condition="(created = o.x)", pushed_index_condition="(a > 1)")).root

        assert (node.kind, node.index, node.index_columns) == (Kind.INDEX_SCAN, "created", ("created",))
        assert node.index_cond == "(created = o.x) and (a > 1)"

    def test_a_walk_of_a_whole_index_searches_nothing(self):
        node = tree(**index("index_scan", covering=True)).root

        assert (node.kind, node.index_cond, node.index_columns) == (Kind.INDEX_ONLY_SCAN, None, ())

    def test_a_hash_join_has_its_condition(self):
        sides = [scan(), scan("c", "shop_customer")]

        node = tree(
            access_type="join", join_algorithm="hash", join_type="left", hash_condition=["(a = b)"], inputs=sides
        )

        assert (node.root.kind, node.root.join_type, node.root.join_cond) == (Kind.HASH_JOIN, "left", "(a = b)")

    def test_a_sort_with_a_limit_in_it_is_read(self):
        node = tree(access_type="sort", sort_fields=["o.total DESC"], per_chunk_limit=20, inputs=[scan()]).root

        assert (node.kind, node.sort_keys, node.limit) == (Kind.SORT, ("o.total DESC",), 20)

    def test_a_limit_has_its_offset(self):
        node = tree(access_type="limit", limit=20, limit_offset=5_000, inputs=[scan()]).root

        assert (node.kind, node.limit, node.offset) == (Kind.LIMIT, 20, 5_000)

    @pytest.mark.parametrize(
        ("keys", "kind"),
        [
            ({}, Kind.MATERIALIZE),
            ({"deduplication": True}, Kind.DISTINCT),
            ({"union": True}, Kind.APPEND),
            ({"union": True, "deduplication": True}, Kind.SET_OPERATION),
        ],
    )
    def test_what_is_stored_is_told_apart(self, keys, kind):
        assert tree(access_type="materialize", inputs=[scan()], **keys).root.kind is kind

    @pytest.mark.parametrize(
        ("heading", "dependent"),
        [
            ("Select #2 (subquery in projection; dependent)", True),
            ("Select #2 (subquery in projection; run only once)", False),
        ],
    )
    def test_a_subquery_that_runs_once_is_told_from_others(self, heading, dependent):
        inner = scan("c", "shop_customer", heading=heading, **RUN | {"actual_loops": 40})

        sub = tree(**scan(inputs_from_select_list=[inner])).root.children[0]

        assert (sub.relationship, sub.dependent, sub.loops) == ("subplan", dependent, 40)

    def test_a_step_that_never_ran_gave_nothing(self):
        node = tree(**scan(actual_rows=None, actual_loops=0)).root

        assert (node.act_rows, node.executed) == (0, False)

    def test_a_statement_that_is_not_run_has_no_plan(self):
        plan = tree(operation="<not executable by iterator executor>", access_type="delete_rows")

        assert (plan.root, plan.problem) == (None, "MySQL does not run this statement to explain it.")

    def test_a_step_of_a_later_version_is_kept_and_named(self):
        plan = tree(access_type="quantum", inputs=[scan()])

        assert (plan.root.kind, plan.notes) == (Kind.OTHER, ["A step this version does not know: quantum."])


class TestVersionOne:
    def test_a_scan_is_estimated(self):
        node = block(
            **table(filtered="10.00", attached_condition="(o.total > 5)", cost_info={"prefix_cost": "7.5"})
        ).root

        assert (node.kind, node.relation, node.est_scanned, node.est_rows) == (Kind.SCAN, "shop_order", 1_000, 100)
        assert (node.filter, node.cost, node.act_rows) == ("(o.total > 5)", 7.5, None)

    def test_operations_stand_above_what_they_hold(self):
        order = {
            "using_filesort": True,
            "grouping_operation": {"using_temporary_table": True, "nested_loop": [table()]},
        }

        node = block(ordering_operation=order).root

        assert [node.kind, node.children[0].kind] == [Kind.SORT, Kind.AGGREGATE]
        assert node.children[0].strategy == "temporary table"

    def test_an_order_by_an_index_is_no_sort(self):
        assert block(ordering_operation={"using_filesort": False, **table()}).root.kind is Kind.SCAN

    def test_a_dependent_subquery_is_told(self):
        sub = {"dependent": True, "query_block": {"select_id": 2, **table(table_name="c")}}

        node = block(nested_loop=[table()], select_list_subqueries=[sub]).root.children[0]

        assert (node.dependent, node.children[0].relation) == (True, "shop_customer")

    def test_a_table_without_rows_is_never_read(self):
        assert block(message="no matching row in const table").root.strategy == "never"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-> Table scan on o  (rows=1e+6)", "rounds its numbers"),
        ("nothing", "not a plan of MySQL"),
        ("[]", "not a plan"),
    ],
)
def test_what_is_no_plan_is_text_with_its_reason(text, said):
    plan = parse("mysql", text, SQL)

    assert (plan.root, plan.problem_rule, plan.text) == (None, "invalid-plan", text)
    assert said in plan.problem
