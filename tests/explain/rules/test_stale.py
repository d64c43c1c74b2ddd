from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.stale import stale_stats
from perf_panels.explain.rules.statistics import analyze_statement
from perf_panels.explain.schema import Schema, Table


def subject(table, engine="postgresql", **values):
    node = Node(Kind.SCAN, "Seq Scan", relation=table.name, **values)
    return Subject(Plan(engine, node), Query("", engine), Schema(tables={table.name: table}))


def test_a_big_table_without_statistics():
    (match,) = stale_stats(subject(Table("shop_import", 60_000, analysed=False), "sqlite"))

    assert match.severity == "info"
    assert match.title == "{table}: no statistics for 60,000 rows"
    assert match.rewrite == 'ANALYZE "shop_import";'


def test_many_changed_rows():
    (match,) = stale_stats(subject(Table("shop_import", 10_000, modified_since_analyze=2_000)))

    assert match.title == "{table}: 2,000 of 10,000 rows changed since its statistics were made"


def test_a_small_or_fresh_or_unknown_table():
    assert not list(stale_stats(subject(Table("t", 9_999, analysed=False))))
    assert not list(stale_stats(subject(Table("t", 10_000, analysed=True, modified_since_analyze=1_999))))
    assert not list(stale_stats(subject(Table("t"))))


def test_a_measured_plan_must_show_the_error():
    table = Table("t", 60_000, analysed=False)

    assert list(stale_stats(subject(table, est_rows=10.0, act_rows=10_000.0, loops=1.0)))
    assert not list(stale_stats(subject(table, est_rows=9_000.0, act_rows=10_000.0, loops=1.0)))


@pytest.mark.parametrize(
    ("engine", "sql"),
    [
        ("postgresql", 'ANALYZE "t";'),
        ("mariadb", "ANALYZE TABLE `t`;"),
        ("oracle", "EXEC DBMS_STATS.GATHER_TABLE_STATS(USER, 't');"),
    ],
)
def test_each_engine_has_its_own_words(engine, sql):
    assert analyze_statement(engine, "t") == sql
