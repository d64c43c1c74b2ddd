"""
The model instances that querysets make while a request is watched: how many, of which model, from which place.

``install`` wraps three of Django's methods, once; each calls the original at once when nobody is watching. No instance
is held and none is marked: rows are counted as they pass.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import QuerySet, query
from django.db.models.query import ModelIterable, RawModelIterable, RelatedPopulator

from perf_panels import origins
from perf_panels.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perf_panels.origins import Site

logger = logging.getLogger("perf_panels")

_BUILT = "_perf_panels_built"
_PREFETCH = {query.__file__: {"prefetch_one_level": "prefetch", "_iterator": "iterator", "_aiterator": "iterator"}}


class Built:
    """
    The place where a queryset was built. Pickles as None, so a cached queryset needs no perf_panels to be read again.
    """

    __slots__ = ("site",)

    def __init__(self, site: Site) -> None:
        self.site = site

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(None), ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Built:
        return self


class Source(NamedTuple):
    """
    Where instances come from: ``built`` is the queryset's place, ``evaluated`` where it was run.
    """

    model: type
    built: Site | None
    evaluated: Site
    how: str
    limited: bool = False


@dataclass
class Cell:
    """
    Instances from one source: ``count`` over all its runs, ``largest`` of the run that made most of them.
    """

    count: int = 0
    largest: int = 0


Run = dict[Source, list[int]]
"""Instances that one run of a queryset makes, with its relations: lists of one number, which is added to."""


class Instances:
    """
    Counts the instances of one request. ``failure`` is the first exception of ours; after it nothing more is counted.
    """

    def __init__(self) -> None:
        self.cells: dict[Source, Cell] = {}
        self.bytes_each: dict[type, int] = {}
        """Of the first instance of each model: all of them may be gone when the view is over."""
        self.failure: Exception | None = None
        self.local = threading.local()

    def ran(self, run: Run) -> None:
        """
        Add what one run of a queryset has made.
        """
        for source, (count,) in run.items():
            cell = self.cells.setdefault(source, Cell())
            cell.count += count
            cell.largest = max(cell.largest, count)

    def saw(self, instance: Any) -> None:
        """
        Find out how big the instances of a model are, by the first one.
        """
        try:
            if type(instance) not in self.bytes_each:
                self.bytes_each[type(instance)] = instance_bytes(instance)
        except Exception as error:  # noqa: BLE001 - the host's rows must come, whatever we do wrong
            self.fail(error)

    def fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        logger.error("The memory panel stopped counting instances", exc_info=error)


_watching: ContextVar[Instances | None] = ContextVar("perf_panels_instances", default=None)


@contextmanager
def counting(instances: Instances) -> Iterator[None]:
    """
    Count what querysets make in this context.
    """
    token = _watching.set(instances)
    try:
        yield
    finally:
        _watching.reset(token)


def install() -> None:
    """
    Put the hooks in place; a second call does nothing.
    """
    wrap(QuerySet, "__init__", _queryset_init)
    wrap(QuerySet, "_clone", _queryset_clone)
    wrap(ModelIterable, "__iter__", _iterate)
    wrap(RawModelIterable, "__iter__", _iterate)
    wrap(RelatedPopulator, "__init__", _populator_init)


def _queryset_init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, model: Any = None, query: Any = None, *args: Any, **kwargs: Any) -> None:
        original(self, model, query, *args, **kwargs)
        # A queryset made with a query is a clone, which _clone looks at.
        if query is None and _watching.get() is not None:
            _note_place(self, None)

    return __init__


def _queryset_clone(original: Callable[..., Any]) -> Callable[..., Any]:
    def _clone(self: Any) -> Any:
        clone = original(self)
        if _watching.get() is not None:
            _note_place(clone, self)
        return clone

    return _clone


def _note_place(queryset: Any, parent: Any) -> None:
    instances = _watching.get()
    if instances is None or instances.failure is not None:
        return
    try:
        site = origins.caller(sys._getframe(2))
        built = Built(site) if site is not None else parent.__dict__.get(_BUILT) if parent is not None else None
        if built is not None:
            queryset.__dict__[_BUILT] = built
    except Exception as error:  # noqa: BLE001 - the host's queryset must be made, whatever we do wrong
        instances.fail(error)


def _iterate(original: Callable[..., Any]) -> Callable[..., Any]:
    def __iter__(self: Any) -> Any:
        instances = _watching.get()
        if instances is None or instances.failure is not None:
            return original(self)
        try:
            source = _source(self)
        except Exception as error:  # noqa: BLE001 - the host's rows must come, whatever we do wrong
            instances.fail(error)
            return original(self)
        return _counted(instances, source, original(self))

    return __iter__


def _source(iterable: Any) -> Source:
    queryset = iterable.queryset
    evaluated, marked = origins.trace(sys._getframe(2), _PREFETCH)
    marks = {mark for mark, _ in marked}
    # What .iterator() prefetches is there for one chunk, as its rows are.
    how = "iterator" if "iterator" in marks else "prefetch" if "prefetch" in marks else "queryset"
    built: Built | None = queryset.__dict__.get(_BUILT)
    limited = bool(getattr(queryset.query, "is_sliced", False))
    return Source(queryset.model, built.site if built is not None else None, evaluated, how, limited)


def _counted(instances: Instances, source: Source, rows: Iterator[Any]) -> Iterator[Any]:
    local = instances.local
    run: Run = {}
    outer, local.run = getattr(local, "run", None), (source, run)
    try:
        # What select_related joins is set up with the first row.
        first = next(rows, None)
    finally:
        local.run = outer
    if first is None:
        return
    instances.saw(first)
    count = 1
    try:
        yield first
        for row in rows:
            count += 1
            yield row
    finally:
        # With .iterator() a relation to the model itself has the same source.
        run.setdefault(source, [0])[0] += count
        instances.ran(run)


def _populator_init(original: Callable[..., None]) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        instances = _watching.get()
        running = getattr(instances.local, "run", None) if instances is not None else None
        if instances is not None and running is not None:
            source, run = running
            how = source.how if source.how == "iterator" else "related"
            counted = run.setdefault(source._replace(model=self.model_cls, how=how), [0])
            self.local_setter = _counting_setter(instances, counted, self.local_setter)

    return __init__


def _counting_setter(
    instances: Instances, counted: list[int], setter: Callable[[Any, Any], None]
) -> Callable[[Any, Any], None]:
    def local_setter(from_obj: Any, obj: Any) -> None:
        if obj is not None:
            if not counted[0]:
                instances.saw(obj)
            counted[0] += 1
        setter(from_obj, obj)

    return local_setter


def instance_bytes(instance: Any) -> int:
    """
    Return the bytes of a model instance with its state and values, without the instances it is related to.
    """
    values = instance.__dict__
    state = values.get("_state")
    size = sys.getsizeof(instance) + sys.getsizeof(values)
    if state is not None:
        size += sys.getsizeof(state) + sys.getsizeof(state.__dict__)
    # A value that the collector tracks is a container, and may be anybody's.
    return size + sum(
        sys.getsizeof(value) for name, value in values.items() if name != "_state" and not gc.is_tracked(value)
    )
