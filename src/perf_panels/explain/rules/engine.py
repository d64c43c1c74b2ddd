"""
Runs the rules over a plan and keeps of what they found what a reader should see.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from perf_panels.explain import rules
from perf_panels.explain.rules.base import RULES
from perf_panels.explain.rules.problems import PROBLEM_RULES
from perf_panels.explain.rules.waste import partitioned
from perf_panels.findings import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perf_panels.explain.plan import Plan
    from perf_panels.explain.rules.base import Match, Rule, Subject

logger = logging.getLogger("perf_panels")

NEVER_MEASURED = frozenset({"sqlite", "oracle"})
"""Engines whose plans are always estimates, so that no click can decide more."""


@cache
def all_rules() -> dict[str, Rule]:
    """
    Import every module of rules and return what they registered, by id.
    """
    for module in iter_modules(rules.__path__):
        import_module(f"{rules.__name__}.{module.name}")
    return dict(sorted(RULES.items()))


def run(subject: Subject, off: frozenset[str] = frozenset(), *, strict: bool = False) -> list[Match]:
    """
    Return what the rules find, worst first. A rule that fails is logged and the others go on, unless ``strict``.
    """
    wanted = [found for found in all_rules().values() if found.id not in off and _applies(found, subject.plan)]
    matches = [match for found in wanted for match in _guarded(found, subject, strict=strict)]
    _name_partitioned(matches, partitioned(subject))
    return sorted(_once(_kept(matches)), key=_badness)


def undecided(plan: Plan, off: frozenset[str] = frozenset()) -> list[Rule]:
    """
    Return the rules that only a measured plan can decide, when this one is estimated and could be measured.
    """
    if plan.root is None or plan.analyzed or plan.engine in NEVER_MEASURED:
        return []
    return [
        found for found in all_rules().values() if found.needs == "A" and found.id not in off and _applies(found, plan)
    ]


def _applies(found: Rule, plan: Plan) -> bool:
    if plan.root is None:
        return found.id in PROBLEM_RULES
    return not found.engines or plan.engine in found.engines


def _guarded(found: Rule, subject: Subject, *, strict: bool) -> list[Match]:
    try:
        matches = list(found.find(subject))
    except Exception:  # a rule must never take the page, or the findings of the others, with it
        if strict:
            raise
        logger.exception("The EXPLAIN rule %s failed; the others were run.", found.id)
        return []
    for match in matches:
        match.rule = found.id
    return matches


def _name_partitioned(matches: list[Match], tables: dict[str, str]) -> None:
    """
    Speak of the table, which has the model, in place of its partitions: they are found as one then.
    """
    for match in matches:
        if match.index is not None and match.index.table in tables:
            match.index = replace(match.index, table=tables[match.index.table], partition=match.index.table)
        match.table = tables.get(match.table or "", match.table)


def _kept(matches: list[Match]) -> Iterable[Match]:
    """
    Yield the matches that no other one explains better: on the same node, or on the same table.
    """
    better = [(superseded, match) for match in matches for superseded in RULES[match.rule].supersedes]
    for match in matches:
        if not any(superseded == match.rule and _same_place(match, other) for superseded, other in better):
            yield match


def _same_place(match: Match, other: Match) -> bool:
    if match.node is not None and match.node is other.node:
        return True
    return match.table is not None and match.table == other.table


def _once(matches: Iterable[Match]) -> Iterable[Match]:
    """
    Return one match, the worst, for each rule, table and columns; its evidence has the number of places.
    """
    found: dict[tuple[str, str | None, tuple[str, ...]], list[Match]] = {}
    for match in matches:
        found.setdefault((match.rule, match.table, match.columns), []).append(match)
    for same in found.values():
        worst = min(same, key=_badness)
        if len(same) > 1:
            worst.evidence = {**worst.evidence, "places": len(same)}
        yield worst


def _badness(match: Match) -> tuple[int, float, float]:
    spent = match.node.self_ms if match.node is not None else None
    return SEVERITIES.index(match.severity), -(match.saving_ms or 0), -(spent or 0)
