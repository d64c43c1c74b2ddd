from __future__ import annotations

import pytest

from perf_panels.explain.limits import Limits
from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query, read
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.join_memory import hash_spill, materialize_rescans, memoize_thrash
from perf_panels.explain.rules.joins import join_fanout, join_filter_discard, nested_loop_heavy
from perf_panels.explain.rules.products import cartesian
from perf_panels.explain.schema import Index, Schema, Table

JOIN = "SELECT * FROM shop_order o JOIN shop_orderline l ON l.order_id = o.id"
CROSS = "SELECT * FROM shop_order o, shop_orderline l WHERE o.total > 5"
SCHEMA = Schema(
    tables={"shop_order": Table("shop_order", rows=300_000), "shop_orderline": Table("shop_orderline", rows=1_000_000)}
)


def node(kind, *children, rows=None, loops=1, **changes):
    return Node(kind, kind.value, list(children), act_rows=rows, est_rows=rows, loops=loops, **changes)


def order(rows=5_000, **changes):
    return node(Kind.SCAN, relation="shop_order", alias="o", rows=rows, **changes)


def line(rows=3, loops=5_000, kind=Kind.INDEX_SCAN, **changes):
    return node(kind, relation="shop_orderline", alias="l", rows=rows, loops=loops, **changes)


def subject(root, sql=JOIN, engine="postgresql", *, analyzed=True, schema=SCHEMA, ms=400):
    plan = Plan(engine, root, analyzed=analyzed, execution_ms=ms)
    return Subject(plan, read(sql, engine) if sql else Query("", engine), schema, Limits())


def loop(inner, outer=None, rows=15_000, **changes):
    return node(Kind.NESTED_LOOP, outer or order(), inner, rows=rows, **changes)


def lookup(total_ms=0.05, **changes):
    return line(index="by_order", index_cond="(order_id = o.id)", total_ms=total_ms, **changes)


def test_a_table_that_is_looked_up_too_often_is_told():
    (match,) = nested_loop_heavy(subject(loop(lookup())))

    assert match.title == "{table}: looked up 5,000 times by a join, 250 ms"
    assert match.table == "shop_orderline"
    assert match.severity == "critical"


def test_an_underestimated_join_is_told_to_be_analysed():
    outer = order()
    outer.est_rows = 10

    (match,) = nested_loop_heavy(subject(loop(lookup(), outer)))

    assert "expected 10 rows" in match.detail
    assert "ANALYZE" in match.advice


def test_the_time_of_parallel_loops_is_shared_by_the_processes():
    inner = lookup(total_ms=0.09, parallel=True)
    root = node(Kind.GATHER, loop(inner), rows=15_000, workers_launched=2)

    (match,) = nested_loop_heavy(subject(root))

    assert match.evidence["elapsed_ms"] == 150


@pytest.mark.parametrize(
    "inner",
    [
        pytest.param(lookup(total_ms=0.001), id="quick in all"),
        pytest.param(lookup(loops=500, total_ms=1), id="few look-ups"),
        pytest.param(lookup(derived=True), id="a derived table"),
        pytest.param(node(Kind.MEMOIZE, lookup(loops=200, total_ms=1), rows=1, loops=5_000, total_ms=1), id="cached"),
    ],
)
def test_quick_few_and_cached_look_ups_are_not_told(inner):
    assert not list(nested_loop_heavy(subject(loop(inner))))


@pytest.mark.parametrize(("total_ms", "told"), [(0.02, False), (0.1, True)])
def test_a_cache_that_mostly_answers_is_told_when_the_rest_is_slow(total_ms, told):
    inner = lookup(loops=2_109, total_ms=total_ms)
    cache = node(Kind.MEMOIZE, inner, rows=1, loops=20_000, total_ms=0.01, cache_hits=17_891, cache_misses=2_109)

    assert bool(list(nested_loop_heavy(subject(loop(cache), ms=72)))) is told


def test_look_ups_that_are_a_small_part_of_the_statement_are_not_told():
    assert not list(nested_loop_heavy(subject(loop(lookup()), ms=9_000)))


def test_a_join_that_multiplies_rows_is_better_two_queries():
    root = node(Kind.HASH_JOIN, order(2_000), node(Kind.HASH, line(3_000, 1), rows=3_000), rows=60_000)

    (match,) = join_fanout(subject(root))

    assert match.evidence["factor"] == 20
    assert "separate queries" in match.advice
    assert match.table == "shop_order"
    compile(match.rewrite.format(table="Order"), "rewrite", "exec")


