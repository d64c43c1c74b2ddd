"""
Plans of MySQL 8.0 to 9.x, in a transaction that is READ ONLY wherever the server lets it be; ``mariadb`` builds on it.

MySQL never analyses a write: neither max_execution_time nor the end of the client stops one.
"""

from __future__ import annotations

import math
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from django.db import Error

from perf_panels.explain.databases import mysql_schema, permissions
from perf_panels.explain.databases.base import NotPossible, Options, Permission, Trial
from perf_panels.explain.databases.classify import Facts, check_with_values
from perf_panels.explain.databases.connections import (
    connect_timeout,
    given_connection,
    on_these,
    parameters_may_not_fit,
    rows,
    seconds,
)
from perf_panels.explain.databases.judged import Judged
from perf_panels.explain.plan import Plan
from perf_panels.explain.plans import parse
from perf_panels.explain.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator


_LOST, _INTERRUPTED, _LOCKED = 2013, 1317, 1205
_TIMEOUTS = frozenset({1969, 3024, _INTERRUPTED, _LOST})
_OURS = frozenset({"MySQLdb", "pymysql"})
_SENTENCES = {
    1146: "The server does not know a table: {message}. A temporary table cannot be seen from another connection.",
    1792: "It would write or lock, and was stopped by its read only transaction: {message}.",
    **dict.fromkeys((1044, 1142, 1143, 1227, 1345, 1370), "The database user lacks a privilege: {message}."),
    **dict.fromkeys((1040, 1045, 1049, 2002, 2003, 2005, 2006), "The database cannot be reached or used: {message}."),
}


class MySQL(Judged):
    """
    Implement ``Database`` for MySQL.
    """

    engine = "mysql"

    def explain(self, sql: str, params: Any, options: Options) -> Plan:
        facts = self._to_explain(sql, params, options)
        return self._plan(facts, params, options, analyze=False)

    def analyze(self, sql: str, params: Any, options: Options) -> Plan:
        facts = self._to_analyze(sql, params, options)
        return self._plan(facts, params, options, analyze=True)

    def schema(self, tables: list[str]) -> Schema:
        try:
            with self._session(Options()) as (connection, cursor):
                return mysql_schema.read(connection, cursor, tables)
        except NotPossible:
            return Schema()

    def may_try(self, table: str) -> Permission:
        return permissions.no(
            "An index cannot be tried here: this server makes it at once, for everybody, and no rollback removes it."
        )

    def try_index(self, sql: str, params: Any, create_index: str, options: Options) -> Trial:
        raise NotPossible(self.may_try("").reasons[0])

    def version(self) -> str:
        with self._session(Options()) as (_, cursor):
            return _version(cursor)

    def _words(self, version: tuple[int, ...], options: Options, *, analyze: bool) -> str:
        if not analyze:
            return "EXPLAIN FORMAT=JSON "
        if version >= (8, 3):
            return "EXPLAIN ANALYZE FORMAT=JSON "
        if version >= (8, 0, 18):
            return "EXPLAIN ANALYZE FORMAT=TREE "
        raise NotPossible("EXPLAIN ANALYZE needs MySQL 8.0.18 or later.")

    def _limits(self, version: tuple[int, ...], options: Options) -> list[str]:
        wait = _whole_seconds(options)
        limits = [
            f"SET SESSION max_execution_time = {int(options.timeout_ms)}",
            f"SET SESSION lock_wait_timeout = {wait}",
            f"SET SESSION innodb_lock_wait_timeout = {wait}",
        ]
        # EXPLAIN ANALYZE FORMAT=JSON is an error with version 1.
        return [*limits, "SET SESSION explain_json_format_version = 2"] if version >= (8, 3) else limits

    def _check_tables(self, cursor: Any, facts: Facts, *, analyze: bool) -> None:
        """
        Refuse a view whose functions nobody wants to run, or that no READ ONLY transaction would keep from writing.
        """
        views = [name for name, kind, _ in mysql_schema.tables_named(cursor, facts.names) if "VIEW" in kind]
        if views and not (facts.writes or facts.locks):
            raise NotPossible(f"It reads the view {views[0]}, whose functions planning may run: a click is needed.")
        if views:
            raise NotPossible(
                f"Its view {views[0]} may call functions, which EXPLAIN would run outside a read only transaction."
            )

    def _plan(self, facts: Facts, params: Any, options: Options, *, analyze: bool) -> Plan:
        guarded = not (facts.writes or facts.locks)
        with self._session(options, facts, read_only=guarded) as (connection, cursor):
            if options.automatic or not guarded:
                self._check_tables(cursor, facts, analyze=analyze)
            words = self._words(connection.mysql_version, options, analyze=analyze)
            with parameters_may_not_fit():
                answer = self._send(connection, cursor, words, facts, params)
            plan = self._read(answer, words, facts)
            cursor.execute("SHOW WARNINGS")
            _add_warnings(plan, cursor.fetchall(), options)
            plan.version = plan.version or _version(cursor)
            return plan

    def _read(self, answer: str, words: str, facts: Facts) -> Plan:
        if "FORMAT=TREE" not in words:
            return parse(self.engine, answer, facts.text)
        reason = (
            "This version measures in text only, whose numbers are rounded: no rule reads it. MySQL 8.3 gives JSON."
        )
        return Plan(self.engine, None, analyzed=True, text=answer, problem=reason)

    def _send(self, connection: Any, cursor: Any, words: str, facts: Facts, params: Any) -> str:
        text = facts.text
        if params is not None and hasattr(cursor, "mogrify"):
            text, params = cursor.mogrify(text, params), None
            text = text.decode() if isinstance(text, bytes) else text
            # The values stand in it now: what is sent is what is looked at.
            check_with_values(text, facts, self.engine)
        odd = connection.sql_mode & {"NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"}
        if odd and ("\\" in text or '"' in text):
            raise NotPossible(f"sql_mode {', '.join(odd)} changes where strings end: it could hide a second statement.")
        cursor.execute(words + text, params)
        found = cursor.fetchall()
        answer = found[0][0] if found else None
        if answer is None:
            raise NotPossible("The server gave no plan.")
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    @contextmanager
    def _session(
        self, options: Options, facts: Facts | None = None, *, read_only: bool = True
    ) -> Iterator[tuple[Any, Any]]:
        """
        Yield a connection and a raw cursor inside a limited transaction. Raises ``NotPossible`` for every refusal.
        """
        given = given_connection(self.alias)
        thread: int | None = None
        try:
            with self._connect(self.alias, **_driver_options(given, options)) as own:
                thread = own.connection.thread_id()
                with closing(own.create_cursor()) as cursor, self._transaction(own, cursor, options, read_only):
                    yield own, cursor
        except (Error, given.Database.Error) as error:
            if _code(error) == _LOST and thread is not None:
                self._kill(thread, given, options)
            raise NotPossible(_sentence(error, options, facts)) from error

    @contextmanager
    def _transaction(self, own: Any, cursor: Any, options: Options, read_only: bool) -> Iterator[None]:
        _refuse_several_statements(own.connection)
        for limit in self._limits(own.mysql_version, options):
            cursor.execute(limit)
        try:
            cursor.execute(f"START TRANSACTION READ {'ONLY' if read_only else 'WRITE'}")
            yield
        finally:
            # A connection that broke has rolled back already.
            with suppress(own.Database.OperationalError, own.Database.InterfaceError):
                cursor.execute("ROLLBACK")

    def _kill(self, thread: int, given: Any, options: Options) -> None:
        """
        End what the server still does for a client that has given up; measured: without it, it runs on for minutes.
        """
        with suppress(Error, given.Database.Error), self._connect(self.alias, **_driver_options(given, options)) as own:
            rows(own, f"KILL {int(thread)}")


