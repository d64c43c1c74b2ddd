"""
One plan tree for every engine: what ``plans`` make, what ``rules`` read and what the page draws.

The words are PostgreSQL's where engines differ. Source of the shape: docs/explain.md, "How a plan is read".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINES = ("postgresql", "mysql", "mariadb", "sqlite", "oracle")


class Kind(str, Enum):
    """
    What a node does, whatever its engine calls it. ``OTHER`` is shown and never judged.
    """

    SCAN = "scan"
    """Reads a whole table: Seq Scan, access_type ALL, SCAN, and SQLite's SEARCH without USING."""
    INDEX_SCAN = "index scan"
    """Reads table rows through an index; ``index_cond`` is None when it walks the whole index."""
    INDEX_ONLY_SCAN = "index only scan"
    """Reads an index that has every column asked for."""
    BITMAP_SCAN = "bitmap scan"
    """PostgreSQL's Bitmap Heap Scan; elsewhere a union or intersection of ranges (index_merge, MULTI-INDEX OR)."""
    BITMAP_INDEX = "bitmap index scan"
    BITMAP_AND = "bitmap and"
    BITMAP_OR = "bitmap or"
    TABLE_FUNCTION = "table function"
    """Rows of a function, a virtual table, VALUES, a constant row."""
    SUBQUERY_SCAN = "subquery scan"
    """Reads the rows of a derived table; MATERIALIZED when they are stored first."""
    CTE_SCAN = "cte scan"
    MATERIALIZE = "materialize"
    """Stores rows to read them again: Materialize, a derived table in a temporary table, MATERIALIZE, CO-ROUTINE."""
    MEMOIZE = "memoize"
    """Remembers rows by key: Memoize, MariaDB's expression_cache and subquery_cache."""
    NESTED_LOOP = "nested loop"
    HASH_JOIN = "hash join"
    MERGE_JOIN = "merge join"
    HASH = "hash"
    SORT = "sort"
    INCREMENTAL_SORT = "incremental sort"
    LIMIT = "limit"
    AGGREGATE = "aggregate"
    """Sum, count, GROUP BY; ``grouping`` has the keys, ``strategy`` says plain, sorted, hashed or temporary table."""
    DISTINCT = "distinct"
    """Drops duplicates: Unique, duplicates_removal, TEMP B-TREE FOR DISTINCT."""
    WINDOW = "window"
    APPEND = "append"
    SET_OPERATION = "set operation"
    """UNION, INTERSECT, EXCEPT; ``strategy`` is "dedup" when duplicates are dropped."""
    GATHER = "gather"
    LOCK_ROWS = "lock rows"
    MODIFY = "modify"
    """INSERT, UPDATE, DELETE, MERGE; ``strategy`` has the word in lower case."""
    FILTER = "filter"
    """A filter that stands by itself, over a join or a derived table. Over a table it is folded into the scan."""
    RESULT = "result"
    """One row, or none, made without a table; ``strategy`` is "never" for a condition that is always false."""
    SUBQUERY = "subquery"
    """Wraps a subquery of an expression; ``dependent`` says whether it runs again for each outer row."""
    OTHER = "other"


TABLE_SCANS = frozenset({Kind.SCAN, Kind.INDEX_SCAN, Kind.INDEX_ONLY_SCAN, Kind.BITMAP_SCAN})
JOINS = frozenset({Kind.NESTED_LOOP, Kind.HASH_JOIN, Kind.MERGE_JOIN})


