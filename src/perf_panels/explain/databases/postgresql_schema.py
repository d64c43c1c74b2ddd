"""
What PostgreSQL's catalogs say of tables; all of it without a lock on them, but for counting one nobody has counted.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from perf_panels.explain.schema import COUNTED_TO, Index, Schema, Table, counted, index_from_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterable


# Pages times their size: pg_table_size() would wait for a table that is locked.
_TABLES = """
SELECT c.oid, c.relname, c.reltuples, c.relpages::bigint * current_setting('block_size')::bigint,
    s.n_mod_since_analyze, COALESCE(s.last_analyze, s.last_autoanalyze) IS NOT NULL
FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relname = ANY(%s) AND c.relkind IN ('r', 'p', 'm', 'f') AND pg_catalog.pg_table_is_visible(c.oid)
"""
_COLUMNS = """
SELECT attrelid, attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
WHERE attrelid = ANY(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum
"""
_INDEXES = """
SELECT indrelid, pg_catalog.pg_get_indexdef(indexrelid), indisprimary FROM pg_catalog.pg_index
WHERE indrelid = ANY(%s) AND indisvalid ORDER BY indrelid, NOT indisprimary, indexrelid
"""


def read(connection: Any, cursor: Any, names: list[str]) -> Schema:
    """
    Return what is known of the tables that the search path finds under these names.
    """
    cursor.execute("SHOW server_version")
    schema = Schema(version=str(cursor.fetchone()[0]))
    cursor.execute(_TABLES, [list(names)])
    oids: list[int] = []
    found: dict[int, Table] = {}
    for oid, name, rows, size, modified, analysed in cursor.fetchall():
        # Up to version 13 a table never counted has 0 rows, since 14 it has -1.
        known = rows > 0 or (rows == 0 and analysed)
        found[oid] = schema.tables[name] = Table(
            name, rows=rows if known else None, analysed=analysed or known, size_bytes=size,
            modified_since_analyze=modified,
        )  # fmt: skip
        oids.append(oid)
    cursor.execute(_COLUMNS, [oids])
    for oid, column, kind in cursor.fetchall():
        found[oid].columns[column] = kind
    cursor.execute(_INDEXES, [oids])
    for oid, definition, primary in cursor.fetchall():
        found[oid].indexes += _index(definition, primary)
    for table in found.values():
        if table.rows is None:
            table.rows = _count(connection, table.name)
    return schema


def first_of_kind(cursor: Any, kind: str, names: Iterable[str]) -> str | None:
    """
    Return a relation of a kind of pg_class, ``v`` for views, that one of these names in lower case may mean.
    """
    cursor.execute(
        "SELECT relname FROM pg_catalog.pg_class WHERE relkind = %s AND lower(relname) = ANY(%s)"
        " AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) LIMIT 1",
        [kind, list(names)],
    )
    found = cursor.fetchone()
    return str(found[0]) if found else None


def _index(definition: str, primary: bool) -> list[Index]:
    with suppress(ValueError):
        return [index_from_postgresql(definition, primary=primary)]
    return []


def _count(connection: Any, name: str) -> float | None:
    with closing(connection.create_cursor()) as cursor:
        cursor.execute("SAVEPOINT perf_panels_count")
        try:
            table = connection.ops.quote_name(name)
            cursor.execute(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {COUNTED_TO + 1}) counted")  # noqa: S608 - quoted
            return counted(cursor.fetchone()[0])
        except connection.Database.Error:
            cursor.execute("ROLLBACK TO SAVEPOINT perf_panels_count")
            return None
