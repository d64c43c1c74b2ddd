"""
From tables and columns to the models and fields a Django developer knows, auto-created through tables included.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.apps import apps

from perf_panels.origins import PROJECT, class_place, owner_of

if TYPE_CHECKING:
    from django.db.models import Field, Model


_STATES = frozenset({"kind", "mode", "phase", "priority", "role", "stage", "state", "status", "type", "visibility"})


@cache
def _by_table() -> dict[str, type[Model]]:
    found: dict[str, type[Model]] = {}
    for model in apps.get_models(include_auto_created=True):
        meta: Any = model._meta
        earlier = found.get(meta.db_table)
        if not meta.proxy and (earlier is None or (meta.managed and not earlier._meta.managed)):
            found[meta.db_table] = model
    return found


def model_of(table: str | None) -> type[Model] | None:
    """
    Return the model behind a table, or None.
    """
    return _by_table().get(table) if table and apps.models_ready else None


def field_of(model: type[Model] | None, column: str) -> Field[Any, Any] | None:
    """
    Return the field behind a column, or None.
    """
    if model is None:
        return None
    meta: Any = model._meta
    return next((field for field in meta.concrete_fields if column in {field.column, field.attname}), None)


def has_states(table: str | None, column: str) -> bool:
    """
    Say whether the texts of a column may be few and known to the program: its field has choices or is named so, or
    nobody knows its model.
    """
    model = model_of(table)
    field = field_of(model, column)
    named = not _STATES.isdisjoint(column.lower().split("_"))
    return model is None or named or bool(field is not None and field.choices)


def table_name(table: str | None) -> str:
    """
    Return ``app.Model`` of a table, or the table's own name.
    """
    model = model_of(table)
    return str(model._meta.label) if model is not None else (table or "")


def field_name(table: str | None, column: str) -> str:
    """
    Return the field's name as queries spell it, or the column's own.
    """
    field = field_of(model_of(table), column)
    return str(field.name) if field is not None else column


def place_of(model: type[Model]) -> tuple[str, int, bool]:
    """
    Return (file, line, whether it is the project's own) of a model's class.
    """
    owner: Any = model._meta.auto_created or model
    file, line = class_place(owner)
    return file, line, owner_of(file) == PROJECT
