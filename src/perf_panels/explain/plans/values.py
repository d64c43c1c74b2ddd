"""
Values of a server's JSON, taken for what they are only if they are it: nothing in a plan is certain to be there.
"""

from __future__ import annotations

from math import isfinite
from typing import Any


def number(value: Any) -> float | None:
    """
    Return a finite number, also one that was written as text; None for everything else.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def text_of(value: Any) -> str | None:
    """
    Return a text that says something; None for everything else.
    """
    return value if isinstance(value, str) and value else None


def texts(value: Any) -> tuple[str, ...]:
    """
    Return the entries of a list as text; none of what is no list.
    """
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def mapping(value: Any) -> dict[str, Any]:
    """
    Return an object; an empty one for everything else.
    """
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """
    Return the objects of a list; none of what is no list.
    """
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def plain(raw: dict[str, Any]) -> dict[str, Any]:
    """
    Return the entries of an operation that are not operations themselves.
    """
    return {key: value for key, value in raw.items() if not isinstance(value, dict) or key.startswith("r_")}
