"""
Tries a suggested index on PostgreSQL: with HypoPG where the database has it, else as a real one in a transaction that
is rolled back, for which the user was told what it locks.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from perf_panels.explain.databases.base import NotPossible, Options, Permission, Trial
from perf_panels.explain.databases.tokens import UnreadableError, tokens
from perf_panels.explain.definitions import read_index

if TYPE_CHECKING:
    from collections.abc import Collection

    from perf_panels.explain.databases.classify import Facts
    from perf_panels.explain.databases.postgresql import PostgreSQL, Session
    from perf_panels.explain.definitions import IndexParts
    from perf_panels.explain.plan import Plan

HELPS = 0.5
"""The cost an index must leave at most, of that without it; Dexter."""

# A partitioned table has neither pages nor, before it is analysed, rows: its partitions have.
_SIZE = """
SELECT pg_catalog.pg_size_pretty(sum(part.relpages) * current_setting('block_size')::bigint),
    CASE WHEN min(part.reltuples) < 0 THEN -1 ELSE sum(part.reltuples)::bigint END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class part ON part.relkind <> 'p'
    AND (part.oid = c.oid OR part.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree(c.oid)))
WHERE c.relname = %s AND pg_catalog.pg_table_is_visible(c.oid) HAVING count(*) > 0
"""
_OF_PARTITIONS = """
SELECT part.relname FROM pg_catalog.pg_class c CROSS JOIN pg_catalog.pg_partition_tree(c.oid) tree
JOIN pg_catalog.pg_class part ON part.oid = tree.relid
WHERE c.relname = %s AND pg_catalog.pg_table_is_visible(c.oid)
"""


def may_try(cursor: Any, table: str) -> Permission:
    """
    Say how an index on the table would be tried, and what that takes.
    """
    if _has_hypopg(cursor):
        return Permission("yes", ("HypoPG shows the plan with the index without making it.",))
    cursor.execute(_SIZE, [table])
    found = cursor.fetchone()
    if found is None:
        return Permission("no", (f"The server does not know the table {table}.",))
    size, rows = found
    amount = f"{size}, about {rows:,} rows" if rows >= 0 else f"{size}, never counted"
    reason = (
        f"The index is made on {table} ({amount}) and rolled back. Until then the table has a SHARE lock: reading goes"
        " on, but who writes to it waits. The server keeps no more than the row count it found on the way."
    )
    return Permission("confirm", (reason,))


def try_index(database: PostgreSQL, facts: Facts, params: Any, create_index: str, options: Options) -> Trial:
    """
    Return the plans without and with the index.
    """
    statement, parts = checked_index(create_index, "postgresql")
    with database.session(options, facts) as session:
        before = database.plan(session, facts, params)
        if _has_hypopg(session.cursor):
            after, name = _with_hypopg(database, session, facts, params, statement)
            return compared("hypopg", before, after, {name})
    if not options.confirmed:
        raise NotPossible(" ".join(database.may_try(parts.table).reasons))
    with database.session(options, facts, read_only=False) as session:
        session.cursor.execute(statement)
        # Planning may run a function of the statement, which must not write here either.
        session.cursor.execute("SET TRANSACTION READ ONLY")
        after = database.plan(session, facts, params)
        session.cursor.execute(_OF_PARTITIONS, [parts.name])
        names = {parts.name, *(name for (name,) in session.cursor.fetchall())}
        return compared("transaction", before, after, names, _notes(session.cursor, parts))


def _with_hypopg(database: PostgreSQL, session: Session, facts: Facts, params: Any, statement: str) -> tuple[Plan, str]:
    session.cursor.execute("SELECT indexrelid, indexname FROM hypopg_create_index(%s)", [statement])
    oid, name = session.cursor.fetchone()
    after = database.plan(session, facts, params)
    # No rollback removes it, only the end of the connection, which in a TestCase is not ours.
    session.cursor.execute("SELECT hypopg_drop_index(%s)", [oid])
    return after, str(name)


def checked_index(create_index: str, engine: str) -> tuple[str, IndexParts]:
    """
    Return our CREATE INDEX as it may run in a transaction, and its parts. Raises ``NotPossible`` for anything else.
    """
    try:
        parts = read_index(create_index)
        found = tokens(create_index, engine, placeholders=False)
    except (UnreadableError, ValueError) as error:
        raise NotPossible(f"The index cannot be tried: {error}") from error
    text = create_index[: found.pop().start] if found[-1].text == ";" else create_index
    if any(token.text == ";" for token in found):
        raise NotPossible("The index cannot be tried: there is a second statement behind it.")
    return re.sub(r"\bINDEX\s+CONCURRENTLY\b", "INDEX", text, count=1, flags=re.IGNORECASE), parts


def compared(method: str, before: Plan, after: Plan, names: Collection[str], notes: tuple[str, ...] = ()) -> Trial:
    """
    Return the trial of an index that plans call by one of these names: that of a partitioned table has several.
    """
    used = any(node.index in names for node in after.nodes() if node.index)
    cost_before, cost_after = (plan.root.cost if plan.root else None for plan in (before, after))
    helps = used and cost_before is not None and cost_after is not None and cost_after <= HELPS * cost_before
    return Trial(
        method, before, after, used, cost_before, cost_after, _rows_read(before), _rows_read(after), helps, notes
    )


def _rows_read(plan: Plan) -> float | None:
    known = [node.est_scanned for node in plan.nodes() if node.est_scanned is not None]
    return sum(known) if known else None


def _has_hypopg(cursor: Any) -> bool:
    cursor.execute("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'hypopg'")
    return cursor.fetchone() is not None


def _notes(cursor: Any, parts: IndexParts) -> tuple[str, ...]:
    cursor.execute(
        "SELECT indcheckxmin FROM pg_catalog.pg_index JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid"
        " WHERE relname = %s AND pg_catalog.pg_table_is_visible(indexrelid)",
        [parts.name],
    )
    found = cursor.fetchone()
    notes = []
    if found and found[0]:
        # https://git.postgresql.org/gitweb/?p=postgresql.git;f=src/backend/access/heap/README.HOT
        notes.append(
            "Rows of the table were updated lately, so PostgreSQL uses the index only in later transactions:"
            " this trial could not show it. VACUUM the table and try again."
        )
    if any(key.expression for key in parts.keys):
        notes.append("An index on an expression has no statistics before ANALYZE: its plan may be better than shown.")
    return tuple(notes)
