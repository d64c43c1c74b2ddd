"""
Which SELECT of the statement a part of a plan belongs to, how many rows come in and out of it, and how long it took.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.plan import TABLE_SCANS, Kind
from perf_panels.explain.query import Query
from perf_panels.explain.rules.reading import estimated_rows, processes, table_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject
    from perf_panels.findings import Severity

PASSING = frozenset({Kind.GATHER, Kind.RESULT, Kind.LOCK_ROWS, Kind.OTHER})
"""Nodes that hand on the rows they get, in the same order."""
BORDERS = frozenset({Kind.SUBQUERY, Kind.SUBQUERY_SCAN, Kind.CTE_SCAN, Kind.SET_OPERATION, Kind.MODIFY})
ASIDE = frozenset({"subplan", "initplan", "subquery"})
_ONE_ROWID = re.compile(r"\(?rowid\s*=\s*\?\)?")


def grade(subject: Subject, elapsed_ms: float | None) -> Severity:
    """
    Return how bad something is by the time it took; a warning when nobody measured.
    """
    return "critical" if (elapsed_ms or 0) >= subject.limits.SLOW_MS else "warning"


def elapsed(subject: Subject, node: Node) -> float | None:
    """
    Return the time of all loops, children included; those of a Gather's processes are shared out among them.
    """
    if node.total_ms is None or not node.parallel:
        return node.elapsed_ms
    return node.total_ms * max(1.0, (node.loops or 0) / processes(subject, node))


def quick(subject: Subject, elapsed_ms: float | None) -> bool:
    """
    Say whether something was measured and took too little time to matter.
    """
    return elapsed_ms is not None and elapsed_ms < subject.limits.NODE_MS


def told(subject: Subject) -> str:
    """
    Say where the numbers come from.
    """
    return "measured" if subject.plan.analyzed else "estimated"


def numbers(**known: float | None) -> dict[str, float | int]:
    """
    Return the numbers that are known, as evidence.
    """
    return {name: round(value, 2) for name, value in known.items() if value is not None}


def rows_out(subject: Subject, node: Node) -> float | None:
    """
    Return the rows a node gives, those of all its processes together: measured in all loops, else estimated for one.
    """
    return estimated_rows(subject, node) if node.act_rows is None else node.rows_total


def is_other_select(node: Node) -> bool:
    """
    Say whether a node gives the rows of another SELECT: a derived table, a CTE, a UNION.
    """
    stored = node.kind is Kind.MATERIALIZE and bool(node.derived or node.alias or node.name)
    return node.kind in BORDERS or stored


def is_border(node: Node) -> bool:
    """
    Say whether a node, or what is below it, belongs to another SELECT than what is above.
    """
    return is_other_select(node) or node.relationship in ASIDE


def own(node: Node) -> Iterator[Node]:
    """
    Yield this node and those below it that belong to the same SELECT.
    """
    yield node
    if node.kind in TABLE_SCANS:
        return
    for child in node.children:
        if child.relationship in ASIDE:
            continue
        if is_border(child):
            yield child
        else:
            yield from own(child)


def scans(node: Node) -> list[Node]:
    """
    Return the tables that the same SELECT reads for this node.
    """
    return [below for below in own(node) if below.kind in TABLE_SCANS and below.relation and not below.derived]


def first_table(subject: Subject, node: Node) -> str | None:
    """
    Return the first table that is read for a node, that of another SELECT if it has none of its own.
    """
    found = scans(node) or [below for below in node.walk() if below.kind in TABLE_SCANS]
    return next((table for scan in found if (table := table_of(subject, scan))), None)


def size(subject: Subject, scan: Node) -> float | None:
    """
    Return the rows of a scan's table.
    """
    known = subject.schema.rows(table_of(subject, scan))
    return subject.table_rows(scan) if known is None else known


def may_repeat(subject: Subject, table: str | None, column: str | None) -> bool:
    """
    Say whether several rows of a table whose indexes are known can have the same value of a column.
    """
    known = subject.schema.table(table)
    indexes = known.indexes if known else []
    return bool(indexes) and not any(index.unique and index.columns == (column,) for index in indexes)


def whole_rows(subject: Subject, node: Node) -> float | None:
    """
    Return the size of the largest table that is read in full for this node: all that SQLite's plans tell.
    """
    full = [scan for scan in scans(node) if not scan.index_cond and not scan.index_columns]
    return max((size(subject, scan) or 0 for scan in full), default=None)


def rows_in(subject: Subject, node: Node) -> float | None:
    """
    Return the rows a node gets from those below it.
    """
    given = [rows_out(subject, child) for child in node.children if child.relationship not in ASIDE]
    if given and None not in given:
        return sum(rows or 0 for rows in given)
    return whole_rows(subject, node)


def rows_in_one_pass(subject: Subject, node: Node) -> float | None:
    """
    Return the rows a node gets each time it runs, those of all its processes together.
    """
    rows = rows_in(subject, node)
    return None if rows is None else rows / max(1.0, (node.loops or 1) / processes(subject, node))


def level_of(subject: Subject, node: Node) -> Query:
    """
    Return the SELECT of the statement that a node belongs to, by its tables; an empty one when it cannot be told.
    """
    names = {(scan.alias or scan.relation or "", scan.relation or "") for scan in scans(node)}
    unknown = Query(sql="", engine=subject.engine)
    if not names:
        inside = is_border(node) or any(is_border(above) for above in subject.ancestors(node))
        return unknown if inside else subject.query

    def shared(level: Query) -> int:
        tables = level.tables
        return sum(2 * (alias in tables) + (table in tables.values()) for alias, table in names)

    best = max(subject.query.levels(), key=shared)
    return best if shared(best) else unknown


def compared(level: Query) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """
    Yield the columns of two tables that a SELECT compares, as (alias, column) each, both ways round.
    """
    for part in (*level.joins, *level.where):
        if part.operator == "join" and part.table and part.column and part.other_table and part.other_column:
            ends = (part.table, part.column), (part.other_table, part.other_column)
            yield ends
            yield ends[::-1]


def finds_one(subject: Subject, scan: Node) -> bool:
    """
    Say whether SQLite searches for one row: by rowid, or by all columns of a unique index.
    """
    condition = scan.index_cond or ""
    if _ONE_ROWID.fullmatch(condition):
        return True
    table = subject.schema.table(table_of(subject, scan))
    searched = set(scan.index_columns)
    if not table or not searched or re.search("[<>]", condition):
        return False
    return any(index.unique and set(index.columns) <= searched for index in table.indexes)
