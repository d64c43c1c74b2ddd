from __future__ import annotations

import os

from django.conf import settings
from django.contrib import admin
from django.urls import include, path


def show_toolbar(request):
    return settings.DEBUG and os.environ.get("SHOP_TOOLBAR", "1") == "1"


urlpatterns = [
    path("", include("shop.urls")),
    path("admin/", admin.site.urls),
    path("__debug__/", include("debug_toolbar.urls")),
]
