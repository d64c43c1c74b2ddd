"""
What a statement says, read from its text: what kind it is, its tables, conditions, order, limits. Made by sqlglot.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf_panels.explain.conditions import Predicate


@dataclass
class Query:
    """
    One query level (subqueries in ``subqueries``). When the text could not be read, ``readable`` is False and only
    ``kind`` is known.
    """

    sql: str
    engine: str
    readable: bool = False
    kind: str = ""
    """SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES …"""
    tables: dict[str, str] = field(default_factory=dict)
    """Alias (or name) to table name, of this level; derived tables are not in it, views are."""
    derived: set[str] = field(default_factory=set)
    """Names under which this level reads what is no table: derived tables, CTEs, functions."""
    where: list[Predicate] = field(default_factory=list)
    joins: list[Predicate] = field(default_factory=list)
    """All ON conditions."""
    group_by: tuple[tuple[str | None, str], ...] = ()
    """(table or alias as written, column), plain columns only."""
    order_by: tuple[tuple[str | None, str, bool], ...] = ()
    """(table or alias, column, descending), plain columns only, up to the first that is not one."""
    order_terms: int = 0
    """Of ORDER BY, those that are no plain columns too."""
    random_order: bool = False
    distinct: bool = False
    aggregates: tuple[str, ...] = ()
    """Names in lower case of aggregate functions of the select list; only those make it ``min_max_only``."""
    union: str | None = None
    """``all`` or ``distinct`` when it is a UNION; the branches are in ``subqueries``."""
    limit: int | None = None
    offset: int | None = None
    has_window: bool = False
    for_update: bool = False
    select_columns: int = 0
    """Of the select list; 0 with a ``*``, which nobody counted."""
    subqueries: list[Query] = field(default_factory=list)
    name: str | None = None
    """Of a derived table or CTE, in its outer query."""

    def table_of(self, alias: str | None) -> str | None:
        """
        Return the table behind an alias; with None, the only table of this level if there is one.
        """
        if alias is None:
            return next(iter(self.tables.values())) if len(self.tables) == 1 else None
        return self.tables.get(alias, alias if alias in self.tables.values() else None)

    def derived_names(self) -> set[str]:
        """
        Return the names, of all levels, of derived tables, CTEs and functions, unless a table has the same one.
        """
        levels = self.levels()
        named = {level.name for level in levels if level.name}.union(*(level.derived for level in levels))
        return named.difference(*(level.tables for level in levels))

    def levels(self) -> list[Query]:
        """
        Return this level and all below it.
        """
        return [self, *(level for subquery in self.subqueries for level in subquery.levels())]


@lru_cache(maxsize=256)
def read(sql: str, engine: str) -> Query:
    """
    Return what ``sql`` says; ``%s``, ``?``, ``$1`` and ``:name`` placeholders are read as parameters. Never raises.

    The same object is given for the same text: do not change it.
    """
    from perf_panels.explain.levels import first_word, read_statement

    try:
        return read_statement(sql, engine)
    except Exception:  # noqa: BLE001 - people write SQL that sqlglot cannot read, and it raises many things
        return Query(sql, engine, kind=first_word(sql, engine))
