"""
Collects the statements of one request for the EXPLAIN panel: folded while they run, so that a page of thousands of
them stays as fast as it was. Nothing is executed here.
"""

from __future__ import annotations

import logging
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perf_panels import origins, statements
from perf_panels.conf import get_config
from perf_panels.explain import awaiting

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator
    from types import FrameType

    from perf_panels.origins import Site
    from perf_panels.statements import Statement

logger = logging.getLogger("perf_panels")

_NO_MARKS: dict[str, dict[str, str]] = {}
# To the end of the text: PL/SQL's BEGIN … END and a second statement are no transaction control.
_TRANSACTION_CONTROL = re.compile(
    r"\s*(?:BEGIN(?:\s+[A-Z]+)*|(?:START\s+TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT|RELEASE)\b[^;]*)\s*;?\s*$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Executed:
    """
    All executions of one text on one alias; ``params`` are those of the slowest. ``site`` is where it was first seen.
    """

    alias: str
    vendor: str
    sql: str
    many: bool
    site: Site
    params: Any = None
    count: int = 0
    total_ms: float = 0.0
    worst_ms: float = 0.0
    rows: int | None = None
    failed: int = 0
    unsaid_rows: bool = False
    problem: str | None = None
    """Why the text cannot be explained again."""

    def add(self, statement: Statement) -> None:
        """
        Count one execution.
        """
        self.count += 1
        self.total_ms += statement.duration_ms
        self.failed += statement.failed
        if statement.rows is None:
            self.unsaid_rows = True
        else:
            self.rows = (self.rows or 0) + statement.rows
        if self.count == 1 or statement.duration_ms > self.worst_ms:
            self.worst_ms = statement.duration_ms
            # The caller may change its list afterwards; generators and iterators are used up by now.
            self.params = _kept(statement.params)


@dataclass
class Recording:
    """
    The statements of one request. ``failure`` is the first exception of ours; after it nothing more is collected.
    """

    executed: dict[tuple[str, Any, bool], Executed] = field(default_factory=dict)
    queries: int = 0
    omitted: int = 0
    failure: Exception | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    limit: int = field(default_factory=lambda: get_config().MAX_STATEMENTS)
    task: asyncio.Task[Any] | None = field(default_factory=awaiting.current_task)
    """That of an async view."""

    def before(self, statement: Statement, frame: FrameType) -> None:
        """
        Find out who asks, the first time a text is seen. Called by ``statements``.
        """
        if self.failure is not None:
            return
        try:
            statement.sql, problem = _text(statement.sql, statement.db)
            if _TRANSACTION_CONTROL.match(statement.sql):
                return
            key = (statement.alias, statement.sql, statement.many)
            if key not in self.executed and len(self.executed) < self.limit:
                site = self._site(frame)
                # Two threads may meet here with the same text: the first one's entry stays.
                executed = Executed(statement.alias, statement.vendor, statement.sql, statement.many, site)
                executed.problem = problem
                self.executed.setdefault(key, executed)
        except Exception as error:  # noqa: BLE001 - the host's query must run, whatever we do wrong
            self._fail(error)

    def after(self, statement: Statement) -> None:
        """
        Count the execution, now that its duration is known. Called by ``statements``.
        """
        if self.failure is not None:
            return
        try:
            if _TRANSACTION_CONTROL.match(statement.sql):
                return
            with self.lock:
                self.queries += 1
                executed = self.executed.get((statement.alias, statement.sql, statement.many))
                if executed is None:
                    self.omitted += 1
                else:
                    executed.add(statement)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def _site(self, frame: FrameType) -> Site:
        site, _ = origins.trace(frame, _NO_MARKS)
        known = site.file or site.template or site.edit_class
        return site if known or self.task is None else awaiting.waiting_site(self.task) or site

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        logger.error("The EXPLAIN panel stopped watching this request", exc_info=error)


@contextmanager
def recording_into(recording: Recording) -> Iterator[None]:
    """
    Collect the statements of this context into ``recording``.
    """
    with statements.listening(recording):
        yield


def _text(sql: Any, db: Any) -> tuple[str, str | None]:
    """
    Return the statement as text; psycopg's ``Composed`` and bytes are what Django lets through besides ``str``. Where
    there is none but Python's, the second is the sentence that says so.
    """
    if isinstance(sql, str):
        return sql, None
    if isinstance(sql, bytes):
        return sql.decode(errors="replace"), None
    as_string = getattr(sql, "as_string", None)
    if as_string is None:
        return str(sql), None
    try:
        # psycopg2 quotes names as the server of a connection does; psycopg can do without one.
        return str(as_string(db.connection if db is not None else None)), None
    except Exception as error:  # noqa: BLE001 - whatever a driver's object needs, the other statements are collected
        return repr(sql), f"cannot be explained again: {type(sql).__name__} gave no text: {error}"


def _kept(params: Any) -> Any:
    if type(params) is tuple or params is None:
        return params
    if isinstance(params, dict):
        return dict(params)
    return list(params) if isinstance(params, (list, tuple)) else params
