"""
From one comparison of a condition to its predicate: which side the column is on, what it is compared with.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from perf_panels.explain.conditions import PARAMETER, Operator, Predicate
from perf_panels.explain.operands import Operand, bare, constant, is_query, kind, operand

OPERATORS: dict[str, Operator] = {
    "EQ": "eq", "NullSafeEQ": "eq", "NEQ": "ne", "NullSafeNEQ": "ne",
    "GT": "range", "GTE": "range", "LT": "range", "LTE": "range",
    "Like": "like", "ILike": "ilike", "StartsWith": "like",
    "RegexpLike": "regex", "RegexpILike": "regex", "SimilarTo": "regex",
    "Match": "search",
    "ArrayContainsAll": "json", "ArrayContainedBy": "json", "ArrayOverlaps": "json",
    "JSONBContains": "json", "JSONBContainsTopKey": "json", "JSONBContainsAnyTopKeys": "json",
    "JSONBContainsAllTopKeys": "json", "JSONArrayContains": "json",
}  # fmt: skip
_OPPOSITES: dict[Operator, Operator] = {
    "eq": "ne", "ne": "eq", "null": "not-null", "not-null": "null", "true": "false", "false": "true",
}  # fmt: skip


def negated(predicate: Predicate, text: str) -> Predicate:
    """
    Return the predicate for a NOT of this one.
    """
    opposite = _OPPOSITES.get(predicate.operator)
    if opposite is not None and not predicate.negated:
        value = {"true": True, "false": False}.get(opposite, predicate.value)
        return replace(predicate, text=text, operator=opposite, value=value)
    return replace(predicate, text=text, negated=not predicate.negated)


def one_sided(operator: Operator, side: Operand, text: str, value: Any = None) -> Predicate:
    """
    Return the predicate of a side with one column; ``other`` or ``subplan`` when it has none or several.
    """
    if side.subplan and not side.columns:
        return Predicate(text, "subplan")
    if len(side.columns) != 1:
        return Predicate(text, operator if operator in {"search", "json"} else "other")
    table, column = side.columns[0]
    if side.json and operator not in {"search", "subplan"}:
        return Predicate(text, "json", table, column, value, expression=side.expression, negated=operator == "ne")
    return Predicate(
        text, operator, table, column, value, side.wrapped, side.cast_to, side.expression, as_text=side.as_text
    )


def compared(node: Any, operator: Operator, text: str, engine: str) -> Predicate:
    """
    Return the predicate of a comparison with an operator.
    """
    left, right = operand(node.this, engine), operand(_compared_with(node), engine)
    if right.columns and not left.subplan and _array(node.expression) is not None:
        return _column_of_values(left, right, operator, text)
    if left.columns and right.columns:
        return _column_with_column(left, right, operator, text)
    flipped = not left.columns
    side, other = (right, left) if flipped else (left, right)
    if other.subplan or (side.subplan and not side.columns):
        return replace(one_sided("subplan", side, text), operator="subplan")
    # MySQL prints a bare boolean column as "(0 <> archived)"; people put the constant last.
    truth = _truth(operator, other.value, flipped and engine in {"mysql", "mariadb"})
    if truth is not None and not side.json:
        return one_sided("true" if truth else "false", side, text, truth)
    found = one_sided(operator, side, text, other.value)
    array = _array(node.expression)
    if array is not None and operator in {"eq", "ne"} and found.operator == operator:
        found = replace(found, operator="in", value=_array_values(array), negated=operator == "ne")
    return replace(found, negated=not found.negated) if node.args.get("negate") else found


def _compared_with(node: Any) -> Any:
    array = _array(node.expression)
    return node.expression if array is None else array


def _array(node: Any) -> Any:
    """
    Return the x of ``= ANY (x)`` and ``<> ALL (x)``.
    """
    if kind(node) in {"Any", "All"}:
        return bare(node.this)
    if kind(node) == "Anonymous" and node.name.upper() in {"ALL", "ANY"} and len(node.expressions) == 1:
        return bare(node.expressions[0])
    return None


def _column_of_values(left: Operand, right: Operand, operator: Operator, text: str) -> Predicate:
    """
    Return the predicate of ``value = ANY (array column)``: the column contains the value.
    """
    if left.columns or operator != "eq":
        return Predicate(text, "other")
    return one_sided("json", right, text, left.value)


def _array_values(node: Any) -> Any:
    """
    Return the values of ``'{1,2}'::bigint[]`` or ``ARRAY[1, 2]``, as a tuple; ``PARAMETER`` for a bound array.
    """
    while kind(node) in {"Cast", "Paren"}:
        node = node.this
    if kind(node) == "Array":
        return tuple(constant(each) for each in node.expressions)
    text = constant(node)
    if not isinstance(text, str):
        return PARAMETER if kind(node) in {"Placeholder", "Parameter"} else None
    words = re.findall(r'"((?:[^"\\]|\\.)*)"|([^{},"]+)', text)
    return tuple(re.sub(r"\\(.)", r"\1", quoted) if quoted else _plain(word) for quoted, word in words)


def _plain(word: str) -> Any:
    if word.upper() == "NULL":
        return None
    return int(word) if re.fullmatch(r"-?[1-9]\d{0,18}|0", word) else word


def _truth(operator: Operator, value: Any, number_first: bool) -> bool | None:
    if operator not in {"eq", "ne"}:
        return None
    if not isinstance(value, bool) and not (number_first and isinstance(value, int) and value == 0):
        return None
    return bool(value) is (operator == "eq")


def _column_with_column(left: Operand, right: Operand, operator: Operator, text: str) -> Predicate:
    if len(left.columns) > 1 or len(right.columns) > 1:
        return Predicate(text, "subplan" if left.subplan or right.subplan else "other")
    if right.wrapped and not left.wrapped:
        left, right = right, left
    (table, column), (other_table, other_column) = left.columns[0], right.columns[0]
    if operator == "eq" and table != other_table:
        operator = "join"
    elif operator != "search":
        operator = "other"
    return Predicate(
        text, operator, table, column, None, left.wrapped, left.cast_to, left.expression, other_table, other_column
    )


def in_list(node: Any, text: str, engine: str) -> Predicate:
    """
    Return the predicate of an IN.
    """
    side = operand(node.this, engine)
    query = node.args.get("query")
    if query is not None or any(is_query(bare(each)) for each in node.expressions):
        return replace(one_sided("subplan", side, text), operator="subplan")
    values = [operand(each, engine) for each in [*node.expressions, *filter(None, [node.args.get("field")])]]
    if any(value.subplan for value in values):
        return replace(one_sided("subplan", side, text), operator="subplan")
    if any(value.columns for value in values):
        return Predicate(text, "other")
    return one_sided("in", side, text, tuple(value.value for value in values))


def is_test(node: Any, text: str, engine: str) -> Predicate:
    """
    Return the predicate of an IS: NULL, TRUE, FALSE, and SQLite's IS with any value.
    """
    side = operand(node.this, engine)
    right = kind(node.expression)
    found: Predicate
    if right == "Null":
        found = one_sided("null", side, text)
    elif right == "Boolean":
        found = one_sided("true" if node.expression.this else "false", side, text, bool(node.expression.this))
        return replace(found, negated=True) if node.args.get("negate") else found
    else:
        # SQLite's IS is an equality that knows NULL.
        found = compared(node, "eq", text, engine)
    return negated(found, text) if node.args.get("negate") else found


def between(node: Any, text: str, engine: str) -> Predicate:
    """
    Return the predicate of a BETWEEN.
    """
    low, high = (operand(node.args[name], engine) for name in ("low", "high"))
    side = operand(node.this, engine)
    if low.columns or high.columns:
        return Predicate(text, "other")
    if low.subplan or high.subplan:
        return replace(one_sided("subplan", side, text), operator="subplan")
    return one_sided("range", side, text, (low.value, high.value))
