"""
What the host's request handling does is the same with each panel on.
"""

from __future__ import annotations

import asyncio
import re
import sys
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from debug_toolbar.toolbar import DebugToolbar
from django.core.cache import cache
from django.core.handlers.base import BaseHandler
from django.db import connection
from django.test import AsyncClient, Client

from perf_panels import view_hook
from tests.contract import site
from tests.contract.conftest import switched_on
from tests.site.models import Publisher

TOOLBAR = re.compile(rb"\s*<div id=\"djDebugRoot\".*(?=</body>)", re.DOTALL)
EVERYBODY = range(1, site.EVERYBODY + 1)


def test_a_post_without_a_csrf_token_is_refused(panel):
    client = switched_on(Client(enforce_csrf_checks=True), panel)

    response = client.post("/write/")

    assert response.status_code == 403
    assert site.RAN == []


async def test_a_post_without_a_csrf_token_is_refused_over_asgi(panel):
    client = switched_on(AsyncClient(enforce_csrf_checks=True), panel)

    response = await client.post("/write/")

    assert response.status_code == 403
    assert site.RAN == []


def test_a_csrf_exempt_instance_needs_no_token(panel):
    client = switched_on(Client(enforce_csrf_checks=True), panel)

    assert client.post("/callable/").status_code == 200


def test_an_anonymous_user_is_sent_to_the_login(client):
    response = client.get("/private/")

    assert response.status_code == 302
    assert site.RAN == []


async def test_an_anonymous_user_is_sent_to_the_login_over_asgi(async_client):
    response = await async_client.get("/private/")

    assert response.status_code == 302
    assert site.RAN == []


@pytest.mark.parametrize("atomic", [True, False])
def test_a_failing_view_is_rolled_back_under_atomic_requests_only(atomic, client, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)

    response = client.get("/fails/")

    assert response.status_code == 500
    assert Publisher.objects.count() == (0 if atomic else 1)


def test_non_atomic_requests_is_honoured(client, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    client.get("/fails-non-atomic/")

    assert site.RAN == [False]


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_process_exception_gets_the_views_exception(url, client):
    response = client.get(f"{url}?rescue=1")

    assert b"rescued the view's own" in response.content


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
async def test_process_exception_gets_the_views_exception_over_asgi(url, async_client):
    response = await async_client.get(f"{url}?rescue=1")

    assert b"rescued the view's own" in response.content


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_a_view_that_raises_raises_the_same_exception(url, panel):
    client = switched_on(Client(), panel)

    with pytest.raises(ValueError, match="the view's own") as raised:
        client.get(url)

    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_the_500_page_is_the_same_as_without_the_panel(url, client, monkeypatch):
    watched = client.get(url)
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = Client(raise_request_exception=False).get(url)

    assert watched.status_code == 500
    assert essence(watched) == essence(alone)


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
async def test_the_500_page_is_the_same_as_without_the_panel_over_asgi(url, async_client, monkeypatch):
    watched = await async_client.get(url)
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = await AsyncClient(raise_request_exception=False).get(url)

    assert watched.status_code == 500
    assert essence(watched) == essence(alone)


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_a_traceback_has_no_frame_of_the_panel_but_the_hooks(url, panel):
    client = switched_on(Client(), panel)

    with pytest.raises(ValueError, match="the view's own") as raised:
        client.get(url)

    files = [frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)]
    ours = [file for file in files if "perf_panels" in file.replace("django-perf-panels", "")]
    assert ours == [view_hook.__file__]


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_the_technical_500_page_shows_no_frame_of_ours(url, client, settings):
    settings.DEBUG = True

    body = client.get(url).content.decode()

    assert "the view&#x27;s own" in body
    assert view_hook.__file__ not in body


def test_a_urlconf_set_by_a_later_middleware_is_followed(client, seen):
    response = client.get("/hidden/?hidden=1")

    assert b"hidden" in response.content
    assert seen == ["hidden"]


