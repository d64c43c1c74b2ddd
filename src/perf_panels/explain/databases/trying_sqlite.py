"""
Tries a suggested index on SQLite: in a copy in memory that has the definitions and statistics of the file, and no rows.

SQLite plans from those alone, so the plan is the file's. The new index gets the statistics that ANALYZE would give it,
estimated from the first rows of the table; where the table has none, it gets none, and SQLite guesses as it does now.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from perf_panels.explain.databases.base import NotPossible, Options, Trial
from perf_panels.explain.databases.connections import own_connection, rows
from perf_panels.explain.databases.sqlite_schema import statistics
from perf_panels.explain.databases.trying_postgresql import checked_index
from perf_panels.explain.plan import Kind

if TYPE_CHECKING:
    from perf_panels.explain.databases.classify import Facts
    from perf_panels.explain.databases.sqlite import SQLite
    from perf_panels.explain.definitions import IndexParts
    from perf_panels.explain.plan import Plan

SAMPLE = 20_000
"""Rows looked at for the statistics of the new index."""
_FEW = 0.1
"""Distinct values among the sampled rows below which there are no more of them in the whole table."""

_OBJECTS = """
SELECT name, sql FROM sqlite_master
WHERE sql > '' AND type IN ('table', 'index', 'view') AND substr(name, 1, 7) <> 'sqlite_'
ORDER BY CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 ELSE 3 END, rowid
"""


def try_index(database: SQLite, facts: Facts, params: Any, create_index: str, options: Options) -> Trial:
    """
    Return the plans of the copy without and with the index.
    """
    statement, parts = checked_index(create_index, "sqlite")
    with database.session(options, facts) as source, own_connection(database.alias, name=":memory:") as copy:
        notes = _copy_definitions(source, copy)
        analysed = _copy_statistics(source, copy)
        before = database.plan(copy, facts, params)
        try:
            rows(copy, statement)
        except copy.Database.Error as error:
            raise NotPossible(f"The index cannot be made: {error}.") from error
        if parts.table in analysed:
            notes.append(_add_statistics(source, copy, parts, analysed[parts.table]))
        else:
            notes.append("ANALYZE has never been run on this table, so SQLite guesses how selective the index is.")
        after = database.plan(copy, facts, params)
        return _compared(before, after, parts, tuple(notes))


def _copy_definitions(source: Any, copy: Any) -> list[str]:
    notes = []
    for name, sql in rows(source, _OBJECTS):
        try:
            rows(copy, sql)
        except copy.Database.Error as error:  # noqa: PERF203 - one table that fails must not cost the others
            # The tables that a virtual one made for itself come with it.
            if "already exists" not in str(error):
                notes.append(f"{name} could not be copied: {error}.")
    return notes


def _copy_statistics(source: Any, copy: Any) -> dict[str, float]:
    analysed = statistics(source)
    if not analysed:
        return analysed
    # It makes the tables of the statistics, which nobody else may make.
    rows(copy, "ANALYZE")
    for table, columns in (("sqlite_stat1", 3), ("sqlite_stat4", 6)):
        # sqlite_stat4 is there only if SQLite was built with it.
        with suppress(source.Database.OperationalError, copy.Database.OperationalError):
            found = rows(source, f"SELECT * FROM {table}")  # noqa: S608 - one of two names
            rows(copy, f"DELETE FROM {table}")  # noqa: S608
            marks = ", ".join(["%s"] * columns)
            for row in found:
                rows(copy, f"INSERT INTO {table} VALUES ({marks})", list(row))  # noqa: S608
    rows(copy, "ANALYZE sqlite_master")
    return analysed


def _add_statistics(source: Any, copy: Any, parts: IndexParts, table_rows: float) -> str:
    """
    Give the new index its line of sqlite_stat1: its rows, and for each prefix the rows that share one value.
    """
    quote = source.ops.quote_name
    keys = [quote(key.column) if key.column else key.expression for key in parts.keys]
    where = f"WHERE {parts.condition}" if parts.condition else ""
    try:
        ((looked_at,),) = rows(source, f"SELECT count(*) FROM (SELECT 1 FROM {quote(parts.table)} LIMIT {SAMPLE})")  # noqa: S608
        sample = f"SELECT * FROM (SELECT * FROM {quote(parts.table)} LIMIT {SAMPLE}) {where}"  # noqa: S608
        ((matching,),) = rows(source, f"SELECT count(*) FROM ({sample})")  # noqa: S608
        distinct = [
            rows(source, f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(keys[:length])} FROM ({sample}))")[0][0]  # noqa: S608
            for length in range(1, len(keys) + 1)
        ]
    except source.Database.Error as error:
        return f"The statistics of the index could not be estimated, so SQLite guesses: {error}."
    size = round(table_rows * matching / looked_at) if looked_at else 0
    per_value = [_rows_per_value(size, matching, count) for count in distinct]
    # An index without a row has no line of its own.
    if size:
        stat = " ".join(str(number) for number in [size, *per_value])
        rows(copy, "INSERT INTO sqlite_stat1 VALUES (%s, %s, %s)", [parts.table, parts.name, stat])
        rows(copy, "ANALYZE sqlite_master")
    return f"The statistics of the index are estimated from the first {looked_at:,} rows of the table."


def _rows_per_value(size: int, sampled: int, distinct: int) -> int:
    if not distinct:
        return 1
    all_seen = distinct < _FEW * sampled or sampled >= size
    return max(1, round((size if all_seen else sampled) / distinct))


def _compared(before: Plan, after: Plan, parts: IndexParts, notes: tuple[str, ...]) -> Trial:
    used = any(node.index == parts.name for node in after.nodes())
    helps = used and (
        _full_scans(after, parts) < _full_scans(before, parts)
        or _sorts(after) < _sorts(before)
        or _searched(after) > _searched(before)
    )
    return Trial("copy", before, after, used, helps=helps, notes=notes)


def _full_scans(plan: Plan, parts: IndexParts) -> int:
    """
    Count the reads of the whole table, through an index or not.
    """
    return sum(
        node.relation == parts.table and (node.kind is Kind.SCAN or not node.index_cond) and node.kind is not Kind.OTHER
        for node in plan.nodes()
    )


def _sorts(plan: Plan) -> int:
    return sum(node.kind is Kind.SORT or node.automatic_index for node in plan.nodes())


def _searched(plan: Plan) -> int:
    return sum(len(node.index_columns) for node in plan.nodes())
