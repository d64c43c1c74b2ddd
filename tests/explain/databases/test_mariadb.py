from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connections

from perf_panels.explain.databases import database_for
from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.databases.mariadb import MariaDB
from perf_panels.explain.plan import Kind
from tests.explain.databases.conftest import another_alias, run


@pytest.fixture
def database(on_mariadb):
    return database_for(on_mariadb)


def test_it_is_known_from_mysql_without_a_connection_of_the_application(on_mariadb):
    connections[on_mariadb].close()

    assert isinstance(database_for(on_mariadb), MariaDB)
    assert connections[on_mariadb].connection is None


def test_a_plan_is_estimated_or_measured(database):
    sql, params = "SELECT name FROM hostile WHERE name LIKE %s", ["n29%"]

    explained = database.explain(sql, params, Options())
    analyzed = database.analyze(sql, params, Options())

    scans = [node for node in analyzed.nodes() if node.kind is Kind.SCAN]
    assert any(node.relation == "hostile" for node in explained.nodes())
    assert (explained.analyzed, analyzed.analyzed) == (False, True)
    assert scans[0].act_rows is not None
    assert "MariaDB" in explained.version


@pytest.mark.parametrize("value", [1, 1.5, "it's 100 % sure \\", True, None, b"\x00\xff", Decimal("1.5")])
def test_parameters_of_every_type_are_bound(database, value):
    plan = database.explain("SELECT %s IS NULL, 5 %% 2 FROM hostile", [value], Options())

    assert plan.root is not None


def test_a_function_in_a_derived_table_is_stopped_by_the_read_only_transaction(database):
    with pytest.raises(NotPossible, match="READ ONLY"):
        database.explain("SELECT * FROM (SELECT hostile_writes() AS a) d", None, Options(confirmed=True))


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DELETE FROM hostile_myisam", "The table hostile_myisam is of MyISAM"),
        ("UPDATE hostile h, hostile_myisam m SET h.name = 'a'", "MyISAM"),
        ("DELETE FROM hostile_triggers", "trigger"),
        ("DELETE FROM nowhere", "None of its tables"),
        ("DELETE FROM hostile WHERE id IN (SELECT a FROM hostile_view)", "view"),
    ],
)
def test_a_write_that_no_rollback_undoes_is_not_run(database, sql, reason):
    with pytest.raises(NotPossible, match=reason):
        database.analyze(sql, None, Options(confirmed=True))


def test_a_confirmed_write_is_run_and_undone(database, on_mariadb):
    plan = database.analyze("DELETE FROM hostile WHERE amount = %s", [3], Options(confirmed=True))

    assert plan.analyzed
    assert list(run(on_mariadb, "SELECT COUNT(*) FROM hostile")) == [(3000,)]


def test_rows_that_are_locked_need_the_second_click(database):
    sql = "SELECT * FROM hostile WHERE id < 5 FOR UPDATE"

    assert database.may_analyze(sql, None).verdict == "confirm"
    assert database.explain(sql, None, Options()).root is not None
    assert database.analyze(sql, None, Options(confirmed=True)).analyzed


def test_a_server_that_is_not_there_is_a_sentence(on_mariadb):
    given = connections[on_mariadb].settings_dict
    with another_alias("closed", {**given, "HOST": "127.0.0.1", "PORT": "1"}):
        with pytest.raises(NotPossible, match="cannot be reached"):
            database_for("closed")
        database = MariaDB("closed")

        with pytest.raises(NotPossible, match="cannot be reached"):
            database.explain("SELECT 1", None, Options())
        assert database.schema(["hostile"]).tables == {}


def test_the_schema_is_what_the_server_says(database):
    schema = database.schema(["hostile", "hostile_myisam", "hostile_view", "nowhere"])

    table = schema.tables["hostile"]
    assert set(schema.tables) == {"hostile", "hostile_myisam"}
    assert (table.rows, table.engine, schema.tables["hostile_myisam"].engine) == (3000, "InnoDB", "MyISAM")
    assert table.columns["name"] == "varchar(50)"
    assert [(index.name, index.columns, index.primary, index.unique) for index in table.indexes] == [
        ("PRIMARY", ("id",), True, True),
        ("hostile_amount", ("amount",), False, False),
    ]


def test_no_session_is_left_behind(database, on_mariadb):
    sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
    before = run(on_mariadb, sessions)

    for _ in range(3):
        database.explain("SELECT 1", None, Options())
        with pytest.raises(NotPossible):
            database.explain("SELECT nothing", None, Options())

    assert run(on_mariadb, sessions) <= before
