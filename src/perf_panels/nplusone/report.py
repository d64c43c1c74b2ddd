"""
From a recording to findings: pure functions, which know neither requests nor HTML.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perf_panels.conf import get_config
from perf_panels.findings import worst_first
from perf_panels.nplusone import eager, loads, repeats
from perf_panels.nplusone.allow import allowed
from perf_panels.origins import PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perf_panels.findings import Finding
    from perf_panels.nplusone.collect import Recording
    from perf_panels.nplusone.found import Found
    from perf_panels.nplusone.history import Unused

_ONE_STAYS = frozenset({"duplicate-query", "write-loop"})
"""Rules whose fix leaves one statement of the many."""


@dataclass
class Report:
    """
    The findings of the project's own code, those of packages it uses (``folded``), and what was watched.

    ``excess`` counts the queries that the findings say should not exist, ``allowed`` the findings on the allowlist.
    """

    own: list[Found] = field(default_factory=list)
    folded: list[Found] = field(default_factory=list)
    queries: int = 0
    excess: int = 0
    querysets: int = 0
    instances: int = 0
    allowed: int = 0

    @property
    def findings(self) -> list[Finding]:
        return [found.finding for found in self.own]


def report(recording: Recording, unused: Sequence[Unused] = (), unused_requests: int | None = None) -> Report:
    """
    Return what a recording shows; ``unused`` are eager loads with their record over several requests.
    """
    config = get_config()
    lazy, explained = loads.find(recording)
    found = [
        *lazy,
        *repeats.find(recording.claims, explained),
        *eager.fanouts(recording.peers),
        *eager.unused(list(unused), unused_requests or config.NPLUSONE_UNUSED_REQUESTS),
    ]
    kept = [each for each in found if not allowed(each.finding, config.NPLUSONE_ALLOW)]
    own = [each for each in kept if each.site.owner == PROJECT]
    return Report(
        own=_worst_first(own),
        folded=_worst_first([each for each in kept if each.site.owner != PROJECT]),
        queries=recording.queries,
        excess=sum(_excess(each.finding) for each in own),
        querysets=sum(peers.parent is None for peers in recording.peers),
        instances=sum(peers.rows for peers in recording.peers),
        allowed=len(found) - len(kept),
    )


def _excess(finding: Finding) -> int:
    queries = int(finding.evidence.get("queries", 0))
    return max(0, queries - 1) if finding.rule in _ONE_STAYS else queries


def _worst_first(found: list[Found]) -> list[Found]:
    order = {id(finding): place for place, finding in enumerate(worst_first([each.finding for each in found]))}
    return sorted(found, key=lambda each: order[id(each.finding)])
