from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import read
from perf_panels.explain.rules.amounts import deep_offset, impossible_where, large_result
from perf_panels.explain.rules.base import Subject


def subject(root, sql="", engine="postgresql"):
    return Subject(Plan(engine, root, analyzed=root.analyzed), read(sql, engine))


def scan(**values):
    return Node(Kind.INDEX_SCAN, "Index Scan", **({"relation": "shop_order", "alias": "shop_order"} | values))


def limit(child, **values):
    return Node(Kind.LIMIT, "Limit", [child], **values)


def test_a_deep_offset_of_the_statement():
    sql = "SELECT id FROM shop_order ORDER BY total DESC LIMIT 25 OFFSET 1000"

    (match,) = deep_offset(subject(scan(), sql))

    assert match.title == "{table}: 1,000 rows read and thrown away by OFFSET"
    assert match.table == "shop_order"
    assert match.rewrite == (
        "{table}.objects.filter(\n"
        "    Q(total__lt=last.total) | Q(total=last.total, pk__lt=last.pk)\n"
        ').order_by("-total", "-pk")[:25]'
    )


def test_pages_in_the_order_of_the_primary_key():
    (match,) = deep_offset(subject(scan(), "SELECT id FROM shop_order ORDER BY id LIMIT 25 OFFSET 5000"))

    assert match.rewrite == '{table}.objects.filter(pk__gt=last.pk).order_by("pk")[:25]'


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ("created DESC, id", "Q(created__lt=last.created) | Q(created=last.created, pk__gt=last.pk)"),
        ("address_id, id DESC", "Q(address_id__gt=last.address_id) | Q(address_id=last.address_id, pk__lt=last.pk)"),
        ("1", "Q(number__gt=last.number) | Q(number=last.number, pk__gt=last.pk)"),
    ],
)
def test_pages_in_the_order_of_one_column_and_the_primary_key(order, code):
    (match,) = deep_offset(subject(scan(), f"SELECT number FROM shop_order ORDER BY {order} LIMIT 25 OFFSET 5000"))

    assert code in match.rewrite


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM shop_order ORDER BY status, created DESC LIMIT 25 OFFSET 5000",
        "SELECT id FROM shop_order ORDER BY status, total_cents DESC, id LIMIT 25 OFFSET 5000",
        "SELECT id FROM shop_order ORDER BY lower(email), id LIMIT 25 OFFSET 5000",
        "SELECT id FROM shop_order ORDER BY id, lower(email) LIMIT 25 OFFSET 5000",
        "SELECT id FROM library_author ORDER BY publisher_id, id LIMIT 25 OFFSET 5000",
        "SELECT o.id FROM shop_order o JOIN auth_user u ON u.id = o.user_id ORDER BY u.username LIMIT 25 OFFSET 5000",
        "SELECT status FROM shop_order GROUP BY status ORDER BY status LIMIT 25 OFFSET 5000",
        "SELECT id FROM shop_order LIMIT 25 OFFSET 5000",
    ],
)
def test_pages_in_another_order_are_for_people(sql):
    (match,) = deep_offset(subject(scan(), sql))

    assert match.rewrite is None
    assert "keyset pagination" in match.advice


def test_an_early_page():
    assert not list(deep_offset(subject(scan(), "SELECT id FROM shop_order LIMIT 25 OFFSET 999")))


def test_an_offset_behind_the_end_costs_nothing():
    sql = "SELECT id FROM shop_order LIMIT 25 OFFSET 100000"
    few = limit(scan(act_rows=40.0, loops=1.0), act_rows=0.0, loops=1.0)
    many = limit(scan(act_rows=90_000.0, loops=1.0), act_rows=0.0, loops=1.0)

    assert not list(deep_offset(subject(few, sql)))
    assert list(deep_offset(subject(many, sql)))


def test_an_offset_that_only_the_plan_knows():
    (said,) = deep_offset(subject(limit(scan(), offset=2_000.0), engine="mysql"))
    (seen,) = deep_offset(subject(limit(scan(act_rows=2_025.0, loops=1.0), act_rows=25.0, loops=1.0)))

    assert said.evidence == seen.evidence == {"offset_rows": 2_000}
    assert said.table == "shop_order"


def test_a_large_result():
    (match,) = large_result(subject(scan(act_rows=10_000.0, loops=1.0)))

    assert (match.severity, match.table) == ("info", "shop_order")
    assert "iterator(" in match.rewrite


def test_results_that_are_small_or_written():
    rows = scan(act_rows=10_000.0, loops=1.0)

    assert not list(large_result(subject(scan(act_rows=9_999.0, loops=1.0))))
    assert not list(large_result(subject(Node(Kind.MODIFY, "Insert", [rows], act_rows=10_000.0, loops=1.0))))
    assert not list(large_result(subject(rows, "INSERT INTO shop_order SELECT * FROM shop_stock")))
    assert not list(large_result(subject(scan(est_rows=99_999.0))))


def test_groups_cannot_be_streamed_as_objects():
    groups = Node(Kind.AGGREGATE, "HashAggregate", [scan()], act_rows=10_000.0, loops=1.0)

    (match,) = large_result(subject(groups))

    assert match.rewrite is None


@pytest.mark.parametrize(
    "raw",
    [{}, {"zero_rows_cause": "Impossible WHERE"}, {"message": "Impossible WHERE"}, {"message": "Impossible HAVING"}],
)
def test_a_condition_that_is_always_false(raw):
    (match,) = impossible_where(subject(Node(Kind.RESULT, "Result", strategy="never", raw=raw)))

    assert match.severity == "info"


@pytest.mark.parametrize(
    "raw",
    [
        {"message": "Impossible WHERE noticed after reading const tables"},
        {"zero_rows_cause": "no matching row in const table"},
        {"zero_rows_cause": "Zero limit"},
    ],
)
def test_a_row_that_is_not_there_is_no_mistake(raw):
    assert not list(impossible_where(subject(Node(Kind.RESULT, "Result", strategy="never", raw=raw))))
