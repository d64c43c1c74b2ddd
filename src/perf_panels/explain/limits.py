"""
The thresholds of the rules: ``PERF_PANELS["EXPLAIN_LIMITS"]``, one field each, with the source of its default.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from perf_panels.conf import get_config


@dataclass(frozen=True)
class Limits:
    """
    Rows are counted over all loops; shares and ratios are between 0 and 1 unless the name says factor.
    """

    SLOW_MS: float = 100
    """A statement that took longer is called slow; from the article on making a Django shop fast."""
    BIG_ROWS: float = 10_000
    """Rows read from which a scan or a sort counts; pgplan, QuerySense."""
    DISCARD_SHARE: float = 0.9
    """Share of the rows read that is thrown away; PEV2's red."""
    NODE_MS: float = 5
    """A measured node faster than this is no problem."""
    SCAN_BLOCKS: float = 50
    """A measured scan of fewer blocks is no problem; Joe."""
    INDEX_FILTER_ROWS: float = 1_000
    """Rows an index scan fetched in vain."""
    PARTIAL_INDEX_SHARE: float = 0.05
    """Share of a table that a partial index may cover and still be worth it; judgement."""
    PARTIAL_INDEX_LEAST_SHARE: float = 0.0001
    """Share of the rows below which a value is no state that a program knows; judgement."""
    REPEATED_SCAN_ROWS: float = 50_000
    """Rows of a scan that runs again and again; five times BIG_ROWS."""
    SMALL_TABLE_ROWS: float = 100
    """A table of no more rows may be read again and again."""
    JOIN_SCAN_ROWS: float = 50_000
    """Rows of an unfiltered side of a join; five times BIG_ROWS."""
    JOIN_KEEP_SHARE: float = 0.05
    """Share of that side which the join keeps."""
    HEAP_FETCHES: float = 1_000
    HEAP_FETCH_SHARE: float = 0.1
    """PEV2 marks from 0, 40 and 90 %."""
    LOSSY_SHARE: float = 0.1
    """pgplan warns at 50 %."""
    RECHECK_ROWS: float = 1_000
    PARTITIONS: float = 5
    DISTINCT_FACTOR: float = 3
    """Rows into DISTINCT for each that comes out; judgement."""
    UNION_ROWS: float = 1_000
    """Rows compared by a UNION that are worth a line; judgement."""
    FANOUT_FACTOR: float = 10
    """Rows of a join for each of its larger input; judgement."""
    HASH_BATCHES_CRITICAL: float = 8
    """pgplan: more than 1 is a warning, more than 8 critical."""
    LOOPS: float = 1_000
    """Runs of the inner side of a nested loop; pgplan."""
    LOOP_MS: float = 20
    LOOP_SHARE: float = 0.3
    """Share of the statement's time spent in the inner side."""
    JOIN_FILTER_ROWS: float = 10_000
    """Rows a join compared and dropped; pgplan, critical from 1,000,000."""
    SUBQUERY_LOOPS: float = 20
    """Runs of a subquery for each outer row."""
    NOT_IN_LOOPS: float = 10
    RESCANS: float = 100
    RESCAN_ROWS: float = 1_000
    """pgplan: 100 and 10,000."""
    MEMOIZE_HIT_SHARE: float = 0.5
    MISESTIMATE_FACTOR: float = 10
    """Info from here, warning from ten times, critical from a hundred times this; depesz, PEV2, pgAdmin."""
    MISESTIMATE_ROWS: float = 1_000
    STALE_SHARE: float = 0.2
    """Rows changed since the last ANALYZE."""
    OFFSET_ROWS: float = 1_000
    """Joe says any OFFSET."""
    RESULT_ROWS: float = 10_000
    """Joe."""
    READ_BLOCKS: float = 1_000
    """Blocks read from disk; pgplan."""
    READ_SHARE: float = 0.5
    BLOCKS_PER_ROW: float = 1_000
    JIT_MS: float = 10
    JIT_SHARE: float = 0.25
    PLANNING_MS: float = 10
    WIDTH_BYTES: float = 2_000
    """pgplan."""
    TRIGGER_MS: float = 5
    TRIGGER_SHARE: float = 0.1


def get_limits() -> Limits:
    """
    Return the thresholds in force. Bad ones keep their defaults: a system check reports them.
    """
    given: dict[str, Any] = dict(get_config().EXPLAIN_LIMITS)
    known = {field.name for field in fields(Limits)}
    return Limits(**{name: value for name, value in given.items() if name in known})
