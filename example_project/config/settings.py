"""
Settings of the shop: SQLite, or what DATABASE_URL names; the toolbar with every panel of this project.

For exploring on your own machine only: DEBUG is on and the secret key is in the repository.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from debug_toolbar.settings import PANELS_DEFAULTS

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "the shop is a demo"
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
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
    "shop",
]
MIDDLEWARE = [
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
STATIC_URL = "/static/"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_SQLITE", BASE_DIR / "shop.sqlite3"),
    }
}
if os.environ.get("DATABASE_URL"):
    import dj_database_url

    DATABASES["default"] = dj_database_url.config()
    if DATABASES["default"]["ENGINE"].endswith("mysql") and find_spec("MySQLdb") is None:
        import pymysql

        # Django asks for mysqlclient's version; PyMySQL speaks the same protocol.
        pymysql.version_info = (2, 2, 7, "final", 0)
        pymysql.install_as_MySQLdb()

# MariaDB and MySQL have no partial indexes: there the archive has its composite one instead.
SILENCED_SYSTEM_CHECKS = ["models.W037"]

DEBUG_TOOLBAR_PANELS = [
    "perf_panels.panels.NPlusOnePanel",
    "perf_panels.panels.ExplainPanel",
    "perf_panels.panels.VMProfPanel",
    "perf_panels.panels.LineProfilerPanel",
    "perf_panels.panels.MemoryProfilerPanel",
    *PANELS_DEFAULTS,
]
DEBUG_TOOLBAR_CONFIG = {"SHOW_TOOLBAR_CALLBACK": "config.urls.show_toolbar"}
