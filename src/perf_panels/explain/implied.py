"""
Whether a partial index has the rows that a statement asks for: no proof, but what both conditions say alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf_panels.explain.conditions import predicates

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perf_panels.explain.conditions import Predicate

    Asked = tuple[str, str, Any]

_COMPARED = frozenset({"eq", "in"})
_NOT_NULL = frozenset({"eq", "in", "true", "false", "not-null"})


def holds(condition: str | None, asked: Iterable[Asked], engine: str) -> bool:
    """
    Say whether an index with this condition has every row that meets ``asked``: (column, operator, value) of each part.
    """
    held, asked = predicates(condition, engine), list(asked)
    return bool(held) and all(any(_implies(each, part) for each in asked) for part in held)


def _implies(asked: Asked, part: Predicate) -> bool:
    column, *said = asked
    if part.column != column or part.wrapped or part.negated:
        return False
    (operator, value), (held, held_value) = _plain(*said), _plain(part.operator, part.value)
    if operator in _COMPARED and held in _COMPARED:
        return _values(value) <= _values(held_value)
    return (operator in _NOT_NULL) if held == "not-null" else (operator, value) == (held, held_value)


def _plain(operator: str, value: Any) -> tuple[str, Any]:
    """
    Return a comparison with a boolean, which SQLite writes as a number, as PostgreSQL has it: the bare column.
    """
    if operator in {"eq", "ne"} and isinstance(value, int) and value in {0, 1}:
        return ("true" if bool(value) is (operator == "eq") else "false"), None
    return operator, value if operator in {"eq", "ne", "in"} else None


def _values(value: Any) -> set[Any]:
    return set(value) if isinstance(value, (list, tuple)) else {value}
