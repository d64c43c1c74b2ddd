"""
Subqueries that run again for every row of the query around them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.plan import TABLE_SCANS, Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.levels import (
    PASSING,
    elapsed,
    finds_one,
    first_table,
    grade,
    level_of,
    numbers,
    quick,
    rows_out,
    scans,
    size,
    whole_rows,
)
from perf_panels.explain.rules.reading import table_of
from perf_panels.explain.rules.wording import number, up_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import Subject

_EXISTS = re.compile(r"\bEXISTS\s*\(", re.IGNORECASE)
_AGGREGATES = {"count": "Count", "sum": "Sum", "min": "Min", "max": "Max", "avg": "Avg"}
# The column an aggregate is made of, however it is quoted.
_ARGUMENT = re.compile(
    r'\b(?:count|sum|min|max|avg)\s*\((?:\s*distinct)?\s*(?:["`]?\w+["`]?\.)*["`]?(\w+)["`]?\s*\)', re.IGNORECASE
)


@rule("correlated-subquery", "E/A", supersedes=("memoize-thrash",))
def correlated_subquery(subject: Subject) -> Iterator[Match]:
    """
    Subqueries run again for every row of the query around them.

    Not those that run once (InitPlan), that the server turned into a join, that took less than 5 ms in all, or that are
    expected to read less than 10,000 rows in all.

    Source: pgplan (1,000 runs); 20 runs and 5 ms are our judgement.
    """
    for node in dependent(subject):
        runs, spent = _runs(subject, node) or 0, _spent(subject, node)
        if runs < subject.limits.SUBQUERY_LOOPS or quick(subject, spent) or _reads_little(subject, node, runs):
            continue
        if _is_not_in(subject, node) or _looks_up_exists(subject, node) or _looks_up_in(node):
            continue
        counted = subject.plan.analyzed or subject.engine != "sqlite"
        yield Match(
            node=node,
            severity=grade(subject, spent),
            title=f"{{table}}: a subquery runs {number(runs)} times, once for each row"
            if counted
            else f"{{table}}: a subquery runs for each row, {up_to(runs)} times",
            detail=_detail(subject, spent),
            advice="join and aggregate, aggregate once for all rows, or fetch them with prefetch_related",
            table=first_table(subject, _body(node)),
            evidence=numbers(loops=runs, elapsed_ms=spent),
            rewrite=_at_once(level_of(subject, _body(node))),
            saving_ms=spent,
        )


@rule("not-in-unhashed", "A", supersedes=("correlated-subquery", "materialize-rescans"), engines=("postgresql",))
def not_in_unhashed(subject: Subject) -> Iterator[Match]:
    """
    NOT IN searches its whole list again for every row, as the list did not fit in memory.

    Only PostgreSQL does so: elsewhere, and from PostgreSQL 19 on, the list is hashed, indexed or joined.

    Source: measured, 3.4 s against 1.4 ms as an anti join; 10 runs over 10,000 rows are our judgement.
    """
    for node in dependent(subject):
        if not subject.plan.analyzed or not _is_not_in(subject, node):
            continue
        length = max((rows_out(subject, child) or 0 for child in _body(node).children), default=0)
        # Where the value is found early, the list is long and each run reads a part of it.
        compared = max(length, rows_out(subject, _body(node)) or 0)
        runs, spent = _runs(subject, node) or 0, _spent(subject, node)
        if runs < subject.limits.NOT_IN_LOOPS or compared < subject.limits.BIG_ROWS or quick(subject, spent):
            continue
        yield Match(
            node=node,
            severity=grade(subject, spent),
            title=f"{{table}}: NOT IN goes through a list of {number(length)} rows {number(runs)} times",
            detail=f"Measured: {number(spent or 0)} ms in all; the list did not fit in work_mem, so it was not hashed.",
            advice="use ~Exists(...), which becomes an anti join",
            table=table_of(subject, subject.parents[id(node)]),
            evidence=numbers(loops=runs, list_rows=length, rows_compared=compared, elapsed_ms=spent),
            rewrite='{table}.objects.filter(~Exists(Other.objects.filter(other_id=OuterRef("pk"))))',
            saving_ms=spent,
        )


def dependent(subject: Subject) -> Iterator[Node]:
    """
    Yield the subqueries that run for each row, without what wraps them twice.
    """
    for node in subject.plan.nodes():
        parent = subject.parents.get(id(node))
        wrapped = parent is not None and parent.dependent and len(parent.children) == 1
        if node.dependent and node.executed and not wrapped and not _is_hashed(node, parent):
            yield node


def _is_hashed(node: Node, parent: Node | None) -> bool:
    texts = (parent.filter, parent.join_filter, *parent.output) if parent else ()
    return bool(node.name) and any(f"hashed {node.name}" in text for text in texts if text)


def _layers(node: Node) -> list[Node]:
    """
    Return a subquery, what wraps it (a cache, a heading) first.
    """
    layers = [node]
    while layers[-1].kind in {Kind.SUBQUERY, Kind.MEMOIZE} and len(layers[-1].children) == 1:
        layers.append(layers[-1].children[0])
    return layers


def _body(node: Node) -> Node:
    return _layers(node)[-1]


def _spent(subject: Subject, node: Node) -> float | None:
    # MariaDB's cache is asked 200 times, then switched off; what it holds goes on.
    return max((spent for layer in _layers(node) if (spent := elapsed(subject, layer)) is not None), default=None)


def _detail(subject: Subject, spent: float | None) -> str:
    least = f"{number(subject.limits.SUBQUERY_LOOPS)} runs count."
    if spent is not None:
        return f"Measured: {number(spent)} ms in all; {least}"
    if subject.engine == "sqlite":
        return f"SQLite does not say how many rows there are around it; {least}"
    return f"Estimated: once for each row of the query around it; {least}"


def _runs(subject: Subject, node: Node) -> float | None:
    """
    Count its runs: measured, else one for each row its parent is expected to give.
    """
    if subject.plan.analyzed:
        # A cache runs more often than what it holds, or less once it is switched off; a table may be read more often.
        return next((layer.loops for layer in _layers(node)[1:] if layer.loops), node.loops)
    above = list(subject.ancestors(node))
    if subject.engine == "sqlite":
        return _rows_around(subject, above)
    runs = None
    for parent in above:
        if parent.est_rows is None:
            continue
        runs = parent.est_rows if runs is None else runs
        if parent.kind is Kind.LIMIT:
            return min(runs, parent.est_rows)
        if parent.kind not in PASSING and parent.kind not in TABLE_SCANS:
            break
    return runs


def _rows_around(subject: Subject, above: list[Node]) -> float:
    """
    Count the rows around a subquery of SQLite, whose plans have no numbers: no more than the largest table has.
    """
    found = next((found for parent in above if (found := scans(parent))), [])
    rows = max((size(subject, scan) or 0 for scan in found if not finds_one(subject, scan)), default=0)
    limit = level_of(subject, found[0]).limit if found else None
    return rows if limit is None else min(rows, limit)


def _reads_little(subject: Subject, node: Node, runs: float) -> bool:
    """
    Say whether all runs together are expected to read few rows, where nobody measured.
    """
    if subject.plan.analyzed:
        return False
    body = _body(node)
    expected = max((scan.est_scanned or scan.est_rows or 1 for scan in scans(body)), default=1)
    return runs * max(expected, whole_rows(subject, body) or 1) < subject.limits.BIG_ROWS


def _is_not_in(subject: Subject, node: Node) -> bool:
    """
    Recognise PostgreSQL's NOT IN over a list in memory that is read from its start for each row.
    """
    parent = subject.parents.get(id(node))
    condition = (parent.filter if parent else None) or ""
    negated = re.search(r"\bNOT\b.*SubPlan", condition) is not None and "hashed" not in condition
    return negated and _body(node).kind is Kind.MATERIALIZE


def _looks_up_exists(subject: Subject, node: Node) -> bool:
    # Before 3.51 SQLite has the same words for an EXISTS, which stops at the first row of the index.
    if subject.engine != "sqlite" or len(_EXISTS.findall(subject.query.sql)) < len(list(dependent(subject))):
        return False
    return all(scan.index_cond or scan.index_columns for scan in scans(_body(node)))


def _looks_up_in(node: Node) -> bool:
    # MySQL and MariaDB: one look-up in an index for each row, as a join would do.
    return any(below.raw.get("access_type") in {"index_subquery", "unique_subquery"} for below in node.walk())


def _at_once(inner: Query) -> str:
    """
    Return code for what the subquery finds, for all rows in one query.
    """
    column = _compared_column(inner) or "parent_id"
    function = _AGGREGATES.get(inner.aggregates[0]) if inner.aggregates else None
    if function is None:
        return f"related = {{table}}.objects.filter({column}__in=ids)"
    of = _ARGUMENT.search(inner.sql)
    what = of.group(1) if of else "pk"
    # Without the empty order_by() a Meta.ordering would become part of the GROUP BY.
    return (
        f'found = {{table}}.objects.filter({column}__in=ids).order_by().values_list("{column}")\n'
        f'by_id = dict(found.annotate(result={function}("{what}")))'
    )


def _compared_column(inner: Query) -> str | None:
    for part in (*inner.where, *inner.joins):
        if part.operator != "join":
            continue
        here, there = inner.table_of(part.table), inner.table_of(part.other_table)
        if here and not there:
            return part.column
        if there and not here:
            return part.other_column
    return None
