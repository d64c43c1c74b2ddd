"""
What sqlite_master and sqlite_stat1 say of tables; one that was never analysed is counted up to a limit.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from perf_panels.explain.databases.connections import rows
from perf_panels.explain.schema import (
    COUNTED_TO,
    Schema,
    Table,
    columns_of_sqlite_table,
    counted,
    index_from_sqlite,
    indexes_of_sqlite_table,
)


def read(connection: Any, names: list[str]) -> Schema:
    """
    Return what is known of the tables of the main database.
    """
    schema = Schema(version=str(connection.Database.sqlite_version))
    wanted = {name.lower() for name in names}
    for name, sql in rows(connection, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"):
        if name.lower() not in wanted:
            continue
        table = schema.tables[name] = Table(name)
        with suppress(ValueError):
            table.columns = columns_of_sqlite_table(sql)
            table.indexes = indexes_of_sqlite_table(name, sql)
        table.columns = table.columns or _columns(connection, name)
        for (index_sql,) in rows(
            connection, "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql > ''", [name]
        ):
            with suppress(ValueError):
                table.indexes.append(index_from_sqlite(index_sql))
        known = statistics(connection).get(name)
        table.analysed = known is not None
        table.rows = known if known is not None else _count(connection, name)
    return schema


def statistics(connection: Any) -> dict[str, float]:
    """
    Return the rows of each table that ANALYZE has counted.
    """
    if not rows(connection, "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'"):
        return {}
    # A partial index counts only its own rows, so the largest number is the table's.
    found: dict[str, float] = {}
    for table, stat in rows(connection, "SELECT tbl, stat FROM sqlite_stat1 WHERE stat IS NOT NULL"):
        number = str(stat).partition(" ")[0]
        if number.isdecimal():
            found[table] = max(float(number), found.get(table, 0.0))
    return found


def _columns(connection: Any, name: str) -> dict[str, str]:
    return {
        str(column): str(kind)
        for column, kind in rows(connection, "SELECT name, type FROM pragma_table_info(%s)", [name])
    }


def _count(connection: Any, name: str) -> float | None:
    table = connection.ops.quote_name(name)
    with suppress(connection.Database.Error):
        ((count,),) = rows(connection, f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {COUNTED_TO + 1})")  # noqa: S608 - quoted
        return counted(count)
    return None
