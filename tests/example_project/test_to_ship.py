"""
The orders to ship: the suggested index is tried and helps, the fixed page uses it.
"""

from __future__ import annotations

import re

import pytest
from django.db import connection
from shop.models import Order

from perf_panels.explain import planner
from perf_panels.explain.databases.base import NotPossible

pytestmark = pytest.mark.django_db

SQLITE, MARIADB, POSTGRESQL = (connection.vendor == vendor for vendor in ("sqlite", "mysql", "postgresql"))
PARTIAL = pytest.mark.skipif(MARIADB, reason="MariaDB and MySQL have no partial indexes.")
COMPOSITE = pytest.mark.skipif(not MARIADB, reason="Other databases have partial indexes.")


@pytest.fixture
def slow(visit, explained):
    """
    The group of the slow page's statement, and its plan.
    """
    _, stats = visit("/slow/to-ship/")
    stats = explained(stats)
    group = next(group for group in stats["groups"] if group["id"] in stats["plans"])
    return group, stats["plans"][group["id"]]


def card(plan, rule):
    return next(card for card in plan["cards"] if card["finding"]["rule"] == rule)


def kinds(nodes):
    return [node["kind"] for node in nodes]


@PARTIAL
def test_a_partial_index_is_suggested(slow):
    _, plan = slow

    suggested = card(plan, "partial-index")

    code = re.sub(r"\s+", "", suggested["finding"]["code"])
    assert 'fields=["created","number"]' in code
    assert 'condition=models.Q(status="unfulfilled")' in code
    assert suggested["trial"]["verdict"] == ("confirm" if POSTGRESQL else "yes")


@PARTIAL
def test_trying_it_changes_the_plan_and_leaves_nothing(slow):
    group, plan = slow
    suggested = card(plan, "partial-index")

    trial = planner.try_index(group, suggested["sql"], planner.options(confirmed=True))

    assert trial["used"]
    assert trial["helps"]
    assert "sort" in kinds(trial["before"])
    assert "sort" not in kinds(trial["after"])
    assert trial["method"] in {"copy", "transaction", "hypopg"}
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, Order._meta.db_table)
    assert not any("unfulfilled" in name or name.endswith("_part") for name in there)


@pytest.mark.skipif(not POSTGRESQL, reason="Only PostgreSQL locks the table for it.")
def test_postgresql_asks_first(slow):
    group, plan = slow
    suggested = card(plan, "partial-index")

    if suggested["trial"]["verdict"] == "confirm":
        with pytest.raises(NotPossible):
            planner.try_index(group, suggested["sql"], planner.options())


@COMPOSITE
def test_a_composite_index_is_suggested_that_cannot_be_tried_here(slow):
    group, plan = slow
    suggested = card(plan, "sort-limit")

    assert 'fields=["status","created","number"]' in re.sub(r"\s+", "", suggested["finding"]["code"])
    assert "condition" not in suggested["finding"]["code"]
    assert suggested["trial"]["verdict"] == "no"
    assert "cannot be tried here" in suggested["trial"]["reasons"][0]
    with pytest.raises(NotPossible, match="cannot be tried here"):
        planner.try_index(group, suggested["sql"], planner.options(confirmed=True))


def test_the_fixed_page_reads_the_index(visit, explained):
    _, stats = visit("/fixed/to-ship/")

    (plan,) = explained(stats)["plans"].values()

    assert {node["index"] for node in plan["nodes"]} - {None} == {"status_created" if MARIADB else "to_ship"}
