from __future__ import annotations

import pytest
from django.db import connections

from perf_panels.explain import schema
from perf_panels.explain.databases import database_for, sqlite_schema
from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.plan import Kind
from tests.explain.databases.conftest import another_alias


@pytest.fixture(params=["on_sqlite", "in_memory"])
def alias(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def database(alias):
    return database_for(alias)


def test_a_plan_is_estimated(database):
    plan = database.explain("SELECT * FROM hostile WHERE amount = %s", [3], Options())

    assert [node.relation for node in plan.nodes() if node.kind is Kind.SCAN] == ["hostile"]
    assert not plan.analyzed
    assert plan.execution_ms is None
    assert plan.version == database.version()


def test_a_select_is_run_and_timed_but_not_measured(database):
    plan = database.analyze(
        "SELECT name FROM hostile WHERE amount = %(amount)s ORDER BY amount", {"amount": 3}, Options()
    )

    assert not plan.analyzed
    assert plan.execution_ms > 0
    assert "Run once: 300 rows in" in plan.notes[-1]


def test_functions_of_django_are_there(database):
    sql = "SELECT django_date_trunc('year', %s, NULL, NULL), REGEXP('a', 'b'), SQRT(4)"

    assert "1 rows" in database.analyze(sql, ["2026-01-01"], Options(confirmed=True)).notes[-1]


def test_limits_are_gone_afterwards(database, alias):
    with pytest.raises(NotPossible, match=r"No plan within 0\.05 s: interrupted"):
        database.analyze("SELECT COUNT(*) FROM hostile a, hostile b, hostile c", None, Options(timeout_ms=50))

    with connections[alias].cursor() as cursor:
        cursor.execute("UPDATE hostile_log SET note = note")
        cursor.execute("SELECT COUNT(*) FROM hostile a, hostile b WHERE a.amount < b.amount")
        assert cursor.fetchone()[0] > 0


def test_a_write_that_hides_in_a_function_is_stopped(alias):
    connection = connections[alias]
    connection.ensure_connection()

    with pytest.raises(NotPossible, match="changes rows"):
        database_for(alias).analyze("DELETE FROM hostile", None, Options(confirmed=True))


def test_rows_that_are_not_committed_are_seen_in_memory_only(in_memory):
    connection = connections[in_memory]
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO hostile (name) VALUES ('new')")

    plan = database_for(in_memory).analyze("SELECT * FROM hostile WHERE name = 'new'", None, Options())

    assert "1 rows" in plan.notes[-1]
    assert connection.connection.in_transaction
    connection.connection.rollback()


def test_a_file_that_is_not_there_is_not_made(tmp_path, unblocked):
    path = tmp_path / "nothing.sqlite3"
    with another_alias("missing", {"ENGINE": "django.db.backends.sqlite3", "NAME": path}) as name:
        with pytest.raises(NotPossible, match="There is no file"):
            database_for(name).explain("SELECT 1", None, Options())
        assert database_for(name).schema(["a"]).tables == {}

    assert not path.exists()


def test_the_schema_is_what_the_file_says(database):
    schema = database.schema(["hostile", "hostile_log", "nowhere"])

    table = schema.tables["hostile"]
    assert set(schema.tables) == {"hostile", "hostile_log"}
    assert (table.rows, table.analysed) == (3000, True)
    assert table.columns["name"] == "text"
    assert [(index.name, index.columns) for index in table.indexes] == [
        ("INTEGER PRIMARY KEY", ("id",)),
        ("hostile_name", ("name",)),
    ]


def test_a_table_never_analysed_is_counted(in_memory):
    connections[in_memory].connection.execute("CREATE TABLE fresh (a)")
    connections[in_memory].connection.execute("INSERT INTO fresh VALUES (1), (2)")

    table = database_for(in_memory).schema(["fresh"]).tables["fresh"]

    assert (table.rows, table.analysed) == (2, False)


def test_an_unknown_engine_is_a_sentence(monkeypatch, unblocked):
    monkeypatch.setattr(type(connections["default"]), "vendor", "duckdb")
    monkeypatch.setattr(type(connections["default"]), "display_name", "DuckDB")

    with pytest.raises(NotPossible, match="DuckDB, whose plans this panel cannot read"):
        database_for("default")


def test_a_big_table_is_counted_up_to_a_limit(database, monkeypatch):
    monkeypatch.setattr(sqlite_schema, "COUNTED_TO", 100)
    monkeypatch.setattr(schema, "COUNTED_TO", 100)
    monkeypatch.setattr(sqlite_schema, "statistics", lambda _connection: {})

    rows = database.schema(["hostile"]).rows("hostile")

    assert isinstance(rows, schema.MoreThan)
    assert rows == 100
