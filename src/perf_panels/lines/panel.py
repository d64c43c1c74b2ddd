"""
The line profiler panel: which line of the page is slow, and, one click deeper each time, why.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import iscoroutinefunction
from django.utils.translation import gettext_lazy

from perf_panels import afterwards, selection, statements
from perf_panels.base import ViewPanel
from perf_panels.conf import get_config
from perf_panels.exclusive import Busy
from perf_panels.lines import page, trimming, views
from perf_panels.lines.collect import Collection
from perf_panels.lines.hot import Limits
from perf_panels.lines.refusal import busy, refusal
from perf_panels.lines.report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest, HttpResponseBase

    from perf_panels.line_events import Followed
    from perf_panels.lines.timings import Phase
    from perf_panels.selection import Selection


class LineProfilerPanel(ViewPanel):
    """
    Answers: which line takes the time, and what does it call?
    """

    title = gettext_lazy("Line profiler")
    nav_title = gettext_lazy("Line profiler")
    nav_icon = "perf_panels/img/lines.svg"  # type: ignore[assignment] # the toolbar annotates its default, None
    template = "perf_panels/lines/panel.html"
    room = "lines"
    script_names = ("panel", "source", "lines")
    off_until_ticked = True
    trim_keys = ("seen", "functions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.collection: Collection | None = None
        self.refused: dict[str, Any] | None = None

    @classmethod
    def ready(cls) -> None:
        """
        Install the view hook, the listener to statements and the one to the end of requests, once.
        """
        super().ready()
        statements.install()
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
            return selection.Awaited(request, partial(self.timed_view, request, view_func))
        return self.timed_view(request, view_func, selection.read(request))

    @contextmanager
    def timed_view(self, request: HttpRequest, view: Callable[..., Any], chosen: Selection) -> Iterator[None]:
        """
        Time the view, or find out what stands in the way.
        """
        self.refused = refusal()
        if self.refused is None:
            self.collection = Collection(self.view_name, view, request, chosen)
        with self._entered("view"):
            yield

    @contextmanager
    def process_render(self, response: HttpResponseBase) -> Iterator[None]:
        with self._entered("render"):
            yield

    def report(self, request: HttpRequest, response: HttpResponseBase) -> dict[str, Any]:
        collection, self.collection = self.collection, None
        stats: dict[str, Any] = {
            "full_path": request.get_full_path(),
            "method": request.method,
            "accept": request.headers.get("Accept", "*/*"),
            "refused": self.refused,
        }
        if collection is None or self.refused is not None:
            return stats
        if collection.engine.recorder.failure is not None:
            self.failed("collect", collection.engine.recorder.failure)
        followed = collection.follow(response)
        if followed is not None:
            afterwards.schedule(lambda: self._store_again(collection, followed), response)
        return stats | {"watched": True} | _reported(collection)

    def subtitle(self, stats: dict[str, Any]) -> str:
        return page.subtitle(stats)

    def context(self, stats: dict[str, Any]) -> dict[str, Any]:
        return page.panel_context(stats, str(self.toolbar.request_id or ""), self.previous_stats(stats))

    def shorten(self, stats: dict[str, Any], limit: int) -> None:
        trimming.shorten(stats, limit)

    def _store_again(self, collection: Collection, followed: Followed) -> None:
        """
        Add the streamed body to what is stored. Runs in a thread, after the response.
        """

        def work() -> Callable[[dict[str, Any]], dict[str, Any]]:
            followed.close()
            reported = _reported(collection)
            return lambda stats: stats | reported

        self.finish_stored(work)

    @contextmanager
    def _entered(self, phase: Phase) -> Iterator[None]:
        if self.collection is None or self.refused is not None:
            yield
            return
        entered = self.collection.entered(phase)
        try:
            entered.__enter__()
        except Busy as error:
            self.refused = busy(error)
            yield
            return
        try:
            yield
        finally:
            # The view's own exception is not for us to see: nothing here depends on it.
            entered.__exit__(None, None, None)


def _reported(collection: Collection) -> dict[str, Any]:
    config = get_config()
    return report(collection.timings(), Limits(config.LINES_HOT_SHARE, config.LINES_HOT_MS))
