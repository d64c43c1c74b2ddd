"""
A connection of our own for every question, so that the application's keeps its transaction, settings and locks.

It is opened, used raw and closed again in one ``with``: no panel, no listener, no logger and no pool hears of it.
"""

from __future__ import annotations

import math
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from django.db import DEFAULT_DB_ALIAS, Error, connections

from perf_panels import statements
from perf_panels.explain.databases.base import NotPossible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perf_panels.explain.databases.base import Options

    Connect = Callable[..., Any]


def given_connection(alias: str = DEFAULT_DB_ALIAS) -> Any:
    """
    Return the application's own connection of this thread; only its class and settings are of use here.
    """
    return connections[alias]


@contextmanager
def own_connection(alias: str, *, name: str | None = None, **options: Any) -> Iterator[Any]:
    """
    Yield a connected ``DatabaseWrapper`` of ``alias``; ``options`` are for the driver where the settings say nothing.
    """
    given = given_connection(alias)
    # As ``given.copy()`` does, but without its deepcopy, which fails on an SSLContext, and without the pool.
    settings = {**given.settings_dict, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False}
    kept = {key: value for key, value in given.settings_dict["OPTIONS"].items() if key != "pool"}
    settings["OPTIONS"] = {**options, **kept}
    if name is not None:
        settings["NAME"] = name
    own = type(given)(settings, alias)
    # With DEBUG Django logs what a cursor runs; opening a connection runs statements of its own.
    own.make_debug_cursor = own.make_cursor
    with statements.silent():
        try:
            own.ensure_connection()
            yield own
        finally:
            # What is broken already may fail to close.
            with suppress(Error, own.Database.Error):
                own.close()
                # Django never closes a database in memory, and one of ours is nobody else's.
                if own.connection is not None:
                    own.connection.close()


def connect_timeout(options: Options) -> int:
    """
    Return whole seconds for a driver's ``connect_timeout``; PostgreSQL takes less than 2 for 2.
    """
    return max(2, math.ceil(options.timeout_ms / 1000))


def is_in_a_test(given: Any) -> bool:
    """
    Say whether the connection is inside the transaction of a TestCase, whose rows nobody else can see.
    """
    return any(getattr(block, "_from_testcase", False) for block in getattr(given, "atomic_blocks", ()))


def seconds(milliseconds: float) -> str:
    """
    Return a time limit for a sentence.
    """
    return f"{milliseconds / 1000:g} s"


def on_these(tables: tuple[str, ...]) -> str:
    """
    Name the tables of a statement, at most three of them.
    """
    return " or ".join(tables[:3]) + (" or another" if len(tables) > 3 else "") if tables else "a table"


@contextmanager
def parameters_may_not_fit() -> Iterator[None]:
    """
    Turn what drivers raise for parameters they cannot use, each in its own way, into a sentence.
    """
    try:
        yield
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise NotPossible(f"The parameters do not fit the statement: {type(error).__name__}: {error}.") from error


def rows(connection: Any, sql: str, params: Any = None) -> list[tuple[Any, ...]]:
    """
    Return all rows of a statement of ours.
    """
    with closing(connection.create_cursor()) as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = list(cursor.fetchall())
        return found
