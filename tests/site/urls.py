"""
The URLs of the tests' project.
"""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path


def hello(request):
    return HttpResponse("<!doctype html><html lang=en><head><title>Hello</title></head><body>Hello</body></html>")


urlpatterns = [
    path("hello/", hello),
    path("admin/", admin.site.urls),
    path("__debug__/", include("debug_toolbar.urls")),
]
