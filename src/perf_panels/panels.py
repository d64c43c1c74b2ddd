"""
The names users put into DEBUG_TOOLBAR_PANELS; imported lazily so that one panel's missing engine breaks no other.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perf_panels.base import ViewPanel
    from perf_panels.explain.panel import ExplainPanel
    from perf_panels.lines.panel import LineProfilerPanel
    from perf_panels.memory.panel import MemoryProfilerPanel
    from perf_panels.nplusone.panel import NPlusOnePanel
    from perf_panels.vmprof.panel import VMProfPanel

PANELS = {
    "NPlusOnePanel": "perf_panels.nplusone.panel",
    "ExplainPanel": "perf_panels.explain.panel",
    "VMProfPanel": "perf_panels.vmprof.panel",
    "LineProfilerPanel": "perf_panels.lines.panel",
    "MemoryProfilerPanel": "perf_panels.memory.panel",
}

__all__ = [
    "PANELS",
    "ExplainPanel",
    "LineProfilerPanel",
    "MemoryProfilerPanel",
    "NPlusOnePanel",
    "VMProfPanel",
    "all_panels",
]


def __getattr__(name: str) -> Any:
    try:
        module = PANELS[name]
    except KeyError:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg) from None
    return getattr(import_module(module), name)


def all_panels() -> list[type[ViewPanel]]:
    """
    Return every panel of this package; the contract suite runs over this list.
    """
    return [__getattr__(name) for name in PANELS]
