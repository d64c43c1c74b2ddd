"""
A project whose views have known costs; the replaying process imports it, too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time

from django.http import HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path

from tests.vmprof.shares import busy, half, known

FAILING = "{% for row in rows %}\n{{ row.fails }}\n{% endfor %}"


class Row:
    def fails(self):
        raise ZeroDivisionError("in the row")


def shares(request):
    known(0.05, rounds=2)
    return HttpResponse("known")


def html_page(request):
    known(0.05)
    return HttpResponse("<!doctype html><html lang=en><title>known</title><body>known</body></html>")


def sleeps(request):
    busy(0.02)
    time.sleep(0.2)
    return HttpResponse("slept")


def deferred(request):
    half(0.02)
    return TemplateResponse(request, engines["django"].from_string("{{ work }}"), {"work": lambda: busy(0.03)})


def template_error(request):
    return TemplateResponse(request, engines["django"].from_string(FAILING), {"rows": [Row()]})


async def coroutine(request):
    half(0.04)
    await asyncio.sleep(0.02)
    return HttpResponse("async")


def who(request):
    busy(0.02)
    return HttpResponse(request.COOKIES.get("who", "nobody"), status=200 if request.GET.get("q") == "a b" else 404)


def asked(request, name):
    """
    Answer 404 to all but a request for a fragment of this page with an odd name.
    """
    busy(0.02)
    wanted = "100%41?#;/é" if request.headers.get("HX-Request") else "nothing"
    return HttpResponse(name, status=200 if name == wanted else 404)


def dies(request):
    if os.environ.get("PERF_PANELS_TEST_DIES"):
        os.kill(os.getpid(), signal.SIGSEGV)
    busy(0.02)
    return HttpResponse("lives")


def dies_once(request):
    """
    Kill the process that asks a second time, unless a process has died of it already.
    """
    flag = os.environ.get("PERF_PANELS_TEST_FLAG")
    if flag and _asked(flag) == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    busy(0.02)
    return HttpResponse("lives")


def _asked(flag):
    with open(flag, "a+") as file:  # noqa: PTH123 - one descriptor for both
        file.write("x")
        file.flush()
        return os.fstat(file.fileno()).st_size


def endless(request):
    if os.environ.get("PERF_PANELS_TEST_ENDLESS"):
        time.sleep(60)
    return HttpResponse("fast")


urlpatterns = [
    path("shares/", shares),
    path("page/", html_page),
    path("sleeps/", sleeps),
    path("deferred/", deferred),
    path("template-error/", template_error),
    path("coroutine/", coroutine),
    path("who/", who),
    path("asked/<path:name>/", asked),
    path("dies/", dies),
    path("dies-once/", dies_once),
    path("endless/", endless),
    path("__debug__/", include("debug_toolbar.urls")),
]
