"""
The hooks around access to a relation or a deferred field; ``patches`` puts them in place.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.db.models import query

from perf_panels import origins
from perf_panels.nplusone.collect import Recording, current
from perf_panels.nplusone.records import STAMP, Access, Peers, Related, Stamp
from perf_panels.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

# Code objects hash and compare slowly: these are looked up by identity, on every access to a relation.
_PREFETCHING = frozenset(map(id, (query.prefetch_related_objects.__code__, query.get_prefetcher.__code__)))


def to_one_get(relation_name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """
    Wrap the ``__get__`` of a descriptor that keeps its relation in ``relation_name``.

    An object that is there already is returned as Django would return it, watched or not: on a page of 4,000 accesses
    asking Django once more for each of them would be most of what this hook costs.
    """

    def __get__(self: Any, instance: Any, cls: Any = None) -> Any:
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


def generic_get(original: Callable[..., Any]) -> Callable[..., Any]:
    def __get__(self: Any, instance: Any, cls: Any = None) -> Any:
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


def to_many_get(original: Callable[..., Any]) -> Callable[..., Any]:
    def __get__(self: Any, instance: Any, cls: Any = None) -> Any:
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
    wrap(manager_class, "_apply_rel_filters", functools.partial(_apply_rel_filters, name))
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


def refresh_from_db(original: Callable[..., Any]) -> Callable[..., Any]:
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
