"""
The memory panel beside memory_profiler and tracemalloc used by hand: one process a variant, one table a Python.

``run`` is called by ``python -m benchmarks``; the module itself is the worker, and has the URLs of its variants. The
page is the line profiler's.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import statistics
import sys
import time
import tracemalloc

from benchmarks.ratios import LEGEND, ratio

BASELINE = "memory-none"
VARIANTS = {
    BASELINE: "toolbar without the panel",
    "memory-off": "panel not ticked",
    "memory-lines": "**Lines**",
    "memory-profiler": "memory_profiler by hand, the view",
    "memory-profiler-all": "memory_profiler by hand, all project functions",
    "memory-allocations": "**Allocations**, 1 frame",
    "memory-tracemalloc": "tracemalloc by hand, 1 frame and a snapshot",
    "memory-objects": "**Objects**",
}
BUDGETS = {"memory-lines": 2.0}
BUDGET_US = 15
PANEL_ID = "MemoryProfilerPanel"


def run(worker_class, database: str, rounds: int) -> None:
    """
    Print the ratios for this Python and the others.
    """
    from benchmarks.lines import _pythons

    # memory_profiler takes seconds for what takes milliseconds.
    rounds = max(3, rounds // 3)
    for python, version in _pythons():
        workers = {
            variant: worker_class(variant, database, module="benchmarks.memory", python=python) for variant in VARIANTS
        }
        try:
            seconds, event_us = _measure(workers, rounds)
        finally:
            for worker in workers.values():
                worker.close()
        _print(version, seconds, event_us)


def _measure(workers, rounds: int) -> tuple[dict[str, list[float]], float]:
    for worker in workers.values():
        worker.ask("page")
    seconds: dict[str, list[float]] = {variant: [] for variant in workers}
    order = list(workers)
    for _ in range(rounds):
        order.reverse()
        for variant in order:
            seconds[variant].append(workers[variant].ask("page"))
    return seconds, workers["memory-lines"].ask("cost")


def _print(version: str, seconds: dict[str, list[float]], event_us: float) -> None:
    base = statistics.median(seconds[BASELINE])
    print(f"\nPython {version}: a template page of {base * 1000:.0f} ms, ratio of its CPU time to that.\n")
    print(f"| | {LEGEND} | budget |")
    print("| --- | --- | --- |")
    for variant, title in list(VARIANTS.items())[1:]:
        times = seconds[variant]
        print(f"| {title} | {ratio(times, seconds[BASELINE])} | {BUDGETS.get(variant, '')} |")
    print(f"| one profiled line | {event_us:.1f} µs | {BUDGET_US} µs |")


def _by_memory_profiler(view, functions):
    from memory_profiler import LineProfiler

    @functools.wraps(view)
    def profiled(request):
        profiler = LineProfiler()
        for function in functions:
            profiler.add_function(function)
        profiler.enable_by_count()
        try:
            return view(request)
        finally:
            profiler.disable_by_count()

    return profiled


def _by_tracemalloc(view):
    @functools.wraps(view)
    def traced(request):
        tracemalloc.start()
        try:
            response = view(request)
            tracemalloc.take_snapshot().statistics("lineno")
            return response
        finally:
            tracemalloc.stop()

    return traced


def _urls():
    from debug_toolbar.toolbar import debug_toolbar_urls
    from django.urls import path

    from benchmarks.lines_page import FUNCTIONS, page

    by_hand = {
        "memory-profiler": lambda: _by_memory_profiler(page, FUNCTIONS[:1]),
        "memory-profiler-all": lambda: _by_memory_profiler(page, FUNCTIONS),
        "memory-tracemalloc": lambda: _by_tracemalloc(page),
    }
    view = by_hand.get(os.environ["BENCH_VARIANT"], lambda: page)()
    return [path("page/", view), *debug_toolbar_urls()]


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from debug_toolbar.store import get_store
    from django.test import Client

    client = Client()
    engine = os.environ["BENCH_VARIANT"].removeprefix("memory-")
    if engine in {"lines", "allocations", "objects"}:
        client.cookies[f"djdt{PANEL_ID}"] = "on"
        client.cookies[f"djdt{PANEL_ID}Engine"] = engine
    print("ready", flush=True)
    for line in sys.stdin:
        gc.collect()
        began = time.process_time()
        response = client.get("/page/")
        seconds = time.process_time() - began
        assert response.status_code == 200, response.status_code
        if line.strip() == "cost":
            store = get_store()
            stats = store.panel(list(store.request_ids())[-1], PANEL_ID)
            print(json.dumps(stats["meter"]["event_us"]), flush=True)
        else:
            print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
else:
    urlpatterns = _urls() if os.environ.get("BENCH_VARIANT", "").startswith("memory-") else []