@dataclass
class Node:
    """
    One step of a plan. Rows and times are **per loop** unless the name says otherwise; None is "not said".

    ``filter`` is what is checked after a row was read, ``index_cond`` what the index itself searched for.
    ``act_rows`` counts what the node gave after its filter, ``removed`` what the filter threw away; an engine that has
    the filter as a node of its own (MySQL) is folded to the same meaning by its parser.
    """

    kind: Kind
    label: str
    """The engine's own name of the step, as its documents spell it, such as ``Parallel Seq Scan`` or ``SCAN l``."""
    children: list[Node] = field(default_factory=list)
    relationship: str | None = None
    """Of this node to its parent: outer, inner, member, subquery, initplan, subplan; None for the root."""
    dependent: bool = False
    """A subplan that runs again for each row of its parent (not hashed, not an InitPlan)."""
    name: str | None = None
    """Of a subplan or CTE: ``SubPlan 1``, ``CTE totals``."""

    schema: str | None = None
    relation: str | None = None
    """The table, without schema and quotes; None for a derived table, whose name is in ``alias``."""
    alias: str | None = None
    derived: bool = False
    """The rows come from a derived table, a CTE or a temporary table, which no index can help."""
    index: str | None = None
    index_cond: str | None = None
    index_columns: tuple[str, ...] = ()
    """Columns of the index that were searched for, where the engine names them (used_key_parts, ``(a=? AND b>?)``)."""
    automatic_index: bool = False
    """SQLite built an index for this one statement."""
    filter: str | None = None
    possible_keys: tuple[str, ...] = ()
    output: tuple[str, ...] = ()

    join_type: str | None = None
    """inner, left, right, full, semi or anti."""
    join_cond: str | None = None
    """What a hash or merge join compares."""
    join_filter: str | None = None
    sort_keys: tuple[str, ...] = ()
    presorted_keys: tuple[str, ...] = ()
    grouping: tuple[str, ...] = ()
    strategy: str | None = None
    limit: float | None = None
    offset: float | None = None

    est_rows: float | None = None
    """Rows the node was expected to give."""
    est_scanned: float | None = None
    """Rows it was expected to read, before its filter; None where the engine does not say (PostgreSQL, SQLite)."""
    act_rows: float | None = None
    loops: float | None = None
    """How often it ran; 0 is "never executed"; None without ANALYZE."""
    removed: float | None = None
    removed_by_join: float | None = None
    removed_by_recheck: float | None = None
    heap_fetches: float | None = None
    """Of all loops together."""
    width_bytes: float | None = None

    cost: float | None = None
    """Total cost, children included, in the engine's unit."""
    start_ms: float | None = None
    total_ms: float | None = None
    """Of one loop, children included."""
    self_ms: float | None = None
    """Of all loops, children taken off; parallel nodes counted once. Filled by ``fill_self_times``."""
    parallel: bool = False
    """Below a Gather: loops are counted over processes that run at the same time."""
    processes: float | None = None
    """Of those, how many; filled by ``fill_self_times``."""

    blocks_hit: float | None = None
    blocks_read: float | None = None
    temp_read: float | None = None
    temp_written: float | None = None
    exact_blocks: float | None = None
    lossy_blocks: float | None = None
    sort_method: str | None = None
    sort_space_kb: float | None = None
    sort_on_disk: bool = False
    batches: float | None = None
    """Of a Hash or a HashAggregate; more than 1 is a spill to disk."""
    original_batches: float | None = None
    disk_kb: float | None = None
    cache_hits: float | None = None
    cache_misses: float | None = None
    cache_evictions: float | None = None
    workers_planned: float | None = None
    workers_launched: float | None = None
    index_searches: float | None = None
    subplans_removed: float | None = None
    raw: dict[str, Any] = field(default_factory=dict)
    """The engine's own keys of this node, without its children, for the page and for rules of one engine."""

    @property
    def analyzed(self) -> bool:
        return self.act_rows is not None

    @property
    def executed(self) -> bool:
        return self.loops is None or self.loops > 0

    @property
    def rows_total(self) -> float | None:
        """
        Rows given by all loops together.
        """
        return None if self.act_rows is None else self.act_rows * (self.loops or 0)

    @property
    def scanned(self) -> float | None:
        """
        Rows read by all loops together, as measured; None without ANALYZE.
        """
        if self.act_rows is None:
            return None
        return (self.act_rows + (self.removed or 0) + (self.removed_by_recheck or 0)) * (self.loops or 0)

    @property
    def keep(self) -> float | None:
        """
        Share of the rows read that the filter kept, 0 to 1, as measured.
        """
        scanned = self.scanned
        return None if not scanned else (self.rows_total or 0) / scanned

    @property
    def elapsed_ms(self) -> float | None:
        """
        Time of all loops, children included; loops that ran at the same time (parallel) are counted once.
        """
        if self.total_ms is None:
            return None
        loops = self.loops or 0
        if self.parallel:
            loops = max(1.0, loops / self.processes) if self.processes else 1.0
        return self.total_ms * loops

    def walk(self) -> Iterator[Node]:
        """
        Yield this node and all below it, parents first.
        """
        yield self
        for child in self.children:
            yield from child.walk()

    def below(self) -> Iterator[Node]:
        """
        Yield all nodes below this one.
        """
        for child in self.children:
            yield from child.walk()


@dataclass
class Trigger:
    """
    A trigger or constraint check that ran with the statement (PostgreSQL).
    """

    name: str
    relation: str | None
    constraint: str | None
    calls: float
    total_ms: float


@dataclass
class Plan:
    """
    A whole plan. ``root`` is None when it could not be read: then ``problem`` says why and ``text`` is all there is.
    """

    engine: str
    root: Node | None
    analyzed: bool = False
    text: str = ""
    """As the server gave it: JSON, or the lines of EXPLAIN."""
    version: str = ""
    planning_ms: float | None = None
    execution_ms: float | None = None
    jit_ms: float | None = None
    triggers: list[Trigger] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """Planner settings that differ from their defaults (PostgreSQL's SETTINGS)."""
    problem: str | None = None
    """A sentence for people; no rule but ``problem_rule`` is run."""
    problem_rule: str | None = None
    """``invalid-plan`` or ``partial-plan``."""
    notes: list[str] = field(default_factory=list)
    """Lines and node types that were not understood, and warnings of the server."""

    def nodes(self) -> Iterator[Node]:
        """
        Yield every node, parents first; none if the plan could not be read.
        """
        if self.root is not None:
            yield from self.root.walk()

    def parents(self) -> dict[int, Node]:
        """
        Return the parent of each node by ``id(node)``; the root is not in it.
        """
        return {id(child): node for node in self.nodes() for child in node.children}


def fill_self_times(root: Node) -> None:
    """
    Set ``self_ms`` of every node: its own time of all loops, without that of its children, never below zero.
    """
    for gather in root.walk():
        if gather.kind is Kind.GATHER and gather.children:
            for node in gather.below():
                node.processes = gather.children[0].loops
    for node in root.walk():
        elapsed = node.elapsed_ms
        if elapsed is None:
            continue
        below = sum(child.elapsed_ms or 0 for child in node.children)
        node.self_ms = max(0.0, elapsed - below)
