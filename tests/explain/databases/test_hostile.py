"""
Statements that do harm when they are run, explained and analysed on live servers: everything is as it was afterwards,
and each is answered in time, with a plan or with a sentence.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from time import monotonic

import pytest
from django.db import DatabaseError, connections

from perf_panels import statements
from perf_panels.explain.databases import database_for
from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.databases.connections import own_connection
from perf_panels.explain.plan import Plan
from tests.explain.databases.conftest import run

SECONDS = 0.4
OPTIONS = [
    Options(timeout_ms=int(SECONDS * 1000), lock_timeout_ms=200, confirmed=False),
    Options(timeout_ms=int(SECONDS * 1000), lock_timeout_ms=200, confirmed=True),
]
IN_LIST = "SELECT * FROM hostile WHERE id IN ({})".format(", ".join(["%s"] * 10_000))

EVERYWHERE = {
    "insert": ("INSERT INTO hostile (name, amount) VALUES ('new', 1)", None),
    "insert with params": ("INSERT INTO hostile (name, amount) VALUES (%s, %s)", ["new", 1]),
    "update": ("UPDATE hostile SET amount = 0", None),
    "update with params": ("UPDATE hostile SET amount = %s WHERE id > %s", [0, 5]),
    "delete": ("DELETE FROM hostile", None),
    "delete with params": ("DELETE FROM hostile WHERE id > %s", [5]),
    "insert from select": ("INSERT INTO hostile (name) SELECT name FROM hostile", None),
    "two statements": ("SELECT 1; DELETE FROM hostile", None),
    "two statements with params": ("SELECT %s; DELETE FROM hostile", [1]),
    "two statements, the first in a comment": ("/* SELECT 1; */ SELECT 1 /* ; */; DELETE FROM hostile", None),
    "hidden by a line comment": ("SELECT 1 -- '\n; DELETE FROM hostile -- '", None),
    "a quote in a parameter": ("SELECT * FROM hostile WHERE name = %s", ["'; DELETE FROM hostile; --"]),
    "a placeholder in a comment": ("SELECT 1 /* %s */", ["*/; DELETE FROM hostile; /*"]),
    "a delete in parentheses": ("((DELETE FROM hostile))", None),
    "a delete behind a comment": ("/* SELECT */ -- SELECT\nDELETE FROM hostile", None),
    "huge list": (IN_LIST, list(range(10_000))),
    "used up": ("SELECT * FROM hostile WHERE id = %s", (number for number in ())),
    "too few parameters": ("SELECT * FROM hostile WHERE id = %s AND name = %s", [1]),
    "unknown table": ("SELECT * FROM nowhere", None),
    "not SQL": ("SELEKT 1", None),
    "nothing": ("", None),
    "not closed": ("SELECT 'a; DELETE FROM hostile", None),
    "create index": ("CREATE INDEX hostile_new ON hostile (name)", None),
    "create table as": ("CREATE TABLE hostile_new AS SELECT * FROM hostile", None),
    "drop": ("DROP TABLE hostile", None),
    "savepoint": ("SAVEPOINT hostile", None),
    "rollback": ("ROLLBACK", None),
    "explain": ("EXPLAIN DELETE FROM hostile", None),
    "cross join": ("SELECT COUNT(*) FROM hostile a, hostile b, hostile c, hostile d WHERE a.name < d.name", None),
}
LOCKING = {
    "for update": ("SELECT * FROM hostile WHERE id < 10 FOR UPDATE", None),
    "for share": ("SELECT * FROM hostile WHERE id < %s LOCK IN SHARE MODE", [10]),
}
ON_POSTGRESQL = {
    "volatile function": ("SELECT hostile_writes()", None),
    "function that lies": ("SELECT * FROM hostile WHERE id = hostile_lies()", None),
    "function that lies and sleeps": ("SELECT * FROM hostile WHERE id = hostile_lies_and_sleeps()", None),
    "function with a schema": ("SELECT public.hostile_writes()", None),
    "quoted function": ('SELECT "hostile_writes"()', None),
    "nextval": ("SELECT nextval('hostile_sequence')", None),
    "setval": ("SELECT setval('hostile_sequence', 99)", None),
    "advisory lock": ("SELECT pg_advisory_lock(42)", None),
    "sleep": ("SELECT pg_sleep(20)", None),
    "end of all sessions": (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
        None,
    ),
    "set_config": ("SELECT set_config('statement_timeout', '77', false)", None),
    "large object": ("SELECT lo_create(0)", None),
    "notify": ("SELECT pg_notify('a', 'b')", None),
    "for no key update": ("SELECT * FROM hostile WHERE id < 10 FOR NO KEY UPDATE", None),
    "cte that deletes": ("WITH gone AS (DELETE FROM hostile RETURNING *) SELECT * FROM gone", None),
    "cte that deletes, with params": (
        "WITH gone AS (DELETE FROM hostile WHERE id > %s RETURNING *) SELECT * FROM gone",
        [1],
    ),
    "merge": (
        "MERGE INTO hostile h USING hostile_log l ON false WHEN NOT MATCHED THEN INSERT (name) VALUES (l.note)",
        None,
    ),
    "select into": ("SELECT * INTO hostile_new FROM hostile", None),
    "copy": ("COPY hostile TO STDOUT", None),
    "call": ("CALL hostile_procedure()", None),
    "set": ("SET statement_timeout = 77", None),
    "nested comment": ("SELECT 1 /* /* */ ; */ ; DELETE FROM hostile", None),
    "dollar quotes": ("SELECT $a$ ; $$ ; $a$; DELETE FROM hostile", None),
    "escape string": ("SELECT E'\\'; DELETE FROM hostile --'", None),
    "plain string with a backslash": ("SELECT '\\'; DELETE FROM hostile --'", None),
    "cursor": ('DECLARE "_django_curs_1_sync_1" CURSOR WITH HOLD FOR DELETE FROM hostile', None),
    "named parameters": ("DELETE FROM hostile WHERE id > %(low)s", {"low": 5}),
    "truncate": ("TRUNCATE hostile", None),
    "lock": ("LOCK TABLE hostile IN ACCESS EXCLUSIVE MODE", None),
}
ON_MARIADB = {
    "sleep": ("SELECT SLEEP(20)", None),
    "sleep in a derived table": ("SELECT * FROM (SELECT SLEEP(20) AS a) d", None),
    "function in a derived table": ("SELECT * FROM (SELECT hostile_writes() AS a) d", None),
    "function": ("SELECT hostile_writes()", None),
    "function in a delete": ("DELETE FROM hostile WHERE id IN (SELECT a FROM (SELECT hostile_writes() AS a) d)", None),
    "function in a view": ("SELECT * FROM hostile_view", None),
    "function in the view of a delete": ("DELETE FROM hostile WHERE id IN (SELECT a FROM hostile_view)", None),
    "named lock": ("SELECT GET_LOCK('hostile', 1)", None),
    "benchmark": ("SELECT BENCHMARK(1000000000, MD5('a'))", None),
    "nextval": ("SELECT NEXTVAL(hostile_sequence)", None),
    "next value for": ("SELECT NEXT VALUE FOR hostile_sequence", None),
    "setval": ("SELECT SETVAL(hostile_sequence, 99)", None),
    "delete from MyISAM": ("DELETE FROM hostile_myisam", None),
    "update of InnoDB and MyISAM": ("UPDATE hostile h, hostile_myisam m SET h.name = 'a', m.name = 'a'", None),
    "delete with a trigger": ("DELETE FROM hostile_triggers", None),
    "replace": ("REPLACE INTO hostile (id, name) VALUES (1, 'a')", None),
    "executed comment": ("SELECT 1 /*! INTO @a */", None),
    "MariaDB's executed comment": ("SELECT 1 /*M! INTO @a */", None),
    "into a variable": ("SELECT 1 INTO @a", None),
    "into a file": ("SELECT * FROM hostile INTO OUTFILE '/tmp/hostile'", None),
    "call": ("CALL hostile_procedure()", None),
    "set": ("SET GLOBAL max_statement_time = 77", None),
    "set statement": ("SET STATEMENT max_statement_time = 0 FOR DELETE FROM hostile", None),
    "backslash": ("SELECT 'a\\'; DELETE FROM hostile; -- '", None),
    "no comment": ("SELECT 1 --1; DELETE FROM hostile", None),
    "hash comment": ("SELECT 1 # '\n; DELETE FROM hostile # '", None),
    "analyze table": ("ANALYZE TABLE hostile", None),
    "lock": ("LOCK TABLES hostile WRITE", None),
}
ON_SQLITE = {
    "pragma": ("PRAGMA query_only = OFF", None),
    "attach": ("ATTACH DATABASE ':memory:' AS more", None),
    "endless": ("WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g) SELECT COUNT(*) FROM g", None),
    "extension": ("SELECT load_extension('hostile')", None),
    "returning": ("DELETE FROM hostile RETURNING id", None),
    "replace": ("REPLACE INTO hostile (id, name) VALUES (1, 'a')", None),
    "vacuum": ("VACUUM", None),
}


def state_of_postgres(alias):
    return run(
        alias,
        "SELECT (SELECT count(*) FROM hostile), (SELECT sum(amount) FROM hostile), (SELECT count(*) FROM hostile_log),"
        " (SELECT last_value FROM hostile_sequence), (SELECT last_value FROM hostile_id_seq),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'),"
        " (SELECT count(*) FROM pg_class WHERE relname LIKE 'hostile%'),"
        " (SELECT count(*) FROM pg_largeobject_metadata),"
        " current_setting('statement_timeout'), current_setting('lock_timeout')",
    )[0]


def state_of_mariadb(alias):
    return run(
        alias,
        "SELECT (SELECT COUNT(*) FROM hostile), (SELECT SUM(amount) FROM hostile), (SELECT COUNT(*) FROM hostile_log),"
        " (SELECT COUNT(*) FROM hostile_myisam), (SELECT COUNT(*) FROM hostile_triggers),"
        " (SELECT next_not_cached_value FROM hostile_sequence), IS_FREE_LOCK('hostile'),"
        " (SELECT MIN(name) FROM hostile_myisam), @@global.max_statement_time, @@global.lock_wait_timeout,"
        " (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()),"
        " (SELECT auto_increment FROM information_schema.tables"
        "  WHERE table_schema = DATABASE() AND table_name = 'hostile')",
    )[0]


def state_of_sqlite(alias):
    connection = connections[alias]
    connection.ensure_connection()
    raw = connection.connection
    pragmas = ("query_only", "busy_timeout", "foreign_keys", "journal_mode")
    counts = raw.execute(
        "SELECT (SELECT count(*) FROM hostile), (SELECT sum(amount) FROM hostile), (SELECT count(*) FROM hostile_log),"
        " (SELECT count(*) FROM sqlite_master), (SELECT seq FROM sqlite_sequence)"
    ).fetchone()
    return (*counts, *(raw.execute(f"PRAGMA {name}").fetchone() for name in pragmas), raw.in_transaction)


def settings_of_request(alias):
    """
    Return what the application's own connection would notice.
    """
    connection = connections[alias]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('transaction_read_only')")
        else:
            cursor.execute("SELECT @@session.max_statement_time, @@session.tx_read_only, @@session.lock_wait_timeout")
        return cursor.fetchone()


def answer(method, sql, params, options):
    """
    Return the plan or the sentence, which must come in time.
    """
    started = monotonic()
    try:
        found = method(sql, params, options)
    except NotPossible as refusal:
        found = str(refusal)
    # What sleeps here sleeps for 20 seconds; the machine may be busy.
    assert monotonic() - started < SECONDS + 5
    assert isinstance(found, Plan) or (found[0].isupper() and found.endswith((".", "!"))), found
    return found


def answers(alias, sql, params):
    database = database_for(alias)
    return [
        answer(method, sql, params, options) for method in (database.explain, database.analyze) for options in OPTIONS
    ]


@pytest.mark.parametrize("name", [*EVERYWHERE, *LOCKING, *ON_POSTGRESQL])
def test_nothing_is_changed_on_postgresql(on_postgres, name):
    sql, params = {**EVERYWHERE, **LOCKING, **ON_POSTGRESQL}[name]
    before, settings = state_of_postgres(on_postgres), settings_of_request(on_postgres)

    answers(on_postgres, sql, params)

    after = state_of_postgres(on_postgres)
    inserts = "insert" in name or name == "merge"
    # A confirmed ANALYZE of an INSERT takes ids; the sentence that was confirmed says so.
    ids = 4
    assert after[:ids] + after[ids + 1 :] == before[:ids] + before[ids + 1 :]
    assert inserts or after[ids] == before[ids]
    assert settings_of_request(on_postgres) == settings


@pytest.mark.parametrize("name", [*EVERYWHERE, *LOCKING, *ON_MARIADB])
def test_nothing_is_changed_on_mariadb(on_mariadb, name):
    sql, params = {**EVERYWHERE, **LOCKING, **ON_MARIADB}[name]
    before, settings = state_of_mariadb(on_mariadb), settings_of_request(on_mariadb)

    answers(on_mariadb, sql, params)

    after = state_of_mariadb(on_mariadb)
    assert after[:-1] == before[:-1]
    assert "insert" in name or name == "replace" or after[-1] == before[-1]
    assert settings_of_request(on_mariadb) == settings


@pytest.mark.parametrize("name", [*EVERYWHERE, *ON_SQLITE])
def test_nothing_is_changed_in_a_file(on_sqlite, name):
    sql, params = {**EVERYWHERE, **ON_SQLITE}[name]
    before = state_of_sqlite(on_sqlite)

    answers(on_sqlite, sql, params)

    assert state_of_sqlite(on_sqlite) == before


@pytest.mark.parametrize("name", [*EVERYWHERE, *ON_SQLITE])
def test_nothing_is_changed_in_memory(in_memory, name):
    sql, params = {**EVERYWHERE, **ON_SQLITE}[name]
    before = state_of_sqlite(in_memory)

    answers(in_memory, sql, params)

    assert state_of_sqlite(in_memory) == before


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb", "on_sqlite"])
@pytest.mark.parametrize("name", ["huge list", "a quote in a parameter", "update with params"])
def test_what_can_be_explained_is(request, alias, name):
    database = database_for(request.getfixturevalue(alias))

    plan = database.explain(*EVERYWHERE[name], Options())

    # MariaDB writes a quote into its JSON in a way that JSON does not know; then there is text.
    assert plan.root is not None or plan.problem_rule == "invalid-plan"
    assert plan.version


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb"])
def test_an_analysed_write_says_first_what_a_rollback_leaves(request, alias):
    database = database_for(request.getfixturevalue(alias))

    permission = database.may_analyze("DELETE FROM hostile", None)

    assert permission.verdict == "confirm"
    assert any("advance" in reason for reason in permission.reasons)
    assert database.analyze("DELETE FROM hostile", None, Options(confirmed=True)).analyzed


@contextmanager
def locked(alias):
    with own_connection(alias) as connection, connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE hostile IN ACCESS EXCLUSIVE MODE")
        elif connection.vendor == "mysql":
            cursor.execute("LOCK TABLES hostile WRITE")
        else:
            cursor.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb", "on_sqlite"])
@pytest.mark.parametrize("method", ["explain", "analyze"])
def test_a_lock_of_another_session_is_not_waited_for(request, alias, method):
    alias = request.getfixturevalue(alias)

    options = Options(timeout_ms=2_000, lock_timeout_ms=200)

    with locked(alias):
        found = answer(getattr(database_for(alias), method), "SELECT * FROM hostile", None, options)

    assert "Another session holds a lock on hostile" in found


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb", "on_sqlite"])
def test_the_schema_of_a_locked_table_is_known_or_left_out(request, alias):
    alias = request.getfixturevalue(alias)

    with locked(alias):
        started = monotonic()
        database_for(alias).schema(["hostile", "nowhere"])

    assert monotonic() - started < 8


def test_an_aborted_transaction_of_the_request_stays_as_it_is(on_postgres):
    connection = connections[on_postgres]
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        with suppress(DatabaseError):
            cursor.execute("SELECT 1 / 0")

    plan = database_for(on_postgres).explain("SELECT * FROM hostile", None, Options())

    assert plan.root is not None
    assert connection.connection.info.transaction_status == 3
    connection.connection.rollback()


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb", "on_sqlite"])
def test_a_closed_connection_of_the_request_stays_closed(request, alias):
    alias = request.getfixturevalue(alias)
    connections[alias].close()

    plan = database_for(alias).explain("SELECT * FROM hostile", None, Options())

    assert plan.root is not None
    assert connections[alias].connection is None


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb", "on_sqlite"])
def test_a_table_nobody_else_can_see_is_explained_in_words(request, alias):
    alias = request.getfixturevalue(alias)
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE hostile_temporary (id integer)")

    found = answer(database_for(alias).explain, "SELECT * FROM hostile_temporary", None, OPTIONS[0])

    assert "temporary" in found
    connections[alias].close()


class Listener:
    def __init__(self):
        self.heard = []

    def before(self, statement, frame):
        self.heard.append(statement.sql)

    after = before


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb", "on_sqlite", "in_memory"])
def test_nobody_hears_of_the_statements_of_the_panel(request, alias, settings, caplog):
    from debug_toolbar.panels.sql.tracking import wrap_cursor

    alias = request.getfixturevalue(alias)
    settings.DEBUG = True
    connection, listener, heard = connections[alias], Listener(), []
    connection.ensure_connection()
    connection.queries_log.clear()
    wrap_cursor(connection)
    connection._djdt_logger = type("Logger", (), {"record": lambda self, **query: heard.append(query)})()
    database = database_for(alias)

    with (
        caplog.at_level(logging.DEBUG),
        statements.listening(listener),
        connection.execute_wrapper(lambda execute, *args: heard.append(args) or execute(*args)),
    ):
        database.explain("SELECT * FROM hostile", None, Options())
        database.analyze("SELECT * FROM hostile WHERE id = %s", [1], Options())
        database.schema(["hostile"])
        database.may_try("hostile")

    assert (heard, listener.heard, connection.queries, caplog.messages) == ([], [], [], [])
    del connection.cursor, connection.chunked_cursor, connection._djdt_cursor, connection._djdt_logger


@pytest.mark.parametrize(
    ("alias", "statements_of_it"),
    [("on_postgres", ON_POSTGRESQL), ("on_mariadb", ON_MARIADB), ("on_sqlite", ON_SQLITE), ("in_memory", ON_SQLITE)],
)
def test_what_nobody_clicked_runs_nothing(request, alias, statements_of_it):
    alias = request.getfixturevalue(alias)
    database, automatic = database_for(alias), Options(timeout_ms=2_000, lock_timeout_ms=200, automatic=True)
    started = monotonic()

    for sql, params in {**EVERYWHERE, **LOCKING, **statements_of_it}.values():
        answer(database.explain, sql, params, automatic)
        assert "unless somebody clicks" in answer(database.analyze, sql, params, automatic)

    # Any sleep among them would take longer.
    assert monotonic() - started < 15
    assert database.explain("SELECT * FROM hostile WHERE id = %s", [1], automatic).root is not None


@pytest.mark.parametrize("alias", ["on_postgres", "on_mariadb"])
def test_a_view_needs_a_click_for_its_functions(request, alias):
    alias = request.getfixturevalue(alias)
    run(alias, "CREATE OR REPLACE VIEW hostile_names AS SELECT name FROM hostile")
    database, sql = database_for(alias), "SELECT * FROM hostile_names"

    with pytest.raises(NotPossible, match=r"the view hostile_names.*a click is needed"):
        database.explain(sql, None, Options(automatic=True))

    assert database.explain(sql, None, Options()).root is not None
    run(alias, "DROP VIEW hostile_names")


def test_a_table_on_another_server_is_not_written_to(on_postgres):
    if not run(on_postgres, "SELECT 1 FROM pg_available_extensions WHERE name = 'file_fdw'"):
        pytest.skip("This PostgreSQL has no file_fdw to make a foreign table with.")
    run(
        on_postgres,
        "CREATE EXTENSION file_fdw; CREATE SERVER hostile_files FOREIGN DATA WRAPPER file_fdw;"
        "CREATE FOREIGN TABLE hostile_foreign (a text) SERVER hostile_files OPTIONS (filename '/dev/null')",
    )

    with pytest.raises(NotPossible, match="hostile_foreign is on another server"):
        database_for(on_postgres).analyze("DELETE FROM hostile_foreign", None, Options(confirmed=True))

    run(on_postgres, "DROP EXTENSION file_fdw CASCADE")
