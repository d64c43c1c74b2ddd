"""
What the information_schema of MySQL and MariaDB says of tables, and of which kind the tables of a statement are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf_panels.explain.schema import COUNTED_TO, Index, Schema, Table, counted

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNT_BELOW = 10_000
"""A table that is estimated smaller is counted, as the estimate of a small one is often far off."""

_TABLES = (
    "SELECT table_name, table_rows, data_length + index_length, engine FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name IN ({})"
)
_COLUMNS = (
    "SELECT table_name, column_name, column_type FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name IN ({}) ORDER BY table_name, ordinal_position"
)
_INDEXES = (
    "SELECT table_name, index_name, column_name, non_unique, index_type, {expression}"
    " FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name IN ({})"
    " ORDER BY table_name, index_name <> 'PRIMARY', index_name, seq_in_index"
)


def read(connection: Any, cursor: Any, names: list[str]) -> Schema:
    """
    Return what is known of the tables of the current database.
    """
    cursor.execute("SELECT VERSION()")
    schema = Schema(version=str(cursor.fetchone()[0]))
    if not names:
        return schema
    for name, rows, size, engine in _all(cursor, _TABLES, names):
        known = None if rows is None else float(rows)
        schema.tables[name] = Table(name, rows=known, size_bytes=None if size is None else int(size), engine=engine)
    for name, column, kind in _all(cursor, _COLUMNS, names):
        if name in schema.tables:
            schema.tables[name].columns[column] = kind
    # Only MySQL has indexes on expressions, and the column that tells of them.
    expression = "NULL" if connection.mysql_is_mariadb or connection.mysql_version < (8, 0, 13) else "expression"
    _add_indexes(schema, _all(cursor, _INDEXES.replace("{expression}", expression), names))
    for table in schema.tables.values():
        if table.rows is None or table.rows < COUNT_BELOW:
            table.rows = _count(connection, cursor, table)
    return schema


def tables_named(cursor: Any, names: Iterable[str]) -> list[tuple[str, str, str]]:
    """
    Return name, kind and storage engine of every table or view that one of these names may mean.
    """
    wanted = sorted(names)
    if not wanted:
        return []
    marks = ", ".join(["%s"] * len(wanted))
    cursor.execute(
        "SELECT table_name, table_type, engine FROM information_schema.tables"  # noqa: S608 - placeholders only
        f" WHERE table_name IN ({marks}) AND (table_schema = DATABASE() OR table_schema IN ({marks}))",
        [*wanted, *wanted],
    )
    return [(str(name), str(kind), str(engine)) for name, kind, engine in cursor.fetchall()]


def triggers_of(cursor: Any, tables: list[str]) -> list[str]:
    """
    Return the names of the triggers of these tables.
    """
    found = _all(
        cursor, "SELECT trigger_name FROM information_schema.triggers WHERE event_object_table IN ({})", tables
    )
    return [str(name) for (name,) in found]


def _all(cursor: Any, sql: str, names: list[str]) -> list[Any]:
    cursor.execute(sql.replace("{}", ", ".join(["%s"] * len(names))), names)
    return list(cursor.fetchall())


def _add_indexes(schema: Schema, found: list[Any]) -> None:
    parts: dict[tuple[str, str], list[Any]] = {}
    for table, index, *part in found:
        parts.setdefault((table, index), []).append(part)
    for (table, name), columns in parts.items():
        if table not in schema.tables:
            continue
        expressions = {place: str(part[3]) for place, part in enumerate(columns) if part[0] is None}
        index = Index(
            name, tuple(part[0] or "" for part in columns), unique=not int(columns[0][1]), primary=name == "PRIMARY",
            method=str(columns[0][2]).lower(), expressions=expressions,
        )  # fmt: skip
        schema.tables[table].indexes.append(index)


def _count(connection: Any, cursor: Any, table: Table) -> float | None:
    name = connection.ops.quote_name(table.name)
    try:
        cursor.execute(f"SELECT COUNT(*) FROM (SELECT 1 FROM {name} LIMIT {COUNTED_TO + 1}) counted")  # noqa: S608 - quoted
        return counted(cursor.fetchone()[0])
    except connection.Database.Error:
        return table.rows
