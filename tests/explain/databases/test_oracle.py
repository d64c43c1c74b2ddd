from __future__ import annotations

import pytest
from django.db import connections

from perf_panels.explain.databases.base import NotPossible, Options
from perf_panels.explain.databases.oracle import Oracle, unbound
from tests.explain.databases.fakes import FakeServer

LINES = """Plan hash value: 1

--------------------------------------------------------------------------
| Id  | Operation         | Name | Rows  | Bytes | Cost (%CPU)| Time     |
--------------------------------------------------------------------------
|   0 | SELECT STATEMENT  |      |     1 |    13 |     2   (0)| 00:00:01 |
|*  1 |  TABLE ACCESS FULL| T    |     1 |    13 |     2   (0)| 00:00:01 |
--------------------------------------------------------------------------

Predicate Information (identified by operation id):
---------------------------------------------------

   1 - filter("A"=:ARG0)""".split("\n")  # noqa: SIM905 - as a terminal shows it


def server(**answers):
    return FakeServer({"SELECT plan_table_output": [(line,) for line in LINES], **answers})


def test_the_plan_is_made_without_values_and_rolled_back():
    fake = server()

    plan = Oracle("default", fake.connect).explain("SELECT * FROM t WHERE a = %s", [5], Options(timeout_ms=700))

    (block, (text,)), (display, (statement_id,)) = fake.sent[:2]
    assert block == "BEGIN EXECUTE IMMEDIATE %s; END;"
    assert text == f"EXPLAIN PLAN SET STATEMENT_ID = '{statement_id}' FOR SELECT * FROM t WHERE a = :arg0"
    assert "DBMS_XPLAN.DISPLAY(NULL, %s, 'ALL')" in display
    assert fake.rolled_back
    assert (fake.raw.autocommit, fake.raw.call_timeout) == (False, 700)
    assert plan.root is not None
    assert "without the values" in plan.notes[-1]


def test_placeholders_become_oracles():
    assert unbound("SELECT %s, '%s', b %% 2 FROM t WHERE a = %s", placeholders=True) == (
        "SELECT :arg0, '%s', b % 2 FROM t WHERE a = :arg1"
    )
    assert unbound("SELECT '%s'", placeholders=False) == "SELECT '%s'"


def test_nothing_is_measured_or_tried():
    fake = server()
    database = Oracle("default", fake.connect)

    with pytest.raises(NotPossible, match="only the estimated plan"):
        database.analyze("SELECT 1 FROM dual", None, Options(confirmed=True))
    with pytest.raises(NotPossible, match="commits"):
        database.try_index("SELECT 1 FROM dual", None, "CREATE INDEX a ON t (b)", Options(confirmed=True))
    assert fake.sent == []


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("DPY-4024: call timeout of 5000 ms exceeded", "No plan within 5 s"),
        ("ORA-00942: table or view does not exist", "The server does not know a table, or PLAN_TABLE is missing"),
        ("ORA-01031: insufficient privileges", "The database user lacks a privilege"),
        ("ORA-00900: invalid SQL statement", "The database refuses"),
    ],
)
def test_what_the_server_refuses_is_a_sentence(message, sentence):
    fake = server(BEGIN=connections["default"].Database.DatabaseError(message))

    with pytest.raises(NotPossible) as raised:
        Oracle("default", fake.connect).explain("SELECT 1 FROM dual", None, Options())

    assert str(raised.value) == f"{sentence}: {message}."
    assert fake.rolled_back


def test_the_schema_comes_from_the_users_own_views():
    fake = server(
        **{
            "SELECT version": [("23.4.0.24.05",)],
            "SELECT table_name, num_rows": [("T", 5, "2026-01-01")],
            "SELECT table_name, column_name": [("T", "A", "NUMBER"), ("U", "B", "NUMBER")],
            "SELECT i.table_name": [("T", "I", "UNIQUE", "A"), ("T", "I", "UNIQUE", "SYS_NC00003$")],
        }
    )

    schema = Oracle("default", fake.connect).schema(["t"])

    table = schema.tables["T"]
    assert (schema.version, table.rows, table.columns, table.analysed) == ("23.4.0.24.05", 5, {"A": "NUMBER"}, True)
    assert (table.indexes[0].columns, table.indexes[0].unique) == (("A", ""), True)
