from __future__ import annotations

import pytest

from perf_panels.explain.limits import Limits
from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import Match, Subject
from perf_panels.explain.rules.sorting import (
    order_by_random,
    sort_limit,
    sort_no_index,
    sort_spill,
    window_sort,
)
from perf_panels.explain.schema import Index, Schema, Table

LATEST = "SELECT id, total FROM shop_order WHERE status = 'paid' ORDER BY total DESC LIMIT 20"
ALL = "SELECT id, total FROM shop_order ORDER BY total DESC"
RULES = (sort_spill, sort_limit, sort_no_index, window_sort, order_by_random)


def scan(rows=300_000, **changes):
    table = Node(
        Kind.SCAN, "Seq Scan", relation="shop_order", alias="shop_order", act_rows=rows, loops=1, est_rows=rows
    )
    return changed(table, changes)


def sort(*children, **changes):
    rows = children[0].act_rows
    node = Node(
        Kind.SORT,
        "Sort",
        list(children),
        sort_keys=("shop_order.total DESC",),
        act_rows=rows,
        est_rows=children[0].est_rows,
        loops=1,
        total_ms=80,
        self_ms=30,
    )
    return changed(node, changes)


def above(kind, *children, **changes):
    node = Node(kind, kind.value, list(children), act_rows=20, est_rows=20, loops=1, total_ms=81)
    return changed(node, changes)


def changed(node, changes):
    for name, value in changes.items():
        setattr(node, name, value)
    return node


def subject(root, sql=ALL, engine="postgresql", *, analyzed=True, schema=None):
    if not analyzed:
        for node in root.walk():
            node.act_rows = node.loops = node.total_ms = node.self_ms = None
    return Subject(Plan(engine, root, analyzed=analyzed), read(sql, engine), schema or Schema(), Limits())


def found(*arguments, **options):
    return {rule.__name__: list(rule(subject(*arguments, **options))) for rule in RULES}


def only(name, *arguments, **options) -> Match:
    matches = found(*arguments, **options)
    assert {rule for rule, several in matches.items() if several} == {name}
    return matches[name][0]


def silent(*arguments, **options):
    return not any(found(*arguments, **options).values())


def test_many_rows_sorted_to_show_a_few_want_the_index_of_filter_and_order():
    match = only("sort_limit", above(Kind.LIMIT, sort(scan())), LATEST)

    assert match.title == "{table}: 300,000 rows sorted to show 20"
    assert match.table == "shop_order"
    assert (match.index.equality, match.index.order) == (("status",), (("total", True),))
    assert match.saving_ms == 80
    assert match.severity == "warning"


def test_a_slow_sort_is_critical():
    assert only("sort_limit", above(Kind.LIMIT, sort(scan(), self_ms=150)), LATEST).severity == "critical"


def test_estimates_are_enough_for_a_sort_below_a_limit():
    match = only("sort_limit", above(Kind.LIMIT, sort(scan())), LATEST, analyzed=False)

    assert "(estimated)" in match.detail


@pytest.mark.parametrize(
    ("engine", "root"),
    [
        ("mariadb", lambda: sort(scan(), limit=20, sort_keys=("shop_order.total desc",))),
        ("mysql", lambda: sort(scan(), sort_keys=("shop_order.total DESC",))),
        ("postgresql", lambda: above(Kind.LIMIT, above(Kind.GATHER, sort(scan())))),
    ],
)
def test_the_limit_of_every_engine_is_known(engine, root):
    assert only("sort_limit", root(), LATEST, engine).evidence["rows_sorted"] == 300_000


def test_sqlite_sorts_the_table_it_scans():
    table = Node(Kind.SCAN, "SCAN shop_order", relation="shop_order")
    schema = Schema(tables={"shop_order": Table("shop_order", rows=300_000)})

    match = only("sort_limit", Node(Kind.SORT, "TEMP B-TREE", [table]), LATEST, "sqlite", analyzed=False, schema=schema)

    assert match.index.order == (("total", True),)


