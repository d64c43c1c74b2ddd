"""
What the EXPLAIN panel says and stores of whole requests: before there are plans, without statements, in a transaction.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from debug_toolbar.store import get_store
from django.db import transaction
from django.http import HttpResponse
from django.test import AsyncClient, Client
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


async def helper(number):
    return await Author.objects.filter(pk=number).afirst()


async def asynchronous(request):
    await Author.objects.acount()
    async for _ in Book.objects.all():
        pass
    await asyncio.gather(helper(1), helper(2))
    await asyncio.gather(asyncio.create_task(Book.objects.filter(pk=1).aexists()))
    return HttpResponse("<html><body>Asked</body></html>")


def line_of(text):
    source = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(source, 1) if text in line)


urlpatterns = [
    path("asynchronous/", asynchronous),
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


@pytest.mark.django_db(transaction=True)
async def test_statements_of_an_async_view_have_its_lines(settings):
    settings.ROOT_URLCONF = __name__
    settings.DEBUG = True
    get_store().clear()

    response = await AsyncClient().get("/asynchronous/")

    stored = get_store().panel(response.headers["djdt-request-id"], PANEL)
    places = sorted((each["origin"]["line"], each["origin"]["function"]) for each in stored["groups"])
    lines = map(line_of, ("await Author.objects.acount", "async for _ in Book", "helper(1)", "create_task(Book"))
    assert places == [(line, "asynchronous") for line in lines]
