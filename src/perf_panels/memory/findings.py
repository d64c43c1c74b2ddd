"""
From what was measured to what should change: pure functions, each rule in a module of ``rules``.

docs/memory.md says when each of them speaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.findings import worst_first
from perf_panels.memory.rules.growth import growth
from perf_panels.memory.rules.instances import instances
from perf_panels.memory.rules.leaks import leaks

if TYPE_CHECKING:
    from perf_panels.findings import Finding
    from perf_panels.memory.measurements import Measurements
    from perf_panels.memory.rules.growth import Source


def findings(measured: Measurements, source: Source | None = None) -> list[Finding]:
    """
    Return all findings, worst first. ``source(file, first, last)`` gives lines of source for the advice.
    """
    found = [*growth(measured, source or (lambda *_place: [])), *instances(measured), *leaks(measured)]
    return worst_first(found)
