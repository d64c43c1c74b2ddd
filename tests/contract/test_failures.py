"""
A panel whose engine raises, in whatever phase, is logged and shows its error; the page is served byte for byte.
"""

from __future__ import annotations

import logging

import html5lib
import pytest
from debug_toolbar.panels.sql import SQLPanel
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.test import AsyncClient, Client

from perf_panels import view_hook
from tests.contract.conftest import switched_on
from tests.contract.test_requests import aessence, essence

URLS = ["/deferred/", "/plain/", "/json/", "/coroutine/", "/coroutine-deferred/", "/missing/", "/streaming/"]


def boom(*args, **kwargs):
    raise RuntimeError("the engine broke")


class RaisesOnEnter:
    def __enter__(self):
        boom()

    def __exit__(self, *raised):
        raise AssertionError("left although it was never entered")


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


# Phases whose failure the panel itself shows, and those after which nothing was stored that could be shown.
SHOWN = {
    "enable": lambda panel: (view_hook, "add_observer", boom),
    "view": lambda panel: (panel, "process_view", boom),
    "view enter": lambda panel: (panel, "process_view", lambda *args: RaisesOnEnter()),
    "view exit": lambda panel: (panel, "process_view", lambda *args: RaisesOnExit()),
    "render": lambda panel: (panel, "process_render", boom),
    "render enter": lambda panel: (panel, "process_render", lambda *args: RaisesOnEnter()),
    "render exit": lambda panel: (panel, "process_render", lambda *args: RaisesOnExit()),
    "disable": lambda panel: (view_hook, "remove_observer", boom),
    "report": lambda panel: (panel, "report", boom),
    "side bar": lambda panel: (panel, "subtitle", boom),
    "template": lambda panel: (panel, "context", boom),
}
ONLY_LOGGED = {
    "cap": lambda panel: (panel, "capped", boom),
    "store": lambda panel: (panel, "record_stats", boom),
}
BREAKAGES = SHOWN | ONLY_LOGGED


@pytest.fixture
def breaks(panel, monkeypatch):
    """
    ``breaks(phase)`` makes the panel raise in that phase.
    """

    def breaks(phase):
        monkeypatch.setattr(*BREAKAGES[phase](panel))

    return breaks


@pytest.fixture(params=BREAKAGES)
def broken(request, breaks):
    breaks(request.param)
    return request.param


@pytest.fixture(params=SHOWN)
def shows(request, breaks):
    breaks(request.param)
    return request.param


@pytest.fixture(params=ONLY_LOGGED)
def keeps_nothing(request, breaks):
    breaks(request.param)
    return request.param


@pytest.mark.parametrize("url", URLS)
def test_the_page_is_the_same_as_without_the_panel(url, broken, client, monkeypatch):
    watched = client.get(url)
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = Client().get(url)

    assert essence(watched) == essence(alone)


@pytest.mark.parametrize("url", URLS)
async def test_the_page_is_the_same_as_without_the_panel_over_asgi(url, broken, async_client, monkeypatch):
    watched = await async_client.get(url)
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = await AsyncClient().get(url)

    assert await aessence(watched) == await aessence(alone)


def test_the_page_is_the_same_where_the_panels_are_rendered_into_it(broken, client, settings, monkeypatch):
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"RENDER_PANELS": True}

    watched = client.get("/deferred/")
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = Client().get("/deferred/")

    assert essence(watched) == essence(alone)


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_a_view_that_raises_still_raises_its_own(url, broken, panel):
    client = switched_on(Client(), panel)

    with pytest.raises(ValueError, match="the view's own"):
        client.get(url)


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
async def test_a_view_that_raises_still_raises_its_own_over_asgi(url, broken, panel):
    client = switched_on(AsyncClient(), panel)

    with pytest.raises(ValueError, match="the view's own"):
        await client.get(url)


def test_the_error_is_logged_with_its_traceback(broken, client, panel, caplog):
    with caplog.at_level(logging.ERROR, logger="perf_panels"):
        client.get("/deferred/")
        shown(panel)

    (logged, *_) = [record for record in caplog.records if record.name == "perf_panels"]
    assert panel.panel_id in logged.getMessage()
    assert str(logged.exc_info[1]) == "the engine broke"


def test_the_error_is_shown_in_the_panel(shows, client, panel):
    client.get("/deferred/")

    content = shown(panel)

    assert "data-error=" in content
    assert "the engine broke" in content


