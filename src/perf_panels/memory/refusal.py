"""
Why an engine does not run in this request: somebody else holds the tool. Said with what to untick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from perf_panels.exclusive import Busy


def sentence(busy: Busy) -> str:
    """
    Return what people are told.
    """
    from perf_panels.memory.collect import TOOL

    if busy.tool == TOOL:
        return _(
            "Another request was being measured at that moment: %(holder)s. Memory belongs to the whole process, so "
            "only one request can be measured at a time. Load this page again when nothing else is loading."
        ) % {"holder": busy.holder}
    if "line profiler" in busy.holder:
        return _(
            "The line profiler watches the lines of this request, and only one panel can. Untick “Line profiler” in "
            "the side bar and load the page again."
        )
    return _(
        "%(holder)s holds %(tool)s: a debugger or coverage, most likely. Lines cannot be measured beside it; stop it, "
        "or choose another engine below, and load the page again."
    ) % {"holder": busy.holder, "tool": busy.tool}
