"""
Objects: which types there are more of than before the view, and how many instances of each model.

The counting is that of Pympler's muppy (what the collector tracks, and what that refers to and is not tracked itself),
done in a fraction of its time, and without its ``isinstance``, which wakes up lazy objects such as ``request.user``.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import filterfalse
from time import perf_counter
from typing import TYPE_CHECKING, Any

from perf_panels import heap, origins
from perf_panels.memory.instances import Instances, counting, instance_bytes
from perf_panels.memory.kept import stored_texts
from perf_panels.memory.results import Loaded, ModelInstances, Objects, TypeGrowth

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from perf_panels.memory.instances import Cell, Source

MAX_TRACKED = 600_000
"""Tracked objects up to which strings, numbers and the like are counted too."""

_SAMPLE = 50
_COLLECTOR_BYTES = sys.getsizeof(()) - ().__sizeof__()
"""What the collector keeps beside each object it tracks."""


@dataclass
class Census:
    """
    All objects of the process at one moment, by type.
    """

    counts: Counter[type] = field(default_factory=Counter)
    sizes: defaultdict[type, int] = field(default_factory=lambda: defaultdict(int))
    partial: bool = False

    @property
    def objects(self) -> int:
        return sum(self.counts.values())

    @property
    def bytes(self) -> int:
        return sum(self.sizes.values())


def census() -> Census:
    """
    Count all objects.
    """
    gc.collect()
    objects = heap.all_but_tuples()
    tuples = heap.count_by_type()[tuple]
    taken = Census(partial=len(objects) + tuples > MAX_TRACKED)
    _add(taken, objects)
    taken.counts[tuple] = tuples
    taken.sizes[tuple] = heap.bytes_of_tuples() + tuples * _COLLECTOR_BYTES
    if not taken.partial:
        referred = [*heap.referents(objects), *heap.held_by_tuples()]
        _add(taken, list(filterfalse(gc.is_tracked, dict(zip(map(id, referred), referred, strict=True)).values())))
        _leave_out(taken, stored_texts())
    return taken


def _leave_out(taken: Census, texts: list[str]) -> None:
    taken.counts[str] -= len(texts)
    taken.sizes[str] -= sum(map(sys.getsizeof, texts))


def _add(taken: Census, objects: list[Any]) -> None:
    taken.counts.update(map(type, objects))
    sizes = taken.sizes
    # Nothing is done for each object but to ask its size: there are hundreds of thousands.
    for cls, size in zip(map(type, objects), map(_size, objects), strict=True):
        sizes[cls] += size


def _size(instance: Any) -> int:
    try:
        return sys.getsizeof(instance)
    except Exception:  # noqa: BLE001 - a __sizeof__ of somebody else's
        return type(instance).__basicsize__


def tracked_models() -> Counter[type]:
    """
    Count the model instances there are, by class; a few milliseconds.
    """
    from django.db.models import Model

    counts = heap.count_by_type()
    return Counter({cls: count for cls, count in counts.items() if issubclass(cls, Model)})


class Counting:
    """
    One request's counting, from ``start()`` to ``stop()``.
    """

    def __init__(self) -> None:
        self.instances = Instances()
        self.elapsed_ms = 0.0
        self.before = self.end = Census()
        self.models_before: Counter[type] = Counter()
        self.models_view: Counter[type] = Counter()
        self.models_end: Counter[type] = Counter()
        self.models_left: Counter[type] | None = None
        self.left: Census | None = None
        self.bytes_each: dict[type, int] = {}

    def start(self) -> None:
        self.before = self._timed(census)
        self.models_before = tracked_models()

    def phase(self) -> AbstractContextManager[None]:
        """
        Return what is entered around the view and the render.
        """
        return counting(self.instances)

    def view_is_over(self) -> None:
        self.models_view = self._timed(tracked_models)
        self._measure(self.models_view)

    def stop(self) -> None:
        self.models_end = self._timed(tracked_models)
        self._measure(self.models_end)
        self.end = self._timed(census)

    def after(self) -> None:
        """
        Count what is still there when the response is gone.
        """
        self.left = self._timed(census)
        self.models_left = tracked_models()

    def result(self) -> Objects:
        """
        Return what was counted.
        """
        return Objects(
            types=self._types(),
            models=self._models(),
            objects_before=self.before.objects,
            objects_after=self.end.objects,
            bytes_before=self.before.bytes,
            bytes_after=self.end.bytes,
            elapsed_ms=self.elapsed_ms,
            problem=_PARTIAL if self.end.partial or self.before.partial else None,
        )

    def _timed(self, count: Any) -> Any:
        began = perf_counter()
        try:
            return count()
        finally:
            self.elapsed_ms += (perf_counter() - began) * 1000

    def _measure(self, present: Counter[type]) -> None:
        """
        Find out how big an instance is, of each model there are more of now.
        """
        wanted = {cls for cls, count in present.items() if count > self.models_before[cls]} - self.bytes_each.keys()
        for cls in wanted:
            instances = heap.of_type(cls)[:_SAMPLE]
            self.bytes_each[cls] = sum(map(instance_bytes, instances)) // max(1, len(instances))

    def _types(self) -> list[TypeGrowth]:
        before, end, left = self.before, self.end, self.left
        grown = [
            TypeGrowth(
                type_name(cls),
                before.counts[cls],
                end.counts[cls],
                before.sizes[cls],
                end.sizes[cls],
                left.counts[cls] if left is not None else None,
                # Who refers to tuples cannot be asked: see ``heap``.
                "" if cls is tuple else type_name(cls),
                left.sizes[cls] if left is not None else None,
            )
            for cls in end.counts
            if end.counts[cls] > before.counts[cls] or end.sizes[cls] > before.sizes[cls]
        ]
        own = ("perf_panels.", "debug_toolbar.")
        shown = [each for each in grown if not each.name.startswith(own)]
        return sorted(shown, key=lambda each: each.bytes_before - each.bytes_after)

    def _models(self) -> list[ModelInstances]:
        loaded: dict[type, list[tuple[Source, Cell]]] = {}
        for source, cell in self.instances.cells.items():
            if cell.count:
                loaded.setdefault(source.model, []).append((source, cell))
        alive = {cls for found in (self.models_view, self.models_end) for cls in found - self.models_before}
        models = [self._model(cls, loaded.get(cls, [])) for cls in {*loaded, *alive}]
        return sorted(models, key=lambda each: (-each.loaded, -each.most_alive, each.label))

    def _model(self, cls: Any, sources: list[tuple[Source, Cell]]) -> ModelInstances:
        before = self.models_before[cls]
        places = [
            Loaded(
                origins.to_origin(source.built or source.evaluated),
                cell.count,
                source.how,
                source.limited,
                origins.to_origin(source.evaluated),
                cell.largest,
            )
            for source, cell in sorted(sources, key=lambda each: -each[1].count)
        ]
        return ModelInstances(
            label=cls._meta.label,
            loaded=sum(cell.count for _, cell in sources),
            alive_view=max(0, self.models_view[cls] - before),
            alive_render=max(0, self.models_end[cls] - before),
            bytes_each=self.bytes_each.get(cls) or self.instances.bytes_each.get(cls, 0),
            places=places,
            left=None if self.models_left is None else max(0, self.models_left[cls] - before),
            id=type_name(cls),
        )


_PARTIAL = (
    f"There are more than {MAX_TRACKED:,} objects in this process: strings, numbers and other objects "
    "that refer to nothing were not counted."
)


def type_name(cls: type) -> str:
    """
    Return a type's name as one would import it.
    """
    module = cls.__dict__.get("__module__", "")
    return (
        cls.__qualname__
        if module in {"builtins", ""} or not isinstance(module, str)
        else f"{module}.{cls.__qualname__}"
    )
