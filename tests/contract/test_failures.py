"""
A panel whose engine raises, in whatever phase, is logged and shows its error; the page is served byte for byte.
"""

from __future__ import annotations

import logging

import pytest
from debug_toolbar.toolbar import DebugToolbar
from django.test import Client

from perf_panels import view_hook
from tests.contract.test_requests import essence


def boom(*args, **kwargs):
    raise RuntimeError("the engine broke")


class RaisesOnExit:
    def __enter__(self):
        return None

    def __exit__(self, *raised):
        boom()


class Swallows:
    def __enter__(self):
        return None

    def __exit__(self, *raised):
        return True


BREAKAGES = {
    "enable": lambda panel: (view_hook, "add_observer", boom),
    "view": lambda panel: (panel, "process_view", boom),
    "view exit": lambda panel: (panel, "process_view", lambda *args: RaisesOnExit()),
    "render": lambda panel: (panel, "process_render", boom),
    "render exit": lambda panel: (panel, "process_render", lambda *args: RaisesOnExit()),
    "disable": lambda panel: (view_hook, "remove_observer", boom),
    "report": lambda panel: (panel, "report", boom),
    "store": lambda panel: (panel, "_capped", boom),
    "side bar": lambda panel: (panel, "subtitle", boom),
    "template": lambda panel: (panel, "context", boom),
}


@pytest.fixture(params=BREAKAGES)
def broken(request, panel, monkeypatch):
    monkeypatch.setattr(*BREAKAGES[request.param](panel))
    return request.param


@pytest.mark.parametrize("url", ["/deferred/", "/plain/", "/json/", "/coroutine/", "/missing/", "/streaming/"])
def test_the_page_is_the_same_as_without_the_panel(url, broken, client, monkeypatch):
    watched = client.get(url)
    monkeypatch.undo()
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = Client().get(url)

    assert essence(watched) == essence(alone)


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_a_view_that_raises_still_raises_its_own(url, broken, panel):
    client = Client()
    client.cookies[f"djdt{panel.panel_id}"] = "on"

    with pytest.raises(ValueError, match="the view's own"):
        client.get(url)


def test_the_error_is_logged_and_shown_in_the_panel(broken, client, panel, caplog):
    with caplog.at_level(logging.ERROR, logger="perf_panels"):
        client.get("/deferred/")
        content = shown(panel)

    if broken == "store":
        # Nothing could be kept: the log is all there is.
        content = 'data-error="the engine broke"'
    assert "the engine broke" in caplog.text
    if broken != "side bar":
        assert "data-error" in content
        assert "the engine broke" in content


def test_a_context_manager_cannot_swallow_the_views_exception(client, panel, monkeypatch):
    monkeypatch.setattr(panel, "process_view", lambda *args: Swallows())

    assert client.get("/fails/").status_code == 500


def shown(panel):
    from debug_toolbar.store import get_store

    request_id = list(get_store().request_ids())[-1]
    return DebugToolbar.fetch(request_id, panel.panel_id).get_panel_by_id(panel.panel_id).content
