"""
What a click takes out of a stored profile: the source of a frame, and the profile as a file. Signed POSTs.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.text import slugify
from django.utils.translation import gettext as _

from perf_panels import actions
from perf_panels.actions import Asked, Refused
from perf_panels.origins import excerpt
from perf_panels.vmprof import PANEL_ID, prof, stored
from perf_panels.vmprof.speedscope import collapsed, speedscope
from perf_panels.vmprof.wording import name_of, owner_text, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from perf_panels.vmprof.samples import Samples

_AROUND = 8
_BELOW = 6

_action = partial(actions.action, PANEL_ID)


@_action("frame")
def frame(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> dict[str, Any]:
    """
    Answer the source around a frame. The click sends a number: the place of the frame in what is stored.
    """
    number = request.POST.get("frame", "")
    frames = stats.get("frames") or []
    if not number.isdecimal() or int(number) >= len(frames):
        raise Refused(_("This function is no longer stored. Load the page again."))
    found = frames[int(number)]
    lines = _lines(found["file"], found["template_line"] or found["line"])
    context = {
        "lines": lines,
        "name": name_of(found),
        "place": place_of(found),
        "owner": owner_text(found["owner"], found["package"]),
    }
    return {"content": render_to_string("perf_panels/vmprof/source.html", context)}


def _lines(file: str, line: int) -> list[dict[str, Any]]:
    """
    Return the source of a function from its first line on, or what there is of it near the end of the file.
    """
    lines = excerpt(file, line + _BELOW, around=_AROUND) or excerpt(file, line, around=_AROUND)
    return [each | {"hit": each["number"] == line} for each in lines]


@_action("prof", "speedscope", "collapsed")
def download(request: HttpRequest, wanted: Asked, stats: dict[str, Any]) -> HttpResponse:
    """
    Answer the profile as a file.
    """
    if not stats.get("profile") or not stats["profile"]["samples"]:
        raise Refused(_("There is no profile of this request yet."))
    samples = stored.samples_of(stats)
    content, kind, ending = _FORMATS[wanted.action](samples, stats)
    name = slugify(stats.get("view", "").replace(".", "-")) or "profile"
    at = time.strftime("%Y%m%d-%H%M%S", time.localtime(stats.get("recorded_at", 0)))
    return HttpResponse(
        content,
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}-{at}-{samples.mode}.{ending}"'},
    )


def _prof(samples: Samples, stats: dict[str, Any]) -> tuple[bytes, str, str]:
    if samples.engine != "vmprof":
        raise Refused(_("vmprof did not take these samples; it would be its file in name only."))
    return prof.write(samples), "application/octet-stream", "prof"


def _speedscope(samples: Samples, stats: dict[str, Any]) -> tuple[bytes, str, str]:
    return json.dumps(speedscope(samples, stats["url"])).encode(), "application/json", "speedscope.json"


def _collapsed(samples: Samples, stats: dict[str, Any]) -> tuple[bytes, str, str]:
    return collapsed(samples).encode(errors="replace"), "text/plain; charset=utf-8", "collapsed.txt"


_FORMATS: dict[str, Callable[[Samples, dict[str, Any]], tuple[bytes, str, str]]] = {
    "prof": _prof,
    "speedscope": _speedscope,
    "collapsed": _collapsed,
}

VIEWS: dict[str, Callable[..., Any]] = {"frame": frame, "download": download}
