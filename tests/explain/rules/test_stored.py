from __future__ import annotations

import pytest

from perf_panels.explain.limits import Limits
from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.stored import cte_materialized, derived_materialized
from perf_panels.explain.schema import Schema, Table

BODY = "SELECT order_id, count(*) AS n FROM shop_orderline GROUP BY order_id"
DERIVED = f"SELECT x.n FROM shop_order o JOIN ({BODY}) x ON x.order_id = o.id WHERE o.customer_id = 77"
CTE = f"WITH totals AS MATERIALIZED ({BODY}) SELECT n FROM totals WHERE order_id = 7"
SCHEMA = Schema(tables={"shop_orderline": Table("shop_orderline", rows=1_000_000)})


def node(kind, *children, rows=None, **changes):
    return Node(kind, kind.value, list(children), act_rows=rows, loops=None if rows is None else 1, **changes)


def lines(rows=None):
    return node(Kind.SCAN, relation="shop_orderline", rows=rows)


def mysql(used=8, raw=None):
    made = node(Kind.MATERIALIZE, lines(1_000_000), rows=290_000, raw=raw or {})
    return node(Kind.INDEX_SCAN, made, alias="x", derived=True, rows=used, total_ms=3_893)


def subject(root, sql, engine, *, analyzed=True):
    return Subject(Plan(engine, root, analyzed=analyzed), read(sql, engine), SCHEMA, Limits())


def test_a_derived_table_of_which_little_is_used_is_a_hint():
    (match,) = derived_materialized(subject(mysql(), DERIVED, "mysql"))

    assert match.title == "{table}: 290,000 rows made for the subquery x to use 8"
    assert match.severity == "info"
    assert match.table == "shop_orderline"


@pytest.mark.parametrize(
    ("root", "sql"),
    [
        pytest.param(mysql(used=250_000), DERIVED, id="all used"),
        pytest.param(mysql(raw={"lateral": 1}), DERIVED, id="only what is asked for"),
        pytest.param(mysql(), DERIVED.replace("count(*)", "row_number() OVER (ORDER BY id)"), id="window"),
    ],
)
def test_a_derived_table_that_is_needed_is_not_told(root, sql):
    assert not list(derived_materialized(subject(root, sql, "mysql")))


def scanned_cte(**changes):
    return node(Kind.CTE_SCAN, rows=5, removed=272_000, name="totals", alias="totals", total_ms=400, **changes)


def test_a_cte_of_which_little_is_used_is_told():
    (match,) = cte_materialized(subject(scanned_cte(), CTE, "postgresql"))

    assert match.evidence == {"rows_made": 272_005, "rows_used": 5, "elapsed_ms": 400}
    assert not list(derived_materialized(subject(scanned_cte(), CTE, "postgresql")))


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(f"{CTE} UNION ALL SELECT n FROM totals WHERE n > 5", id="used twice"),
        pytest.param(CTE.replace("WITH", "WITH RECURSIVE"), id="recursive"),
    ],
)
def test_a_cte_that_must_be_stored_is_not_told(sql):
    assert not list(cte_materialized(subject(scanned_cte(), sql, "postgresql")))


def sqlite(sql):
    made = node(Kind.MATERIALIZE, lines(), alias="x", name="x")
    root = node(Kind.NESTED_LOOP, node(Kind.SUBQUERY_SCAN, made, alias="x", derived=True))
    return subject(root, sql, "sqlite", analyzed=False)


def test_sqlite_is_believed_when_the_filter_is_outside():
    assert list(derived_materialized(sqlite(DERIVED)))


def test_sqlite_is_not_believed_without_a_filter_outside():
    assert not list(derived_materialized(sqlite(f"SELECT count(*) FROM ({BODY}) x")))
