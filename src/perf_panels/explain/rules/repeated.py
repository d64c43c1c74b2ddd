"""
Rules about whole tables that are read again and again, or for one value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.plan import JOINS, Kind
from perf_panels.explain.rules.base import IndexNeed, Match, rule
from perf_panels.explain.rules.needs import columns_of, covered, index_for
from perf_panels.explain.rules.reading import (
    STORED,
    conditions_on,
    estimated_rows,
    exists,
    level_of,
    stops_early,
    table_of,
    whole,
)
from perf_panels.explain.rules.waste import passes
from perf_panels.explain.rules.wording import number, severity, timing, took

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject

_EXTREME = re.compile(r"""\b(?:min|max)\s*\(\s*(?:[\w"`]+\.)?["`]?(\w+)["`]?\s*\)""", re.IGNORECASE)


@rule("repeated-scan", "E/A", supersedes=("full-scan-filter", "full-index-scan"))
def repeated_scan(subject: Subject) -> Iterator[Match]:
    """
    A whole table is read again for each row of an outer query or join.

    Not for processes that share one scan, rows that are stored or remembered, and small tables.

    Source: five times the 10,000 rows of pgplan and QuerySense; a table of up to 100 rows is small.
    """
    for node in subject.plan.nodes():
        table = table_of(subject, node)
        if node.kind is not Kind.SCAN or not node.executed or not table or _stored(subject, node):
            continue
        times = passes(subject, node) if node.analyzed else _expected_passes(subject, node)
        rows = _rows_of_a_pass(subject, node, table, times)
        if times is not None and rows is not None and times > 1 and _is_much(subject, times, rows):
            yield _repeated(subject, node, table, times, rows)


def _is_much(subject: Subject, times: float, rows: float) -> bool:
    limits = subject.limits
    # SQLite does not count the outer rows: then the table itself has to be big.
    if times == float("inf"):
        return rows >= limits.BIG_ROWS
    return rows > limits.SMALL_TABLE_ROWS and rows * times >= limits.REPEATED_SCAN_ROWS


def _rows_of_a_pass(subject: Subject, node: Node, table: str, times: float | None) -> float | None:
    if not node.analyzed:
        return subject.schema.rows(table)
    return (node.scanned or 0) / times if times else None


def _repeated(subject: Subject, node: Node, table: str, times: float, rows: float) -> Match:
    conditions = conditions_on(subject, node)
    need = index_for(subject, node, table, conditions)
    known = times < float("inf")
    read = "" if node.analyzed else "estimated_"
    return Match(
        node,
        severity(subject, node),
        f"{{table}}: whole table read {number(times)} times, {number(rows * times)} rows in all"
        if known
        else "{table}: whole table read again for each row of the outer query",
        f"{'Measured' if node.analyzed else 'Estimated'}: no index finds the rows of one round, so each reads the table"
        f" from start to end.{took(subject, node)}",
        "Index {columns}" if need else "Read the table once and join it",
        table,
        columns_of(conditions),
        (
            {f"{read}loops": round(times), f"{read}rows_read": round(rows * times)}
            if known
            else {"table_rows": round(rows)}
        )
        | timing(subject, node),
        need if need and not covered(subject, need) else None,
        saving_ms=subject.time_of(node),
    )


def _stored(subject: Subject, node: Node) -> bool:
    # MariaDB's block nested loop fills a buffer with outer rows for each pass: join-no-index tells that.
    for above in subject.ancestors(node):
        # A cache that never hits (MariaDB puts one around every subquery) stores nothing: the loops below it are real.
        if above.kind in STORED and not _runs_each_time(above):
            return True
        if above.kind in JOINS:
            return "block" in above.label.lower() or above.kind is not Kind.NESTED_LOOP
    return False


def _runs_each_time(above: Node) -> bool:
    if above.kind is Kind.MEMOIZE:
        return above.cache_hits == 0
    # The sort of a LATERAL subquery is made anew for each outer row.
    return above.kind is Kind.SORT and (above.loops or 1) > 1


def _expected_passes(subject: Subject, node: Node) -> float | None:
    """
    Return the outer rows a plan without numbers of its loops expects; infinite when the plan says "dependent" only.
    """
    times, child = 1.0, node
    for above in subject.ancestors(node):
        if child.kind is Kind.LIMIT or above.join_type in {"semi", "anti"}:
            return None
        if child.dependent:
            outer = estimated_rows(subject, above)
            return float("inf") if outer is None else times * outer
        if above.kind is Kind.NESTED_LOOP and child.relationship == "inner" and subject.engine != "sqlite":
            times *= estimated_rows(subject, above.children[0]) or 0
        child = above
    return times


@rule("min-max-no-index", "E/A", supersedes=("full-index-scan",))
def min_max_no_index(subject: Subject) -> Iterator[Match]:
    """
    A whole table is read for its smallest or largest value, which the end of an index would give at once.

    Not with GROUP BY or a condition, and not when the column has an index.

    Source: 10,000 rows from pgplan and QuerySense.
    """
    for node in subject.plan.nodes():
        table, level = table_of(subject, node), level_of(subject, node)
        if table is None or level is None or not whole(node) or node.filter or not node.executed:
            continue
        if set(level.aggregates) - {"min", "max"} or not level.aggregates or len(level.tables) != 1:
            continue
        if level.where or level.group_by or level.limit or stops_early(subject, node):
            continue
        rows = subject.rows_read(node)
        columns = tuple(dict.fromkeys(_EXTREME.findall(level.sql)))
        missing = [column for column in columns if exists(subject, table, column) and _no_index(subject, table, column)]
        if rows is None or rows < subject.limits.BIG_ROWS or not missing or len(level.aggregates) < len(columns):
            continue
        yield Match(
            node,
            severity(subject, node),
            f"{{table}}: {number(rows)} rows read for the {' and '.join(sorted(set(level.aggregates)))} of {{columns}}",
            f"{'Measured' if node.analyzed else 'Estimated'}: without an index every row is compared."
            f"{took(subject, node)}",
            "Index {columns}",
            table,
            tuple(missing),
            {"rows_read" if node.analyzed else "estimated_rows_read": round(rows)} | timing(subject, node),
            IndexNeed(table, order=((missing[0], False),)),
            saving_ms=subject.time_of(node),
        )


def _no_index(subject: Subject, table: str, column: str) -> bool:
    known = subject.schema.table(table)
    return known is not None and not known.led_by(column)
