"""
What is in memory only because of DEBUG and this toolbar: measured apart, so that no view is blamed for it.

Looked at while the response is made, when the toolbar's panels hold what they have recorded.
"""

from __future__ import annotations

import sys
from collections import deque
from itertools import islice
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from debug_toolbar.store import get_store
from django.db import connections
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.template import engines
from django.template.base import Node, Template

from perf_panels.memory.measurements import Kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_OBJECTS = 20_000
"""Objects of one panel that are looked at; a panel with more is said to hold at least that much."""

_LOG_SAMPLE = 200
_SAMPLE = 200
"""Entries of a long list: as many as begin it, and again as many from all over the rest."""
_FLAT = frozenset({str, bytes, int, float, bool, type(None)})
_SEQUENCES = frozenset({list, tuple, set, frozenset, deque})
_NOT_THE_TOOLBARS = (
    ModuleType, type, FunctionType, MethodType, BuiltinFunctionType, CodeType, FrameType, HttpRequest, HttpResponseBase,
    Model, QuerySet,
)  # fmt: skip


class Baseline:
    """
    What was kept before the view: only what this request adds is its own.
    """

    def __init__(self) -> None:
        self.logged = {alias: len(log) for alias, log in _query_logs()}
        self.templates = {id(template) for template in _cached_templates()}

    def kept(self, toolbar: Any) -> Kept:
        """
        Measure what has been added since.
        """
        entries, size = self._query_log()
        new = [template for template in _cached_templates() if id(template) not in self.templates]
        panels, cut = _panels(toolbar)
        return Kept(
            query_log_entries=entries,
            query_log_bytes=size,
            template_debug_bytes=sum(map(_debug_bytes, new)),
            toolbar_panels=panels,
            cut_panels=cut,
        )

    def log(self) -> Iterator[Mapping[str, Any]]:
        """
        Yield what was added to the query logs of this thread.
        """
        for log, added in self._logs():
            yield from islice(reversed(log), added)

    def _logs(self) -> Iterator[tuple[Any, int]]:
        for alias, log in _query_logs():
            yield log, max(0, len(log) - self.logged.get(alias, 0))

    def _query_log(self) -> tuple[int, int]:
        entries, size = 0, 0
        for log, added in self._logs():
            sample = list(islice(reversed(log), min(added, _LOG_SAMPLE)))
            entries += added
            size += sum(map(_entry_bytes, sample)) * added // max(1, len(sample))
        return entries, size


def stored_texts() -> list[str]:
    """
    Return what the toolbar's store holds in this process: in its MemoryStore a text for each panel and request.

    It grows with each request until RESULTS_CACHE_SIZE of them are there, which is no leak of any view.
    """
    requests: dict[str, dict[str, str]] = getattr(get_store(), "_request_store", {})
    # Other threads store meanwhile.
    return [text for panels in requests.copy().values() for text in panels.copy().values()]


def stored_bytes() -> int:
    """
    Return the bytes of ``stored_texts()``.
    """
    return sum(map(sys.getsizeof, stored_texts()))


def _query_logs() -> Iterator[tuple[str, Any]]:
    for connection in connections.all(initialized_only=True):
        yield connection.alias, connection.queries_log


def _entry_bytes(entry: Mapping[str, Any]) -> int:
    return sys.getsizeof(entry) + sum(sys.getsizeof(value) for value in entry.values())


def _cached_templates() -> Iterator[Template]:
    """
    Yield the templates that Django's cached loaders hold.
    """
    for backend in engines.all():
        engine = getattr(backend, "engine", None)
        for loader in getattr(engine, "template_loaders", ()):
            # Other threads load templates meanwhile.
            for template in getattr(loader, "get_template_cache", {}).copy().values():
                if isinstance(template, Template):
                    yield template


def _debug_bytes(template: Template) -> int:
    """
    Return what DEBUG adds to a template: its source and the place of each token, for the page that shows an error.
    """
    if not template.engine.debug:
        return 0
    tokens = (getattr(node, "token", None) for node in template.nodelist.get_nodes_by_type(Node))
    positions = (getattr(token, "position", None) for token in tokens)
    return sys.getsizeof(template.source) + sum(sys.getsizeof(each) + 56 for each in positions if each is not None)


def _panels(toolbar: Any) -> tuple[dict[str, int], list[str]]:
    """
    Return {panel id: bytes} of what the toolbar's panels hold of this request, and which of them hold more than that.
    """
    seen = {id(toolbar)} | {id(panel) for panel in toolbar.enabled_panels}
    sizes, cut = {}, []
    for panel in toolbar.enabled_panels:
        weighing = Weighing(seen)
        size = weighing.bytes((vars(panel), toolbar.stats.get(panel.panel_id)))
        if size:
            sizes[panel.panel_id] = size
        if weighing.cut:
            cut.append(panel.panel_id)
    return sizes, cut


class Weighing:
    """
    Adds up objects and all they alone lead to: not the request, not the project's rows, no code, nothing ``seen``.

    ``cut``: there were more than ``MAX_OBJECTS`` to look at.
    """

    def __init__(self, seen: set[int]) -> None:
        self.seen = seen
        self.left = MAX_OBJECTS
        self.cut = False

    def bytes(self, roots: Iterable[Any]) -> int:
        """
        Return the bytes of these.
        """
        pending, size = list(roots), 0
        while pending and self.left:
            each = pending.pop()
            # Not isinstance: that would wake up a lazy object, such as request.user.
            if id(each) in self.seen or issubclass(type(each), _NOT_THE_TOOLBARS):
                continue
            self.seen.add(id(each))
            self.left -= 1
            size += sys.getsizeof(each, 0)
            inside = _inside(each)
            if len(inside) > 2 * _SAMPLE and type(each) in _SEQUENCES:
                size += self._sampled(inside)
            else:
                pending += inside
        self.cut = self.cut or bool(pending)
        return size

    def _sampled(self, entries: Sequence[Any]) -> int:
        # What the entries share is counted with the first of them: those after it say what one more takes.
        first, rest = entries[:_SAMPLE], entries[_SAMPLE:]
        sample = rest[:: len(rest) // _SAMPLE]
        return self.bytes(first) + self.bytes(sample) * len(rest) // len(sample)


def _attributes(instance: Any) -> Iterable[Any]:
    # Past the type's own __getattribute__, which may do anything. A task of asyncio has none that it shows.
    try:
        return object.__getattribute__(instance, "__dict__").values()  # type: ignore[no-any-return] # __getattribute__ gives Any
    except AttributeError:
        return ()


def _inside(container: Any) -> Sequence[Any]:
    cls = type(container)
    if cls in _FLAT:
        return ()
    if cls is dict:
        return [*container, *container.values()]
    if cls in _SEQUENCES:
        return list(container)
    inside = list(_attributes(container)) if cls.__dictoffset__ else []
    if issubclass(cls, dict):
        inside += dict.values(container)
    return inside