@pytest.mark.parametrize(
    "root",
    [
        pytest.param(loop(lookup(), rows=15_000), id="each line once"),
        pytest.param(loop(lookup(rows=40), rows=200_000), id="each order's lines, once"),
        pytest.param(node(Kind.HASH_JOIN, order(2_000), line(3_000, 1), rows=9_000), id="few rows"),
        pytest.param(node(Kind.HASH_JOIN, order(2), line(3, 1), rows=60_000, join_type="semi"), id="semi join"),
    ],
)
def test_joins_that_give_each_row_once_are_not_told(root):
    assert not list(join_fanout(subject(root)))


def test_a_nested_loop_that_gives_more_rows_than_its_table_has_is_told():
    schema = Schema(tables={"shop_orderline": Table("shop_orderline", rows=1_000)})

    assert list(join_fanout(subject(loop(line(50, index_cond="(x = o.x)"), rows=250_000), schema=schema)))


TWICE = f"{JOIN} JOIN shop_orderline m ON m.order_id = o.id"
INDEXED = {"shop_order": [Index("pk", ("id",), unique=True)], "shop_orderline": [Index("by_order", ("order_id",))]}


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (TWICE, True),
        (f"{JOIN} JOIN shop_orderline m ON m.coupon_id = l.coupon_id", True),
        (f"{JOIN} JOIN shop_orderline m ON m.id = l.id", False),
    ],
)
def test_two_relations_of_the_same_row_multiply_each_other(sql, told):
    tables = {name: Table(name, rows=900_000, indexes=indexes) for name, indexes in INDEXED.items()}
    tables["shop_orderline"].indexes = [*tables["shop_orderline"].indexes, Index("pk", ("id",), unique=True)]
    found = loop(lookup(rows=100, loops=1), order(1), rows=100)
    again = lookup(rows=200, loops=100)
    again.alias = "m"

    matches = list(join_fanout(subject(loop(again, found, rows=20_000), sql, schema=Schema(tables=tables))))

    assert [match.evidence["factor"] for match in matches] == ([100] if told else [])


def test_an_outer_join_whose_rows_are_returned_is_a_hint():
    root = node(Kind.HASH_JOIN, order(2_000), line(3_000, 1), rows=60_000, join_type="left")

    assert [match.severity for match in join_fanout(subject(root))] == ["info"]


@pytest.mark.parametrize(("removed", "severity"), [(20, "warning"), (2_000, "critical")])
def test_pairs_that_a_join_drops_are_counted(removed, severity):
    root = node(Kind.NESTED_LOOP, order(), line(), rows=1, loops=1_000, removed_by_join=removed, total_ms=1)

    (match,) = join_filter_discard(subject(root))

    assert match.evidence["pairs_dropped"] == removed * 1_000
    assert match.severity == severity


def test_a_filter_above_a_join_drops_its_pairs():
    join = node(Kind.NESTED_LOOP, order(), line(), rows=50_000)
    root = node(Kind.FILTER, join, rows=10, filter="(o.total > l.price)", total_ms=90)

    assert list(join_filter_discard(subject(root, engine="mysql")))


def test_what_a_left_join_does_not_find_is_not_told():
    join = node(Kind.NESTED_LOOP, order(), line(), rows=50_000)
    root = node(Kind.FILTER, join, rows=10, filter="(l.id IS NULL)", total_ms=90)

    assert not list(join_filter_discard(subject(root, engine="mysql")))


def stored(rows=200):
    return node(Kind.MATERIALIZE, line(rows, 1, Kind.SCAN), rows=rows, loops=5_000)


def test_two_tables_without_a_condition_are_a_product():
    (match,) = cartesian(subject(loop(stored(), rows=1_000_000), CROSS))

    assert match.evidence["inner_rows"] == 200


def test_a_hash_join_without_a_condition_is_a_product():
    root = node(Kind.HASH_JOIN, order(), line(200, 1, Kind.SCAN), rows=1_000_000)

    assert list(cartesian(subject(root, CROSS, "mysql")))


def test_estimates_are_enough_for_a_product():
    root = loop(stored(), rows=1_000_000)
    for each in root.walk():
        each.act_rows = each.loops = None

    assert list(cartesian(subject(root, CROSS, analyzed=False)))


def test_sqlite_needs_the_statement_to_tell():
    names = (("shop_order", "o"), ("shop_orderline", "l"))
    scans = [Node(Kind.SCAN, f"SCAN {alias}", relation=name, alias=alias) for name, alias in names]
    root = Node(Kind.NESTED_LOOP, "join", scans)

    assert list(cartesian(subject(root, CROSS, "sqlite", analyzed=False)))
    assert not list(cartesian(subject(root, JOIN, "sqlite", analyzed=False)))
    assert not list(cartesian(subject(root, "", "sqlite", analyzed=False)))


