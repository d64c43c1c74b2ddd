"""
Which engine samples which mode on this Python, and what the developer chose for this browser session.

vmprof inside the server crashes 3.11 and 3.12 in every mode and 3.10 in wall mode. On 3.13 and later it does not, below
the frames of ``markers`` and with the timer of ``thread_timer``.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import sysconfig
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext as _

from perf_panels.conf import get_config
from perf_panels.vmprof.sampler import can_see_memory, has_cpu_clock
from perf_panels.vmprof.samples import MODES, Engine, Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

COOKIE = "perf_panels_vmprof"
PERIODS_MS = (0.25, 20.0)
"""The shortest and the longest period that may be asked for."""


class Choice(NamedTuple):
    """
    What to sample, how often, by which engine, and why not by vmprof ("" where it is vmprof).
    """

    mode: Mode
    engine: Engine
    period_ms: float
    why: str = ""


def chosen(cookies: Mapping[str, str]) -> tuple[Mode, float]:
    """
    Return the mode and the period in ms that the browser session asks for, or the defaults.

    The default is CPU mode, or wall mode where the system cannot tell the CPU time of a thread.
    """
    asked, _colon, period = cookies.get(COOKIE, "").partition(":")
    mode: Mode = asked if asked in MODES else "cpu"
    if why_unavailable(mode):
        mode = "wall"
    return mode, valid_period(period) or float(get_config().VMPROF_PERIOD_MS)


def valid_period(given: str) -> float | None:
    """
    Return a period in ms as it may be used, or None.
    """
    try:
        period_ms = float(given)
    except ValueError:
        return None
    return period_ms if PERIODS_MS[0] <= period_ms <= PERIODS_MS[1] else None


def choose(mode: Mode, period_ms: float, *, is_async: bool = False) -> Choice:
    """
    Return how this Python samples a live request in ``mode``.
    """
    why = why_not_vmprof(mode)
    if is_async and not why:
        # Between its steps it is below no marker.
        why = _("An async view gives way to others, whose frames vmprof cannot be kept from, so a thread samples it.")
    if not why:
        return Choice(mode, "vmprof", period_ms)
    return Choice(mode, "sampler", sampler_period_ms(period_ms), why)


def sampler_period_ms(period_ms: float) -> float:
    """
    Return how often the safe sampler looks. Its thread takes the GIL each time: more would cost more than is allowed.
    """
    return max(period_ms, 1000 / get_config().VMPROF_SAMPLER_HZ)


def is_allowed() -> bool:
    """
    Return whether the project lets vmprof run in its server: a crash of it would be the server's.
    """
    return bool(get_config().VMPROF_IN_PROCESS)


def why_not_vmprof(mode: Mode) -> str:
    """
    Return a sentence on why a live request is not sampled by vmprof in this mode, or "".
    """
    if missing := why_no_vmprof():
        return missing
    if not is_allowed():
        return _(
            "VMPROF_IN_PROCESS is 0, so the live request is sampled by a thread. "
            "“More samples” uses vmprof in a process of its own."
        )
    version = platform.python_version()
    if sys.version_info[:2] in {(3, 11), (3, 12)}:
        return _(
            "vmprof inside the server can crash Python %(version)s, so the live request is sampled by a thread. "
            "“More samples” uses vmprof in a process of its own."
        ) % {"version": version}
    if sys.version_info < (3, 11) and mode != "cpu":
        return _(
            "vmprof's wall mode can crash Python %(version)s in a threaded server, so the live request is sampled by a "
            "thread. “More samples” uses vmprof in a process of its own."
        ) % {"version": version}
    return ""


@cache
def is_installed() -> bool:
    """
    Return whether vmprof can be imported. Asked several times in each request, and looked up once.
    """
    return importlib.util.find_spec("vmprof") is not None


def why_no_vmprof() -> str:
    """
    Return a sentence on why there is no vmprof at all, not even in a process of its own, or "".
    """
    if not is_installed():
        return _("vmprof is not installed, so a thread samples instead. Install django-perf-panels[vmprof].")
    if sys.implementation.name != "cpython" or not hasattr(os, "memfd_create"):
        return _("vmprof is used with CPython on Linux only, so a thread samples instead.")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return _("vmprof is not used in a Python without its lock (GIL), so a thread samples instead.")
    return ""


def why_unavailable(mode: Mode) -> str:
    """
    Return a sentence on why a mode cannot be had on this system at all, or "".
    """
    if not why_not_vmprof(mode):
        return ""
    if mode == "memory" and not can_see_memory():
        return _("The memory of the process can be read often enough on Linux only.")
    if mode == "cpu" and not has_cpu_clock():
        return _("This system has no clock for the CPU time of one thread; use wall mode.")
    return ""


def described() -> list[dict[str, str]]:
    """
    Return the modes as the page offers them: the engine of each, why it is not vmprof, why it cannot be had.
    """
    return [
        {
            "mode": mode,
            "engine": "sampler" if why_not_vmprof(mode) else "vmprof",
            "why": why_not_vmprof(mode),
            "unavailable": why_unavailable(mode),
        }
        for mode in MODES
    ]
