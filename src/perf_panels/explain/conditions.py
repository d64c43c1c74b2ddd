"""
From the text of a condition, in a plan or in a statement, to its parts; dialects are sqlglot's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

PARAMETER = object()
"""The value of a predicate whose value is bound and not in the text."""

Operator = Literal[
    "eq", "ne", "in", "range", "null", "not-null", "true", "false",
    "like", "ilike", "regex", "json", "search", "or", "subplan", "join", "other",
]  # fmt: skip


@dataclass(frozen=True)
class Predicate:
    """
    One of the parts joined by AND. ``column`` is set when exactly one column stands on one side and none on the other.

    ``true``/``false`` are a bare boolean column and its NOT. ``range`` is <, <=, >, >= and BETWEEN. ``json`` is a path
    or containment operator on the column, which may be an array, ``search`` a full-text match. ``join`` is an equality
    of ``column`` and the ``other_column`` of another table. ``subplan`` depends on a subquery. ``or`` has its branches
    in ``parts``, each an AND of predicates; with equalities of one column only it is an ``in``.
    """

    text: str
    operator: Operator
    table: str | None = None
    """Alias or table as written."""
    column: str | None = None
    value: Any = None
    """
    The constant: str, int, float, bool; a tuple of those for ``in``, low and high for BETWEEN; ``PARAMETER`` in their
    place; None when there is none, or an expression such as now().
    """
    wrapped: str | None = None
    """
    What stands around the column: a function's name in lower case (``upper``, ``date``, ``date_trunc``, ``extract``),
    ``cast``, ``arithmetic``, ``timezone``, ``collate``, ``concat``, ``case``; None for the bare column. A cast to date
    is ``date``. A free cast (PostgreSQL's varchar to text) is no wrapping.
    """
    cast_to: str | None = None
    expression: str | None = None
    """The wrapped column as SQL, for an expression index, such as ``UPPER(email)``."""
    other_table: str | None = None
    other_column: str | None = None
    parts: tuple[tuple[Predicate, ...], ...] = ()
    negated: bool = False
    as_text: bool = field(default=False, compare=False)
    """The bare column is cast to a text, as PostgreSQL prints all of them: free, unless it is none."""


def predicates(condition: str | None, engine: str) -> list[Predicate]:
    """
    Return the parts of a condition that are joined by AND; an unreadable one is an ``other`` with its text. Never
    raises.
    """
    return list(_predicates(condition.strip(), engine)) if condition and condition.strip() else []


# Every rule asks for the conditions of every node.
@lru_cache(maxsize=1024)
def _predicates(condition: str, engine: str) -> tuple[Predicate, ...]:
    from perf_panels.explain.predicates import read_condition

    try:
        return tuple(read_condition(condition, engine))
    except Exception:  # noqa: BLE001 - a plan must be shown whatever its conditions say, and sqlglot raises many things
        return (Predicate(condition, "other"),)