def _whole_seconds(options: Options) -> int:
    return math.ceil(options.lock_timeout_ms / 1000)


def _driver_options(given: Any, options: Options) -> dict[str, int]:
    if given.Database.__name__ not in _OURS:
        return {}
    wait = connect_timeout(options)
    # The server's own limit comes first; this is for a statement that it does not stop.
    return {"connect_timeout": wait, "read_timeout": wait + 2, "write_timeout": wait + 2}


def _refuse_several_statements(raw: Any) -> None:
    # mysqlclient takes several at once unless told not to, and Django itself sends two when it connects.
    if hasattr(raw, "set_server_option"):
        raw.set_server_option(1)


def _version(cursor: Any) -> str:
    cursor.execute("SELECT VERSION()")
    return str(cursor.fetchone()[0])


def _add_warnings(plan: Plan, warnings: Any, options: Options) -> None:
    for level, code, message in warnings:
        if int(code) == _INTERRUPTED:
            plan.problem = f"The server stopped after {seconds(options.timeout_ms)}: the plan is cut off. {message}."
            plan.problem_rule = "partial-plan"
        elif level == "Warning" and len(plan.notes) < 20:
            plan.notes.append(f"The server warns ({code}): {message}")


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ if isinstance(error, Error) and error.__cause__ else error


def _code(error: BaseException) -> int | None:
    code = next(iter(_cause(error).args), None)
    return code if isinstance(code, int) else None


def _sentence(error: BaseException, options: Options, facts: Facts | None) -> str:
    code, cause = _code(error), _cause(error)
    message = str(cause.args[1] if len(cause.args) > 1 else cause).strip().rstrip(".")
    if code in _TIMEOUTS:
        return f"No plan within {seconds(options.timeout_ms)}: {message}."
    if code == _LOCKED:
        tables = on_these(facts.tables if facts else ())
        return f"Another session holds a lock on {tables}; waited {_whole_seconds(options)} s: {message}."
    return _SENTENCES.get(code or 0, "The database refuses: {message}.").replace("{message}", message)
