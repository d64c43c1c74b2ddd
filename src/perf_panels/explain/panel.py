"""
The SQL EXPLAIN panel: why is this query slow, and which index, proved and not guessed, helps.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _, gettext_lazy, ngettext

from perf_panels import afterwards, statements
from perf_panels.base import ViewPanel
from perf_panels.conf import get_config
from perf_panels.explain import automatic, merging, page, trimming, views
from perf_panels.explain.collect import Recording, recording_into
from perf_panels.explain.limits import get_limits
from perf_panels.explain.report import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest, HttpResponseBase


class ExplainPanel(ViewPanel):
    """
    Answers: which statements of this page are a problem, why, and what to do.
    """

    title = gettext_lazy("SQL EXPLAIN")
    nav_title = gettext_lazy("SQL EXPLAIN")
    nav_icon = "perf_panels/img/explain.svg"  # type: ignore[assignment] # the toolbar annotates its default, None
    template = "perf_panels/explain/panel.html"
    room = "explain"
    script_names = ("panel", "explain")
    trim_keys = ("groups",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recording: Recording | None = None

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

    @contextmanager
    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., Any],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> Iterator[None]:
        self.recording = Recording()
        with recording_into(self.recording):
            yield

    @contextmanager
    def process_render(self, response: HttpResponseBase) -> Iterator[None]:
        if self.recording is None:
            yield
            return
        with recording_into(self.recording):
            yield

    def report(self, request: HttpRequest, response: HttpResponseBase) -> dict[str, Any]:
        recording = self.recording
        if recording is None:
            return {}
        if recording.failure is not None:
            self.failed("collect", recording.failure)
        self.recording = None
        asked = "pending" if get_config().EXPLAIN_STATEMENTS else "off"
        state = asked if recording.executed else "empty"
        stats = report(recording, get_limits().SLOW_MS) | {
            "watched": True,
            "planning": {
                "state": state,
                "made": 0,
                "left": 0,
                "elapsed_ms": 0.0,
                "budget_ms": get_config().EXPLAIN_BUDGET_MS,
            },
        }
        if state == "pending":
            afterwards.schedule(self._make_plans, response)
        return merging.merged(stats)

    def subtitle(self, stats: dict[str, Any]) -> str:
        if not stats.get("watched"):
            return _("no view ran")
        slow = sum(group["worst_ms"] >= stats["slow_ms"] for group in stats["groups"])
        problems = sum(finding["severity"] != "info" for finding in stats["findings"])
        parts = [
            ngettext("%(count)d slow", "%(count)d slow", slow) % {"count": slow} if slow else "",
            ngettext("%(count)d problem", "%(count)d problems", problems) % {"count": problems} if problems else "",
        ]
        said = ", ".join(part for part in parts if part)
        if said:
            return said
        if stats["planning"]["state"] in {"pending", "off"}:
            # Nobody has looked yet.
            text = ngettext("%(count)d query", "%(count)d queries", stats["queries"])
        else:
            text = ngettext("no problem, %(count)d query", "no problem, %(count)d queries", stats["queries"])
        return text % {"count": stats["queries"]}

    def context(self, stats: dict[str, Any]) -> dict[str, Any]:
        context = page.panel_context(stats, str(self.toolbar.request_id or ""), self._change(stats))
        return context | {"subtitle": self.nav_subtitle}

    def shorten(self, stats: dict[str, Any], limit: int) -> None:
        trimming.shorten(stats, limit)

    def _make_plans(self) -> None:
        """
        Add the plans to what is stored. Runs in a thread, after the response.
        """
        stored = self.toolbar.store.panel(self.toolbar.request_id, self.panel_id)
        if stored:
            failed = stored["planning"] | {"state": "failed"}
            self.finish_stored(lambda: automatic.make_plans(stored), planning=failed)

    def _change(self, stats: dict[str, Any]) -> dict[str, Any] | None:
        """
        Return what changed since the previous request to the same URL that the store still has, or None.
        """
        previous = self.previous_stats(stats)
        if previous is None or not stats.get("watched"):
            return None
        before = {_identity(finding): finding for finding in previous["findings"]}
        now = {_identity(finding): finding for finding in stats["findings"]}
        # A finding that is missing without a plan has not gone: nobody looked.
        compared = previous["planning"]["state"] == stats["planning"]["state"] == "done"
        return {
            "queries_before": previous["queries"],
            "queries": stats["queries"],
            "ms_before": previous["total_ms"],
            "ms": stats["total_ms"],
            "gone": [finding["title"] for key, finding in before.items() if key not in now] if compared else [],
            "new": [finding["title"] for key, finding in now.items() if key not in before] if compared else [],
        }


def _identity(finding: dict[str, Any]) -> tuple[Any, ...]:
    place = finding.get("origin") or {}
    return finding["rule"], finding.get("relation"), place.get("file"), place.get("function")
