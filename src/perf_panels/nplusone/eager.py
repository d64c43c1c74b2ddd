"""
Eager loads that cost more than they bring: JOINs that repeat few objects over many rows, and loads nobody uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.conf import get_config
from perf_panels.findings import Finding
from perf_panels.nplusone import advice
from perf_panels.nplusone.found import Found
from perf_panels.origins import Site, to_origin

if TYPE_CHECKING:
    from perf_panels.nplusone.history import Unused
    from perf_panels.nplusone.records import Peers

_NOWHERE = Site(None, 0, "", "django")
_WIDE_WASTE = 1_000
"""Duplicate objects from which a fan-out is a warning; measured at 1.3-2.5 x the CPU of a prefetch for 2,000 rows."""


def fanouts(peers: list[Peers]) -> list[Found]:
    """
    Return a finding for each ``select_related`` whose rows repeat few objects; of a chain only the first hop.
    """
    config = get_config()
    wasteful = [
        child
        for child in peers
        if child.eager == "select"
        and child.rows >= config.NPLUSONE_FANOUT_ROWS
        and child.rows >= config.NPLUSONE_FANOUT_RATIO * child.distinct
    ]
    first_hops = [child for child in wasteful if child.parent not in wasteful]
    return [Found(_fanout(child), child.root.built or _NOWHERE) for child in first_hops]


def unused(loads: list[Unused], requests: int) -> list[Found]:
    """
    Return a finding for each eager load that was unused in all of at least ``requests`` requests.
    """
    never = [load for load in loads if load.unused == load.requests and load.requests >= requests]
    peers = [load.peers for load in never]
    return [Found(_unused(load), load.peers.root.built or _NOWHERE) for load in never if load.peers.parent not in peers]


def _relation(child: Peers) -> str:
    assert child.parent is not None
    return f"{child.parent.model._meta.label}.{child.accessor}"


def _fanout(child: Peers) -> Finding:
    distinct = child.distinct
    duplicates = child.rows - distinct
    path = "__".join(child.path)
    columns = len(child.model._meta.concrete_fields)
    code = advice.load_together(child.root.model, child.path, few_targets=True)
    return Finding(
        rule="join-fanout",
        severity="warning" if duplicates >= _WIDE_WASTE else "info",
        title=f"{distinct} {child.model.__name__} objects repeated over {child.rows:,} rows",
        detail=(
            f"select_related joins {columns} columns of {child.model.__name__} to every row and builds {child.rows:,} "
            f"objects where {distinct} are different: {duplicates:,} duplicates."
        ),
        evidence={
            "queries": 0,
            "rows": child.rows,
            "distinct": distinct,
            "instances_built": child.rows,
            "duplicates": duplicates,
            "columns": columns,
        },
        advice=f'Take "{path}" out of select_related() and prefetch it: one more query, {duplicates:,} objects fewer.',
        code=f".{code}" if code else None,
        origin=to_origin(child.root.evaluated),
        fix_at=to_origin(child.root.built),
        relation=_relation(child),
    )


def _unused(load: Unused) -> Finding:
    child = load.peers
    path = "__".join(child.path)
    method = "select_related" if child.eager == "select" else "prefetch_related"
    return Finding(
        rule="unused-eager-load",
        severity="info",
        title=f"{_relation(child)} is loaded and never used",
        detail=(
            f'{method}("{path}") brought {child.rows:,} rows; '
            f"unused in {load.unused} of {load.requests} requests to this view."
        ),
        evidence={"queries": int(child.eager == "prefetch"), "rows": child.rows, "requests": load.requests},
        advice=f'Remove "{path}" from {method}(), unless a branch that these requests did not take needs it.',
        origin=to_origin(child.root.evaluated),
        fix_at=to_origin(child.root.built),
        relation=_relation(child),
    )
