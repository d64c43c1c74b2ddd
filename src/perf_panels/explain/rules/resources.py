"""
Rules about what a statement cost besides rows: blocks, temporary files, bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.wording import number, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject

POSTGRESQL = ("postgresql",)
BLOCK_KB = 8
ONLY = '{table}.objects.only("pk", ...)'


def _main_table(subject: Subject) -> str | None:
    return next((node.relation for node in subject.plan.nodes() if node.relation), None)


@rule("io-heavy", "A", engines=POSTGRESQL)
def io_heavy(subject: Subject) -> Iterator[Match]:
    """
    Very many blocks are read for each row that comes out.

    Info. Not for sums and counts, which need all the rows they read, nor for writes.

    Source: 1,000 blocks for a row; judgement.
    """
    root = subject.plan.root
    if root is None or root.act_rows is None or root.blocks_hit is None or root.kind is Kind.MODIFY:
        return
    if any(node.kind in {Kind.AGGREGATE, Kind.DISTINCT, Kind.WINDOW} for node in subject.plan.nodes()):
        return
    blocks = root.blocks_hit + (root.blocks_read or 0)
    rows = max(root.rows_total or 0, 1)
    if blocks / rows < subject.limits.BLOCKS_PER_ROW:
        return
    yield Match(
        root,
        "info",
        f"{number(blocks / rows)} blocks read for each row that came out",
        f"Measured: {number(blocks * BLOCK_KB / 1024)} MB went through the cache; from"
        f" {number(subject.limits.BLOCKS_PER_ROW)} blocks for each row it counts.",
        "Look for an index that leads to the rows",
        _main_table(subject),
        (),
        {"blocks": round(blocks), "rows": round(root.rows_total or 0), "blocks_per_row": round(blocks / rows)},
    )


@rule("cold-cache", "A", engines=POSTGRESQL)
def cold_cache(subject: Subject) -> Iterator[Match]:
    """
    Most blocks came from disk, so the times are those of a first run.

    Source: 1,000 blocks and 50 % from pgplan.
    """
    root = subject.plan.root
    if root is None or root.blocks_read is None:
        return
    read, blocks = root.blocks_read, root.blocks_read + (root.blocks_hit or 0)
    if read < subject.limits.READ_BLOCKS or read < blocks * subject.limits.READ_SHARE:
        return
    yield Match(
        root,
        "info",
        f"{number(read)} of {number(blocks)} blocks read from disk",
        f"Measured: {share(read / blocks)} was not in the server's cache.",
        "Analyze again: if the blocks are cached then, only the first run is this slow",
        _main_table(subject),
        (),
        {"blocks_read": round(read), "blocks": round(blocks)},
    )


@rule("temp-io", "A", engines=POSTGRESQL)
def temp_io(subject: Subject) -> Iterator[Match]:
    """
    A step wrote temporary files that is neither a sort, a hash nor a group: those have rules of their own.

    Source: any block.
    """
    spilled = [node for node in subject.plan.nodes() if _spilled(node)]
    # A hash join writes both of its sides, the spill is told of the Hash below.
    told = {id(node) for node in (*spilled, *(subject.parents.get(id(node)) for node in spilled))}
    nodes = [node for node in subject.plan.nodes() if id(node) not in told]
    own = {id(node): _own_temp(node) for node in nodes}
    worst = max(nodes, key=lambda node: own[id(node)], default=None)
    if worst is None or own[id(worst)] <= 0:
        return
    blocks = own[id(worst)]
    yield Match(
        worst,
        "warning",
        f"{number(blocks)} blocks of temporary files written and read by {worst.label}",
        f"Measured: {number(blocks * BLOCK_KB / 1024)} MB did not fit into work_mem.",
        "Keep fewer rows or columns for this step, or give the statement more work_mem",
        worst.relation,
        (),
        {"temp_blocks": round(blocks)},
        rewrite="SET LOCAL work_mem = '64MB';",
    )


def _own_temp(node: Node) -> float:
    below = sum((child.temp_read or 0) + (child.temp_written or 0) for child in node.children)
    return (node.temp_read or 0) + (node.temp_written or 0) - below


def _spilled(node: Node) -> bool:
    return node.sort_on_disk or (node.batches or 1) > 1 or bool(node.disk_kb)


@rule("wide-rows", "E", engines=POSTGRESQL)
def wide_rows(subject: Subject) -> Iterator[Match]:
    """
    Many rows with many bytes each are fetched.

    Info. Before PostgreSQL 17 (SERIALIZE) the time to unpack long texts and JSON is not in the measured time.

    Source: 2,000 bytes and 10,000 rows from pgplan.
    """
    root = subject.plan.root
    if root is None or root.kind is Kind.MODIFY or (root.width_bytes or 0) < subject.limits.WIDTH_BYTES:
        return
    rows = root.rows_total if root.rows_total is not None else root.est_rows
    if rows is None or rows < subject.limits.RESULT_ROWS:
        return
    width = root.width_bytes or 0
    table = _main_table(subject)
    yield Match(
        root,
        "info",
        f"{number(rows)} rows{' of {table}' if table else ''} with {number(width)} bytes each",
        f"About {number(rows * width / 1_000_000)} MB travel to Python; unpacking long values is not in the plan's"
        " times.",
        "Fetch only the columns that are used",
        table,
        (),
        {"rows": round(rows), "width_bytes": round(width)},
        rewrite=ONLY,
    )
