"""
The pages planted for the memory panel, with each engine that sees them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection
from shop import reports
from shop.models import OrderLine

from tests.example_project.pages import MEMORY

ROOT = Path(__file__).parents[2]
REPORT = reports.slow_sales.__code__.co_firstlineno


def problems(stats):
    return [finding for finding in stats[MEMORY]["findings"] if finding["severity"] != "info"]


def line_of(text):
    lines = Path(reports.__file__).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_line_that_builds_the_list_is_the_first_finding_of_allocations(visit):
    _, stats = visit("/slow/sales-report/", MEMORY)

    first = problems(stats)[0]
    assert (first["rule"], first["origin"]["function"]) == ("memory-growth", "slow_sales")
    assert first["origin"]["line"] == line_of("lines = [")


FILL = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("populatedb", scale=0.5, verbosity=0)
"""
VISIT = """
import json, sys, threading
import django
django.setup()
from debug_toolbar.store import get_store
from django.test import Client
from django.test.utils import setup_test_environment
setup_test_environment()
client = Client()

def visit(url):
    client.get(url)
    # What other panels do afterwards takes memory of the same process.
    for thread in threading.enumerate():
        if thread.name == "perf-panels-afterwards":
            thread.join()

# The first request of a process imports and caches what all others use.
visit("/fixed/sales-report/")
client.cookies["djdtMemoryProfilerPanel"] = "on"
found = {}
for page in ("fixed", "slow"):
    visit(f"/{page}/sales-report/")
    store = get_store()
    stats = store.panel(list(store.request_ids())[-1], "MemoryProfilerPanel")
    found[page] = [finding for finding in stats["findings"] if finding["severity"] != "info"]
sys.stdout.write(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_line_that_builds_the_list_is_the_first_finding_of_lines(tmp_path):
    # Its own process: one that has made bigger pages before has the memory already, and does not grow.
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SHOP_SQLITE": str(tmp_path / "shop.sqlite3"),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "example_project")]),
    }
    environment.pop("DATABASE_URL", None)
    for program in (FILL, VISIT):
        ran = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)

    assert found["fixed"] == []
    assert found["slow"][0]["origin"]["function"] == "slow_sales"
    assert found["slow"][0]["origin"]["line"] == line_of("lines = [")


def test_objects_names_the_model_and_the_querysets_place(visit):
    _, stats = visit("/slow/sales-report/", MEMORY, engine="objects")

    (model,) = (each for each in stats[MEMORY]["models"] if each["label"] == "shop.OrderLine")
    assert model["loaded"] == OrderLine.objects.count()
    assert model["places"][0]["origin"]["line"] == line_of("for line in OrderLine.objects")
    assert problems(stats)[0]["rule"] == "many-instances"


def test_the_order_lines_page_counts_its_instances(visit):
    _, stats = visit("/slow/order-lines/", MEMORY)

    loaded = {each["label"]: each["loaded"] for each in stats[MEMORY]["models"]}
    assert loaded["shop.OrderLine"] == 2_000
    # A JOIN makes an object for each row, whichever it is.
    assert loaded["shop.Product"] == 2_000
    assert loaded["shop.Category"] > 2_000


@pytest.mark.parametrize("engine", ["lines", "allocations", "objects"])
@pytest.mark.parametrize("page", ["sales-report", "order-lines"])
def test_the_fixed_twin_has_no_finding_with_any_engine(page, engine, visit):
    _, stats = visit(f"/fixed/{page}/", MEMORY, engine=engine)

    assert stats[MEMORY]["error"] is None
    assert stats[MEMORY]["problem"] is None
    assert problems(stats) == []


def test_the_query_log_is_kept_apart(visit, settings):
    settings.DEBUG = True
    connection.force_debug_cursor = True
    try:
        _, stats = visit("/slow/home/", MEMORY)
    finally:
        connection.force_debug_cursor = False

    assert stats[MEMORY]["kept"]["query_log_entries"] > 20
    assert stats[MEMORY]["kept"]["query_log_bytes"] > 5_000
    assert stats[MEMORY]["kept"]["toolbar_panels"]["NPlusOnePanel"] > 1_000
