"""
From the conditions of a read to the index that would answer them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.rules.base import IndexNeed
from perf_panels.explain.rules.reading import exists, level_of, names_of, same_column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perf_panels.explain.conditions import Predicate
    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject
    from perf_panels.explain.schema import Index, Table

EQUALITY = frozenset({"eq", "in", "null", "true", "false", "join"})

_CHOICE = re.compile(r"[A-Za-z][A-Za-z _-]{0,29}")


def is_choice(value: object) -> bool:
    """
    Say whether a value reads like one of few: "pending" or "In progress", but no number, date, address, UUID or code.
    """
    return isinstance(value, bool) or (isinstance(value, str) and bool(_CHOICE.fullmatch(value)))


def finds_few(part: Predicate) -> bool:
    """
    Say whether a condition is one by which people look up a few rows: equal to an id, a number, a code.
    """
    values = part.value if isinstance(part.value, tuple) else (part.value,)
    return part.operator in {"eq", "in", "join"} and not any(is_choice(value) for value in values)


def seeks(part: Predicate) -> str | None:
    """
    Return the column by which an index finds the rows of a condition: equal to something, or in a range.
    """
    if part.operator == "or":
        return same_column(part) if all(seeks(inner) for branch in part.parts for inner in branch) else None
    if part.wrapped or part.negated:
        return None
    return part.column if part.operator in EQUALITY or ranges(part) else None


def ranges(part: Predicate) -> bool:
    """
    Say whether a condition is a range of its column; the start of a text is one, and so is all that is not NULL.
    """
    return part.operator in {"range", "not-null"} or (part.operator == "like" and begins(part) is not None)


def begins(part: Predicate) -> str | None:
    """
    Return the text before the first wildcard of a LIKE; None when there is none or the pattern is not known.
    """
    pattern = part.value
    if not isinstance(pattern, str) or pattern[:1] in {"", "%", "_"}:
        return None
    return pattern.split("%")[0]


def columns_of(conditions: Iterable[Predicate]) -> tuple[str, ...]:
    """
    Return the columns an index could seek, equalities first, each once.
    """
    found = [(part.operator not in EQUALITY, column) for part in conditions if (column := seeks(part))]
    return tuple(dict.fromkeys(column for _, column in sorted(found, key=lambda pair: pair[0])))


def index_for(subject: Subject, node: Node, table: str, conditions: Iterable[Predicate]) -> IndexNeed | None:
    """
    Return the index that seeks all these conditions: equalities, then one range, or else the order asked for.
    """
    conditions = list(conditions)
    # Columns of few values go last, so that the index serves other statements as well.
    conditions.sort(key=lambda part: part.operator in {"null", "not-null", "true", "false"})
    equality = [column for part in conditions if (column := seeks(part)) and not ranges(part)]
    ordered = [column for part in conditions if (column := seeks(part)) and ranges(part) and column not in equality]
    equality = [column for column in dict.fromkeys(equality) if exists(subject, table, column)]
    range_ = next((column for column in ordered if exists(subject, table, column)), None)
    if not equality and range_ is None:
        return None
    likes = any(part.operator == "like" and part.column == range_ for part in conditions)
    order = () if range_ or any(part.operator in {"in", "or"} for part in conditions) else order_of(subject, node)
    return IndexNeed(
        table,
        tuple(equality),
        range_,
        tuple(pair for pair in order if pair[0] not in equality),
        opclass=like_opclass(subject, table, range_) if likes else None,
    )


def order_of(subject: Subject, node: Node) -> tuple[tuple[str, bool], ...]:
    """
    Return the ORDER BY of the node's level when all of it is of the node's table.
    """
    level = level_of(subject, node)
    if level is None or level.group_by or level.aggregates:
        return ()
    names = {*names_of(node), *((None,) if len(level.tables) == 1 else ())}
    if any(table not in names for table, _, _ in level.order_by):
        return ()
    return tuple((column, descending) for _, column, descending in level.order_by)


def like_opclass(subject: Subject, table: str, column: str | None) -> str | None:
    """
    Return the operator class with which PostgreSQL's index answers LIKE in any collation; None for other engines.
    """
    if subject.engine != "postgresql":
        return None
    known = subject.schema.table(table)
    kind = known.columns.get(column or "", "") if known else ""
    return "text_pattern_ops" if kind == "text" else "varchar_pattern_ops"


def covered(subject: Subject, need: IndexNeed) -> bool:
    """
    Say whether an index that starts with these columns is there already, equalities in any order.
    """
    table = subject.schema.table(need.table)
    if table is None or need.opclass:
        return False
    size = len(need.equality)
    tail = ((need.range_,) if need.range_ else ()) + tuple(column for column, _ in need.order)
    methods = {"btree"} if tail or size > 1 else {"btree", "hash"}
    for index in table.indexes:
        columns = index.columns + _appended(subject, table, index)
        searched, rest = set(columns[:size]), columns[size : size + len(tail)]
        if not index.condition and index.method in methods and searched == set(need.equality) and rest == tail:
            return True
    return False


def _appended(subject: Subject, table: Table, index: Index) -> tuple[str, ...]:
    """
    Return the columns of the primary key that InnoDB and SQLite keep at the end of every other index.
    """
    if subject.engine not in {"mysql", "mariadb", "sqlite"} or index.primary:
        return ()
    primary = next((other.columns for other in table.indexes if other.primary), ())
    return tuple(column for column in primary if column not in index.columns)
