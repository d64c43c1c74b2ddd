"""
A tree map of what was allocated, by owner, file and line: rectangles whose areas are bytes, drawn as SVG.

Squarified (Bruls, Huizing and van Wijk, 2000): rows are filled so that rectangles stay as square as they can.
"""

from __future__ import annotations

from typing import Any, NamedTuple

WIDTH, HEIGHT = 1000, 380
_HEAD = 18
_FILE_HEAD = 14
_GAP = 2
_CHARACTER = 6.6
LEAVES = 150
"""The rest is drawn as one rectangle of its owner."""


class Leaf(NamedTuple):
    """
    One line: its bytes, and what it is called in the drawing.
    """

    owner: str
    file: str
    line: int
    size: int


class Box(NamedTuple):
    """
    A rectangle in the drawing.
    """

    x: float
    y: float
    width: float
    height: float

    def inside(self, head: float) -> Box:
        """
        Return what is left below a heading and within the gap.
        """
        return Box(
            self.x + _GAP,
            self.y + head,
            max(0.0, self.width - 2 * _GAP),
            max(0.0, self.height - head - _GAP),
        )


def squarified(sizes: list[float], box: Box) -> list[Box]:
    """
    Return a rectangle for each of ``sizes``, which are positive and largest first, filling ``box``.
    """
    total = sum(sizes)
    if not sizes or total <= 0 or box.width <= 0 or box.height <= 0:
        return [Box(box.x, box.y, 0.0, 0.0) for _size in sizes]
    scale = box.width * box.height / total
    areas = [size * scale for size in sizes]
    boxes: list[Box] = []
    while areas:
        side = min(box.width, box.height)
        count = _row_length(areas, side)
        row, areas = areas[:count], areas[count:]
        made, box = _row(row, box)
        boxes += made
    return boxes


def _row_length(areas: list[float], side: float) -> int:
    best, summed = float("inf"), 0.0
    for place, area in enumerate(areas):
        summed += area
        if side <= 0 or summed <= 0:
            return len(areas)
        thickness = summed / side
        worst = max(
            max(thickness * thickness / each, each / (thickness * thickness)) for each in (areas[0], area) if each > 0
        )
        if worst > best:
            return place
        best = worst
    return len(areas)


def _row(areas: list[float], box: Box) -> tuple[list[Box], Box]:
    summed = sum(areas)
    made = []
    if box.width >= box.height:
        thickness = summed / box.height if box.height else 0.0
        y = box.y
        for area in areas:
            height = area / thickness if thickness else 0.0
            made.append(Box(box.x, y, thickness, height))
            y += height
        return made, Box(box.x + thickness, box.y, max(0.0, box.width - thickness), box.height)
    thickness = summed / box.width if box.width else 0.0
    x = box.x
    for area in areas:
        width = area / thickness if thickness else 0.0
        made.append(Box(x, box.y, width, thickness))
        x += width
    return made, Box(box.x, box.y + thickness, box.width, max(0.0, box.height - thickness))


def layout(leaves: list[Leaf]) -> list[dict[str, Any]]:
    """
    Return the owners with their files and these with their lines, each with a ``box``.
    """
    by_owner: dict[str, dict[str, list[Leaf]]] = {}
    shown = sorted((leaf for leaf in leaves if leaf.size > 0), key=lambda leaf: -leaf.size)
    for leaf in [*shown[:LEAVES], *_rest(shown[LEAVES:])]:
        by_owner.setdefault(leaf.owner, {}).setdefault(leaf.file, []).append(leaf)
    owners = _ordered([(owner, files, _size(files)) for owner, files in by_owner.items()])
    # No "_files" here: Python 3.12.1 takes it for the function's name below.
    boxes = squarified([size for *_, size in owners], Box(0.0, 0.0, WIDTH, HEIGHT))
    return [
        {"owner": owner, "size": size, "box": box, "files": _files(files, _headed(box, _HEAD))}
        for (owner, files, size), box in zip(owners, boxes, strict=True)
    ]


def _rest(leaves: list[Leaf]) -> list[Leaf]:
    sums: dict[str, int] = {}
    for leaf in leaves:
        sums[leaf.owner] = sums.get(leaf.owner, 0) + leaf.size
    return [Leaf(owner, "", 0, size) for owner, size in sums.items()]


def _ordered(entries: list[tuple[str, Any, int]]) -> list[tuple[str, Any, int]]:
    return sorted(entries, key=lambda entry: -entry[2])


def _size(files: dict[str, list[Leaf]]) -> int:
    return sum(leaf.size for leaves in files.values() for leaf in leaves)


def _files(files: dict[str, list[Leaf]], box: Box) -> list[dict[str, Any]]:
    entries = _ordered([(file, leaves, sum(leaf.size for leaf in leaves)) for file, leaves in files.items()])
    boxes = squarified([size for *_, size in entries], box)
    made = []
    for (file, leaves, size), own in zip(entries, boxes, strict=True):
        inner = _headed(own, _FILE_HEAD)
        ordered = sorted(leaves, key=lambda leaf: -leaf.size)
        lines = zip(ordered, squarified([leaf.size for leaf in ordered], inner), strict=True)
        made.append({"file": file, "size": size, "box": own, "lines": list(lines), "headed": inner.y > own.y + _GAP})
    return made


def _headed(box: Box, head: float) -> Box:
    # A heading takes room only where what is under it still has more.
    return box.inside(head if box.height > head * 2.5 and box.width > 60 else _GAP)


def fitting(box: Box, *texts: str) -> str:
    """
    Return the first of ``texts`` that fits into one line of ``box``, or "".
    """
    room = _room(box)
    return next((text for text in texts if len(text) <= room), "")


def shortened(box: Box, path: str) -> str:
    """
    Return as much of ``path`` as fits into one line of ``box``, its end rather than its beginning.
    """
    room = _room(box)
    if room < 6:
        return ""
    return path if len(path) <= room else f"…{path[-(room - 1) :]}"


def _room(box: Box) -> int:
    return int((box.width - 8) / _CHARACTER) if box.height >= 13 else 0
