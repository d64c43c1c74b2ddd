"""
The rule catalogue and the limits of docs/explain.md, made from the code whenever the docs are built.
"""

from __future__ import annotations

import re
from dataclasses import fields
from inspect import getsource
from pathlib import Path

from perf_panels.explain.limits import Limits
from perf_panels.explain.rules.engine import all_rules

FOLDER = Path(__file__).parent / "_build" / "generated"
NEEDS = {"A": "measured", "E": "estimated", "E/A": "both"}


def rules() -> str:
    """
    Return the table of rules: id, what it means, on which plans and engines, where its threshold comes from.
    """
    head = "| rule | what it means | plans | engines | threshold from |\n| --- | --- | --- | --- | --- |\n"
    rows = [
        f"| `{rule.id}` | {rule.summary} | {NEEDS[rule.needs]} | {', '.join(rule.engines) or 'all'} | {rule.source} |"
        for rule in all_rules().values()
    ]
    return head + "\n".join(rows) + "\n"


def limits() -> str:
    """
    Return the table of limits: name, default, meaning.
    """
    said = dict(re.findall(r'^    (\w+): float = [^\n]+\n    """(.*?)"""', getsource(Limits), re.MULTILINE | re.DOTALL))
    head = "| limit | default | meaning and source |\n| --- | --- | --- |\n"
    rows = [f"| `{limit.name}` | `{limit.default:g}` | {said.get(limit.name, '')} |" for limit in fields(Limits)]
    return head + "\n".join(rows) + "\n"


def write(*_: object) -> None:
    """
    Write both tables to where explain.md includes them from.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "rules.md").write_text(rules(), encoding="utf-8")
    (FOLDER / "limits.md").write_text(limits(), encoding="utf-8")
