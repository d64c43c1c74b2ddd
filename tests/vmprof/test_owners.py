"""
Whose time a frame of Django's database code is.
"""

from __future__ import annotations

import sys

import pytest
from django.db import connection

from perf_panels.vmprof import names, owners
from perf_panels.vmprof.samples import Frame
from tests.vmprof.profiles import DJANGO


@pytest.mark.parametrize(
    ("file", "function", "owner"),
    [
        ("db/utils.py", "DatabaseErrorWrapper.__call__.inner", owners.DRIVER),
        ("db/utils.py", "inner", owners.DRIVER),  # Python 3.10
        ("db/utils.py", "DatabaseErrorWrapper.__exit__", owners.ORM),
        ("db/utils.py", "ConnectionRouter._router_func._route_db", owners.ORM),
        ("db/backends/utils.py", "CursorWrapper.__iter__", owners.DRIVER),
        ("db/backends/utils.py", "CursorWrapper._execute", owners.DRIVER),
        ("db/models/query.py", "ModelIterable.__iter__", owners.ORM),
        ("db/transaction.py", "inner", owners.ORM),
    ],
)
def test_what_only_calls_into_the_driver_is_the_driver_s(file, function, owner):
    assert owners.role_of(Frame(f"{DJANGO}/{file}", 5, function)).owner == owner


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="only sqlite3 calls back from where it makes a row")
@pytest.mark.parametrize("fetch", ["fetchone", "fetchmany", "fetchall"])
def test_rows_are_made_in_a_frame_of_the_driver_s(fetch):
    innermost = []

    def row():
        frame = sys._getframe(1)
        innermost.append(names.frame_of(frame.f_code, frame.f_lineno))

    with connection.cursor() as cursor:
        connection.connection.create_function("perf_panels_row", 0, row)
        cursor.execute("SELECT perf_panels_row() FROM (VALUES (1), (2), (3))")
        innermost.clear()
        getattr(cursor, fetch)()

    assert [owners.role_of(frame).owner for frame in innermost[:1]] == [owners.DRIVER]
