"""
The project of the tests: Django's own apps, the toolbar, the panels, the shop, and tests.site for what a test needs.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from debug_toolbar.settings import PANELS_DEFAULTS

# For mypy and for servers that tests start; pytest's own "pythonpath" says the same.
sys.path.append(str(Path(__file__).parents[1] / "example_project"))

from tests import backends

SECRET_KEY = "tests only"
DEBUG = True
ALLOWED_HOSTS = ["*"]
INTERNAL_IPS = ["127.0.0.1"]
USE_TZ = True
LANGUAGE_CODE = "en-us"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]

DATABASES = {"default": backends.default_database(), "other": backends.sqlite("other")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "debug_toolbar",
    "perf_panels",
    *(["shop"] if find_spec("shop") else []),
    "tests.site",
]
MIDDLEWARE = [
    "tests.site.csp.strict_csp",
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "tests.site.urls"
STATIC_URL = "/static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            # As in development: pytest-django runs with DEBUG off.
            "debug": True,
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

STRICT_CSP = False
DEBUG_TOOLBAR_CONFIG = {
    "IS_RUNNING_TESTS": False,
    "SHOW_TOOLBAR_CALLBACK": lambda _request: True,
    "RENDER_PANELS": False,
}
DEBUG_TOOLBAR_PANELS = [
    *PANELS_DEFAULTS,
    "perf_panels.panels.NPlusOnePanel",
    "perf_panels.panels.ExplainPanel",
    "perf_panels.panels.VMProfPanel",
    "perf_panels.panels.LineProfilerPanel",
    "perf_panels.panels.MemoryProfilerPanel",
]
# No plans by themselves: their thread would hold on to a test's database. The tests of it ask for them.
# Nor a look at what stays, for the same reason: a thread of its own.
PERF_PANELS = {"EXPLAIN_STATEMENTS": 0, "MEMORY_LEAK_REQUESTS": 0}
