from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from perf_panels import considerate


class BusyStore:
    """
    A store of which the first ``failures`` writes meet another process's.
    """

    def __init__(self, failures):
        self.failures, self.saved = failures, []

    def save_panel(self, request_id, panel_id, stats):
        if self.failures:
            self.failures -= 1
            raise OperationalError("database is locked")
        self.saved.append((request_id, panel_id, stats))


def test_a_write_is_tried_again_where_the_database_is_locked(monkeypatch):
    monkeypatch.setattr(considerate, "PAUSES_S", (0, 0))
    store = BusyStore(failures=2)

    considerate.save_panel(store, "id", "Panel", {"rows": [1]})

    assert store.saved == [("id", "Panel", {"rows": [1]})]


def test_a_write_that_never_succeeds_says_so(monkeypatch):
    monkeypatch.setattr(considerate, "PAUSES_S", (0, 0))

    with pytest.raises(OperationalError):
        considerate.save_panel(BusyStore(failures=3), "id", "Panel", {})


@pytest.fixture
def connection(tmp_path, django_db_blocker):
    name = str(tmp_path / "store.sqlite3")
    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})
    connection = handler["default"]
    connection.inc_thread_sharing()
    with django_db_blocker.unblock():
        connection.cursor().execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, text TEXT)")
        yield connection
        connection.close()


def write_until(stopped, connection, written):
    while not stopped.is_set():
        try:
            with considerate.taking_the_database(connection):
                connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
                connection.cursor().execute("INSERT INTO entries (text) VALUES ('ours')")
                time.sleep(0.003)
                connection.commit()
            written.append(True)
        except OperationalError:
            connection.rollback()
        finally:
            connection.set_autocommit(True)
        time.sleep(0.001)


def test_a_transaction_that_reads_and_then_writes_hardly_ever_fails_because_of_ours(connection):
    stopped, written, begun, failed = threading.Event(), [], 0, []
    writer = threading.Thread(target=write_until, args=(stopped, connection, written))
    writer.start()
    host = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=10)
    try:
        deadline = time.monotonic() + 10
        while (len(written) < 20 or time.monotonic() < deadline - 9) and time.monotonic() < deadline:
            begun += 1
            try:
                host.execute("BEGIN")
                host.execute("SELECT count(*) FROM entries").fetchall()
                host.execute("INSERT INTO entries (text) VALUES ('host')")
                host.execute("COMMIT")
            except sqlite3.OperationalError as error:
                failed.append(str(error))
                host.execute("ROLLBACK")
            time.sleep(0.001)
    finally:
        stopped.set()
        writer.join()
        host.close()

    assert len(written) >= 20
    # SQLite takes its locks one after the other: some microseconds are left.
    assert len(failed) <= max(1, begun / 50)


def test_the_connection_is_as_it_was_afterwards(connection):
    with considerate.taking_the_database(connection):
        pass

    assert connection.transaction_mode is None
    assert connection.connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)


def test_a_project_with_a_transaction_mode_of_its_own_is_left_alone(connection):
    connection.transaction_mode = "IMMEDIATE"

    with considerate.taking_the_database(connection):
        assert connection.transaction_mode == "IMMEDIATE"
