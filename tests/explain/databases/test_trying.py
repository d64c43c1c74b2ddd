from __future__ import annotations

import pytest
from django.db import connections

from perf_panels.explain.databases import database_for
from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.databases.connections import own_connection
from tests.explain.databases.conftest import run

BY_AMOUNT = "SELECT name FROM hostile WHERE amount = %s AND name = %s"
INDEX = "CREATE INDEX hostile_new ON hostile (amount, name)"


def indexes_of(alias):
    with own_connection(alias) as connection, connection.cursor() as cursor:
        return sorted(connection.introspection.get_constraints(cursor, "hostile"))


def test_postgresql_tries_an_index_in_a_transaction_that_is_rolled_back(on_postgres):
    before = indexes_of(on_postgres)

    trial = database_for(on_postgres).try_index(BY_AMOUNT, [3, "n3"], INDEX, Options(confirmed=True))

    assert (trial.method, trial.used, trial.helps) == ("transaction", True, True)
    assert trial.cost_after < trial.cost_before / 2
    assert indexes_of(on_postgres) == before


def test_postgresql_says_first_how_large_the_table_is_and_who_waits(on_postgres):
    database = database_for(on_postgres)

    permission = database.may_try("hostile")

    assert permission.verdict == "confirm"
    assert "about 3,000 rows" in permission.reasons[0]
    assert "SHARE lock" in permission.reasons[0]
    with pytest.raises(NotPossible, match="SHARE lock"):
        database.try_index(BY_AMOUNT, [3, "n3"], INDEX, Options())


@pytest.fixture
def _partitioned(on_postgres):
    run(
        on_postgres,
        "CREATE TABLE hostile_event (id bigint, kind text) PARTITION BY RANGE (id);"
        "CREATE TABLE hostile_event_a PARTITION OF hostile_event FOR VALUES FROM (0) TO (5000);"
        "CREATE TABLE hostile_event_b PARTITION OF hostile_event FOR VALUES FROM (5000) TO (10000);"
        "INSERT INTO hostile_event SELECT n, 'k' || n FROM generate_series(0, 9999) n; ANALYZE hostile_event",
    )
    yield
    run(on_postgres, "DROP TABLE hostile_event")


@pytest.mark.usefixtures("_partitioned")
def test_postgresql_tries_an_index_on_all_partitions(on_postgres):
    database, index = database_for(on_postgres), "CREATE INDEX hostile_event_kind ON hostile_event (kind)"

    trial = database.try_index("SELECT id FROM hostile_event WHERE kind = 'k7'", None, index, Options(confirmed=True))

    assert (trial.used, trial.helps) == (True, True)
    assert "about 10,000 rows" in database.may_try("hostile_event").reasons[0]


def test_postgresql_tries_no_index_on_a_table_it_does_not_know(on_postgres):
    assert database_for(on_postgres).may_try("nowhere").verdict == "no"


def test_postgresql_says_when_an_index_is_not_used(on_postgres):
    sql, index = "SELECT * FROM hostile", "CREATE INDEX CONCURRENTLY hostile_new ON hostile (amount);"

    trial = database_for(on_postgres).try_index(sql, None, index, Options(confirmed=True))

    assert (trial.used, trial.helps) == (False, False)


def test_postgresql_waits_for_no_lock_to_make_an_index(on_postgres):
    with own_connection(on_postgres) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE hostile SET name = name WHERE id = 1")

        with pytest.raises(NotPossible, match="holds a lock"):
            database_for(on_postgres).try_index(
                BY_AMOUNT, [1, "a"], INDEX, Options(confirmed=True, lock_timeout_ms=100)
            )


def test_postgresql_uses_hypopg_where_it_is_installed(on_postgres):
    if not run(on_postgres, "SELECT 1 FROM pg_available_extensions WHERE name = 'hypopg'"):
        pytest.skip("This PostgreSQL has no HypoPG to install (on Debian: apt-get install postgresql-15-hypopg).")
    run(on_postgres, "CREATE EXTENSION hypopg")
    database = database_for(on_postgres)

    permission = database.may_try("hostile")
    trial = database.try_index(BY_AMOUNT, [3, "n3"], INDEX, Options())

    assert permission.verdict == "yes"
    assert (trial.method, trial.used, trial.helps) == ("hypopg", True, True)
    run(on_postgres, "DROP EXTENSION hypopg")


@pytest.mark.parametrize("alias", ["on_sqlite", "in_memory"])
def test_sqlite_tries_an_index_in_a_copy_without_rows(request, alias):
    alias = request.getfixturevalue(alias)
    sql = "SELECT name FROM hostile WHERE amount = %s"

    trial = database_for(alias).try_index(sql, [3], "CREATE INDEX hostile_new ON hostile (amount)", Options())

    assert (trial.method, trial.used, trial.helps) == ("copy", True, True)
    assert "estimated from the first 3,000 rows" in trial.notes[-1]
    connections[alias].ensure_connection()
    assert (
        not connections[alias].connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'hostile_new'").fetchall()
    )


