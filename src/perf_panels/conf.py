"""
The PERF_PANELS setting: one frozen dataclass, read once per change of the setting.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver


@dataclass(frozen=True)
class Config:
    """
    Every key of ``PERF_PANELS``, its default and its meaning (docs/settings.md says the same at length).
    """

    MAX_STATEMENTS: int = 10_000
    """Statements kept with their text per request; the rest is only counted."""

    MAX_STORED_BYTES: int = 250_000
    """Size in bytes of what one panel keeps of one request in the toolbar's store."""

    NPLUSONE_ALLOW: tuple[str, ...] = ()
    """Relations never reported: ``app_label.Model.accessor`` with ``*``, or a path such as ``shop/legacy/*``."""

    NPLUSONE_THRESHOLD: int = 3
    """Instances of one queryset that must load the same relation by themselves before it is a problem."""

    NPLUSONE_FANOUT_RATIO: float = 10.0
    """Rows per distinct related object from which a ``select_related`` is called wasteful."""

    NPLUSONE_FANOUT_ROWS: int = 100
    """Rows a queryset must have before its ``select_related`` is judged."""

    NPLUSONE_UNUSED_REQUESTS: int = 3
    """Requests to one view, all without using an eager load, before it is called unused."""


_cached: Config | None = None


def get_config() -> Config:
    """
    Return the settings in force. Unknown keys and bad values fall back to the defaults: a check reports them.
    """
    global _cached  # noqa: PLW0603 - a module-level cache, dropped by setting_changed
    if _cached is None:
        given = _given()
        bad = {name for name, _ in problems(given)}
        values: dict[str, Any] = {name: value for name, value in given.items() if name not in bad}
        if "NPLUSONE_ALLOW" in values:
            values["NPLUSONE_ALLOW"] = tuple(values["NPLUSONE_ALLOW"])
        _cached = Config(**values)
    return _cached


def problems(given: dict[str, Any]) -> list[tuple[str, str]]:
    """
    Return (key, what is wrong with it) for each key that is unknown or has a bad value.
    """
    defaults = {field.name: field.default for field in fields(Config)}
    found = []
    for name, value in given.items():
        if name not in defaults:
            close = get_close_matches(str(name).upper(), defaults, n=1, cutoff=0.4)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            found.append((name, f"PERF_PANELS has an unknown key {name!r}.{hint}"))
        elif problem := _value_problem(name, value, defaults[name]):
            found.append((name, f"PERF_PANELS[{name!r}] {problem}, not {value!r}."))
    return found


def _value_problem(name: str, value: Any, default: Any) -> str | None:
    if isinstance(default, tuple):
        strings = isinstance(value, (list, tuple)) and all(isinstance(entry, str) for entry in value)
        return None if strings else "must be a list of strings"
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or (isinstance(default, int) and not isinstance(value, int)):
        return "must be a whole number" if isinstance(default, int) else "must be a number"
    return None if value >= 1 else "must be at least 1"


def _given() -> dict[str, Any]:
    given = getattr(settings, "PERF_PANELS", {})
    return given if isinstance(given, dict) else {}


@receiver(setting_changed)
def _forget(*, setting: str, **_kwargs: Any) -> None:
    global _cached  # noqa: PLW0603 - see get_config
    if setting == "PERF_PANELS":
        _cached = None
