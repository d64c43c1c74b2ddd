"""
System checks: run by manage.py at start-up, each with a hint that names the setting to change.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning as CheckWarning

from perf_panels import conf

ENGINES = (
    (
        "VMProfPanel",
        "vmprof",
        "vmprof",
        "a thread samples instead, at 250 Hz at best.",
    ),
    (
        "LineProfilerPanel",
        "line_profiler",
        "lines",
        "it cannot make .lprof files, and before Python 3.12 it is slower.",
    ),
    (
        "MemoryProfilerPanel",
        "psutil",
        "memory",
        "where there is no /proc it cannot read the memory of the process, and nowhere with MEMORY_BACKEND psutil_uss.",
    ),
)
"""Panel, what it would use, the extra that installs it, and what is missing without."""


def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """
    E001 for a PERF_PANELS that is no dictionary, E002 for an unknown key, E003 for a bad value.
    """
    given = getattr(settings, "PERF_PANELS", {})
    if not isinstance(given, dict):
        return [
            Error(
                "PERF_PANELS must be a dictionary.",
                hint="Write PERF_PANELS = {}, or leave it out.",
                id="perf_panels.E001",
            )
        ]
    known = conf.Config.__dataclass_fields__
    return [
        Error(
            message,
            hint=f"Known keys of PERF_PANELS: {', '.join(sorted(known))}.",
            id="perf_panels.E003" if name in known else "perf_panels.E002",
        )
        for name, message in conf.problems(given)
    ]


def check_toolbar(**_kwargs: Any) -> list[CheckMessage]:
    """
    W001 where the toolbar is not installed; W002 where none of the panels is listed.
    """
    if not apps.is_installed("debug_toolbar"):
        return [
            CheckWarning(
                "perf_panels needs Django Debug Toolbar, which is not in INSTALLED_APPS.",
                hint='Add "debug_toolbar" to INSTALLED_APPS.',
                id="perf_panels.W001",
            )
        ]
    from debug_toolbar.settings import get_panels

    if any(path.startswith("perf_panels.") for path in get_panels()):
        return []
    return [
        CheckWarning(
            "perf_panels is installed, but DEBUG_TOOLBAR_PANELS has none of its panels.",
            hint='Add "perf_panels.panels.NPlusOnePanel" to DEBUG_TOOLBAR_PANELS.',
            id="perf_panels.W002",
        )
    ]


def check_allowlist(**_kwargs: Any) -> list[CheckMessage]:
    """
    W003 for each entry of NPLUSONE_ALLOW that matches no relation and no path of the project.
    """
    from perf_panels.nplusone.allow import unmatched

    return [
        CheckWarning(
            f"PERF_PANELS['NPLUSONE_ALLOW'] has {entry!r}, which matches nothing known.",
            hint="Remove the entry, or correct it: app_label.Model.accessor, or a path ending in .py, .html or /*.",
            id="perf_panels.W003",
        )
        for entry in unmatched(conf.get_config().NPLUSONE_ALLOW)
    ]


def check_engines(**_kwargs: Any) -> list[CheckMessage]:
    """
    W004 for each engine that a listed panel would use and that is not installed.
    """
    if not apps.is_installed("debug_toolbar"):
        return []
    from debug_toolbar.settings import get_panels

    listed = {path.rpartition(".")[2] for path in get_panels() if path.startswith("perf_panels.")}
    return [
        CheckWarning(
            f"{panel} is listed without {module}: {without}",
            hint=f"pip install django-perf-panels[{extra}]",
            id="perf_panels.W004",
        )
        for panel, module, extra, without in ENGINES
        if panel in listed and find_spec(module) is None
    ]


def check_store(**_kwargs: Any) -> list[CheckMessage]:
    """
    W005 where the toolbar's DatabaseStore is on SQLite and two requests at once may fail each other.
    """
    from debug_toolbar.settings import get_config
    from django.db import connections, router

    if not apps.is_installed("debug_toolbar") or not get_config()["TOOLBAR_STORE_CLASS"].endswith(".DatabaseStore"):
        return []
    from debug_toolbar.models import HistoryEntry

    alias = router.db_for_write(HistoryEntry)
    connection = connections[alias]
    if connection.vendor != "sqlite" or connection.settings_dict.get("OPTIONS", {}).get("transaction_mode"):
        return []
    return [
        CheckWarning(
            "The toolbar's DatabaseStore is on SQLite: two requests at once may fail with 'database is locked'.",
            hint=f'Set DATABASES["{alias}"]["OPTIONS"] = {{"transaction_mode": "IMMEDIATE"}}, or use another store.',
            id="perf_panels.W005",
        )
    ]
