"""
The Django app: registers the system checks when the project starts.
"""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _


class PerfPanelsConfig(AppConfig):
    name = "perf_panels"
    verbose_name = _("Performance panels")

    def ready(self) -> None:
        from perf_panels import checks

        register(checks.check_settings)
        register(checks.check_toolbar)
        register(checks.check_allowlist)
        register(checks.check_engines)
        register(checks.check_store)
