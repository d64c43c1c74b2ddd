"""
The PERF_PANELS setting: one frozen dataclass, read once per change of the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver

if TYPE_CHECKING:
    from collections.abc import Iterable
    from dataclasses import Field


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

    EXPLAIN_STATEMENTS: int = field(default=20, metadata={"least": 0})
    """Statements of a request whose plain plans are made after the response; 0 leaves it to the click."""

    EXPLAIN_BUDGET_MS: int = 500
    """Milliseconds that these plans may take together."""

    EXPLAIN_TIMEOUT_MS: int = 5_000
    """Milliseconds after which a plan asked for by a click is given up; the page offers another limit."""

    EXPLAIN_LOCK_TIMEOUT_MS: int = 1_000
    """Milliseconds to wait for a lock that another session holds."""

    EXPLAIN_RULES_OFF: tuple[str, ...] = ()
    """Ids of rules that are never run."""

    EXPLAIN_LIMITS: Mapping[str, float] = field(default_factory=dict)
    """Thresholds of the rules by name (docs/explain.md lists them)."""

    VMPROF_PERIOD_MS: float = field(default=0.99, metadata={"least": 0.25, "most": 20.0})
    """Milliseconds between two samples of vmprof (kernels give CPU samples at 4 ms at best, most of them)."""

    VMPROF_IN_PROCESS: int = field(default=1, metadata={"least": 0})
    """Whether vmprof itself samples live requests where it is safe: 0 leaves them to a thread on every Python."""

    VMPROF_SAMPLER_HZ: float = 250.0
    """Samples per second of the safe sampler, which takes vmprof's place where that could crash the server."""

    VMPROF_REPLAY_SAMPLES: int = field(default=1_000, metadata={"most": 200_000})
    """Samples after which More samples ends, if it is asked for no other number."""

    VMPROF_REPLAY_SECONDS: int = field(default=60, metadata={"most": 600})
    """Seconds after which More samples ends in any case."""

    VMPROF_HOT_PERCENT: float = 20.0
    """Per cent of a request's samples from which a function or a template line is called hot."""

    VMPROF_HOT_MS: float = 20.0
    """Milliseconds of a request from which a function or a template line is called hot."""

    LINES_FUNCTIONS: int = field(default=40, metadata={"least": 0})
    """Functions timed besides the view's own because Django or a template called them; 0 leaves it to the click."""

    LINES_HOT_SHARE: float = field(default=0.3, metadata={"least": 0})
    """Share of the request's time from which a line of the project is a finding, if it takes LINES_HOT_MS too."""

    LINES_HOT_MS: float = field(default=20.0, metadata={"least": 0})
    """Milliseconds that a line must take by itself to be a finding."""

    MEMORY_GROWTH_BYTES: int = 5_242_880
    """Bytes that one statement of the project must add, or take at its height, to be a finding."""

    MEMORY_GROWTH_SHARE: float = field(default=0.3, metadata={"least": 0})
    """Share of the request's growth that makes a smaller one a finding; below 1 MiB nothing is."""

    MEMORY_INSTANCES: int = 1_000
    """Instances of one model loaded by one queryset that are a finding."""

    MEMORY_LEAK_REQUESTS: int = field(default=3, metadata={"least": 0})
    """Requests to one view, one after the other, that must each leave memory behind before it is called a leak; 0 never
    looks after the response."""

    MEMORY_LEAK_BYTES: int = 65_536
    """The least that each of them must leave behind."""

    MEMORY_LINE_EVENTS: int = 200_000
    """Line events of one request after which its lines are no longer measured."""

    MEMORY_BACKEND: str = field(default="psutil", metadata={"choices": ("psutil", "psutil_uss")})
    """What the Lines engine reads at each line, by memory_profiler's names."""


_cached: Config | None = None


def get_config() -> Config:
    """
    Return the settings in force. Unknown keys and bad values fall back to the defaults: a check reports them.
    """
    global _cached  # noqa: PLW0603 - a module-level cache, dropped by setting_changed
    if _cached is None:
        given = _given()
        bad = {name for name, _ in problems(given)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in given.items() if name not in bad
        }
        _cached = Config(**values)
    return _cached


def problems(given: dict[str, Any]) -> list[tuple[str, str]]:
    """
    Return (key, what is wrong with it) for each key that is unknown or has a bad value.
    """
    known = {entry.name: entry for entry in fields(Config)}
    found = []
    for name, value in given.items():
        if name not in known:
            found.append((name, f"PERF_PANELS has an unknown key {name!r}.{_did_you_mean(name, known)}"))
        elif problem := _value_problem(known[name], value):
            found.append((name, f"PERF_PANELS[{name!r}] {problem}, not {value!r}."))
    return found


def _did_you_mean(name: Any, known: Iterable[str]) -> str:
    close = get_close_matches(str(name).upper(), list(known), n=1, cutoff=0.4)
    return f" Did you mean {close[0]!r}?" if close else ""


def _value_problem(known: Field[Any], value: Any) -> str | None:
    if known.default is MISSING:
        return _limits_problem(value)
    if isinstance(known.default, str):
        choices = known.metadata["choices"]
        return None if value in choices else f"must be one of {', '.join(map(repr, choices))}"
    if isinstance(known.default, tuple):
        strings = isinstance(value, (list, tuple)) and all(isinstance(entry, str) for entry in value)
        return None if strings else "must be a list of strings"
    whole = isinstance(known.default, int)
    if not _is_number(value) or (whole and not isinstance(value, int)):
        return "must be a whole number" if whole else "must be a number"
    least, most = known.metadata.get("least", 1), known.metadata.get("most")
    if value < least:
        return f"must be at least {least}"
    return f"must be at most {most:g}" if most is not None and value > most else None


def _limits_problem(value: Any) -> str | None:
    from perf_panels.explain.limits import Limits  # which asks this module for the settings

    if not isinstance(value, Mapping):
        return "must be a dict"
    known = [entry.name for entry in fields(Limits)]
    unknown = [name for name in value if name not in known]
    if unknown:
        return (
            f"has an unknown limit {unknown[0]!r}.{_did_you_mean(unknown[0], known)} It must be one of docs/explain.md"
        )
    bad = [name for name, limit in value.items() if not _is_number(limit) or limit < 0]
    return f"must have a number of at least 0 for {bad[0]!r}" if bad else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _given() -> dict[str, Any]:
    given = getattr(settings, "PERF_PANELS", {})
    return given if isinstance(given, dict) else {}


@receiver(setting_changed)
def _forget(*, setting: str, **_kwargs: Any) -> None:
    global _cached  # noqa: PLW0603 - see get_config
    if setting == "PERF_PANELS":
        _cached = None
