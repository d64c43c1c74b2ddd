from __future__ import annotations

import json

import pytest
from django.db import connections

from perf_panels.explain.plan import Kind
from perf_panels.explain.plans import parse

SCAN = {
    "Node Type": "Seq Scan",
    "Relation Name": "shop_order",
    "Schema": "public",
    "Alias": "o",
    "Startup Cost": 0.0,
    "Total Cost": 100.5,
    "Plan Rows": 10,
    "Plan Width": 8,
}


def step(name, *children, **keys):
    return {"Node Type": name, **{key.replace("_", " "): value for key, value in keys.items()}, "Plans": list(children)}


def child(relationship, name, *children, **keys):
    return step(name, *children, Parent_Relationship=relationship, **keys)


def measured(node, rows, loops, ms):
    return node | {"Actual Rows": rows, "Actual Loops": loops, "Actual Total Time": ms, "Actual Startup Time": 0.1}


def plan_of(node, **top):
    return parse("postgresql", [{"Plan": node, **{key.replace("_", " "): value for key, value in top.items()}}])


def shape(node):
    return [node.kind.value, *map(shape, node.children)] if node.children else node.kind.value


def test_a_scan_is_read():
    plan = plan_of(measured(SCAN, 7, 2, 1.5) | {"Filter": "(a = 1)", "Rows Removed by Filter": 3}, Planning_Time=0.5)

    node = plan.root
    assert (node.kind, node.relation, node.schema, node.alias) == (Kind.SCAN, "shop_order", "public", "o")
    assert (node.est_rows, node.act_rows, node.loops, node.removed) == (10, 7, 2, 3)
    assert (node.rows_total, node.scanned, node.keep) == (14, 20, 0.7)
    assert (node.elapsed_ms, node.self_ms, node.cost) == (3.0, 3.0, 100.5)
    assert (plan.analyzed, plan.planning_ms, plan.execution_ms) == (True, 0.5, None)
    assert node.est_scanned is None


def test_an_estimate_is_not_measured():
    plan = plan_of(SCAN)

    assert not plan.analyzed
    assert (plan.root.act_rows, plan.root.loops, plan.root.elapsed_ms, plan.root.scanned) == (None, None, None, None)


@pytest.mark.parametrize(
    "wrap",
    [
        json.dumps,
        lambda value: json.dumps(value[0]),
        lambda value: json.dumps(value, indent=2),
        lambda value: value,
        lambda value: value[0],
        lambda value: (
            "       QUERY PLAN        \n-----\n"
            + "\n".join(f" {line}   +" for line in json.dumps(value, indent=2).splitlines())
            + "\n(1 row)\n"
        ),
    ],
)
def test_every_way_to_hand_over_a_plan_is_read(wrap):
    assert parse("postgresql", wrap([{"Plan": SCAN}])).root.relation == "shop_order"


def test_a_text_plan_is_refused_with_what_to_ask_for():
    plan = parse("postgresql", "Seq Scan on a  (cost=0.00..1.00 rows=1 width=4)")

    assert "EXPLAIN (FORMAT JSON)" in plan.problem
    assert plan.text.startswith("Seq Scan")


def test_conditions_have_their_places():
    index = child("Outer", "Index Scan", Index_Name="i", Index_Cond="(id = 1)", Filter="(b = 2)")
    bitmap = child("Member", "Bitmap Index Scan", Index_Name="j", Index_Cond="(x = 1)")
    heap = child("Inner", "Bitmap Heap Scan", bitmap, Recheck_Cond="(x = 1)", Rows_Removed_by_Index_Recheck=5)
    plan = plan_of(step("Hash Join", index, heap, Join_Type="Left", Hash_Cond="(a.b = c.d)", Join_Filter="(e > f)"))

    join, (left, right) = plan.root, plan.root.children
    assert (join.join_type, join.join_cond, join.join_filter) == ("left", "(a.b = c.d)", "(e > f)")
    assert (left.index, left.index_cond, left.filter, left.relationship) == ("i", "(id = 1)", "(b = 2)", "outer")
    assert (right.index_cond, right.removed_by_recheck) == ("(x = 1)", 5)
    assert shape(join) == ["hash join", "index scan", ["bitmap scan", "bitmap index scan"]]
    assert join.label == "Hash Join (Left)"


def test_self_time_leaves_the_children_out():
    plan = plan_of(measured(step("Sort", measured(SCAN, 10, 1, 4.0), Sort_Key=["a", "b DESC"]), 10, 1, 5.5))

    assert plan.root.self_ms == 1.5
    assert plan.root.sort_keys == ("a", "b DESC")


