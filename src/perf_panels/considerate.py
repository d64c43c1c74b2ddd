"""
Writing to the toolbar's DatabaseStore without failing a request that is being served.

On SQLite the store reads before it writes, in a deferred transaction. While somebody else holds the lock for writing,
such a transaction cannot go on and fails at once with "database is locked", in the toolbar's own code: the page becomes
a 500 (https://www.sqlite.org/lang_transaction.html). So what is written beside requests takes the database for itself
before it begins, only when nobody is reading, and waits with no lock held: others wait then, and hardly ever fail.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from debug_toolbar.store import DatabaseStore
from django.db import OperationalError, connections, router

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_updating: dict[str, threading.Lock] = {}
"""By panel: a slow change of one holds up no other."""


def update_panel(store: Any, request_id: str, panel_id: str, change: Callable[[Any], Any]) -> Any:
    """
    Replace what a panel has stored by ``change(stored)`` and return it; None where the request is gone.

    Two updates in this process do not lose each other's change. So the work comes first and ``change`` only adds its
    result to what is stored by then.
    """
    with _updating.setdefault(panel_id, threading.Lock()):
        stored = store.panel(request_id, panel_id)
        if not stored:
            return None
        changed = change(stored)
        save_panel(store, request_id, panel_id, changed)
        return changed


def save_panel(store: Any, request_id: str, panel_id: str, stats: Any) -> None:
    """
    Store what a panel found, outside the toolbar's own time for it. Not for use while a page is made: it may wait.

    Raises ``django.db.OperationalError`` when the store's database stays locked.
    """
    for pause_s in PAUSES_S:
        if _saved(store, request_id, panel_id, stats):
            return
        time.sleep(pause_s)
    with taking_the_database(_connection(store)):
        store.save_panel(request_id, panel_id, stats)


def is_locked(error: Exception) -> bool:
    """
    Say whether an exception is SQLite's word that somebody else held the lock for too long.
    """
    return isinstance(error, OperationalError) and "is locked" in str(error)


def _saved(store: Any, request_id: str, panel_id: str, stats: Any) -> bool:
    try:
        with taking_the_database(_connection(store)):
            store.save_panel(request_id, panel_id, stats)
    except OperationalError:
        return False
    return True


@contextmanager
def taking_the_database(connection: Any) -> Iterator[None]:
    """
    Let transactions begin by locking the whole SQLite database, or raise ``OperationalError`` at once.

    Where the project has set a ``transaction_mode`` there is no such trouble, and in WAL mode no such remedy (check
    W005); other databases, and None, are left alone.
    """
    if connection is None or connection.vendor != "sqlite" or connection.transaction_mode or connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    driver = connection.connection
    (timeout_ms,) = driver.execute("PRAGMA busy_timeout").fetchone()
    connection.transaction_mode = "EXCLUSIVE"
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        yield
    finally:
        connection.transaction_mode = None
        driver.execute(f"PRAGMA busy_timeout = {timeout_ms}")


def _connection(store: Any) -> Any:
    """
    Return the connection that a store of the toolbar's writes to, or None for one that is in no database.
    """
    if not (isinstance(store, type) and issubclass(store, DatabaseStore)):
        return None
    from debug_toolbar.models import HistoryEntry

    return connections[router.db_for_write(HistoryEntry)]
