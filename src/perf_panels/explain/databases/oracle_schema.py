"""
What Oracle's USER_ views say of the tables of the user's own schema.
"""

from __future__ import annotations

from typing import Any

from perf_panels.explain.schema import Index, Schema, Table

_TABLES = "SELECT table_name, num_rows, last_analyzed FROM user_tables WHERE table_name IN ({})"
_COLUMNS = "SELECT table_name, column_name, data_type FROM user_tab_columns WHERE table_name IN ({}) ORDER BY column_id"
_INDEXES = (
    "SELECT i.table_name, i.index_name, i.uniqueness, c.column_name FROM user_indexes i"
    " JOIN user_ind_columns c ON c.index_name = i.index_name WHERE i.table_name IN ({})"
    " ORDER BY i.table_name, i.index_name, c.column_position"
)


def read(cursor: Any, names: list[str]) -> Schema:
    """
    Return what is known of these tables.
    """
    schema = Schema(version=version(cursor))
    wanted = sorted({name.upper() for name in names})
    if not wanted:
        return schema
    for name, count, analysed in _all(cursor, _TABLES, wanted):
        rows = None if count is None else float(count)
        schema.tables[name] = Table(name, rows=rows, analysed=analysed is not None)
    for name, column, kind in _all(cursor, _COLUMNS, wanted):
        if name in schema.tables:
            schema.tables[name].columns[column] = kind
    parts: dict[tuple[str, str, bool], list[str]] = {}
    for name, index, uniqueness, column in _all(cursor, _INDEXES, wanted):
        parts.setdefault((name, index, uniqueness == "UNIQUE"), []).append(column)
    for (name, index, unique), columns in parts.items():
        # SYS_NC… are the hidden columns of expressions.
        expressions = {place: column for place, column in enumerate(columns) if column.startswith("SYS_NC")}
        plain = tuple("" if column.startswith("SYS_NC") else column for column in columns)
        if name in schema.tables:
            schema.tables[name].indexes.append(Index(index, plain, unique=unique, expressions=expressions))
    return schema


def version(cursor: Any) -> str:
    """
    Return the server's version, as its first component says it.
    """
    cursor.execute("SELECT version FROM product_component_version WHERE ROWNUM = 1")
    return str(cursor.fetchone()[0])


def _all(cursor: Any, sql: str, names: list[str]) -> list[Any]:
    cursor.execute(sql.replace("{}", ", ".join(["%s"] * len(names))), names)
    return list(cursor.fetchall())
