"""
Numbers as people read them: separators, units, no more digits than they are worth. Strings, so that no locale touches
those that are attributes of an SVG.
"""

from __future__ import annotations

import math

_UNKNOWN = "–"  # noqa: RUF001 - a dash is meant


def whole(value: float | None) -> str:
    """
    Return 1,234; a fraction below ten keeps what makes it one.
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    if 0 < abs(value) < 10 and value != int(value):
        return f"{value:.2g}"
    return f"{value:,.0f}"


def ms(value: float | None) -> str:
    """
    Return 1,234 ms, 12.3 ms or 0.12 ms.
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} ms"


def duration(value: float | None) -> str:
    """
    Return milliseconds in the unit that fits: 312 ms, 1.20 ms, 45.0 µs or 0.40 µs.
    """
    if value is None or not math.isfinite(value) or value >= 1 or value <= 0:
        return ms(value) if value else "0 ms"
    return f"{value * 1_000:,.{1 if value >= 0.01 else 2}f} µs"


def cost(value: float | None) -> str:
    """
    Return a cost in the engine's unit.
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def percent(share: float) -> str:
    """
    Return a share of one as 12 %, and what is not nothing as < 1 %.
    """
    return "< 1 %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def width(share: float) -> str:
    """
    Return a share of one as an SVG length; what is not nothing can be seen.
    """
    return f"{max(0.6 if share > 0 else 0.0, min(1.0, share) * 100):.1f}%"


def size(value: float | None) -> str:
    """
    Return bytes in the unit that fits.
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1024
    return _UNKNOWN
