"""
Statements that differ in their values only have one fingerprint, and each has one line.
"""

from __future__ import annotations

import random
import time

import pytest

from perf_panels.explain.fingerprint import fingerprint, summary

DJANGO = (
    'SELECT "shop_order"."id", "shop_order"."customer_id", "shop_order"."status", "shop_order"."total" '
    'FROM "shop_order" INNER JOIN "shop_customer" ON ("shop_order"."customer_id" = "shop_customer"."id") '
    'WHERE ("shop_customer"."city" = %s AND "shop_order"."id" IN (%s, %s, %s)) LIMIT 21'
)


@pytest.mark.parametrize(
    ("sql", "vendor", "expected"),
    [
        ("SELECT 'a''b', E'a\\'b', $t$ it's $t$, $$x$$ FROM t", "postgresql", "SELECT ?, ?, ?, ? FROM t"),
        ('SELECT 5, -3.5e10, 0xFF, .5, t1.c2, "T3"."x2" FROM t', "postgresql",
         'SELECT ?, -?, ?, ?, t1.c2, "T3"."x2" FROM t'),
        ("SELECT TRUE, x::numeric(10,2), y::text", "postgresql", "SELECT TRUE, x::numeric(?,?), y::text"),
        ("SELECT 1 /* a /* nested */ b */ -- it's\n FROM t", "postgresql", "SELECT ? FROM t"),
        ("SELECT '-- no /* comment', \"it's -- a 'name'\"", "postgresql", "SELECT ?, \"it's -- a 'name'\""),
        ("SELECT x ? 'a', a ->> 'b', b @> $1", "postgresql", "SELECT x ? ?, a ->> ?, b @> ?"),
        ("SELECT 'a\\'b', \"x 'y'\", `a'b` # it's\n FROM t WHERE a = 5--3", "mysql",
         "SELECT ?, ?, `a'b` FROM t WHERE a = ?--?"),
        ("SELECT ?, ?1, :name, X'00', [a 'b'].c", "sqlite", "SELECT ?, ?, ?, ?, [a 'b'].c"),
        ("SELECT q'[it's]', :arg0 FROM \"T\"", "oracle", 'SELECT ?, ? FROM "T"'),
        ("SELECT 'ünï', \"ünï\", ünï2 FROM t", "postgresql", 'SELECT ?, "ünï", ünï2 FROM t'),
        ("SELECT 'open", "postgresql", "SELECT ?"),
        ("SELECT a\n\t FROM   t ", "sqlite", "SELECT a FROM t"),
        ("", "sqlite", ""),
    ],
)  # fmt: skip
def test_values(sql, vendor, expected):
    assert fingerprint(sql, vendor) == expected


@pytest.mark.parametrize(
    ("sql", "other", "vendor"),
    [
        ("SELECT a FROM t WHERE b IN (%s)", "SELECT a FROM t WHERE b IN (%s, %s, %s)", "postgresql"),
        ("SELECT a FROM t WHERE b IN ('x'::uuid)", "SELECT a FROM t WHERE b IN ('y'::uuid, NULL)", "postgresql"),
        ("select a from t where b in (1,2)", "select a from t where b in ( 3 )", "sqlite"),
        ("SELECT a FROM t WHERE (b, c) IN ((1, 2))", "SELECT a FROM t WHERE (b, c) IN ((1, 2), (3, 4))", "mysql"),
        ("SELECT a FROM t WHERE b = ANY(ARRAY[1])", "SELECT a FROM t WHERE b = ANY(ARRAY[1, 2])", "postgresql"),
        ("INSERT INTO t VALUES (%s, %s)", "INSERT INTO t VALUES (%s, NULL), (%s, DEFAULT)", "sqlite"),
        ("INSERT INTO t VALUES (f(%s), %s)", "INSERT INTO t VALUES (f(%s), %s), (f(%s), NULL)", "sqlite"),
        (
            'UPDATE t SET x = CASE WHEN ("id" = %s) THEN %s END WHERE id IN (%s)',
            'UPDATE t SET x = CASE WHEN ("id" = %s) THEN %s WHEN ("id" = %s) THEN %s END WHERE id IN (%s, %s)',
            "sqlite",
        ),
        ('SAVEPOINT "s140_x1"', 'SAVEPOINT "s141_x22"', "postgresql"),
        ("ROLLBACK TO SAVEPOINT `s140_x1`", "ROLLBACK TO SAVEPOINT `s141_x22`", "mysql"),
        ('DECLARE "_django_curs_1_sync_1" CURSOR FOR SELECT 1', 'DECLARE "_django_curs_2_sync_9" CURSOR FOR SELECT 1',
         "postgresql"),
        ("SELECT a FROM t WHERE b = 'it''s'", "SELECT a FROM t WHERE b = ''", "sqlite"),
        ("SELECT a FROM t WHERE b = 'it\\'s'", "SELECT a FROM t WHERE b = \"'\"", "mysql"),
        ("SELECT a FROM t WHERE b = E'\\\\'", "SELECT a FROM t WHERE b = 'x'", "postgresql"),
        ("SELECT a FROM t WHERE b = %s", "SELECT a FROM t WHERE b = 'x'", "postgresql"),
    ],
)  # fmt: skip
def test_statements_that_are_the_same(sql, other, vendor):
    assert fingerprint(sql, vendor) == fingerprint(other, vendor)


