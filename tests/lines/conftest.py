from __future__ import annotations

import pytest
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.test import AsyncClient, Client

from perf_panels import selection
from perf_panels.lines import PANEL_ID, by_line_profiler
from perf_panels.lines.panel import LineProfilerPanel


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch, no_coverage):
    monkeypatch.setattr(selection, "_seen", type(selection._seen)())
    monkeypatch.setattr(by_line_profiler, "_known", {})


@pytest.fixture
def only_lines(settings, monkeypatch):
    """
    The line profiler as the toolbar's only panel, and the views of ``shapes``.
    """
    settings.ROOT_URLCONF = "tests.lines.shapes"
    LineProfilerPanel.ready()
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [LineProfilerPanel])
    get_store().clear()


@pytest.fixture
def ticked(only_lines):
    """
    A client whose box of the panel is ticked.
    """
    client = Client()
    client.cookies[f"djdt{PANEL_ID}"] = "on"
    return client


@pytest.fixture
def async_ticked(only_lines):
    client = AsyncClient()
    client.cookies[f"djdt{PANEL_ID}"] = "on"
    return client


@pytest.fixture
def stored():
    """
    ``stored()`` returns the panel's stats of all requests, oldest first.
    """

    def stored():
        store = get_store()
        return [store.panel(request_id, PANEL_ID) for request_id in store.request_ids()]

    return stored
