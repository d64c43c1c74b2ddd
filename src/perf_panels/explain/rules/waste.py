"""
Which reads of a whole table are a waste: the one judgement that the rules about scans and their causes share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.reading import (
    conditions_on,
    estimated_rows,
    from_subquery,
    processes,
    stops_early,
    table_of,
    whole,
)
from perf_panels.explain.rules.wording import all_of, number, severity, share, timing, took

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.conditions import Predicate
    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject
    from perf_panels.findings import Severity

_BY_INDEX = frozenset({Kind.INDEX_SCAN, Kind.INDEX_ONLY_SCAN, Kind.BITMAP_SCAN})


@dataclass(frozen=True)
class Waste:
    """
    A whole table that was read for few of its rows, or for nobody knows how many: then ``kept`` is None.
    """

    subject: Subject
    node: Node
    table: str
    conditions: list[Predicate]
    rows: float
    """Of all loops when measured, of one pass when not."""
    kept: float | None

    @property
    def measured(self) -> bool:
        return self.node.analyzed

    @property
    def severity(self) -> Severity:
        return "info" if self.kept is None else severity(self.subject, self.node)

    @property
    def opening(self) -> str:
        """
        Return how a title starts.
        """
        if self.kept is None:
            return f"{{table}}: {all_of(self.rows)} rows read"
        return f"{{table}}: {number(self.rows)} rows read to find {number(self.kept)}"

    @property
    def detail(self) -> str:
        if self.kept is None:
            return (
                f"Estimated: the table has {number(self.rows)} rows, and each is compared with the condition."
                " How many of them match is not in the plan: if most do, an index is no help."
            )
        kind = "Measured" if self.measured else "Estimated"
        least = share(1 - self.subject.limits.DISCARD_SHARE)
        return (
            f"{kind}: the condition keeps {share(self.kept / self.rows)} of the rows read; up to {least} an index pays."
            f"{took(self.subject, self.node)}"
        )

    @property
    def evidence(self) -> dict[str, float | int]:
        rows: dict[str, float | int] = {"rows_read" if self.measured else "estimated_rows_read": round(self.rows)}
        if self.kept is not None:
            rows["rows_kept" if self.measured else "estimated_rows_kept"] = round(self.kept)
        return rows | timing(self.subject, self.node)

    @property
    def saving_ms(self) -> float | None:
        return self.subject.time_of(self.node) if self.measured else None


def wasted(subject: Subject) -> Iterator[Waste]:
    """
    Yield the reads of whole tables of at least ``BIG_ROWS`` that throw away ``DISCARD_SHARE`` of the rows or more.

    Not those that are fast, that touch few blocks, that a LIMIT may end, or whose condition is a subquery's value.
    """
    for node in subject.plan.nodes():
        if not whole(node) or not node.executed or of_partitions(subject, node):
            continue
        table = table_of(subject, node)
        conditions = [part for part in conditions_on(subject, node) if not from_subquery(subject, part)]
        if table and conditions:
            found = _measured(subject, node) if node.analyzed else _estimated(subject, node, table)
            if found is not None:
                yield Waste(subject, node, table, conditions, *found)


def _measured(subject: Subject, node: Node) -> tuple[float, float] | None:
    limits = subject.limits
    rows = node.scanned or 0
    if rows / passes(subject, node) < limits.BIG_ROWS or (node.keep or 0) > 1 - limits.DISCARD_SHARE:
        return None
    if node.self_ms is not None and node.self_ms < limits.NODE_MS:
        return None
    blocks = (node.blocks_hit or 0) + (node.blocks_read or 0)
    if node.blocks_hit is not None and blocks < limits.SCAN_BLOCKS:
        return None
    return rows, node.rows_total or 0


def _estimated(subject: Subject, node: Node, table: str) -> tuple[float, float | None] | None:
    limits = subject.limits
    rows = subject.schema.rows(table)
    rows = subject.table_rows(node) if rows is None else rows
    if rows is None or rows < limits.BIG_ROWS or stops_early(subject, node):
        return None
    # Without a histogram MySQL and MariaDB guess 10, 33 or 100 %, and SQLite says nothing.
    if subject.engine != "postgresql":
        return rows, None
    kept = estimated_rows(subject, node)
    return None if kept is None or kept > rows * (1 - limits.DISCARD_SHARE) else (rows, kept)


def discarding(subject: Subject) -> Iterator[tuple[Node, str]]:
    """
    Yield the reads by an index, with their tables, whose filter throws away nearly all of many rows.
    """
    limits = subject.limits
    for node in subject.plan.nodes():
        table = table_of(subject, node)
        if node.kind not in _BY_INDEX or not node.analyzed or not node.filter or not table:
            continue
        # Elsewhere a walk of the whole index is a full scan, or limit-scan.
        if node.index_cond is None and node.kind is not Kind.BITMAP_SCAN and subject.engine != "postgresql":
            continue
        loops = node.loops or 0
        # Before version 18 PostgreSQL rounds the rows of a loop, so that a row in every third loop is none.
        rounded = 0.5 if loops > 1 and subject.engine == "postgresql" and node.act_rows == 0 else 0
        removed, kept = (node.removed or 0) * loops, (node.rows_total or 0) + rounded * loops
        if removed >= limits.INDEX_FILTER_ROWS and removed >= limits.DISCARD_SHARE * (removed + kept):
            yield node, table


def passes(subject: Subject, node: Node) -> float:
    """
    Return how often a node ran one after the other.
    """
    return max(1.0, (node.loops or 1) / processes(subject, node))


def of_partitions(subject: Subject, node: Node) -> bool:
    """
    Say whether a node reads one of many partitions, which is the business of ``partition-no-prune``.
    """
    parent = subject.parents.get(id(node))
    return parent is not None and len(partitions(parent)) >= subject.limits.PARTITIONS


def partitioned(subject: Subject) -> dict[str, str]:
    """
    Return the table of each partition that is read: the one the statement reads under the alias that PostgreSQL numbers
    for them.
    """
    found = {}
    for node in subject.plan.nodes():
        stem, _, number = (node.alias or "").rpartition("_")
        if node.relation and number.isdigit() and any(above.kind is Kind.APPEND for above in subject.ancestors(node)):
            table = _read_as(subject, stem)
            if table and node.relation != table and not _read_as(subject, node.alias or ""):
                found[node.relation] = table
    return found


def _read_as(subject: Subject, alias: str) -> str | None:
    return next((level.tables[alias] for level in subject.query.levels() if alias in level.tables), None)


def partitions(append: Node) -> list[Node]:
    """
    Return the children of an Append that read partitions of one table: different tables under numbered names of one.
    """
    if append.kind is not Kind.APPEND:
        return []
    reads = [child for child in append.children if child.relation and child.alias]
    stems = {
        (child.alias or "").rpartition("_")[0] for child in reads if (child.alias or "").rpartition("_")[2].isdigit()
    }
    if len(stems) != 1 or len(reads) != len(append.children):
        return []
    return reads if len({child.relation for child in reads}) == len(reads) else []
