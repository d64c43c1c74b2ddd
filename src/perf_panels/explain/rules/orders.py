"""
What a sort is for, by which columns, and the index that has them in order; shared by the rules of sorts and groups.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import IndexNeed
from perf_panels.explain.rules.levels import ASIDE, PASSING, is_border, is_other_select, level_of, scans
from perf_panels.explain.rules.reading import exists, table_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import Subject

    Column = tuple[str | None, str, bool]

SORTS = frozenset({Kind.SORT, Kind.INCREMENTAL_SORT})
_KEY = re.compile(r'\(?(?:["`]?\w+["`]?\.)??(?:["`]?(\w+)["`]?\.)?["`]?(\w+)["`]?\)?(?:\s+(asc|desc))?', re.IGNORECASE)
_RANDOM = re.compile(r"\b(random|rand|newid)\s*\(", re.IGNORECASE)
# What makes rows of its own: no index of a table gives them in another order.
_MADE = frozenset({Kind.AGGREGATE, Kind.DISTINCT, Kind.WINDOW, Kind.SET_OPERATION, Kind.APPEND})


def columns_of(subject: Subject, node: Node, keys: tuple[str, ...]) -> list[Column]:
    """
    Return (table, column, descending) of the keys a plan prints; empty when one of them is not a plain column.
    """
    tables = {name: table_of(subject, scan) for scan in scans(node) for name in (scan.relation, scan.alias) if name}
    only = next(iter(tables.values())) if len(set(tables.values())) == 1 else None
    columns: list[Column] = []
    for key in keys:
        found = _KEY.fullmatch(key.strip())
        if not found:
            return []
        alias, column, direction = found.groups()
        columns.append((tables.get(alias) if alias else only, column, (direction or "").lower() == "desc"))
    return columns


def order_of(subject: Subject, node: Node, level: Query) -> list[Column]:
    """
    Return the columns a node sorts by: as the plan says, else as the statement does.
    """
    if node.sort_keys:
        return columns_of(subject, node, node.sort_keys)
    return [(level.table_of(alias), column, descending) for alias, column, descending in level.order_by]


def equality_columns(level: Query, table: str) -> tuple[str, ...]:
    """
    Return the columns of a table which the filter sets to one value.
    """
    fixed = (
        part.column
        for part in level.where
        if part.column
        and part.operator in {"eq", "null", "true", "false"}
        and not part.wrapped
        and level.table_of(part.table) == table
    )
    return tuple(dict.fromkeys(fixed))


def index_for(subject: Subject, level: Query, columns: Iterable[Column]) -> IndexNeed | None:
    """
    Return the index that gives rows in this order: None if it exists, or if the columns are not of one table.
    """
    columns = list(columns)
    table = columns[0][0] if columns else None
    if table is None or any(of != table for of, _, _ in columns):
        return None
    known = subject.schema.table(table)
    unique = {index.columns for index in known.indexes if index.unique} if known else set()
    equality = equality_columns(level, table)
    order: dict[str, bool] = {}
    for _, column, descending in columns:
        if column not in equality:
            order.setdefault(column, descending)
        if (column,) in unique:
            # Nothing after a unique column can change the order.
            break
    made = not all(exists(subject, table, column) for column in order)
    if not order or made or (known and known.led_by(*equality, *order)):
        return None
    return IndexNeed(table=table, equality=equality, order=tuple(order.items()))


def needed_by(subject: Subject, node: Node) -> Kind | None:
    """
    Return the kind of node that needs a sort's order, LIMIT too; None when it is the ORDER BY of its SELECT.
    """
    below = node
    for above in subject.ancestors(node):
        if below.relationship in ASIDE:
            return None
        if above.kind in PASSING or above.kind in SORTS:
            below = above
            continue
        if subject.engine == "sqlite" and above.kind is Kind.MATERIALIZE and level_of(subject, node).has_window:
            return Kind.WINDOW
        return None if is_other_select(above) else above.kind
    return None


def wanted_rows(subject: Subject, node: Node, level: Query) -> float | None:
    """
    Return how many of the sorted rows are asked for; None when it is all of them.
    """
    if node.limit:
        return node.limit
    for above in subject.ancestors(node):
        if above.kind is Kind.LIMIT:
            return above.limit or level.limit or above.act_rows or above.est_rows
        if above.kind not in PASSING:
            break
    return None if level.limit is None else level.limit + (level.offset or 0)


def by_made_values(subject: Subject, node: Node, level: Query) -> bool:
    """
    Say whether a sort is by the value of a subquery, or another that no table has as a column.
    """
    if any("SubPlan" in key for key in node.sort_keys):
        return True
    return any(table and not exists(subject, table, column) for table, column, _ in order_of(subject, node, level))


def of_made_rows(node: Node) -> bool:
    """
    Say whether the rows that are sorted were made by a group, a window or a UNION just below.
    """
    below = node
    while len(below.children) == 1:
        below = below.children[0]
        if below.kind in _MADE:
            return True
        if below.kind not in PASSING and not is_border(below):
            return False
    return False


def is_random(node: Node, level: Query) -> bool:
    """
    Say whether a sort is that of ``order_by("?")``.
    """
    return any(_RANDOM.search(key) for key in node.sort_keys) if node.sort_keys else level.random_order
