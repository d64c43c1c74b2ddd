"""
To whom the time of each sample is charged: the nearest place somebody can change. Pure functions on the tree.

A function's own time says too little (the work is done in ``re`` or in a query), its total says too much (a view has
all of it). So each sample is charged once: to the innermost function of the project or line of a template on its
stack, with what that calls in Python, Django and C; or to a package's function, where the project calls into one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perf_panels import origins
from perf_panels.vmprof import owners

if TYPE_CHECKING:
    from perf_panels.vmprof.samples import Samples
    from perf_panels.vmprof.tree import Node, Tree

TEMPLATES = "templates"
DATABASE = "database"
CODE = "code"
AREAS = (TEMPLATES, DATABASE, CODE)

# What the engine of templates needs for any line, as against a filter or a tag that does something.
_ENGINE = ("/django/template/", "/django/utils/", "/markupsafe/")
_WORK = ("/django/template/defaultfilters.py", "/django/utils/text.py", "/django/utils/dateformat.py")


@dataclass
class Charge:
    """
    What one place is charged with. ``database_ms`` was spent in the ORM and the driver and is not part of ``self_ms``.
    """

    frame: int
    self_ms: float = 0.0
    samples: int = 0
    database_ms: float = 0.0
    database_samples: int = 0
    work_ms: float = 0.0
    """Of ``self_ms``, what was not spent in the engine of templates."""
    callers: Counter[int] = field(default_factory=Counter)
    """The frames that called it, by samples."""
    called: Counter[int] = field(default_factory=Counter)
    """What it called directly, by samples."""


@dataclass
class Charges:
    """
    The charges of a profile, the largest first, and the time by area.
    """

    charges: list[Charge]
    areas: dict[str, float]
    by_area: dict[str, tuple[int, float]]
    """The frame that is charged most in each area, with its milliseconds there."""


def charge(tree: Tree) -> Charges:
    """
    Charge every sample once.
    """
    found: dict[int, Charge] = {}
    areas = dict.fromkeys(AREAS, 0.0)
    in_area: dict[str, dict[int, float]] = {area: {} for area in AREAS}
    for node in tree.leaves():
        path = node.path()
        area = _area(path, tree)
        areas[area] += node.self_ms
        place = _charged(path, tree)
        if place is None:
            continue
        entry = found.setdefault(path[place], Charge(path[place]))
        _add(entry, node, path, place, tree)
        in_area[area][path[place]] = in_area[area].get(path[place], 0.0) + node.self_ms
    charges = sorted(found.values(), key=lambda each: -each.self_ms)
    by_area = {area: max(places.items(), key=lambda each: each[1]) for area, places in in_area.items() if places}
    return Charges(charges, areas, by_area)


def hot_lines(samples: Samples, wanted: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
    """
    Return the line most samples were at, by (file, first line) of ``wanted``; nothing where the engine knows no lines.
    """
    keys = [(frame.file, frame.first_line) for frame in samples.frames]
    of_interest = {
        index for index, frame in enumerate(samples.frames) if frame.line is not None and keys[index] in wanted
    }
    counted: dict[tuple[Any, ...], Counter[int]] = {}
    if of_interest:
        for stack in samples.stacks:
            for index in of_interest.intersection(stack.frames):
                counted.setdefault(keys[index], Counter())[samples.frames[index].line or 0] += stack.samples
    return {key: lines.most_common(1)[0][0] for key, lines in counted.items()}


def _area(path: list[int], tree: Tree) -> str:
    kinds = {tree.roles[frame].owner for frame in path}
    # A query that a template sets off is the database's time.
    if kinds & owners.DATABASE:
        return DATABASE
    return TEMPLATES if owners.TEMPLATES in kinds else CODE


def _charged(path: list[int], tree: Tree) -> int | None:
    """
    Return the position on the path of the place that is charged, or None when nobody can be.
    """
    if _is_toolbars(path, tree):
        return None
    innermost_package = outermost_package = None
    for position in range(len(path) - 1, -1, -1):
        role, frame = tree.roles[path[position]], tree.frames[path[position]]
        if role.owner == owners.PACKAGE:
            outermost_package = position
            innermost_package = position if innermost_package is None else innermost_package
        elif role.owner == owners.PROJECT or (frame.template is not None and _changeable(frame.file)):
            return position if outermost_package is None else outermost_package
    return innermost_package


def _is_toolbars(path: list[int], tree: Tree) -> bool:
    """
    Tell whether it is the toolbar that works, and not only a wrapper of its around what works.
    """
    kinds = (tree.roles[frame].owner for frame in reversed(path))
    return next((kind for kind in kinds if kind not in {owners.STDLIB, owners.C}), "") == owners.TOOLBAR


def _changeable(template_file: str) -> bool:
    return origins.owner_of(f"{template_file}.py") != origins.DJANGO


def _add(entry: Charge, node: Node, path: list[int], place: int, tree: Tree) -> None:
    below = path[place + 1 :]
    if place > 0:
        entry.callers[path[place - 1]] += node.self_samples
    if any(tree.roles[frame].owner in owners.DATABASE for frame in below):
        entry.database_ms += node.self_ms
        entry.database_samples += node.self_samples
        return
    entry.self_ms += node.self_ms
    entry.samples += node.self_samples
    if below:
        entry.called[below[0]] += node.self_samples
    if any(_works(tree.frames[frame].file) for frame in below if tree.roles[frame].owner != owners.TOOLBAR):
        entry.work_ms += node.self_ms


def _works(file: str) -> bool:
    return file.endswith(_WORK) or not any(part in file for part in _ENGINE)
