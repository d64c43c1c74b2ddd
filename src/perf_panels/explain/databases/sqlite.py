"""
Plans of SQLite 3.35 and later. EXPLAIN QUERY PLAN runs nothing; there is no ANALYZE, so a SELECT can be run and timed.

A file is opened a second time; a database in memory is the application's own connection, left as it was found.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from django.db import Error

from perf_panels import statements
from perf_panels.explain.databases import permissions, sqlite_schema, trying_sqlite
from perf_panels.explain.databases.base import NotPossible, Options, Permission, Trial
from perf_panels.explain.databases.connections import (
    given_connection,
    on_these,
    parameters_may_not_fit,
    rows,
    seconds,
)
from perf_panels.explain.databases.judged import Judged
from perf_panels.explain.plan import JOINS, TABLE_SCANS
from perf_panels.explain.plans import parse
from perf_panels.explain.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.databases.classify import Facts
    from perf_panels.explain.plan import Plan

_STEPS = 2_000
"""Instructions of SQLite's machine between two looks at the clock: some ten microseconds."""
_INVISIBLE = (
    ". A table made in a transaction that is still open, or a temporary one, cannot be seen from another connection."
)


class SQLite(Judged):
    """
    Implement ``Database`` for SQLite and SpatiaLite.
    """

    engine = "sqlite"

    def explain(self, sql: str, params: Any, options: Options) -> Plan:
        facts = self._to_explain(sql, params, options)
        with self.session(options, facts) as connection:
            return self.plan(connection, facts, params)

    def analyze(self, sql: str, params: Any, options: Options) -> Plan:
        facts = self._to_analyze(sql, params, options)
        with self.session(options, facts) as connection:
            plan = self.plan(connection, facts, params)
            with parameters_may_not_fit():
                count, elapsed_ms = _run(connection, facts.text, params)
            plan.execution_ms = elapsed_ms
            plan.notes.append(
                f"Run once: {count:,} rows in {elapsed_ms:.1f} ms, fetching included. SQLite measures no single step."
            )
            # As a count of what a scan or a join read it would say that nothing was filtered out.
            if plan.root is not None and plan.root.kind not in TABLE_SCANS | JOINS:
                plan.root.act_rows, plan.root.loops = float(count), 1.0
            return plan

    def schema(self, tables: list[str]) -> Schema:
        try:
            with self.session(Options()) as connection:
                return sqlite_schema.read(connection, tables)
        except NotPossible:
            return Schema()

    def may_try(self, table: str) -> Permission:
        return Permission("yes", ("The index is made in a copy in memory, of the tables' definitions and statistics.",))

    def try_index(self, sql: str, params: Any, create_index: str, options: Options) -> Trial:
        facts = self._facts(sql, params)
        permissions.require(permissions.to_explain(facts, self.engine, automatic=False), options)
        return trying_sqlite.try_index(self, facts, params, create_index, options)

    def version(self) -> str:
        return str(given_connection(self.alias).Database.sqlite_version)

    def plan(self, connection: Any, facts: Facts, params: Any) -> Plan:
        """
        Return the plan on this connection.
        """
        with parameters_may_not_fit():
            answer = rows(connection, f"EXPLAIN QUERY PLAN {facts.text}", params)
        plan = parse(self.engine, answer, facts.text)
        plan.version = plan.version or self.version()
        return plan

    @contextmanager
    def session(self, options: Options, facts: Facts | None = None) -> Iterator[Any]:
        """
        Yield a connection that cannot write and stops at the time limit. Raises ``NotPossible`` for every refusal.
        """
        given = given_connection(self.alias)
        try:
            with statements.silent(), self._opened(given, options) as connection, _limited(connection, options):
                yield connection
        except (Error, given.Database.Error, given.Database.Warning) as error:
            raise NotPossible(_sentence(error, options, facts)) from error

    @contextmanager
    def _opened(self, given: Any, options: Options) -> Iterator[Any]:
        if given.is_in_memory_db():
            given.ensure_connection()
            given.validate_thread_sharing()
            yield given
            return
        path = _path(str(given.settings_dict["NAME"]))
        if not path.exists():
            # SQLite would make an empty file.
            raise NotPossible(f"There is no file {path}.")
        with self._connect(self.alias, timeout=options.lock_timeout_ms / 1000) as own:
            # The wait that the settings ask for is the application's, not a panel's.
            rows(own, f"PRAGMA busy_timeout = {int(options.lock_timeout_ms)}")
            yield own


@contextmanager
def _limited(connection: Any, options: Options) -> Iterator[None]:
    raw = connection.connection
    ((was_query_only,),) = rows(connection, "PRAGMA query_only")
    deadline = monotonic() + options.timeout_ms / 1000
    try:
        rows(connection, "PRAGMA query_only = ON")
        raw.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
        yield
    finally:
        raw.set_progress_handler(None, 0)
        rows(connection, f"PRAGMA query_only = {int(was_query_only)}")


def _run(connection: Any, sql: str, params: Any) -> tuple[int, float]:
    with closing(connection.create_cursor()) as cursor:
        started = perf_counter()
        cursor.execute(sql, params)
        count = sum(len(some) for some in iter(lambda: cursor.fetchmany(1_000), []))
        return count, (perf_counter() - started) * 1000


def _path(name: str) -> Path:
    return Path(unquote(urlsplit(name).path)) if name.startswith("file:") else Path(name)


def _sentence(error: Exception, options: Options, facts: Facts | None) -> str:
    message = str(error.__cause__ if isinstance(error, Error) and error.__cause__ else error).rstrip(".")
    if message == "interrupted":
        return f"No plan within {seconds(options.timeout_ms)}: {message}."
    if "locked" in message or "busy" in message:
        tables = on_these(facts.tables if facts else ())
        return f"Another session holds a lock on {tables}; waited {seconds(options.lock_timeout_ms)}: {message}."
    if message.startswith("no such table"):
        return f"SQLite does not know a table: {message}{_INVISIBLE}"
    if "readonly" in message:
        return f"It would write, and was stopped: {message}."
    return f"SQLite refuses: {message}."
