from __future__ import annotations

import time

import pytest
from debug_toolbar.store import get_store
from django.core.management import call_command
from django.test import Client, override_settings

from perf_panels.explain import merging, planner
from perf_panels.explain.limits import Limits
from perf_panels.memory.choice import COOKIE
from perf_panels.vmprof import pending
from tests.example_project.pages import ENGINES, EXPLAIN, VMPROF

SCALE = 0.25


@pytest.fixture(scope="session")
def shop(django_db_setup, django_db_blocker):
    """
    The shop at a quarter of its size, filled once for all tests.
    """
    with django_db_blocker.unblock():
        call_command("populatedb", scale=SCALE, verbosity=0)
        yield
        from shop.management.commands.populatedb import Command

        Command().clear()


@pytest.fixture
def visit(shop, db, settings, no_coverage):
    """
    Request a page of the shop, with a panel ticked that is off otherwise; return the response and all panels' stats.

    What is measured by the clock may need another look on a busy machine: up to five, until ``until(stats)`` is true.
    """

    # What takes long is as much shorter as the shop is smaller.
    settings.PERF_PANELS = {**settings.PERF_PANELS, "VMPROF_HOT_MS": 20 * SCALE}

    def visit(url, panel="", until=lambda stats: True, client=None, engine=""):
        client = client or Client()
        client.cookies[f"djdt{panel}"] = "on"
        client.cookies[COOKIE] = engine or ENGINES.get(url.strip("/").rpartition("/")[2], "lines")
        for _ in range(5):
            with override_settings(ROOT_URLCONF="config.urls"):
                response = client.get(url)
            assert response.status_code == 200, url
            store = get_store()
            request_id = list(store.request_ids())[-1]
            pending.finish(request_id)
            while store.panel(request_id, VMPROF).get("state") == "pending":
                time.sleep(0.01)
            stats = dict(store.panels(request_id))
            if until(stats):
                break
        return response, stats

    return visit


@pytest.fixture
def explained(settings):
    """
    Make the plans of a request's statements, as clicks on Explain or Analyze do; return the EXPLAIN panel's stats.
    """
    # What is big is as much smaller as the shop; what is slow depends on all else that the machine does.
    # Where other tests have rolled rows back, no VACUUM has been.
    limits = {"BIG_ROWS": Limits.BIG_ROWS * SCALE, "SLOW_MS": 5_000, "HEAP_FETCHES": 10**9}
    settings.PERF_PANELS = {**settings.PERF_PANELS, "EXPLAIN_LIMITS": limits}

    def explained(stats, *, analyze=False):
        plans = {
            group["id"]: planner.make(group, planner.options(timeout_ms=60_000), analyze=analyze)
            for group in stats[EXPLAIN]["groups"]
            if group["kind"] == "SELECT"
        }
        assert [plan["problem"] for plan in plans.values() if plan["state"] == "failed"] == []
        return merging.merged(stats[EXPLAIN] | {"plans": plans})

    return explained
