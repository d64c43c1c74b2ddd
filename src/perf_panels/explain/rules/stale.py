"""
The rule about statistics that are missing or old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import TABLE_SCANS
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.estimates import misestimate
from perf_panels.explain.rules.levels import finds_one
from perf_panels.explain.rules.reading import conditions_on, level_of, table_of, whole
from perf_panels.explain.rules.statistics import analyze_statement
from perf_panels.explain.rules.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject
    from perf_panels.explain.schema import Table


@rule("stale-stats", "E/A")
def stale_stats(subject: Subject) -> Iterator[Match]:
    """
    A table's statistics are missing, or older than many of its rows.

    Once for a plan, for the largest such table. A measured plan must also show that the planner was wrong about it.

    Source: 20 % is what PostgreSQL's autovacuum would still tolerate twice over.
    """
    stale = [
        (table.rows or 0, node, table)
        for node in subject.plan.nodes()
        if node.kind in TABLE_SCANS
        and (table := subject.schema.table(table_of(subject, node)))
        and _is_stale(subject, table)
        if (misestimate(subject, node) is not None if node.analyzed else _guessed(subject, node))
    ]
    for _, node, table in sorted(stale, key=lambda found: -found[0])[:1]:
        yield _stale_match(subject, node, table)


def _guessed(subject: Subject, node: Node) -> bool:
    """
    Say whether the planner had to guess how many rows a condition finds. SQLite shows what it does beside conditions,
    too: it looks for one row by a key, reads a table in full, and searches tables for rows that refer to those changed.
    """
    if subject.engine != "sqlite":
        return True
    if level_of(subject, node) is None:
        return not subject.query.readable
    return bool(conditions_on(subject, node)) if whole(node) else not finds_one(subject, node)


def _is_stale(subject: Subject, table: Table) -> bool:
    if not table.rows or table.rows < subject.limits.BIG_ROWS:
        return False
    if table.analysed is False:
        return True
    return (table.modified_since_analyze or 0) >= table.rows * subject.limits.STALE_SHARE


def _stale_match(subject: Subject, node: Node, table: Table) -> Match:
    changed = table.modified_since_analyze
    rows = number(table.rows or 0)
    old = f"{number(changed or 0)} of {rows} rows changed since its statistics were made"
    evidence: dict[str, float | int] = {"table_rows": round(table.rows or 0)}
    if changed is not None:
        evidence["modified_rows"] = round(changed)
    return Match(
        node,
        "warning" if node.analyzed else "info",
        f"{{table}}: no statistics for {rows} rows" if table.analysed is False else f"{{table}}: {old}",
        "Without them the planner has to guess how many rows a condition finds.",
        "Refresh the table's statistics, outside a transaction",
        table.name,
        (),
        evidence,
        rewrite=analyze_statement(subject.engine, table.name),
    )
