"""
The project of the contract suite: every shape of view and response, and middleware before and behind the toolbar.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
import time
from pathlib import Path

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.decorators import login_not_required
from django.db import connection, transaction
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.cache import cache_page
from django.views.generic import View

from tests.site.models import Publisher

PAGE = "<!doctype html><html lang=en><head><title>t</title></head><body><p>{}</p><!--end--></body></html>"
RAN = []
EVERYBODY = 10
CROWD = threading.Barrier(EVERYBODY)
ARRIVED = []


def page(text):
    return HttpResponse(PAGE.format(text))


def busy():
    """
    Take as long as a sampler needs to see it.
    """
    until = time.thread_time() + 0.02
    while time.thread_time() < until:
        sum(range(1_000))


def public(view):
    return login_not_required(view)


@public
def plain(request):
    RAN.append("plain")
    return page(f"hello {len(Publisher.objects.all())}")


def private(request):
    RAN.append("private")
    return page("private")


@public
def writes_and_fails(request):
    Publisher.objects.create(name="half done")
    raise ValueError("the view's own")


@public
@transaction.non_atomic_requests
def writes_and_fails_non_atomic(request):
    RAN.append(connection.in_atomic_block)
    raise ValueError("the view's own")


@public
def write(request):
    RAN.append("write")
    return page("written")


class CallableView:
    csrf_exempt = True
    login_required = False

    def __call__(self, request):
        return page("callable")


@method_decorator(public, name="dispatch")
class ClassView(View):
    def get(self, request):
        return page("class")


def decorate(view):
    @functools.wraps(view)
    def wrapper(request):
        return view(request)

    return wrapper


@public
@decorate
def decorated(request):
    return page("decorated")


def template():
    source = PAGE.format("{% for p in publishers %}{{ p.authors.all|length }}{% endfor %}deferred")
    return engines["django"].from_string(source)


@public
def deferred(request):
    if "perf_panels_vmprof" in request.COOKIES:
        busy()
    return TemplateResponse(request, template(), {"publishers": Publisher.objects.all()})


@public
@cache_page(60)
def cached(request):
    RAN.append("cached")
    return TemplateResponse(request, template(), {"publishers": []})


@public
def streaming(request):
    return StreamingHttpResponse(chunk for chunk in ("<html><body>", "streamed", "</body></html>"))


@public
def file(request):
    return FileResponse(Path(__file__).open("rb"))


@public
def json(request):
    return JsonResponse({"publishers": Publisher.objects.count()})


@public
def missing(request):
    raise Http404("not here")


@public
def matched(request):
    return page(request.resolver_match.func is matched)


@public
def with_cookie(request):
    response = page("cookie")
    response.set_cookie("host", "own")
    response["X-Host"] = "own"
    return response


@public
def redirect(request):
    return HttpResponseRedirect("/plain/")


@public
def query_by_number(request, number):
    CROWD.wait(20)
    for each in range(number):
        Publisher.objects.filter(pk=each).count()
        time.sleep(0.002)
    return page(f"number {number}")


@public
async def coroutine(request):
    await asyncio.sleep(0)
    return page(f"async {await Publisher.objects.acount()}")


@markcoroutinefunction
@public
def coroutine_shielded(request):
    return asyncio.shield(coroutine(request))


@public
async def coroutine_by_number(request, number):
    ARRIVED.append(number)
    while len(ARRIVED) < EVERYBODY:  # noqa: ASYNC110 - an Event belongs to one test's loop
        await asyncio.sleep(0.001)
    for each in range(number):
        await sync_to_async(Publisher.objects.filter(pk=each).count)()
        await asyncio.sleep(0.002)
    return page(f"async number {number}")


@method_decorator(public, name="dispatch")
class CoroutineClassView(View):
    async def get(self, request):
        return page(f"async class {await Publisher.objects.acount()}")


@public
async def coroutine_deferred(request):
    return TemplateResponse(request, template(), {"publishers": Publisher.objects.all()})


class AwaitedResponse(TemplateResponse):
    async def render(self):
        return await sync_to_async(super().render)()


@public
async def coroutine_awaited(request):
    return AwaitedResponse(request, template(), {"publishers": Publisher.objects.all()})


async def chunks():
    for chunk in ("<html><body>", "streamed", "</body></html>"):
        yield chunk


@public
async def coroutine_streaming(request):
    return StreamingHttpResponse(chunks())


@public
async def coroutine_fails(request):
    raise ValueError("the view's own")


@public
def pid(request):
    return page(f"pid {os.getpid()}")


@login_not_required
def hidden(request):
    return page("hidden")


class SetUrlconf(MiddlewareMixin):
    def process_request(self, request):
        if "hidden" in request.GET:
            request.urlconf = "tests.contract.other_urls"


def sync_only(get_response):
    return lambda request: get_response(request)  # noqa: PLW0108 - a middleware is a callable of its own


def name_worker(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Worker"] = str(os.getpid())
        return response

    return middleware


class Rescue(MiddlewareMixin):
    """
    Turns the exception of a view into a page, if asked to.
    """

    def process_exception(self, request, exception):
        return page(f"rescued {exception}") if "rescue" in request.GET else None


# All of them async-capable: behind a sync one, Django runs the requests of one test client one after another.
MIDDLEWARE = [
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "tests.contract.site.SetUrlconf",
    "tests.contract.site.Rescue",
]

SHAPES = [
    "plain",
    "callable",
    "class",
    "decorated",
    "deferred",
    "streaming",
    "file",
    "json",
    "missing",
    "redirect",
    "with-cookie",
    "coroutine",
    "coroutine-class",
    "coroutine-deferred",
    "coroutine-shielded",
]
# Django itself cannot serve these over WSGI.
ASGI_SHAPES = [*SHAPES, "coroutine-awaited", "coroutine-streaming"]

urlpatterns = [
    path("__debug__/", include("debug_toolbar.urls")),
    path("plain/", plain),
    path("private/", private),
    path("write/", write),
    path("fails/", writes_and_fails),
    path("fails-non-atomic/", writes_and_fails_non_atomic),
    path("callable/", CallableView()),
    path("class/", ClassView.as_view()),
    path("decorated/", decorated),
    path("deferred/", deferred),
    path("cached/", cached),
    path("streaming/", streaming),
    path("file/", file),
    path("json/", json),
    path("missing/", missing),
    path("redirect/", redirect),
    path("matched/", matched),
    path("with-cookie/", with_cookie),
    path("number/<int:number>/", query_by_number),
    path("coroutine/", coroutine),
    path("coroutine/<int:number>/", coroutine_by_number),
    path("coroutine-class/", CoroutineClassView.as_view()),
    path("coroutine-deferred/", coroutine_deferred),
    path("coroutine-awaited/", coroutine_awaited),
    path("coroutine-streaming/", coroutine_streaming),
    path("coroutine-shielded/", coroutine_shielded),
    path("coroutine-fails/", coroutine_fails),
    path("pid/", pid),
    *i18n_patterns(path("translated/", plain)),
]
