"""
Why lines cannot be timed in this request: something else holds a tool, or would make every number wrong.

Looked at before anything is started: what comes second is told who came first, and what to untick.
"""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from perf_panels import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = {0: "debugger", 1: "coverage", 2: "profiler"}
"""The ids that sys.monitoring gives to whoever would count our lines, or us theirs."""

_UNTICK = (("cProfile", "Profiling"), ("memory", "Memory"), ("tracemalloc", "Memory"))


def refusal() -> dict[str, Any] | None:
    """
    Return {"tool", "holder", "untick", "text"} of what stands in the way, or None.
    """
    return next((_refused(tool, holder) for tool, holder in _holders()), None)


def busy(error: exclusive.Busy) -> dict[str, Any]:
    """
    Return the same for a tool that was found taken while it was being started.
    """
    return _refused(error.tool, error.holder)


def _holders() -> Iterator[tuple[str, str]]:
    found: list[tuple[str, str | None]] = [
        *((f"sys.monitoring ({name})", exclusive.monitoring_holder(tool)) for tool, name in TOOLS.items()),
        ("sys.settrace", exclusive.trace_holder()),
        ("sys.setprofile", exclusive.profile_holder()),
        ("tracemalloc", "tracemalloc" if tracemalloc.is_tracing() else None),
    ]
    # What is ours serves several requests of a thread at once.
    yield from ((tool, holder) for tool, holder in found if holder and not holder.startswith("perf_panels."))


def _refused(tool: str, holder: str) -> dict[str, Any]:
    untick = next((panel for name, panel in _UNTICK if name in holder.lower() + holder), None)
    text = _("The lines were not timed: %(holder)s holds %(tool)s, and each would make the other's numbers wrong.")
    advice = (
        _("Untick “%(panel)s” in the side bar and load the page again.") % {"panel": untick}
        if untick
        else _("Stop it, and load the page again.")
    )
    said = f"{text % {'holder': holder, 'tool': tool}} {advice}"
    return {"tool": tool, "holder": holder, "untick": untick, "text": said}
