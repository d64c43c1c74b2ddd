"""
The panel in requests: which engine runs, what it refuses, what it leaves as it was.
"""

from __future__ import annotations

import sys
import tracemalloc

import pytest
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar, debug_toolbar_urls
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from perf_panels import actions, exclusive
from perf_panels.memory import PANEL_ID, process
from perf_panels.memory.choice import COOKIE
from perf_panels.memory.collect import TOOL
from perf_panels.memory.panel import MemoryProfilerPanel

pytestmark = pytest.mark.usefixtures("small_heap")

MIB = 1024**2
ENGINES = ["lines", "allocations", "objects"]
SEEN = {}


def view(request):
    # Over the size up to which the C library may keep freed memory: a big process would not grow.
    data = b"x" * (40 * MIB)
    SEEN["traced"] = tracemalloc.is_tracing()
    SEEN["frames"] = tracemalloc.get_traceback_limit()
    return HttpResponse(f"<html><body>{len(data)}</body></html>")


def fails(request):
    raise ValueError("the view's own")


async def async_view(request):
    return HttpResponse("<html><body></body></html>")


def tracing_itself(request):
    SEEN["stops"]()
    return HttpResponse("<html><body></body></html>")


urlpatterns = [
    path("view/", view),
    path("async/", async_view),
    path("fails/", fails),
    path("tracing/", tracing_itself),
    *debug_toolbar_urls(),
]


@pytest.fixture
def client(settings, monkeypatch, no_coverage):
    MemoryProfilerPanel.ready()
    settings.ROOT_URLCONF = "tests.memory.test_panel"
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [MemoryProfilerPanel])
    client = Client(raise_request_exception=False)
    client.cookies[f"djdt{PANEL_ID}"] = "on"
    return client


def stored(client, url="/view/", engine="lines"):
    client.cookies[COOKIE] = engine
    client.get(url)
    store = get_store()
    return store.panel(list(store.request_ids())[-1], PANEL_ID)


def test_the_panel_is_off_until_it_is_ticked(client):
    del client.cookies[f"djdt{PANEL_ID}"]

    stats = stored(client)

    assert stats == {}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_everything_back(engine, client):
    stats = stored(client, engine=engine)

    assert stats["error"] is None
    assert stats["engine"] == engine
    assert not tracemalloc.is_tracing()
    assert sys.gettrace() is None
    exclusive.acquire(TOOL, "a test")
    exclusive.release(TOOL)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_view_that_fails_leaves_nothing_behind(engine, client):
    stats = stored(client, "/fails/", engine)

    assert stats["error"] is None
    assert not tracemalloc.is_tracing()
    exclusive.acquire(TOOL, "a test")
    exclusive.release(TOOL)


def test_the_thread_that_waits_for_an_async_view_is_no_other_request(client):
    assert stored(client)["others"]["requests"] == stored(client, "/async/")["others"]["requests"] == 0


def test_nonsense_in_the_cookie_is_lines(client):
    assert stored(client, engine="../etc")["engine"] == "lines"


def test_more_frames_are_traced_on_request(client):
    stats = stored(client, engine="allocations-10")

    assert SEEN["frames"] == 10
    assert stats["allocations"]["frames"] == 10


def test_a_tracemalloc_of_the_projects_is_left_as_it_is(client):
    tracemalloc.start(2)
    try:
        mine = [bytearray(1_000) for _ in range(100)]
        stats = stored(client, engine="allocations")

        assert stats["allocations"]["foreign"]
        assert SEEN["frames"] == 2
        assert tracemalloc.is_tracing()
        assert tracemalloc.get_object_traceback(mine[0]) is not None
        assert stats["allocations"]["peak_bytes"] is None
    finally:
        tracemalloc.stop()


def stop_and_start():
    tracemalloc.stop()
    tracemalloc.start()


@pytest.fixture
def _nothing_tells(monkeypatch):
    """
    A system without /proc, on which psutil is not installed.
    """
    monkeypatch.setattr(process, "_STATM", "/no/such/file")
    monkeypatch.setitem(sys.modules, "psutil", None)
    process.noise_bytes.cache_clear()
    yield
    process.noise_bytes.cache_clear()


@pytest.mark.parametrize("engine", ["allocations", "objects"])
@pytest.mark.usefixtures("_nothing_tells")
def test_where_nothing_tells_of_the_process_the_rest_is_measured(engine, client):
    stats = stored(client, engine=engine)

    assert (stats["error"], stats["problem"]) == (None, None)
    assert stats[engine] is not None
    assert stats["process"]["rss_peak_bytes"] is None
    assert stats["curve"] == []


@pytest.mark.usefixtures("_nothing_tells")
def test_where_nothing_tells_of_the_process_lines_say_what_to_install(client):
    stats = stored(client)

    assert stats["error"] is None
    assert "psutil is not installed" in stats["problem"]


@pytest.mark.parametrize("stops", [tracemalloc.stop, stop_and_start, tracemalloc.clear_traces])
def test_a_view_that_stops_the_tracing_is_told_so(stops, client):
    SEEN["stops"] = stops

    stats = stored(client, "/tracing/", "allocations")

    assert stats["error"] is None
    assert "stopped tracemalloc" in stats["problem"]
    assert not tracemalloc.is_tracing()


def test_a_second_request_is_told_who_is_being_measured(client):
    exclusive.acquire(TOOL, "GET /report/")
    try:
        stats = stored(client)
    finally:
        exclusive.release(TOOL)

    assert "GET /report/" in stats["problem"]
    assert stats["process"]["rss_before_bytes"] > MIB


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="lines come from sys.monitoring")
def test_a_trace_function_is_not_taken_away(client):
    def debugger(frame, event, arg):
        return None

    sys.settrace(debugger)
    try:
        stats = stored(client)
        kept = sys.gettrace()
    finally:
        sys.settrace(None)

    assert kept is debugger
    assert "debugger" in stats["problem"]


def test_the_process_is_measured_whatever_the_engine(client):
    stats = stored(client, engine="objects")

    assert stats["process"]["rss_peak_bytes"] >= stats["process"]["rss_before_bytes"] + 39 * MIB
    assert stats["process"]["noise_bytes"] > 0
    assert [phase["name"] for phase in stats["phases"]] == ["view"]


def test_a_click_chooses_the_engine_for_the_browser_session(client):
    client.get("/view/")
    request_id = list(get_store().request_ids())[-1]
    token = actions.token(PANEL_ID, request_id, "engine", "objects")

    response = client.post("/__debug__/perf_panels/memory/engine/", {"token": token})

    cookie = response.cookies[COOKIE]
    assert (response.status_code, cookie.value, cookie["expires"], cookie["max-age"]) == (200, "objects", "", "")


def test_an_engine_that_does_not_exist_is_refused(client):
    client.get("/view/")
    request_id = list(get_store().request_ids())[-1]
    token = actions.token(PANEL_ID, request_id, "engine", "everything")

    response = client.post("/__debug__/perf_panels/memory/engine/", {"token": token})

    assert response.status_code == 409


def test_who_refers_to_tuples_cannot_be_asked(client):
    stats = stored(client, engine="objects")
    request_id = list(get_store().request_ids())[-1]
    token = actions.token(PANEL_ID, request_id, "chains", "tuple")

    response = client.post("/__debug__/perf_panels/memory/chains/", {"token": token})

    assert response.status_code == 409
    assert {each["id"] for each in stats["types"] if each["name"] == "tuple"} <= {""}
