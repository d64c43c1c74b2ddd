"""
Rules about whole tables, and whole indexes, that are read for a few rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import JOINS, Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.needs import EQUALITY, columns_of, finds_few, index_for, ranges, seeks
from perf_panels.explain.rules.reading import conditions_on, indexed, level_of, stops_early, table_of, whole
from perf_panels.explain.rules.waste import Waste, partitions, wasted
from perf_panels.explain.rules.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.conditions import Predicate
    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject


@rule("full-scan-filter", "E/A", supersedes=("full-index-scan",))
def full_scan_filter(subject: Subject) -> Iterator[Match]:
    """
    A whole table is read to find a few of its rows, and no index starts with the columns of the condition.

    Not for small or fast reads, conditions that keep more than a tenth, values of subqueries, derived tables, and
    columns that have an index: then the planner preferred the scan. Where the rows kept are unknown (SQLite, estimates
    of MySQL and MariaDB) it is info, and on the latter two only for equality with ids, numbers and codes.

    Source: 10,000 rows from pgplan and QuerySense, 90 % from PEV2's red, 50 blocks from Joe.
    """
    for waste in wasted(subject):
        if waste.node.kind is not Kind.SCAN and not _walk_is_scan(subject, waste.node):
            continue
        conditions = unanswered(subject, waste)
        columns = columns_of(conditions)
        if not columns or _guessed(subject, waste, conditions):
            continue
        yield Match(
            waste.node,
            waste.severity,
            f"{waste.opening}, without an index on {{columns}}",
            waste.detail,
            "Index {columns}" + (", if few rows match" if waste.kept is None else ""),
            waste.table,
            columns,
            waste.evidence,
            index_for(subject, waste.node, waste.table, conditions),
            saving_ms=waste.saving_ms,
        )


def _guessed(subject: Subject, waste: Waste, conditions: list[Predicate]) -> bool:
    """
    Say whether MySQL or MariaDB guessed the rows of a condition that may as well keep most of them.
    """
    guesses = waste.kept is None and subject.engine in {"mysql", "mariadb"}
    return guesses and not any(finds_few(part) for part in conditions)


def _walk_is_scan(subject: Subject, node: Node) -> bool:
    # PostgreSQL's is index-filter; one that a LIMIT may end is limit-scan.
    return subject.engine != "postgresql" and not stops_early(subject, node)


def unanswered(subject: Subject, waste: Waste) -> list[Predicate]:
    """
    Return the conditions a new index could answer; none when an index for an equality was there to use.
    """
    possible = [part for part in waste.conditions if seeks(part)]
    known = [part for part in possible if indexed(subject, waste.table, seeks(part), sought=not ranges(part))]
    if any(part.operator in EQUALITY or part.operator == "or" for part in known):
        return []
    asked = [part for part in possible if part not in known]
    # A lone boolean, or a column that is not NULL, rarely finds few rows, and here nobody knows.
    if waste.kept is None and all(part.operator in {"true", "false", "not-null"} for part in asked):
        return []
    return asked


@rule("full-index-scan", "E")
def full_index_scan(subject: Subject) -> Iterator[Match]:
    """
    A whole index is walked although the statement joins or filters.

    Silent below LIMIT, and for counts, groups and ordered results, where the walk is the best there is.

    Source: 10,000 rows from pgplan and QuerySense.
    """
    for node in subject.plan.nodes():
        table = table_of(subject, node)
        if node.kind is Kind.SCAN or not whole(node) or not node.executed or not table:
            continue
        rows = node.scanned if node.analyzed else subject.schema.rows(table)
        if (
            rows is None
            or rows < subject.limits.BIG_ROWS
            or stops_early(subject, node)
            or _walk_is_wanted(subject, node)
        ):
            continue
        kind = "Measured" if node.analyzed else "Estimated"
        yield Match(
            node,
            "info",
            f"{{table}}: the whole index {node.index} walked, {number(rows)} entries",
            f"{kind}: nothing tells the index where to start, so all of it is read.",
            "Filter on the first column of an index",
            table,
            evidence={"rows_read" if node.analyzed else "estimated_rows_read": round(rows)},
        )


def _walk_is_wanted(subject: Subject, node: Node) -> bool:
    level = level_of(subject, node)
    if level is None or level.aggregates or level.group_by or level.order_by or level.distinct or level.has_window:
        return True
    parent = subject.parents.get(id(node))
    return not conditions_on(subject, node) and (parent is None or parent.kind not in JOINS)


@rule("partition-no-prune", "E", supersedes=("full-scan-filter",), engines=("postgresql",))
def partition_no_prune(subject: Subject) -> Iterator[Match]:
    """
    All partitions of a table are read, because the condition says nothing about the column they are split by.

    Not for UNION ALL of several tables, nor for statements without a condition.

    Source: five partitions, a judgement.
    """
    for node in subject.plan.nodes():
        parts = partitions(node)
        if len(parts) < subject.limits.PARTITIONS or node.subplans_removed or not all(part.filter for part in parts):
            continue
        rows = sum(subject.rows_read(part) or subject.schema.rows(part.relation) or 0 for part in parts)
        if rows < subject.limits.BIG_ROWS or not all(whole(part) for part in parts):
            continue
        stem = (parts[0].alias or "").rpartition("_")[0]
        table = next((table for level in subject.query.levels() if (table := level.table_of(stem))), stem)
        yield Match(
            node,
            "warning",
            f"{{table}}: all {len(parts)} partitions read",
            "The condition has no value for the column the table is partitioned by, so no partition could be left out.",
            "Filter on the partition key as well",
            table,
            columns_of(conditions_on(subject, parts[0])),
            {"partitions": len(parts), "rows_read": round(rows)},
        )
