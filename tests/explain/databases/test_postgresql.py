from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import connections, transaction
from django.db.models import Count

from perf_panels.explain.databases import database_for
from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.databases.connections import own_connection
from perf_panels.explain.databases.postgresql import explain_words
from perf_panels.explain.plan import Kind
from tests.explain.databases.conftest import another_alias, run


@pytest.mark.parametrize(
    ("version", "analyze", "timing", "words"),
    [
        (130014, False, True, "EXPLAIN (VERBOSE, SETTINGS, FORMAT JSON) "),
        (190000, False, True, "EXPLAIN (VERBOSE, SETTINGS, FORMAT JSON) "),
        (150004, True, True, "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, WAL, FORMAT JSON) "),
        (180000, True, False, "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, SETTINGS, WAL, TIMING OFF, FORMAT JSON) "),
        (110000, True, True, "EXPLAIN (ANALYZE, BUFFERS, VERBOSE, FORMAT JSON) "),
    ],
)
def test_each_version_gets_the_words_it_knows(version, analyze, timing, words):
    assert explain_words(version, analyze=analyze, timing=timing) == words


@pytest.fixture
def database(on_postgres):
    return database_for(on_postgres)


def test_a_plan_is_estimated_or_measured(database):
    sql, params = "SELECT name FROM hostile WHERE amount = %s", [3]

    explained = database.explain(sql, params, Options())
    analyzed = database.analyze(sql, params, Options())

    assert explained.root.kind is Kind.SCAN
    assert (explained.root.relation, explained.root.act_rows) == ("hostile", None)
    assert (analyzed.analyzed, analyzed.root.act_rows, analyzed.root.removed) == (True, 300, 2700)
    assert analyzed.root.total_ms is not None
    assert explained.version


def test_timing_can_be_left_out(database):
    plan = database.analyze("SELECT * FROM hostile", None, Options(timing=False))

    assert plan.root.act_rows == 3000
    assert plan.root.total_ms is None
    assert plan.execution_ms is not None


@pytest.mark.parametrize(
    "value",
    [
        1, 1.5, "it's 100 % sure \\", True, None, b"\x00\xff", Decimal("1.5"), dt.date(2026, 1, 1), uuid.UUID(int=1),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc), dt.timedelta(days=1), [1, 2], ["a", None], [Decimal("1.5")],
    ],
)  # fmt: skip
@pytest.mark.parametrize("server_side", [False, True])
def test_parameters_of_every_type_are_bound_on_the_side_that_django_binds_them(on_postgres, value, server_side):
    given = connections[on_postgres].settings_dict
    options = {**given["OPTIONS"], "server_side_binding": server_side}
    with another_alias("binding", {**given, "OPTIONS": options}):
        plan = database_for("binding").explain("SELECT CAST(%s AS text), 5 %% 2 FROM hostile", [value], Options())

    assert plan.root is not None


def test_a_percent_sign_is_one_when_there_are_no_parameters(database):
    plan = database.explain("SELECT * FROM hostile WHERE name LIKE 'n1%' AND amount % 2 = 0", None, Options())

    assert "n1%" in plan.text


def test_a_server_side_cursor_is_explained_as_its_query(database):
    sql = 'DECLARE "_django_curs_1_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT name FROM hostile'

    assert database.explain(sql, None, Options()).root.relation == "hostile"


@pytest.mark.parametrize("sql", ["SELECT * FROM hostile WHERE id = hostile_lies()", "SELECT hostile_writes()"])
def test_a_function_that_writes_is_stopped_by_the_read_only_transaction(database, sql):
    with pytest.raises(NotPossible, match="read-only transaction"):
        database.analyze(sql, None, Options(confirmed=True))


