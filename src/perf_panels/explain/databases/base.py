"""
What the panel asks of a database, whatever its engine; one module per engine answers.

Every method opens what it needs, limits it in time, and undoes it in a ``finally``: nothing is left behind, and nothing
of it is recorded by any panel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from perf_panels.explain.plan import Plan
    from perf_panels.explain.schema import Schema

Verdict = Literal["yes", "warn", "confirm", "no"]


@dataclass(frozen=True)
class Permission:
    """
    Whether a statement may be explained or analysed, and the sentence that says why not, or what to know first.

    ``warn`` shows the reasons before a first click; ``confirm`` needs a second click on what a rollback cannot undo.
    """

    verdict: Verdict
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """
    How to run it. ``automatic`` is True when nobody clicked: then only what surely executes nothing is allowed.
    """

    timeout_ms: int = 5_000
    lock_timeout_ms: int = 1_000
    timing: bool = True
    """PostgreSQL: TIMING OFF halves the overhead of ANALYZE and leaves out the times of the nodes."""
    confirmed: bool = False
    """The user has clicked through the second confirmation (or the warning)."""
    automatic: bool = False


@dataclass(frozen=True)
class Trial:
    """
    A suggested index tried out: the plan without it and with it, and whether the planner used it.
    """

    method: str
    """``hypopg``, ``transaction`` or ``copy``."""
    before: Plan
    after: Plan
    used: bool
    cost_before: float | None = None
    cost_after: float | None = None
    rows_read_before: float | None = None
    rows_read_after: float | None = None
    helps: bool = False
    notes: tuple[str, ...] = field(default=())


class NotPossible(Exception):  # noqa: N818 - an answer for people, not a failure
    """
    The database, or our own rules, refuse; the message is the sentence shown to the user.
    """


class Database(Protocol):
    """
    One alias. ``sql`` has ``%s`` placeholders exactly as Django sent it; ``params`` is None if there were none.
    """

    engine: str

    def may_explain(self, sql: str, params: Any, *, automatic: bool = False) -> Permission: ...

    def may_analyze(self, sql: str, params: Any) -> Permission: ...

    def explain(self, sql: str, params: Any, options: Options) -> Plan:
        """
        Return the plan without running the statement. Raises ``NotPossible`` with a sentence.
        """

    def analyze(self, sql: str, params: Any, options: Options) -> Plan:
        """
        Run the statement under its EXPLAIN and undo it. Raises ``NotPossible`` with a sentence.
        """

    def schema(self, tables: list[str]) -> Schema:
        """
        Return what is known of these tables; ones it may not see are left out.
        """

    def may_try(self, table: str) -> Permission:
        """
        Say whether an index can be tried, how, and what it takes: table size and lock.
        """

    def try_index(self, sql: str, params: Any, create_index: str, options: Options) -> Trial:
        """
        Make the plan with and without an index given as ``CREATE INDEX`` SQL that we wrote. Raises ``NotPossible``.
        """

    def version(self) -> str: ...
