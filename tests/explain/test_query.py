"""
Statements as Django sends them, read level by level.
"""

from __future__ import annotations

import logging
import random
import subprocess
import sys
import time

import pytest

from perf_panels.explain.conditions import PARAMETER
from perf_panels.explain.plan import ENGINES
from perf_panels.explain.query import Query, read


def test_a_select_with_joins():
    query = read(
        'SELECT DISTINCT c."id", COUNT(o."id") AS "n" FROM "shop_customer" c INNER JOIN "shop_order" o '
        'ON (o."customer_id" = c."id") LEFT OUTER JOIN "public"."city" ON (c."city_id" = "city"."id") '
        'WHERE (o."status" = %s AND UPPER(c."name"::text) LIKE UPPER(%s)) GROUP BY c."id", 1 '
        'ORDER BY c."name" DESC, "n" ASC LIMIT 21 OFFSET 40',
        "postgresql",
    )

    assert (query.readable, query.kind, query.distinct) == (True, "SELECT", True)
    assert query.tables == {"c": "shop_customer", "o": "shop_order", "city": "city"}
    assert [(each.operator, each.column, each.wrapped) for each in query.where] == [
        ("eq", "status", None),
        ("like", "name", "upper"),
    ]
    assert [(each.operator, each.table, each.other_table) for each in query.joins] == [
        ("join", "o", "c"),
        ("join", "c", "city"),
    ]
    assert (query.group_by, query.order_by) == ((("c", "id"), ("c", "id")), (("c", "name", True),))
    assert (query.limit, query.offset, query.aggregates, query.select_columns) == (21, 40, ("count",), 2)


@pytest.mark.parametrize(
    ("placeholder", "engine"),
    [("%s", engine) for engine in ENGINES]
    + [("?", "sqlite"), ("?1", "sqlite"), ("$1", "postgresql"), (":a", "oracle")],
)
def test_placeholders_are_parameters(placeholder, engine):
    (found,) = read(f"SELECT a FROM t WHERE b = {placeholder}", engine).where

    assert (found.operator, found.column, found.value) == ("eq", "b", PARAMETER)


def test_percent_signs_are_doubled_only_with_parameters():
    bound = read("SELECT a %% 2 FROM t WHERE b LIKE '%%x%%' AND c = %s", "postgresql").where[0]
    plain = read("SELECT a % 2 FROM t WHERE b LIKE '%%x'", "postgresql").where[0]

    assert (bound.value, plain.value) == ("%x%", "%%x")


def test_a_server_side_cursor_is_its_query():
    query = read(
        'DECLARE "_django_curs_140_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT "a"."id" FROM "a" ORDER BY "a"."id"',
        "postgresql",
    )

    assert (query.kind, query.order_by) == ("SELECT", (("a", "id", False),))


def test_subqueries_are_levels():
    query = read(
        'WITH w AS (SELECT "id" FROM "cte_table") SELECT a."id", (SELECT MAX(U0."x") FROM "scalar" U0 '
        'WHERE U0."a_id" = (a."id") LIMIT 1) AS "m" FROM "outer" a JOIN (SELECT "y" FROM "inner") d ON d."y" = a."y" '
        'INNER JOIN w ON w."id" = a."id" WHERE EXISTS(SELECT 1 AS "a" FROM "exists_table" V0 WHERE V0."q" = %s) '
        'AND a."z" IN (SELECT "z" FROM "in_table")',
        "postgresql",
    )

    assert query.tables == {"a": "outer"}
    assert {(name, level.name) for level in query.subqueries for name in level.tables.values()} == {
        ("cte_table", "w"), ("scalar", None), ("inner", "d"), ("exists_table", None), ("in_table", None),
    }  # fmt: skip
    scalar = next(level for level in query.levels() if "U0" in level.tables)
    assert (scalar.limit, scalar.aggregates) == (1, ("max",))
    assert (scalar.where[0].operator, scalar.where[0].other_table) == ("join", "a")
    assert [(each.operator, each.column) for each in query.where] == [("subplan", None), ("subplan", "z")]


