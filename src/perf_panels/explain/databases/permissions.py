"""
What may be done with a statement on each engine, and the sentences that say why not or what to know first.

Sources: docs/explain.md, "What is run and what is not"; every refusal there was measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.databases.base import NotPossible, Permission
from perf_panels.explain.databases.harmless import is_irrevocable

if TYPE_CHECKING:
    from perf_panels.explain.databases.base import Options
    from perf_panels.explain.databases.classify import Facts

YES = Permission("yes")

_POSTGRESQL_UNDONE = (
    (
        "It is run, and rolled back. The rollback does not undo: sequences, which advance (new rows will skip ids);"
        " dead rows, which make the table larger until VACUUM; and what triggers or functions do outside this database."
    ),
    "The rows it changes stay locked until then, and others who want them wait.",
)
_MARIADB_UNDONE = (
    "It is run, and rolled back. The rollback does not undo: AUTO_INCREMENT, which advances (new rows will skip ids).",
    "The rows it changes stay locked until then, and others who want them wait.",
)
_LOCKS = "It locks the rows it reads until it is rolled back, and others who want them wait."


def no(reason: str) -> Permission:
    """
    Return a refusal.
    """
    return Permission("no", (reason,))


def named(functions: tuple[str, ...]) -> str:
    """
    Return function names for a sentence, at most five of them.
    """
    more = f" and {len(functions) - 5} more" if len(functions) > 5 else ""
    return ", ".join(f"{name}()" for name in functions[:5]) + more


def to_explain(facts: Facts, engine: str, *, automatic: bool) -> Permission:
    """
    Say whether the plan may be made without running the statement.
    """
    if facts.refusal:
        return no(facts.refusal)
    if engine == "postgresql":
        if automatic and facts.functions:
            return no(f"It calls {named(facts.functions)}; planning may run that, so a click is needed.")
        return YES
    if engine in {"mysql", "mariadb"}:
        return _to_explain_on_mysql(facts, automatic=automatic)
    return YES


def _to_explain_on_mysql(facts: Facts, *, automatic: bool) -> Permission:
    if (facts.writes or facts.locks) and facts.functions:
        # Neither may be explained in a READ ONLY transaction, which is what keeps a function from writing.
        return no(f"It calls {named(facts.functions)}, which its EXPLAIN may run outside a read only transaction.")
    if automatic and (facts.writes or facts.locks):
        return no("It changes or locks rows, so a click is needed.")
    if automatic and (facts.functions or facts.derived_calls):
        calls = facts.functions or facts.derived_calls
        return no(f"It calls {named(calls)}; this server may run that to plan it, so a click is needed.")
    if facts.functions:
        return Permission("warn", (f"It calls {named(facts.functions)}, which this server may run to plan it.",))
    return YES


def to_analyze(facts: Facts, engine: str) -> Permission:
    """
    Say whether the statement may be run to measure it.
    """
    if facts.refusal:
        return no(facts.refusal)
    forever = tuple(name for name in facts.functions if is_irrevocable(name))
    if forever:
        return no(f"It calls {named(forever)}, whose effect nothing takes back.")
    if engine == "oracle":
        return no("On Oracle only the estimated plan is made.")
    if facts.writes:
        return _to_analyze_write(facts, engine)
    if facts.locks and engine != "sqlite":
        if facts.functions:
            return no(f"It locks rows and calls {named(facts.functions)}: no read only transaction can run it.")
        return Permission("confirm", (_LOCKS,))
    if facts.functions:
        reason = f"It calls {named(facts.functions)}, which is run: it is not known to be harmless."
        return Permission("warn", (reason,))
    return YES


def _to_analyze_write(facts: Facts, engine: str) -> Permission:
    if engine == "sqlite":
        return no("SQLite can measure a statement only by running it, and this one changes rows.")
    if engine == "mysql":
        return no("MySQL cannot stop the ANALYZE of a statement that changes rows, whatever its time limit.")
    if engine == "mariadb":
        if facts.functions:
            return no(f"It changes rows and calls {named(facts.functions)}, which may write what no rollback undoes.")
        return Permission("confirm", _MARIADB_UNDONE)
    if not facts.functions:
        return Permission("confirm", _POSTGRESQL_UNDONE)
    return Permission("confirm", (*_POSTGRESQL_UNDONE, f"It calls {named(facts.functions)}, which is run as well."))


def require(permission: Permission, options: Options) -> None:
    """
    Raise ``NotPossible`` unless the statement is allowed, or its warning was clicked away.
    """
    if permission.verdict == "no" or (permission.verdict != "yes" and not options.confirmed):
        raise NotPossible(" ".join(permission.reasons))


def require_click(options: Options) -> None:
    """
    Raise ``NotPossible`` when nobody asked for a statement to be run.
    """
    if options.automatic:
        raise NotPossible("Nothing is run to measure it unless somebody clicks.")
