from __future__ import annotations

import pytest

from perf_panels.explain.databases.tokens import tokens
from perf_panels.explain.databases.verbs import writes_into


def into(sql, engine):
    found = tokens(sql, engine, placeholders=False)
    return [writes_into(found, place) for place, token in enumerate(found) if token.upper == "INTO"]


@pytest.mark.parametrize(
    ("engine", "sql"),
    [
        ("postgresql", "INSERT INTO t VALUES (1)"),
        ("postgresql", "MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE"),
        ("postgresql", "WITH a AS (SELECT (1)) INSERT INTO t SELECT 1 FROM a"),
        ("postgresql", "WITH a AS MATERIALIZED (SELECT 1), insert AS (SELECT 2) INSERT INTO t SELECT 1 FROM a"),
        ("postgresql", "WITH a AS (INSERT INTO t VALUES (1) RETURNING b) SELECT b FROM a"),
        ("postgresql", "WITH a AS (WITH b AS (SELECT 1) INSERT INTO t SELECT 1 FROM b RETURNING c) SELECT c FROM a"),
        ("mysql", "INSERT LOW_PRIORITY IGNORE INTO t VALUES (1)"),
        ("mariadb", "REPLACE DELAYED INTO t VALUES (1)"),
        ("sqlite", "REPLACE INTO t VALUES (1)"),
        *(("sqlite", f"INSERT OR {word} INTO t VALUES (1)") for word in ("ABORT", "FAIL", "IGNORE", "REPLACE")),
        ("sqlite", "WITH a AS (SELECT 1) INSERT OR ROLLBACK INTO t SELECT 1 FROM a"),
    ],
)
def test_an_into_that_writes_rows(engine, sql):
    assert into(sql, engine) == [True]


@pytest.mark.parametrize(
    ("engine", "sql"),
    [
        ("mariadb", "SELECT 1 AS fail INTO OUTFILE '/tmp/x'"),
        ("mysql", "SELECT a ignore INTO @x FROM t"),
        ("mysql", "SELECT (a) ignore INTO @x FROM t"),
        ("mysql", "SELECT replace, ignore INTO @x, @y FROM t"),
        ("postgresql", "SELECT 1 AS replace INTO newtab"),
        ("postgresql", "SELECT (1) insert INTO newtab"),
        ("postgresql", "SELECT (1) merge INTO newtab"),
        ("postgresql", "WITH a AS (SELECT 1) SELECT (1) insert INTO newtab FROM a"),
        ("postgresql", "SELECT a OR fail INTO newtab FROM t"),
        ("postgresql", 'SELECT 1 AS "insert" INTO newtab'),
    ],
)
def test_an_into_behind_a_column_named_like_a_word_of_insert(engine, sql):
    assert into(sql, engine) == [False]
