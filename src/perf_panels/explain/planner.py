"""
From a stored statement to its stored plan: asks the database, parses, runs the rules, and says it in Django's words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import Error

from perf_panels.conf import get_config
from perf_panels.explain import advice, stored_plan
from perf_panels.explain.databases import database_for
from perf_panels.explain.databases.base import NotPossible, Options, Permission
from perf_panels.explain.inlined import inlined
from perf_panels.explain.params import NotKept, restore
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.engine import run, undecided
from perf_panels.findings import Origin

if TYPE_CHECKING:
    from perf_panels.explain.databases.base import Database
    from perf_panels.explain.plan import Plan
    from perf_panels.explain.schema import Schema

Group = dict[str, Any]


def options(**given: Any) -> Options:
    """
    Return the options of the settings, with those of a click over them.
    """
    config = get_config()
    return Options(
        **{"timeout_ms": config.EXPLAIN_TIMEOUT_MS, "lock_timeout_ms": config.EXPLAIN_LOCK_TIMEOUT_MS} | given
    )


def permissions(group: Group) -> dict[str, dict[str, Any]]:
    """
    Return what may be done with a statement, for the page: ``may_explain`` and ``may_analyze``.
    """
    if group["params_problem"]:
        refused = stored_plan.permission(Permission("no", (group["params_problem"],)))
        return {"may_explain": refused, "may_analyze": refused}
    try:
        database, params = database_for(group["alias"]), restore(group["values"])
        return {
            "may_explain": stored_plan.permission(database.may_explain(group["sql"], params)),
            "may_analyze": stored_plan.permission(database.may_analyze(group["sql"], params)),
        }
    except (NotPossible, NotKept) as problem:
        refused = stored_plan.permission(Permission("no", (str(problem),)))
        return {"may_explain": refused, "may_analyze": refused}


def make(
    group: Group,
    asked: Options,
    *,
    analyze: bool = False,
    previous: dict[str, Any] | None = None,
    schemas: dict[Any, Schema] | None = None,
) -> dict[str, Any]:
    """
    Return the plan of a group as it is stored. What the database refuses is a failed plan with its sentence.
    """
    if group["params_problem"]:
        return stored_plan.failed(group["params_problem"], group["vendor"])
    try:
        database, params = database_for(group["alias"]), restore(group["values"])
        make_plan = database.analyze if analyze else database.explain
        plan = make_plan(group["sql"], params, asked)
        schema = _schema(database, group["alias"], plan, schemas)
    except (NotPossible, NotKept) as problem:
        return stored_plan.failed(str(problem), group["vendor"])
    except Error as error:
        return stored_plan.failed(f"The database answered: {type(error).__name__}: {error}", group["vendor"])
    plan.version = plan.version or schema.version
    return _judged(group, plan, schema, previous)


def try_index(group: Group, sql: str, asked: Options) -> dict[str, Any]:
    """
    Return what happens to the plan of a group with the index that ``sql`` creates. Raises ``NotPossible``.
    """
    try:
        params = restore(group["values"])
    except NotKept as problem:
        raise NotPossible(str(problem)) from None
    return stored_plan.stored_trial(database_for(group["alias"]).try_index(group["sql"], params, sql, asked))


def _judged(group: Group, plan: Plan, schema: Schema, previous: dict[str, Any] | None) -> dict[str, Any]:
    off = frozenset(get_config().EXPLAIN_RULES_OFF)
    # SQLite's plans have none of the statement's values.
    sql = inlined(group["sql"], restore(group["values"])) if plan.engine == "sqlite" else group["sql"]
    matches = run(Subject(plan, read(sql, plan.engine), schema), off)
    origin = Origin(**group["origin"]) if group["origin"] else None
    advised = advice.advise(matches, plan, schema, origin)
    made = stored_plan.stored(plan, advised, [rule.id for rule in undecided(plan, off)], previous)
    for card in made["cards"]:
        card["trial"] = _trial(group, card, plan.engine)
    return made


def _trial(group: Group, card: dict[str, Any], engine: str) -> dict[str, Any] | None:
    if card["sql"] is None:
        return None
    trial = {"id": stored_plan.index_id(group["id"], card["sql"])}
    try:
        return trial | stored_plan.permission(database_for(group["alias"]).may_try(card["table"]))
    except NotPossible as problem:
        return trial | {"verdict": "no", "reasons": [str(problem)]}


def _schema(database: Database, alias: str, plan: Plan, schemas: dict[Any, Schema] | None) -> Schema:
    """
    Return what is known of the plan's tables; ``schemas`` remembers it while the plans of one request are made.
    """
    tables = sorted({node.relation for node in plan.nodes() if node.relation})
    key = (alias, tuple(tables))
    if schemas is None:
        return database.schema(tables)
    if key not in schemas:
        schemas[key] = database.schema(tables)
    return schemas[key]
