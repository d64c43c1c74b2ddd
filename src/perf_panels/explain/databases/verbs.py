"""
Which word of a statement says what it does, and which INTO writes rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perf_panels.explain.databases.tokens import Token

READS = frozenset({"SELECT", "VALUES", "TABLE"})
WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})

_WRITES_INTO = frozenset({"INSERT", "MERGE", "REPLACE"})
_MODIFIERS = frozenset({"IGNORE", "DELAYED", "LOW_PRIORITY", "HIGH_PRIORITY"})
_ON_CONFLICT = frozenset({"ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK"})
"""Of SQLite's INSERT OR …"""


def verb(found: list[Token]) -> int | None:
    """
    Return where the first word behind parentheses stands; for WITH that of the statement that follows its CTEs.
    """
    first = next((position for position, token in enumerate(found) if token.text != "("), None)
    if first is None or found[first].upper != "WITH":
        return first
    depth = 0
    for position in range(first + 1, len(found)):
        before, token = found[position - 1], found[position]
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        # The statement may stand in parentheses itself; a CTE's stand behind AS or MATERIALIZED.
        opens = token.text == "(" and before.text == ")"
        depth -= opens
        is_name = before.upper in {"WITH", "RECURSIVE"} or before.text in {",", "."}
        if depth == 0 and not is_name and token.upper in READS | WRITES:
            return position
    return first


def writes_into(found: list[Token], position: int) -> bool:
    """
    Say whether an INTO is that of an INSERT, MERGE or REPLACE: all of them may be names of columns as well.
    """
    at = position - 1
    if at >= 2 and found[at].upper in _ON_CONFLICT and found[at - 1].upper == "OR":
        at -= 2
    while at > 0 and found[at].upper in _MODIFIERS:
        at -= 1
    return at >= 0 and found[at].upper in _WRITES_INTO and _begins(found, at)


def _begins(found: list[Token], position: int) -> bool:
    """
    Say whether a word is the first of a statement, or the first behind its CTEs.
    """
    if position == 0 or found[position - 1].text == "(":
        return True
    start, depth = position, 0
    while start > 0 and depth >= 0:
        start -= 1
        depth += {")": 1, "(": -1}.get(found[start].text, 0)
    start += depth < 0
    return found[start].upper == "WITH" and verb(found[start:]) == position - start
