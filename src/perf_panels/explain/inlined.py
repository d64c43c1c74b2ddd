"""
The statement with its values in the text: for rules of engines whose plans do not have them (SQLite).
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any


def inlined(sql: str, params: Any) -> str:
    """
    Return the text with literals for its placeholders, to be read and never run. As it was, if one cannot be written.
    """
    if not isinstance(params, (list, tuple)) or not params:
        return sql
    pieces = sql.split("%s")
    literals = [_literal(value) for value in params]
    if len(pieces) != len(literals) + 1 or None in literals:
        return sql
    texts = [piece.replace("%%", "%") for piece in pieces]
    return "".join(text + (literal or "") for text, literal in zip(texts, [*literals, ""], strict=True))


def _literal(value: Any) -> str | None:
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int, float, Decimal)):
        return str(int(value) if isinstance(value, bool) else value)
    if isinstance(value, (dt.date, dt.time)):
        value = str(value)
    # What looks like a placeholder would be read as one.
    if not isinstance(value, str) or "%s" in value or "%(" in value or "\0" in value:
        return None
    return "'{}'".format(value.replace("'", "''"))