def test_the_error_is_shown_where_the_panels_are_rendered_into_the_page(shows, client, settings):
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"RENDER_PANELS": True}

    body = client.get("/deferred/").content.decode()

    assert "data-error=" in body
    assert "the engine broke" in body


@pytest.mark.parametrize("phase", [phase for phase in SHOWN if phase != "template"])
def test_the_side_bar_says_that_the_panel_failed(phase, breaks, client):
    breaks(phase)

    assert "failed: open the panel" in client.get("/deferred/").content.decode()


@pytest.mark.parametrize("phase", [phase for phase in SHOWN if phase not in {"side bar", "template"}])
def test_the_error_is_stored_as_a_string(phase, breaks, client, recorded):
    breaks(phase)

    client.get("/deferred/")

    assert isinstance(recorded()[-1]["error"], str)


def test_a_panel_that_could_store_nothing_can_still_be_opened(keeps_nothing, client, panel):
    client.get("/deferred/")

    assert "data-findings" in shown(panel)


@pytest.mark.parametrize("given", [None, [], ["a"], "a", 1, {"findings": None}])
def test_a_report_of_another_kind_leaves_the_page_alone(given, client, panel, monkeypatch):
    monkeypatch.setattr(panel, "report", lambda *args: given)

    response = client.get("/deferred/")

    assert response.status_code == 200
    assert "data-findings" in shown(panel)


def test_what_the_error_says_is_escaped(client, panel, monkeypatch):
    def hostile(*args):
        raise RuntimeError("<script>alert(1)</script> \"quoted\" 'twice' &amp;")

    monkeypatch.setattr(panel, "report", hostile)
    client.get("/deferred/")

    content = shown(panel)

    html5lib.HTMLParser(strict=True).parseFragment(content)
    assert "<script" not in content


def test_the_html_of_an_error_is_valid(shows, client, panel):
    client.get("/deferred/")

    content = shown(panel)

    html5lib.HTMLParser(strict=True).parseFragment(content)
    assert 'data-findings="' in content


def test_a_panel_without_its_template_shows_the_error(client, panel, monkeypatch):
    monkeypatch.setattr(panel, "template", "no/such/template.html")
    client.get("/deferred/")

    assert "no/such/template.html" in shown(panel)


@pytest.fixture
def uncollected(monkeypatch):
    """
    A strict manifest that was written before the package was installed.
    """
    url = StaticFilesStorage.url

    def strict(self, name, *args, **kwargs):
        if name.startswith("perf_panels/"):
            raise ValueError(f"Missing staticfiles manifest entry for {name!r}")
        return url(self, name, *args, **kwargs)

    monkeypatch.setattr(StaticFilesStorage, "url", strict)


@pytest.mark.parametrize("render", [True, False])
def test_static_files_that_were_never_collected_break_no_page(render, uncollected, client, settings):
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"RENDER_PANELS": render}

    assert client.get("/deferred/").status_code == 200


def test_static_files_that_were_never_collected_are_named_by_the_panel(uncollected, client, panel):
    client.get("/deferred/")
    request_id = list(get_store().request_ids())[-1]

    response = client.get("/__debug__/render_panel/", {"request_id": request_id, "panel_id": panel.panel_id})

    assert "Missing staticfiles manifest entry" in response.json()["content"]
    assert 'data-findings="' in response.json()["content"]


@pytest.mark.parametrize("inner", [True, False])
def test_a_failing_panel_breaks_no_other(inner, broken, panel, monkeypatch):
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [SQLPanel, panel] if inner else [panel, SQLPanel])

    switched_on(Client(), panel).get("/deferred/")

    request_id = list(get_store().request_ids())[-1]
    assert get_store().panel(request_id, "SQLPanel")["databases"]


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_a_context_manager_cannot_swallow_the_views_exception(url, panel, monkeypatch):
    monkeypatch.setattr(panel, "process_view", lambda *args: Swallows())
    client = switched_on(Client(), panel)

    with pytest.raises(ValueError, match="the view's own"):
        client.get(url)


def test_a_failure_is_forgotten_with_its_request(client, panel, recorded, monkeypatch):
    with monkeypatch.context() as once:
        once.setattr(panel, "report", boom)
        client.get("/deferred/")

    client.get("/deferred/")

    assert [bool(stats["error"]) for stats in recorded()] == [True, False]


def shown(panel):
    """
    Return what opening the panel shows of the last request.
    """
    request_id = list(get_store().request_ids())[-1]
    return DebugToolbar.fetch(request_id, panel.panel_id).get_panel_by_id(panel.panel_id).content
