"""
Plans of PostgreSQL 13 to 19, with psycopg 3 and psycopg2, in a transaction that is READ ONLY and always rolled back.

Only a write that the user confirmed twice runs without READ ONLY.
"""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import Error

from perf_panels.explain.databases import permissions, postgresql_schema, trying_postgresql
from perf_panels.explain.databases.base import NotPossible, Options, Permission, Trial
from perf_panels.explain.databases.classify import Facts, check_with_values
from perf_panels.explain.databases.connections import (
    connect_timeout,
    given_connection,
    is_in_a_test,
    on_these,
    own_connection,
    parameters_may_not_fit,
    seconds,
)
from perf_panels.explain.databases.judged import Judged
from perf_panels.explain.plans import parse
from perf_panels.explain.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Plan

_LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_LEAST_IDLE_MS = 5_000
_CANCELED, _LOCKED, _READ_ONLY = "57014", "55P03", "25006"
_INVISIBLE = (
    " A table made in a transaction that is still open, or a temporary one, cannot be seen from another connection."
)
_SENTENCES = {
    "42P01": "The server does not know a table: {message}." + _INVISIBLE,
    "3F000": "The server does not know a schema: {message}.",
    "42501": "The database user lacks a privilege: {message}.",
    _READ_ONLY: "It would write, and was stopped by its read only transaction: {message}.",
}


class Session(NamedTuple):
    """
    A ``DatabaseWrapper`` and a raw cursor of it, in a transaction.
    """

    connection: Any
    cursor: Any


class PostgreSQL(Judged):
    """
    Implement ``Database`` for PostgreSQL and PostGIS.
    """

    engine = "postgresql"

    def explain(self, sql: str, params: Any, options: Options) -> Plan:
        facts = self._to_explain(sql, params, options)
        with self.session(options, facts) as session:
            view = options.automatic and postgresql_schema.first_of_kind(session.cursor, "v", facts.names)
            if view:
                raise NotPossible(f"It reads the view {view}, whose functions planning may run: a click is needed.")
            return self.plan(session, facts, params)

    def analyze(self, sql: str, params: Any, options: Options) -> Plan:
        facts = self._to_analyze(sql, params, options)
        writes = facts.writes or facts.locks
        with self.session(options, facts, read_only=not writes) as session:
            if facts.writes:
                foreign = postgresql_schema.first_of_kind(session.cursor, "f", facts.names)
                if foreign:
                    raise NotPossible(f"The table {foreign} is on another server, which may not undo what is run here.")
                # Django's foreign keys are deferred: unless checked at once, their cost is not in the plan.
                session.cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return self.plan(session, facts, params, analyze=True, timing=options.timing)

    def schema(self, tables: list[str]) -> Schema:
        try:
            with self.session(Options()) as (connection, cursor):
                return postgresql_schema.read(connection, cursor, tables)
        except NotPossible:
            return Schema()

    def may_try(self, table: str) -> Permission:
        try:
            with self.session(Options()) as (_, cursor):
                return trying_postgresql.may_try(cursor, table)
        except NotPossible as refusal:
            return permissions.no(str(refusal))

    def try_index(self, sql: str, params: Any, create_index: str, options: Options) -> Trial:
        facts = self._facts(sql, params)
        permissions.require(permissions.to_explain(facts, self.engine, automatic=False), options)
        return trying_postgresql.try_index(self, facts, params, create_index, options)

    def version(self) -> str:
        with self.session(Options()) as (_, cursor):
            cursor.execute("SHOW server_version")
            return str(cursor.fetchone()[0])

    def plan(self, session: Session, facts: Facts, params: Any, *, analyze: bool = False, timing: bool = True) -> Plan:
        """
        Return the plan in the transaction that the session is in.
        """
        version = int(session.connection.connection.info.server_version)
        with parameters_may_not_fit():
            answer = _send(session, explain_words(version, analyze=analyze, timing=timing), facts, params)
        plan = parse(self.engine, answer, facts.text)
        plan.version = plan.version or f"{version // 10000}.{version % 10000}"
        return plan

    @contextmanager
    def session(self, options: Options, facts: Facts | None = None, *, read_only: bool = True) -> Iterator[Session]:
        """
        Yield a connection and a raw cursor inside a limited transaction. Raises ``NotPossible`` for every refusal.
        """
        given = given_connection(self.alias)
        error_classes = (Error, given.Database.Error)
        try:
            with self._transaction(given, options, read_only) as session:
                yield session
        except error_classes as error:
            raise NotPossible(_sentence(error, options, facts)) from error

    @contextmanager
    def _transaction(self, given: Any, options: Options, read_only: bool) -> Iterator[Session]:
        # Idle is the transaction while the parameters are put in here: on a busy machine, longer than a short timeout.
        times = (options.timeout_ms, options.lock_timeout_ms, max(2 * options.timeout_ms, _LEAST_IDLE_MS))
        limits = "; ".join(f"SET LOCAL {name} = {int(time)}" for name, time in zip(_LIMITS, times, strict=True))
        if self._connect is own_connection and is_in_a_test(given) and _is_in_transaction(given):
            begin = f"SAVEPOINT perf_panels; {'SET TRANSACTION READ ONLY; ' if read_only else ''}{limits}"
            end = "ROLLBACK TO SAVEPOINT perf_panels; RELEASE SAVEPOINT perf_panels"
            with closing(given.create_cursor()) as cursor, _undone(given, cursor, begin, end):
                yield Session(given, cursor)
            return
        begin = f"BEGIN {'READ ONLY' if read_only else 'READ WRITE'}; {limits}"
        with (
            self._connect(self.alias, connect_timeout=connect_timeout(options)) as own,
            closing(own.create_cursor()) as cursor,
            _undone(own, cursor, begin, "ROLLBACK"),
        ):
            yield Session(own, cursor)


