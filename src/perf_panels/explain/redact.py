"""
Takes the literals out of a plan's text, so that it can be shown to others without showing data.
"""

from __future__ import annotations

import json
import re
from typing import Any

from perf_panels.explain.fingerprint import fingerprint

_KEPT = frozenset(
    {
        "Node Type", "Parent Relationship", "Subplan Name", "CTE Name", "Relation Name", "Relation", "Schema", "Alias",
        "Index Name", "Function Name", "Trigger Name", "Constraint Name", "Operation", "Join Type", "Strategy",
        "Partial Mode", "Sort Method", "Sort Methods Used", "Sort Space Type", "Scan Direction", "Cache Mode",
        "Settings", "table_name", "schema_name", "alias", "index_name", "key", "possible_keys", "used_key_parts",
        "used_columns", "key_columns", "key_length", "access_type", "index_access_type", "join_type", "join_algorithm",
        "query_type", "filtered", "cost_info", "json_schema_version", "detail",
    }
)  # fmt: skip
"""Names, and what the server says of itself. Any other text may have values in it."""
_TOKEN = re.compile(r'[\s{}\[\],:]+|-?\d[\d.eE+-]*|true|false|null|"(?P<text>(?:[^"\\]|\\.)*)"(?P<colon>\s*:)?')


def plan_text(text: str, engine: str) -> str:
    """
    Return the plan with every literal of its conditions as ``?``; numbers of the plan itself are kept.

    Of JSON that is not whole, or not valid, all texts but names are ``?``.
    """
    try:
        value = json.loads(text)
    except ValueError:
        if text.lstrip().startswith(("[", "{")):
            return _without_texts(text)
        return "\n".join(fingerprint_of(line, engine) for line in text.splitlines())
    return json.dumps(_without(value, engine), indent=1, ensure_ascii=False)


def fingerprint_of(text: str, engine: str) -> str:
    """
    Return a text with its literals folded, as a statement's are.
    """
    return fingerprint(text, "mysql" if engine == "mariadb" else engine)


def _without(value: Any, engine: str) -> Any:
    if isinstance(value, dict):
        return {name: each if name in _KEPT else _without(each, engine) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, engine) for each in value]
    return fingerprint_of(value, engine) if isinstance(value, str) else value


def _without_texts(text: str) -> str:
    """
    Return JSON up to where it ends or is none any more, line by line: MariaDB does not escape all of its quotes.
    """
    key, lines = "", []
    for line in text.splitlines():
        at, kept = 0, ""
        while token := _TOKEN.match(line, at):
            at = token.end()
            key = token["text"] if token["colon"] else key
            is_value = token["text"] is not None and not token["colon"] and key not in _KEPT
            kept += '"?"' if is_value else token[0]
        lines.append(kept if at == len(line) else f"{kept}…")
    return "\n".join(lines)
