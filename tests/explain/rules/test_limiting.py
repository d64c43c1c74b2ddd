from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.limiting import limit_scan
from perf_panels.explain.schema import Index, Schema, Table

SQL = "SELECT id FROM shop_orderline WHERE note = 'gift' ORDER BY id LIMIT 200"
COLUMNS = {"id": "bigint", "note": "varchar(100)", "order_id": "bigint"}


def walk(**values):
    given = {
        "label": "Index Scan",
        "relation": "shop_orderline",
        "alias": "shop_orderline",
        "index": "shop_orderline_pkey",
        "filter": "(note = 'gift')",
        "act_rows": 200.0,
        "removed": 50_000.0,
        "loops": 1.0,
        "self_ms": 22.0,
    }
    return Node(Kind.INDEX_SCAN, **(given | values))


def limit(*children):
    return Node(Kind.LIMIT, "Limit", list(children), act_rows=200.0, loops=1.0)


def found(root, engine="postgresql", sql=SQL, rows=1_000_000, indexes=()):
    table = Table("shop_orderline", rows, COLUMNS, [Index("pk", ("id",), unique=True), *indexes])
    plan = Plan(engine, root, analyzed=root.analyzed)
    return list(limit_scan(Subject(plan, read(sql, engine), Schema(tables={table.name: table}))))


def test_rows_thrown_away_on_the_way_to_the_limit():
    (match,) = found(limit(walk()))

    assert match.title == "{table}: 50,200 rows walked in the order of ORDER BY to find 200"
    assert (match.severity, match.table, match.columns) == ("warning", "shop_orderline", ("note",))
    assert (match.index.equality, match.index.order) == (("note",), (("id", False),))
    assert match.saving_ms == 22.0


@pytest.mark.parametrize(
    "values",
    [
        {"removed": 999.0},
        {"removed": 1_700.0},
        {"self_ms": 4.9},
        {"index_cond": "(id > 5)"},
        {"filter": None},
        {"filter": "(id = (SubPlan 1))"},
        {"relationship": "inner"},
        {"loops": 0.0},
    ],
    ids=str,
)
def test_a_walk_that_is_right(values):
    assert not found(limit(walk(**values)))


def test_a_sort_in_between_reads_everything_anyway():
    assert not found(limit(Node(Kind.SORT, "Sort", [walk()], act_rows=200.0, loops=1.0)))


def test_the_limit_of_another_level():
    subquery = Node(Kind.SUBQUERY, "Subquery", [walk(relationship="subplan")], act_rows=1.0, loops=1.0)

    sql = "SELECT EXISTS(SELECT 1 FROM shop_orderline WHERE note = 'gift') AS a FROM shop_order LIMIT 1"

    assert not found(limit(subquery), sql=sql)


def test_mariadb_has_the_limit_in_the_statement_only():
    assert found(walk(index="PRIMARY"), "mariadb")
    assert not found(walk(index="PRIMARY"), "mariadb", SQL.replace("LIMIT 200", ""))


def test_sqlite_measures_nothing():
    scan = Node(Kind.SCAN, "SCAN shop_orderline", relation="shop_orderline", alias="shop_orderline")

    (match,) = found(scan, "sqlite")

    assert match.severity == "info"
    assert match.columns == ("note",)
    assert not found(scan, "sqlite", rows=9_999)
    assert not found(scan, "sqlite", SQL.replace("ORDER BY id", ""))
    assert not found(scan, "sqlite", "SELECT id FROM shop_orderline ORDER BY id LIMIT 200")


@pytest.mark.parametrize(("condition", "told"), [("note = 'gift'", False), ("order_id > 5", True)])
def test_sqlite_reads_a_partial_index_for_its_condition(condition, told):
    scan = Node(Kind.INDEX_SCAN, "SCAN", relation="shop_orderline", alias="shop_orderline", index="gifts")
    indexes = [Index("gifts", ("id",), condition=condition)]

    assert bool(found(scan, "sqlite", indexes=indexes)) is told


def test_an_estimate_of_a_server_says_nothing():
    assert not found(limit(walk(act_rows=None, loops=None, removed=None)))
