"""
The ORM hooks of the N+1 panel. Each is one function around Django's own, and calls it at once when nobody is watching.

Installed once, by the panel's ``ready()`` or the first ``watch()``. No hook reads ``queryset.query`` of a prefetched
set (that would undo Django's deferred filters: 8 calls of ``build_filter`` become 2,008 on a page of 2,000 rows),
compares models, or puts a closure on an instance.
"""

from __future__ import annotations

import asyncio
import functools
import operator
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Model, QuerySet, query
from django.db.models.base import ModelState
from django.db.models.fields import related_descriptors
from django.db.models.query import ModelIterable, RawModelIterable, RelatedPopulator

from perf_panels import origins, statements
from perf_panels.nplusone.advice import NAMING, SAME, hops, is_simple
from perf_panels.nplusone.collect import STAMP, TO_ATTR, Access, Peers, Recording, Related, Stamp, current, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARK = "_perf_panels_original"
# Code objects hash and compare slowly: these are looked up by identity, on every access to a relation.
_PREFETCHING = frozenset(map(id, (query.prefetch_related_objects.__code__, query.get_prefetcher.__code__)))


def install() -> None:
    """
    Put every hook in place; a second call does nothing.
    """
    statements.install()
    # The default for every instance that was not loaded by a watched queryset.
    setattr(ModelState, STAMP, None)
    _wrap(QuerySet, "__init__", _queryset_init)
    _wrap(QuerySet, "_clone", _queryset_clone)
    _wrap(ModelIterable, "__iter__", _iterate)
    _wrap(RawModelIterable, "__iter__", _iterate)
    _wrap(RelatedPopulator, "__init__", _populator_init)
    _wrap(query, "prefetch_one_level", _prefetch_one_level)
    _wrap(related_descriptors.ForwardManyToOneDescriptor, "__get__", functools.partial(_to_one_get, "field"))
    _wrap(related_descriptors.ReverseOneToOneDescriptor, "__get__", functools.partial(_to_one_get, "related"))
    _wrap(related_descriptors.ReverseManyToOneDescriptor, "__get__", _to_many_get)
    _wrap(Model, "refresh_from_db", _refresh_from_db)
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes import fields

        # Django 6.1 moved the descriptor out of the field.
        owner = getattr(fields, "GenericForeignKeyDescriptor", fields.GenericForeignKey)
        _wrap(owner, "__get__", _generic_get)


def _wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    original = getattr(owner, name)
    if hasattr(original, _MARK):
        return
    wrapper = functools.wraps(original)(make(original))
    setattr(wrapper, _MARK, original)
    setattr(owner, name, wrapper)


def _queryset_init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, model: Any = None, query: Any = None, *args: Any, **kwargs: Any) -> None:  # noqa: N807
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


def _queryset_clone(original: Callable[..., Any]) -> Callable[..., Any]:
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


def _iterate(original: Callable[..., Any]) -> Callable[..., Any]:
    def __iter__(self: Any) -> Iterator[Any]:  # noqa: N807
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


def _populator_init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, klass_info: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
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
    pk = operator.attrgetter(peers.model._meta.pk.attname)  # type: ignore[attr-defined]
    note = peers.joined.append

    def local_setter(from_obj: Any, obj: Any) -> None:
        setter(from_obj, obj)
        if obj is not None:
            obj._state._perf_panels = peers
            note(pk(obj))

    return local_setter


def _prefetch_one_level(original: Callable[..., Any]) -> Callable[..., Any]:
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


