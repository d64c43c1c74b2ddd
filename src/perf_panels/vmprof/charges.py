"""
To whom the time of each sample is charged: the nearest place somebody can change. Pure functions on the tree.

A function's own time says too little (the work is done in ``re`` or in a query), its total says too much (a view has
all of it). So each sample is charged once: to the innermost function of the project or line of a template on its
stack, with what that calls in Python, Django and C; or to a package's function, where the project calls into one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from perf_panels import origins
from perf_panels.vmprof import owners
from perf_panels.vmprof.tree import functions_of, is_folded, together

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


class Hot(NamedTuple):
    """
    What a line is counted for: a place that is charged, the function the line is in, and which part of the charge.

    The line is the place's own, or for a package's function the project's that calls it.
    """

    charged: int
    function: int
    in_database: bool


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


def hot_lines(samples: Samples, tree: Tree, charged: set[int]) -> dict[Hot, int]:
    """
    Return at which line most samples of each of these charges were; nothing where the engine knows no lines.
    """
    alias = functions_of(samples.frames)[1]
    wanted = {index for index, function in enumerate(alias) if function in charged}
    counted: defaultdict[Hot, Counter[int]] = defaultdict(Counter)
    for _phase, stack, _ms, count in together(samples):
        if wanted.isdisjoint(stack):
            continue
        kept = _kept(stack, alias, tree)
        path = [alias[index] for index in kept]
        place = _charged(path, tree)
        if place is None or path[place] not in charged:
            continue
        at = place - 1 if _called_by_project(path, place, tree) else place
        frame = samples.frames[kept[at]]
        if frame.line is not None and frame.template is None:
            hot = Hot(path[place], path[at], in_database=_in_database(path[place + 1 :], tree))
            counted[hot][frame.line] += count
    return {hot: lines.most_common(1)[0][0] for hot, lines in counted.items()}


def _kept(stack: tuple[int, ...], alias: list[int], tree: Tree) -> list[int]:
    """
    Return the frames of a stack that the tree has too, which keeps no lines.
    """
    kept: list[int] = []
    in_template = False
    for index in stack:
        function = alias[index]
        above = tree.frames[alias[kept[-1]]].file if kept else None
        if not is_folded(tree.frames[function], tree.roles[function], above, in_template=in_template):
            kept.append(index)
        in_template = in_template or tree.frames[function].template is not None
    return kept


def _called_by_project(path: list[int], place: int, tree: Tree) -> bool:
    if tree.roles[path[place]].owner != owners.PACKAGE or not place:
        return False
    return tree.roles[path[place - 1]].owner == owners.PROJECT


def _area(path: list[int], tree: Tree) -> str:
    kinds = [tree.roles[frame].owner for frame in path]
    # A query that a template sets off is the database's time; what save() calls back in the project is not.
    below = takewhile(lambda kind: kind not in {owners.PROJECT, owners.TEMPLATES}, reversed(kinds))
    if not owners.DATABASE.isdisjoint(below):
        return DATABASE
    return TEMPLATES if owners.TEMPLATES in kinds else CODE


def _in_database(below: list[int], tree: Tree) -> bool:
    return any(tree.roles[frame].owner in owners.DATABASE for frame in below)


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
    if _in_database(below, tree):
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
