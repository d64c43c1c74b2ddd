"""
From the tree of a condition to its predicates. Loads sqlglot: ``conditions`` and ``query`` import it on first use.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perf_panels.explain.comparisons import OPERATORS, between, compared, in_list, is_test, negated, one_sided
from perf_panels.explain.conditions import Operator, Predicate
from perf_panels.explain.dialects import (
    SUBPLAN,
    has_placeholders,
    parse_condition,
    prepared,
    sql_of,
    without_plan_language,
)
from perf_panels.explain.operands import Operand, bare, kind, operand
from perf_panels.explain.pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

# Their conditions are the servers' words, with a percent sign for a percent sign.
_PLANS_HAVE_CONDITIONS = {"postgresql", "mysql", "mariadb"}
_MOST_PIECES = 300
"""More ANDs than this are a generated statement; reading one takes a fifth of a millisecond."""
_SUBPLAN_CALL = re.compile(rf"\b{SUBPLAN}(\d+)\(\)", re.IGNORECASE)
_PLAN_WORDS = re.compile(
    r"\bSubPlan \w|\bInitPlan \w|<in_optimizer>|<exists>|<materialize>|\bselect\s*#|\(/\*\s*select#"
)
_MATCH = re.compile(r"\bmatch\b|@@", re.IGNORECASE)


def read_condition(text: str, engine: str) -> list[Predicate]:
    """
    Return the predicates of a condition. Each part between two ANDs is read by itself, so that one that cannot be read
    does not take the others along.
    """
    doubled = engine not in _PLANS_HAVE_CONDITIONS and has_placeholders(text)
    found = pieces(text, engine)[:_MOST_PIECES]
    return [predicate for piece in found for predicate in _read_piece(piece, engine, doubled=doubled)]


def _read_piece(text: str, engine: str, *, doubled: bool) -> list[Predicate]:
    plain, subplans = without_plan_language(text, engine)
    try:
        found = read_tree(parse_condition(prepared(plain, engine, doubled=doubled), engine), engine)
    except Exception:  # noqa: BLE001 - whatever sqlglot stumbles over; the text is shown as it is
        return [Predicate(text, _guess(text))]
    if len(found) == 1:
        return [replace(found[0], text=text)]
    return [replace(each, text=_SUBPLAN_CALL.sub(lambda call: subplans[int(call[1])], each.text)) for each in found]


def _guess(text: str) -> Operator:
    if _PLAN_WORDS.search(text):
        return "subplan"
    return "search" if _MATCH.search(text) else "other"


def read_tree(tree: Any, engine: str) -> list[Predicate]:
    """
    Return the predicates of a condition's tree.
    """
    return [_read_one(part, engine) for part in _split(tree, "And")]


def _split(tree: Any, joined_by: str) -> list[Any]:
    """
    Return the operands of a chain of ANDs or ORs, in order. Chains of thousands are too deep to recurse into.
    """
    found: list[Any] = []
    waiting = [tree]
    while waiting:
        node = bare(waiting.pop())
        if kind(node) == joined_by:
            waiting += [node.expression, node.this]
        else:
            found.append(node)
    return found


def _read_one(node: Any, engine: str) -> Predicate:
    node = bare(node)
    text = _text(node, engine)
    name = kind(node)
    if name == "Not":
        if kind(node.this) == "Is" and kind(node.this.expression) == "Boolean":
            # Unlike NOT, "IS NOT TRUE" keeps the rows with NULL as well.
            return replace(is_test(node.this, text, engine), negated=True)
        return negated(_positive(node.this, engine), text)
    if name == "Or":
        return _either(node, text, engine)
    if name == "In":
        return in_list(node, text, engine)
    if name == "Is":
        return is_test(node, text, engine)
    if name == "Between":
        return between(node, text, engine)
    if name == "MatchAgainst":
        return one_sided("search", Operand() if not node.expressions else _read_all(node, engine), text)
    if name in OPERATORS:
        return compared(node, OPERATORS[name], text, engine)
    return _alone(node, text, engine)


def _text(node: Any, engine: str) -> str:
    try:
        return sql_of(node, engine)
    except RecursionError:
        return "…"


def _positive(node: Any, engine: str) -> Predicate:
    """
    Read what stands below a NOT. Django excludes a nullable column as ``NOT (a = 1 AND a IS NOT NULL)``: the test for
    NULL is left out.
    """
    parts = [_read_one(part, engine) for part in _split(node, "And")]
    if len(parts) == 1:
        return parts[0]
    real = [part for part in parts if part.operator != "not-null"]
    guards = {(part.table, part.column) for part in parts if part.operator == "not-null"}
    if len(real) == 1 and guards == {(real[0].table, real[0].column)}:
        return real[0]
    return Predicate("", "subplan" if any(part.operator == "subplan" for part in parts) else "other")


def _read_all(node: Any, engine: str) -> Operand:
    side = operand(node.expressions[0], engine)
    return side if side.columns else operand(node.this, engine)


def _alone(node: Any, text: str, engine: str) -> Predicate:
    side = operand(node, engine)
    if side.subplan:
        return Predicate(text, "subplan")
    if kind(node) == "Boolean" or not side.columns:
        return Predicate(text, "other", value=side.value)
    if kind(node) == "Column":
        return one_sided("true", side, text, True)
    if side.json:
        return one_sided("json", side, text)
    return one_sided("other", side, text)


def _either(node: Any, text: str, engine: str) -> Predicate:
    parts = tuple(tuple(read_tree(branch, engine)) for branch in _split(node, "Or"))
    first = parts[0][0]
    if all(len(part) == 1 and _same_column(part[0], first) for part in parts):
        return replace(first, text=text, operator="in", value=tuple(_values(part[0] for part in parts)))
    tables = {predicate.table for part in parts for predicate in part if predicate.operator != "other"}
    return Predicate(text, "or", tables.pop() if len(tables) == 1 else None, parts=parts)


def _same_column(predicate: Predicate, first: Predicate) -> bool:
    return (
        predicate.operator in {"eq", "in"}
        and not predicate.negated
        and predicate.column is not None
        and (predicate.table, predicate.column, predicate.expression) == (first.table, first.column, first.expression)
    )


def _values(predicates: Iterable[Predicate]) -> Iterable[Any]:
    for predicate in predicates:
        yield from predicate.value if isinstance(predicate.value, tuple) else (predicate.value,)
