from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.plans import parse
from perf_panels.explain.query import Query, read
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.stale import stale_stats
from perf_panels.explain.rules.statistics import analyze_statement
from perf_panels.explain.schema import Index, Schema, Table


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


def on_sqlite(sql, *lines):
    indexes = [
        Index("INTEGER PRIMARY KEY", ("id",), unique=True, primary=True),
        Index("book_author", ("author_id",)),
        Index("book_isbn", ("isbn",), unique=True),
    ]
    columns = dict.fromkeys(("id", "author_id", "isbn", "price"), "text")
    book = Table("book", 20_000, columns, indexes, analysed=False)
    plan = parse("sqlite", [(place, 0, 0, line) for place, line in enumerate(lines, 1)], sql)
    return list(
        stale_stats(Subject(plan, read(sql, "sqlite"), Schema(tables={"book": book, "author": Table("author", 9)})))
    )


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT * FROM book WHERE id = ?", "SEARCH book USING INTEGER PRIMARY KEY (rowid=?)"),
        ("SELECT * FROM book WHERE isbn = ?", "SEARCH book USING INDEX book_isbn (isbn=?)"),
        ("SELECT * FROM book LIMIT 20", "SCAN book"),
        ("SELECT COUNT(*) FROM book", "SCAN book USING COVERING INDEX book_author"),
        ("SELECT * FROM book ORDER BY id LIMIT 1", "SCAN book"),
        ("INSERT INTO author (name) VALUES (?)", "SEARCH book USING INDEX book_author (author_id=?)"),
        ("DELETE FROM author WHERE id = ?", "SEARCH book USING COVERING INDEX book_author (author_id=?)"),
    ],
)
def test_sqlite_has_nothing_to_guess(sql, line):
    assert on_sqlite(sql, line) == []


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT * FROM book WHERE price > ?", "SCAN book"),
        ("SELECT * FROM book WHERE author_id = ?", "SEARCH book USING INDEX book_author (author_id=?)"),
        ("SELECT * FROM book WHERE id > ?", "SEARCH book USING INTEGER PRIMARY KEY (rowid>?)"),
        ("DELETE FROM book WHERE author_id = ?", "SEARCH book USING INDEX book_author (author_id=?)"),
    ],
)
def test_sqlite_guesses_how_many_rows_a_condition_finds(sql, line):
    (match,) = on_sqlite(sql, line)

    assert match.title == "{table}: no statistics for 20,000 rows"