def test_an_advisory_lock_ends_with_the_connection(database, on_postgres):
    database.analyze("SELECT pg_advisory_lock(43)", None, Options(confirmed=True))

    assert run(on_postgres, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_foreign_keys_are_checked_in_the_plan_of_a_delete(database):
    plan = database.analyze("DELETE FROM hostile WHERE id < 3", None, Options(confirmed=True))

    assert any(trigger.constraint for trigger in plan.triggers)


def test_rows_that_are_locked_need_the_second_click(database):
    sql = "SELECT * FROM hostile WHERE id < 5 FOR UPDATE"

    assert database.may_analyze(sql, None).verdict == "confirm"
    assert database.analyze(sql, None, Options(confirmed=True)).root.kind is Kind.LOCK_ROWS


def test_no_role_without_a_privilege_gets_a_plan(on_postgres):
    run(on_postgres, "DROP ROLE IF EXISTS hostile_nobody", "CREATE ROLE hostile_nobody")
    given = connections[on_postgres].settings_dict
    options = {**given["OPTIONS"], "assume_role": "hostile_nobody"}
    with another_alias("nobody", {**given, "OPTIONS": options}):
        database = database_for("nobody")

        with pytest.raises(NotPossible, match="lacks a privilege: permission denied for table hostile"):
            database.explain("SELECT * FROM hostile", None, Options())

        assert database.schema(["hostile"]).tables["hostile"].columns
    run(on_postgres, "DROP ROLE hostile_nobody")


def test_a_server_that_is_not_there_is_a_sentence(on_postgres):
    given = connections[on_postgres].settings_dict
    with another_alias("closed", {**given, "HOST": "127.0.0.1", "PORT": "1"}):
        database = database_for("closed")

        with pytest.raises(NotPossible, match="cannot be reached"):
            database.explain("SELECT 1", None, Options())
        assert database.may_try("hostile").verdict == "no"
        assert database.schema(["hostile"]).tables == {}


def test_no_connection_is_taken_from_a_pool(on_postgres):
    given = connections[on_postgres].settings_dict
    with another_alias("pooled", {**given, "OPTIONS": {**given["OPTIONS"], "pool": True}}):
        with own_connection("pooled") as own:
            assert own.pool is None
            assert own.connection is not None
        assert own.connection is None

        # Else Django would ask for psycopg_pool when the alias is closed.
        connections["pooled"].settings_dict["OPTIONS"].pop("pool")


def test_no_session_is_left_behind(database, on_postgres):
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    before = run(on_postgres, sessions)

    for _ in range(3):
        database.explain("SELECT 1", None, Options())
        with pytest.raises(NotPossible):
            database.explain("SELECT nothing", None, Options())

    assert run(on_postgres, sessions) <= before


def test_strings_that_the_server_reads_otherwise_are_refused(on_postgres):
    given = connections[on_postgres].settings_dict
    options = {**given["OPTIONS"], "options": "-c standard_conforming_strings=off -c escape_string_warning=off"}
    with another_alias("old", {**given, "OPTIONS": options}), pytest.raises(NotPossible, match="standard_conforming"):
        database_for("old").explain("SELECT 1", None, Options())


def test_the_server_itself_takes_one_statement_at_a_time(database, monkeypatch):
    # psycopg2 has no protocol but the one that takes several.
    pytest.importorskip("psycopg")
    monkeypatch.setattr("perf_panels.explain.databases.classify._refusal", lambda found, kind: None)

    with pytest.raises(NotPossible, match="multiple commands"):
        database.explain("SELECT 1; SELECT 2", None, Options())


def test_the_schema_is_what_the_catalogs_say(database):
    schema = database.schema(["hostile", "hostile_log", "nowhere"])

    table = schema.tables["hostile"]
    assert set(schema.tables) == {"hostile", "hostile_log"}
    assert (table.rows, table.analysed) == (3000, True)
    assert table.columns == {"id": "integer", "name": "text", "amount": "integer"}
    assert [(index.name, index.columns, index.primary) for index in table.indexes] == [("hostile_pkey", ("id",), True)]
    assert table.size_bytes > 0
    assert schema.tables["hostile_log"].rows == 1
    assert schema.version == database.version()


@pytest.mark.django_db(databases=["default", "postgres"])
def test_inside_a_test_the_rows_of_its_transaction_are_seen(postgres):
    from tests.site.models import Genre

    Genre.objects.using(postgres).bulk_create(Genre(name=f"n{number}") for number in range(50))
    sql, params = (
        Genre.objects.using(postgres).values("name").annotate(Count("id")).query.get_compiler(postgres).as_sql()
    )
    database = database_for(postgres)

    plan = database.analyze(sql, params, Options())
    deleted = database.analyze(f"DELETE FROM {Genre._meta.db_table}", None, Options(confirmed=True))

    assert sum(node.act_rows == 50 for node in plan.nodes()) >= 1
    assert deleted.analyzed
    assert Genre.objects.using(postgres).count() == 50
    with connections[postgres].cursor() as cursor, transaction.atomic(using=postgres):
        cursor.execute("SELECT current_setting('transaction_read_only'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("off", "0")
