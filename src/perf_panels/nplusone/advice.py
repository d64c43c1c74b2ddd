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

_LITERALS = (str, int, float, bool, type(None))
PLAIN = frozenset({"all", "using", "select_related", "prefetch_related", "only", "defer", "next_is_sticky"})
"""Queryset methods that leave a related set the same rows, so that a plain prefetch serves it."""


@dataclass(frozen=True)
class Hop:
    """
    One relation of a path: its accessor, whether it leads to one object, and the model it leads to.
    """

    accessor: str
    to_one: bool
    select_name: str | None
    model: type | None


def hops(model: type, path: Iterable[str]) -> list[Hop] | None:
    """
    Return the relations along ``path`` (accessor names) from ``model``, or None where one does not exist.
    """
    found = []
    here: type | None = model
    for accessor in path:
        hop = _hop(here, accessor) if here is not None else None
        if hop is None:
            return None
        found.append(hop)
        here = hop.model
    return found


def load_together(model: type, path: tuple[str, ...], few_targets: bool = False) -> str | None:
    """
    Return ``select_related("a__b")`` where every hop leads to one object, else ``prefetch_related("a__b")``.

    With ``few_targets``, many rows share few objects: a prefetch builds each of them once, a JOIN once per row.
    """
    along = hops(model, path)
    if along is None:
        return None
    if not few_targets and all(hop.to_one and hop.select_name for hop in along):
        return f'select_related("{"__".join(str(hop.select_name) for hop in along)}")'
    return f'prefetch_related("{"__".join(path)}")'


def prefetch_filtered(
    model: type, path: tuple[str, ...], operations: tuple[tuple[str, Any], ...], operation: str
) -> tuple[str, str] | None:
    """
    Return a ``Prefetch`` with what was done to the related set, and the attribute it puts the list into.

    None where an argument cannot be written down, or where the last hop leads to no set.
    """
    along = hops(model, path)
    if not along or along[-1].model is None or along[-1].to_one:
        return None
    target = along[-1].model.__name__
    queryset = f"{target}.objects"
    for method, arguments in operations:
        if method in PLAIN:
            continue
        text = _call(method, arguments)
        if text is None:
            return None
        queryset += text
    if queryset.endswith(".objects") or (queryset.endswith("]") and queryset.count(".") == 1):
        queryset = queryset.replace(".objects", ".objects.all()", 1)
    attribute = f"{'first' if operation == 'first' else 'last' if operation == 'last' else 'listed'}_{path[-1]}"
    attribute = attribute.removesuffix("_set")
    return f'prefetch_related(Prefetch("{"__".join(path)}", queryset={queryset}, to_attr="{attribute}"))', attribute


def annotate(
    model: type, path: tuple[str, ...], operation: str, aggregate: str, operations: tuple[tuple[str, Any], ...] = ()
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
        return f'annotate({name}_count=Count("{lookup}"{condition}, distinct=True))', f"{name}_count"
    if operation == "exists" and not condition:
        reverse = _reverse_name(along, model)
        if reverse is None or along[-1].model is None:
            return None
        outer = "__".join([*(str(hop.select_name) for hop in along[:-1]), "pk"])
        inner = f'{along[-1].model.__name__}.objects.filter({reverse}=OuterRef("{outer}"))'
        return f"annotate(has_{name}=Exists({inner}))", f"has_{name}"
    if operation == "aggregate" and aggregate:
        function, _, field = aggregate.partition("|")
        expression = f'{function}("{lookup}__{field}"{condition})'
        return f"annotate({name}_{function.lower()}={expression})", f"{name}_{function.lower()}"
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


def _hop(model: type, accessor: str) -> Hop | None:
    meta = model._meta  # type: ignore[attr-defined]
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


def _reverse_name(along: list[Hop], model: type) -> str | None:
    owner = along[-2].model if len(along) > 1 else model
    meta = owner._meta  # type: ignore[union-attr]
    accessor = along[-1].accessor
    for relation in meta.related_objects:
        if relation.get_accessor_name() == accessor:
            return str(relation.field.name)
    field = meta.get_field(accessor)
    return str(field.related_query_name()) if field.many_to_many else None


def _call(method: str, arguments: Any) -> str | None:
    if method in {"filter", "exclude"}:
        if arguments is None:
            return None
        named = [(name, literal(value)) for name, value in arguments.items()]
        if any(text is None for _, text in named):
            return None
        return f".{method}({', '.join(f'{name}={text}' for name, text in named)})"
    if method == "order_by":
        texts = [literal(value) for value in arguments]
        return None if None in texts else f".order_by({', '.join(map(str, texts))})"
    if method == "__getitem__":
        return _slice(arguments)
    return ".distinct()" if method == "distinct" else ".reverse()" if method == "reverse" else None


def _slice(key: Any) -> str | None:
    if isinstance(key, int):
        return f"[{key}:{key + 1}]"
    if not isinstance(key, slice) or key.step is not None:
        return None
    return f"[{'' if key.start is None else key.start}:{'' if key.stop is None else key.stop}]"


def literal(value: Any) -> str | None:
    """
    Return Python source for a simple value, or None.
    """
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if type(value) in _LITERALS:
        return repr(value)
    if isinstance(value, (list, tuple)) and all(type(entry) in _LITERALS for entry in value):
        return repr(value) if len(value) <= 10 else None
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return repr(value)
    if type(value) is datetime.date:
        return f"date({value.year}, {value.month}, {value.day})"
    return None
