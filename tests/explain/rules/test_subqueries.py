from __future__ import annotations

import pytest

from perf_panels.explain.limits import Limits
from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.subqueries import correlated_subquery, not_in_unhashed
from perf_panels.explain.schema import Index, Schema, Table

COUNT = "SELECT o.id, (SELECT count(*) FROM shop_orderline l WHERE l.order_id = o.id) AS n FROM shop_order o"
EXISTS = "SELECT o.id FROM shop_order o WHERE EXISTS(SELECT 1 FROM shop_orderline l WHERE l.order_id = o.id)"
SCHEMA = Schema(
    tables={
        "shop_order": Table("shop_order", rows=50_000, indexes=[Index("pk", ("id",), unique=True)]),
        "shop_orderline": Table("shop_orderline", rows=1_000_000),
    }
)


def node(kind, *children, rows=None, loops=1, **changes):
    return Node(kind, kind.value, list(children), act_rows=rows, est_rows=rows, loops=loops, **changes)


def inner(loops=5_000, total_ms=0.005, **changes):
    lines = node(Kind.INDEX_SCAN, relation="shop_orderline", alias="l", rows=3, loops=loops)
    lines.index_cond = "(order_id = o.id)"
    count = node(Kind.AGGREGATE, lines, rows=1, loops=loops, total_ms=total_ms)
    for name, value in {"relationship": "subplan", "dependent": True, "name": "SubPlan 1", **changes}.items():
        setattr(count, name, value)
    return count


def outer(*children, rows=5_000, **changes):
    return node(Kind.SCAN, *children, relation="shop_order", alias="o", rows=rows, **changes)


def subject(root, sql=COUNT, engine="postgresql", *, analyzed=True):
    if not analyzed:
        for each in root.walk():
            each.act_rows = each.loops = each.total_ms = None
    return Subject(Plan(engine, root, analyzed=analyzed), read(sql, engine), SCHEMA, Limits())


def test_a_subquery_of_every_row_is_told_with_one_query_for_all():
    (match,) = correlated_subquery(subject(outer(inner())))

    assert match.title == "{table}: a subquery runs 5,000 times, once for each row"
    assert match.table == "shop_orderline"
    assert match.evidence["elapsed_ms"] == 25
    assert 'values_list("order_id")' in match.rewrite
    compile(match.rewrite.format(table="OrderLine"), "rewrite", "exec")


def test_the_wrapper_and_its_subquery_are_one_place():
    wrapper = node(Kind.SUBQUERY, inner(), loops=5_000, dependent=True, relationship="subplan", total_ms=0.02)

    assert len(list(correlated_subquery(subject(outer(wrapper), engine="mysql")))) == 1


def test_a_cache_that_was_switched_off_hides_no_runs():
    cache = node(Kind.MEMOIZE, inner(), loops=200, dependent=True, relationship="subplan", total_ms=0.005)

    (match,) = correlated_subquery(subject(outer(cache), engine="mariadb"))

    assert match.evidence == {"loops": 5_000, "elapsed_ms": 25}


@pytest.mark.parametrize(
    "below",
    [
        pytest.param(inner(loops=10, total_ms=9), id="few runs"),
        pytest.param(inner(total_ms=0.0005), id="quick in all"),
        pytest.param(inner(dependent=False, relationship="initplan", loops=1, total_ms=90), id="runs once"),
        pytest.param(inner(loops=0), id="never runs"),
    ],
)
def test_few_quick_and_single_runs_are_not_told(below):
    assert not list(correlated_subquery(subject(outer(below))))


def test_estimates_count_a_run_for_each_row():
    (match,) = correlated_subquery(subject(outer(inner()), analyzed=False))

    assert match.evidence["loops"] == 5_000


def test_a_page_of_estimated_look_ups_is_not_told():
    assert not list(correlated_subquery(subject(outer(inner(), rows=25), analyzed=False)))


def test_a_limit_bounds_the_estimated_runs():
    root = node(Kind.LIMIT, outer(inner()), rows=10)

    assert not list(correlated_subquery(subject(root, analyzed=False)))


def test_a_sort_below_a_limit_takes_all_rows():
    root = node(Kind.LIMIT, node(Kind.SORT, outer(inner()), rows=5_000), rows=10)

    assert list(correlated_subquery(subject(root, analyzed=False)))


def sqlite(sql, *, search=None):
    found = node(Kind.INDEX_SCAN, relation="shop_orderline", alias="l", index_cond="order_id=?")
    below = node(Kind.SUBQUERY, found, dependent=True, relationship="subplan")
    around = node(Kind.INDEX_SCAN if search else Kind.SCAN, relation="shop_order", alias="o", index_cond=search)
    return subject(node(Kind.RESULT, around, below), sql, "sqlite", analyzed=False)


def test_sqlite_runs_a_subquery_for_at_most_every_row_of_the_table():
    (match,) = correlated_subquery(sqlite(COUNT))

    assert match.title == "{table}: a subquery runs for each row, up to 50,000 times"


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(sqlite(COUNT, search="rowid=?"), id="around one row"),
        pytest.param(sqlite(f"{COUNT} LIMIT 10"), id="around few rows"),
        pytest.param(sqlite(f"{COUNT} LIMIT 100"), id="a few look-ups"),
        pytest.param(sqlite(EXISTS), id="an EXISTS that an index answers"),
    ],
)
def test_what_sqlite_runs_seldom_is_not_told(plan):
    assert not list(correlated_subquery(plan))


def not_in(condition="(NOT (SubPlan 1))", rows=40_000, loops=300):
    listed = node(Kind.SCAN, relation="shop_orderline", alias="l", rows=rows)
    below = node(Kind.MATERIALIZE, listed, rows=rows / 2, loops=loops, total_ms=2)
    below.relationship, below.dependent = "subplan", True
    return outer(below, filter=condition)


@pytest.mark.parametrize("condition", ["(NOT (SubPlan 1))", "(NOT (ANY (id = (SubPlan 1).col1)))"])
def test_a_not_in_that_reads_its_list_again_is_told(condition):
    plan = subject(not_in(condition))

    (match,) = not_in_unhashed(plan)

    assert match.title == "{table}: NOT IN goes through a list of 40,000 rows 300 times"
    assert match.table == "shop_order"
    assert not list(correlated_subquery(plan))
    compile(match.rewrite.format(table="Order"), "rewrite", "exec")


def test_a_not_in_that_finds_its_value_early_counts_what_it_compared():
    (match,) = not_in_unhashed(subject(not_in(rows=2_600)))

    assert match.evidence["rows_compared"] == 390_000


@pytest.mark.parametrize("root", [not_in("(NOT (hashed SubPlan 1))"), not_in(rows=50), not_in(loops=3)])
def test_a_hashed_or_short_not_in_is_not_told(root):
    assert not list(not_in_unhashed(subject(root)))
