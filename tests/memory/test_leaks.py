"""
What stays after each of three requests is a leak; what stays once is a cache.
"""

from __future__ import annotations

import time
from collections import deque
from types import SimpleNamespace

import pytest
from debug_toolbar.panels.sql import SQLPanel
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar, debug_toolbar_urls
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import path

from perf_panels.memory import after, leaks
from perf_panels.memory.leaks import Left
from perf_panels.memory.measurements import OBJECTS, Kept
from perf_panels.memory.panel import MemoryProfilerPanel
from perf_panels.memory.results import Objects, TypeGrowth
from tests.memory.builders import MIB, measurements, process
from tests.site.models import Author

pytestmark = pytest.mark.usefixtures("small_heap")

KEPT = []
FILLED = {}
SLOW = {}


def leaking(request):
    KEPT.append(bytes(1) * MIB)
    return HttpResponse("<html><body></body></html>")


def caching(request):
    if not FILLED:
        FILLED["rates"] = bytes(1) * (4 * MIB)
    return HttpResponse("<html><body></body></html>")


def asking(request, times):
    for _ in range(times):
        Author.objects.count()
    return HttpResponse("<html><body></body></html>")


def keeping(request):
    response = HttpResponse(bytes(1) * MIB, content_type="application/octet-stream")
    KEPT.append(response)
    return response


def late(request):
    response = HttpResponse(bytes(1) * MIB, content_type="application/octet-stream")
    SLOW["held"].append(response)
    return response


def streaming(request):
    return StreamingHttpResponse(iter(["<html><body></body></html>"]))


urlpatterns = [
    path("keeping/", keeping),
    path("late/", late),
    path("streaming/", streaming),
    path("leaking/", leaking),
    path("caching/", caching),
    path("asking/<int:times>/", asking),
    *debug_toolbar_urls(),
]


@pytest.fixture
def visit(settings, monkeypatch, no_coverage):
    """
    Request a page three times with an engine; return what is stored of the last, when what stayed was looked at.
    """
    MemoryProfilerPanel.ready()
    settings.ROOT_URLCONF = "tests.memory.test_leaks"
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
    settings.PERF_PANELS = {**settings.PERF_PANELS, "MEMORY_LEAK_REQUESTS": 3}
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [MemoryProfilerPanel])
    client = Client()
    client.cookies["djdtMemoryProfilerPanel"] = "on"

    def visit(url, engine):
        client.cookies["djdtMemoryProfilerPanelEngine"] = engine
        return [looked_at(client, url) for _ in range(3)]

    leaks.forget()
    yield visit
    leaks.forget()
    KEPT.clear()
    FILLED.clear()
    SLOW.clear()


def looked_at(client, url):
    assert client.get(url).status_code == 200
    store = get_store()
    request_id = list(store.request_ids())[-1]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        stats = store.panel(request_id, "MemoryProfilerPanel")
        if stats["complete"] or stats["unseen"] or stats["error"]:
            return stats
        time.sleep(0.01)
    pytest.fail("nobody looked at what stayed")


def test_a_view_that_keeps_a_mebibyte_at_each_request_is_reported_after_three(visit):
    first, second, third = visit("/leaking/", "allocations")

    assert first["leaks"] == second["leaks"] == []
    (leak,) = third["leaks"]
    assert leak["kind"] == "line"
    assert leak["growth_bytes"] == pytest.approx(MIB, rel=0.1)
    assert leak["origin"]["file"] == __file__
    assert leak["origin"]["line"] == leaking.__code__.co_firstlineno + 1
    assert [finding["rule"] for finding in third["findings"] if "leak" in finding["rule"]]


def test_a_cache_that_fills_once_is_not_reported(visit):
    stats = visit("/caching/", "allocations")

    assert [each["leaks"] for each in stats] == [[], [], []]


def test_a_view_that_keeps_its_responses_leaks_them(visit, monkeypatch):
    monkeypatch.setattr(after, "PATIENCE_S", 0.0)

    stats = [*visit("/keeping/", "allocations"), *visit("/keeping/", "allocations")]

    assert [len(each["leaks"]) for each in stats[:4]] == [0, 0, 0, 1]
    assert {each["unseen"] for each in stats} == {"held"}
    (leak,) = stats[3]["leaks"]
    assert leak["growth_bytes"] == pytest.approx(MIB, rel=0.1)
    assert leak["origin"]["file"] == __file__


def test_responses_that_a_server_lets_go_late_are_no_leak(visit, monkeypatch):
    monkeypatch.setattr(after, "PATIENCE_S", 0.0)
    # A pool of two threads, each of which holds its last response until its next request.
    SLOW["held"] = deque(maxlen=2)

    stats = [*visit("/late/", "allocations"), *visit("/late/", "allocations")]

    assert {each["unseen"] for each in stats} == {"held"}
    assert [each["leaks"] for each in stats] == [[]] * 6


def test_how_many_requests_were_looked_at_is_stored(visit, monkeypatch):
    monkeypatch.setattr(after, "PATIENCE_S", 20.0)

    stats = [*visit("/caching/", "allocations"), *visit("/caching/", "lines")]

    assert [each["looked_at"] for each in stats] == [1, 2, 3, 1, 2, 3]
    assert {each["unseen"] for each in stats} == {""}


