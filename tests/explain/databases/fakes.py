"""
A server that is not there: it notes what it is sent and answers from a list.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

from django.db import connections


class FakeCursor:
    def __init__(self, server):
        self.server = server
        self.answer = []

    def execute(self, sql, params=None):
        self.server.sent.append((sql, params))
        self.answer = next((rows for start, rows in self.server.answers.items() if sql.startswith(start)), [])
        if isinstance(self.answer, Exception):
            raise self.answer

    def fetchall(self):
        return self.answer

    def fetchone(self):
        return self.answer[0]

    def close(self):
        self.server.sent.append(("close cursor", None))


class FakeServer:
    """
    Stands in for ``own_connection``: a ``DatabaseWrapper`` with what the engines look at.
    """

    def __init__(self, answers, **attributes):
        self.sent = []
        self.answers = answers
        self.rolled_back = False
        self.opened = []
        self.raw = SimpleNamespace(thread_id=lambda: 7, rollback=self._rollback)
        self.attributes = attributes

    def _rollback(self):
        self.rolled_back = True

    @property
    def statements(self):
        return [sql for sql, _ in self.sent]

    @contextmanager
    def connect(self, alias, **options):
        self.opened.append(options)
        # SQLite's driver stands in for the one that is not installed: its errors are Django's too.
        yield SimpleNamespace(
            connection=self.raw,
            create_cursor=lambda: FakeCursor(self),
            Database=connections["default"].Database,
            ops=connections["default"].ops,
            **self.attributes,
        )
        self.sent.append(("close", None))
