"""
Takes the literals out of a plan's text, so that it can be shown to others without showing data.
"""

from __future__ import annotations

import json
import re
from typing import Any

from perf_panels.explain.fingerprint import fingerprint

# What people wrote, or what came from their data; names of tables and columns stay.
_CONDITIONS = re.compile(
    r"(?i)(cond|condition|filter|key|output|expression|query|sql|values|sort_field|operation|group|call|command|ranges|ref)"
)


def plan_text(text: str, engine: str) -> str:
    """
    Return the plan with every literal of its conditions as ``?``; numbers of the plan itself are kept.
    """
    try:
        value = json.loads(text)
    except ValueError:
        return "\n".join(fingerprint_of(line, engine) for line in text.splitlines())
    return json.dumps(_without(value, "", engine), indent=1, ensure_ascii=False)


def fingerprint_of(text: str, engine: str) -> str:
    """
    Return a text with its literals folded, as a statement's are.
    """
    return fingerprint(text, "mysql" if engine == "mariadb" else engine)


def _without(value: Any, key: str, engine: str) -> Any:
    if isinstance(value, dict):
        return {name: _without(each, name, engine) for name, each in value.items()}
    if isinstance(value, list):
        return [_without(each, key, engine) for each in value]
    if isinstance(value, str) and _CONDITIONS.search(key):
        return fingerprint_of(value, engine)
    return value
