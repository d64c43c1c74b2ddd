"""
From the index a rule needs to the ``models.Index`` to paste, and the SQL a migration would run for it.

A need that the database already answers, or cannot answer, gives nothing: no advice is better than a wrong one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from perf_panels.explain import index_text, models_map, prefixes
from perf_panels.explain.implied import holds

if TYPE_CHECKING:
    from django.db.models import Model

    from perf_panels.explain.rules.base import IndexNeed
    from perf_panels.explain.schema import Index, Schema, Table

PARTIAL = frozenset({"postgresql", "sqlite"})
"""Engines with partial indexes (``supports_partial_indexes``)."""
_WITHOUT_EXPRESSIONS = frozenset({"mariadb"})
"""Engines without indexes on expressions (``supports_expression_indexes``)."""
_NAME_LENGTH = 30
"""Django's limit (``Index.max_name_length``), for Oracle's sake."""
_NEVER_IN_A_CONDITION = frozenset(
    {"DateField", "DateTimeField", "TimeField", "UUIDField", "EmailField", "TextField", "DecimalField", "FloatField"}
)


@dataclass(frozen=True)
class Suggestion:
    """
    ``code`` is to be pasted, ``where`` says into what; ``sql`` does the same to the database, for trying it out.
    """

    name: str
    table: str
    sql: str
    code: str
    where: str
    file: str | None = None
    line: int = 0
    model: str | None = None


def suggest(need: IndexNeed, schema: Schema, engine: str) -> Suggestion | None:
    """
    Return the index that answers a need on this engine, or None if there is one already or none can.
    """
    table = schema.table(need.table) or schema.table(need.partition)
    if need.method == "fulltext" or (need.method in {"gin", "trigram"} and engine != "postgresql"):
        return None
    if need.expression is not None and engine in _WITHOUT_EXPRESSIONS:
        return None
    if prefixes.obstacle(need, table, engine):
        return None
    need = _possible(need, engine)
    lengths = prefixes.lengths(need, table, engine)
    # Rows with the same first characters have no order.
    need = replace(need, order=()) if lengths else need
    keys = _keys(need)
    if (not keys and need.expression is None) or not _known(need, table) or _exists(need, keys, table, engine):
        return None
    model = models_map.model_of(need.table)
    name = _name(need, keys)
    sql = index_text.sql(need, name, keys, engine, lengths)
    made = Suggestion(name, need.table, sql, index_text.code(need, name, keys, model), "")
    return _placed(made, index_text.migration(sql, name, need.table, engine), model, whole=not lengths)


def _possible(need: IndexNeed, engine: str) -> IndexNeed:
    """
    Leave out what only PostgreSQL has; move what cannot be the condition of a partial index, here or ever, to the front
    of the columns.
    """
    if engine != "postgresql":
        need = replace(need, include=(), opclass=None)
    # A condition may stand twice in a statement; a keyword may not in a call.
    need = replace(
        need, condition=tuple(part for n, part in enumerate(need.condition) if part not in need.condition[:n])
    )
    if not need.condition or (
        engine in PARTIAL and all(_may_be_condition(need.table, *part) for part in need.condition)
    ):
        return need
    moved = tuple(column for column, operator, _ in need.condition if operator != "ne")
    return replace(need, condition=(), equality=tuple(dict.fromkeys((*moved, *need.equality))))


def _may_be_condition(table: str, column: str, operator: str, value: Any) -> bool:
    field = models_map.field_of(models_map.model_of(table), column)
    if operator in {"null", "not-null", "true", "false"} or field is None:
        return True
    if not isinstance(value, (str, int, bool, tuple, list)):
        return False
    if isinstance(value, str) and not models_map.has_states(table, column):
        return False
    return not (
        field.unique or field.is_relation or any(kind.__name__ in _NEVER_IN_A_CONDITION for kind in type(field).__mro__)
    )


def _keys(need: IndexNeed) -> list[tuple[str, bool]]:
    """
    Return the index's columns in order, each with whether it descends.
    """
    keys = [(column, False) for column in need.equality]
    keys += [(need.range_, False)] if need.range_ and not need.order else []
    keys += list(need.order)
    return list({column: (column, descending) for column, descending in reversed(keys)}.values())[::-1]


def _known(need: IndexNeed, table: Table | None) -> bool:
    if table is None or not table.columns:
        return True
    named = [column for column, _ in _keys(need)] + [column for column, _, _ in need.condition]
    return all(column in table.columns for column in named)


def _exists(need: IndexNeed, keys: list[tuple[str, bool]], table: Table | None, engine: str) -> bool:
    if table is None:
        return False
    columns = tuple(column for column, _ in keys)
    if need.condition or need.expression or need.opclass or need.method != "btree":
        return any(_answers(index, need, columns, engine) for index in table.indexes)
    return bool(table.led_by(*columns, sought=not need.order and need.range_ is None))


def _answers(index: Index, need: IndexNeed, columns: tuple[str, ...], engine: str) -> bool:
    if need.method == "btree" and index.method not in ({"btree", "hash"} if need.expression else {"btree"}):
        return False
    if need.condition:
        return index.columns[: len(columns)] == columns and holds(index.condition, need.condition, engine)
    if index.condition is not None:
        return False
    opclass = "gin_trgm_ops" if need.method == "trigram" else need.opclass
    # A trigram index may be GiST as well; its class of operators has another name then.
    trigrams = any("trgm" in each for each in index.opclasses)
    if need.method == "trigram" and not trigrams:
        return False
    if need.method == "gin" and index.method != "gin":
        return False
    if need.expression:
        return _normal(index.expressions.get(0, "")) == _normal(need.expression)
    if opclass and need.method == "btree":
        place = index_text.opclass_place(need, [(column, False) for column in columns])
        return index.columns[: len(columns)] == columns and index.opclasses[place : place + 1] == (opclass,)
    return index.columns[:1] == columns[:1]


def _normal(expression: str) -> str:
    return "".join(character for character in expression.lower() if character.isalnum())


def _name(need: IndexNeed, keys: list[tuple[str, bool]]) -> str:
    parts = [f"{need.wrapped[1]}_{need.wrapped[0]}" if need.wrapped else "expr"] if need.expression else []
    parts += [f"{column}{'_desc' * descending}" for column, descending in keys]
    suffix = {"gin": "gin", "trigram": "trgm"}.get(need.method, "part" if need.condition else "idx")
    suffix = "like" if need.opclass and need.method == "btree" else suffix
    conditions = [_condition_name(*part) for part in need.condition]
    full = "_".join((need.table.split(".")[-1], *parts, *conditions, suffix)).lower()
    full = "".join(character if character.isalnum() and character.isascii() else "_" for character in full).strip("_")
    # A name may start with neither an underscore nor a digit (models.E033, E034).
    full = full if full[:1].isalpha() else f"i{full}"
    if len(full) <= _NAME_LENGTH:
        return full
    digest = hashlib.blake2s(full.encode(), digest_size=2).hexdigest()
    return f"{full[: _NAME_LENGTH - len(digest) - len(suffix) - 2].rstrip('_')}_{digest}_{suffix}"


def _condition_name(column: str, operator: str, value: Any) -> str:
    if operator in {"eq", "ne", "in"}:
        values = value if isinstance(value, (list, tuple)) else (value,)
        words = [str(each) if isinstance(each, str) else f"{column}_{each}" for each in values]
        return "_".join(("not", *words) if operator == "ne" else words)
    return {"null": f"no_{column}", "false": f"not_{column}"}.get(operator, column)


def _placed(made: Suggestion, run: str, model: type[Model] | None, *, whole: bool) -> Suggestion:
    """
    Say where the code goes, or give a migration in its place where the model cannot have it.
    """
    if model is None:
        return replace(made, code=run, where="a migration of your own: no model has this table")
    if not whole:
        return replace(made, code=run, where="a migration of your own: models.Index has a column whole or not at all")
    file, line, own = models_map.place_of(model)
    made = replace(made, model=str(model._meta.label))
    if not own or model._meta.auto_created or not model._meta.managed:
        why = "the model is a package's" if not own else "its table is made by Django or by hand"
        return replace(made, code=run, where=f"a migration of your own: {why}")
    return replace(made, where=f"{model.__name__}.Meta.indexes", file=file, line=line)
