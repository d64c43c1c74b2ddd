"""
Plans of Oracle, without values: EXPLAIN PLAN takes none. Written from its documents; no server has tested it.
"""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.db import Error

from perf_panels.explain.databases import oracle_schema, permissions
from perf_panels.explain.databases.base import NotPossible, Options, Permission, Trial
from perf_panels.explain.databases.connections import given_connection, seconds
from perf_panels.explain.databases.judged import Judged
from perf_panels.explain.databases.tokens import tokens
from perf_panels.explain.plans import parse
from perf_panels.explain.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Plan

_DISPLAY = "SELECT plan_table_output FROM TABLE(DBMS_XPLAN.DISPLAY(NULL, %s, 'ALL'))"


class Oracle(Judged):
    """
    Implement ``Database`` for Oracle: estimated plans only.
    """

    engine = "oracle"

    def explain(self, sql: str, params: Any, options: Options) -> Plan:
        facts = self._to_explain(sql, params, options)
        statement_id = f"perf_panels_{uuid4().hex[:12]}"
        text = unbound(facts.text, placeholders=params is not None)
        with self._session(options) as cursor:
            # The driver looks for values of the placeholders in whatever it sends, but not in a string.
            explain = f"EXPLAIN PLAN SET STATEMENT_ID = '{statement_id}' FOR {text}"
            cursor.execute("BEGIN EXECUTE IMMEDIATE %s; END;", [explain])
            cursor.execute(_DISPLAY, [statement_id])
            plan = parse(self.engine, [str(line) for (line,) in cursor.fetchall()], facts.text)
        if params:
            plan.notes.append("Oracle planned it without the values of its parameters.")
        return plan

    def analyze(self, sql: str, params: Any, options: Options) -> Plan:
        raise NotPossible(" ".join(self.may_analyze(sql, params).reasons))

    def schema(self, tables: list[str]) -> Schema:
        try:
            with self._session(Options()) as cursor:
                return oracle_schema.read(cursor, tables)
        except NotPossible:
            return Schema()

    def may_try(self, table: str) -> Permission:
        return permissions.no("An index cannot be tried here: Oracle commits when it makes one.")

    def try_index(self, sql: str, params: Any, create_index: str, options: Options) -> Trial:
        raise NotPossible(self.may_try("").reasons[0])

    def version(self) -> str:
        with self._session(Options()) as cursor:
            return oracle_schema.version(cursor)

    @contextmanager
    def _session(self, options: Options) -> Iterator[Any]:
        given = given_connection(self.alias)
        try:
            with self._connect(self.alias) as own:
                raw = own.connection
                # Milliseconds for each round trip, in oracledb and cx_Oracle.
                raw.call_timeout = int(options.timeout_ms)
                # The plan is written to a table, so what is written must not stay.
                raw.autocommit = False
                with closing(own.create_cursor()) as cursor:
                    try:
                        yield cursor
                    finally:
                        with suppress(own.Database.Error):
                            raw.rollback()
        except (Error, given.Database.Error) as error:
            raise NotPossible(_sentence(error, options)) from error


def unbound(sql: str, *, placeholders: bool) -> str:
    """
    Return the statement with ``:argN`` for each ``%s``, as Django numbers them.
    """
    if not placeholders:
        return sql
    parts, at, number = [], 0, 0
    for token in tokens(sql, "oracle", placeholders=True):
        if token.kind == "placeholder":
            parts += [sql[at : token.start], f":arg{number}"]
            at, number = token.start + len(token.text), number + 1
    return "".join([*parts, sql[at:]]).replace("%%", "%")


def _sentence(error: Exception, options: Options) -> str:
    message = str(error.__cause__ if isinstance(error, Error) and error.__cause__ else error).strip().rstrip(".")
    if any(code in message for code in ("DPY-4024", "DPI-1067", "ORA-01013", "ORA-03136")):
        return f"No plan within {seconds(options.timeout_ms)}: {message}."
    if "ORA-00942" in message:
        return f"The server does not know a table, or PLAN_TABLE is missing: {message}."
    if "ORA-01031" in message:
        return f"The database user lacks a privilege: {message}."
    return f"The database refuses: {message}."
