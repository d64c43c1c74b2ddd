"""
A function's source with numbers per line, as the line and the memory panel show it: the table made of what was kept.

``table`` is called when the page is made. Lines without numbers are folded away, and what can no longer be shown as it
ran is said.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _, ngettext

from perf_panels.kept_source import Kept, changed_since, keep, runs_of, texts
from perf_panels.numbers import width

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Column", "Kept", "Line", "changed_since", "keep", "table", "texts", "visible"]

HOT, WARM = 0.2, 0.02
AROUND = 3
"""Lines shown on either side of a warm one."""
SHORT = 24
"""A function up to this long is never folded."""
LEAST_FOLDED = 5


@dataclass(frozen=True)
class Column:
    """
    A column of numbers, left of the source; one of them may have the heat bar.
    """

    name: str
    title: str = ""
    bar: bool = False


@dataclass(frozen=True)
class Line:
    """
    What a panel knows of one line: a text for each column and how hot it is, as a share of the function.

    ``weight`` is the function's share of the whole: a cold function has no hot lines. ``mark`` is the severity of a
    finding that stands here, ``tones`` a class for each text that has a meaning of its own, ``extra`` the context of
    the panel's own template.
    """

    number: int
    cells: tuple[str, ...]
    heat: float = 0.0
    weight: float = 1.0
    mark: str = ""
    tones: tuple[str, ...] = ()
    extra: dict[str, Any] | None = None


def table(
    kept: Kept | None,
    lines: Sequence[Line],
    columns: Sequence[Column],
    *,
    executable: Iterable[int] = (),
    extra: str = "",
) -> dict[str, Any]:
    """
    Return the context of ``includes/source_table.html``. ``executable`` are the lines that have code: one of them
    without numbers was not reached. ``extra`` names a template for the cell of the source, which sees ``row``.
    """
    by_number = {line.number: line for line in lines}
    source = texts(kept)
    hottest = max((line for line in lines if line.heat > 0), key=lambda line: line.heat, default=None)
    has_code = frozenset(executable)
    indent = _indent(source.values())
    rows = [
        _row(number, source.get(number, "")[indent:], by_number.get(number), columns, unreached=number in has_code)
        # A line whose source was not kept, as it is far from all that matters, is part of a gap.
        for number in sorted(source or by_number)
    ]
    for row in rows:
        if row["tab"] and hottest is not None and row["number"] == hottest.number:
            row["tab"] = "0"
    return {
        "columns": columns,
        "width": str(len(columns) + 2),
        "blocks": _blocks(rows),
        "notes": _notes(kept, source, by_number),
        "hottest": hottest.number if hottest else None,
        "extra": extra,
    }


def _indent(lines: Iterable[str]) -> int:
    """
    Return how far all of the lines are indented: methods need not be shown where their class has them.
    """
    filled = [line for line in lines if line.strip()]
    if not filled:
        return 0
    # All lines begin as the least of them and the greatest of them do.
    low, high = min(filled), max(filled)
    common = next(
        (place for place, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high))
    )
    return min(common, len(low) - len(low.lstrip(" \t")))


def _row(number: int, text: str, line: Line | None, columns: Sequence[Column], *, unreached: bool) -> dict[str, Any]:
    heat = line.heat if line else 0.0
    weighed = heat * line.weight if line else 0.0
    level = "hot" if weighed >= HOT else "warm" if weighed >= WARM else "cold"
    mark = line.mark if line else ""
    unreached = unreached and line is None
    classes = (
        f"perf-line-{level}" if level != "cold" else "",
        f"perf-marked perf-{mark}" if mark else "",
        "perf-unreached" if unreached else "",
    )
    texts_of = line.cells if line else ("",) * len(columns)
    tones = line.tones if line and line.tones else ("",) * len(columns)
    return {
        "number": number,
        "label": str(number),
        "text": visible(text),
        "cells": [
            {"text": cell, "bar": width(heat) if column.bar and cell else "", "tone": tone}
            for cell, tone, column in zip(texts_of, tones, columns, strict=True)
        ],
        "heat": level,
        "classes": " ".join(filter(None, classes)),
        # The arrow keys go through the lines that matter; the hottest is the one that Tab reaches.
        "tab": "-1" if heat >= WARM or mark else "",
        "unreached": unreached,
        "extra": line.extra if line else None,
    }


def visible(text: str) -> str:
    """
    Return a line of source without what would move, hide or break the text around it: each such character by its code.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character == "\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        else f"\\u{ord(character):04x}"
        for character in text
    )


def _blocks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the rows in runs that are shown or folded, with a gap where lines were not kept.
    """
    shown = _shown(rows)
    blocks: list[dict[str, Any]] = []
    folded, expected = False, rows[0]["number"] if rows else 0
    for place, row in enumerate(rows):
        missing = row["number"] - expected
        if missing:
            blocks.append({"gap": _gap_text(missing), "rows": []})
        if not blocks or missing or folded != (place not in shown):
            folded = place not in shown
            blocks.append({"folded": folded, "rows": []})
        blocks[-1]["rows"].append(row)
        expected = row["number"] + 1
    for block in blocks:
        if block.get("folded"):
            block["folded"] = _fold_text(block["rows"])
    return blocks


def _gap_text(count: int) -> str:
    text = ngettext("%(count)s line was not kept", "%(count)s lines were not kept", count)
    return text % {"count": f"{count:,}"}


def _fold_text(rows: list[dict[str, Any]]) -> str:
    text = ngettext("%(count)s line: %(first)s", "%(count)s lines: %(first)s–%(last)s", len(rows))  # noqa: RUF001
    return text % {"count": f"{len(rows):,}", "first": rows[0]["label"], "last": rows[-1]["label"]}


def _shown(rows: list[dict[str, Any]]) -> set[int]:
    everything = set(range(len(rows)))
    if len(rows) <= SHORT:
        return everything
    warm = [place for place, row in enumerate(rows) if row["tab"]]
    near = {near for place in warm for near in range(place - AROUND, place + AROUND + 1)}
    shown = (near | {0, 1}) & everything if warm else set(range(SHORT))
    # To fold a few lines takes as much room as to show them.
    for run in runs_of(sorted(everything - shown)):
        if len(run) < LEAST_FOLDED:
            shown.update(run)
    return shown


def _notes(kept: Kept | None, source: dict[int, str], lines: dict[int, Line]) -> list[str]:
    if kept is None:
        return [_("The source of this function was left out to keep the stored size down.")]
    if not source:
        return [_("There is no source to show: %(file)s cannot be read.") % {"file": kept["file"]}]
    # Without the code that ran: a number outside of the source or beside a blank line was not measured on this text.
    strange = any(number > kept["last"] or not source.get(number, "?").strip() for number in lines)
    if kept["stale"] or strange:
        return [_("The file is not what ran: it was edited after the server had loaded it. Restart the server.")]
    if changed_since(kept):
        return [_("The file has changed since: these are the lines as they were when the request ran.")]
    return []
