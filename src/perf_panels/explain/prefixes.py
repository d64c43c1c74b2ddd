"""
Columns that MySQL and MariaDB index by their first characters only (error 1170), and what no index of them can do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf_panels.explain.rules.base import IndexNeed
    from perf_panels.explain.schema import Table

_ENGINES = frozenset({"mysql", "mariadb"})
_LONG = re.compile(r"(tiny|medium|long)?(text|blob)\b", re.IGNORECASE)
_LENGTH = "(100)"
"""Enough to tell most texts apart, and four such columns fit into InnoDB's 3,072 bytes."""
_GIVES_TEXT = frozenset(
    {"concat", "coalesce", "lcase", "left", "lower", "ltrim", "replace", "right", "rtrim", "substr", "substring"}
    | {"trim", "ucase", "upper"}
)


def obstacle(need: IndexNeed, table: Table | None, engine: str) -> str | None:
    """
    Return why the server cannot make any index for a need, as a sentence; None when it can.
    """
    if table is None or engine not in _ENGINES:
        return None
    columns = {*need.equality, need.range_ or "", *(column for column, _ in need.order)}
    columns |= {column for column, _, _ in need.condition}
    if any(table.columns.get(column, "").lower() == "json" for column in columns):
        return "MySQL has no index of a JSON column: keep what is compared in a column of its own, and index that."
    long = {column for column in table.columns if _is_long(table, column)}
    if not long.isdisjoint(column for column, _ in need.order):
        return "MySQL and MariaDB index a long text by its first characters only, which gives no order."
    if need.expression and need.wrapped and need.wrapped[0] in _GIVES_TEXT and need.wrapped[1] in long:
        return "MySQL has no index of an expression that gives a long text: keep it in a shorter column instead."
    return None


def lengths(need: IndexNeed, table: Table | None, engine: str) -> dict[str, str]:
    """
    Return how much of a column the index has, as SQL, for those it cannot have whole.
    """
    if table is None or engine not in _ENGINES:
        return {}
    return {column: _LENGTH for column in (*need.equality, need.range_) if column and _is_long(table, column)}


def _is_long(table: Table, column: str) -> bool:
    return bool(_LONG.match(table.columns.get(column, "")))
