"""
The rule about tables that are joined by no condition.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.levels import (
    ASIDE,
    elapsed,
    first_table,
    grade,
    is_border,
    level_of,
    numbers,
    rows_out,
    scans,
    size,
    told,
    whole_rows,
)
from perf_panels.explain.rules.reading import names_of, parts_of
from perf_panels.explain.rules.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import Subject

_QUALIFIED = re.compile(r"[\w\"`]\s*\.\s*[\"`A-Za-z_]")
_MAY_CONNECT = frozenset({"join", "other", "subplan", "or"})
_OF_ONE_TABLE = frozenset({"eq", "in", "range", "null", "not-null", "like"})
_HALVES = frozenset({"semi", "anti"})


@rule("cartesian", "E/A", supersedes=("join-fanout", "join-filter-discard", "materialize-rescans", "nested-loop-heavy"))
def cartesian(subject: Subject) -> Iterator[Match]:
    """
    Every row of one table is joined with every row of another: no condition connects them.

    Not with a side of one row, for few rows, or where the statement or the plan connects both sides in any way.

    Source: 10,000 rows from pgplan and QuerySense.
    """
    for node in subject.plan.nodes():
        if node.kind not in {Kind.NESTED_LOOP, Kind.HASH_JOIN} or len(node.children) < 2 or not node.executed:
            continue
        outer, inner = node.children[0], node.children[1]
        sides = [_side_rows(subject, side) for side in (outer, inner)]
        rows = rows_out(subject, node) or sides[0] * sides[1]
        if rows < subject.limits.BIG_ROWS or min(sides) <= 1 or _connected(subject, node):
            continue
        yield Match(
            node=node,
            severity=grade(subject, elapsed(subject, node)),
            title=f"{{table}}: every row joined with every row of another table, {number(rows)} rows",
            detail=f"{number(sides[0])} times {number(sides[1])} rows ({told(subject)}): no condition connects them.",
            advice="add the missing condition: look for extra(tables=…), raw SQL, or a FilteredRelation without one",
            table=first_table(subject, inner),
            evidence=numbers(rows_joined=rows, outer_rows=sides[0], inner_rows=sides[1], self_ms=node.self_ms),
            saving_ms=elapsed(subject, node),
        )


def _side_rows(subject: Subject, side: Node) -> float:
    """
    Return the rows of one pass over a side.
    """
    rows = side.est_rows if side.act_rows is None else side.act_rows
    if rows is None and subject.engine == "sqlite":
        return _rows_of_ranges(subject, side)
    return (whole_rows(subject, side) if rows is None else rows) or 0


def _rows_of_ranges(subject: Subject, side: Node) -> float:
    """
    Return what SQLite itself expects where it knows no better: a quarter of a table for each end of a range.
    """
    largest = 0.0
    for scan in scans(side):
        condition = scan.index_cond or ""
        if not re.search(r"(?<![<>])=", condition):
            largest = max(largest, (size(subject, scan) or 0) / 4 ** len(re.findall("[<>]", condition)))
    return largest


def _connected(subject: Subject, join: Node) -> bool:
    """
    Say whether the plan or the statement compares the two sides, or whether that cannot be told.
    """
    outer, inner = join.children[0], join.children[1]
    if join.join_cond or join.join_filter or join.join_type in _HALVES:
        return True
    if any(below.kind is Kind.LIMIT or below.relationship in ASIDE for below in inner.walk()):
        return True
    near, far = scans(outer), scans(inner)
    if not near or not far or any(is_border(below) for below in (*outer.walk(), *inner.walk())):
        return True
    if not subject.query.readable:
        # What limits the inner side may be what the outer side has.
        return subject.engine == "sqlite" or any(_is_limited(below) for below in inner.walk())
    level = level_of(subject, join)
    left = {name for scan in near for name in names_of(scan)}
    right = {name for scan in far for name in names_of(scan)}
    if subject.engine != "sqlite" and any(_looks_out(subject, below, left, right) for below in inner.walk()):
        return True
    return not level.tables or any(group & left and group & right for group in _groups(level))


def _is_limited(node: Node) -> bool:
    return bool(node.index_cond or node.index_columns or node.filter)


def _looks_out(subject: Subject, node: Node, left: set[str], right: set[str]) -> bool:
    """
    Say whether what limits a node of the inner side names the outer one, or may, as it is no comparison of its own.
    """
    for text in filter(None, (node.index_cond, node.filter)):
        own = all(part.operator in _OF_ONE_TABLE for part in parts_of(text, subject.engine))
        if _mentions(text, left) or not (own or _mentions(text, right)):
            return True
    return False


def _groups(level: Query) -> list[set[str]]:
    """
    Return the tables of a SELECT that its conditions connect, also by way of others; a condition without the names of
    its tables may connect any.
    """
    names = {alias: {alias, table} for alias, table in level.tables.items()}
    groups: list[set[str]] = []
    for part in (*level.where, *level.joins):
        group = set().union(*(both for both in names.values() if _mentions(part.text, both)))
        if part.operator in _MAY_CONNECT and not _QUALIFIED.search(part.text):
            group = set().union(*names.values())
        for other in [other for other in groups if other & group]:
            groups.remove(other)
            group |= other
        groups.append(group)
    return groups


def _mentions(text: str, names: set[str]) -> bool:
    return any(re.search(rf'["`]?\b{re.escape(name)}\b["`]?\s*\.', text) for name in names)