def test_a_streamed_response_is_said_not_to_be_looked_at(visit):
    stats = visit("/streaming/", "allocations")

    assert [(each["unseen"], each["complete"]) for each in stats] == [("streamed", False)] * 3


def test_a_look_that_the_next_request_took_away_is_said_not_to_follow(monkeypatch):
    saved = {}
    monkeypatch.setattr(after.actions, "save_stats", lambda panel, request, stats: saved.update(stats))
    monkeypatch.setattr(after, "get_store", lambda: SimpleNamespace(panel=lambda *_: {"complete": False}))
    too_late = SimpleNamespace(after=lambda: False, release=lambda: None)

    after.look_again(too_late, Kept(), "a view", "request", lambda: None)

    assert saved == {"complete": False, "unseen": "late"}


def test_a_look_that_fails_says_so(visit, monkeypatch, caplog):
    monkeypatch.setattr(after.leaks, "remember", lambda *arguments: MIB / 0)

    stats, *_ = visit("/caching/", "allocations")

    assert stats["error"] == "after the response: ZeroDivisionError: division by zero"
    assert "The memory panel failed after the response" in caplog.text


def lefts(*process_bytes):
    return [Left(each) for each in process_bytes]


def test_the_growth_is_the_least_of_the_requests():
    (leak,) = leaks.found(lefts(20 * MIB, MIB, 3 * MIB))

    assert (leak.kind, leak.growth_bytes, leak.requests) == ("process", MIB, 3)
    assert leak.history_bytes == [20 * MIB, MIB, 3 * MIB]


@pytest.mark.parametrize("left", [(20 * MIB, 0, 0), (MIB, MIB, 100_000), (-MIB, 9 * MIB, 9 * MIB)])
def test_growth_of_the_process_that_ends_is_no_leak(left):
    assert leaks.found(lefts(*left)) == []


def test_a_line_is_named_in_place_of_the_process():
    place = ("/srv/app/views.py", 7)
    last = [Left(2 * MIB, {place: 2 * MIB, ("/srv/app/views.py", 9): 10}) for _ in range(3)]

    (leak,) = leaks.found(last)

    assert (leak.kind, leak.origin.line) == ("line", 7)


def test_a_class_of_which_instances_stay_is_named():
    last = [Left(0, types={"shop.models.Order": (25, 20_000), "dict": (25, 20_000)}) for _ in range(3)]

    (leak,) = leaks.found(last)

    assert (leak.kind, leak.name, leak.growth_count) == ("type", "shop.models.Order", 25)


def test_a_request_beside_others_proves_nothing(settings):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "MEMORY_LEAK_REQUESTS": 2}
    leaks.forget()
    grown = measurements(process=process(rss_after_bytes=140 * MIB))
    crowded = measurements(process=process(rss_after_bytes=40 * MIB))
    crowded.others.requests = 1
    grown_more = measurements(process=process(rss_before_bytes=140 * MIB, rss_after_bytes=240 * MIB))

    found = [leaks.remember("a view", each) for each in (grown, crowded, grown_more)]

    assert [len(each) for each in found] == [0, 0, 1]
    leaks.forget()


@pytest.fixture
def remembered(settings):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "MEMORY_LEAK_REQUESTS": 3}
    leaks.forget()
    yield lambda requests: [leaks.remember("a view", each) for each in requests][-1]
    leaks.forget()


def test_memory_that_is_gone_when_the_next_request_begins_has_not_stayed(remembered):
    request = measurements(process=process(rss_before_bytes=40 * MIB, rss_after_bytes=44 * MIB))

    assert remembered([request] * 3) == []


def test_what_the_toolbar_stores_of_each_request_is_no_leak(remembered):
    requests = [
        measurements(
            process=process(
                rss_before_bytes=size * MIB,
                rss_after_bytes=(size + 4) * MIB,
                store_before_bytes=(size - 40) * MIB,
                store_after_bytes=(size - 36) * MIB,
            )
        )
        for size in (40, 44, 48)
    ]

    assert remembered(requests) == []


def counted(before, left):
    grown = TypeGrowth("dict", before, left, before * 1000, left * 1000, left, bytes_left=left * 1000)
    return measurements(OBJECTS, process=process(rss_after_bytes=40 * MIB), objects=Objects(types=[grown]))


def test_objects_of_the_servers_thread_are_gone_with_it_and_no_leak(remembered):
    assert remembered([counted(100, 400)] * 3) == []


def test_objects_that_are_still_there_when_the_next_request_begins_are_a_leak(remembered):
    (leak,) = remembered([counted(100, 400), counted(300, 600), counted(500, 800)])

    assert (leak.name, leak.growth_count, leak.growth_bytes) == ("dict", 200, 200_000)


@pytest.mark.parametrize("engine", ["lines", "objects"])
@pytest.mark.django_db(transaction=True)
def test_what_the_toolbar_records_of_a_request_is_no_leak(engine, visit, monkeypatch):
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [MemoryProfilerPanel, SQLPanel])

    stats = visit("/asking/300/", engine)

    assert [each["leaks"] for each in stats] == [[], [], []]


@pytest.mark.django_db(transaction=True)
def test_the_query_log_of_debug_is_no_leak(visit, settings):
    settings.DEBUG = True

    stats = visit("/asking/800/", "allocations")

    assert stats[-1]["kept"]["query_log_entries"] == 800
    assert [leak for each in stats for leak in each["leaks"] if leak["kind"] == "line"] == []
