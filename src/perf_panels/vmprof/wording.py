"""
The words of the page: names of owners, areas and modes, places, shares with their error.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels.origins import short_path
from perf_panels.vmprof.findings import error

Frame = dict[str, Any]


def owner_text(owner: str, package: str = "") -> str:
    """
    Return what an owner is called in the legend.
    """
    if package:
        return package
    return {
        "project": _("your project"),
        "templates": _("templates"),
        "orm": _("Django ORM"),
        "driver": _("database driver"),
        "django": _("other Django"),
        "stdlib": _("standard library"),
        "c": _("C and unknown"),
        "toolbar": _("the toolbar itself"),
    }.get(owner, owner)


def area_text(area: str) -> str:
    """
    Return what an area is called after a percentage.
    """
    return {"templates": _("templates"), "database": _("ORM and database"), "code": _("Python code")}[area]


def mode_text(mode: str) -> tuple[str, str]:
    """
    Return the name of a mode and what it shows.
    """
    return {
        "cpu": (_("CPU"), _("Samples while the processor works for this request. What waits does not show.")),
        "wall": (_("Wall"), _("Samples at all times: waiting for the database, the network and locks shows too.")),
        "memory": (_("Memory"), _("As wall, with the memory of the process at each sample.")),
    }[mode]


def name_of(frame: Frame) -> str:
    """
    Return what a frame is called in the graph and in the tables.
    """
    if frame["template"]:
        return f"{frame['template'].rpartition('/')[2]}:{frame['template_line']}"
    return str(frame["name"]) or "?"


def place_of(frame: Frame) -> str:
    """
    Return where a frame stands, as a developer writes it.
    """
    if frame["template"]:
        return f"{frame['template']}:{frame['template_line']}"
    return f"{short_path(frame['file'])}:{frame['line']}" if frame["file"] else ""


def part_text(frame: Frame) -> str:
    """
    Return "filter", "tag" or "".
    """
    return {"filter": _("filter"), "tag": _("tag")}.get(frame.get("part", ""), "")


def share_text(share: float, samples: int) -> str:
    """
    Return a share of one with its error: 62 ± 4 %.
    """
    return f"{share * 100:.0f} ± {max(1, round(error(share, samples) * 100))} %"
