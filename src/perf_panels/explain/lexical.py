"""
Regular expressions for the parts of SQL that must not be looked into: strings, quoted names and comments, by engine.

None of them can fail once its first character matched (an unclosed one ends with the text), which keeps them linear.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple


class Patterns(NamedTuple):
    """
    Sources of regular expressions, for use with ``re.DOTALL``; none of them has a group but PostgreSQL's ``tag``.
    """

    string: str
    name: str
    comment: str


_CURSOR = re.compile(
    r"""\s*DECLARE\s+(?:"[^"]*"|\w+)\s+(?:(?:NO\s+)?SCROLL\s+)?CURSOR\s+(?:WITH(?:OUT)?\s+HOLD\s+)?FOR\s+""",
    re.IGNORECASE,
)
_PLAIN = r"(?:'[^']*(?:'|\Z))+"
_ESCAPED = r"'[^'\\]*(?:(?:''|\\(?:.|\Z))[^'\\]*)*(?:'|\Z)"
_DOUBLE_ESCAPED = r'"[^"\\]*(?:(?:""|\\(?:.|\Z))[^"\\]*)*(?:"|\Z)'
_DOLLAR = r"(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)"
_BRACKETED = (
    r"[nN]?[qQ]'(?:\[.*?(?:\]'|\Z)|\{.*?(?:\}'|\Z)|\(.*?(?:\)'|\Z)|<.*?(?:>'|\Z)|!.*?(?:!'|\Z)|\|.*?(?:\|'|\Z))"
)
_DOUBLE = r'(?:"[^"]*(?:"|\Z))+'
_BACKTICK = r"(?:`[^`]*(?:`|\Z))+"
_SQUARE = r"(?<![\w\])])\[[^\]]*(?:\]|\Z)"
_LINE = r"--[^\n]*"
_BLOCK = r"/\*.*?(?:\*/|\Z)"


def _nested_block(depth: int) -> str:
    inner = rf"|{_nested_block(depth - 1)}" if depth else ""
    return rf"/\*(?:[^*/]|\*(?!/)|/(?!\*){inner})*(?:\*/|\Z)"


@cache
def patterns(engine: str) -> Patterns:
    """
    Return the patterns of an engine or vendor; MariaDB's are MySQL's, an unknown one has SQLite's.
    """
    if engine == "postgresql":
        # Its comments nest; three levels are more than anybody writes.
        return Patterns(
            rf"(?:\b[eE]{_ESCAPED}|(?:\b(?:[bBxXnN]|[uU]&))?{_PLAIN}|{_DOLLAR})",
            _DOUBLE,
            rf"(?:{_LINE}|{_nested_block(2)})",
        )
    if engine in {"mysql", "mariadb"}:
        return Patterns(
            rf"(?:(?:\b[xXbBnN])?{_ESCAPED}|{_DOUBLE_ESCAPED})",
            _BACKTICK,
            rf"(?:--(?=\s|\Z)[^\n]*|\#[^\n]*|{_BLOCK})",
        )
    if engine == "oracle":
        return Patterns(rf"(?:\b{_BRACKETED}|(?:\b[nN])?{_PLAIN})", _DOUBLE, rf"(?:{_LINE}|{_BLOCK})")
    return Patterns(rf"(?:\b[xX])?{_PLAIN}", rf"(?:{_DOUBLE}|{_BACKTICK}|{_SQUARE})", rf"(?:{_LINE}|{_BLOCK})")


def without_cursor(sql: str) -> str:
    """
    Return the query of a server-side cursor, ``DECLARE … CURSOR … FOR`` taken off.
    """
    return _CURSOR.sub("", sql, count=1) if sql.lstrip()[:7].upper() == "DECLARE" else sql
