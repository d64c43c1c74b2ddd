"""
The benchmark site; BENCH_VARIANT says what is installed besides the toolbar.
"""

from __future__ import annotations

import os

VARIANT = os.environ.get("BENCH_VARIANT", "toolbar")
PANEL = "perf_panels.panels.NPlusOnePanel"

SECRET_KEY = "benchmark"
DEBUG = True
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["BENCH_DATABASE"]}}
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.staticfiles",
    "debug_toolbar",
    "perf_panels",
    "tests.site",
]
MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
ROOT_URLCONF = "benchmarks.pages"
STATIC_URL = "/static/"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEBUG_TOOLBAR_PANELS = ["debug_toolbar.panels.history.HistoryPanel"]
DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": "benchmarks.pages.always", "IS_RUNNING_TESTS": False}

if VARIANT in {"nplusone", "off"}:
    DEBUG_TOOLBAR_PANELS.append(PANEL)
if VARIANT == "sql":
    DEBUG_TOOLBAR_PANELS.append("debug_toolbar.panels.sql.SQLPanel")
if VARIANT == "zeal":
    INSTALLED_APPS.append("zeal")
    MIDDLEWARE.append("zeal.middleware.zeal_middleware")
    ZEAL_RAISE = False
