from __future__ import annotations

import pytest

from perf_panels.explain.limits import Limits
from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.grouping import distinct_fanout, group_spill, group_temp, union_dedup
from perf_panels.explain.schema import Index, Schema, Table

DISTINCT = "SELECT DISTINCT c.id, c.name FROM shop_customer c JOIN shop_order o ON o.customer_id = c.id"
GROUPS = "SELECT country, status, count(*) FROM shop_order GROUP BY country, status"
UNION = "SELECT customer_id FROM shop_order UNION SELECT customer_id FROM shop_archive"
SCHEMA = Schema(
    tables={
        "shop_customer": Table("shop_customer", rows=50_000, indexes=[Index("pk", ("id",), unique=True)]),
        "shop_order": Table("shop_order", rows=300_000, indexes=[Index("customer", ("customer_id",))]),
    }
)


def node(kind, *children, rows=None, **changes):
    return Node(kind, kind.value, list(children), act_rows=rows, est_rows=rows, loops=1, **changes)


def scan(relation="shop_order", alias=None, rows=300_000, **changes):
    return node(Kind.SCAN, relation=relation, alias=alias or relation, rows=rows, **changes)


def subject(root, sql, engine="postgresql", *, analyzed=True, schema=SCHEMA):
    if not analyzed:
        for each in root.walk():
            each.act_rows = each.loops = None
    return Subject(Plan(engine, root, analyzed=analyzed), read(sql, engine), schema, Limits())


def test_a_group_in_a_temporary_table_wants_an_index_of_its_columns():
    root = node(Kind.AGGREGATE, scan(), rows=100, strategy="temporary table", self_ms=300)

    (match,) = group_temp(subject(root, GROUPS, "mysql"))

    assert match.title == "{table}: 300,000 rows grouped in a temporary table"
    assert match.index.order == (("country", False), ("status", False))
    assert match.severity == "critical"


@pytest.mark.parametrize(
    "root",
    [
        node(Kind.AGGREGATE, scan(rows=900), rows=100, strategy="temporary table"),
        node(Kind.AGGREGATE, scan(), rows=100, strategy="sorted"),
        node(Kind.AGGREGATE, scan(), rows=100, strategy="temporary table", self_ms=1),
    ],
)
def test_small_quick_and_sorted_groups_are_not_told(root):
    assert not list(group_temp(subject(root, GROUPS, "mysql")))


def test_a_group_by_a_unique_column_wants_no_index():
    sql = "SELECT id, count(*) FROM shop_customer GROUP BY id"
    root = node(Kind.AGGREGATE, scan("shop_customer", rows=50_000), rows=50_000, strategy="temporary table")

    (match,) = group_temp(subject(root, sql, "mysql"))

    assert match.index is None


def test_distinct_over_one_table_is_a_group_for_sqlite():
    root = Node(Kind.DISTINCT, "TEMP B-TREE FOR DISTINCT", [Node(Kind.SCAN, "SCAN shop_order", relation="shop_order")])

    (match,) = group_temp(subject(root, "SELECT DISTINCT status FROM shop_order", "sqlite", analyzed=False))

    assert match.evidence["rows_grouped"] == 300_000


def test_groups_on_disk_are_told():
    root = node(Kind.AGGREGATE, scan(), rows=250_000, batches=5, disk_kb=9_000)

    (match,) = group_spill(subject(root, GROUPS))

    assert match.evidence["batches"] == 5


def test_groups_in_memory_are_not_told():
    assert not list(group_spill(subject(node(Kind.AGGREGATE, scan(), rows=100, batches=1), GROUPS)))


def joined(rows=780_000, distinct=50_000, **changes):
    join = node(Kind.HASH_JOIN, scan(alias="o"), scan("shop_customer", "c", 50_000), rows=rows)
    return node(Kind.AGGREGATE, join, rows=distinct, strategy="hashed", grouping=("c.id", "c.name"), **changes)


def ended_early():
    below = joined(rows=90_000, distinct=20)
    below.est_rows = 50_000
    return below


def test_rows_multiplied_by_a_join_only_to_be_dropped_want_exists():
    (match,) = distinct_fanout(subject(joined(), DISTINCT))

    assert match.title == "{table}: 780,000 joined rows for 50,000 distinct ones"
    assert match.table == "shop_customer"
    assert 'customer_id=OuterRef("pk")' in match.rewrite
    compile(match.rewrite.format(table="Customer"), "rewrite", "exec")


