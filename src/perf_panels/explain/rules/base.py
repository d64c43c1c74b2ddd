"""
What a rule is: a function from a plan, the statement and the schema to matches, under a public id.

Rules know the normalised tree only; they say what they found as a ``Match``, which ``advice`` puts into Django's words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from perf_panels.explain.limits import Limits, get_limits
from perf_panels.explain.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from perf_panels.explain.plan import Node, Plan
    from perf_panels.explain.query import Query
    from perf_panels.findings import Severity


@dataclass
class IndexNeed:
    """
    The index that would help, in the database's words; ``indexes`` turns it into ``models.Index`` and SQL, or drops it.

    Columns go in this order: ``equality``, then ``order`` or ``range_`` (one). ``condition`` has the predicates of a
    partial index: (column, operator eq|null|not-null|true|false|in|ne, value); a backend without partial indexes puts
    these columns first instead.
    """

    table: str
    equality: tuple[str, ...] = ()
    range_: str | None = None
    order: tuple[tuple[str, bool], ...] = ()
    """(column, descending)."""
    condition: tuple[tuple[str, str, Any], ...] = ()
    include: tuple[str, ...] = ()
    expression: str | None = None
    """SQL of an indexed expression, instead of columns."""
    wrapped: tuple[str, str] | None = None
    """(function, column) of that expression, such as ("upper", "email")."""
    method: str = "btree"
    """btree, gin, trigram (pg_trgm GIN) or fulltext."""
    opclass: str | None = None
    partition: str | None = None
    """A partition of the table, which tells of its columns and indexes where nobody knows the table's own."""


@dataclass
class Match:
    """
    One place in a plan where a rule applies.
    """

    node: Node | None
    severity: Severity
    title: str
    """One line: what happens, with its number. ``advice`` fills ``{table}`` and ``{columns}`` in Django's words."""
    detail: str
    """Why it is a problem: numbers, estimated or measured, and the threshold."""
    advice: str
    """What to do, one clause."""
    table: str | None = None
    columns: tuple[str, ...] = ()
    evidence: dict[str, float | int] = field(default_factory=dict)
    """Plain numbers, the unit in the key: rows_read, rows_kept, loops, self_ms, estimated_rows, factor …"""
    index: IndexNeed | None = None
    rewrite: str | None = None
    """Ready-to-paste queryset code when no index is the answer; may use {table} for the model's name."""
    saving_ms: float | None = None
    rule: str = ""
    """Filled by ``run``."""


@dataclass
class Subject:
    """
    What a rule may look at.
    """

    plan: Plan
    query: Query
    schema: Schema = field(default_factory=Schema)
    limits: Limits = field(default_factory=get_limits)

    @cached_property
    def parents(self) -> dict[int, Node]:
        return self.plan.parents()

    @property
    def engine(self) -> str:
        return self.plan.engine

    def ancestors(self, node: Node) -> Iterable[Node]:
        """
        Yield the nodes above, the nearest first.
        """
        parent = self.parents.get(id(node))
        while parent is not None:
            yield parent
            parent = self.parents.get(id(parent))

    def table_rows(self, node: Node) -> float | None:
        """
        Return the size of a node's table: from the schema, else what the engine expected to read, else what it read.
        """
        known = self.schema.rows(node.relation)
        if known is not None:
            return known
        if node.est_scanned is not None:
            return node.est_scanned
        return node.scanned if node.kind.value == "scan" and node.loops == 1 else None

    def rows_read(self, node: Node) -> float | None:
        """
        Return the rows a node read in all loops: measured, else estimated for one pass.
        """
        if node.scanned is not None:
            return node.scanned
        if node.kind.value == "scan":
            return self.table_rows(node)
        return node.est_scanned if node.est_scanned is not None else node.est_rows

    def time_of(self, node: Node) -> float | None:
        """
        Return the node's own measured ms (all loops), or None.
        """
        return node.self_ms


@dataclass(frozen=True)
class Rule:
    """
    ``needs`` is "A" when only a measured plan can tell, "E" when estimates do, "E/A" when both can but A is surer.
    """

    id: str
    needs: str
    summary: str
    """What it means, for the catalogue in the docs: the first line of the function's docstring."""
    source: str
    """Where the threshold comes from: the docstring's line that starts with ``Source:``."""
    find: Callable[[Subject], Iterable[Match]]
    supersedes: tuple[str, ...] = ()
    """Rules whose match on the same node, or on the same table, is dropped when this one matches."""
    engines: tuple[str, ...] = ()
    """The only engines whose plans can show it; empty for all."""


RULES: dict[str, Rule] = {}


def rule(
    rule_id: str, needs: str, *, supersedes: tuple[str, ...] = (), engines: tuple[str, ...] = ()
) -> Callable[[Callable[[Subject], Iterable[Match]]], Callable[[Subject], Iterable[Match]]]:
    """
    Register a function as the rule of this public id. Its docstring's first line is what it finds; one line of it
    starts with ``Source:`` and says where its threshold comes from.
    """

    def register(find: Callable[[Subject], Iterable[Match]]) -> Callable[[Subject], Iterable[Match]]:
        lines = [line.strip() for line in (find.__doc__ or "").strip().splitlines()]
        source = next((line.removeprefix("Source:").strip() for line in lines if line.startswith("Source:")), "")
        RULES[rule_id] = Rule(rule_id, needs, lines[0] if lines else "", source, find, supersedes, engines)
        return find

    return register
