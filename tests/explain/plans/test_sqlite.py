from __future__ import annotations

import json
import sqlite3

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.plans import parse


def plan_of(drawing, sql=""):
    """
    Return the plan of lines that are indented as SQLite's shell does.
    """
    rows, above = [], {-1: 0}
    for number, line in enumerate(drawing.strip("\n").splitlines(), 1):
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth] = number
        rows.append((number, above[depth - 1], 0, line.strip()))
    return parse("sqlite", rows, sql)


def shape(node):
    return [node.kind.value, *map(shape, node.children)] if node.children else node.kind.value


def test_a_scan_and_a_search_are_a_nested_loop():
    plan = plan_of(
        "SCAN o\nSEARCH c USING INDEX c_city (city=? AND born>?)",
        "SELECT 1 FROM shop_order o JOIN shop_customer c ON 1=1",
    )

    join = plan.root
    outer, inner = join.children
    assert (join.kind, outer.relationship, inner.relationship) == (Kind.NESTED_LOOP, "outer", "inner")
    assert (outer.kind, outer.relation, outer.alias) == (Kind.SCAN, "shop_order", "o")
    assert (inner.kind, inner.relation, inner.index) == (Kind.INDEX_SCAN, "shop_customer", "c_city")
    assert (inner.index_cond, inner.index_columns) == ("city=? AND born>?", ("city", "born"))
    assert not plan.analyzed


@pytest.mark.parametrize(
    ("line", "kind", "index", "condition"),
    [
        ("SCAN t", Kind.SCAN, None, None),
        ("SCAN TABLE t", Kind.SCAN, None, None),
        ("SCAN TABLE long AS t", Kind.SCAN, None, None),
        ("SCAN TABLE long AS t USING INDEX i", Kind.INDEX_SCAN, "i", None),
        ("SEARCH TABLE t USING COVERING INDEX i (a=?)", Kind.INDEX_ONLY_SCAN, "i", "a=?"),
        ("SEARCH TABLE t USING INTEGER PRIMARY KEY (rowid=?)", Kind.INDEX_SCAN, "INTEGER PRIMARY KEY", "rowid=?"),
        ("SEARCH t USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)", Kind.INDEX_SCAN, "INTEGER PRIMARY KEY", None),
        ("SCAN t USING COVERING INDEX i", Kind.INDEX_ONLY_SCAN, "i", None),
        ("SEARCH t USING INDEX i (ANY(a) AND b=?)", Kind.INDEX_SCAN, "i", "ANY(a) AND b=?"),
        ("SEARCH t USING INDEX i (<expr>=?)", Kind.INDEX_SCAN, "i", "<expr>=?"),
        ("SEARCH t USING AUTOMATIC COVERING INDEX (a=?)", Kind.INDEX_ONLY_SCAN, None, "a=?"),
        ("SEARCH t USING AUTOMATIC PARTIAL COVERING INDEX (a=?)", Kind.INDEX_ONLY_SCAN, None, "a=?"),
        ("SCAN t VIRTUAL TABLE INDEX 0:M1", Kind.TABLE_FUNCTION, "0:M1", None),
        ("SCAN t VIRTUAL TABLE INDEX 1:", Kind.TABLE_FUNCTION, "1:", None),
        ("SEARCH t USING INDEX i (a=?) LEFT-JOIN", Kind.INDEX_SCAN, "i", "a=?"),
        ("SEARCH t EXISTS USING INDEX i (a=?)", Kind.INDEX_SCAN, "i", "a=?"),
    ],
)
def test_every_spelling_of_a_read_is_known(line, kind, index, condition):
    plan = plan_of(line)

    node = plan.root
    assert plan.notes == []
    assert (node.kind, node.index, node.alias, node.derived) == (kind, index, "t", False)
    assert condition is None or node.index_cond == condition
    assert node.automatic_index == ("AUTOMATIC" in line)


def test_the_kind_of_a_join_is_that_of_its_inner_side():
    assert plan_of("SCAN a\nSCAN b LEFT-JOIN").root.join_type == "left"
    assert plan_of("SCAN a\nSEARCH b EXISTS USING INDEX i (x=?)").root.join_type == "semi"
    assert plan_of("SCAN a\nSCAN b").root.join_type == "inner"


def test_names_of_the_plan_are_aliases_in_any_case():
    plan = plan_of("SCAN O", "SELECT 1 FROM shop_order AS o")

    assert (plan.root.relation, plan.root.alias) == ("shop_order", "O")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 FROM (SELECT 1 FROM shop_order) AS x",
        "WITH x AS (SELECT 1 FROM shop_order) SELECT 1 FROM x",
        "WITH t AS (SELECT 1 FROM shop_order) SELECT 1 FROM t AS x",
    ],
)
def test_a_name_of_what_is_no_table_is_derived(sql):
    plan = plan_of("SCAN x", sql)

    assert (plan.root.derived, plan.root.relation) == (True, None)