def test_processes_at_the_same_time_are_counted_once():
    scan = measured(SCAN, 100, 3, 6.0) | {"Parent Relationship": "Outer", "Parallel Aware": True}
    plan = plan_of(measured(step("Gather", scan, Workers_Planned=2, Workers_Launched=2), 300, 1, 8.0))

    gather, scan = plan.nodes()
    assert (scan.label, scan.parallel, scan.rows_total) == ("Parallel Seq Scan", True, 300)
    assert (scan.elapsed_ms, gather.self_ms, scan.self_ms) == (6.0, 2.0, 6.0)
    assert (gather.workers_planned, gather.workers_launched) == (2, 2)


def test_an_initplan_below_a_gather_is_not_parallel():
    init = child("InitPlan", "Result", Subplan_Name="InitPlan 1 (returns $0)")

    plan = plan_of(step("Gather", init, {**SCAN, "Parent Relationship": "Outer"}))

    assert [node.parallel for node in plan.nodes()] == [False, False, True]


class TestSubplans:
    @pytest.mark.parametrize(
        ("name", "condition", "dependent"),
        [
            ("SubPlan 1", "(SubPlan 1)", True),
            ("SubPlan 1", "(NOT (hashed SubPlan 1))", False),
            ("SubPlan 1", "(hashed SubPlan 10)", True),
            ("SubPlan 2", "(alternatives: SubPlan 1 or hashed SubPlan 2)", False),
            # 17 and later
            ("SubPlan 1", "(ANY (o.id = (hashed SubPlan 1).col1))", False),
            ("SubPlan 1", "(ANY (id = (SubPlan 1).col1))", True),
            ("SubPlan 1", "EXISTS(SubPlan 1)", True),
            # 19
            ("SubPlan expr_1", "(ANY (o.id = (hashed SubPlan expr_1).col1))", False),
            ("SubPlan expr_1", "(o.id = (SubPlan expr_1))", True),
            ("expr_1", "(o.id = (expr_1))", True),
            ("exists_1", "EXISTS(SubPlan exists_1)", True),
            ("any_1", "(ANY (o.id = (hashed any_1).col1))", False),
        ],
    )
    def test_a_hashed_one_runs_once(self, name, condition, dependent):
        plan = plan_of(SCAN | {"Filter": condition, "Plans": [child("SubPlan", "Seq Scan", Subplan_Name=name)]})

        sub = plan.root.children[0]
        assert (sub.relationship, sub.name, sub.dependent) == ("subplan", name, dependent)

    @pytest.mark.parametrize("name", ["InitPlan 1 (returns $0)", "InitPlan 1", "InitPlan expr_1", "CTE totals"])
    def test_an_initplan_runs_once(self, name):
        plan = plan_of(SCAN | {"Plans": [child("InitPlan", "Result", Subplan_Name=name)]})

        sub = plan.root.children[0]
        assert (sub.relationship, sub.name, sub.dependent) == ("initplan", name, False)

    def test_a_cte_scan_says_which(self):
        plan = plan_of(step("CTE Scan", CTE_Name="totals", Alias="t"))

        assert (plan.root.kind, plan.root.name, plan.root.alias, plan.root.derived) == (
            Kind.CTE_SCAN,
            "totals",
            "t",
            True,
        )
        assert plan.root.relation is None


@pytest.mark.parametrize(
    ("strategy", "label"),
    [("Plain", "Aggregate"), ("Sorted", "GroupAggregate"), ("Hashed", "HashAggregate"), ("Mixed", "MixedAggregate")],
)
def test_an_aggregate_says_how(strategy, label):
    plan = plan_of(step("Aggregate", SCAN, Strategy=strategy, Group_Key=["a"]))

    assert (plan.root.label, plan.root.strategy, plan.root.grouping) == (label, strategy.lower(), ("a",))


def test_spills_are_read():
    sort = step("Sort", Sort_Method="external merge", Sort_Space_Used=900, Sort_Space_Type="Disk")
    in_worker = step("Sort", Workers=[{"Worker Number": 0, "Sort Space Type": "Disk"}])
    incremental = step("Incremental Sort", **{"Pre-sorted_Groups": {"Sort Space Disk": {"Peak Sort Space Used": 9}}})
    in_memory = step("Sort", Sort_Space_Type="Memory", Sort_Space_Used=25)

    assert [plan_of(node).root.sort_on_disk for node in (sort, in_worker, incremental, in_memory)] == [True] * 3 + [
        False
    ]
    assert plan_of(step("Hash", Hash_Batches=8, Original_Hash_Batches=1)).root.batches == 8
    assert plan_of(step("Aggregate", HashAgg_Batches=5, Disk_Usage=100)).root.batches == 5


