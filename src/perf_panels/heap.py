"""
All objects of the process, told apart without a moment at which another thread runs and half-built ones are held.

CPython shows a tuple to the collector before it is filled. A second reference to it, which ``gc.get_objects`` takes,
makes ``tuple(iterable)`` of another thread fail with SystemError, in the host's code. So the objects are taken, told
apart and let go again within one call into C, during which no other thread runs; what is handed out are no tuples.

A module written in C may show the collector what it keeps to use again: ``_asyncio`` of Python 3.12.0 to 3.12.5 does.
To take a reference to that frees it a second time, and the next collection never ends (python/cpython#122695). So no
module is asked what it refers to; its ``__dict__`` is tracked by itself.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from functools import cached_property, lru_cache, partial
from itertools import chain, compress, count, filterfalse, groupby, starmap
from operator import is_, is_not, itemgetter, methodcaller
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from django.utils import functional

from perf_panels.collector import paused

if TYPE_CHECKING:
    from collections.abc import Iterator

# A lazy module would be imported for any other way to its attributes. One that was never initialised may have None for
# them, and so may a class of C.
_MODULE_DICT = vars(ModuleType)["__dict__"].__get__
_CLASS_DICT = vars(type)["__dict__"].__get__

_HOLD_FUNCTIONS = (
    staticmethod,
    classmethod,
    property,
    partial,
    cached_property,
    functional.cached_property,
    type(lru_cache(len)),
)

FROZEN_BY_PYTHON = 5_000
"""More than Python freezes by itself when it starts: 375 objects on 3.12, none on others. A project has many more."""

MAX_TUPLES = 100
"""Tuples that are followed to what refers to them: each costs a look at every reference there is."""


def count_by_type() -> Counter[type]:
    """
    Count the objects that the collector tracks.
    """
    with paused():
        return Counter(map(type, _tracked()))


def of_type(cls: type) -> list[Any]:
    """
    Return the tracked objects of exactly this type, which must not be ``tuple``.
    """
    with paused():
        return _but_itself(list(_only(cls, _tracked())))


def functions() -> list[FunctionType]:
    """
    Return the functions that are tracked, and those of modules and their classes if ``gc.freeze`` may have hidden them.
    """
    tracked = of_type(FunctionType)
    return tracked + _of_modules() if gc.get_freeze_count() > FROZEN_BY_PYTHON else tracked


def all_but_tuples() -> list[Any]:
    """
    Return the tracked objects that are no tuples.
    """
    with paused():
        return _but_itself(list(_no_tuples(_tracked())))


def bytes_of_tuples() -> int:
    """
    Return the size of all tuples together, without what the collector keeps beside each.
    """
    with paused():
        return sum(map(tuple.__sizeof__, _only(tuple, _tracked())))


def held_by_tuples() -> list[Any]:
    """
    Return what tuples refer to, which is complete even where the tuple is not; an object may come several times.
    """
    with paused():
        return list(chain.from_iterable(map(gc.get_referents, _only(tuple, _tracked()))))


def holders(objects: list[Any], through: int = 0) -> list[Any]:
    """
    Return what refers to these objects and is no tuple, or what does so ``through`` so many tuples in each other.

    Of very many tuples only some are followed. The list of objects is among what is returned.
    """
    with paused():
        return list(_no_tuples(_referrers(objects, through)))


def referents(objects: list[Any]) -> list[Any]:
    """
    Return what these objects refer to; an object may come several times. Modules are left out.
    """
    no_modules = compress(objects, map(partial(is_not, ModuleType), map(type, objects)))
    return gc.get_referents(*no_modules)


def _of_modules() -> list[FunctionType]:
    waiting: list[Any] = []
    for module in list(sys.modules.values()):
        if issubclass(type(module), ModuleType):
            waiting += list((_MODULE_DICT(module) or {}).values())
    seen: set[int] = set()
    for each in waiting:  # which grows meanwhile
        if id(each) in seen:
            continue
        seen.add(id(each))
        # Not isinstance: a lazy object would begin to work to be asked for its class.
        kind = type(each)
        if kind is FunctionType:
            # A decorator keeps what it decorates in a cell. To ask a function for its __dict__ would make one.
            waiting += referents(list(each.__closure__ or ()))
        elif issubclass(kind, type):
            waiting += list((_CLASS_DICT(each) or {}).values())
        elif issubclass(kind, _HOLD_FUNCTIONS):
            # What such an object refers to is its attributes, or the dict that has them.
            held = referents([each])
            waiting += [*held, *chain.from_iterable(one.values() for one in held if type(one) is dict)]
    return [each for each in waiting if type(each) is FunctionType]


def _tracked() -> Iterator[Any]:
    # Asked for together with the first object: within the call that uses them up.
    return chain.from_iterable(map(gc.get_objects, (None,)))


def _referrers(objects: list[Any], through: int) -> Iterator[Any]:
    found = chain.from_iterable(starmap(gc.get_referrers, (objects,)))
    for _ in range(through):
        # Used up before it is cut: else what has found the tuples would be found as what refers to them.
        tuples = map(itemgetter(slice(MAX_TUPLES)), map(list, (_only(tuple, found),)))
        found = chain.from_iterable(starmap(gc.get_referrers, tuples))
    return found


# A run of objects of one type comes as (type, objects). Only functions written in C see them.


def _only(cls: type, objects: Iterator[Any]) -> Iterator[Any]:
    runs = filter(methodcaller("__contains__", cls), groupby(objects, type))
    return chain.from_iterable(map(itemgetter(1), runs))


def _no_tuples(objects: Iterator[Any]) -> Iterator[Any]:
    runs = filterfalse(methodcaller("__contains__", tuple), groupby(objects, type))
    return chain.from_iterable(map(itemgetter(1), runs))


def _but_itself(found: list[Any]) -> list[Any]:
    """
    Take the list out of itself: else it would stay, with a reference to every object, until the next collection.
    """
    place = next(compress(count(), map(partial(is_, found), found)), None)
    if place is not None:
        found[place] = found[-1]
        found.pop()
    return found
