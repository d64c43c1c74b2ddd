from __future__ import annotations

from django.urls import include, path

from tests.contract.site import hidden

urlpatterns = [path("__debug__/", include("debug_toolbar.urls")), path("hidden/", hidden)]
