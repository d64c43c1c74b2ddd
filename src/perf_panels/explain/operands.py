"""
One side of a comparison: which columns stand in it, what stands around the column, or which constant it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from perf_panels.explain.conditions import PARAMETER
from perf_panels.explain.dialects import SUBPLAN, sql_of

FREE_CASTS = {"TEXT", "VARCHAR", "CHAR", "BPCHAR", "NCHAR", "NVARCHAR", "NAME"}
_NUMBERS = {"INT", "BIGINT", "SMALLINT", "TINYINT", "DECIMAL", "DOUBLE", "FLOAT", "BIGDECIMAL"}
_SIMPLE_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
# Names that Django projects give to columns although they must be quoted.
_RESERVED = frozenset(
    ("all", "any", "check", "column", "condition", "constraint", "default", "desc", "end", "from", "group", "groups",
     "index", "key", "limit", "offset", "order", "primary", "rank", "references", "select", "system", "table", "to",
     "unique", "user", "using", "values", "when", "where", "window")
)  # fmt: skip
_DJANGO_ON_SQLITE = {
    "django_datetime_cast_date": "date",
    "django_datetime_cast_time": "time",
    "django_date_extract": "extract",
    "django_datetime_extract": "extract",
    "django_time_extract": "extract",
    "django_date_trunc": "date_trunc",
    "django_datetime_trunc": "date_trunc",
    "django_time_trunc": "date_trunc",
}
_ALIASES = {"ucase": "upper", "lcase": "lower", "date_part": "extract", "timestamp_trunc": "date_trunc"}
_ARITHMETIC = ("Add", "Sub", "Mul", "Div", "IntDiv", "Mod", "Pow", "Neg", "BitwiseAnd", "BitwiseOr", "BitwiseXor")
# sqlglot's marks for "a string that is used as a date", not in the text.
_INVISIBLE = {"TsOrDsToDate", "TsOrDsToTimestamp", "TsOrDsToTime", "StrToUnix"}


@dataclass(frozen=True)
class Operand:
    """
    ``columns`` are (table, column) pairs, each once, not those of a subquery.
    """

    columns: tuple[tuple[str | None, str], ...] = ()
    subplan: bool = False
    parameter: bool = False
    json: bool = False
    value: Any = None
    wrapped: str | None = None
    cast_to: str | None = None
    expression: str | None = None
    bare: exp.Expression | None = field(default=None, compare=False)
    as_text: bool = False


def kind(node: Any) -> str:
    """
    Return the name of a node's class; names outlive sqlglot's moves of classes between modules.
    """
    return type(node).__name__


def bare(node: Any) -> Any:
    """
    Return what stands in parentheses, or before an ESCAPE.
    """
    while kind(node) in {"Paren", "Escape"}:
        node = node.this
    return node


def is_query(node: Any) -> bool:
    """
    Say whether a node is a query of its own: SELECT, UNION and the like.
    """
    return kind(node) in {"Select", "Union", "Intersect", "Except", "SetOperation"}


def operand(node: Any, engine: str) -> Operand:
    """
    Read one side of a comparison.
    """
    columns: dict[tuple[str | None, str], None] = {}
    subplan = parameter = json = False
    for part in node.walk(prune=is_query):
        name = kind(part)
        if name == "Column" and not part.find(exp.Star):
            columns[part.table or None, part.name] = None
        elif is_query(part) or name == "Exists" or (name == "Anonymous" and part.name.startswith(SUBPLAN)):
            subplan = True
        elif name in {"Placeholder", "Parameter", "SessionParameter"}:
            parameter = True
        elif is_json(part):
            json = True
    if not columns:
        return Operand((), subplan, parameter, json, PARAMETER if parameter else constant(node))
    wrapped, cast_to, outer = _wrapping(node, engine)
    expression = None if outer is None or parameter or len(columns) > 1 else expression_of(outer, engine)
    as_text = wrapped is None and any(_is_free_cast(part, engine) for part in node.walk(prune=is_query))
    return Operand(tuple(columns), subplan, parameter, json, None, wrapped, cast_to, expression, outer, as_text)


def is_json(node: Any) -> bool:
    """
    Say whether a node reads a part of a JSON value.
    """
    name = kind(node)
    if name == "Anonymous":
        return bool(node.name.lower().startswith("json"))
    return name.startswith("JSON") and not name.startswith("JSONPath")


def constant(node: Any) -> Any:
    """
    Return the Python value of a literal, casts and collations taken off; None for anything else.
    """
    name = kind(node)
    if name == "Literal":
        return node.this if node.is_string else _number(node.this)
    if name == "Boolean":
        return bool(node.this)
    if name in {"Cast", "TryCast"}:
        value = constant(node.this)
        return _number(value) if isinstance(value, str) and _type_name(node) in _NUMBERS else value
    if name == "Neg":
        value = constant(node.this)
        return -value if isinstance(value, (int, float)) else None
    if name in {"Paren", "Collate"}:
        return constant(node.this)
    return constant(node.expression) if name == "Introducer" else None


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


def _type_name(cast: Any) -> str:
    return str(getattr(getattr(cast.args.get("to"), "this", None), "name", ""))


def _is_free_cast(node: Any, engine: str) -> bool:
    return engine == "postgresql" and kind(node) in {"Cast", "TryCast"} and _type_name(node) in FREE_CASTS


def _wrapping(node: Any, engine: str) -> tuple[str | None, str | None, Any]:
    while kind(node) in _INVISIBLE or kind(node) == "Paren" or _is_free_cast(node, engine):
        node = node.this
    name = kind(node)
    if name == "Column":
        return None, None, None
    if name in {"Cast", "TryCast"} and _is_call(node.this):
        # The function is to blame: without the cast an index would be no more help.
        return _function_name(bare(node.this), engine), None, node
    if name in {"Cast", "TryCast"}:
        cast_to = sql_of(node.args["to"], engine).lower()
        return ("date" if cast_to == "date" else "cast"), cast_to, node
    if name in _ARITHMETIC:
        return "arithmetic", None, node
    if name in {"AtTimeZone", "Collate", "Case"}:
        return {"AtTimeZone": "timezone", "Collate": "collate", "Case": "case"}[name], None, node
    if name in {"DPipe", "Concat", "SafeConcat"}:
        return "concat", None, node
    return _function_name(node, engine), None, node


def _is_call(node: Any) -> bool:
    inner = bare(node)
    return isinstance(inner, exp.Func) and kind(inner) not in {"Cast", "TryCast", "Case"} and not is_json(inner)


def _function_name(node: Any, engine: str) -> str:
    found = re.match(r"(\w+)\(", f"{node.name}(" if kind(node) == "Anonymous" else sql_of(node, engine))
    name = found[1].lower() if found else kind(node).lower()
    return _ALIASES.get(name) or _DJANGO_ON_SQLITE.get(name) or name


def expression_of(node: Any, engine: str) -> str:
    """
    Return the SQL of an expression as an index would have it: no table names, no free casts, no needless quotes.
    """
    return sql_of(node.copy().transform(_simplified, engine), engine)


def _simplified(node: Any, engine: str) -> Any:
    if kind(node) == "Column":
        name = node.name
        return exp.column(exp.to_identifier(name, quoted=not _SIMPLE_NAME.match(name) or name in _RESERVED))
    if _is_free_cast(node, engine) or (kind(node) == "Paren" and kind(node.this) in {"Column", "Paren"}):
        # What replaces a node is not walked into.
        return node.this.transform(_simplified, engine)
    return node
