from __future__ import annotations

import pytest
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.test import AsyncClient, Client

from perf_panels.panels import all_panels
from tests.contract import site


@pytest.fixture(autouse=True)
def project(settings, transactional_db):
    settings.ROOT_URLCONF = "tests.contract.site"
    settings.MIDDLEWARE = site.MIDDLEWARE
    site.RAN.clear()
    get_store().clear()


@pytest.fixture(params=all_panels(), ids=lambda panel: panel.panel_id)
def panel(request, monkeypatch):
    """
    Each panel of this package in turn, the only one of the toolbar.
    """
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [request.param])
    return request.param


@pytest.fixture
def client(panel):
    return switched_on(Client(raise_request_exception=False), panel)


@pytest.fixture
def async_client(panel):
    return switched_on(AsyncClient(raise_request_exception=False), panel)


def switched_on(client, panel):
    # Some panels are off until ticked.
    client.cookies[f"djdt{panel.panel_id}"] = "on"
    return client


@pytest.fixture
def recorded(panel):
    """
    ``recorded()`` returns the panel's stats of all requests the store has, oldest first.
    """

    def recorded():
        store = get_store()
        return [store.panel(request_id, panel.panel_id) for request_id in store.request_ids()]

    return recorded
