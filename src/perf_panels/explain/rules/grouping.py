"""
Groups, DISTINCT and UNION over more rows than they need.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.plan import JOINS, Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.levels import (
    compared,
    elapsed,
    finds_one,
    first_table,
    grade,
    level_of,
    may_repeat,
    numbers,
    own,
    quick,
    rows_in,
    rows_out,
    scans,
    size,
    told,
    whole_rows,
)
from perf_panels.explain.rules.orders import columns_of, index_for
from perf_panels.explain.rules.reading import through
from perf_panels.explain.rules.wording import number, up_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import IndexNeed, Subject
    from perf_panels.explain.rules.orders import Column

_RECURSIVE = re.compile(r"\bRECURSIVE\b", re.IGNORECASE)
_DEDUPING = frozenset({Kind.AGGREGATE, Kind.DISTINCT})
TEMPORARY = "temporary table"


@rule("group-temp", "E/A", engines=("mysql", "mariadb", "sqlite"))
def group_temp(subject: Subject) -> Iterator[Match]:
    """
    Many rows are grouped in a temporary table.

    Not on PostgreSQL, whose hash tables are quick, and not for few rows.

    Source: 10,000 rows from pgplan and QuerySense.
    """
    for node in subject.plan.nodes():
        rows = rows_in(subject, node) or 0
        if not _in_temporary(subject, node) or rows < subject.limits.BIG_ROWS or quick(subject, node.self_ms):
            continue
        level = level_of(subject, node)
        columns = _group_columns(subject, node, level)
        yield Match(
            node=node,
            severity=grade(subject, node.self_ms),
            title=f"{{table}}: {number(rows)} rows grouped in a temporary table",
            detail=f"{number(rows)} rows ({told(subject)}) are stored by group, as no index has them in that order.",
            advice="filter first, or index the columns of the group",
            table=columns[0][0] if columns else first_table(subject, node),
            columns=tuple(column for _, column, _ in columns),
            evidence=numbers(rows_grouped=rows, groups=rows_out(subject, node), self_ms=node.self_ms),
            index=_group_index(subject, level, columns),
            saving_ms=node.self_ms,
        )


def _in_temporary(subject: Subject, node: Node) -> bool:
    if not node.executed:
        return False
    if subject.engine == "sqlite" and node.kind is Kind.DISTINCT:
        # Over a join it is distinct-fanout, or nothing.
        return _join_below(node) is None and level_of(subject, node).distinct
    return node.kind is Kind.AGGREGATE and node.strategy == TEMPORARY


def _group_columns(subject: Subject, node: Node, level: Query) -> list[Column]:
    if node.grouping:
        return columns_of(subject, node, node.grouping)
    return [(level.table_of(alias), column, False) for alias, column in level.group_by]


def _group_index(subject: Subject, level: Query, columns: list[Column]) -> IndexNeed | None:
    known = subject.schema.table(columns[0][0]) if columns else None
    unique = {index.columns for index in known.indexes if index.unique} if known else set()
    # Every row is a group of its own: it is the join that needs the table, not the order.
    return None if any((column,) in unique for _, column, _ in columns) else index_for(subject, level, columns)


@rule("group-spill", "A", engines=("postgresql",))
def group_spill(subject: Subject) -> Iterator[Match]:
    """
    Groups are stored in files on disk, as they do not fit in memory.

    Only PostgreSQL says so.

    Source: PostgreSQL's HashAgg Batches; any is told.
    """
    for node in subject.plan.nodes():
        if node.kind is not Kind.AGGREGATE or not node.executed or not ((node.batches or 0) > 1 or node.disk_kb):
            continue
        rows = rows_in(subject, node) or 0
        yield Match(
            node=node,
            severity=grade(subject, node.self_ms),
            title=f"{{table}}: {number(rows)} rows grouped on disk",
            detail=f"Measured: {number(node.batches or 0)} batches, {number(node.disk_kb or 0)} kB of files:"
            " more than the memory for one group.",
            advice="filter before the group, group by fewer columns, or raise work_mem",
            table=first_table(subject, node),
            evidence=numbers(rows_grouped=rows, batches=node.batches, disk_kb=node.disk_kb, self_ms=node.self_ms),
            saving_ms=node.self_ms,
        )


@rule("distinct-fanout", "A", supersedes=("group-temp", "sort-no-index", "sort-spill"))
def distinct_fanout(subject: Subject) -> Iterator[Match]:
    """
    A join multiplies rows that DISTINCT then throws away.

    Not for DISTINCT over one table, and not for joins that find one row each. Without row counts (SQLite) it is info.

    Source: 3 rows for each that is left is our judgement.
    """
    if not subject.plan.analyzed and subject.engine != "sqlite":
        return
    for node in subject.plan.nodes():
        join = _join_below(node) if _drops_duplicates(subject, node) else None
        many = _many(subject, level_of(subject, node)) if join else None
        if join is None or many is None or not node.executed:
            continue
        match = _uncounted(subject, node) if subject.engine == "sqlite" else _counted(subject, node, join)
        if match is None:
            continue
        match.advice = "filter with Exists(...) instead of a join: it makes no duplicates and needs no distinct()"
        match.table = next(iter(level_of(subject, node).tables.values()))
        match.rewrite = (
            f'related = Related.objects.filter({many[1]}=OuterRef("pk"))\n{{table}}.objects.filter(Exists(related))'
        )
        yield match


def _counted(subject: Subject, node: Node, join: Node) -> Match | None:
    joined, left = rows_out(subject, join) or 0, rows_out(subject, node) or 0
    if any(above.kind is Kind.LIMIT for above in subject.ancestors(node)):
        # It ended early, so nobody counted all of them.
        left = max(left, node.est_rows or 0)
    if joined < subject.limits.BIG_ROWS or joined < subject.limits.DISTINCT_FACTOR * left:
        return None
    return Match(
        node=node,
        severity=grade(subject, node.self_ms),
        title=f"{{table}}: {number(joined)} joined rows for {number(left)} distinct ones",
        detail=f"Measured: {joined / max(left, 1):.1f} joined rows for each that DISTINCT leaves.",
        advice="",
        evidence=numbers(rows_joined=joined, rows_distinct=left, elapsed_ms=elapsed(subject, node)),
        saving_ms=node.self_ms,
    )


def _uncounted(subject: Subject, node: Node) -> Match | None:
    rows = whole_rows(subject, node) or 0
    if rows < subject.limits.BIG_ROWS:
        return None
    return Match(
        node=node,
        severity="info",
        title="{table}: joined with many rows each, then made distinct",
        detail=f"SQLite does not say how many rows the join makes of the {number(rows)} it starts from.",
        advice="",
        evidence=numbers(rows_read=rows),
    )


def _drops_duplicates(subject: Subject, node: Node) -> bool:
    """
    Say whether a node is the DISTINCT of its SELECT; where it takes two steps, the upper one.
    """
    level = level_of(subject, node)
    if not _is_dedup(node) or not level.distinct or level.aggregates or level.group_by:
        return False
    above = next((above for above in subject.ancestors(node) if above.kind not in {Kind.GATHER, Kind.SORT}), None)
    return above is None or not _is_dedup(above)


def _is_dedup(node: Node) -> bool:
    # An aggregate without keys counts or sums what is below it.
    return node.kind is Kind.DISTINCT or (node.kind is Kind.AGGREGATE and bool(node.grouping))


def _join_below(node: Node) -> Node | None:
    return next((below for below in own(node) if below.kind in JOINS and below is not node), None)


def _many(subject: Subject, level: Query) -> tuple[str, str] | None:
    """
    Return the table and column of the first join that may find many rows; the tables of a SELECT stand in its order.
    """
    order = list(level.tables)
    for (name, column), (other, _) in compared(level):
        if name not in order or other not in order or order.index(name) < order.index(other):
            continue
        table = level.table_of(name)
        if table and (table not in subject.schema.tables or may_repeat(subject, table, column)):
            return table, column
    return None


@rule("union-dedup", "E")
def union_dedup(subject: Subject) -> Iterator[Match]:
    """
    UNION compares all rows to drop duplicates.

    Not when it drops a tenth or more of them, for recursive queries, and for few rows.

    Source: a judgement; 1,000 rows are worth a line.
    """
    if _RECURSIVE.search(subject.query.sql) or not any(one.union == "distinct" for one in subject.query.levels()):
        return
    for node in subject.plan.nodes():
        branches = _branches(subject, node)
        rows = sum(_rows_of_branch(subject, branch) for branch in branches)
        left = rows_out(subject, node) if subject.plan.analyzed else None
        if not branches or rows < subject.limits.UNION_ROWS or (left or rows) < rows * subject.limits.DISCARD_SHARE:
            continue
        dropped = None if left is None else rows - left
        counted = up_to(rows) if subject.engine == "sqlite" else number(rows)
        yield Match(
            node=node,
            severity="info",
            title=f"{{table}}: UNION compares {counted} rows to drop duplicates",
            detail=f"{counted.capitalize()} rows ({told(subject)}); where the sets cannot overlap, that is for nothing."
            f"{f' Here {number(dropped)} were the same as another.' if dropped else ''}",
            advice="use .union(..., all=True) if the sets are disjoint or duplicates do no harm",
            table=first_table(subject, node),
            evidence=numbers(rows_compared=rows, rows_dropped=dropped, self_ms=node.self_ms),
            rewrite="first.union(second, all=True)",
            saving_ms=node.self_ms,
        )


def _rows_of_branch(subject: Subject, branch: Node) -> float:
    """
    Return the rows of a branch; on SQLite no more than the largest table has that is not asked for one row.
    """
    known = rows_out(subject, branch) or whole_rows(subject, branch)
    if known or subject.engine != "sqlite":
        return known or 0
    return max((size(subject, scan) or 0 for scan in scans(branch) if not finds_one(subject, scan)), default=0)


def _branches(subject: Subject, node: Node) -> list[Node]:
    """
    Return what a node that drops the duplicates of a UNION puts together.
    """
    if not node.executed:
        return []
    if node.kind is Kind.SET_OPERATION:
        return node.children if node.strategy == "dedup" else []
    if node.kind not in _DEDUPING or not node.children:
        return []
    below = through(node.children[0], Kind.GATHER, Kind.SORT, Kind.INCREMENTAL_SORT, Kind.AGGREGATE)
    return below.children if below.kind is Kind.APPEND else []
