"""
Live databases with tables of their own, which tests reach without a transaction around them: what is committed there
is what another connection sees.
"""

from __future__ import annotations

from contextlib import closing, contextmanager

import pytest
from django.conf import settings
from django.db import connections

from perf_panels.explain.databases.connections import own_connection

POSTGRESQL = """
CREATE TABLE hostile (id serial PRIMARY KEY, name text NOT NULL, amount integer);
CREATE TABLE hostile_log (note text);
CREATE TABLE hostile_child (
    id serial PRIMARY KEY, parent_id integer REFERENCES hostile (id) DEFERRABLE INITIALLY DEFERRED
);
CREATE SEQUENCE hostile_sequence;
CREATE FUNCTION hostile_writes() RETURNS integer LANGUAGE plpgsql VOLATILE AS
    $$ BEGIN INSERT INTO hostile_log VALUES ('volatile'); RETURN 1; END $$;
CREATE FUNCTION hostile_lies() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM nextval('hostile_sequence'); PERFORM hostile_writes(); RETURN 1; END $$;
CREATE FUNCTION hostile_lies_and_sleeps() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN PERFORM pg_sleep(20); RETURN 1; END $$;
CREATE FUNCTION hostile_trigger() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO hostile_log VALUES ('trigger'); RETURN NULL; END $$;
CREATE TRIGGER hostile_trigger AFTER INSERT OR UPDATE OR DELETE ON hostile
    FOR EACH ROW EXECUTE FUNCTION hostile_trigger();
CREATE PROCEDURE hostile_procedure() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM hostile_log; END $$;
INSERT INTO hostile (name, amount) SELECT 'n' || g, g % 10 FROM generate_series(1, 3000) g;
TRUNCATE hostile_log;
INSERT INTO hostile_log VALUES ('kept');
ANALYZE hostile;
"""
MARIADB = (
    """CREATE TABLE hostile (
        id integer AUTO_INCREMENT PRIMARY KEY, name varchar(50) NOT NULL, amount integer, KEY hostile_amount (amount)
    ) ENGINE=InnoDB""",
    "CREATE TABLE hostile_myisam (id integer AUTO_INCREMENT PRIMARY KEY, name varchar(50)) ENGINE=MyISAM",
    "CREATE TABLE hostile_log (note varchar(50)) ENGINE=MyISAM",
    "CREATE TABLE hostile_triggers (id integer PRIMARY KEY) ENGINE=InnoDB",
    "CREATE TRIGGER hostile_trigger AFTER DELETE ON hostile_triggers FOR EACH ROW INSERT INTO hostile_log VALUES ('t')",
    "CREATE SEQUENCE hostile_sequence",
    """CREATE FUNCTION hostile_writes() RETURNS integer MODIFIES SQL DATA
    BEGIN INSERT INTO hostile_log VALUES ('function'); RETURN 1; END""",
    "CREATE PROCEDURE hostile_procedure() DELETE FROM hostile_log",
    "CREATE VIEW hostile_view AS SELECT d.a FROM (SELECT hostile_writes() AS a) d",
    "INSERT INTO hostile (name, amount) SELECT CONCAT('n', seq), seq % 10 FROM seq_1_to_3000",
    "INSERT INTO hostile_myisam (name) SELECT name FROM hostile LIMIT 10",
    "INSERT INTO hostile_triggers SELECT id FROM hostile LIMIT 10",
    "INSERT INTO hostile_log VALUES ('kept')",
)
SQLITE = """
CREATE TABLE hostile (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, amount integer);
CREATE TABLE hostile_log (note text);
CREATE INDEX hostile_name ON hostile (name);
CREATE TRIGGER hostile_trigger AFTER DELETE ON hostile BEGIN INSERT INTO hostile_log VALUES ('trigger'); END;
WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 3000)
    INSERT INTO hostile (name, amount) SELECT 'n' || n, n % 10 FROM g;
INSERT INTO hostile_log VALUES ('kept');
ANALYZE;
"""


@contextmanager
def another_alias(name, database):
    places = (connections.settings, settings.DATABASES)
    for place in places:
        place[name] = database
    connections.configure_settings(connections.settings)
    try:
        yield name
    finally:
        connections[name].close()
        del connections[name]
        for place in places:
            place.pop(name, None)


def run(alias, *sql):
    """
    Run and commit statements, and return the rows of the last one.
    """
    with own_connection(alias) as connection, closing(connection.create_cursor()) as cursor:
        for statement in sql:
            cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture(scope="package")
def unblocked(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="package")
def on_postgres(postgres, unblocked):
    run(postgres, POSTGRESQL)
    yield postgres
    connections[postgres].close()
    run(
        postgres,
        "DROP TABLE hostile, hostile_log, hostile_child CASCADE; DROP SEQUENCE hostile_sequence CASCADE;"
        "DROP FUNCTION hostile_writes, hostile_lies, hostile_lies_and_sleeps, hostile_trigger;"
        "DROP PROCEDURE hostile_procedure",
    )


@pytest.fixture(scope="package")
def on_mariadb(mariadb, unblocked):
    run(mariadb, *MARIADB)
    yield mariadb
    connections[mariadb].close()
    run(
        mariadb,
        "DROP VIEW hostile_view",
        "DROP TABLE hostile, hostile_myisam, hostile_log, hostile_triggers",
        "DROP SEQUENCE hostile_sequence",
        "DROP FUNCTION hostile_writes",
        "DROP PROCEDURE hostile_procedure",
    )


@pytest.fixture(scope="package")
def on_sqlite(tmp_path_factory, unblocked):
    path = tmp_path_factory.mktemp("databases") / "file.sqlite3"
    path.touch()
    with another_alias("file", {"ENGINE": "django.db.backends.sqlite3", "NAME": path}) as name:
        with own_connection(name) as connection:
            connection.connection.executescript(SQLITE)
        yield name


@pytest.fixture
def in_memory(unblocked):
    with another_alias("memory", {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}) as name:
        connections[name].ensure_connection()
        connections[name].connection.executescript(SQLITE)
        yield name
        raw = connections[name].connection
        connections[name].connection = None
        raw.close()
