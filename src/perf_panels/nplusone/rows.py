"""
The hooks around querysets and the rows they bring; ``patches`` puts them in place.
"""

from __future__ import annotations

import operator
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet

from perf_panels import origins
from perf_panels.nplusone.advice import NAMING, SAME, hops, is_simple
from perf_panels.nplusone.collect import Recording, current
from perf_panels.nplusone.records import STAMP, TO_ATTR, Peers, Stamp, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def queryset_init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, model: Any = None, query: Any = None, *args: Any, **kwargs: Any) -> None:
        original(self, model, query, *args, **kwargs)
        recording = current()
        # A queryset made with a query is a clone, which _clone stamps.
        if recording is None or query is not None:
            return
        local = recording.local
        if local.access is None and local.prefetch is None:
            try:
                self.__dict__[STAMP] = Stamp(origins.caller(sys._getframe(1)))
            except Exception as error:  # noqa: BLE001 - the host's queryset must be made, whatever we do wrong
                recording.fail(error)

    return __init__


def queryset_clone(original: Callable[..., Any]) -> Callable[..., Any]:
    def _clone(self: Any) -> Any:
        clone = original(self)
        recording = current()
        if recording is None:
            return clone
        local = recording.local
        if local.access is not None or local.prefetch is not None:
            return clone
        try:
            # Two frames out: _clone is called by _chain, which is called by the queryset method itself.
            clone.__dict__[STAMP] = _cloned_stamp(self, sys._getframe(2))
        except Exception as error:  # noqa: BLE001 - the host's queryset must be made, whatever we do wrong
            recording.fail(error)
        return clone

    return _clone


def _cloned_stamp(queryset: Any, method: Any) -> Stamp:
    while method.f_code.co_name in {"_chain", "_clone"} and method.f_back is not None:
        method = method.f_back
    stamp = stamp_of(queryset)
    asked = stamp.asked if stamp and method.f_code.co_name == "all" else None
    if stamp is None or stamp.related is None:
        return Stamp(origins.caller(method) or (stamp.built if stamp else None), asked=asked)
    operation = _operation(method)
    # Other rows than a prefetch brings: this line is where what they load has to be added.
    built = stamp.built if operation[0] in SAME else origins.caller(method) or stamp.built
    operations = (*stamp.operations, operation)
    return Stamp(built, stamp.related, operations, stamp.began or perf_counter(), perf_counter(), asked)


def _operation(frame: Any) -> tuple[str, Any]:
    """
    Return (method, its arguments) of a queryset method from its frame; the arguments only where advice can repeat them.

    Instances and querysets are not kept: to show them would run the project's __str__, or the query.
    """
    name, values = frame.f_code.co_name, frame.f_locals
    if name == "_filter_or_exclude":
        method = "exclude" if values.get("negate") else "filter"
        named = values.get("kwargs") or {}
        return method, None if values.get("args") or not all(map(is_simple, named.values())) else dict(named)
    if name in NAMING:
        names = values.get(NAMING[name], ())
        return name, names if all(map(is_simple, names)) else None
    if name == "__getitem__":
        return name, values.get("k")
    return name.lstrip("_"), None


def iterate(original: Callable[..., Any]) -> Callable[..., Any]:
    def __iter__(self: Any) -> Iterator[Any]:
        rows: Iterator[Any] = original(self)
        recording = current()
        if recording is None or recording.failure is not None:
            return rows
        queryset = self.queryset
        try:
            stamp = stamp_of(queryset)
            peers = _peers_of(recording, queryset, stamp)
        except Exception as error:  # noqa: BLE001 - the host's rows must come, whatever we do wrong
            recording.fail(error)
            return rows
        return _followed(recording, peers, stamp, rows)

    return __iter__


def _followed(recording: Recording, peers: Peers, stamp: Stamp | None, rows: Iterator[Any]) -> Iterator[Any]:
    """
    Yield the instances, each stamped with the peers of this evaluation.
    """
    local = recording.local
    outer, local.populating = local.populating, peers
    try:
        instance = next(rows, None)
    finally:
        local.populating = outer
    _note_evaluation(recording, peers, stamp)
    if instance is None:
        return
    instance._state._perf_panels = peers
    count = 1
    try:
        yield instance
        for instance in rows:
            instance._state._perf_panels = peers
            count += 1
            yield instance
    finally:
        peers.fetched += count
        claim = stamp.claim if stamp else None
        if claim is not None:
            claim.access_ms = (perf_counter() - (claim.began or claim.statement.started)) * 1000