def test_a_table_behind_a_view_is_a_table():
    plan = plan_of("SCAN shop_order", "SELECT 1 FROM paid_orders")

    assert (plan.root.derived, plan.root.relation) == (False, "shop_order")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("USE TEMP B-TREE FOR ORDER BY", Kind.SORT),
        ("USE TEMP B-TREE FOR RIGHT PART OF ORDER BY", Kind.INCREMENTAL_SORT),
        ("USE TEMP B-TREE FOR LAST TERM OF ORDER BY", Kind.INCREMENTAL_SORT),
        ("USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY", Kind.INCREMENTAL_SORT),
        ("USE TEMP B-TREE FOR GROUP BY", Kind.AGGREGATE),
        ("USE TEMP B-TREE FOR DISTINCT", Kind.DISTINCT),
        ("USE TEMP B-TREE FOR count(DISTINCT)", Kind.AGGREGATE),
    ],
)
def test_what_is_stored_to_be_ordered_stands_above(line, kind):
    plan = plan_of(f"SCAN a\nSCAN b\n{line}")

    assert (plan.root.kind, plan.root.strategy) == (kind, "temporary table")
    assert shape(plan.root) == [kind.value, ["nested loop", "scan", "scan"]]


def test_a_subquery_hangs_on_the_level():
    plan = plan_of("SCAN a\nCORRELATED SCALAR SUBQUERY 1\n  SEARCH b USING INDEX i (x=?)\nLIST SUBQUERY 2\n  SCAN c")

    assert shape(plan.root) == ["scan", ["subquery", "index scan"], ["subquery", "scan"]]
    assert [node.dependent for node in plan.root.children] == [True, False]
    assert plan.root.children[0].name == "CORRELATED SCALAR SUBQUERY 1"


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("MATERIALIZE totals", "SCAN totals"),
        ("CO-ROUTINE totals", "SCAN totals"),
        ("CO-ROUTINE (subquery-2)", "SCAN (subquery-2)"),
        ("MATERIALIZE (join-3)", "SEARCH (join-3) USING AUTOMATIC COVERING INDEX (x=?)"),
    ],
)
def test_a_derived_table_hangs_under_its_reader(stored, read):
    plan = plan_of(f"{stored}\n  SCAN a\n{read}", "WITH totals AS (SELECT 1 FROM a) SELECT 1 FROM totals")

    assert (plan.root.derived, plan.root.relation) == (True, None)
    (store,) = plan.root.children
    assert (store.kind, [child.relation for child in store.children]) == (Kind.MATERIALIZE, ["a"])
    assert plan.notes == []


def test_a_derived_table_of_version_3_35_is_derived():
    plan = plan_of("MATERIALIZE 2\n  SCAN TABLE a\nSCAN SUBQUERY 2 AS x", "SELECT 1 FROM (SELECT 1 FROM a) x")

    assert (plan.root.derived, plan.root.alias, plan.notes) == (True, "x", [])


def test_an_index_that_stands_for_the_list_of_in_is_known():
    plan = plan_of("SCAN a\nUSING INDEX i FOR IN-OPERATOR", "SELECT 1 FROM a WHERE x NOT IN (SELECT y FROM b)")

    assert (plan.root.kind, plan.notes) == (Kind.SCAN, [])


def test_several_indexes_are_one_scan():
    plan = plan_of(
        "MULTI-INDEX OR\n  INDEX 1\n    SEARCH o USING INDEX i (a=?)\n  INDEX 2\n    SEARCH o USING INDEX j (b=?)",
        "SELECT 1 FROM shop_order o",
    )

    assert shape(plan.root) == ["bitmap scan", "bitmap index scan", "bitmap index scan"]
    assert (plan.root.relation, plan.root.alias, plan.root.index_cond) == ("shop_order", "o", "a=? OR b=?")


@pytest.mark.parametrize(
    ("drawing", "kind", "strategy"),
    [
        ("COMPOUND QUERY\n  LEFT-MOST SUBQUERY\n    SCAN a\n  UNION ALL\n    SCAN b", Kind.APPEND, None),
        (
            "COMPOUND QUERY\n  LEFT-MOST SUBQUERY\n    SCAN a\n  UNION USING TEMP B-TREE\n    SCAN b",
            Kind.SET_OPERATION,
            "dedup",
        ),
        (
            "COMPOUND QUERY\n  LEFT-MOST SUBQUERY\n    SCAN a\n  EXCEPT USING TEMP B-TREE\n    SCAN b",
            Kind.SET_OPERATION,
            "except",
        ),
        ("MERGE (UNION)\n  LEFT\n    SCAN a\n  RIGHT\n    SCAN b", Kind.SET_OPERATION, "dedup"),
        ("MERGE (UNION ALL)\n  LEFT\n    SCAN a\n  RIGHT\n    SCAN b", Kind.APPEND, None),
        ("MERGE (INTERSECT)\n  LEFT\n    SCAN a\n  RIGHT\n    SCAN b", Kind.SET_OPERATION, "intersect"),
    ],
)
def test_a_compound_has_its_members(drawing, kind, strategy):
    plan = plan_of(drawing)

    assert (plan.root.kind, plan.root.strategy) == (kind, strategy)
    assert [(node.relation, node.relationship) for node in plan.root.children] == [("a", "member"), ("b", "member")]
    assert plan.notes == []