def test_what_limits_each_side_alone_connects_nothing():
    sql = "SELECT * FROM shop_order o, shop_orderline l WHERE o.id <= 200 AND l.id <= 200"
    inner = node(Kind.MATERIALIZE, line(200, 1, index_cond="(l.id <= 200)"), rows=200, loops=5_000)

    assert list(cartesian(subject(loop(inner, rows=1_000_000), sql)))
    assert not list(cartesian(subject(loop(inner, rows=1_000_000), "")))


@pytest.mark.parametrize(
    ("condition", "told"), [("id <= 200", True), ("order_id = o.id", False), ("(order_id)", False)]
)
def test_mysql_names_no_table_in_what_an_index_searches(condition, told):
    sql = "SELECT * FROM shop_order o, shop_orderline l WHERE o.id <= 200 AND l.id <= 200"
    root = node(Kind.HASH_JOIN, order(), line(200, 1, index_cond=condition), rows=1_000_000)

    assert bool(list(cartesian(subject(root, sql, "mysql")))) is told


def test_ranges_of_two_tables_are_a_product_on_sqlite():
    sql = "SELECT * FROM shop_order o, shop_orderline l WHERE o.id <= 200 AND l.id <= 200"
    names = (("shop_order", "o"), ("shop_orderline", "l"))
    scans = [Node(Kind.INDEX_SCAN, "SEARCH", relation=name, alias=alias, index_cond="rowid<?") for name, alias in names]

    assert list(cartesian(subject(Node(Kind.NESTED_LOOP, "join", scans), sql, "sqlite", analyzed=False)))


def test_two_tables_that_a_third_connects_are_no_product():
    sql = "SELECT * FROM shop_order o, shop_orderline l, shop_stock s WHERE s.order_id = o.id AND l.id = s.line_id"

    assert not list(cartesian(subject(loop(stored(), rows=1_000_000), sql)))


def test_a_condition_without_names_of_tables_may_connect_any():
    sql = "SELECT * FROM shop_order o JOIN shop_orderline l ON order_id = number"

    assert not list(cartesian(subject(loop(stored(), rows=1_000_000), sql)))


@pytest.mark.parametrize(
    ("root", "sql"),
    [
        pytest.param(loop(stored(), order(1), rows=50_000), CROSS, id="one row"),
        pytest.param(loop(stored(2), order(3), rows=6), CROSS, id="few rows"),
        pytest.param(loop(lookup(), rows=50_000), CROSS, id="a condition in the plan"),
        pytest.param(loop(stored(), rows=50_000), JOIN, id="a condition in the statement"),
        pytest.param(loop(stored(), rows=50_000, join_filter="(o.a < l.b)"), CROSS, id="a join filter"),
        pytest.param(loop(node(Kind.LIMIT, line(3, 5_000), rows=3, loops=5_000), rows=15_000), CROSS, id="lateral"),
    ],
)
def test_connected_and_small_sides_are_no_product(root, sql):
    assert not list(cartesian(subject(root, sql)))


@pytest.mark.parametrize(("batches", "severity"), [(1, None), (4, "warning"), (16, "critical")])
def test_batches_of_a_hash_are_on_disk(batches, severity):
    root = node(Kind.HASH_JOIN, line(), node(Kind.HASH, order(300_000), batches=batches, rows=300_000), rows=300_000)

    assert [match.severity for match in hash_spill(subject(root))] == ([severity] if severity else [])


@pytest.mark.parametrize(("rows", "loops", "told"), [(5_000, 500, True), (200, 5_000, False), (5_000, 20, False)])
def test_stored_rows_that_are_read_again_are_told(rows, loops, told):
    again = node(Kind.MATERIALIZE, line(rows, 1, Kind.SCAN), rows=rows, loops=loops, total_ms=1)

    assert bool(list(materialize_rescans(subject(loop(again))))) is told


@pytest.mark.parametrize(
    ("hits", "evictions", "told"),
    [(100, 900, True), (9_000, 900, False), (100, 0, False)],
)
def test_a_cache_that_forgets_is_told(hits, evictions, told):
    cache = node(
        Kind.MEMOIZE,
        lookup(),
        rows=1,
        loops=5_000,
        total_ms=0.1,
        cache_hits=hits,
        cache_misses=2_000,
        cache_evictions=evictions,
    )

    assert bool(list(memoize_thrash(subject(loop(cache))))) is told


def test_a_cache_that_mariadb_switched_off_is_told():
    cache = node(Kind.MEMOIZE, lookup(), rows=1, loops=5_000, total_ms=0.1, raw={"state": "disabled"})

    assert list(memoize_thrash(subject(loop(cache), engine="mariadb")))