@pytest.mark.parametrize(
    ("sql", "union", "branches"),
    [
        ("SELECT 1 UNION SELECT 2", "distinct", 2),
        ("/* why */ (SELECT a FROM t) UNION ALL (SELECT a FROM u) UNION ALL (SELECT 3) ORDER BY 1 LIMIT 3", "all", 3),
        ("SELECT 1 UNION ALL SELECT 2 UNION SELECT 3", "distinct", 3),
        ("SELECT 1 INTERSECT SELECT 2", None, 2),
    ],
)
def test_unions(sql, union, branches):
    query = read(sql, "postgresql")

    assert (query.kind, query.union, len(query.subqueries)) == ("SELECT", union, branches)


@pytest.mark.parametrize(
    ("sql", "engine", "kind", "tables", "where"),
    [
        ('UPDATE "a" SET "x" = "a"."x" + 1 WHERE "a"."id" = %s', "sqlite", "UPDATE", {"a": "a"}, ["eq"]),
        ('DELETE FROM "a" WHERE "a"."id" IN (%s, %s)', "postgresql", "DELETE", {"a": "a"}, ["in"]),
        ("DELETE T1 FROM a T1 JOIN b T2 ON T1.id = T2.a WHERE T2.x = 5", "mysql", "DELETE",
         {"T1": "a", "T2": "b"}, ["eq"]),
        ('DELETE FROM "a" USING b WHERE a.id = b.id', "postgresql", "DELETE", {"a": "a", "b": "b"}, ["join"]),
        ("INSERT INTO `a` (`x`) VALUES (%s), (%s)", "mysql", "INSERT", {"a": "a"}, []),
        ('INSERT INTO "a" ("x") SELECT "y" FROM "b" WHERE "y" > 5', "sqlite", "INSERT", {"a": "a"}, []),
        ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET x = 1", "postgresql", "MERGE",
         {"t": "t", "s": "s"}, []),
        ("VALUES (1, 2)", "sqlite", "VALUES", {}, []),
    ],
)  # fmt: skip
def test_other_statements(sql, engine, kind, tables, where):
    query = read(sql, engine)

    assert (query.readable, query.kind, query.tables) == (True, kind, tables)
    assert [each.operator for each in query.where] == where


@pytest.mark.parametrize(
    ("sql", "engine"),
    [
        ("SELECT a FROM t ORDER BY RANDOM() LIMIT 1", "postgresql"),
        ("SELECT a FROM t ORDER BY RAND() ASC LIMIT 1", "mysql"),
        ("SELECT a FROM t ORDER BY RAND() ASC LIMIT 1", "sqlite"),
        ("SELECT a FROM t ORDER BY DBMS_RANDOM.VALUE FETCH FIRST 1 ROWS ONLY", "oracle"),
    ],
)  # fmt: skip
def test_random_order(sql, engine):
    query = read(sql, engine)

    assert (query.random_order, query.order_by, query.limit) == (True, (), 1)


@pytest.mark.parametrize(
    ("sql", "engine", "limit", "offset"),
    [
        ("SELECT a FROM t LIMIT 5, 10", "mysql", 10, 5),
        ("SELECT a FROM t LIMIT 18446744073709551615 OFFSET 5", "mysql", None, 5),
        ("SELECT a FROM t LIMIT -1 OFFSET 5", "sqlite", None, 5),
        ("SELECT a FROM t OFFSET 5 ROWS FETCH FIRST 21 ROWS ONLY", "oracle", 21, 5),
        ("SELECT a FROM t LIMIT %s", "postgresql", None, None),
    ],
)
def test_limits(sql, engine, limit, offset):
    query = read(sql, engine)

    assert (query.readable, query.limit, query.offset) == (True, limit, offset)


@pytest.mark.parametrize("lock", ["FOR UPDATE", "FOR NO KEY UPDATE SKIP LOCKED", "FOR SHARE"])
def test_locks_and_windows(lock):
    locked = read(f'SELECT "a"."id" FROM "a" LIMIT 1 {lock}', "postgresql")
    window = read("SELECT ROW_NUMBER() OVER (PARTITION BY b ORDER BY c) AS r, * FROM a", "postgresql")

    assert (locked.for_update, locked.has_window) == (True, False)
    assert (window.for_update, window.has_window, window.aggregates, window.select_columns) == (False, True, (), 0)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ('SAVEPOINT "s1"', "SAVEPOINT"),
        ("SET x = 1", "SET"),
        ("-- why\n /* what */ ((SELECT a FROM", "SELECT"),
        ("SELECT 1; DELETE FROM t", "SELECT"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("", ""),
        ("'", ""),
    ],
)
def test_what_cannot_be_read_has_its_first_word(sql, kind):
    assert read(sql, "postgresql") == Query(sql, "postgresql", kind=kind)


