from __future__ import annotations

import pytest
from django.db import connections

from perf_panels.explain.advice import findings
from perf_panels.explain.indexes import suggest
from perf_panels.explain.plan import Plan
from perf_panels.explain.rules.base import IndexNeed, Match
from perf_panels.explain.schema import Schema, Table

COLUMNS = {
    "id": "bigint(20)",
    "title": "varchar(250)",
    "body": "longtext",
    "raw": "mediumblob",
    "hint": "tinytext",
    "data": "json",
}
SCHEMA = Schema(tables={"note": Table("note", columns=COLUMNS)})
CUT = {
    "equality": {"equality": ("body",)},
    "bytes": {"equality": ("raw",)},
    "a short text": {"equality": ("title", "hint")},
    "a range": {"equality": ("title",), "range_": "body"},
    "two, and an order": {"equality": ("body", "hint"), "order": (("id", True),)},
    "a state": {"equality": ("title",), "condition": (("body", "eq", "open"),)},
}
IMPOSSIBLE = {
    "order": {"order": (("body", False),)},
    "equality, then order": {"equality": ("title",), "order": (("body", True),)},
    "a part of JSON": {"equality": ("data",)},
    "an expression": {"expression": "lower(`body`)", "wrapped": ("lower", "body")},
}


def made(engine, **need):
    return suggest(IndexNeed("note", **need), SCHEMA, engine)


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_a_long_text_is_indexed_by_its_first_characters(engine):
    suggestion = made(engine, equality=("title", "body"), order=(("id", True),))

    assert suggestion.sql.endswith(" ON `note` (`title`, `body`(100))")
    assert suggestion.code.startswith("migrations.RunSQL(")


@pytest.mark.parametrize("engine", ["postgresql", "sqlite"])
def test_elsewhere_a_text_is_indexed_whole(engine):
    assert made(engine, equality=("body",)).sql.endswith(' ON "note" ("body")')


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_no_index_can_do_is_said_in_place_of_one(case):
    need = IndexNeed("note", **IMPOSSIBLE[case])
    match = Match(None, "warning", "", "", "Index {columns}", "note", ("body",), index=need)

    (finding,) = findings([match], Plan("mysql", None), SCHEMA)

    assert finding.code is None
    assert finding.advice.startswith("MySQL ")
    assert finding.advice.endswith(".")


@pytest.fixture
def notes(mariadb, django_db_blocker):
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with django_db_blocker.unblock(), connections[mariadb].cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE TABLE note ({columns}, PRIMARY KEY (id))")
        yield cursor
        cursor.execute("DROP TABLE note")
    connections[mariadb].close()


@pytest.mark.parametrize("case", CUT)
def test_the_server_makes_what_is_suggested(case, notes):
    suggestion = made("mariadb", **CUT[case])

    notes.execute(suggestion.sql)

    notes.execute("SHOW INDEX FROM note WHERE Key_name = %s", [suggestion.name])
    assert "note" in {row[0] for row in notes.fetchall()}
