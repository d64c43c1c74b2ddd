"""
What rules ask of a plan again and again: whose table a node reads, under which conditions, below which LIMIT.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from perf_panels.explain.conditions import PARAMETER, Predicate, predicates
from perf_panels.explain.plan import TABLE_SCANS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import Subject

STOPS = frozenset(
    {
        Kind.SORT,
        Kind.INCREMENTAL_SORT,
        Kind.AGGREGATE,
        Kind.DISTINCT,
        Kind.HASH,
        Kind.MATERIALIZE,
        Kind.WINDOW,
        Kind.MODIFY,
    }
)
"""Nodes that read all their rows whatever LIMIT stands above."""
OTHER_LEVEL = frozenset({"subplan", "initplan", "subquery"})
STORED = frozenset({Kind.MATERIALIZE, Kind.MEMOIZE, Kind.HASH, Kind.SORT})


def parts_of(condition: str | None, engine: str) -> list[Predicate]:
    """
    Return the parts of a node's condition, none if it has no condition.
    """
    return predicates(condition, engine) if condition else []


def table_of(subject: Subject, node: Node) -> str | None:
    """
    Return the table a node reads, also where the plan has its alias only; None for what no index can help.
    """
    if node.derived or node.kind is Kind.TABLE_FUNCTION:
        return None
    if node.relation is None or node.relation in subject.schema.tables:
        return node.relation
    level = level_of(subject, node)
    return (level.table_of(node.relation) if level else None) or node.relation


def names_of(node: Node) -> set[str]:
    return {name for name in (node.alias, node.relation) if name}


def level_of(subject: Subject, node: Node) -> Query | None:
    """
    Return the level of the statement that reads this node's table; of several the one at the same place in the plan.
    """
    names = names_of(node)
    # The table of an INSERT is written, not read.
    read = [level for level in subject.query.levels() if level.kind != "INSERT"]
    levels = [level for level in read if names & set(level.tables) or node.relation in level.tables.values()]
    if len(levels) < 2:
        return levels[0] if levels else _level_of_view(subject, node, read)
    twins = [other for other in subject.plan.nodes() if other.kind in TABLE_SCANS and names & names_of(other)]
    place = next((position for position, other in enumerate(twins) if other is node), 0)
    return levels[min(place, len(levels) - 1)]


def _level_of_view(subject: Subject, node: Node, levels: list[Query]) -> Query | None:
    """
    Return the level that reads this node's table by a view: the only one with one table, which is none of the schema.
    """
    if not subject.schema.table(node.relation):
        return None
    through_view = [level for level in levels if len(level.tables) == 1 and _is_view(subject, level)]
    return through_view[0] if len(through_view) == 1 else None


def _is_view(subject: Subject, level: Query) -> bool:
    return not set(level.tables.values()) & set(subject.schema.tables)


def whole(node: Node) -> bool:
    """
    Say whether a node reads a whole table, or a whole index, to find its rows.
    """
    if node.kind is Kind.SCAN:
        return True
    return node.kind in {Kind.INDEX_SCAN, Kind.INDEX_ONLY_SCAN} and node.index_cond is None


def conditions_on(subject: Subject, node: Node) -> list[Predicate]:
    """
    Return the conditions a node checks row by row, each with the column of its own table in ``column``.

    SQLite has them in the statement only: there a comparison with a table counts if that table was read before.
    """
    found = parts_of(node.filter, subject.engine)
    if found or subject.engine != "sqlite":
        return [part for part in _turned(subject, node, found) if not _added(subject, node, part)]
    level = level_of(subject, node)
    if level is None or not whole(node):
        return []
    later = _read_later(subject, node, level)
    conditions = (part for part in (*level.where, *level.joins) if _known(part, later))
    answered = _of_partial_index(subject, node)
    return [
        part
        for part in _turned(subject, node, conditions)
        if _belongs(subject, node, part, level) and (part.column is None or part.column not in answered)
    ]


def _of_partial_index(subject: Subject, node: Node) -> set[str | None]:
    """
    Return the columns of a partial index's condition: who reads the index, reads rows that meet it.
    """
    table = subject.schema.table(table_of(subject, node))
    index = next((index for index in table.indexes if index.name == node.index), None) if table and node.index else None
    return {part.column for part in flattened(parts_of(index.condition, subject.engine))} if index else set()


def _added(subject: Subject, node: Node, part: Predicate) -> bool:
    """
    Say whether MySQL or MariaDB added a test for NULL that the statement does not have, for the sake of a join.
    """
    if part.operator != "not-null" or subject.engine not in {"mysql", "mariadb"}:
        return False
    level = level_of(subject, node)
    written = [*level.where, *level.joins] if level else []
    return level is not None and not any(
        other.operator == "not-null" and other.column == part.column for other in flattened(written)
    )


def _turned(subject: Subject, node: Node, found: Iterable[Predicate]) -> Iterator[Predicate]:
    names = names_of(node)
    for part in found:
        if part.operator == "join" and part.table not in names and part.other_table in names:
            yield replace(
                part,
                table=part.other_table,
                column=part.other_column,
                other_table=part.table,
                other_column=part.column,
            )
        else:
            yield part


def _belongs(subject: Subject, node: Node, part: Predicate, level: Query) -> bool:
    if part.operator == "or":
        return all(_belongs(subject, node, inner, level) for branch in part.parts for inner in branch)
    table = subject.schema.table(table_of(subject, node))
    if part.table is not None and not _is_view(subject, level):
        return part.table in names_of(node)
    return part.column is not None and (len(level.tables) == 1 or bool(table and part.column in table.columns))


def _answered(subject: Subject, node: Node, part: Predicate) -> bool:
    """
    Say whether the partial index that is walked has the rows of this condition alone.
    """
    known = subject.schema.table(table_of(subject, node))
    index = next((index for index in known.indexes if index.name == node.index), None) if known else None
    held = parts_of(index.condition, subject.engine) if index else []
    return any((part.operator, part.column) == (other.operator, other.column) for other in held)


def _read_later(subject: Subject, node: Node, level: Query) -> set[str]:
    later = set(level.tables)
    for other in subject.plan.nodes():
        if other is node:
            break
        later -= names_of(other)
    return later - names_of(node)


def _known(part: Predicate, later: set[str]) -> bool:
    return part.operator != "join" or not {part.table, part.other_table} & later


def flattened(conditions: list[Predicate]) -> Iterator[Predicate]:
    """
    Yield the conditions and those in the branches of an OR.
    """
    for part in conditions:
        if part.operator == "or":
            for branch in part.parts:
                yield from flattened(list(branch))
        else:
            yield part


def same_column(part: Predicate) -> str | None:
    """
    Return the one bare column that all branches of an OR compare: then it is an IN, not an OR.
    """
    columns = {inner.column if not inner.wrapped else None for inner in flattened([part])}
    return columns.pop() if len(columns) == 1 else None


def from_subquery(subject: Subject, part: Predicate) -> bool:
    """
    Say whether a condition waits for a subquery's value, which a plan may print as a parameter.
    """
    if part.operator == "subplan":
        return True
    printed = subject.engine == "postgresql" and part.value is PARAMETER
    return printed and any(node.relationship == "initplan" for node in subject.plan.nodes())


def stops_early(subject: Subject, node: Node) -> bool:
    """
    Say whether a LIMIT of the node's own query level may end it before the last row.
    """
    if node.relationship in OTHER_LEVEL:
        return False
    for above in subject.ancestors(node):
        if above.kind is Kind.LIMIT:
            return True
        if above.kind in STOPS or above.relationship in OTHER_LEVEL or above.kind is Kind.SUBQUERY:
            return False
    level = level_of(subject, node)
    if level is None or level.limit is None:
        return False
    return not (level.group_by or level.aggregates or level.distinct or level.has_window)


def indexed(subject: Subject, table: str | None, column: str | None, *, sought: bool = True) -> bool:
    """
    Say whether an index of the whole table starts with this column, or finds the rows of one value where they are
    ``sought`` and not a range of them.
    """
    known = subject.schema.table(table)
    return bool(known and column and known.led_by(column, sought=sought))


def exists(subject: Subject, table: str | None, column: str) -> bool:
    """
    Say whether a column is one of the table, as far as the table is known.
    """
    known = subject.schema.table(table)
    return known is None or not known.columns or column in known.columns


def through(node: Node, *kinds: Kind) -> Node:
    """
    Return the first node below that is not of these kinds, following single children.
    """
    while node.kind in kinds and len(node.children) == 1:
        node = node.children[0]
    return node


def processes(subject: Subject, node: Node) -> float:
    """
    Return how many processes ran a node at the same time.
    """
    if not node.parallel:
        return 1
    gather = next((above for above in subject.ancestors(node) if above.kind is Kind.GATHER), None)
    if gather is None:
        return 1
    workers = gather.workers_launched if gather.workers_launched is not None else gather.workers_planned
    return (workers or 0) + 1


def _shared_out(node: Node) -> bool:
    """
    Say whether each process has a part of a node's rows: that of its outer child.
    """
    return "Parallel" in node.label or (bool(node.children) and _shared_out(node.children[0]))


def estimated_rows(subject: Subject, node: Node) -> float | None:
    """
    Return the rows a node was expected to give in one pass, those of all processes together.
    """
    if node.est_rows is None or not node.parallel or not _shared_out(node):
        return node.est_rows
    workers = processes(subject, node) - 1
    # PostgreSQL divides by the workers and what the leader has time for: parallel_divisor in costsize.c.
    return node.est_rows * (workers + max(0.0, 1 - 0.3 * workers))
