"""
Rules about PostgreSQL's time beside the plan: compiling, planning, waiting for workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.wording import number, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.rules.base import Subject

POSTGRESQL = ("postgresql",)


@rule("jit-overhead", "A", engines=POSTGRESQL)
def jit_overhead(subject: Subject) -> Iterator[Match]:
    """
    Compiling the statement (JIT) took a large part of its time.

    Source: 25 % and 10 ms; judgement.
    """
    plan, limits = subject.plan, subject.limits
    if not plan.jit_ms or not plan.execution_ms or plan.jit_ms < limits.JIT_MS:
        return
    if plan.jit_ms < plan.execution_ms * limits.JIT_SHARE:
        return
    yield Match(
        plan.root,
        "warning",
        f"{number(plan.jit_ms)} of {number(plan.execution_ms)} ms spent on compiling the statement (JIT)",
        f"Measured: {share(plan.jit_ms / plan.execution_ms)} of the time; from {share(limits.JIT_SHARE)} it counts.",
        "Turn JIT off for this database, or raise jit_above_cost",
        None,
        (),
        {"jit_ms": round(plan.jit_ms, 1), "execution_ms": round(plan.execution_ms, 1)},
        rewrite='DATABASES["default"]["OPTIONS"] = {"options": "-c jit=off"}',
        saving_ms=plan.jit_ms,
    )


@rule("planning-time", "A", engines=POSTGRESQL)
def planning_time(subject: Subject) -> Iterator[Match]:
    """
    Planning took longer than running.

    Info: the first statement of a connection plans slowly, because the catalogue is not cached yet.

    Source: 10 ms; judgement.
    """
    plan = subject.plan
    if plan.planning_ms is None or plan.execution_ms is None:
        return
    if plan.planning_ms < subject.limits.PLANNING_MS or plan.planning_ms <= plan.execution_ms:
        return
    yield Match(
        plan.root,
        "info",
        f"{number(plan.planning_ms)} ms of planning for {plan.execution_ms:,.1f} ms of running",
        "Measured. Many joins or partitions make planning slow, and so does a fresh connection.",
        "Analyze again; if it stays, join fewer tables, or keep connections open (CONN_MAX_AGE)",
        None,
        (),
        {"planning_ms": round(plan.planning_ms, 2), "execution_ms": round(plan.execution_ms, 2)},
    )


@rule("workers-missing", "A", engines=POSTGRESQL)
def workers_missing(subject: Subject) -> Iterator[Match]:
    """
    Fewer parallel workers ran than were planned.

    Info: on a laptop or in CI that is normal.

    Source: pgplan.
    """
    short = [
        node
        for node in subject.plan.nodes()
        if node.kind is Kind.GATHER and node.executed and node.workers_planned and node.workers_launched is not None
        if node.workers_launched < node.workers_planned
    ]
    for node in short[:1]:
        planned, launched = node.workers_planned or 0, node.workers_launched or 0
        yield Match(
            node,
            "info",
            f"{number(launched)} of {number(planned)} planned workers ran",
            "Measured: the server had no more to give at this moment, so the plan ran slower than it was meant to.",
            "Raise max_parallel_workers, if it happens in production",
            None,
            (),
            {"workers_planned": round(planned), "workers_launched": round(launched)},
        )
