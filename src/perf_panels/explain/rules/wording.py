"""
How bad a match is, and the words and numbers that every match has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.schema import MoreThan

if TYPE_CHECKING:
    from perf_panels.explain.plan import Node
    from perf_panels.explain.rules.base import Subject
    from perf_panels.findings import Severity


def severity(subject: Subject, *nodes: Node) -> Severity:
    """
    Return critical for steps that took ``SLOW_MS`` by themselves, a whole slow statement; warning for all others.
    """
    spent = sum(subject.time_of(node) or 0 for node in nodes)
    return "critical" if spent >= subject.limits.SLOW_MS else "warning"


def number(value: float) -> str:
    return f"{'more than ' if isinstance(value, MoreThan) else ''}{value:,.0f}"


def all_of(value: float) -> str:
    return f"all{' of' if isinstance(value, MoreThan) else ''} {number(value)}"


def up_to(value: float) -> str:
    return f"up to {all_of(value) if isinstance(value, MoreThan) else number(value)}"


def share(value: float) -> str:
    if 0 < value < 0.001:
        return "less than 0.1%"
    return f"{value * 100:.1f}".removesuffix(".0") + "%" if value < 0.1 else f"{value:.0%}"


def took(subject: Subject, node: Node) -> str:
    """
    Return the words for a node's own time, or nothing when it was not measured.
    """
    spent = subject.time_of(node)
    return "" if spent is None else f" It took {spent:,.1f} ms by itself."


def timing(subject: Subject, node: Node) -> dict[str, float | int]:
    spent = subject.time_of(node)
    return {} if spent is None else {"self_ms": round(spent, 2)}
