from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.estimates import row_misestimate


def subject(root, engine="postgresql"):
    return Subject(Plan(engine, root, analyzed=True), Query("", engine))


def scan(expected=10.0, rows=10_000.0, kind=Kind.SCAN, **values):
    given = {"label": "Seq Scan", "relation": "shop_order", "est_rows": expected, "act_rows": rows, "loops": 1.0}
    return Node(kind, **(given | values))


def over(kind, *children, **values):
    return Node(kind, kind.value, list(children), **({"est_rows": 1.0, "act_rows": 1.0, "loops": 1.0} | values))


def inner(node):
    node.relationship = "inner"
    return node


def found(root, engine="postgresql"):
    return [match.node for match in row_misestimate(subject(root, engine))]


@pytest.mark.parametrize(
    ("expected", "severity"), [(1_000.0, "info"), (100.0, "warning"), (10.0, "critical"), (1_001.0, None)]
)
def test_ten_is_info_a_hundred_a_warning_a_thousand_critical(expected, severity):
    matches = list(row_misestimate(subject(scan(expected))))

    assert [match.severity for match in matches] == ([severity] if severity else [])


def test_too_many_expected_is_wrong_as_well():
    (match,) = row_misestimate(subject(scan(20_000.0, 2.0)))

    assert match.title == "{table}: 20,000 rows expected, 2 found"
    assert match.evidence["factor"] == 10_000


def test_few_rows_are_no_problem():
    assert not found(scan(1.0, 999.0))
    assert found(scan(1.0, 999.0, loops=2.0))


def test_the_deepest_step_is_named():
    deep = scan()
    top = over(Kind.HASH_JOIN, deep, over(Kind.HASH, scan(5.0, 5.0)), act_rows=10_000.0)

    assert found(top) == [deep]


def test_columns_that_depend_on_each_other():
    (match,) = row_misestimate(subject(scan(filter="((city = 'Bonn'::text) AND (country = 'de'::text))")))

    assert match.columns == ("city", "country")
    assert match.rewrite.startswith(
        'CREATE STATISTICS "stats_shop_order_city_country" ON "city", "country" FROM "shop_order"'
    )


@pytest.mark.parametrize(
    "condition",
    [
        "(total > $1)",
        "(total > (InitPlan 1).col1)",
        "(upper((email)::text) = 'A'::text)",
        "(attributes @> '{}'::jsonb)",
    ],
)
def test_conditions_without_statistics_are_info(condition):
    (match,) = row_misestimate(subject(scan(filter=condition)))

    assert match.severity == "info"


@pytest.mark.parametrize(
    "top",
    [
        lambda node: over(Kind.LIMIT, node),
        lambda node: over(Kind.MERGE_JOIN, node, scan(5.0, 5.0)),
        lambda node: over(Kind.NESTED_LOOP, scan(5.0, 5.0), node, join_type="semi"),
        lambda node: over(Kind.HASH_JOIN, node, over(Kind.HASH, scan(5.0, 0.0), act_rows=0.0)),
        lambda node: over(Kind.NESTED_LOOP, scan(5.0, 5.0), inner(node), raw={"Inner Unique": True}),
    ],
    ids=["limit", "merge join", "semi join", "empty hash", "unique"],
)
def test_what_is_ended_early_cannot_be_compared(top):
    assert not found(top(scan(10_000.0, 10.0)))


def test_the_outer_side_of_a_unique_join_is_read_to_its_end():
    outer = scan(relationship="outer")

    assert found(over(Kind.NESTED_LOOP, outer, inner(scan(1.0, 1.0)), raw={"Inner Unique": True})) == [outer]


def test_a_sort_below_limit_reads_everything():
    deep = scan()

    assert found(over(Kind.LIMIT, over(Kind.SORT, deep))) == [deep]


def test_a_subquery_may_stop_at_its_first_row():
    assert not found(over(Kind.RESULT, scan(10_000.0, 10.0, relationship="subplan")))


def test_never_executed():
    assert not found(scan(10_000.0, 0.0, loops=0.0))


def test_what_was_made_from_a_constant_of_the_server():
    values = Node(Kind.TABLE_FUNCTION, "Function Scan", est_rows=1_000.0, act_rows=1.0, loops=1.0)

    assert not found(values)
    assert not found(over(Kind.NESTED_LOOP, values, scan(10.0, 10.0), act_rows=20_000.0))


def test_missing_workers_change_the_rows_of_each():
    short = over(Kind.GATHER, scan(parallel=True), workers_planned=2, workers_launched=0)
    full = over(Kind.GATHER, scan(parallel=True), workers_planned=2, workers_launched=2)

    assert not found(short)
    assert found(full)


def test_mysql_guesses_what_a_filter_keeps():
    guessed = scan(1_000.0, 10.0, filter="(`t`.`a` = 1)", est_scanned=10_000.0, removed=9_990.0)
    wrong = scan(1_000.0, 10.0, filter="(`t`.`a` = 1)", est_scanned=10_000.0, removed=999_990.0)

    assert not found(guessed, "mysql")
    assert found(wrong, "mysql")


def test_mysql_joins_and_fulltext_are_guesses():
    join = over(Kind.NESTED_LOOP, scan(10.0, 10.0), scan(10.0, 10.0), act_rows=50_000.0)

    assert not found(join, "mysql")
    assert found(join)
    assert not found(scan(1.0, 5_000.0, Kind.INDEX_SCAN, label="Full-text index search on shop_product"), "mysql")


def test_mariadb_may_have_stopped_at_a_limit_that_only_the_statement_has():
    assert not found(scan(10_000.0, 10.0, est_scanned=10_000.0), "mariadb")
    assert found(scan(10.0, 10_000.0, est_scanned=10.0), "mariadb")


def test_the_share_of_a_subquery_is_always_a_guess():
    assert not found(scan(25_000.0, 900.0, filter="(NOT (hashed SubPlan 1))"))
