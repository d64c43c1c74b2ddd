"""
What the host's request handling does is the same with each panel on.
"""

from __future__ import annotations

import asyncio
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from debug_toolbar.toolbar import DebugToolbar
from django.core.cache import cache
from django.test import AsyncClient, Client

from perf_panels import view_hook
from tests.contract import site
from tests.contract.conftest import switched_on
from tests.site.models import Publisher

TOOLBAR = re.compile(rb"\s*<div id=\"djDebugRoot\".*(?=</body>)", re.DOTALL)


def test_a_post_without_a_csrf_token_is_refused(panel):
    client = switched_on(Client(enforce_csrf_checks=True), panel)

    response = client.post("/write/")

    assert response.status_code == 403
    assert site.RAN == []


def test_an_anonymous_user_is_sent_to_the_login(client):
    response = client.get("/private/")

    assert response.status_code == 302
    assert site.RAN == []


@pytest.mark.parametrize("atomic", [True, False])
def test_a_failing_view_is_rolled_back_under_atomic_requests_only(atomic, client, monkeypatch):
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic)

    response = client.get("/fails/")

    assert response.status_code == 500
    assert Publisher.objects.count() == (0 if atomic else 1)


def test_non_atomic_requests_is_honoured(client, monkeypatch):
    from django.db import connection

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    client.get("/fails-non-atomic/")

    assert site.RAN == [False]


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_process_exception_gets_the_views_exception(url, client):
    response = client.get(f"{url}?rescue=1")

    assert b"rescued the view's own" in response.content


@pytest.mark.parametrize("url", ["/fails/", "/coroutine-fails/"])
def test_a_view_that_raises_raises_the_same_exception(url, panel):
    client = switched_on(Client(), panel)

    with pytest.raises(ValueError, match="the view's own"):
        client.get(url)


def test_a_urlconf_set_by_a_later_middleware_is_followed(client, recorded):
    response = client.get("/hidden/?hidden=1")

    assert b"hidden" in response.content
    assert recorded()[-1]["error"] is None


def test_translated_urls_are_followed(client):
    assert b"hello 0" in client.get("/de/translated/").content


@pytest.mark.parametrize("shape", site.SHAPES)
def test_every_shape_of_view_and_response_is_what_it_is_without_the_panel(shape, client, recorded, monkeypatch):
    watched = client.get(f"/{shape}/")
    stats = recorded()[-1]
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = Client().get(f"/{shape}/")

    assert essence(watched) == essence(alone)
    assert stats["error"] is None
    assert stats["schema"] == 1


@pytest.mark.parametrize("shape", site.SHAPES)
async def test_every_shape_is_served_over_asgi(shape, async_client, recorded, monkeypatch):
    watched = await async_client.get(f"/{shape}/")
    stats = (await sync_to_async(recorded)())[-1]
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [])
    alone = await AsyncClient().get(f"/{shape}/")

    assert await aessence(watched) == await aessence(alone)
    assert stats["error"] is None


def test_the_render_is_observed_after_the_view_has_ended(client, panel, monkeypatch):
    phases = []
    for phase in ("view", "render"):
        monkeypatch.setattr(panel, f"process_{phase}", lambda self, *args, phase=phase: Phase(phases, phase))

    client.get("/deferred/")

    assert phases == ["view +", "view -", "render +", "render -"]


class Phase:
    def __init__(self, phases, name):
        self.phases, self.name = phases, name

    def __enter__(self):
        self.phases.append(f"{self.name} +")

    def __exit__(self, *raised):
        self.phases.append(f"{self.name} -")


def test_a_refused_request_enters_no_view(client, panel, monkeypatch):
    phases = []
    monkeypatch.setattr(panel, "process_view", lambda self, *args: Phase(phases, "view"))

    client.get("/private/")

    assert phases == []


def test_a_cached_page_is_pickled_and_served_from_the_cache(client):
    cache.clear()

    first, second = client.get("/cached/"), client.get("/cached/")

    assert essence(first)[2] == essence(second)[2]
    assert site.RAN == ["cached"]


def test_ten_threads_keep_their_own_data(panel, recorded):
    def get(number):
        client = switched_on(Client(), panel)
        return client.get(f"/number/{number}/").status_code

    with ThreadPoolExecutor(10) as pool:
        codes = list(pool.map(get, range(1, 11)))

    assert codes == [200] * 10
    by_url = {stats["url"]: stats for stats in recorded()}
    if "queries" in by_url["GET /number/1/"]:
        assert {url: stats["queries"] for url, stats in by_url.items()} == {
            f"GET /number/{n}/": n for n in range(1, 11)
        }


async def test_ten_tasks_keep_their_own_data(panel, recorded):
    async def get(number):
        client = switched_on(AsyncClient(), panel)
        return (await client.get(f"/coroutine/{number}/")).status_code

    codes = await asyncio.gather(*(get(number) for number in range(1, 11)))

    assert codes == [200] * 10
    by_url = {stats["url"]: stats for stats in await sync_to_async(recorded)()}
    if "queries" in by_url["GET /coroutine/1/"]:
        expected = {f"GET /coroutine/{n}/": n for n in range(1, 11)}
        assert {url: stats["queries"] for url, stats in by_url.items()} == expected


def test_nobody_watches_a_request_whose_panel_is_unticked(client, panel, recorded, monkeypatch):
    client.cookies[f"djdt{panel.panel_id}"] = "off"
    entered = []
    monkeypatch.setattr(panel, "process_view", lambda self, *args: entered.append(args))

    client.get("/plain/")

    assert entered == []
    assert recorded() == [{}]


def test_the_hook_is_installed_once(panel):
    from django.core.handlers.base import BaseHandler

    installed = BaseHandler.make_view_atomic

    panel.ready()
    view_hook.install()

    assert BaseHandler.make_view_atomic is installed


def essence(response):
    """
    Return status, headers and body without what the toolbar itself adds.
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
    added = {"djdt-request-id", "Server-Timing", "Content-Length", "Last-Modified"}
    headers = {name: value for name, value in response.headers.items() if name not in added}
    return response.status_code, headers, TOOLBAR.sub(b"", body)


def test_this_python_has_not_been_left_with_a_trace_function(client):
    client.get("/plain/")

    assert sys.getprofile() is None
