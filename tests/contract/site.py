"""
The project of the contract suite: every shape of view and response, and middleware before and behind the toolbar.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from pathlib import Path

from asgiref.sync import sync_to_async
from django.conf.urls.i18n import i18n_patterns
from django.contrib.auth.decorators import login_not_required
from django.db import connection, transaction
from django.http import FileResponse, Http404, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from django.views.generic import View

from tests.site.models import Publisher

PAGE = "<!doctype html><html lang=en><head><title>t</title></head><body><p>{}</p><!--end--></body></html>"
RAN = []


def page(text):
    return HttpResponse(PAGE.format(text))


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
def redirect(request):
    return HttpResponseRedirect("/plain/")


@public
def query_by_number(request, number):
    for each in range(number):
        Publisher.objects.filter(pk=each).count()
        time.sleep(0.002)
    return page(f"number {number}")


@public
async def coroutine(request):
    await asyncio.sleep(0)
    return page(f"async {await Publisher.objects.acount()}")


@public
async def coroutine_by_number(request, number):
    for each in range(number):
        await sync_to_async(Publisher.objects.filter(pk=each).count)()
        await asyncio.sleep(0.002)
    return page(f"async number {number}")


@public
async def coroutine_fails(request):
    raise ValueError("the view's own")


@public
def pid(request):
    return page(f"pid {os.getpid()}")


@login_not_required
def hidden(request):
    return page("hidden")


def set_urlconf(get_response):
    def middleware(request):
        if "hidden" in request.GET:
            request.urlconf = "tests.contract.other_urls"
        return get_response(request)

    return middleware


def name_worker(get_response):
    def middleware(request):
        response = get_response(request)
        response["X-Worker"] = str(os.getpid())
        return response

    return middleware


class Rescue:
    """
    Turns the exception of a view into a page, if asked to.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        return page(f"rescued {exception}") if "rescue" in request.GET else None


MIDDLEWARE = [
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "tests.contract.site.set_urlconf",
    "tests.contract.site.Rescue",
]

SHAPES = (
    "plain callable class decorated deferred streaming file json missing redirect coroutine".split()  # noqa: SIM905
)

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
    path("number/<int:number>/", query_by_number),
    path("coroutine/", coroutine),
    path("coroutine/<int:number>/", coroutine_by_number),
    path("coroutine-fails/", coroutine_fails),
    path("pid/", pid),
    *i18n_patterns(path("translated/", plain)),
]