def test_sqlite_tries_a_partial_index_for_the_values_of_the_statement(on_sqlite):
    database = database_for(on_sqlite)
    sql, index = (
        "SELECT id FROM hostile WHERE amount = %s",
        "CREATE INDEX hostile_new ON hostile (amount) WHERE amount = 9",
    )

    assert database.try_index(sql, [9], index, Options()).used
    assert not database.try_index(sql, [3], index, Options()).used


def test_sqlite_uses_no_index_of_a_column_that_says_little(on_sqlite):
    sql = "SELECT * FROM hostile WHERE amount >= %s ORDER BY id"

    trial = database_for(on_sqlite).try_index(sql, [0], "CREATE INDEX hostile_new ON hostile (amount)", Options())

    assert not trial.helps


def test_sqlite_guesses_where_nobody_has_counted(in_memory):
    connections[in_memory].connection.execute("CREATE TABLE fresh (a, b)")

    trial = database_for(in_memory).try_index(
        "SELECT b FROM fresh WHERE a = 1", None, "CREATE INDEX fresh_a ON fresh (a)", Options()
    )

    assert trial.used
    assert "ANALYZE has never been run" in trial.notes[0]


def test_the_plan_of_the_copy_is_the_plan_of_the_file(on_sqlite):
    database = database_for(on_sqlite)
    sql = "SELECT h.id FROM hostile h JOIN hostile_log l ON l.note = h.name WHERE h.name > 'n5' ORDER BY h.amount"

    trial = database.try_index(sql, None, "CREATE INDEX unused ON hostile (amount) WHERE amount = 77", Options())

    assert trial.before.text == database.explain(sql, None, Options()).text


def test_mariadb_cannot_try(on_mariadb):
    database = database_for(on_mariadb)

    assert database.may_try("hostile").verdict == "no"
    with pytest.raises(NotPossible, match="cannot be tried here"):
        database.try_index(BY_AMOUNT, [3, "n3"], INDEX, Options(confirmed=True))


@pytest.mark.parametrize("alias", ["on_postgres", "on_sqlite"])
@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE hostile",
        f"{INDEX}; DROP TABLE hostile",
        "CREATE INDEX a ON hostile (b",
        "CREATE INDEX a ON nowhere (b)",
    ],
)
def test_only_an_index_is_made(request, alias, statement):
    alias = request.getfixturevalue(alias)

    with pytest.raises(NotPossible):
        database_for(alias).try_index("SELECT * FROM hostile", None, statement, Options(confirmed=True))


def test_sqlite_says_that_an_index_in_the_order_asked_for_helps(on_sqlite):
    sql = "SELECT id, name FROM hostile ORDER BY amount DESC LIMIT 5"

    trial = database_for(on_sqlite).try_index(sql, None, "CREATE INDEX hostile_new ON hostile (amount)", Options())

    assert (trial.used, trial.helps) == (True, True)


def test_sqlite_copies_what_it_can_of_odd_tables(in_memory):
    connections[in_memory].connection.executescript(
        "CREATE VIRTUAL TABLE words USING fts5 (word); CREATE VIEW names AS SELECT name FROM hostile;"
        "CREATE TABLE pairs (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;"
        "CREATE INDEX upper_names ON hostile (upper(name));"
        "ANALYZE"
    )
    sql = "SELECT * FROM names JOIN words ON words.word = name JOIN pairs ON a = name WHERE words MATCH 'n1'"

    trial = database_for(in_memory).try_index(sql, None, "CREATE INDEX pairs_b ON pairs (b)", Options())

    assert not any("could not be copied" in note for note in trial.notes)
    assert not trial.used


def test_a_function_that_writes_does_not_where_an_index_is_tried(on_postgres):
    before = run(on_postgres, "SELECT last_value, is_called FROM hostile_sequence")

    with pytest.raises(NotPossible, match="read only transaction"):
        database_for(on_postgres).try_index(
            "SELECT * FROM hostile WHERE id = hostile_lies()", None, INDEX, Options(confirmed=True)
        )

    assert run(on_postgres, "SELECT last_value, is_called FROM hostile_sequence") == before


def test_sqlite_estimates_an_index_on_an_expression(on_sqlite):
    sql = "SELECT id FROM hostile WHERE lower(name) = %s"

    trial = database_for(on_sqlite).try_index(sql, ["n1"], "CREATE INDEX a ON hostile (lower(name))", Options())

    assert (trial.used, trial.helps) == (True, True)


def test_an_index_that_cannot_be_is_a_sentence(on_sqlite):
    with pytest.raises(NotPossible, match="The index cannot be made: "):
        database_for(on_sqlite).try_index("SELECT 1", None, "CREATE INDEX a ON hostile (nothing + 1)", Options())
