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
if VARIANT in {"explain", "clicks"}:
    DEBUG_TOOLBAR_PANELS.append("perf_panels.panels.ExplainPanel")
    # Plans are made after the response, in a thread whose time would be counted to the next request.
    PERF_PANELS = {"EXPLAIN_STATEMENTS": 0}
if VARIANT.startswith(("lines-", "hand-")):
    ROOT_URLCONF = "benchmarks.lines_page"
if VARIANT in {"lines-off", "lines-view", "lines-all"}:
    DEBUG_TOOLBAR_PANELS.append("perf_panels.panels.LineProfilerPanel")
    # Those that are clicked on, and no others.
    PERF_PANELS = {"LINES_FUNCTIONS": 0}
if VARIANT.startswith("memory-"):
    ROOT_URLCONF = "benchmarks.memory"
    # The look after the response is in a thread whose time would be counted to the next request.
    PERF_PANELS = {"MEMORY_LEAK_REQUESTS": 0}
if VARIANT in {"memory-off", "memory-lines", "memory-allocations", "memory-objects"}:
    DEBUG_TOOLBAR_PANELS.append("perf_panels.panels.MemoryProfilerPanel")
if VARIANT == "sql":
    DEBUG_TOOLBAR_PANELS.append("debug_toolbar.panels.sql.SQLPanel")
if VARIANT == "zeal":
    INSTALLED_APPS.append("zeal")
    MIDDLEWARE.append("zeal.middleware.zeal_middleware")
    ZEAL_RAISE = False
