"""
What the EXPLAIN panel says and stores of whole requests: before there are plans, without statements, in a transaction.
"""

from __future__ import annotations

import re

import pytest
from debug_toolbar.store import get_store
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from perf_panels.actions import stored_panel
from perf_panels.explain.panel import ExplainPanel
from tests.explain.page_stats import group, stats
from tests.site.models import Author, Book

PANEL = "ExplainPanel"


def silent(request):
    return HttpResponse("<html><body>Nothing asked</body></html>")


def in_transactions(request):
    with transaction.atomic(), transaction.atomic():
        Book.objects.filter(pk=-1).update(title="never")
    Author.objects.filter(pk=-1).delete()
    return HttpResponse("<html><body>Written</body></html>")


urlpatterns = [
    path("silent/", silent),
    path("in-transactions/", in_transactions),
    path("__debug__/", include("debug_toolbar.urls")),
]


@pytest.fixture
def panel_of(settings):
    settings.ROOT_URLCONF = __name__
    settings.DEBUG = True
    get_store().clear()

    def panel_of(url):
        return stored_panel(PANEL, Client().get(url).headers["djdt-request-id"])

    return panel_of


def subtitle(stored):
    return ExplainPanel.subtitle(None, stored)


def said(panel):
    return " ".join(re.sub(r"<[^>]*>", " ", panel.content).split())


@pytest.mark.parametrize("statements", [0, 20])
def test_a_page_without_statements_speaks_of_no_setting(panel_of, settings, statements):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "EXPLAIN_STATEMENTS": statements}

    panel = panel_of("/silent/")

    assert "No statement was sent." in said(panel)
    assert "EXPLAIN_STATEMENTS" not in said(panel)
    assert "plans were made" not in said(panel)


@pytest.mark.parametrize(
    ("state", "words"),
    [("pending", "27 queries"), ("off", "27 queries"), ("done", "no problem, 27 queries")],
)
def test_no_problem_is_said_after_somebody_looked(state, words):
    stored = stats(group())
    stored |= {"watched": True, "queries": 27}
    stored["planning"]["state"] = state

    assert subtitle(stored) == words


@pytest.mark.django_db(transaction=True)
def test_transaction_control_is_no_statement(panel_of):
    stored = panel_of("/in-transactions/").get_stats()

    assert {each["kind"] for each in stored["groups"]} == {"UPDATE", "SELECT"}
    assert stored["queries"] == 2
