"""
Joins that run too often, multiply rows, or compare what they then drop.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.plan import JOINS, TABLE_SCANS, Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.levels import (
    PASSING,
    compared,
    elapsed,
    first_table,
    grade,
    level_of,
    may_repeat,
    numbers,
    quick,
    rows_out,
    scans,
    size,
)
from perf_panels.explain.rules.reading import names_of, table_of, through
from perf_panels.explain.rules.wording import number, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject

_IS_NULL = re.compile(r"\bis null\b", re.IGNORECASE)
_HALVES = frozenset({"semi", "anti"})

SEPARATE = """\
# One query for each relation, instead of one JOIN of all of them:
{table}.objects.prefetch_related("first_set", "second_set")"""


@rule("nested-loop-heavy", "A")
def nested_loop_heavy(subject: Subject) -> Iterator[Match]:
    """
    A join looks up its second table so often that the look-ups are most of the time.

    Not for look-ups in stored subqueries, those that are quick in all, and those that a cache mostly answers (Memoize)
    while the others take less than a slow statement.

    Source: pgplan (1,000 runs and 500 ms); 20 ms and 30 % of the statement are our judgement.
    """
    if not subject.plan.analyzed or subject.plan.root is None:
        return
    total = subject.plan.execution_ms or elapsed(subject, subject.plan.root) or 0
    least = max(subject.limits.LOOP_MS, subject.limits.LOOP_SHARE * total)
    for node in subject.plan.nodes():
        inner = _looked_up(node)
        spent = elapsed(subject, inner) if inner else None
        if inner is None or spent is None or spent < least or (inner.loops or 0) < subject.limits.LOOPS:
            continue
        if spent < subject.limits.SLOW_MS and _is_cached(subject, node):
            continue
        loops = inner.loops or 0
        misjudged = _misjudged(node)
        yield Match(
            node=inner,
            severity=grade(subject, spent),
            title=f"{{table}}: looked up {number(loops)} times by a join, {number(spent)} ms",
            detail=f"Measured: {share(spent / total) if total else 'most'} of the statement;"
            f" {number(subject.limits.LOOPS)} look-ups and {number(least)} ms count."
            f"{misjudged}",
            advice=_fewer_look_ups(inner, misjudged),
            table=table_of(subject, inner),
            evidence=numbers(loops=loops, elapsed_ms=spent, total_ms=total),
            saving_ms=spent,
        )


def _looked_up(join: Node) -> Node | None:
    """
    Return the table that a nested loop reads again and again: below a cache what the cache did not have.
    """
    if join.kind is not Kind.NESTED_LOOP or len(join.children) < 2:
        return None
    inner = through(join.children[1], Kind.MEMOIZE, Kind.MATERIALIZE, Kind.LIMIT, *PASSING)
    return inner if inner.kind in TABLE_SCANS and inner.relation and not inner.derived else None


def _is_cached(subject: Subject, join: Node) -> bool:
    cache = through(join.children[1], *PASSING)
    hits, misses = cache.cache_hits or 0, cache.cache_misses or 0
    return cache.kind is Kind.MEMOIZE and hits >= (hits + misses) * subject.limits.MEMOIZE_HIT_SHARE


def _fewer_look_ups(inner: Node, misjudged: str) -> str:
    if not inner.index:
        return "index the column of the join"
    return "run ANALYZE, so that the planner can hash" if misjudged else "filter or aggregate before the join"


def _misjudged(join: Node) -> str:
    expected, found = join.children[0].est_rows, join.children[0].act_rows
    if not expected or not found or found < 10 * expected:
        return ""
    return f" The planner expected {number(expected)} rows to look up for and got {number(found)}."


@rule("join-fanout", "A")
def join_fanout(subject: Subject) -> Iterator[Match]:
    """
    A join makes many times more rows than either side has: better done as separate queries.

    Info for an outer join without a group or DISTINCT above, as its rows may all be wanted.

    Source: 10 times the larger side is our judgement.
    """
    if not subject.plan.analyzed:
        return
    for node in subject.plan.nodes():
        if node.kind not in JOINS or len(node.children) < 2 or node.join_type in _HALVES or not node.executed:
            continue
        rows, largest = rows_out(subject, node) or 0, _larger_side(subject, node)
        if rows < subject.limits.BIG_ROWS or not largest or rows < subject.limits.FANOUT_FACTOR * largest:
            continue
        factor = rows / largest
        yield Match(
            node=node,
            severity="info" if _is_wanted(subject, node) else grade(subject, node.self_ms),
            title=f"{{table}}: a join makes {number(rows)} rows of {number(largest)}, {number(factor)} times as many",
            detail=f"Measured: every row comes {number(factor)} times; {number(subject.limits.FANOUT_FACTOR)} count."
            " Two relations joined to the same row give the product of both.",
            advice="split the JOIN into separate queries with prefetch_related, or aggregate before joining",
            table=next(iter(level_of(subject, node).tables.values()), None) or first_table(subject, node),
            evidence=numbers(rows_joined=rows, rows_of_larger_side=largest, factor=factor, self_ms=node.self_ms),
            rewrite=SEPARATE,
            saving_ms=node.self_ms,
        )


def _is_wanted(subject: Subject, join: Node) -> bool:
    reduced = any(above.kind in {Kind.AGGREGATE, Kind.DISTINCT, Kind.LIMIT} for above in subject.ancestors(join))
    return join.join_type == "left" and not reduced


def _larger_side(subject: Subject, join: Node) -> float:
    """
    Return the rows of the larger side. What a nested loop finds for each row may be the same rows again.
    """
    outer, inner = join.children[0], join.children[1]
    given, found = rows_out(subject, outer) or 0, rows_out(subject, inner) or 0
    read = scans(inner)
    if join.kind is not Kind.NESTED_LOOP or len(read) != 1:
        return max(given, found)
    if _finds_again(subject, join, read[0]):
        return max(given, inner.act_rows or 0)
    table = size(subject, read[0])
    return max(given, found if table is None else min(found, table))


def _finds_again(subject: Subject, join: Node, inner: Node) -> bool:
    """
    Say whether different rows of the outer side find the same rows: by a column that repeats, or as another relation of
    the row they are joined to has repeated it.
    """
    level = level_of(subject, join)
    outer = {name for scan in scans(join.children[0]) for name in names_of(scan)}
    ends = list(compared(level))
    for (name, _), (parent, key) in ends:
        if name not in names_of(inner) or parent not in outer:
            continue
        others = [other for other, end in ends if end[0] == parent and other[0] in outer - {name}]
        if any(may_repeat(subject, level.table_of(alias), column) for alias, column in ((parent, key), *others)):
            return True
    return False


@rule("join-filter-discard", "A", supersedes=("materialize-rescans",))
def join_filter_discard(subject: Subject) -> Iterator[Match]:
    """
    A join compares many pairs of rows and drops nearly all of them.

    Not for a condition that looks for what is missing (IS NULL), and not for quick joins.

    Source: pgplan, a warning from 10,000 rows, critical from 1,000,000.
    """
    for node in subject.plan.nodes():
        dropped, kept, least = _dropped(subject, node), rows_out(subject, node) or 0, subject.limits.JOIN_FILTER_ROWS
        most = dropped * (1 - subject.limits.DISCARD_SHARE)
        if dropped < least or kept > most or quick(subject, elapsed(subject, node)):
            continue
        yield Match(
            node=node,
            severity="critical" if dropped >= 100 * least else "warning",
            title=f"{{table}}: a join compares {number(dropped + kept)} pairs of rows to keep {number(kept)}",
            detail=f"Measured: {number(dropped)} pairs were dropped after they were read; {number(least)} count.",
            advice="join on equal columns and index the one that is looked up",
            table=_inner_table(subject, node),
            evidence=numbers(pairs_dropped=dropped, pairs_kept=kept, self_ms=node.self_ms),
            saving_ms=node.self_ms,
        )


def _dropped(subject: Subject, node: Node) -> float:
    """
    Count the rows a join's condition dropped; some engines have the condition as a filter above the join.
    """
    if not node.analyzed:
        return 0
    if node.kind in JOINS:
        return (node.removed_by_join or 0) * (node.loops or 0)
    join = node.children[0] if node.kind is Kind.FILTER and node.children else None
    if join is None or join.kind not in JOINS or _IS_NULL.search(node.filter or ""):
        return 0
    return max(0.0, (rows_out(subject, join) or 0) - (rows_out(subject, node) or 0))


def _inner_table(subject: Subject, node: Node) -> str | None:
    join = node.children[0] if node.kind is Kind.FILTER else node
    return first_table(subject, join.children[-1]) if join.children else None