def test_translated_urls_are_followed(client, seen):
    response = client.get("/de/translated/")

    assert b"hello 0" in response.content
    assert seen == ["plain"]


def test_the_resolved_view_is_the_projects_own(client):
    assert b"<p>True</p>" in client.get("/matched/").content


@pytest.mark.parametrize("shape", site.SHAPES)
def test_every_shape_of_view_and_response_is_what_it_is_without_the_panel(shape, client, recorded, monkeypatch):
    watched = client.get(f"/{shape}/")
    stats = recorded()[-1]
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = Client().get(f"/{shape}/")

    assert essence(watched) == essence(alone)
    assert stats["error"] is None
    assert stats["schema"] == 1


@pytest.mark.parametrize("shape", site.ASGI_SHAPES)
async def test_every_shape_is_served_over_asgi(shape, async_client, recorded, monkeypatch):
    watched = await async_client.get(f"/{shape}/")
    stats = (await sync_to_async(recorded)())[-1]
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = await AsyncClient().get(f"/{shape}/")

    assert await aessence(watched) == await aessence(alone)
    assert stats["error"] is None


@pytest.mark.parametrize("shape", ["coroutine", "coroutine-class", "coroutine-deferred"])
async def test_async_views_are_served_although_no_panel_is_on(shape, panel, monkeypatch):
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])

    response = await AsyncClient().get(f"/{shape}/")

    assert response.status_code == 200


@pytest.mark.parametrize("shape", site.SHAPES)
def test_every_shape_of_view_is_watched_once(shape, client, seen):
    essence(client.get(f"/{shape}/"))

    assert len(seen) == 1


@pytest.mark.parametrize("shape", site.ASGI_SHAPES)
async def test_every_shape_of_view_is_watched_once_over_asgi(shape, async_client, seen):
    await aessence(await async_client.get(f"/{shape}/"))

    assert len(seen) == 1


@pytest.mark.parametrize("place", [0, 1, len(site.MIDDLEWARE)])
async def test_a_middleware_that_is_only_sync_changes_nothing(place, async_client, seen, recorded, settings):
    settings.MIDDLEWARE = [*site.MIDDLEWARE[:place], "tests.contract.site.sync_only", *site.MIDDLEWARE[place:]]

    response = await async_client.get("/coroutine/")

    assert b"async 0" in response.content
    assert seen == ["coroutine"]
    assert (await sync_to_async(recorded)())[-1]["error"] is None


@pytest.mark.parametrize("url", ["/deferred/", "/coroutine-deferred/"])
def test_the_render_is_observed_after_the_view_has_ended(url, client, phases):
    client.get(url)

    assert phases == ["view +", "view -", "render +", "render -"]


@pytest.mark.parametrize("url", ["/deferred/", "/coroutine-deferred/", "/coroutine-awaited/"])
async def test_the_render_is_observed_after_the_view_has_ended_over_asgi(url, async_client, phases):
    await async_client.get(url)

    assert phases == ["view +", "view -", "render +", "render -"]


@pytest.mark.parametrize("url", ["/private/", "/no/such/url/"])
def test_a_request_that_reaches_no_view_enters_none(url, client, phases):
    client.get(url)

    assert phases == []


def test_a_cached_page_is_pickled_and_served_from_the_cache(client):
    cache.clear()

    first, second = client.get("/cached/"), client.get("/cached/")

    assert essence(first)[2] == essence(second)[2]
    assert site.RAN == ["cached"]


def test_a_rendered_response_keeps_nothing_of_the_hook(client):
    response = client.get("/deferred/")

    assert "render" not in vars(response)


def test_ten_threads_keep_their_own_data(panel, recorded, own_path):
    def get(number):
        client = switched_on(Client(), panel)
        return client.get(f"/number/{number}/").status_code

    with ThreadPoolExecutor(site.EVERYBODY) as pool:
        codes = list(pool.map(get, EVERYBODY))

    assert codes == [200] * site.EVERYBODY
    assert own_data(recorded()) == {f"/number/{number}/": ([f"/number/{number}/"], number) for number in EVERYBODY}


