"""
Requests at the same time never count each other's lines.
"""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.test import AsyncClient, Client

from perf_panels import functions, selection
from perf_panels.lines import PANEL_ID
from perf_panels.lines.panel import LineProfilerPanel
from tests.lines import crowd

THREADS = 8
REQUESTS = 100
TASKS = 50


@pytest.fixture
def recorded(only_lines, settings, monkeypatch):
    """
    {path: [{function: [hits of its lines]}]} of every request, as the panel reports it; ``shared`` is timed too.
    """
    settings.ROOT_URLCONF = "tests.lines.crowd"
    monkeypatch.setattr(selection, "read", lambda _request: {view: [shared.id] for view in VIEWS})
    shared = functions.target_of(crowd.shared)
    for view in VIEWS:
        selection.remember(view, [shared])
    found = {}

    def generate_stats(self, request, response):
        stats = self.report(request, response)
        assert self._error is None
        assert stats["refused"] is None
        hits = {each["name"]: [line["hits"] for line in each["lines"]] for each in stats["functions"]}
        found.setdefault(request.path, []).append(hits)

    # The store keeps the last few requests; here every one is looked at.
    monkeypatch.setattr(LineProfilerPanel, "generate_stats", generate_stats)
    return found


VIEWS = [f"tests.lines.crowd.{name}" for name in ("first", "second", "waiting")]


def loops(number, each):
    """
    Return the hits of ``shared``'s lines when it is called ``number`` times with ``each``.
    """
    return [number, number * (each + 1), number * each, number]


def test_eight_threads_count_their_own_lines(recorded):
    failures = []
    together = threading.Barrier(THREADS)

    def browse(thread):
        try:
            client = Client()
            client.cookies[f"djdt{PANEL_ID}"] = "on"
            together.wait(20)
            for _ in range(REQUESTS):
                client.get(f"/first/{thread + 2}/" if thread % 2 else f"/second/{thread + 2}/")
        except Exception as error:  # noqa: BLE001 - a thread's exception is nobody's
            failures.append(error)

    threads = [threading.Thread(target=browse, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    for thread in range(THREADS):
        number = thread + 2
        name, each = ("first", number) if thread % 2 else ("second", 2)
        requests = recorded[f"/{name}/{number}/"]
        assert len(requests) == REQUESTS
        expected = {name: [number + 1, number, 1], "shared": loops(number, each)}
        assert [hits for hits in requests if hits != expected] == []


async def test_fifty_interleaved_requests_count_their_own_lines(recorded):
    client = AsyncClient()
    client.cookies[f"djdt{PANEL_ID}"] = "on"

    await asyncio.gather(*(client.get(f"/waiting/{number}/") for number in range(1, TASKS + 1)))

    for number in range(1, TASKS + 1):
        expected = {"waiting": [1, number + 1, number, number, 1], "shared": loops(number, number)}
        assert recorded[f"/waiting/{number}/"] == [expected]
