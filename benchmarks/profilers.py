"""
What a profiler adds to a page made of templates, some 100 ms of CPU: each in a process of its own, request by request.

``python -m benchmarks --pages vmprof --python …`` measures another interpreter that has the packages.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.ratios import LEGEND, ratio

ROOT = Path(__file__).resolve().parent.parent
BASELINE = "toolbar"
VARIANTS = {
    BASELINE: "toolbar without a profiler",
    "off": "VMProf panel, switched off",
    "cpu": "**VMProf panel, CPU mode**",
    "wall": "**VMProf panel, wall mode**",
    "memory": "VMProf panel, memory mode",
    "sampler": "VMProf panel, safe sampler",
    "profiling": "the toolbar's Profiling panel",
    "pyinstrument": "pyinstrument, 1 ms, without its HTML",
}
BUDGETS = {
    "off": "1.01",
    "cpu": "1.05; 1.15 by the sampler",
    "wall": "1.15",
    "sampler": "1.15",
}
PAGE = "/list/"
PROCESSES = 5
"""Of each variant, one after the other: where its memory happens to lie makes one of them 3 % slower all its life."""


def compare(python: str, rounds: int) -> None:
    """
    Print the ratios of an interpreter as a Markdown table.
    """
    seconds: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    order = list(VARIANTS)
    for batch in range(PROCESSES):
        workers = {variant: _Worker(python, variant) for variant in VARIANTS}
        try:
            for _ in range(3):
                for worker in workers.values():
                    worker.ask("page")
            for _ in range(batch, rounds, PROCESSES):
                order.reverse()
                for variant in order:
                    seconds[variant].append(float(workers[variant].ask("page")))
            about = workers[BASELINE].ask("about")
            engines = {variant: worker.ask("engine") for variant, worker in workers.items()}
        finally:
            for worker in workers.values():
                worker.close()
    _print(about, seconds, engines, rounds)


def _print(about: str, seconds: dict[str, list[float]], engines: dict[str, str], rounds: int) -> None:
    print(f"{about}, {rounds} alternating rounds. Process CPU time until the response is complete;")
    print(f"{LEGEND}, to the toolbar without a profiler.\n")
    print("| a page of templates | CPU | ratio | samples | engine | budget |\n| --- | --- | --- | --- | --- | --- |")
    base = seconds[BASELINE]
    for variant, title in VARIANTS.items():
        times = seconds[variant]
        engine, _space, samples = engines[variant].partition(" ")
        print(
            f"| {title} | {statistics.median(times) * 1000:.0f} ms | {ratio(times, base)} | {samples} "
            f"| {engine} | {BUDGETS.get(variant, '')} |"
        )


class _Worker:
    def __init__(self, python: str, variant: str) -> None:
        environment = os.environ | {
            "BENCH_VARIANT": variant,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
            "PYTHONHASHSEED": "0",
            "PYTHONWARNINGS": "ignore",
        }
        self.process = subprocess.Popen(
            [python, "-m", "benchmarks.profilers"],
            cwd=ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._answer() == "ready", f"the {variant} worker did not start"

    def ask(self, what: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


# In the process that is measured


def main() -> None:
    variant = os.environ["BENCH_VARIANT"]
    _set_up(variant)
    import django
    from debug_toolbar.store import get_store
    from django.core.handlers.wsgi import WSGIHandler

    handler = WSGIHandler()
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "page":
            print(json.dumps(_measured(handler, variant)), flush=True)
        elif line.strip() == "about":
            print(f"Python {platform.python_version()}, Django {django.get_version()}", flush=True)
        else:
            store = get_store()
            stats = store.panel(list(store.request_ids())[-1], "VMProfPanel")
            samples = (stats.get("profile") or {}).get("samples", "")
            print(f"{stats.get('engine', '')} {samples}", flush=True)


def _measured(handler, variant: str) -> float:
    """
    Return the CPU time of a request. What is done after the response is waited for, and not counted.
    """
    import gc
    import threading

    from django.test import RequestFactory

    cookies = {
        "off": "djdtVMProfPanel=off",
        "wall": "perf_panels_vmprof=wall:1",
        "memory": "perf_panels_vmprof=memory:1",
    }
    request = RequestFactory().get(PAGE, HTTP_COOKIE=cookies.get(variant, ""))
    gc.collect()
    began = time.process_time()
    if variant == "pyinstrument":
        from pyinstrument import Profiler

        with Profiler(interval=0.001):
            response = handler(request.environ, lambda *_: None)
            content = b"".join(response)
    else:
        response = handler(request.environ, lambda *_: None)
        content = b"".join(response)
    seconds = time.process_time() - began
    response.close()
    assert b"in stock" in content
    for thread in threading.enumerate():
        if thread.name.startswith("perf-panels"):
            thread.join()
    return seconds


def _set_up(variant: str) -> None:
    import django
    from django.conf import settings

    panels = {
        BASELINE: [],
        "pyinstrument": [],
        "profiling": ["debug_toolbar.panels.profiling.ProfilingPanel"],
    }.get(variant, ["perf_panels.panels.VMProfPanel"])
    settings.configure(
        DEBUG=True,
        SECRET_KEY="benchmark",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.staticfiles", "debug_toolbar", "perf_panels"],
        MIDDLEWARE=["debug_toolbar.middleware.DebugToolbarMiddleware"],
        ROOT_URLCONF="benchmarks.profilers",
        STATIC_URL="/static/",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [ROOT / "benchmarks" / "templates"],
                "APP_DIRS": True,
            }
        ],
        DEBUG_TOOLBAR_PANELS=["debug_toolbar.panels.history.HistoryPanel", *panels],
        DEBUG_TOOLBAR_CONFIG={
            "SHOW_TOOLBAR_CALLBACK": lambda _request: True,
            "IS_RUNNING_TESTS": False,
            # Off until ticked, as the toolbar's settings have it for its own Profiling panel.
            "DISABLE_PANELS": set(),
        },
    )
    django.setup()
    if variant == "sampler":
        from perf_panels.vmprof import modes

        modes.why_not_vmprof = lambda _mode: "measured"
    sys.modules.setdefault("benchmarks.profilers", sys.modules["__main__"])
    from debug_toolbar.toolbar import debug_toolbar_urls
    from django.urls import path

    global urlpatterns  # noqa: PLW0603 - the URLs need the settings, and this module is both
    urlpatterns = [path("list/", view), *debug_toolbar_urls()]


def view(request):
    from django.template.response import TemplateResponse

    day = datetime.date(2026, 1, 1)
    products = [
        {
            "name": f"product number {number}",
            "price": number / 7,
            "stock": number % 30,
            "added": day + datetime.timedelta(days=number % 300),
        }
        for number in range(1_500)
    ]
    return TemplateResponse(request, "profilers/list.html", {"products": products, "title": "products"})


if __name__ == "__main__":
    main()