def explain_words(version: int, *, analyze: bool, timing: bool) -> str:
    """
    Return the EXPLAIN that a server of this version (150004 is 15.4) understands.
    """
    words = ["ANALYZE", "BUFFERS"] if analyze else []
    words += ["VERBOSE", *(["SETTINGS"] if version >= 120000 else [])]
    words += ["WAL"] if analyze and version >= 130000 else []
    words += ["TIMING OFF"] if analyze and not timing else []
    return f"EXPLAIN ({', '.join([*words, 'FORMAT JSON'])}) "


@contextmanager
def _undone(connection: Any, cursor: Any, begin: str, end: str) -> Iterator[None]:
    try:
        cursor.execute(begin)
        yield
    finally:
        # A connection that broke has rolled back already.
        with suppress(connection.Database.OperationalError, connection.Database.InterfaceError):
            cursor.execute(end)


def _send(session: Session, words: str, facts: Facts, params: Any) -> Any:
    connection, cursor = session
    if connection.connection.info.parameter_status("standard_conforming_strings") == "off":
        raise NotPossible("standard_conforming_strings is off: backslashes in strings could hide a second statement.")
    if params is not None and hasattr(cursor, "mogrify"):
        text = cursor.mogrify(facts.text, params)
        text = text.decode() if isinstance(text, bytes) else text
        # The values stand in it now: what is sent is what is looked at.
        check_with_values(text, facts, "postgresql")
        return _answer(session, words + text, None)
    return _answer(session, words + facts.text, params)


def _answer(session: Session, sql: str, params: Any) -> Any:
    connection, cursor = session
    driver = connection.Database
    if not hasattr(driver, "ClientCursor"):
        cursor.execute(sql, params)
        return cursor.fetchone()[0]
    # For a binary answer psycopg uses the extended protocol, in which the server takes no more than one statement. A
    # prepared statement would do that too, but stays behind in a connection pooler.
    with closing(driver.Cursor(connection.connection)) as plain:
        plain.execute(sql, params, prepare=False, binary=True)
        return plain.fetchone()[0]


def _is_in_transaction(given: Any) -> bool:
    # 2 is INTRANS in libpq: neither idle, nor active, nor aborted.
    return given.connection is not None and int(given.connection.info.transaction_status) == 2


def _sentence(error: Exception, options: Options, facts: Facts | None) -> str:
    cause = error.__cause__ if isinstance(error, Error) and error.__cause__ else error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    detail = getattr(cause, "diag", None)
    message = str(getattr(detail, "message_primary", None) or cause).strip().rstrip(".")
    if state == _CANCELED:
        return f"No plan within {seconds(options.timeout_ms)}: {message}."
    if state == _LOCKED:
        tables = on_these(facts.tables if facts else ())
        return f"Another session holds a lock on {tables}; waited {seconds(options.lock_timeout_ms)}: {message}."
    if state in _SENTENCES:
        return _SENTENCES[state].replace("{message}", message)
    # A driver that cannot connect knows no state, nor does one that cannot use the parameters.
    lost = type(cause).__name__ in {"OperationalError", "InterfaceError", "ConnectionTimeout"}
    if (state is None and lost) or (state or "").startswith(("08", "57P", "28", "53")):
        return f"The database cannot be reached or used: {message}."
    return f"The database refuses: {message}." if state else f"The statement cannot be sent: {message}."
