"""
The code that removes a finding, derived from the models and checked against them. Pure functions; no query is run.

A suggestion that would raise or not help is worse than none: each function returns None when it cannot be sure.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldDoesNotExist

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import Model

_MANY_VALUES = 10
_LITERALS = (str, int, float, bool, type(None))
PLAIN = frozenset({"all", "using", "select_related", "prefetch_related", "only", "defer", "next_is_sticky"})
"""Queryset methods that leave a related set the same rows, so that a prefetch serves it."""
SAME = frozenset({"all", "next_is_sticky"})
"""Those of them that read what is prefetched; the others ask again, and belong into the prefetch."""
NAMING = {"order_by": "field_names", "select_related": "fields", "prefetch_related": "lookups"}
"""Queryset methods that advice can repeat with the names they were given: {method: its parameter}."""


@dataclass(frozen=True)
class Hop:
    """
    One relation of a path: its accessor, whether it leads to one object, and the model it leads to.
    """

    accessor: str
    to_one: bool
    select_name: str | None
    model: type[Model] | None


def hops(model: type[Model], path: Iterable[str]) -> list[Hop] | None:
    """
    Return the relations along ``path`` (accessor names) from ``model``, or None where one does not exist.
    """
    found = []
    here: type[Model] | None = model
    for accessor in path:
        hop = _hop(here, accessor) if here is not None else None
        if hop is None:
            return None
        found.append(hop)
        here = hop.model
    return found


def load_together(
    model: type[Model], path: tuple[str, ...], few_targets: bool = False, lookup: tuple[str, ...] = ()
) -> str | None:
    """
    Return ``select_related("a__b")`` where every hop leads to one object, else ``prefetch_related("a__b")``.

    With ``few_targets``, many rows share few objects: a prefetch builds each of them once, a JOIN once per row.
    ``lookup`` is the path with the attributes that earlier prefetches have put rows into.
    """
    along = hops(model, path)
    if along is None:
        return None
    lookup = lookup or path
    if not few_targets and lookup == path and all(hop.to_one and hop.select_name for hop in along):
        return f'select_related("{"__".join(str(hop.select_name) for hop in along)}")'
    return f'prefetch_related("{"__".join(lookup)}")'


def prefetch_filtered(
    model: type[Model],
    path: tuple[str, ...],
    operations: tuple[tuple[str, Any], ...],
    operation: str,
    lookup: tuple[str, ...] = (),
) -> tuple[str, str] | None:
    """
    Return a ``Prefetch`` with what was done to the related set, and the attribute it puts the list into.

    None where an argument cannot be written down, or where the last hop leads to no set.
    """
    along = hops(model, path)
    if not along or along[-1].model is None or along[-1].to_one:
        return None
    start = queryset = _related_rows(along[-1].model)
    for method, arguments in operations:
        text = "" if method in PLAIN else _call(method, arguments)
        if text is None:
            return None
        queryset += text
    if queryset.removeprefix(start)[:1] in {"", "["}:
        queryset = queryset.replace(start, f"{start}.all()", 1)
    attribute = f"{operation if operation in {'first', 'last'} else 'listed'}_{path[-1]}"
    attribute = _free(along[-2].model if len(along) > 1 else model, attribute.removesuffix("_set"))
    return (
        f'prefetch_related(Prefetch("{"__".join(lookup or path)}", queryset={queryset}, to_attr="{attribute}"))',
        attribute,
    )


def prefetch_loading(
    model: type[Model], path: tuple[str, ...], operations: tuple[tuple[str, Any], ...], lookup: tuple[str, ...]
) -> str | None:
    """
    Return a ``Prefetch`` whose rows come with what the related set was told to load with them.
    """
    along = hops(model, path)
    if not along or along[-1].model is None:
        return None
    # only() without the key that a prefetch sorts the rows by would ask for it once a row: all fields are safe.
    calls = [_call(method, arguments) for method, arguments in operations if method not in SAME | {"only", "defer"}]
    if None in calls:
        return None
    if not calls:
        return f'prefetch_related("{"__".join(lookup)}")'
    queryset = _related_rows(along[-1].model) + "".join(map(str, calls))
    return f'prefetch_related(Prefetch("{"__".join(lookup)}", queryset={queryset}))'


def annotate(
    model: type[Model],
    path: tuple[str, ...],
    operation: str,
    aggregate: str,
    operations: tuple[tuple[str, Any], ...] = (),
) -> tuple[str, str] | None:
    """
    Return the ``annotate(...)`` that replaces a count, exists or aggregate per row, and the name it gives.
    """
    along = hops(model, path)
    if not along or any(hop.select_name is None for hop in along) or any(not hop.to_one for hop in along[:-1]):
        return None
    lookup = "__".join(str(hop.select_name) for hop in along)
    condition = _condition(lookup, operations)
    if condition is None:
        return None
    name = path[-1].removesuffix("_set")
    if operation == "count":
        name = _free(model, f"{name}_count")
        return f'annotate({name}=Count("{lookup}"{condition}, distinct=True))', name
    if operation == "exists" and not condition:
        reverse = _reverse(along, model)
        if reverse is None or along[-1].model is None:
            return None
        outer = "__".join([*(str(hop.select_name) for hop in along[:-1]), reverse[1]])
        inner = f'{_related_rows(along[-1].model)}.filter({reverse[0]}=OuterRef("{outer}"))'
        name = _free(model, f"has_{name}")
        return f"annotate({name}=Exists({inner}))", name
    if operation == "aggregate" and aggregate:
        function, _, field = aggregate.partition("|")
        name = _free(model, f"{name}_{function.lower()}")
        return f'annotate({name}={function}("{lookup}__{field}"{condition}))', name
    return None


def _condition(lookup: str, operations: tuple[tuple[str, Any], ...]) -> str | None:
    """
    Return ``, filter=Q(...)`` for what the related set was filtered by, "" for nothing, None where it cannot be said.
    """
    conditions = []
    for method, arguments in operations:
        if method in PLAIN or method == "order_by":
            continue
        texts = [(name, literal(value)) for name, value in (arguments or {}).items()] if method == "filter" else []
        if not texts or any(text is None for _, text in texts):
            return None
        conditions += [f"{lookup}__{name}={text}" for name, text in texts]
    return f", filter=Q({', '.join(conditions)})" if conditions else ""


def _hop(model: type[Model], accessor: str) -> Hop | None:
    meta = model._meta
    for relation in meta.related_objects:
        if relation.get_accessor_name() == accessor:
            name = relation.field.related_query_name()
            return Hop(accessor, relation.one_to_one, name, relation.related_model)
    try:
        field = meta.get_field(accessor)
    except FieldDoesNotExist:
        return None
    if not field.is_relation:
        return None
    generic = field.related_model is None
    to_one = bool(field.many_to_one or field.one_to_one) or generic
    return Hop(accessor, to_one, None if generic else field.name, field.related_model)


def manager(model: Any) -> str:
    """
    Return the name by which code asks for the model's rows.
    """
    return "objects" if "objects" in model._meta.managers_map else str(model._default_manager.name)


def _related_rows(model: Any) -> str:
    # Related sets are made by the default manager, whatever its name.
    return f"{model.__name__}.{model._default_manager.name}"


def _free(model: Any, name: str) -> str:
    """
    Return ``name``, or one like it that the model does not have: Django refuses to put something into a field.
    """
    while hasattr(model, name) or any(field.name == name for field in model._meta.get_fields()):
        name = f"the_{name}"
    return name


def _reverse(along: list[Hop], model: type[Model]) -> tuple[str, str] | None:
    """
    Return the last hop's name seen from its other end, and the field of this end that it holds.
    """
    owner = along[-2].model if len(along) > 1 else model
    if owner is None:  # any model, by a generic relation
        return None
    meta = owner._meta
    accessor = along[-1].accessor
    for relation in meta.related_objects:
        if relation.get_accessor_name() == accessor:
            to = None if relation.many_to_many else relation.field.target_field
            return str(relation.field.name), "pk" if to is None or to.primary_key else str(to.name)
    field: Any = meta.get_field(accessor)
    return (str(field.related_query_name()), "pk") if field.many_to_many else None


def _call(method: str, arguments: Any) -> str | None:
    if method in {"filter", "exclude"}:
        if arguments is None:
            return None
        named = [(name, literal(value)) for name, value in arguments.items()]
        if any(text is None for _, text in named):
            return None
        return f".{method}({', '.join(f'{name}={text}' for name, text in named)})"
    if method in NAMING:
        if arguments is None:
            return None
        texts = [literal(value) for value in arguments]
        return None if None in texts else f".{method}({', '.join(map(str, texts))})"
    if method == "__getitem__":
        return _slice(arguments)
    return ".distinct()" if method == "distinct" else ".reverse()" if method == "reverse" else None


def _slice(key: Any) -> str | None:
    if isinstance(key, int):
        return f"[{key}:{key + 1}]"
    if not isinstance(key, slice) or key.step is not None:
        return None
    return f"[{'' if key.start is None else key.start}:{'' if key.stop is None else key.stop}]"


def is_simple(value: Any) -> bool:
    """
    Say whether ``literal`` may have source for the value: to show it runs nothing of the project.
    """
    if isinstance(value, (list, tuple)):
        return len(value) <= _MANY_VALUES and all(type(entry) in _LITERALS for entry in value)
    return isinstance(value, (*_LITERALS, datetime.date, decimal.Decimal, uuid.UUID))


def literal(value: Any) -> str | None:
    """
    Return Python source for a simple value, or None.
    """
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if type(value) in _LITERALS:
        return repr(value)
    if isinstance(value, (list, tuple)) and all(type(entry) in _LITERALS for entry in value):
        return repr(value) if len(value) <= _MANY_VALUES else None
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return repr(value)
    if type(value) is datetime.date:
        return f"date({value.year}, {value.month}, {value.day})"
    return None
