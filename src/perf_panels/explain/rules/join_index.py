"""
The rule about joins that read a whole table because the column they join by has no index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf_panels.explain.plan import JOINS, Kind
from perf_panels.explain.rules.base import IndexNeed, Match, rule
from perf_panels.explain.rules.reading import (
    estimated_rows,
    exists,
    indexed,
    names_of,
    parts_of,
    stops_early,
    table_of,
    through,
)
from perf_panels.explain.rules.wording import number, severity, share, timing, took

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject

_WRAPPERS = (Kind.HASH, Kind.SORT, Kind.GATHER, Kind.MATERIALIZE)


@dataclass(frozen=True)
class _Side:
    join: Node
    scan: Node
    table: str
    columns: tuple[str, ...]
    rows: float
    kept: float | None


@rule("join-no-index", "E/A", supersedes=("full-scan-filter", "full-index-scan"))
def join_no_index(subject: Subject) -> Iterator[Match]:
    """
    A join reads a whole table for a small part of its rows, and no index starts with the column it joins by.

    Not when the join keeps more than 5 % of the table, when the column has an index, and for derived tables.

    Source: 50,000 rows and 5 % are judgements beside pgplan's ratio of 10:1.
    """
    for node in subject.plan.nodes():
        if node.automatic_index:
            yield from _automatic(subject, node)
        elif node.kind in JOINS and node.executed:
            yield from _sides(subject, node)


def _automatic(subject: Subject, node: Node) -> Iterator[Match]:
    table = table_of(subject, node)
    rows = subject.schema.rows(table) or 0
    columns = tuple(column for column in node.index_columns if exists(subject, table, column))
    if not table or rows < subject.limits.BIG_ROWS or not columns or indexed(subject, table, columns[0]):
        return
    yield Match(
        node,
        "warning",
        f"{{table}}: SQLite indexes {number(rows)} rows on {{columns}} for this one statement",
        f"Estimated: the table has {number(rows)} rows, and the automatic index is thrown away after the statement.",
        "Index {columns}",
        table,
        columns,
        {"estimated_rows_read": round(rows)},
        IndexNeed(table, equality=columns),
    )


def _sides(subject: Subject, join: Node) -> Iterator[Match]:
    if len(join.children) != 2 or join.join_type not in {None, "inner", "left", "right", "semi"}:
        return
    for side, other in (join.children, join.children[::-1]):
        scan = through(side, *_WRAPPERS)
        if scan.kind is Kind.SCAN and not _must_read(join, side) and not _is_preserved(join, side):
            found = _side(subject, join, scan, through(other, *_WRAPPERS))
            if found is not None:
                yield _match(subject, found)


def _must_read(join: Node, side: Node) -> bool:
    """
    Say whether a nested loop compares nothing, or this is its outer side, which is read in any case.
    """
    if join.kind is not Kind.NESTED_LOOP and not _in_blocks(join):
        return False
    return not (join.join_cond or join.join_filter) or side is join.children[0]


def _is_preserved(join: Node, side: Node) -> bool:
    """
    Say whether an outer join gives every row of this side, whatever it finds on the other.
    """
    return side is {"left": join.children[0], "right": join.children[1]}.get(join.join_type or "")


def _in_blocks(join: Node) -> bool:
    """
    Say whether this is MariaDB's block nested loop, which compares every row with every other.
    """
    return "block" in join.label.lower()


def _side(subject: Subject, join: Node, scan: Node, other: Node) -> _Side | None:
    limits = subject.limits
    table = table_of(subject, scan)
    rows = scan.scanned if scan.analyzed else subject.table_rows(scan)
    if table is None or not rows or rows < limits.JOIN_SCAN_ROWS or not _nearly_all(subject, scan, rows):
        return None
    columns = tuple(column for column in _joined(subject, join, scan) if exists(subject, table, column))
    if not columns or any(indexed(subject, table, column) for column in columns) or stops_early(subject, join):
        return None
    kept = _found(subject, join)
    if not _in_blocks(join) and not (
        kept is not None and kept <= rows * limits.JOIN_KEEP_SHARE and _few(subject, join, other, rows)
    ):
        return None
    return _Side(join, scan, table, columns, rows, kept)


def _found(subject: Subject, join: Node) -> float | None:
    """
    Return the rows an index would have to find: those of equal columns, before other conditions of the join.
    """
    if join.analyzed:
        return (join.rows_total or 0) + (join.removed_by_join or 0) * (join.loops or 0)
    return None if join.join_filter and join.join_cond else estimated_rows(subject, join)


def _nearly_all(subject: Subject, scan: Node, rows: float) -> bool:
    if scan.filter is None:
        return True
    kept = scan.rows_total if scan.analyzed else estimated_rows(subject, scan)
    return kept is not None and kept >= rows * (1 - subject.limits.JOIN_KEEP_SHARE)


def _few(subject: Subject, join: Node, other: Node, rows: float) -> bool:
    # An inner join with few rows needs few look-ups; the others look up every row of the other side.
    if join.join_type in {None, "inner"}:
        return True
    given = other.rows_total if other.analyzed else estimated_rows(subject, other)
    return given is not None and given <= rows * subject.limits.JOIN_KEEP_SHARE


def _joined(subject: Subject, join: Node, scan: Node) -> list[str]:
    names = names_of(scan)
    found = []
    for part in parts_of(join.join_cond or join.join_filter, subject.engine):
        if part.operator != "join" or part.wrapped:
            continue
        if part.table in names and part.column:
            found.append(part.column)
        elif part.other_table in names and part.other_column:
            found.append(part.other_column)
    return found


def _match(subject: Subject, side: _Side) -> Match:
    measured = side.scan.analyzed
    # MySQL and MariaDB guess how many rows a join has: without measuring nobody knows whether an index is worth it.
    guessed = not measured and subject.engine in {"mysql", "mariadb"}
    return Match(
        side.scan,
        "info" if guessed and not _in_blocks(side.join) else severity(subject, side.scan, side.join),
        f"{{table}}: {number(side.rows)} rows read for a join"
        + (f" that keeps {number(side.kept)}" if side.kept is not None else "")
        + ", without an index on {columns}",
        f"{'Measured' if measured else 'Estimated'}: {_why(subject, side)}{took(subject, side.scan)}",
        "Index {columns}",
        side.table,
        side.columns,
        _evidence(side) | timing(subject, side.scan),
        IndexNeed(side.table, equality=side.columns),
        saving_ms=subject.time_of(side.scan) if measured else None,
    )


def _why(subject: Subject, side: _Side) -> str:
    if side.kept is None or _in_blocks(side.join):
        return "every row of this table is compared with every row of the other side."
    least = share(subject.limits.JOIN_KEEP_SHARE)
    return f"the join keeps {share(side.kept / side.rows)} of the rows read; up to {least} an index pays."


def _evidence(side: _Side) -> dict[str, float | int]:
    prefix = "" if side.scan.analyzed else "estimated_"
    found: dict[str, float | int] = {f"{prefix}rows_read": round(side.rows)}
    return found if side.kept is None else found | {f"{prefix}rows_kept": round(side.kept)}
