"""
The line profiler panel beside line_profiler used by hand: one process a variant, one table a Python.

``run`` is called by ``python -m benchmarks``; the module itself is the worker. BENCH_PYTHONS names more interpreters,
separated like PATH, in whose environments the package and the test requirements are installed.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.ratios import LEGEND, ratio

BASELINE = "lines-none"
VARIANTS = {
    BASELINE: "toolbar without the panel",
    "lines-off": "panel not ticked",
    "lines-view": "**panel, the view**",
    "lines-all": "**panel, all project functions**",
    "hand-view": "line_profiler by hand, the view",
    "hand-all": "line_profiler by hand, all",
}
BUDGETS = {"lines-view": (1.1, 2.7), "lines-all": (1.6, 2.7)}
PANEL_ID = "LineProfilerPanel"
ROOT = Path(__file__).resolve().parent.parent


def run(worker_class, database: str, rounds: int) -> None:
    """
    Print the ratios for this Python and the others.
    """
    for python, version in _pythons():
        workers = {
            variant: worker_class(variant, database, module="benchmarks.lines", python=python) for variant in VARIANTS
        }
        try:
            seconds = _measure(workers, rounds)
        finally:
            for worker in workers.values():
                worker.close()
        _print(version, seconds)


def _pythons() -> list[tuple[str, str]]:
    others = os.environ.get("BENCH_PYTHONS", "").split(os.pathsep)
    others += map(str, sorted(ROOT.glob(".tox/py*/bin/python")))
    found = {}
    for python in [sys.executable, *filter(None, others)]:
        said = subprocess.run(
            [python, "-c", "import sys; print(sys.version.split()[0])"], capture_output=True, text=True, check=False
        )
        found.setdefault(said.stdout.strip(), python)
    return [(python, version) for version, python in found.items() if version]


def _measure(workers, rounds: int) -> dict[str, list[float]]:
    for _ in range(3):
        for worker in workers.values():
            worker.ask("page")
    seconds: dict[str, list[float]] = {variant: [] for variant in workers}
    order = list(workers)
    for _ in range(rounds):
        order.reverse()
        for variant in order:
            seconds[variant].append(workers[variant].ask("page"))
    return seconds


def _print(version: str, seconds: dict[str, list[float]]) -> None:
    base = statistics.median(seconds[BASELINE])
    has_monitoring = tuple(map(int, version.split(".")[:2])) >= (3, 12)
    print(f"\nPython {version}: a template page of {base * 1000:.0f} ms, ratio of its CPU time to that.\n")
    print(f"| | {LEGEND} | budget |")
    print("| --- | --- | --- |")
    for variant, title in list(VARIANTS.items())[1:]:
        times = seconds[variant]
        budget = BUDGETS[variant][0 if has_monitoring else 1] if variant in BUDGETS else ""
        print(f"| {title} | {ratio(times, seconds[BASELINE])} | {budget} |")


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    import django

    django.setup()
    from django.test import Client

    client = Client()
    variant = os.environ["BENCH_VARIANT"]
    if variant in {"lines-view", "lines-all"}:
        client.cookies[f"djdt{PANEL_ID}"] = "on"
    if variant == "lines-all":
        _choose_all()
    print("ready", flush=True)
    for _ in sys.stdin:
        gc.collect()
        began = time.process_time()
        response = client.get("/page/")
        seconds = time.process_time() - began
        assert response.status_code == 200, response.status_code
        print(json.dumps(seconds), flush=True)


def _choose_all() -> None:
    from benchmarks.lines_page import FUNCTIONS
    from perf_panels import selection
    from perf_panels.functions import target_of

    view, targets = "benchmarks.lines_page.page", [target_of(function) for function in FUNCTIONS]
    selection.remember(view, targets)
    # As if somebody had clicked on each: there is no session here.
    selection.read = lambda _request: {view: [target.id for target in targets]}


if __name__ == "__main__":
    main()
