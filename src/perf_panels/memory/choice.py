"""
Which engine the next requests of this browser session are measured with: a cookie, set by a click in the panel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.memory import PANEL_ID
from perf_panels.memory.measurements import ALLOCATIONS, ENGINES, LINES

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

COOKIE = f"djdt{PANEL_ID}Engine"
FRAMES = (1, 10, 25)
CHOICES = (*ENGINES, *(f"{ALLOCATIONS}-{frames}" for frames in FRAMES[1:]))


def read(request: HttpRequest) -> tuple[str, int]:
    """
    Return (engine, frames for each allocation) of a request; Lines where nothing, or nonsense, was chosen.
    """
    chosen = request.COOKIES.get(COOKIE, LINES)
    if chosen not in CHOICES:
        return LINES, FRAMES[0]
    engine, _, frames = chosen.partition("-")
    return engine, int(frames or FRAMES[0])


def write(response: HttpResponseBase, chosen: str) -> None:
    """
    Keep a choice until the browser is closed.
    """
    response.set_cookie(COOKIE, chosen, httponly=True, samesite="Lax")