def test_the_two_steps_of_a_parallel_distinct_are_one_place():
    root = node(Kind.AGGREGATE, node(Kind.GATHER, joined(), rows=50_000), rows=50_000, grouping=("c.id",))

    assert [match.node for match in distinct_fanout(subject(root, DISTINCT))] == [root]


def test_the_count_of_a_distinct_is_not_the_distinct():
    below = joined()

    matches = distinct_fanout(subject(node(Kind.AGGREGATE, below, rows=1), f"SELECT count(*) FROM ({DISTINCT}) x"))

    assert [match.node for match in matches] == [below]


@pytest.mark.parametrize(
    ("root", "sql"),
    [
        pytest.param(joined(rows=90_000), DISTINCT, id="less than three each"),
        pytest.param(node(Kind.LIMIT, ended_early(), rows=20), DISTINCT, id="ended by LIMIT"),
        pytest.param(node(Kind.DISTINCT, scan(), rows=5), "SELECT DISTINCT status FROM shop_order", id="one table"),
        pytest.param(joined(), DISTINCT.replace("DISTINCT ", ""), id="no distinct"),
        pytest.param(
            joined(distinct=5),
            "SELECT DISTINCT o.status FROM shop_order o JOIN shop_customer c ON c.id = o.customer_id",
            id="a join that finds one row each",
        ),
    ],
)
def test_a_distinct_that_is_needed_is_not_told(root, sql):
    assert not list(distinct_fanout(subject(root, sql)))


def test_estimates_cannot_tell_what_a_distinct_drops():
    assert not list(distinct_fanout(subject(joined(), DISTINCT, analyzed=False)))


def test_without_row_counts_a_distinct_over_a_join_is_a_hint():
    looked_up = Node(Kind.INDEX_SCAN, "SEARCH", relation="shop_order", alias="o", index_cond="customer_id=?")
    join = Node(Kind.NESTED_LOOP, "join", [Node(Kind.SCAN, "SCAN c", relation="shop_customer", alias="c"), looked_up])
    root = Node(Kind.DISTINCT, "TEMP B-TREE FOR DISTINCT", [join])

    (match,) = distinct_fanout(subject(root, DISTINCT, "sqlite", analyzed=False))

    assert match.severity == "info"


def test_a_union_of_sets_that_hardly_overlap_is_told():
    append = node(Kind.APPEND, scan(rows=3_000), scan("shop_archive", rows=2_000), rows=5_000)

    (match,) = union_dedup(subject(node(Kind.AGGREGATE, append, rows=4_900), UNION))

    assert match.severity == "info"
    assert match.evidence["rows_dropped"] == 100


@pytest.mark.parametrize(("condition", "told"), [("customer_id=?", True), ("rowid=?", False)])
def test_sqlite_counts_no_rows_of_a_union_but_knows_what_finds_one(condition, told):
    search = Node(Kind.INDEX_SCAN, "SEARCH", relation="shop_order", alias="shop_order", index_cond=condition)
    root = Node(Kind.SET_OPERATION, "COMPOUND QUERY", [search, search], strategy="dedup")

    assert bool(list(union_dedup(subject(root, UNION, "sqlite", analyzed=False)))) is told


def test_the_union_of_other_engines_is_told():
    root = node(Kind.SET_OPERATION, scan(rows=3_000), scan("shop_archive", rows=2_000), rows=5_000, strategy="dedup")

    assert list(union_dedup(subject(root, UNION, "mariadb")))


@pytest.mark.parametrize(
    ("rows", "left", "sql"),
    [
        pytest.param(3_000, 2_000, UNION, id="many duplicates"),
        pytest.param(100, 200, UNION, id="few rows"),
        pytest.param(3_000, 6_000, UNION.replace("UNION", "UNION ALL"), id="all"),
        pytest.param(3_000, 6_000, f"WITH RECURSIVE t AS ({UNION}) SELECT * FROM t", id="recursive"),
    ],
)
def test_a_union_that_needs_its_duplicates_dropped_is_not_told(rows, left, sql):
    root = node(Kind.SET_OPERATION, scan(rows=rows), scan("shop_archive", rows=rows), rows=left, strategy="dedup")

    assert not list(union_dedup(subject(root, sql, "mysql")))