@pytest.mark.parametrize(
    ("sql", "other"),
    [
        ("SELECT a FROM t", "SELECT b FROM t"),
        ("SELECT a FROM t WHERE b IN (SELECT 1)", "SELECT a FROM t WHERE b IN (1)"),
        ("SELECT f(1, 2)", "SELECT f(1)"),
        ("SELECT a1 FROM t", "SELECT a2 FROM t"),
        ('SELECT "1a" FROM t', 'SELECT "2a" FROM t'),
        ("SELECT a IS TRUE", "SELECT a IS FALSE"),
    ],
)
def test_statements_that_differ(sql, other):
    assert fingerprint(sql, "postgresql") != fingerprint(other, "postgresql")


def test_a_statement_of_django():
    assert fingerprint(DJANGO, "postgresql") == DJANGO.replace("(%s, %s, %s)", "(…)").replace("%s", "?").replace(
        "21", "?"
    )


LONG = {
    "list": "SELECT a FROM t WHERE b IN (" + ", ".join(["%s"] * 250_000) + ")",
    "rows": "INSERT INTO t VALUES " + ", ".join(["('abc', 12345, NULL)"] * 45_000),
    "open lists": "IN (1, " * 140_000,
    "open rows": "VALUES (" * 120_000,
    "open parentheses": "(1," * 300_000,
    "open comments": "/*" * 500_000,
    "open dollars": "$a$" * 300_000,
    "backslashes": "'\\" * 500_000,
    "quotes": "E'" * 500_000,
    "names": '"a".' * 250_000,
    "whens": " WHEN (a b c" * 80_000,
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("vendor", ["postgresql", "mysql", "sqlite", "oracle"])
def test_a_megabyte_takes_a_moment(name, vendor):
    started = time.process_time()

    fingerprint(LONG[name], vendor)
    summary(LONG[name])

    assert time.process_time() - started < 3


def test_garbage_never_raises():
    chance = random.Random(5)
    characters = "aé1' \"`$%s:?.,()[]{}-/*#\\\n\x00eEqQxXIN"

    for _ in range(3_000):
        text = "".join(chance.choices(characters, k=chance.randint(0, 40)))
        for vendor in ("postgresql", "mysql", "sqlite", "oracle", "unknown"):
            assert isinstance(fingerprint(text, vendor), str)
        assert len(summary(text, 20)) <= 20


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('SELECT "a"."id", "a"."b" FROM "a" WHERE x = 1', 'SELECT … FROM "a" WHERE x = 1'),
        ('SELECT DISTINCT "a"\n  FROM "a"', 'SELECT DISTINCT … FROM "a"'),
        ('SELECT COUNT(*) AS "__count" FROM "a"', 'SELECT COUNT(*) AS "__count" FROM "a"'),
        ("SELECT EXTRACT(YEAR FROM x), (SELECT 1 FROM z), 'a FROM b' FROM t", "SELECT … FROM t"),
        ("(SELECT a FROM b) UNION (SELECT c FROM d)", "(SELECT … FROM b) UNION (SELECT c FROM d)"),
        ("SELECT 1 UNION SELECT a FROM b", "SELECT 1 UNION SELECT a FROM b"),
        ("/* why */ SELECT a FROM b -- because\n WHERE c = '-- no'", "SELECT … FROM b WHERE c = '-- no'"),
        ('DECLARE "_django_curs_1" NO SCROLL CURSOR WITH HOLD FOR SELECT a FROM b', "SELECT … FROM b"),
        ("UPDATE t SET a = 1", "UPDATE t SET a = 1"),
        ("SELECT 1", "SELECT 1"),
        ("", ""),
    ],
)
def test_summary(sql, expected):
    assert summary(sql) == expected


def test_a_summary_is_cut():
    assert summary("SELECT a FROM " + "b" * 300, limit=20) == "SELECT … FROM bbbbb…"
