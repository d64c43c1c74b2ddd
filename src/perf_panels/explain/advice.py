"""
Puts what the rules found into Django's words: models and fields for tables and columns, an index as ``models.Index``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf_panels.explain import models_map
from perf_panels.explain.indexes import Suggestion, suggest
from perf_panels.explain.prefixes import obstacle
from perf_panels.explain.schema import MoreThan, Schema
from perf_panels.findings import Finding, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perf_panels.explain.plan import Node, Plan
    from perf_panels.explain.rules.base import Match


MORE_THAN = "_more_than"
"""Ends the name of a number that is exceeded."""


@dataclass
class Advised:
    """
    A finding with the node it speaks of and the index it asks for, if there is one.
    """

    finding: Finding
    node: Node | None = None
    suggestion: Suggestion | None = None


def advise(
    matches: Iterable[Match], plan: Plan, schema: Schema | None = None, origin: Origin | None = None
) -> list[Advised]:
    """
    Return a finding for each match; ``origin`` is where the statement was sent from.
    """
    return [_advised(match, plan, schema or Schema(), origin) for match in matches]


def findings(
    matches: Iterable[Match], plan: Plan, schema: Schema | None = None, origin: Origin | None = None
) -> list[Finding]:
    """
    Return the findings alone, in the matches' order.
    """
    return [advised.finding for advised in advise(matches, plan, schema, origin)]


def _advised(match: Match, plan: Plan, schema: Schema, origin: Origin | None) -> Advised:
    suggestion = suggest(match.index, schema, plan.engine) if match.index is not None else None
    problem = obstacle(match.index, schema.table(match.index.table), plan.engine) if match.index is not None else None
    model = models_map.model_of(match.table)
    words = {"table": models_map.table_name(match.table), "columns": _columns(match)}
    # Queryset code names the class, not its label.
    class_name = model.__name__ if model is not None else (match.table or "Model")
    code = suggestion.code if suggestion else _filled(match.rewrite, words | {"table": class_name})
    finding = Finding(
        rule=match.rule,
        severity=match.severity,
        title=_filled(match.title, words) or "",
        detail=_filled(match.detail, words) or "",
        evidence=_evidence(match),
        advice=_advice(match, words, suggestion, problem),
        code=code,
        origin=origin,
        fix_at=_fix_at(suggestion),
        saving_ms=match.saving_ms,
        relation=_relation(match),
    )
    return Advised(finding, match.node, suggestion)


def _evidence(match: Match) -> dict[str, float | int]:
    bounds = {name for name, value in match.evidence.items() if isinstance(value, MoreThan)}
    return {
        f"{name}{MORE_THAN}" if name in bounds else name: int(value) if name in bounds else value
        for name, value in match.evidence.items()
    }


def _columns(match: Match) -> str:
    names = [models_map.field_name(match.table, column) for column in match.columns]
    return ", ".join(names)


def _filled(text: str | None, words: dict[str, str]) -> str | None:
    if text is None:
        return None
    # Not str.format: code and conditions may have braces of their own.
    for name, word in words.items():
        text = text.replace(f"{{{name}}}", word)
    return text


def _advice(match: Match, words: dict[str, str], suggestion: Suggestion | None, problem: str | None) -> str:
    if problem is not None:
        return problem
    advice = (_filled(match.advice, words) or "Add an index").rstrip(".")
    # The rules end theirs as a clause; on the page it is a sentence of its own.
    sentence = f"{advice[:1].upper()}{advice[1:]}."
    return f"{sentence} Put it into {suggestion.where}." if suggestion is not None else sentence


def _fix_at(suggestion: Suggestion | None) -> Origin | None:
    if suggestion is None or suggestion.file is None:
        return None
    return Origin(suggestion.file, suggestion.line, (suggestion.model or "").rpartition(".")[2])


def _relation(match: Match) -> str | None:
    model = models_map.model_of(match.table)
    if model is None or not match.columns:
        return None
    field = models_map.field_of(model, match.columns[0])
    return f"{model._meta.label}.{field.name}" if field is not None else None
