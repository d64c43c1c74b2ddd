"""
CTEs and derived tables that are made in full before most of their rows are dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.levels import elapsed, first_table, grade, numbers, quick, rows_out, whole_rows
from perf_panels.explain.rules.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import Subject

_RECURSIVE = re.compile(r"\bRECURSIVE\b", re.IGNORECASE)
_READERS = frozenset({Kind.SUBQUERY_SCAN, Kind.CTE_SCAN})


@dataclass(frozen=True)
class Unused:
    """
    Rows that were made and, as far as is known, used.
    """

    reader: Node
    made: float
    used: float | None


@rule("cte-materialized", "A")
def cte_materialized(subject: Subject) -> Iterator[Match]:
    """
    A CTE is made in full, and few of its rows are used.

    Not when it is used twice, for which it is made once, and not for recursive ones.

    Source: 90 % of 10,000 rows, as for scans.
    """
    if _RECURSIVE.search(subject.query.sql):
        return
    for unused in _unused(subject):
        name = _cte_name(subject, unused.reader)
        if name and _uses(subject, name) < 2:
            match = _match(subject, unused, f"the CTE {name}")
            match.advice = "filter inside of the CTE, or leave out MATERIALIZED so that the filter is pushed down"
            yield match


@rule("derived-materialized", "A")
def derived_materialized(subject: Subject) -> Iterator[Match]:
    """
    A subquery in FROM is made in full, and few of its rows are used.

    Not when the server makes only the rows that are asked for (LATERAL), and not around a window function.

    Source: 90 % of 10,000 rows, as for scans.
    """
    for unused in _unused(subject):
        if unused.reader.kind is not Kind.CTE_SCAN and _cte_name(subject, unused.reader) is None:
            match = _match(subject, unused, f"the subquery {unused.reader.alias or 'in FROM'}")
            match.severity = "info"
            yield match


def _match(subject: Subject, unused: Unused, what: str) -> Match:
    reader, made, used = unused.reader, number(unused.made), unused.used
    spent = elapsed(subject, reader)
    return Match(
        node=reader,
        severity=grade(subject, spent),
        title=f"{{table}}: {made} rows made for {what}{'' if used is None else f' to use {number(used)}'}",
        detail=f"SQLite does not say how many of them are used; the statement has a filter outside of {what}."
        if used is None
        else f"Measured: {number(used)} of {made} rows were used.",
        advice="filter inside of the subquery too, or correlate it with OuterRef",
        table=first_table(subject, _maker(subject, reader) or reader),
        evidence=numbers(rows_made=unused.made, rows_used=used, elapsed_ms=spent),
        saving_ms=spent,
    )


def _unused(subject: Subject) -> Iterator[Unused]:
    """
    Yield the readers of CTEs and derived tables that leave most rows.
    """
    limits = subject.limits
    for reader in subject.plan.nodes():
        if not (reader.kind in _READERS or reader.derived) or not reader.executed or _is_pushed(subject, reader):
            continue
        maker = _maker(subject, reader)
        if subject.engine == "sqlite":
            made = (whole_rows(subject, maker) or 0) if maker and _filtered_outside(subject, reader) else 0
            if made >= limits.BIG_ROWS:
                yield Unused(reader, made, None)
        elif reader.analyzed and not quick(subject, elapsed(subject, reader)):
            made, used = max(reader.scanned or 0, (maker and rows_out(subject, maker)) or 0), reader.rows_total or 0
            if made >= limits.BIG_ROWS and used <= made * (1 - limits.DISCARD_SHARE):
                yield Unused(reader, made, used)


def _maker(subject: Subject, reader: Node) -> Node | None:
    """
    Return the node that makes the rows: below their reader, or elsewhere under the same name.
    """
    below = next((node for node in reader.below() if node.kind is Kind.MATERIALIZE), None)
    if below is not None or not reader.alias:
        return below
    named = (node for node in subject.plan.nodes() if node.kind is Kind.MATERIALIZE)
    return next((node for node in named if reader.alias in {node.alias, node.name, node.relation}), None)


def _is_pushed(subject: Subject, reader: Node) -> bool:
    maker = _maker(subject, reader)
    inner = _level(subject, reader)
    lateral = any(node.raw.get("lateral") for node in (reader, maker) if node)
    return lateral or (inner is not None and inner.has_window)


def _level(subject: Subject, reader: Node) -> Query | None:
    names = {reader.alias, reader.relation, reader.name} - {None}
    return next((level for level in subject.query.levels() if level.name in names), None)


def _filtered_outside(subject: Subject, reader: Node) -> bool:
    inner = _level(subject, reader)
    outer = next((level for level in subject.query.levels() if any(below is inner for below in level.subqueries)), None)
    return inner is not None and outer is not None and bool(outer.where) and not inner.where and inner.limit is None


def _cte_name(subject: Subject, reader: Node) -> str | None:
    names = [name for name in (reader.raw.get("CTE Name"), reader.name, reader.relation, reader.alias) if name]
    made = r'["`]?\b%s\b["`]?\s*(?:\([^()]*\)\s*)?AS\s+(?:NOT\s+)?(?:MATERIALIZED\s*)?\('
    for name in names:
        plain = name.removeprefix("CTE ")
        if re.search(made % re.escape(plain), subject.query.sql, re.IGNORECASE):
            return plain
    return None


def _uses(subject: Subject, name: str) -> int:
    return len(re.findall(rf'\b(?:FROM|JOIN)\s+["`]?{re.escape(name)}\b', subject.query.sql, re.IGNORECASE))
