"""
The VMProf panel: where the time of this page goes, for 5 % of it in CPU mode (docs/benchmarks.md has the others).
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from django.urls import get_script_prefix
from django.utils.translation import gettext_lazy

from perf_panels import afterwards
from perf_panels.base import ViewPanel
from perf_panels.vmprof import downloads, markers, modes, page, pending, trimming, views
from perf_panels.vmprof.live import Profile, sampled
from perf_panels.vmprof.reduce import explain, samples_of
from perf_panels.vmprof.replay import headers_of_page
from perf_panels.vmprof.report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest, HttpResponseBase

    from perf_panels.vmprof.samples import Phase


class VMProfPanel(ViewPanel):
    """
    Answers: which functions and which lines of which templates does the time of this page go to?
    """

    title = gettext_lazy("VMProf")
    nav_title = gettext_lazy("VMProf")
    nav_icon = "perf_panels/img/vmprof.svg"  # type: ignore[assignment] # the toolbar annotates its default, None
    template = "perf_panels/vmprof/panel.html"
    room = "vmprof"
    script_names = ("panel", "vmprof")
    trim_keys = ("functions",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.profile: Profile | None = None
        self.period_ms = 0.0

    @classmethod
    def ready(cls) -> None:
        """
        Install the view hook and the listener to the end of requests, once.
        """
        super().ready()
        afterwards.install()

    @classmethod
    def actions(cls) -> dict[str, Callable[..., Any]]:
        return views.VIEWS | downloads.VIEWS

    @contextmanager
    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., Any],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> Iterator[None]:
        mode, self.period_ms = modes.chosen(request.COOKIES)
        choice = modes.choose(mode, self.period_ms, is_async=markers.is_async(view_func))
        self.profile = Profile(choice, f"{request.method} {request.path}")
        with sampled(self.profile, "view"):
            yield

    @contextmanager
    def process_render(self, response: HttpResponseBase) -> Iterator[None]:
        if self.profile is None:
            yield
            return
        with sampled(self.profile, "render"):
            yield

    def inside(self, phase: Phase, call: Callable[..., Any]) -> Callable[..., Any]:
        """
        Return what is called instead of the view or its render: the same, below a frame that samples are known by.
        """
        profile = self.profile
        if profile is None:
            return call
        return self._guard("marker", lambda: profile.marked(phase, call)) or call

    def report(self, request: HttpRequest, response: HttpResponseBase) -> dict[str, Any]:
        profile, self.profile = self.profile, None
        stats: dict[str, Any] = {
            "method": request.method,
            "modes": modes.described(),
            "replay": {"state": "none"},
        }
        if profile is None:
            return stats
        stats |= {
            "watched": True,
            "request": {
                "path_info": request.path_info,
                "query": request.META.get("QUERY_STRING", ""),
                "script_name": get_script_prefix(),
                "status": response.status_code,
                "headers": headers_of_page(request),
            },
            "mode": profile.choice.mode,
            "engine": profile.choice.engine,
            # As chosen: what the engine made of it is the profile's, and vmprof in a process of its own can keep to it.
            "period_ms": self.period_ms,
            "notes": profile.notes,
            "refusal": profile.refused,
            "state": "pending",
            "measured": profile.measured(),
        }
        if profile.refused:
            return stats | {"state": "refused"}
        # What was collected stays in this process: ids of code objects mean nothing in another.
        pending.keep(str(self.toolbar.request_id), lambda: self._reduce(profile))
        afterwards.schedule(partial(pending.finish, str(self.toolbar.request_id)), response)
        return stats

    def subtitle(self, stats: dict[str, Any]) -> str:
        return page.subtitle(stats)

    def context(self, stats: dict[str, Any]) -> dict[str, Any]:
        context = page.panel_context(stats, str(self.toolbar.request_id or ""), self.previous_stats(stats))
        return context | {"subtitle": self.nav_subtitle}

    def shorten(self, stats: dict[str, Any], limit: int) -> None:
        trimming.shorten(stats, limit)

    def reduced(self, profile: Profile) -> dict[str, Any]:
        """
        Return the report of what was collected.
        """
        samples = explain(samples_of(profile))
        return report(samples) | {"engine": samples.engine, "state": "done" if samples.count else "empty"}

    def _reduce(self, profile: Profile) -> None:
        """
        Add the report to what is stored. Runs in a thread, after the response.
        """

        def work() -> Callable[[dict[str, Any]], dict[str, Any]]:
            reduced = self.reduced(profile)
            return lambda stats: stats | reduced

        self.finish_stored(work, state="failed")