def test_the_same_text_is_read_once():
    assert read("SELECT 42", "sqlite") is read("SELECT 42", "sqlite")


LISTS = {
    "placeholders": 'SELECT a FROM "t" WHERE a IN (' + ", ".join(["%s"] * 10_000) + ") AND b = %s",
    "numbers": "SELECT a FROM t WHERE a IN (" + ", ".join(map(str, range(10_000))) + ") AND b = 5",
    "strings": "SELECT a FROM t WHERE a IN (" + ", ".join(["'it''s'::uuid"] * 5_000) + ") AND b = 5",
    "pairs": "SELECT a FROM t WHERE (a, c) IN (" + ", ".join(["(%s, %s)"] * 8_000) + ") AND b = 5",
    "ors": "SELECT a FROM t WHERE (" + " OR ".join(["(a = %s AND c = %s)"] * 3_000) + ") AND b = 5",
    "literal": "SELECT a FROM t WHERE a = '" + "x" * 100_000 + "' AND b = 5",
    "cases": "UPDATE t SET a = CASE "
    + " ".join(["WHEN (t.id = %s) THEN %s"] * 2_000)
    + " END WHERE a IN (1) AND b = 5",
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("engine", ["postgresql", "mysql", "sqlite"])
def test_long_lists_are_cut_before_they_are_read(name, engine):
    read("SELECT 1", engine)
    sql = LISTS[name].replace('"', "`") if engine == "mysql" else LISTS[name]
    started = time.process_time()

    query = read(sql, engine)

    # 30 ms on a quiet machine.
    assert time.process_time() - started < 0.5
    assert (query.readable, query.where[-1].column) == (True, "b")


def test_rows_of_an_insert_are_cut():
    rows = ", ".join(["('it''s', ST_Point(1, 2), NULL)"] * 4_000)

    assert read(f"INSERT INTO t (a, b, c) VALUES {rows} RETURNING id", "postgresql").tables == {"t": "t"}


@pytest.mark.parametrize("tail", ["", ")", "'", ", ('a''b'"])
def test_a_list_without_an_end_takes_no_time(tail):
    sql = "INSERT INTO t VALUES " + ", ".join(["('a''b''c', (1), 2"] * 2_000) + tail
    started = time.process_time()

    read(sql, "sqlite")
    read(sql, "mysql")

    assert time.process_time() - started < 3


WORDS = """SELECT FROM WHERE AND OR NOT ( ) [ ] , . ; ' \" ` -- /* */ $ $$ $1 %s %% ? :a :: a b 1 2.5 = <> < > ~~ @>
-> IN ANY CASE WHEN THEN END BETWEEN LIKE ESCAPE \\ SubPlan (SubPlan <cache>( <in_optimizer>( IS NULL EXISTS UNION
GROUP BY ORDER LIMIT OFFSET JOIN ON WITH AS VALUES INSERT INTO UPDATE SET DELETE CREATE é"""


@pytest.mark.parametrize("engine", ENGINES)
def test_garbage_never_raises(engine, caplog):
    words = [*WORDS.split(), "\x00", "\n"]
    chance = random.Random(engine)

    with caplog.at_level(logging.DEBUG):
        for _ in range(300):
            text = " ".join(chance.choices(words, k=chance.randint(1, 25)))
            assert isinstance(read("SELECT a FROM b WHERE " + text, engine), Query), text
            assert isinstance(read(text, engine), Query), text

    assert not caplog.records


def test_importing_costs_no_sqlglot():
    code = (
        "import sys, perf_panels.explain.query, perf_panels.explain.conditions, perf_panels.explain.schema, "
        "perf_panels.explain.fingerprint; sys.exit('sqlglot' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