async def test_ten_tasks_keep_their_own_data(panel, recorded, own_path):
    async def get(number):
        client = switched_on(AsyncClient(), panel)
        return (await client.get(f"/coroutine/{number}/")).status_code

    codes = await asyncio.wait_for(asyncio.gather(*map(get, EVERYBODY)), 30)

    stats = await sync_to_async(recorded)()
    assert codes == [200] * site.EVERYBODY
    assert own_data(stats) == {f"/coroutine/{number}/": ([f"/coroutine/{number}/"], number) for number in EVERYBODY}


async def test_sync_views_behind_asgi_keep_their_own_data(panel, recorded, own_path):
    async def get(shape):
        return await switched_on(AsyncClient(), panel).get(f"/{shape}/")

    await asyncio.gather(*map(get, ["plain", "class", "deferred", "json", "coroutine"] * 2))

    stats = await sync_to_async(recorded)()
    assert Counter(each["own_path"] for each in stats).keys() == set().union(*(each["own_views"] for each in stats))
    assert all(each["own_views"] == [each["own_path"]] for each in stats)


@pytest.fixture
def own_path(panel, monkeypatch):
    """
    Each request's stats say which request they are of, and of which requests the panel object has seen views.
    """
    process_view, report = panel.process_view, panel.report

    def watch(self, request, *args):
        vars(self).setdefault("own_views", []).append(request.path)
        return process_view(self, request, *args)

    def tell(self, request, response):
        return report(self, request, response) | {"own_path": request.path, "own_views": self.own_views}

    monkeypatch.setattr(panel, "process_view", watch)
    monkeypatch.setattr(panel, "report", tell)


def own_data(stats):
    """
    Return (requests whose view was seen, queries) by request; a panel that counts none is taken to be right.
    """
    number = re.compile(r"\d+")
    return {
        each["own_path"]: (each["own_views"], each.get("queries", int(number.search(each["own_path"])[0])))
        for each in stats
    }


def test_nobody_watches_a_request_whose_panel_is_unticked(client, panel, recorded, seen):
    client.cookies[f"djdt{panel.panel_id}"] = "off"

    response = client.get("/deferred/")

    assert seen == []
    assert recorded() == [{}]
    assert "_perf_panels_observers" not in vars(response.wsgi_request)


def test_nobody_watches_once_the_response_is_there(client):
    response = client.get("/deferred/")

    assert vars(response.wsgi_request)["_perf_panels_observers"] == []


def test_nobody_watches_once_the_view_has_raised(client):
    response = client.get("/fails/")

    assert vars(response.wsgi_request)["_perf_panels_observers"] == []


def test_the_hook_is_installed_once(panel):
    installed = BaseHandler.make_view_atomic

    panel.ready()
    view_hook.install()

    assert BaseHandler.make_view_atomic is installed


@pytest.mark.parametrize("url", ["/plain/", "/fails/", "/coroutine/"])
def test_no_profiler_is_left_running(url, client):
    client.get(url)

    assert sys.getprofile() is None
    if sys.version_info >= (3, 12):
        assert sys.monitoring.get_tool(sys.monitoring.PROFILER_ID) is None


def essence(response):
    """
    Return status, headers, cookies and body without what the toolbar itself adds.
    """
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return _essence(response, body)


async def aessence(response):
    if not response.streaming:
        return _essence(response, response.content)
    if response.is_async:
        return _essence(response, b"".join([chunk async for chunk in response.streaming_content]))
    return _essence(response, b"".join(await sync_to_async(list)(response.streaming_content)))


def _essence(response, body):
    added = {"djdt-request-id", "Server-Timing", "Content-Length"}
    headers = {name: value for name, value in response.headers.items() if name not in added}
    return response.status_code, headers, TOOLBAR.sub(b"", body), response.cookies.output()
