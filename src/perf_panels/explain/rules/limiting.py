"""
The rule about LIMIT that is filled slowly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import TABLE_SCANS, Kind
from perf_panels.explain.rules.base import IndexNeed, Match, rule
from perf_panels.explain.rules.needs import covered, order_of, ranges, seeks
from perf_panels.explain.rules.reading import conditions_on, level_of, stops_early, table_of, whole
from perf_panels.explain.rules.wording import number, severity, share, timing, took, up_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.conditions import Predicate
    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject

_SORTS = frozenset({Kind.SORT, Kind.INCREMENTAL_SORT})


@rule("limit-scan", "A", supersedes=("full-scan-filter", "index-filter"))
def limit_scan(subject: Subject) -> Iterator[Match]:
    """
    An index is walked in the order of ORDER BY until LIMIT is full, and nearly all rows on the way are thrown away.

    The LIMIT is that of the same query level. SQLite measures nothing: there it is info, for large tables.

    Source: 1,000 rows and 90 %; the trap is pganalyze's "wrong index due to ORDER BY".
    """
    for node in subject.plan.nodes():
        table = table_of(subject, node)
        if not table or not _walked_for_order(subject, node):
            continue
        conditions = conditions_on(subject, node)
        if not conditions or any(part.operator == "subplan" for part in conditions):
            continue
        if node.analyzed:
            if _in_vain(subject, node):
                yield _walk_match(subject, node, table, conditions)
        elif subject.engine == "sqlite" and _sqlite_walk(subject, node, table, conditions):
            yield _walk_match(subject, node, table, conditions)


def _walked_for_order(subject: Subject, node: Node) -> bool:
    if node.kind not in TABLE_SCANS or not whole(node) or not node.executed or not stops_early(subject, node):
        return False
    # A scan in no order that LIMIT ends is full-scan-filter's; SQLite calls a walk in rowid order SCAN.
    if node.kind is Kind.SCAN and not node.index and subject.engine != "sqlite":
        return False
    return node.relationship != "inner" and not any(above.kind in _SORTS for above in subject.ancestors(node))


def _in_vain(subject: Subject, node: Node) -> bool:
    limits = subject.limits
    if node.self_ms is not None and node.self_ms < limits.NODE_MS:
        return False
    removed = (node.removed or 0) * (node.loops or 0)
    return removed >= limits.INDEX_FILTER_ROWS and (node.keep or 0) <= 1 - limits.DISCARD_SHARE


def _sqlite_walk(subject: Subject, node: Node, table: str, conditions: list[Predicate]) -> bool:
    level = level_of(subject, node)
    rows = subject.schema.rows(table)
    if level is None or not level.order_by or rows is None or rows < subject.limits.BIG_ROWS:
        return False
    if any(other.kind in _SORTS for other in subject.plan.nodes()):
        return False
    return any(part.operator not in {"join", "other"} for part in conditions)


def _walk_match(subject: Subject, node: Node, table: str, conditions: list[Predicate]) -> Match:
    columns = tuple(dict.fromkeys(column for part in conditions if (column := seeks(part))))
    order = order_of(subject, node)
    need = _need(subject, table, conditions, order)
    if not node.analyzed:
        rows = subject.schema.rows(table) or 0
        return Match(
            node,
            "info",
            f"{{table}}: {up_to(rows)} rows walked in the order of ORDER BY to fill LIMIT",
            "Estimated: rows are read in this order and each is compared with the condition. How many match is not in"
            " the plan: with many of them this is the best way.",
            "Index the condition's columns, then those of ORDER BY, if few rows match",
            table,
            columns,
            {"table_rows": round(rows)},
            need,
        )
    return Match(
        node,
        severity(subject, node),
        f"{{table}}: {number(node.scanned or 0)} rows walked in the order of ORDER BY to find"
        f" {number(node.rows_total or 0)}",
        f"Measured: the condition kept {share(node.keep or 0)} of the rows that {node.index or 'the walk'} gave before"
        f" LIMIT was full.{took(subject, node)}",
        "Index the condition's columns, then those of ORDER BY",
        table,
        columns,
        {"rows_read": round(node.scanned or 0), "rows_kept": round(node.rows_total or 0)} | timing(subject, node),
        need,
        saving_ms=subject.time_of(node),
    )


def _need(
    subject: Subject, table: str, conditions: list[Predicate], order: tuple[tuple[str, bool], ...]
) -> IndexNeed | None:
    equality = [column for part in conditions if (column := seeks(part)) and not ranges(part)]
    if not equality:
        return None
    rest = tuple(pair for pair in order if pair[0] not in equality)
    need = IndexNeed(table, tuple(dict.fromkeys(equality)), order=rest)
    return None if covered(subject, need) else need
