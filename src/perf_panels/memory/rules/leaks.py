"""
``leak``: memory that stays after each of several requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _, ngettext

from perf_panels.conf import get_config
from perf_panels.findings import Finding
from perf_panels.memory.rules.growth import FLOOR_BYTES
from perf_panels.memory.wording import memory, requests

if TYPE_CHECKING:
    from perf_panels.memory.measurements import Leak, Measurements


def leaks(measured: Measurements) -> list[Finding]:
    """
    Return the leaks worth saying. That the process grows says nothing more where the lines or types are known.
    """
    config = get_config()
    found = [
        each
        for each in measured.leaks
        # A few more instances of a class with every request are a leak, however small they are.
        if each.requests >= config.MEMORY_LEAK_REQUESTS
        and (each.kind == "type" or each.growth_bytes >= config.MEMORY_LEAK_BYTES)
    ]
    known = [each for each in found if each.kind != "process"]
    return [_finding(each) for each in sorted(known or found, key=lambda each: -each.growth_bytes)]


def _finding(found: Leak) -> Finding:
    words = {
        "growth": memory(found.growth_bytes),
        "requests": requests(found.requests),
        "name": found.name,
        "count": f"{found.growth_count:,}",
    }
    title = {
        "line": _("%(growth)s allocated here stays after every request"),
        "type": ngettext(
            "%(count)s more object of %(name)s after every request, %(growth)s",
            "%(count)s more objects of %(name)s after every request, %(growth)s",
            found.growth_count,
        ),
    }.get(found.kind, _("The process keeps %(growth)s of every request"))
    evidence: dict[str, float | int] = {
        "growth_bytes_per_request": found.growth_bytes,
        "requests": found.requests,
    }
    if found.growth_count:
        evidence["growth_objects_per_request"] = found.growth_count
    return Finding(
        rule="leak",
        severity="critical" if found.growth_bytes >= FLOOR_BYTES else "warning",
        title=title % words,
        detail=_(
            "Each of the last %(requests)s to this view left at least %(growth)s behind after its response was gone. A"
            " cache that fills once does not do that."
        )
        % words,
        evidence=evidence,
        advice=_advice(found),
        origin=found.origin,
    )


def _advice(found: Leak) -> str:
    if found.kind == "line":
        return _("Look for what it is put into: a list or dict of a module or class, a cache without a limit.")
    if found.kind == "type":
        return _("“Who refers to these” in the table of types shows what holds them.")
    return _("Run Allocations for three requests to see the line, or Objects to see the type.")