def test_a_bloom_filter_is_no_step():
    plan = plan_of("SCAN a\nBLOOM FILTER ON b (x=?)\nSEARCH b USING AUTOMATIC COVERING INDEX (x=?)")

    assert (shape(plan.root), plan.notes) == (["nested loop", "scan", "index only scan"], [])


@pytest.mark.parametrize("line", ["SCAN CONSTANT ROW", "SCAN 2 CONSTANT ROWS"])
def test_rows_of_the_statement_are_no_table(line):
    plan = plan_of(line)

    assert (plan.root.kind, plan.root.relation, plan.notes) == (Kind.TABLE_FUNCTION, None, [])


@pytest.mark.parametrize("left", ["", " LEFT-JOIN"])
def test_the_second_pass_of_a_right_join_is_known(left):
    plan = plan_of(f"SCAN a\nSCAN b{left}\nRIGHT-JOIN b\n  SCAN b")

    assert plan.notes == []
    assert [node.relation for node in plan.nodes() if node.relation] == ["a", "b", "b"]


def test_a_line_of_a_later_version_is_shown_and_noted():
    plan = plan_of("SCAN a\nTELEPORT b")

    assert plan.notes == ["A line this version does not know: TELEPORT b"]
    assert [node.kind for node in plan.root.children] == [Kind.SCAN, Kind.OTHER]


def test_the_text_is_the_lines_indented():
    assert plan_of("MATERIALIZE x\n  SCAN a\nSCAN x").text == "MATERIALIZE x\n  SCAN a\nSCAN x"


def test_a_statement_without_lines_reads_nothing():
    plan = parse("sqlite", [])

    assert (plan.root.kind, plan.problem) == (Kind.RESULT, None)


def test_rows_are_read_from_json():
    rows = [{"id": 2, "parent": 0, "notused": 0, "detail": "SCAN a"}]

    assert parse("sqlite", json.dumps(rows)).root.relation == "a"
    plan = parse("sqlite", json.dumps({"sqlite_version": "3.51.0", "rows": rows}))
    assert (plan.root.relation, plan.version) == ("a", "3.51.0")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM json_each('[1]')",
        "SELECT * FROM f WHERE f MATCH 'a'",
        "SELECT * FROM a LEFT JOIN b ON a.x = b.y",
        "SELECT * FROM b WHERE x = 1 OR id = 3",
        "WITH c AS MATERIALIZED (SELECT * FROM a) SELECT * FROM c, c d",
        "SELECT x FROM a UNION SELECT y FROM b ORDER BY 1",
        "SELECT x FROM a UNION ALL SELECT y FROM b",
        "SELECT * FROM (VALUES (1), (2)) v",
        "SELECT count(DISTINCT x), y FROM a GROUP BY y ORDER BY 1",
        "SELECT * FROM a WHERE id IN (SELECT x FROM b) AND EXISTS (SELECT 1 FROM b WHERE b.x = a.x)",
        "SELECT *, (SELECT max(y) FROM b WHERE b.x = a.x) FROM a",
        "SELECT row_number() OVER (ORDER BY x) FROM a",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
        "SELECT min(x), max(x) FROM b",
        "SELECT * FROM a WHERE x NOT IN (SELECT y FROM b)",
        "SELECT * FROM a JOIN (SELECT x, count(*) n FROM b GROUP BY x) c ON c.x = a.x",
        "DELETE FROM a WHERE x IN (1, 2)",
        "UPDATE b SET y = 1 WHERE x = 3",
        "INSERT INTO a (x) SELECT y FROM b",
    ],
)
def test_this_sqlites_own_answer_has_no_unknown_line(sql):
    connection = sqlite3.connect(":memory:")
    connection.executescript(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x, y); CREATE TABLE b (id INTEGER PRIMARY KEY, x, y);"
        "CREATE INDEX bx ON b (x); CREATE VIRTUAL TABLE f USING fts5(t);"
    )
    rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    connection.close()

    plan = parse("sqlite", rows, sql)

    assert plan.notes == []
    assert not any(node.relation not in {"a", "b", "f", "json_each", None} for node in plan.nodes())
