"""
Rules for an answer that is no plan: the only ones that run when it could not be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.rules.base import Match, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.rules.base import Subject

PROBLEM_RULES = ("invalid-plan", "partial-plan")


@rule("invalid-plan", "E")
def invalid_plan(subject: Subject) -> Iterator[Match]:
    """
    The server's answer could not be read as a plan, so no other rule was run.

    Source: MariaDB prints invalid JSON for some statements with JSON functions; measured on 10.11.
    """
    plan = subject.plan
    if plan.problem_rule == "invalid-plan" or (plan.root is None and not plan.problem and not plan.problem_rule):
        yield Match(
            None,
            "info",
            "The plan could not be read",
            plan.problem or "The server's answer has no plan in it.",
            "Read the server's own text; nothing else was judged",
        )


@rule("partial-plan", "E")
def partial_plan(subject: Subject) -> Iterator[Match]:
    """
    The statement was stopped before its plan was complete, so no other rule was run.

    Source: MySQL answers a statement that ran into max_execution_time with half a plan and warning 1317.
    """
    if subject.plan.problem_rule == "partial-plan":
        yield Match(
            None,
            "info",
            "The plan is not complete: the statement was stopped while it ran",
            subject.plan.problem or "The time limit was reached before the statement had ended.",
            "Explain it without Analyze, or allow it more time",
        )