@pytest.mark.parametrize("condition", ["false", "(false)", "FALSE"])
def test_a_result_that_is_never_made_says_so(condition):
    assert plan_of(step("Result") | {"One-Time Filter": condition}).root.strategy == "never"


def test_a_write_is_called_what_it_is():
    plan = plan_of(step("ModifyTable", SCAN, Operation="Delete", Relation_Name="shop_order"))

    assert (plan.root.kind, plan.root.label, plan.root.strategy) == (Kind.MODIFY, "Delete", "delete")


def test_what_stands_beside_the_tree_is_read():
    plan = plan_of(
        SCAN,
        Execution_Time=9.5,
        JIT={"Functions": 3, "Timing": {"Total": 4.5}},
        Triggers=[{"Trigger Name": "t", "Constraint Name": "c", "Relation": "r", "Time": 2.5, "Calls": 3}],
        Settings={"work_mem": "64kB"},
    )

    assert (plan.execution_ms, plan.jit_ms, plan.settings) == (9.5, 4.5, {"work_mem": "64kB"})
    (trigger,) = plan.triggers
    assert (trigger.name, trigger.constraint, trigger.relation, trigger.calls, trigger.total_ms) == (
        "t",
        "c",
        "r",
        3,
        2.5,
    )


def test_a_step_of_a_later_version_is_shown_and_noted():
    plan = plan_of(step("Quantum Scan", SCAN))

    assert (plan.root.kind, plan.root.label) == (Kind.OTHER, "Quantum Scan")
    assert plan.notes == ["A step this version does not know: Quantum Scan."]


class TestVersion18:
    def test_rows_have_decimals(self):
        plan = plan_of(measured(SCAN, 0.33, 3, 1.0))

        assert plan.root.rows_total == pytest.approx(0.99)

    def test_index_searches_are_read_and_disabled_is_kept(self):
        plan = plan_of(step("Index Only Scan", Disabled=True, Index_Searches=5, Heap_Fetches=7))

        assert (plan.root.kind, plan.root.index_searches, plan.root.heap_fetches) == (Kind.INDEX_ONLY_SCAN, 5, 7)
        assert plan.root.raw["Disabled"] is True

    def test_a_window_says_nothing_unknown(self):
        plan = plan_of(step("WindowAgg", SCAN, Window="w1 AS (PARTITION BY a)", Storage="Memory"))

        assert (plan.root.kind, plan.notes) == (Kind.WINDOW, [])


@pytest.mark.django_db(databases=["default", "postgres"])
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1 WHERE false", "result"),
        ("VALUES (1), (2)", "table function"),
        ("SELECT * FROM generate_series(1, 3)", "table function"),
        ("SELECT 1 UNION ALL SELECT 2", ["append", "result", "result"]),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r", None),
        ("SELECT DISTINCT n FROM generate_series(1, 3) n ORDER BY n LIMIT 1", None),
        ("SELECT sum(n) OVER (ORDER BY n) FROM generate_series(1, 3) n", ["window", ["sort", "table function"]]),
        ("SELECT * FROM site_book WHERE ctid = '(0,1)' FOR UPDATE", ["lock rows", "index scan"]),
        ("DELETE FROM site_genre WHERE id = ANY (ARRAY(SELECT id FROM site_book))", None),
        ("MERGE INTO site_genre g USING site_book b ON g.id = b.id WHEN MATCHED THEN DELETE", None),
        ("SELECT 1 INTERSECT SELECT 2", None),
        ("SELECT unnest(ARRAY[1, 2])", None),
    ],
)
def test_the_servers_own_answer_has_no_unknown_step(sql, expected, postgres):
    sql = sql.replace("site_", "library_") if connections[postgres].introspection.table_names() else sql
    with connections[postgres].cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, VERBOSE, BUFFERS, FORMAT JSON) {sql}")
        (answer,) = cursor.fetchone()

    plan = parse("postgresql", answer, sql)

    assert plan.problem is None
    assert plan.notes == []
    assert plan.analyzed
    assert expected is None or shape(plan.root) == expected
