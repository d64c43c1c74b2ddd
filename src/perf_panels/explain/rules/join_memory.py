"""
Joins and caches that need more memory than one statement has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.levels import elapsed, first_table, grade, numbers, quick, rows_in
from perf_panels.explain.rules.wording import number, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.rules.base import Subject


@rule("hash-spill", "A", engines=("postgresql",))
def hash_spill(subject: Subject) -> Iterator[Match]:
    """
    The smaller side of a join is stored in files on disk, as it does not fit in memory.

    Only PostgreSQL says how often.

    Source: pgplan, a warning from 2 batches, critical from more than 8.
    """
    for node in subject.plan.nodes():
        if node.kind is not Kind.HASH or not node.executed or (node.batches or 0) <= 1:
            continue
        batches, rows = node.batches or 0, rows_in(subject, node) or 0
        join = subject.parents.get(id(node), node)
        grew = f", planned {number(node.original_batches)}" if node.original_batches not in {None, batches} else ""
        yield Match(
            node=node,
            severity="critical" if batches > subject.limits.HASH_BATCHES_CRITICAL else "warning",
            title=f"{{table}}: {number(rows)} rows of a join kept on disk in {number(batches)} parts",
            detail=f"Measured: {number(batches)} batches{grew}; 1 is a join in memory.",
            advice="filter before the join, fetch fewer columns with only(), or raise work_mem",
            table=first_table(subject, node),
            evidence=numbers(rows_hashed=rows, batches=batches, self_ms=join.self_ms),
            saving_ms=join.self_ms,
        )


@rule("materialize-rescans", "A", engines=("postgresql",))
def materialize_rescans(subject: Subject) -> Iterator[Match]:
    """
    Stored rows are read from the start again and again.

    Only PostgreSQL says so; not for few rows, as in small cross joins.

    Source: pgplan (100 times, 10,000 rows); 1,000 rows are our judgement.
    """
    for node in subject.plan.nodes():
        loops, rows = node.loops or 0, node.act_rows or 0
        if node.kind is not Kind.MATERIALIZE or loops < subject.limits.RESCANS or rows < subject.limits.RESCAN_ROWS:
            continue
        if quick(subject, elapsed(subject, node)):
            continue
        yield Match(
            node=node,
            severity="info",
            title=f"{{table}}: {number(rows)} stored rows read {number(loops)} times",
            detail=f"Measured: {number(rows * loops)} rows in all;"
            f" {number(subject.limits.RESCAN_ROWS)} rows and {number(subject.limits.RESCANS)} times count.",
            advice="index the column that is compared, so that no more than the matching rows are read",
            table=first_table(subject, node),
            evidence=numbers(loops=loops, rows_stored=rows, self_ms=node.self_ms),
            saving_ms=node.self_ms,
        )


@rule("memoize-thrash", "A", engines=("postgresql", "mariadb"))
def memoize_thrash(subject: Subject) -> Iterator[Match]:
    """
    The cache of a join or subquery is too small for its keys, or seldom has the one asked for.

    Not when half of the look-ups are answered from it, and not for quick ones.

    Source: half of the look-ups is our judgement.
    """
    for node in subject.plan.nodes():
        if node.kind is not Kind.MEMOIZE or not node.analyzed or quick(subject, elapsed(subject, node)):
            continue
        hits, misses = node.cache_hits or 0, node.cache_misses or 0
        lost = (node.cache_evictions or 0) + (node.raw.get("Cache Overflows") or 0)
        disabled = node.raw.get("state") == "disabled"
        hit = hits / (hits + misses) if hits + misses else 0
        if not (lost or disabled) or hit >= subject.limits.MEMOIZE_HIT_SHARE:
            continue
        counts = f"{number(hits)} hits, {number(misses)} misses, {number(lost)} evictions"
        yield Match(
            node=node,
            severity=grade(subject, node.self_ms),
            title=f"{{table}}: the cache of look-ups had {share(hit)} of what was asked",
            detail=f"Measured: {'MariaDB switched it off' if disabled else counts}.",
            advice="index what is looked up" + ("" if disabled else ", or raise work_mem"),
            table=first_table(subject, node),
            evidence=numbers(cache_hits=hits, cache_misses=misses, cache_evictions=lost, self_ms=node.self_ms),
            saving_ms=node.self_ms,
        )
