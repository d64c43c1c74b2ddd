"""
What is known of the database besides a plan: its tables, their sizes, columns and indexes.

``databases`` fill it from a live server, ``load`` from a file for ``manage.py explain_plan``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from perf_panels.explain.definitions import read_index, read_table

COUNTED_TO = 10_000
"""Where a table's size is not known, its rows are counted so far and one more."""


class MoreThan(float):
    """
    A number of rows that is exceeded: somebody stopped counting there. So is what is made of it.
    """

    def __add__(self, other: float) -> MoreThan:
        return MoreThan(float(self) + other)

    def __mul__(self, other: float) -> MoreThan:
        return MoreThan(float(self) * other)

    def __truediv__(self, other: float) -> MoreThan:
        return MoreThan(float(self) / other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __round__(self, _digits: Any = None) -> Any:
        return self


def counted(rows: float) -> float:
    """
    Return a count that ended one after ``COUNTED_TO`` as what it says.
    """
    return MoreThan(COUNTED_TO) if rows > COUNTED_TO else float(rows)


@dataclass(frozen=True)
class Index:
    """
    An index as the database has it. ``columns`` has plain names in order; a part that is an expression is ``""`` there
    and stands in ``expressions`` under its position.
    """

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    primary: bool = False
    method: str = "btree"
    condition: str | None = None
    """Of a partial index."""
    expressions: dict[int, str] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    opclasses: tuple[str, ...] = ()
    """By position, ``""`` for the default."""

    def leads_with(self, *columns: str, sought: bool = False) -> bool:
        """
        Say whether the index starts with these columns, in this order, and holds every row.

        One without an order, such as a full-text index or BRIN, starts with none; a hash finds the rows of one value,
        which is enough where they are only ``sought``.
        """
        if self.condition or not (self.method == "btree" or (sought and self.method == "hash")):
            return False
        return columns == (self.columns[: len(columns)] if self.method == "btree" else self.columns)


@dataclass
class Table:
    """
    ``rows`` is None when nobody knows; ``analysed`` is False when the planner never got statistics, None if unknown.
    """

    name: str
    rows: float | None = None
    columns: dict[str, str] = field(default_factory=dict)
    """Name to type, as the database spells it."""
    indexes: list[Index] = field(default_factory=list)
    analysed: bool | None = None
    modified_since_analyze: float | None = None
    """Rows changed since the statistics were made."""
    size_bytes: int | None = None
    engine: str | None = None
    """Of MySQL and MariaDB: InnoDB, MyISAM, Aria."""

    def led_by(self, *columns: str, sought: bool = False) -> list[Index]:
        """
        Return the whole-table indexes that start with these columns.
        """
        return [index for index in self.indexes if index.leads_with(*columns, sought=sought)]


@dataclass
class Schema:
    """
    Tables by name, without schema and quotes. An unknown table is simply not in it: ask with ``table``.
    """

    version: str = ""
    tables: dict[str, Table] = field(default_factory=dict)

    def table(self, name: str | None) -> Table | None:
        return self.tables.get(name) if name else None

    def rows(self, name: str | None) -> float | None:
        table = self.table(name)
        return table.rows if table else None


def load(data: dict[str, Any], engine: str) -> Schema:
    """
    Return the schema of a ``--schema`` file. Raises ``ValueError`` with what is wrong when it is not one.
    """
    # It needs the classes above.
    from perf_panels.explain.schema_file import load_schema

    return load_schema(data, engine)


def index_from_postgresql(definition: str, *, primary: bool = False) -> Index:
    """
    Return the index of a ``pg_get_indexdef``. Raises ``ValueError`` when it is not one.
    """
    return _index(definition, primary=primary)


def index_from_sqlite(sql: str) -> Index:
    """
    Return the index of a CREATE INDEX of ``sqlite_master``. Raises ``ValueError`` when it is not one. The indexes that
    have no SQL come from their table's: ``indexes_of_sqlite_table``.
    """
    return _index(sql)


def indexes_of_sqlite_table(name: str, sql: str) -> list[Index]:
    """
    Return what a CREATE TABLE of ``sqlite_master`` makes for its keys: ``sqlite_autoindex_<table>_<n>`` in order, and
    first the rowid, as an index without a name of its own, ``INTEGER PRIMARY KEY`` as plans call it.
    """
    parts = read_table(sql)
    found = [Index("INTEGER PRIMARY KEY", (parts.rowid,), unique=True, primary=True)] if parts.rowid else []
    for number, columns in enumerate(parts.keys, start=1):
        primary = columns == parts.primary
        found.append(Index(f"sqlite_autoindex_{name}_{number}", columns, unique=True, primary=primary))
    return found


def columns_of_sqlite_table(sql: str) -> dict[str, str]:
    """
    Return the columns of a CREATE TABLE of ``sqlite_master`` with their types.
    """
    return read_table(sql).columns


def _index(definition: str, *, primary: bool = False) -> Index:
    parts = read_index(definition)
    return Index(
        parts.name,
        tuple(key.column for key in parts.keys),
        unique=parts.unique,
        primary=primary,
        method=parts.method,
        condition=parts.condition,
        expressions={position: key.expression for position, key in enumerate(parts.keys) if not key.column},
        include=parts.include,
        opclasses=tuple(key.opclass for key in parts.keys),
    )
