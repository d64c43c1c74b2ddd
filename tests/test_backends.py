from __future__ import annotations

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, connections

from tests import backends


@pytest.mark.django_db(databases=["default", "postgres"])
def test_a_postgres_database_stands_beside_the_default_one(postgres):
    assert connections[postgres].vendor == "postgresql"
    assert ContentType._meta.db_table in connections[postgres].introspection.table_names()


@pytest.mark.django_db(databases=["default", "mariadb"])
def test_a_mariadb_database_stands_beside_the_default_one(mariadb):
    assert connections[mariadb].vendor == "mysql"
    assert ContentType._meta.db_table in connections[mariadb].introspection.table_names()


def test_redis_answers(redis_url):
    import redis

    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


@pytest.mark.databases
@pytest.mark.django_db
def test_the_default_database_is_the_chosen_one(monkeypatch):
    import os

    vendor = {"sqlite": "sqlite", "postgres": "postgresql", "mariadb": "mysql"}

    assert connection.vendor == vendor[os.environ.get("PERF_PANELS_TEST_DB", "sqlite")]


@pytest.mark.parametrize(("required", "is_failure"), [("", False), ("postgres,redis", True), ("postgres", False)])
def test_what_is_missing_fails_only_where_it_is_required(monkeypatch, required, is_failure):
    monkeypatch.setenv("PERF_PANELS_TEST_REQUIRE", required)

    assert backends.MissingError("redis").is_failure is is_failure
