"""
Long statements, cut before they are parsed: of a thousand constants in a list three are enough to know its shape.
"""

from __future__ import annotations

import re
from functools import cache


def shortened(text: str, engine: str) -> str:
    """
    Return a prepared statement with at most three items in each list of constants, and with one of a chain of equal
    ``WHEN`` or ``OR`` terms.
    """
    if len(text) < 500:
        return text
    for pattern in _long_lists(engine):
        text = pattern.sub(r"\1", text)
    return text


_EQUAL_LISTS = (
    re.compile(r"(%s, ?%s, ?%s)(?:, ?%s)+"),
    re.compile(r"([(\[{] ?-?\d+, ?-?\d+, ?-?\d+)(?:, ?-?\d+)+(?=\s*[)\]}])"),
    re.compile(r"((\([^()'\"]*\)), ?)(?:\2, ?)+(?=\2)"),
)


def roughly_shortened(sql: str) -> str:
    """
    Return a statement as Django has it with its longest lists cut, so that its placeholders are not looked at one
    by one.
    """
    if len(sql) < 2_000:
        return sql
    for pattern in _EQUAL_LISTS:
        sql = pattern.sub(r"\1", sql)
    return sql


@cache
def _long_lists(engine: str) -> tuple[re.Pattern[str], ...]:
    # A doubled quote is two strings here, which leaves one way only to read a text: two ways would take exponential
    # time where there is no end.
    string = r"'[^'\\]*(?:\\.[^'\\]*)*'" if engine in {"mysql", "mariadb"} else r"'[^']*'"
    quoted = rf'(?:{string}|"[^"]*")'
    item = rf"(?:-?[\w.]+|:pp_value|(?:{string})+)(?:::\w+(?:\ \w+)*(?:\(\d+(?:,\s?\d+)?\))?(?:\[\])?)?"
    plain = r"[^()'\"]*"
    inner = rf"\({plain}(?:{quoted}{plain})*\)"
    group = rf"\({plain}(?:(?:{quoted}|{inner}){plain})*\)"
    when = rf"WHEN\s*\([^()]*\)\s*THEN\s+{item}\s*"
    flags = re.DOTALL | re.IGNORECASE
    return (
        re.compile(rf"(\b(?:IN\s*\(|ARRAY\s*\[)\s*{item}(?:\s*,\s*{item}){{2}})(?:\s*,\s*{item})+(?=\s*[)\]])", flags),
        re.compile(rf"(\b(?:VALUES\s*|IN\s*\(\s*){group}(?:\s*,\s*{group}){{2}})(?:\s*,\s*{group})+", flags),
        re.compile(rf"({when})(?:{when})+", flags),
        re.compile(r"(\ OR\ \([^()]*\))\1+", flags),
    )
