from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from perf_panels.explain.collect import Recording
from perf_panels.explain.report import report
from perf_panels.statements import Statement

CONNECTION = object()


class Composed:
    """
    As psycopg2's, which insists on a connection.
    """

    def as_string(self, context):
        if context is not CONNECTION:
            msg = "argument 2 must be a connection or a cursor"
            raise TypeError(msg)
        return 'SELECT "a"'

    def __repr__(self):
        return "Composed([SQL('SELECT '), Identifier('a')])"


def collected(*texts, connection=CONNECTION):
    recording = Recording()
    for sql in texts:
        db = SimpleNamespace(connection=connection)
        statement = Statement("default", "postgresql", sql, None, False, 0.0, db=db)
        recording.before(statement, sys._getframe())
        recording.after(statement)
    assert recording.failure is None
    return {group["sql"]: group["params_problem"] for group in report(recording, 100.0)["groups"]}


@pytest.mark.parametrize("sql", [Composed(), b'SELECT "a"', 'SELECT "a"'])
def test_whatever_a_driver_takes_is_read_as_text(sql):
    assert collected(sql) == {'SELECT "a"': None}


def test_what_gives_no_text_is_kept_with_its_reason_and_the_others_go_on():
    found = collected("SELECT 1", Composed(), "SELECT b", connection=None)

    assert found == {
        "SELECT 1": None,
        repr(Composed()): (
            "cannot be explained again: Composed gave no text: argument 2 must be a connection or a cursor"
        ),
        "SELECT b": None,
    }


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN",
        "BEGIN IMMEDIATE",
        "start transaction read only",
        "COMMIT",
        "ROLLBACK TO SAVEPOINT s1",
        "SAVEPOINT s1",
        "RELEASE SAVEPOINT s1;",
    ],
)
def test_transaction_control_is_left_out(sql):
    assert collected("SELECT 1", sql) == {"SELECT 1": None}


@pytest.mark.parametrize("sql", ["BEGIN pay(1); END;", "COMMIT; DELETE FROM t", "SELECT 1 AS rollback"])
def test_what_only_looks_like_it_is_a_statement(sql):
    assert collected(sql) == {sql: None}


def test_transaction_control_is_not_counted():
    recording = Recording(limit=1)
    for sql in ("SELECT 1", "BEGIN", "SELECT 2"):
        statement = Statement("default", "sqlite", sql, None, False, 0.0)
        recording.before(statement, sys._getframe())
        recording.after(statement)

    assert (recording.queries, recording.omitted) == (2, 1)
