"""
The site of the soak: a template page, and what a sampled request may do besides: make generators, sleep, fork, start
threads.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import threading
import time

from debug_toolbar.toolbar import debug_toolbar_urls
from django.http import HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path

TEXT = "{% for row in rows %}{{ row.name|title }}{% endfor %}"
ROWS = [{"name": f"row {number}", "price": number / 3, "even": number % 2 == 0} for number in range(60)]


def template(request):
    return TemplateResponse(request, "soak/page.html", {"rows": ROWS, "title": "soak"})


def strings(request):
    return HttpResponse(engines["django"].from_string(TEXT).render({"rows": ROWS[:10]}))


def generators(request):
    """
    Makes generators at any depth: where a call maps a new chunk of Python's stack, a sampler may meet it unmapped.
    """
    made = _at_depth(random.randrange(300), lambda: sum(next(number for number in (1,)) for _ in range(400)))
    return HttpResponse(str(made))


def _at_depth(depth, call):
    return call() if depth == 0 else _at_depth(depth - 1, call)


def sleeps(request):
    time.sleep(0.004)
    return HttpResponse("slept")


def threads(request):
    workers = [threading.Thread(target=sum, args=(range(2_000),)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return HttpResponse("threads")


def forks(request):
    subprocess.run(["true"], check=True)
    return HttpResponse("forked")


def fails(request):
    raise ValueError(os.getpid())


async def waits(request):
    await asyncio.sleep(0.002)
    return HttpResponse(str(sum(range(20_000))))


PAGES = {
    "template": (template, 50),
    "generators": (generators, 10),
    "strings": (strings, 10),
    "sleeps": (sleeps, 10),
    "threads": (threads, 8),
    "waits": (waits, 8),
    "fails": (fails, 2),
    "forks": (forks, 2),
}
"""Each page and how many of a hundred requests are for it."""

urlpatterns = [path(f"{name}/", view) for name, (view, _share) in PAGES.items()] + debug_toolbar_urls()
