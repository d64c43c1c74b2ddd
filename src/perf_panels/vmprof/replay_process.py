"""
The process of More samples, seen from the server: what it is told, how it starts and how it is ended.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from perf_panels import actions
from perf_panels.conf import get_config
from perf_panels.vmprof.modes import why_no_vmprof
from perf_panels.vmprof.replay import headers_of

if TYPE_CHECKING:
    from django.http import HttpRequest

METHODS = ("GET", "HEAD")
# Shorter than vmprof lives on the Pythons that it crashes; long enough to be more than one run of most pages.
_CHUNK_S = 0.5


def job_for(request: HttpRequest, stats: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """
    Return what the process is told: which request to make, as whom, and how to sample it.

    Raises ``actions.Refused`` with a sentence where the request cannot be replayed.
    """
    asked = stats.get("request")
    if not asked or stats.get("method") not in METHODS:
        raise actions.Refused(_("Only a GET or HEAD request is run again, as it changes nothing."))
    if not os.environ.get("DJANGO_SETTINGS_MODULE"):
        raise actions.Refused(_("The project has no settings module that another process could import."))
    engine = "sampler" if why_no_vmprof() else "vmprof"
    period_ms = max(wanted["period_ms"], 1000 / sampler_hz()) if engine == "sampler" else wanted["period_ms"]
    job: dict[str, Any] = asked | {
        "method": stats["method"],
        "headers": headers_of(request) | asked.get("headers", {}),
        "secure": request.is_secure(),
        "mode": wanted["mode"],
        "engine": engine,
        "period_ms": period_ms,
        "chunk_s": _CHUNK_S,
    }
    return job


def sampler_hz() -> float:
    """
    Return the rate of the safe sampler, a second.
    """
    return float(get_config().VMPROF_SAMPLER_HZ)


def start(job: dict[str, Any], errors: Any) -> subprocess.Popen[str]:
    """
    Start the process, with this server's environment and modules, and give it its job; ``errors`` is a file.
    """
    environment = os.environ | {
        # The same modules, however this server came by them.
        "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),  # noqa: PTH109 - a string is wanted
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "perf_panels.vmprof.replay"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    return process


def end(process: subprocess.Popen[str]) -> None:
    """
    End the process, whatever it is doing.
    """
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError, ValueError):
                pipe.close()


def last_line(errors: Any) -> str:
    """
    Return the last line that the process wrote to ``errors``.
    """
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
