"""
Views whose requests differ in what they call: by the query, the method or a header.
"""

from __future__ import annotations

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.urls import include, path

from tests.lines.shapes import Row, template
from tests.site.models import Publisher


def rows(request):
    found = [Row()] * int(request.GET["n"])
    return TemplateResponse(request, template(), {"rows": found})


def branching(request):
    if request.method == "POST" or "other" in request.headers:
        return HttpResponse(helper())
    return HttpResponse("plain")


def helper():
    return "helped"


def twice(request):
    first = list(Publisher.objects.all())
    second = list(Publisher.objects.order_by("name"))
    return HttpResponse(str(first + second))


urlpatterns = [
    path("__debug__/", include("debug_toolbar.urls")),
    path("rows/", rows),
    path("branching/", branching),
    path("twice/", twice),
]
