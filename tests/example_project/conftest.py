from __future__ import annotations

import pytest
from debug_toolbar.store import get_store
from django.core.management import call_command
from django.test import Client, override_settings


@pytest.fixture(scope="session")
def shop(django_db_setup, django_db_blocker):
    """
    The shop at a tenth of its size, filled once for all tests.
    """
    with django_db_blocker.unblock():
        call_command("populatedb", scale=0.1, verbosity=0)
        yield
        from shop.management.commands.populatedb import Command

        Command().clear()


@pytest.fixture
def visit(shop, db):
    """
    Request a page of the shop; return the response and the stats of every panel.
    """

    def visit(url):
        with override_settings(ROOT_URLCONF="config.urls"):
            response = Client().get(url)
        assert response.status_code == 200, url
        store = get_store()
        return response, dict(store.panels(list(store.request_ids())[-1]))

    return visit
