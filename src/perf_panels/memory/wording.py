"""
Bytes, places and owners as the memory panel says them, on its page, in its findings and in the side bar.
"""

from __future__ import annotations

import math
from typing import Any

from django.utils.translation import gettext as _, ngettext

from perf_panels.origins import DJANGO, PROJECT, PYTHON, short_path

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"

_UNITS = ("bytes", "KiB", "MiB", "GiB")


def memory(value: float | None) -> str:
    """
    Return 181 MiB, 18.4 MiB, 312 KiB or 12 bytes; MiB as memory_profiler counts them.
    """
    if value is None or not math.isfinite(value):
        return DASH
    sign = MINUS if value < 0 else ""
    value = abs(value)
    unit = 0
    # Not 1024: "1,013 KiB" is harder to read than "0.99 MiB".
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    digits = 0 if unit == 0 or value >= 100 else 1 if value >= 1 else 2
    return f"{sign}{value:,.{digits}f} {_UNITS[unit]}"


def change(value: float | None) -> str:
    """
    Return a difference with its sign: +181 MiB.
    """
    said = memory(value)
    return f"+{said}" if value is not None and value > 0 else said


def count_change(value: int | None) -> str:
    """
    Return a difference of counts with its sign: +40,000.
    """
    if value is None:
        return DASH
    return f"+{value:,}" if value > 0 else f"{MINUS}{-value:,}" if value < 0 else "0"


def share(value: float) -> str:
    """
    Return a share of one as 12 %, never more than 100 %.
    """
    return f"{min(1.0, max(0.0, value)) * 100:.0f} %"


def line_numbers(first: int, last: int) -> str:
    """
    Return "line 41" or "lines 41-51".
    """
    if last <= first:
        return _("line %(line)s") % {"line": first}
    return _("lines %(first)s%(dash)s%(last)s") % {"first": first, "dash": DASH, "last": last}


def requests(count: int) -> str:
    """
    Return "3 requests".
    """
    return ngettext("%(count)d request", "%(count)d requests", count) % {"count": count}


def place_of(origin: dict[str, Any] | None) -> str:
    """
    Return a stored origin in one line: the function's file and line, or the template's.
    """
    if not origin:
        return ""
    if origin.get("template") and not origin.get("function"):
        return f"{origin['template']}:{origin['template_line']}"
    return f"{short_path(origin['file'])}:{origin['line']}"


def owner_text(owner: str) -> str:
    """
    Return an owner for people; a package is called by its name.
    """
    return {PROJECT: _("your project"), DJANGO: "Django", PYTHON: _("Python")}.get(owner, owner)


def owner_class(owner: str) -> str:
    """
    Return which of the four colours an owner has.
    """
    return owner if owner in {PROJECT, DJANGO, PYTHON} else "package"