def _peers_of(recording: Recording, queryset: Any, stamp: Stamp | None) -> Peers:
    local = recording.local
    if local.prefetch is not None:
        return local.prefetch
    access = local.access
    if access is not None and access.peers is not None:
        return recording.child(access.peers, access.accessor, queryset.model)
    related = stamp.related if stamp else None
    if related is not None and related.peers is not None and _is_plain(stamp):
        return recording.child(related.peers, related.accessor, queryset.model)
    peers = Peers(queryset.model, eager="" if isinstance(queryset, QuerySet) else "raw")
    peers.built = stamp.built if stamp else None
    recording.peers.append(peers)
    return peers


def _is_plain(stamp: Stamp | None) -> bool:
    """
    Say whether a prefetch along the path would bring these rows. Filtered ones are a queryset of their own.
    """
    return stamp is not None and all(method in SAME for method, _ in stamp.operations)


def _note_evaluation(recording: Recording, peers: Peers, stamp: Stamp | None) -> None:
    claim = recording.local.claim
    if peers.parent is not None or claim is None:
        return
    peers.evaluated = claim.site
    peers.built = peers.built or claim.site
    peers.single = claim.operation in {"get", "first", "last", "earliest", "latest"}


def populator_init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, klass_info: Any, *args: Any, **kwargs: Any) -> None:
        recording = current()
        parent = recording.local.populating if recording else None
        if recording is None or parent is None or klass_info.get("from_parent"):
            original(self, klass_info, *args, **kwargs)
            return
        try:
            child = recording.child(parent, _populated_name(klass_info), klass_info["model"], "select")
        except Exception as error:  # noqa: BLE001 - the host's rows must come, whatever we do wrong
            recording.fail(error)
            original(self, klass_info, *args, **kwargs)
            return
        recording.local.populating = child
        try:
            original(self, klass_info, *args, **kwargs)
        finally:
            recording.local.populating = parent
        self.local_setter = _stamping(child, self.local_setter)

    return __init__


def _populated_name(klass_info: dict[str, Any]) -> str:
    field = klass_info["field"]
    return str(field.remote_field.get_accessor_name() if klass_info["reverse"] else field.name)


def _stamping(peers: Peers, setter: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    # Not obj.__dict__: asking for it would make a dictionary for each of thousands of objects.
    pk = operator.attrgetter(peers.model._meta.pk.attname)
    note = peers.joined.append

    def local_setter(from_obj: Any, obj: Any) -> None:
        setter(from_obj, obj)
        if obj is not None:
            obj._state._perf_panels = peers
            note(pk(obj))

    return local_setter


def prefetch_one_level(original: Callable[..., Any]) -> Callable[..., Any]:
    def prefetch_one_level(instances: Any, prefetcher: Any, lookup: Any, level: int) -> Any:
        recording = current()
        if recording is None:
            return original(instances, prefetcher, lookup, level)
        try:
            peers = _prefetched_peers(recording, instances[0], lookup, level)
        except Exception as error:  # noqa: BLE001 - the host's prefetch must run, whatever we do wrong
            recording.fail(error)
            return original(instances, prefetcher, lookup, level)
        local = recording.local
        outer, local.prefetch = local.prefetch, peers
        access, local.access = local.access, None
        try:
            return original(instances, prefetcher, lookup, level)
        finally:
            local.prefetch, local.access = outer, access

    return prefetch_one_level


def _prefetched_peers(recording: Recording, instance: Any, lookup: Any, level: int) -> Peers:
    name = lookup.prefetch_through.split("__")[level]
    attribute, is_attribute = lookup.get_current_to_attr(level)
    parent = instance._state._perf_panels or Peers(type(instance))
    return recording.child(
        parent, name, _target(instance, name), f"{TO_ATTR}{attribute}" if is_attribute else "prefetch"
    )


def _target(instance: Any, name: str) -> type:
    found = hops(type(instance), [name])
    # For display only, where a generic key leads anywhere.
    return (found[0].model if found else None) or type(instance)
