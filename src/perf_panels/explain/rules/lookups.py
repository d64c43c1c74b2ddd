"""
Rules about how an index is used: visits to the table, coarse bitmaps, two indexes for one, a first column left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import TABLE_SCANS, Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.needs import columns_of, covered, index_for
from perf_panels.explain.rules.reading import parts_of, table_of
from perf_panels.explain.rules.wording import number, severity, share, timing, took

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject


@rule("heap-fetches", "A", engines=("postgresql",))
def heap_fetches(subject: Subject) -> Iterator[Match]:
    """
    An index-only scan has to look into the table for many rows, because VACUUM has not seen them since they changed.

    Not for few rows and fast scans. Freshly loaded data is like this until autovacuum has run.

    Source: 1,000 rows is a judgement; 10 % below PEV2's 40 and 90 %.
    """
    for node in subject.plan.nodes():
        rows, fetches = node.scanned, node.heap_fetches
        if node.kind is not Kind.INDEX_ONLY_SCAN or not fetches or not rows:
            continue
        if fetches < subject.limits.HEAP_FETCHES or fetches < rows * subject.limits.HEAP_FETCH_SHARE:
            continue
        if node.self_ms is not None and node.self_ms < subject.limits.NODE_MS:
            continue
        yield Match(
            node,
            "warning",
            f"{{table}}: {number(fetches)} visits to the table from an index that has all columns",
            f"Measured: {share(min(1.0, fetches / rows))} of {number(rows)} rows had to be looked up, because no VACUUM"
            f" has marked their pages as seen by all. Freshly loaded data is like this.{took(subject, node)}",
            "VACUUM the table, or let autovacuum come more often",
            table_of(subject, node),
            evidence={"heap_fetches": round(fetches), "rows_read": round(rows)} | timing(subject, node),
        )


@rule("bitmap-lossy", "A", engines=("postgresql",))
def bitmap_lossy(subject: Subject) -> Iterator[Match]:
    """
    A bitmap did not fit in memory and kept whole pages instead of rows, so that rows were read and thrown away.

    Not when the coarse pages cost few rows.

    Source: 10 % of the blocks before pgplan's 50 %; 1,000 rows is a judgement.
    """
    for node in subject.plan.nodes():
        lossy, removed = node.lossy_blocks or 0, (node.removed_by_recheck or 0) * (node.loops or 0)
        blocks = lossy + (node.exact_blocks or 0)
        if not lossy or lossy < blocks * subject.limits.LOSSY_SHARE or removed < subject.limits.RECHECK_ROWS:
            continue
        yield Match(
            node,
            severity(subject, node),
            f"{{table}}: {number(removed)} rows read in vain: a bitmap did not fit in work_mem",
            f"Measured: {number(lossy)} of {number(blocks)} blocks, {share(lossy / blocks)}, were kept without"
            f" their rows.{took(subject, node)}",
            "Raise work_mem, or use an index that finds fewer rows",
            table_of(subject, node),
            evidence={
                "lossy_blocks": round(lossy),
                "exact_blocks": round(blocks - lossy),
                "rows_removed": round(removed),
            }
            | timing(subject, node),
        )


@rule("bitmap-and", "E")
def bitmap_and(subject: Subject) -> Iterator[Match]:
    """
    Two indexes are read and their results intersected, where one index of both columns would find the rows at once.

    Not for an OR, which needs an index for each branch.

    Source: the plan says it; no threshold.
    """
    for node in subject.plan.nodes():
        if node.kind is not Kind.BITMAP_AND and not (node.kind is Kind.BITMAP_SCAN and "intersect" in _words_of(node)):
            continue
        owner = next((above for above in (node, *subject.ancestors(node)) if above.kind is Kind.BITMAP_SCAN), node)
        table = table_of(subject, owner)
        searches = [part for below in node.below() for part in parts_of(below.index_cond, subject.engine)]
        need = index_for(subject, owner, table, searches) if table else None
        if need is not None and covered(subject, need):
            continue
        yield Match(
            node,
            "info",
            "{table}: two indexes intersected for {columns}" if need else "{table}: two indexes intersected",
            "Each index is read for its own condition, and most of what it finds is dropped.",
            "Index the columns together",
            table,
            columns_of(searches),
            timing(subject, node),
            need,
        )


def _words_of(node: Node) -> str:
    return f"{node.label} {node.strategy} {node.index} {node.raw.get('access_type')} {node.raw.get('key')}".lower()


@rule("skip-scan", "E")
def skip_scan(subject: Subject) -> Iterator[Match]:
    """
    An index is searched without its first column, so all of it is read, or it is searched once for each of its values.

    Not for small tables.

    Source: 10,000 rows from pgplan and QuerySense.
    """
    for node in subject.plan.nodes():
        owner = subject.parents.get(id(node), node) if node.kind is Kind.BITMAP_INDEX else node
        table = table_of(subject, owner)
        if table is None or not node.executed or not node.index or not _skips(subject, node, table):
            continue
        rows = subject.schema.rows(table)
        if rows is None or rows < subject.limits.BIG_ROWS:
            continue
        searches = parts_of(node.index_cond, subject.engine)
        need = index_for(subject, owner, table, searches)
        yield Match(
            node,
            "info",
            f"{{table}}: {node.index} searched without its first column",
            f"The table has {number(rows)} rows, and an index helps from its first column on."
            + (f" It was searched {number(node.index_searches)} times." if node.index_searches else ""),
            "Add an index that starts with {columns}" if need else "Add an index that starts with the column asked for",
            table,
            columns_of(searches),
            {"table_rows": round(rows)} | timing(subject, node),
            None if need is None or covered(subject, need) else need,
        )


def _skips(subject: Subject, node: Node, table: str) -> bool:
    if subject.engine == "sqlite":
        return "ANY(" in node.label or "ANY(" in (node.index_cond or "")
    if subject.engine in {"mysql", "mariadb"}:
        return "skip_scan" in str(node.raw.get("index_access_type")) or "skip scan" in str(node.raw).lower()
    if node.kind not in TABLE_SCANS | {Kind.BITMAP_INDEX} or not node.index_cond:
        return False
    known = subject.schema.table(table)
    index = next((index for index in known.indexes if index.name == node.index), None) if known else None
    if index is None or index.method != "btree" or not index.columns or not index.columns[0]:
        return False
    return not any(index.columns[0] in part for part in _mentioned(subject, node))


def _mentioned(subject: Subject, node: Node) -> Iterator[set[str | None]]:
    for part in parts_of(node.index_cond, subject.engine):
        yield {part.column, part.other_column} | {node.index_cond if part.column is None else None}
