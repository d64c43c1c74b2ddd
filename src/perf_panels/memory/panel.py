"""
The memory panel: which line made the process grow, which line allocated, what stays.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from django.utils.translation import gettext_lazy

from perf_panels import afterwards, selection
from perf_panels.base import ViewPanel
from perf_panels.conf import get_config
from perf_panels.memory import choice, instances, page, trimming, views
from perf_panels.memory.after import look_again
from perf_panels.memory.collect import Collection
from perf_panels.memory.measurements import RENDER, STREAMED, VIEW
from perf_panels.memory.report import report
from perf_panels.reachable import targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest, HttpResponseBase

    from perf_panels.selection import Selection


class MemoryProfilerPanel(ViewPanel):
    """
    Answers: which line made the process grow, and what of it stays?
    """

    title = gettext_lazy("Memory")
    nav_title = gettext_lazy("Memory")
    nav_icon = "perf_panels/img/memory.svg"  # type: ignore[assignment] # the toolbar annotates its default, None
    template = "perf_panels/memory/panel.html"
    room = "memory"
    script_names = ("panel", "source", "memory")
    off_until_ticked = True
    trim_keys = ("rows", "types", "functions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.collection: Collection | None = None

    @classmethod
    def ready(cls) -> None:
        """
        Install the view hook, the counters of model instances and the listener to the end of requests, once.
        """
        super().ready()
        instances.install()
        afterwards.install()

    @classmethod
    def actions(cls) -> dict[str, Callable[..., Any]]:
        return views.VIEWS

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., Any],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> Any:
        if iscoroutinefunction(view_func):
            return selection.Awaited(request, partial(self.measured_view, request, view_func))
        return self.measured_view(request, view_func, selection.read(request))

    @contextmanager
    def measured_view(self, request: HttpRequest, view: Callable[..., Any], selected: Selection) -> Iterator[None]:
        """
        Measure the view, in the thread or task that runs it.
        """
        engine, frames = choice.read(request)
        own = [target for target in targets_of(view, request.method or "GET") if not target.second_choice]
        added, _ = selection.chosen(self.view_name, selected)
        holder = f"{request.method} {request.path}"
        self.collection = Collection(engine, frames=frames, holder=holder, targets=[*own, *added])
        self.collection.start()
        with self.collection.phase(VIEW):
            yield

    @contextmanager
    def process_render(self, response: HttpResponseBase) -> Iterator[None]:
        if self.collection is None:
            yield
            return
        with self.collection.phase(RENDER):
            yield

    def disable_instrumentation(self) -> None:
        # The first moment at which no render can follow any more, whatever was raised.
        if self.collection is not None:
            self._guard("stop", self.collection.stop)
        super().disable_instrumentation()

    def report(self, request: HttpRequest, response: HttpResponseBase) -> dict[str, Any]:
        collection, self.collection = self.collection, None
        if collection is None:
            return {"engine": choice.read(request)[0]}
        collection.stop()
        if collection.engine is not None and collection.engine.failure is not None:
            self.failed("collect", collection.engine.failure)
        measured = collection.measurements()
        measured.kept = collection.kept(self.toolbar)
        if response.streaming or measured.problem or not get_config().MEMORY_LEAK_REQUESTS:
            measured.unseen = STREAMED if response.streaming else ""
            collection.release()
        else:
            # Nothing of the request, the response or this panel: they are to be gone by then.
            job = partial(look_again, collection, measured.kept, self.view_name, str(self.toolbar.request_id))
            afterwards.schedule(partial(job, weakref.ref(response)), response)
        return {"watched": True, "engine": collection.engine_name} | report(measured)

    def subtitle(self, stats: dict[str, Any]) -> str:
        return page.subtitle(stats)

    def context(self, stats: dict[str, Any]) -> dict[str, Any]:
        return page.panel_context(stats, str(self.toolbar.request_id or ""), self.previous_stats(stats))

    def shorten(self, stats: dict[str, Any], limit: int) -> None:
        trimming.shorten(stats, limit)
