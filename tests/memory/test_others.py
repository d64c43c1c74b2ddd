"""
Who counts as another request: under a real ASGI server a request has more tasks than one.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar, debug_toolbar_urls
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.urls import path

from perf_panels.memory import PANEL_ID
from perf_panels.memory.panel import MemoryProfilerPanel

TOOLBAR = "debug_toolbar.middleware.DebugToolbarMiddleware"
BEGUN, OVER = threading.Event(), threading.Event()


async def async_view(request):
    return HttpResponse("<html><body></body></html>")


async def waiting(request):
    BEGUN.set()
    await sync_to_async(OVER.wait, thread_sensitive=False)(20)
    return HttpResponse("<html><body></body></html>")


def not_async(get_response):
    def middleware(request):
        return get_response(request)

    return middleware


urlpatterns = [path("async/", async_view), path("waiting/", waiting), *debug_toolbar_urls()]


@pytest.fixture
def others(settings, monkeypatch, no_coverage):
    """
    Say how many other requests the panel counts while a page is served, after ``meanwhile``.
    """
    MemoryProfilerPanel.ready()
    settings.ROOT_URLCONF = "tests.memory.test_others"
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [MemoryProfilerPanel])

    def others(*middleware, meanwhile=None):
        settings.MIDDLEWARE = list(middleware)
        with served() as address:
            if meanwhile is not None:
                meanwhile(address)
            urlopen(Request(f"{address}/async/", headers={"Cookie": f"djdt{PANEL_ID}=on"}), timeout=20).read()
        request_id = list(get_store().request_ids())[-1]
        return get_store().panel(request_id, PANEL_ID)["others"]["requests"]

    return others


@contextmanager
def served():
    server = uvicorn.Server(uvicorn.Config(ASGIHandler(), port=0, lifespan="off", log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield "http://127.0.0.1:{1}".format(*server.servers[0].sockets[0].getsockname())
    finally:
        server.should_exit = True
        OVER.set()
        thread.join(20)


@pytest.mark.parametrize(
    "middleware", [(TOOLBAR,), (f"{__name__}.not_async", TOOLBAR), (TOOLBAR, f"{__name__}.not_async")]
)
def test_a_request_alone_is_alone(middleware, others):
    assert others(*middleware) == 0


@pytest.mark.parametrize(
    "middleware", [(TOOLBAR,), (f"{__name__}.not_async", TOOLBAR), (TOOLBAR, f"{__name__}.not_async")]
)
def test_another_request_that_waits_is_one(middleware, others):
    BEGUN.clear()
    OVER.clear()

    def wait(address):
        threading.Thread(target=urlopen, args=(f"{address}/waiting/",), daemon=True).start()
        BEGUN.wait(20)

    assert others(*middleware, meanwhile=wait) == 1
