"""
What tracemalloc says of a request, and what of that is not the view's.
"""

from __future__ import annotations

import json
import tracemalloc

import pytest
from debug_toolbar.store import get_store

from perf_panels.memory.allocations import Tracing


@pytest.fixture
def tracing():
    tracing = Tracing(1, lambda: 0.0)
    yield tracing
    tracing.release()


def alive(tracing, line):
    return sum(row.alive_bytes for row in tracing.result().rows if (row.file, row.line) == (__file__, line))


def log_entry(number):
    return {"sql": f"SELECT {number}", "time": f"{number:.3f}"}


def test_the_query_log_is_taken_off_what_stayed(tracing):
    tracing.start()
    log = [log_entry(number) for number in range(2_000)]
    kept = [bytearray(100) for _ in range(2_000)]
    line = log_entry.__code__.co_firstlineno + 1
    tracing.stop(log)
    tracing.after()

    in_log = sum(row.net_bytes for row in tracing.result().rows if (row.file, row.line) == (__file__, line))
    assert in_log > 500_000
    assert alive(tracing, line) < 20_000
    assert len(kept) == 2_000
    assert alive(tracing, line + 6) > 200_000


def test_tables_of_small_dicts_are_the_logs_wherever_they_were_first_made(tracing):
    tracing.start()
    log = []
    for number in range(2_000):
        # Thrown away at once, and its table is what the entry of the log gets.
        {"temporary": number}  # noqa: B018
        line = test_tables_of_small_dicts_are_the_logs_wherever_they_were_first_made.__code__.co_firstlineno + 5
        log.append(log_entry(number))
    tracing.stop(log)
    tracing.after()

    assert alive(tracing, line) < 20_000


def test_what_the_toolbar_stores_is_taken_off_what_stayed_at_its_line(tracing):
    rows = [[number, f"label {number}"] for number in range(10_000)]
    tracing.start()
    page = json.dumps(rows)
    tracing.stop()
    get_store().save_panel("a request", "SomePanel", {"rows": rows})
    size = len(page)
    del page
    tracing.after()
    get_store().delete("a request")

    encoder = [row for row in tracing.result().rows if row.file == json.encoder.__file__]
    assert max(row.net_bytes for row in encoder) >= size
    assert sum(row.alive_bytes for row in encoder) < 10_000


def test_the_sampler_survives_that_the_project_stops_the_tracing(tracing, monkeypatch):
    def stopped_meanwhile():
        tracemalloc.stop()
        return 2**30, 2**30

    tracing.start()
    monkeypatch.setattr(tracemalloc, "get_traced_memory", stopped_meanwhile)

    tracing.glance()

    assert tracing.largest.by_trace == {}
