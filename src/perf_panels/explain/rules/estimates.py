"""
Rules about what the planner believed and what there was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.conditions import predicates
from perf_panels.explain.plan import JOINS, TABLE_SCANS, Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.reading import conditions_on, flattened, stops_early, table_of
from perf_panels.explain.rules.statistics import analyze_statement
from perf_panels.explain.rules.wording import number, timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject
    from perf_panels.findings import Severity

FILTER_GUESSED = frozenset({"mysql", "mariadb"})
"""Engines that guess what a filter keeps (10, 33 or 100 %), so that only rows before the filter can be compared."""
_DEFAULT_GUESS = re.compile(r"\$\d|InitPlan|_expr_\d")
_FIRST_MATCH = frozenset({"semi", "anti"})
_INVENTED = frozenset({Kind.TABLE_FUNCTION, Kind.CTE_SCAN})
"""Steps whose estimate is a constant of the server, such as 1,000 rows for a function."""


@rule("row-misestimate", "A")
def row_misestimate(subject: Subject) -> Iterator[Match]:
    """
    The planner expected ten times more or fewer rows than there were, so it may have chosen the wrong plan.

    Only the deepest such step is named, since those above inherit its error. Not for steps that LIMIT, EXISTS, a semi,
    anti or merge join end early, nor where the server guesses by rule. Conditions without statistics are info.

    Source: 10, 100 and 1,000 from depesz, PEV2 and pgAdmin.
    """
    wrong = {id(node): node for node in subject.plan.nodes() if misestimate(subject, node) is not None}
    deepest = [node for node in wrong.values() if not any(id(below) in wrong for below in node.below())]
    for node in sorted(deepest, key=lambda node: -(misestimate(subject, node) or 0))[:1]:
        yield _match(subject, node, misestimate(subject, node) or 0)


def misestimate(subject: Subject, node: Node) -> float | None:
    """
    Return by what factor the rows of a node were misjudged; None when it is small, or says nothing.
    """
    if not _comparable(subject, node):
        return None
    expected, found = _rows(subject, node)
    if expected is None or found is None:
        return None
    if found < expected and subject.engine == "mariadb" and not subject.query.readable:
        # Only the statement says whether a LIMIT ended it.
        return None
    high, low = max(expected, found, 1.0), max(min(expected, found), 1.0)
    limits = subject.limits
    if high / low < limits.MISESTIMATE_FACTOR or high * (node.loops or 1) < limits.MISESTIMATE_ROWS:
        return None
    return high / low


def _rows(subject: Subject, node: Node) -> tuple[float | None, float | None]:
    if node.act_rows is None:
        return None, None
    if subject.engine in FILTER_GUESSED and node.filter:
        return node.est_scanned, node.act_rows + (node.removed or 0)
    return node.est_rows, node.act_rows


def _comparable(subject: Subject, node: Node) -> bool:
    if node.act_rows is None or not node.loops or node.derived or node.kind not in TABLE_SCANS | JOINS:
        return False
    if any(below.kind in _INVENTED or not below.executed for below in node.below()):
        return False
    if "SubPlan" in (node.filter or ""):
        # Half of the rows, always: neither statistics nor another index could change that.
        return False
    if subject.engine in FILTER_GUESSED and _on_a_guess(subject, node):
        return False
    if "fulltext" in node.label.lower() or "full-text" in node.label.lower():
        return False
    return not _ends_early(subject, node) and not _short_of_workers(subject, node)


def _on_a_guess(subject: Subject, node: Node) -> bool:
    return node.kind in JOINS or (subject.engine == "mysql" and node.dependent)


def _ends_early(subject: Subject, node: Node) -> bool:
    """
    Say whether what stands above may have stopped the node before its last row.
    """
    if stops_early(subject, node):
        return True
    below = node
    for above in subject.ancestors(node):
        if below.relationship in {"subplan", "initplan"} or below.kind is Kind.SUBQUERY:
            return True
        if above.kind in {Kind.SORT, Kind.AGGREGATE, Kind.HASH}:
            return False
        if above.kind is Kind.LIMIT or (above.kind in JOINS and _join_ends(above, below)):
            return True
        below = above
    return below.relationship in {"subplan", "initplan"}


def _join_ends(join: Node, side: Node) -> bool:
    if join.kind is Kind.MERGE_JOIN or join.join_type in _FIRST_MATCH:
        return True
    if side.relationship == "inner" and join.raw.get("Inner Unique"):
        return True
    # PostgreSQL stops reading the outer side of a hash join when nothing was hashed.
    others = [child for child in join.children if child is not side]
    return join.kind is Kind.HASH_JOIN and any(not child.act_rows for child in others)


def _short_of_workers(subject: Subject, node: Node) -> bool:
    if not node.parallel:
        return False
    gather = next((above for above in subject.ancestors(node) if above.kind is Kind.GATHER), None)
    return gather is None or gather.workers_launched != gather.workers_planned


def _match(subject: Subject, node: Node, factor: float) -> Match:
    expected, found = _rows(subject, node)
    loops = node.loops or 1
    table = table_of(subject, node)
    columns = _columns(subject, node)
    guessed = _is_guess(subject, node)
    times = "" if loops == 1 else f" on average in each of {number(loops)} runs"
    return Match(
        node,
        _severity(subject, factor, guessed=guessed),
        f"{'{table}' if table else node.label}: {number(expected or 0)} rows expected, {number(found or 0)} found",
        f"Measured: wrong by a factor of {number(factor)}{times}; it counts from"
        f" {number(subject.limits.MISESTIMATE_FACTOR)}."
        + (" It has no statistics for this condition and takes a fixed share." if guessed else ""),
        _advice(subject, columns, guessed=guessed),
        table,
        columns,
        {
            "estimated_rows": round(expected or 0),
            "rows": round(found or 0),
            "loops": round(loops),
            "factor": round(factor, 1),
        }
        | timing(subject, node),
        rewrite=_statements(subject, node, columns, guessed=guessed),
    )


def _severity(subject: Subject, factor: float, *, guessed: bool) -> Severity:
    least = subject.limits.MISESTIMATE_FACTOR
    if guessed or factor < least * 10:
        return "info"
    return "warning" if factor < least * 100 else "critical"


def _is_guess(subject: Subject, node: Node) -> bool:
    """
    Say whether the planner takes a fixed share of the rows for a condition, whatever the statistics say.
    """
    conditions = (node.filter, node.index_cond, node.join_filter, node.join_cond)
    if any(condition and _DEFAULT_GUESS.search(condition) for condition in conditions):
        return True
    parts = flattened([part for condition in conditions for part in predicates(condition, subject.engine)])
    return any(
        part.wrapped or part.operator in {"json", "search", "regex", "ilike", "subplan", "other"} for part in parts
    )


def _columns(subject: Subject, node: Node) -> tuple[str, ...]:
    if node.kind in JOINS:
        return ()
    parts = [*conditions_on(subject, node), *predicates(node.index_cond, subject.engine)]
    return tuple(dict.fromkeys(part.column for part in flattened(parts) if part.column))


def _advice(subject: Subject, columns: tuple[str, ...], *, guessed: bool) -> str:
    if guessed:
        return "Write the condition on a plain column, or index the expression: that gives it statistics"
    if subject.engine == "postgresql" and len(columns) > 1:
        return "Refresh the statistics; if the columns depend on each other, tell PostgreSQL so"
    return "Refresh the table's statistics"


def _statements(subject: Subject, node: Node, columns: tuple[str, ...], *, guessed: bool) -> str | None:
    if not node.relation or guessed:
        return None
    refresh = analyze_statement(subject.engine, node.relation)
    if subject.engine != "postgresql" or len(columns) < 2:
        return refresh
    name = "_".join(["stats", node.relation, *columns])[:63]
    listed = ", ".join(f'"{column}"' for column in columns)
    return f'CREATE STATISTICS "{name}" ON {listed} FROM "{node.relation}";\n{refresh}'
