"""
What tests can ask for: databases beside the default one, Redis. The browser is in tests/browser/conftest.py.
"""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db.models.signals import post_migrate
from django.test.signals import root_urlconf_changed, setting_changed
from django.urls import set_urlconf

from perf_panels import afterwards
from tests import backends

HERE = Path(__file__).parent
ON_EVERY_DATABASE = (HERE / "nplusone", HERE / "example_project")


def pytest_collection_modifyitems(items):
    for item in items:
        if any(folder in item.path.parents for folder in ON_EVERY_DATABASE):
            item.add_marker("databases")
        if HERE / "browser" in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session", autouse=True)
def _no_other_sessions(django_db_setup, django_db_blocker):
    """
    End what async tests leave open: their queries run in threads, whose connections nobody closes.
    """
    yield
    from django.db import connection

    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session", autouse=True)
def _quick_flush(django_db_setup):
    """
    Let the end of a test with transactions only empty the tables: no test needs the permissions of each model again.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    # Those that the tables had: the receivers did that, too.
    post_migrate.connect(_forget_content_types)


def _forget_content_types(**_arguments):
    from django.contrib.contenttypes.models import ContentType

    ContentType.objects.clear_cache()


@pytest.fixture(scope="session", autouse=True)
def _resolvers_stay():
    """
    Keep what Django made of each URL configuration when a test ends: of each new one a context variable would stay, and
    asgiref goes through all of them whenever it enters or leaves a thread.
    """
    setting_changed.disconnect(root_urlconf_changed)
    setting_changed.connect(_forget_urlconf)


def _forget_urlconf(*, setting, **_arguments):
    if setting == "ROOT_URLCONF":
        set_urlconf(None)


@pytest.fixture(autouse=True)
def _nothing_left_for_later():
    """
    Wait for what a test's requests left for later, and drop what waits for an end that the test never told of.
    """
    yield
    afterwards._pending.set(None)
    for thread in threading.enumerate():
        if thread.name == "perf-panels-afterwards":
            thread.join(20)


@pytest.fixture
def small_heap():
    """
    Hide all objects there are from the collector: to count what 7,000 tests have made takes seconds each time.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@contextmanager
def skip_if_missing():
    try:
        yield
    except backends.MissingError as missing:
        if missing.is_failure:
            pytest.fail(f"Required by PERF_PANELS_TEST_REQUIRE: {missing}", pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def postgres(django_db_setup, django_db_blocker):
    """
    The alias of a PostgreSQL database with all tables, whichever the default database is.

    Use it with ``@pytest.mark.django_db(databases=["default", "postgres"])`` and ``.using(postgres)``.
    """
    with skip_if_missing():
        settings = backends.postgres("postgres")
    with extra_database("postgres", settings, django_db_blocker):
        yield "postgres"


@pytest.fixture(scope="session")
def mariadb(django_db_setup, django_db_blocker):
    """
    The alias of a MariaDB or MySQL database with all tables; see ``postgres``.
    """
    with skip_if_missing():
        settings = backends.mariadb("mariadb")
    with extra_database("mariadb", settings, django_db_blocker):
        yield "mariadb"


@contextmanager
def extra_database(alias, settings, blocker):
    from django.conf import settings as django_settings
    from django.db import connections

    # Django configures its aliases once; the creation of a test database looks into both places.
    places = (connections.settings, django_settings.DATABASES)
    for place in places:
        place[alias] = settings
    connections.configure_settings(connections.settings)
    connection = connections[alias]
    name = connection.settings_dict["NAME"]
    try:
        with blocker.unblock():
            connection.creation.create_test_db(verbosity=0, autoclobber=True)
        yield
        with blocker.unblock():
            connection.creation.destroy_test_db(name, verbosity=0)
    finally:
        connection.close()
        del connections[alias]
        for place in places:
            place.pop(alias, None)


@pytest.fixture
def tuples_being_made():
    """
    A block in which threads make tuples of what Python code gives them, as any project does; it gives what they raise.
    """

    @contextmanager
    def making(*shared):
        over, broken = threading.Event(), []
        given = [*shared, *range(37)]

        def make():
            try:
                while not over.is_set():
                    tuple(map(lambda each: [each] if each == 1 else each, given))  # noqa: C417 - the map is what matters
            except SystemError as error:
                broken.append(error)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        threads = [threading.Thread(target=make) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield broken
        finally:
            over.set()
            for thread in threads:
                thread.join()
            sys.setswitchinterval(interval)

    return making


@pytest.fixture
def no_coverage(monkeypatch):
    """
    Take coverage off while a test runs: the profilers refuse to run beside it.
    """
    from perf_panels.lines import refusal

    monkeypatch.setattr(refusal, "TOOLS", {0: "debugger", 2: "profiler"})
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


@pytest.fixture(scope="session")
def redis_url():
    """
    The URL of a Redis server.
    """
    with skip_if_missing():
        return backends.redis_url()
