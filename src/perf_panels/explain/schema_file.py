"""
The file of ``manage.py explain_plan --schema``: tables, sizes and indexes as a server's own catalogue has them.
"""

from __future__ import annotations

from typing import Any

from perf_panels.explain.schema import (
    Index,
    Schema,
    Table,
    columns_of_sqlite_table,
    index_from_postgresql,
    index_from_sqlite,
    indexes_of_sqlite_table,
)


def load_schema(data: Any, engine: str) -> Schema:
    """
    Return the schema of a file. Raises ``ValueError`` with what is wrong when it is not one.
    """
    tables = data.get("tables") if isinstance(data, dict) else None
    if not isinstance(tables, dict):
        raise ValueError('A schema is an object with the key "tables", an object of tables by name.')  # noqa: TRY004 - one kind of error for a wrong file
    version = str(data.get("server_version") or data.get("sqlite_version") or data.get("version") or "")
    schema = Schema(version)
    for name, entry in tables.items():
        if not isinstance(entry, dict):
            raise ValueError(f'The table "{name}" is not an object.')  # noqa: TRY004 - one kind of error for a wrong file
        schema.tables[name] = _table(name, entry, engine)
    if engine == "sqlite":
        _note_statistics(schema, data.get("sqlite_stat1"))
    return schema


def _table(name: str, entry: dict[str, Any], engine: str) -> Table:
    columns = _object(name, entry, "columns")
    if not columns and isinstance(entry.get("sql"), str):
        columns = columns_of_sqlite_table(entry["sql"])
    size = _number(name, entry, "size_bytes")
    return Table(
        name,
        _rows(name, entry),
        {column: str(type_) for column, type_ in columns.items()},
        _indexes(name, entry, engine),
        _analysed(name, entry),
        _modified(name, entry),
        None if size is None else int(size),
        entry.get("engine"),
    )


def _rows(name: str, entry: dict[str, Any]) -> float | None:
    rows = _number(name, entry, "rows")
    estimated = _number(name, entry, "reltuples")
    return rows if rows is not None else estimated if estimated is not None and estimated >= 0 else None


def _analysed(name: str, entry: dict[str, Any]) -> bool | None:
    if isinstance(entry.get("analysed"), bool):
        return bool(entry["analysed"])
    estimated = _number(name, entry, "reltuples")
    # PostgreSQL has -1 for a table that was never analysed; before 14 it was 0, which an empty table has as well.
    return None if estimated is None else estimated >= 0


def _modified(name: str, entry: dict[str, Any]) -> float | None:
    given = _number(name, entry, "modified_since_analyze")
    rows, estimated = _number(name, entry, "rows"), _number(name, entry, "reltuples")
    if given is not None or rows is None or estimated is None or estimated < 0:
        return given
    # reltuples is the count of the last ANALYZE, so at least the difference came or went since.
    return abs(rows - estimated)


def _object(name: str, entry: dict[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f'"{key}" of the table "{name}" is not an object.')  # noqa: TRY004 - one kind of error for a wrong file
    return value


def _number(name: str, entry: dict[str, Any], key: str) -> float | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f'"{key}" of the table "{name}" is not a number.')  # noqa: TRY004 - one kind of error for a wrong file
    return value


def _indexes(name: str, entry: dict[str, Any], engine: str) -> list[Index]:
    found = []
    own = indexes_of_sqlite_table(name, entry["sql"]) if isinstance(entry.get("sql"), str) else []
    found += [index for index in own if index.primary and not index.name.startswith("sqlite_autoindex_")]
    automatic = {index.name: index for index in own}
    for index_name, definition in _object(name, entry, "indexes").items():
        if index_name in automatic:
            found.append(automatic[index_name])
        elif isinstance(definition, dict):
            found.append(_from_columns(name, index_name, definition))
        elif not isinstance(definition, str):
            raise ValueError(f'The index "{index_name}" of the table "{name}" is neither text nor an object.')
        elif not definition.startswith("sqlite_autoindex"):
            found.append(_from_text(name, index_name, definition, engine))
    return found


def _from_text(table: str, name: str, definition: str, engine: str) -> Index:
    if engine == "sqlite":
        return index_from_sqlite(definition)
    # The file does not say which index is the primary key; this is the name PostgreSQL and Django give it.
    return index_from_postgresql(definition, primary=name == f"{table}_pkey")


def _from_columns(table: str, name: str, definition: dict[str, Any]) -> Index:
    columns = definition.get("columns")
    if not isinstance(columns, list) or not all(isinstance(column, (str, type(None))) for column in columns):
        raise ValueError(f'The index "{name}" of the table "{table}" has no list "columns".')
    return Index(
        name,
        tuple(column or "" for column in columns),
        unique=bool(definition.get("unique")),
        primary=name == "PRIMARY",
        method=str(definition.get("method") or "btree").lower(),
    )


def _note_statistics(schema: Schema, statistics: Any) -> None:
    """
    Take the number of rows and whether a table was analysed from ``sqlite_stat1``: (table, index, "rows per-key …").
    """
    for table in schema.tables.values():
        table.analysed = False
    for row in statistics if isinstance(statistics, list) else ():
        table_name, _, numbers = (*row, None, None, None)[:3] if isinstance(row, list) else (None, None, None)
        found = schema.table(table_name)
        if found is None:
            continue
        found.analysed = True
        first = str(numbers or "").split(" ")[0]
        if found.rows is None and first.isdigit():
            found.rows = int(first)
