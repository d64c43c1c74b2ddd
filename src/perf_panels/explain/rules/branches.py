"""
Rules about conditions a plain index cannot answer: OR over several columns, parts of a JSON value, full-text search.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perf_panels.explain.rules.base import IndexNeed, Match, rule
from perf_panels.explain.rules.causes import SCANS, blamed, caused, has_expression
from perf_panels.explain.rules.needs import index_for, seeks
from perf_panels.explain.rules.reading import conditions_on, exists, indexed, same_column
from perf_panels.explain.rules.waste import Waste, discarding, wasted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.conditions import Predicate
    from perf_panels.explain.rules.base import Subject

_CONTAINS = ("@>", "?|", "?&", " ? ", "@?", "@@")
_ANY = re.compile(r"=\s*ANY\s*\(", re.IGNORECASE)


@rule("or-unindexed", "E/A", supersedes=SCANS)
def or_unindexed(subject: Subject) -> Iterator[Match]:
    """
    An OR over several columns reads the whole table, because one of its branches has no index.

    Not for an OR over one column, which is an IN, nor beside a condition that an index could answer alone.

    Source: as full-scan-filter.
    """
    for waste in wasted(subject):
        either = [part for part in waste.conditions if part.operator == "or" and not same_column(part)]
        if len(either) != 1 or any(seeks(part) for part in waste.conditions if part is not either[0]):
            continue
        branches = either[0].parts
        if not all(any(seeks(part) for part in branch) for branch in branches):
            continue
        for branch in branches:
            if not any(indexed(subject, waste.table, seeks(part)) for part in branch):
                yield _branch(waste, branch, len(branches))


def _branch(waste: Waste, branch: tuple[Predicate, ...], branches: int) -> Match:
    columns = tuple(dict.fromkeys(column for part in branch if (column := seeks(part))))
    return Match(
        waste.node,
        waste.severity,
        f"{waste.opening}, because {{columns}} has no index in an OR",
        f"{waste.detail} Their results can be put together only if each of the {branches} branches has one.",
        "Index every branch of the OR, or query them one by one with union()",
        waste.table,
        columns,
        waste.evidence,
        index_for(waste.subject, waste.node, waste.table, branch),
        saving_ms=waste.saving_ms,
    )


@rule("json-no-index", "E/A", supersedes=(*SCANS, "function-on-column"))
def json_no_index(subject: Subject) -> Iterator[Match]:
    """
    A part of a JSON or array column is compared in every row, without an index of that part.

    Not when a GIN index answers the operator, or an index has the expression.

    Source: as full-scan-filter.
    """
    for waste, part in blamed(subject):
        if part.operator != "json" or not part.column or has_expression(subject, waste.table, part):
            continue
        by_any, array = bool(_ANY.search(part.text)), _is_array(subject, waste.table, part)
        contains = array or any(sign in part.text for sign in _CONTAINS)
        if contains and not by_any and _has_gin(subject, waste.table, part.column):
            continue
        advice = {
            "postgresql": _gin_advice(contains=contains, by_any=by_any),
            "mariadb": "Store the key in a column of its own, or a generated one, and index that",
            "mysql": "Index the key (a functional index), or store it in a column of its own",
        }.get(subject.engine, "Index the key")
        why = f"looking into the {'array' if array else 'JSON'} of {{columns}}"
        yield caused(waste, part, why, advice, _json_index(subject, waste.table, part, contains))


def _is_array(subject: Subject, table: str, part: Predicate) -> bool:
    known = subject.schema.table(table)
    kind = known.columns.get(part.column or "", "") if known else ""
    return kind.endswith("[]") or bool(_ANY.search(part.text))


def _gin_advice(*, contains: bool, by_any: bool) -> str:
    if by_any:
        return "Ask with {columns}__contains=[...], which a GIN index (GinIndex) answers; no index answers = ANY"
    return "Add a GIN index (GinIndex)" if contains else "Index the key, or use contains and a GIN index"


def _json_index(subject: Subject, table: str, part: Predicate, contains: bool) -> IndexNeed | None:
    if subject.engine == "postgresql" and (contains or part.expression is None):
        opclass = "jsonb_path_ops" if "@>" in part.text and not _is_array(subject, table, part) else None
        return IndexNeed(table, equality=(part.column or "",), method="gin", opclass=opclass)
    if subject.engine in {"mysql", "mariadb"} or part.expression is None:
        return None
    return IndexNeed(table, expression=part.expression)


def _has_gin(subject: Subject, table: str, column: str) -> bool:
    known = subject.schema.table(table)
    return known is not None and any(index.method == "gin" and column in index.columns for index in known.indexes)


@rule("fts-no-index", "E/A", supersedes=(*SCANS, "function-on-column"), engines=("postgresql",))
def fts_no_index(subject: Subject) -> Iterator[Match]:
    """
    A full-text search makes the search vector of every row anew, or reads it from every row, without a GIN index.

    Only on PostgreSQL: the others cannot search without their full-text index.

    Source: as full-scan-filter.
    """
    for waste, part in (*blamed(subject), *_in_vain(subject)) if subject.engine == "postgresql" else ():
        if part.operator != "search":
            continue
        need = None
        if part.column and not part.wrapped and exists(subject, waste.table, part.column):
            if _has_gin(subject, waste.table, part.column):
                continue
            need = IndexNeed(waste.table, equality=(part.column,), method="gin")
        elif part.expression and not has_expression(subject, waste.table, part):
            need = IndexNeed(waste.table, expression=part.expression, method="gin")
        yield caused(
            waste,
            part,
            "for a full-text search",
            "Keep a SearchVectorField with a GIN index, or index the vector",
            need,
        )


def _in_vain(subject: Subject) -> Iterator[tuple[Waste, Predicate]]:
    """
    Yield the conditions on rows that an index of other columns found.
    """
    for node, table in discarding(subject):
        waste = Waste(subject, node, table, conditions_on(subject, node), node.scanned or 0, node.rows_total or 0)
        yield from ((waste, part) for part in waste.conditions if node.index_cond)
