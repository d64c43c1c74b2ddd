from __future__ import annotations

import pytest
from django.db import connections

from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.databases.mysql import MySQL
from tests.explain.databases.fakes import FakeServer

PLAN = '{"query_block": {"select_id": 1, "message": "No tables used"}}'
PLAN_2 = (
    '{"query_plan": {"operation": "Rows fetched before execution", "access_type": "rows_fetched_before_execution"}}'
)


def server(version=(9, 7, 0), sql_mode=frozenset(), **answers):
    found = {"EXPLAIN": [(PLAN_2 if version >= (8, 3) else PLAN,)], "SELECT VERSION()": [("9.7.0",)], **answers}
    return FakeServer(found, mysql_version=version, mysql_is_mariadb=False, sql_mode=set(sql_mode))


def test_a_plan_is_made_in_a_limited_read_only_transaction_that_is_rolled_back():
    fake = server()

    MySQL("default", fake.connect).explain("SELECT 1", None, Options(timeout_ms=1500, lock_timeout_ms=300))

    assert fake.statements == [
        "SET SESSION max_execution_time = 1500",
        "SET SESSION lock_wait_timeout = 1",
        "SET SESSION innodb_lock_wait_timeout = 1",
        "SET SESSION explain_json_format_version = 2",
        "START TRANSACTION READ ONLY",
        "EXPLAIN FORMAT=JSON SELECT 1",
        "SHOW WARNINGS",
        "SELECT VERSION()",
        "ROLLBACK",
        "close cursor",
        "close",
    ]


def test_parameters_go_with_the_statement_as_django_sent_them():
    fake = server()

    MySQL("default", fake.connect).explain("SELECT %s", ["a"], Options())

    assert ("EXPLAIN FORMAT=JSON SELECT %s", ["a"]) in fake.sent


def test_a_write_is_explained_outside_a_read_only_transaction_and_rolled_back():
    fake = server()

    MySQL("default", fake.connect).explain("DELETE FROM t", None, Options())

    assert "START TRANSACTION READ WRITE" in fake.statements
    assert fake.statements[-3] == "ROLLBACK"


def test_a_view_in_a_write_is_refused():
    fake = server(**{"SELECT table_name, table_type": [("v", "VIEW", None)]})

    with pytest.raises(NotPossible, match="view v"):
        MySQL("default", fake.connect).explain("DELETE FROM t WHERE a IN (SELECT a FROM v)", None, Options())

    assert not any(sql.startswith("EXPLAIN") for sql in fake.statements)


@pytest.mark.parametrize("sql", ["DELETE FROM t", "UPDATE t, u SET a = 1", "INSERT INTO t SELECT * FROM u"])
def test_a_write_is_never_analysed(sql):
    fake = server()

    with pytest.raises(NotPossible, match="MySQL cannot stop"):
        MySQL("default", fake.connect).analyze(sql, None, Options(confirmed=True))

    assert fake.sent == []


def test_analyze_gives_json_from_version_8_3():
    fake = server((8, 4, 2))

    MySQL("default", fake.connect).analyze("SELECT 1", None, Options())

    assert "EXPLAIN ANALYZE FORMAT=JSON SELECT 1" in fake.statements


def test_analyze_gives_text_without_rules_before_that():
    fake = server((8, 0, 40), EXPLAIN=[("-> Rows fetched before execution",)])

    plan = MySQL("default", fake.connect).analyze("SELECT 1", None, Options())

    assert (plan.root, plan.text) == (None, "-> Rows fetched before execution")
    assert "MySQL 8.3" in plan.problem
    assert "SET SESSION explain_json_format_version = 2" not in fake.statements


def test_a_plan_that_was_cut_off_says_so():
    fake = server(**{"SHOW WARNINGS": [("Error", 1317, "Query execution was interrupted")]})

    plan = MySQL("default", fake.connect).analyze("SELECT 1", None, Options())

    assert plan.problem_rule == "partial-plan"
    assert "stopped after 5 s" in plan.problem


def test_warnings_of_the_planner_are_noted():
    fake = server(**{"SHOW WARNINGS": [("Note", 1003, "select 1"), ("Warning", 1739, "Cannot use ref access")]})

    plan = MySQL("default", fake.connect).explain("SELECT 1", None, Options())

    assert "The server warns (1739): Cannot use ref access" in plan.notes


@pytest.mark.parametrize("mode", ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"])
def test_a_mode_that_reads_quotes_otherwise_is_refused_where_it_matters(mode):
    fake = server(sql_mode={mode})
    database = MySQL("default", fake.connect)

    database.explain("SELECT 'a'", None, Options())
    with pytest.raises(NotPossible, match=mode):
        database.explain('SELECT "a"', None, Options())


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (1205, "Another session holds a lock on t; waited 1 s: m."),
        (3024, "No plan within 5 s: m."),
        (1142, "The database user lacks a privilege: m."),
        (2003, "The database cannot be reached or used: m."),
        (1064, "The database refuses: m."),
    ],
)
def test_what_the_server_refuses_is_a_sentence(code, sentence):
    error = connections["default"].Database.OperationalError(code, "m")
    fake = server(EXPLAIN=error)

    with pytest.raises(NotPossible) as raised:
        MySQL("default", fake.connect).explain("SELECT * FROM t", None, Options())

    assert str(raised.value) == sentence
    assert "ROLLBACK" in fake.statements


def test_a_server_that_runs_on_is_stopped_from_another_connection():
    error = connections["default"].Database.OperationalError(2013, "Lost connection (timed out)")
    fake = server(EXPLAIN=error)

    with pytest.raises(NotPossible, match="No plan within"):
        MySQL("default", fake.connect).explain("SELECT 1", None, Options())

    assert len(fake.opened) == 2
    assert "KILL 7" in fake.statements


def test_several_statements_are_switched_off_where_the_driver_has_them_on():
    fake, options = server(), []
    fake.raw.set_server_option = options.append

    MySQL("default", fake.connect).explain("SELECT 1", None, Options())

    assert options == [1]


def test_an_index_cannot_be_tried():
    database = MySQL("default", server().connect)

    assert database.may_try("t").verdict == "no"
    with pytest.raises(NotPossible, match="cannot be tried here"):
        database.try_index("SELECT 1", None, "CREATE INDEX a ON t (b)", Options(confirmed=True))


def test_the_schema_has_indexes_on_expressions():
    fake = server(
        **{
            "SELECT table_name, table_rows": [("t", 50_000, 100, "InnoDB")],
            "SELECT table_name, column_name": [("t", "a", "int")],
            "SELECT table_name, index_name": [
                ("t", "PRIMARY", "a", 0, "BTREE", None),
                ("t", "i", None, 1, "BTREE", "lower(`b`)"),
            ],
        }
    )

    table = MySQL("default", fake.connect).schema(["t"]).tables["t"]

    assert (table.rows, table.columns, table.engine) == (50_000, {"a": "int"}, "InnoDB")
    assert [(index.name, index.columns, index.expressions) for index in table.indexes] == [
        ("PRIMARY", ("a",), {}),
        ("i", ("",), {0: "lower(`b`)"}),
    ]
