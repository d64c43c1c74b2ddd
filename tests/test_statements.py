from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, connections
from django.db.backends.utils import CursorWrapper

from perf_panels import statements

pytestmark = pytest.mark.django_db(databases=["default", "other"])


class Ear:
    def __init__(self):
        self.began = []
        self.heard = []

    def before(self, statement, frame):
        self.began.append((statement.sql, frame.f_code.co_name))

    def after(self, statement):
        self.heard.append(statement)


@pytest.fixture
def ear():
    statements.install()
    return Ear()


def run(sql, params=None, using="default"):
    with connections[using].cursor() as cursor:
        cursor.execute(sql, params)


def test_a_statement_is_told_with_its_text_place_and_time(ear):
    with statements.listening(ear):
        run("SELECT 1 WHERE 1 = %s", [1])

    (heard,) = ear.heard
    assert (heard.sql, heard.params, heard.alias) == ("SELECT 1 WHERE 1 = %s", [1], "default")
    assert heard.vendor == connection.vendor
    assert (heard.many, heard.failed) == (False, False)
    assert heard.duration_ms > 0
    assert ear.began[0][0] == heard.sql


def test_nothing_is_told_outside_the_block(ear):
    with statements.listening(ear):
        pass
    run("SELECT 1")

    assert ear.heard == []


def test_a_statement_that_fails_is_told_and_raises_as_before(ear):
    with pytest.raises(DatabaseError), statements.listening(ear):
        run("SELECT no_such_column", using="other")

    assert [(heard.failed, heard.alias) for heard in ear.heard] == [(True, "other")]


def test_executemany_is_one_statement(ear):
    with statements.listening(ear), connections["other"].cursor() as cursor:
        cursor.executemany("INSERT INTO library_genre (name) VALUES (%s)", [["a"], ["b"]])

    assert [heard.many for heard in ear.heard] == [True]


def test_every_listener_is_told(ear):
    inner = Ear()
    with statements.listening(ear):
        run("SELECT 1")
        with statements.listening(inner):
            run("SELECT 2")

    assert [heard.sql for heard in ear.heard] == ["SELECT 1", "SELECT 2"]
    assert [heard.sql for heard in inner.heard] == ["SELECT 2"]


def test_installing_twice_wraps_once(ear):
    wrapper = CursorWrapper._execute_with_wrappers

    statements.install()

    assert CursorWrapper._execute_with_wrappers is wrapper
