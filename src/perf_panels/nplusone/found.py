"""
A finding on its way to the report, with what only this panel needs to know of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from perf_panels.findings import Finding, Severity
    from perf_panels.origins import Site

_CRITICAL_QUERIES = 20
_CRITICAL_MS = 50.0


class Found(NamedTuple):
    """
    A finding, the place that decides whose it is, and one of its statements ("" where it has none).
    """

    finding: Finding
    site: Site
    sql: str = ""


def severity_of(queries: int, saving_ms: float) -> Severity:
    """
    Return critical from 20 queries or 50 ms on, else warning.
    """
    return "critical" if queries >= _CRITICAL_QUERIES or saving_ms >= _CRITICAL_MS else "warning"