def _to_one_get(relation_name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """
    Wrap the ``__get__`` of a descriptor that keeps its relation in ``relation_name``.

    An object that is there already is returned as Django would return it, watched or not: on a page of 4,000 accesses
    asking Django once more for each of them would be most of what this hook costs.
    """

    def __get__(self: Any, instance: Any, cls: Any = None) -> Any:  # noqa: N807
        if instance is None:
            return original(self, instance, cls)
        state, relation = instance._state, getattr(self, relation_name)
        name = relation.cache_name
        related = state.fields_cache.get(name)
        if related is not None:
            peers = state._perf_panels
            if peers is not None and name not in peers.touched:
                _touch(peers, name, sys._getframe(1))
            return related
        recording = current()
        if recording is None:
            return original(self, instance, cls)
        if name in state.fields_cache:
            if state._perf_panels is not None:
                _touch(state._perf_panels, name, sys._getframe(1))
            return original(self, instance, cls)
        attname = getattr(relation, "attname", "")
        return _load(recording, functools.partial(original, self, instance, cls), instance, name, attname)

    return __get__


def _generic_get(original: Callable[..., Any]) -> Callable[..., Any]:
    def __get__(self: Any, instance: Any, cls: Any = None) -> Any:  # noqa: N807
        recording = current()
        if recording is None or instance is None:
            return original(self, instance, cls)
        state, name = instance._state, getattr(self, "field", self).name
        if name in state.fields_cache:
            if state._perf_panels is not None:
                _touch(state._perf_panels, name, sys._getframe(1))
            return original(self, instance, cls)
        return _load(recording, functools.partial(original, self, instance, cls), instance, name)

    return __get__


def _touch(peers: Peers, name: str, frame: Any) -> None:
    """
    Note that an eager load was of use: read by anybody but Django's own prefetching.
    """
    if id(frame.f_code) not in _PREFETCHING:
        peers.touched.add(name)


def _load(recording: Recording, get: Callable[[], Any], instance: Any, name: str, attname: str = "") -> Any:
    """
    Return what the descriptor gives, and let the statement it may need know for whom it runs and how long it took.
    """
    local = recording.local
    if local.prefetch is not None:
        return get()
    values = instance.__dict__
    pk = values.get(instance._meta.pk.attname)
    peers: Peers | None = instance._state._perf_panels
    access = Access(peers, type(instance), name, pk, values.get(attname))
    outer, local.access = local.access, access
    began = perf_counter()
    try:
        return get()
    finally:
        local.access = outer
        if access.claim is not None:
            access.claim.access_ms = (perf_counter() - began) * 1000
            if peers is not None:
                peers.touched.add(name)


def _to_many_get(original: Callable[..., Any]) -> Callable[..., Any]:
    def __get__(self: Any, instance: Any, cls: Any = None) -> Any:  # noqa: N807
        manager = original(self, instance, cls)
        recording = current()
        if instance is None or recording is None or recording.local.prefetch is not None:
            return manager
        manager_class = type(manager)
        name: str | None = manager_class.__dict__.get(STAMP)
        if name is None:
            try:
                name = _watch_manager(manager_class, self)
            except Exception as error:  # noqa: BLE001 - the host's relation must work, whatever we do wrong
                recording.fail(error)
                return manager
        peers = instance._state._perf_panels
        if peers is not None and name not in peers.touched:
            _touch(peers, name, sys._getframe(1))
        return manager

    return __get__


def _watch_manager(manager_class: Any, descriptor: Any) -> str:
    """
    Let the related sets of this manager class be known as such, and return the accessor's name.
    """
    name: str
    if getattr(descriptor, "reverse", True) is False:
        name = descriptor.field.name
    else:
        field = descriptor.rel.field
        # A GenericRel has no accessor of its own: its GenericRelation, the only one-to-many field, is the accessor.
        name = field.name if field.one_to_many else descriptor.rel.get_accessor_name()
    setattr(manager_class, STAMP, name)
    _wrap(manager_class, "_apply_rel_filters", functools.partial(_apply_rel_filters, name))
    return name


def _apply_rel_filters(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def _apply_rel_filters(self: Any, queryset: Any) -> Any:
        result = original(self, queryset)
        recording = current()
        if recording is None:
            return result
        if recording.local.prefetch is not None:
            # One per row of a prefetch: as little as stamp_of() can make a stamp from, should it ever be needed.
            result.__dict__[STAMP] = (name, self.instance.pk)
            return result
        try:
            result.__dict__[STAMP] = _related_stamp(self.instance, name, sys._getframe(1))
        except Exception as error:  # noqa: BLE001 - the host's relation must work, whatever we do wrong
            recording.fail(error)
        return result

    return _apply_rel_filters


def _related_stamp(instance: Any, name: str, frame: Any) -> Stamp:
    # In a coroutine the statement will run in another thread: this is the last chance to see the view's line.
    built = origins.caller(frame) if asyncio._get_running_loop() is not None else None
    related = Related(instance._state._perf_panels, type(instance), name, instance.pk)
    now = perf_counter()
    return Stamp(built, related, began=now, touched=now)


def _refresh_from_db(original: Callable[..., Any]) -> Callable[..., Any]:
    def refresh_from_db(self: Any, *args: Any, **kwargs: Any) -> Any:
        recording = current()
        if recording is None:
            return original(self, *args, **kwargs)
        began = perf_counter()
        seen = len(recording.claims)
        try:
            return original(self, *args, **kwargs)
        finally:
            if len(recording.claims) == seen + 1:
                recording.claims[-1].access_ms = (perf_counter() - began) * 1000

    return refresh_from_db