@pytest.mark.parametrize(
    "root",
    [
        pytest.param(above(Kind.LIMIT, sort(scan(500))), id="few rows after a filter"),
        pytest.param(above(Kind.LIMIT, sort(scan(), kind=Kind.INCREMENTAL_SORT)), id="partly in order"),
        pytest.param(above(Kind.LIMIT, sort(above(Kind.AGGREGATE, scan(), act_rows=50_000))), id="groups"),
        pytest.param(above(Kind.LIMIT, sort(scan(), total_ms=2, self_ms=2)), id="fast"),
        pytest.param(above(Kind.LIMIT, sort(scan(6, loops=9_000), loops=9_000), loops=9_000), id="few rows, often"),
        pytest.param(above(Kind.LIMIT, sort(scan(), sort_keys=("((SubPlan 1)) DESC",))), id="by a subquery"),
        pytest.param(above(Kind.MERGE_JOIN, sort(scan()), scan()), id="sorted for a join"),
    ],
)
def test_sorts_that_no_index_would_save_are_not_told(root):
    assert silent(root, LATEST)


def test_a_sort_of_all_rows_is_a_hint_only():
    match = only("sort_no_index", sort(scan()))

    assert match.severity == "info"
    assert match.index.order == (("total", True),)


def test_a_sort_the_planner_preferred_to_an_index_is_not_told():
    schema = Schema(tables={"shop_order": Table("shop_order", indexes=[Index("by_total", ("total",))])})

    assert silent(sort(scan()), schema=schema)


def test_a_unique_column_ends_the_order_an_index_needs():
    table = Table("shop_order", indexes=[Index("pk", ("id",), unique=True, primary=True)])
    keys = ("shop_order.total", "shop_order.id DESC", "shop_order.status")

    match = only("sort_no_index", sort(scan(), sort_keys=keys), schema=Schema(tables={"shop_order": table}))

    assert match.index.order == (("total", False), ("id", True))


def test_an_order_by_an_expression_has_no_index():
    match = only("sort_limit", above(Kind.LIMIT, sort(scan(), sort_keys=("upper(shop_order.name)",))), LATEST)

    assert match.index is None
    assert match.table == "shop_order"


def test_an_order_by_two_tables_has_no_index():
    join = above(Kind.HASH_JOIN, scan(), scan(relation="shop_customer", alias="c"), act_rows=300_000, est_rows=300_000)
    keys = ("shop_order.total", "c.name")

    assert only("sort_limit", above(Kind.LIMIT, sort(join, sort_keys=keys)), LATEST).index is None


def test_a_sort_on_disk_is_told_whatever_it_is_for():
    match = found(sort(scan(), sort_on_disk=True, sort_space_kb=10_024))["sort_spill"][0]

    assert match.title == "{table}: 300,000 rows sorted on disk"
    assert match.evidence["disk_kb"] == 10_024


def test_mariadb_counts_the_passes_over_its_files():
    assert found(sort(scan(), raw={"r_sort_passes": 14}), engine="mariadb")["sort_spill"]


def test_a_sort_below_a_window_function_is_its_own():
    window = above(Kind.WINDOW, sort(scan(), sort_keys=("shop_order.customer_id", "shop_order.total DESC")))

    match = only("window_sort", window)

    assert match.index.order == (("customer_id", False), ("total", True))


def test_a_window_function_in_a_subquery_is_its_own():
    window = above(Kind.WINDOW, sort(scan()), relationship="subquery")

    assert only("window_sort", above(Kind.SUBQUERY_SCAN, window))


def test_a_sort_by_an_annotation_is_not_told():
    schema = Schema(tables={"shop_order": Table("shop_order", columns={"id": "bigint", "price": "numeric"})})

    assert silent(above(Kind.LIMIT, sort(scan())), LATEST, schema=schema)


def test_a_small_sort_below_a_window_function_is_not_told():
    assert silent(above(Kind.WINDOW, sort(scan(500))))


@pytest.mark.parametrize(("engine", "key"), [("postgresql", "(random())"), ("mysql", "rand()"), ("sqlite", None)])
def test_a_random_order_is_told_as_such(engine, key):
    root = above(Kind.LIMIT, sort(scan(), sort_keys=(key,) if key else ()))

    match = only("order_by_random", root, "SELECT id FROM shop_order ORDER BY RANDOM() LIMIT 3", engine)

    assert match.index is None
    compile(match.rewrite.format(table="Order"), "rewrite", "exec")


def test_a_random_order_of_a_small_table_is_not_told():
    assert silent(above(Kind.LIMIT, sort(scan(40), sort_keys=("(random())",))))
