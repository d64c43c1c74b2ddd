"""
The SQL statements of a request, recorded once and shared by the panels that look at them.

``install`` puts one wrapper around ``CursorWrapper._execute_with_wrappers``: it is Django's own meeting point of every
statement of every alias and thread (``execute_wrapper`` is a list per connection, and a request may open connections in
threads we never see). With nobody listening in the current context it calls the original at once.
"""

from __future__ import annotations

import functools
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from django.db.backends import utils

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

_MARK = "_perf_panels_statements"
_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("perf_panels_listeners", default=())


@dataclass(slots=True)
class Statement:
    """
    One execution: where it went, what it said, when it began (``perf_counter`` seconds) and how long it took.
    """

    alias: str
    vendor: str
    sql: str
    params: Any
    many: bool
    started: float
    duration_ms: float = 0.0
    failed: bool = False
    rows: int | None = None
    """Fetched or changed, where the driver knows it as soon as the statement has run."""
    db: Any = None
    """Django's connection."""


class Listener(Protocol):
    """
    Told of each statement in its own context: ``before`` with the calling frame, ``after`` with the duration filled in.
    """

    def before(self, statement: Statement, frame: FrameType) -> None: ...

    def after(self, statement: Statement) -> None: ...


def install() -> None:
    """
    Put the wrapper in place; a second call does nothing.
    """
    # django-stubs does not know the method.
    wrapper_class: Any = utils.CursorWrapper
    original = wrapper_class._execute_with_wrappers
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def _execute_with_wrappers(self: Any, sql: Any, params: Any, many: bool, executor: Callable[..., Any]) -> Any:
        if not _listeners.get():
            return original(self, sql, params, many, executor)
        return _told(self, sql, params, many, functools.partial(original, self, sql, params, many, executor))

    original_callproc = wrapper_class.callproc

    @functools.wraps(original_callproc)
    def callproc(self: Any, procname: Any, params: Any = None, kparams: Any = None) -> Any:
        if not _listeners.get():
            return original_callproc(self, procname, params, kparams)

        # The name alone: what a driver makes of it is its own business, and no plan can be made of it anyway.
        run = functools.partial(original_callproc, self, procname, params, kparams)
        return _told(self, f"CALL {procname}", params, False, run)

    setattr(_execute_with_wrappers, _MARK, True)
    wrapper_class._execute_with_wrappers = _execute_with_wrappers
    wrapper_class.callproc = callproc


def _told(wrapper: Any, sql: Any, params: Any, many: bool, run: Callable[[], Any]) -> Any:
    """
    Run a statement and tell the listeners of it.
    """
    listeners = _listeners.get()
    statement = Statement(wrapper.db.alias, wrapper.db.vendor, sql, params, many, 0.0, db=wrapper.db)
    # Frame 0 is this one, 1 our wrapper, 2 Django's or the user's call.
    frame = sys._getframe(2)
    for listener in listeners:
        listener.before(statement, frame)
    statement.started = perf_counter()
    try:
        result = run()
    except BaseException:
        statement.failed = True
        raise
    else:
        statement.rows = _rows_of(wrapper.cursor)
        return result
    finally:
        statement.duration_ms = (perf_counter() - statement.started) * 1000
        for listener in listeners:
            listener.after(statement)


def _rows_of(cursor: Any) -> int | None:
    rows = getattr(cursor, "rowcount", None)
    return rows if isinstance(rows, int) and rows >= 0 else None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """
    Tell ``listener`` of the statements of this context: this thread or task, and those Django starts from it.
    """
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)


@contextmanager
def silent() -> Iterator[None]:
    """
    Tell nobody of the statements of this context: for the panels' own.
    """
    token = _listeners.set(())
    try:
        yield
    finally:
        _listeners.reset(token)
