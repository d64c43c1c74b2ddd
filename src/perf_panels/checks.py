"""
System checks: run by manage.py at start-up, each with a hint that names the setting to change.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning as CheckWarning

from perf_panels import conf


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
