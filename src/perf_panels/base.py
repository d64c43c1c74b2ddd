"""
What every panel of this package shares: being entered around the view, failing safely, capping, the error card.

The toolbar makes one panel object per request, calls it in the order of the methods below, and makes another one,
without a request, whenever stored findings are looked at.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar

from debug_toolbar.panels import Panel
from debug_toolbar.store import DebugToolbarJSONEncoder
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import path
from django.utils.html import format_html
from django.utils.translation import gettext as _

from perf_panels import considerate, view_hook
from perf_panels.conf import get_config
from perf_panels.guarded import Guarded
from perf_panels.reachable import view_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from django.http import HttpRequest, HttpResponseBase
    from django.urls import URLPattern

logger = logging.getLogger("perf_panels")

SCHEMA = 1


class ViewPanel(Panel):
    """
    A panel that watches the view and its deferred render, and says what should change.

    A subclass gives ``process_view`` and ``process_render`` (context managers), ``report`` (what to store),
    ``subtitle`` and ``template``. It may raise anywhere: the page is served as if the panel were not there, the
    exception is logged to ``perf_panels`` and the panel shows it.
    """

    is_async = True
    off_until_ticked = False
    """Whether the panel costs so much that it runs only where its box in the side bar was ticked."""

    room: ClassVar[str]
    """The name of the panel's folder: its actions and scripts are named by it."""

    script_names: ClassVar[tuple[str, ...]] = ("panel",)
    """The modules of ``static/perf_panels/js`` that its page needs."""

    trim_keys: ClassVar[tuple[str, ...]] = ()
    """Lists of the stats that may be shortened when the stored size is over the cap, the least needed first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.view_name = ""
        """The dotted name of the view, "" until it ran."""
        self._error: str | None = None

    @classmethod
    def ready(cls) -> None:
        """
        Install the view hook, once.
        """
        view_hook.install()

    @classmethod
    def get_urls(cls) -> list[URLPattern]:
        """
        Return the panel's own views, in the toolbar's namespace.
        """
        return [
            path(f"perf_panels/{cls.room}/{name}/", view, name=f"perf_panels_{cls.room}_{name}")
            for name, view in cls.actions().items()
        ]

    # What a subclass gives

    @classmethod
    def actions(cls) -> dict[str, Callable[..., Any]]:
        """
        Return what clicks in the panel do, by name: views made by ``perf_panels.actions.action``.
        """
        return {}

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., Any],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> AbstractContextManager[Any]:
        """
        Return a context manager, entered exactly around the view, in the thread or task that runs it.
        """
        raise NotImplementedError

    def process_render(self, response: HttpResponseBase) -> AbstractContextManager[Any]:
        """
        Return a context manager, entered around the render of a TemplateResponse.
        """
        raise NotImplementedError

    def report(self, request: HttpRequest, response: HttpResponseBase) -> dict[str, Any]:
        """
        Return what to store, as plain JSON types; ``findings`` is a list of ``Finding.as_dict()``, worst first.

        ``watched`` is True where there is anything to compare with. What every panel stores is there already: the
        ``url`` with the method, ``view``, ``recorded_at``, ``streaming``.
        """
        raise NotImplementedError

    def subtitle(self, stats: dict[str, Any]) -> str:
        """
        Return the one line of the side bar, made from the stored stats alone.
        """
        raise NotImplementedError

    def context(self, stats: dict[str, Any]) -> dict[str, Any]:
        """
        Return the template's context, made from the stored stats alone.
        """
        return stats

    def shorten(self, stats: dict[str, Any], limit: int) -> None:
        """
        Cut in place what a panel can do without, before whole entries of ``trim_keys`` are left out.
        """

    # The toolbar's calls, in their order

    @property
    def enabled(self) -> bool:
        if self.off_until_ticked and not self.from_store and f"djdt{self.panel_id}" not in self.toolbar.request.COOKIES:
            return False
        return bool(super().enabled)

    def enable_instrumentation(self) -> None:
        self._error = None
        self._guard("enable", lambda: view_hook.add_observer(self.toolbar.request, self))

    def observe_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Guarded:
        self._guard("view", lambda: setattr(self, "view_name", view_name(view)))
        return Guarded(self, "view", lambda: self.process_view(request, view, args, kwargs))

    def observe_render(self, response: HttpResponseBase) -> Guarded:
        return Guarded(self, "render", lambda: self.process_render(response))

    def disable_instrumentation(self) -> None:
        self._guard("disable", lambda: view_hook.remove_observer(self.toolbar.request, self))

    def get_stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.toolbar.stats.get(self.panel_id, {})
        return stats

    def generate_stats(self, request: HttpRequest, response: HttpResponseBase) -> None:
        empty = {
            "schema": SCHEMA,
            "url": f"{request.method} {request.path}",
            "view": self.view_name,
            "recorded_at": time.time(),
            "streaming": response.streaming,
            "watched": False,
            "findings": [],
            "error": None,
            "truncated": {},
        }
        stats: dict[str, Any] = (
            self._guard("report", lambda: empty | self._plain(self.report(request, response))) or empty
        )
        if self._error:
            stats["error"] = self._error
        record: Callable[[dict[str, Any]], None] = self.record_stats
        self._guard("store", lambda: record(self.capped(stats)))

    @property
    def nav_subtitle(self) -> str:
        stats = self.get_stats()
        if not stats:
            return ""
        if stats.get("error"):
            return _("failed: open the panel")
        subtitle: str | None = self._guard("side bar", lambda: self.subtitle(stats))
        return _("failed: open the panel") if subtitle is None else subtitle

    @property
    def scripts(self) -> list[str]:
        names = self.script_names
        return self._guard("scripts", lambda: [static(f"perf_panels/js/{name}.js") for name in names]) or []

    @property
    def content(self) -> str:
        stats = self.get_stats()
        # The side bar was made after the stats were stored: if it failed, nothing in them says so.
        str(self.nav_subtitle)
        rendered = self._guard("template", lambda: render_to_string(self.template, self._context(stats)))
        if rendered is not None:
            return str(rendered)
        failure = {"panel_id": self.panel_id, "error": self._error}
        card = self._guard("error card", lambda: render_to_string("perf_panels/error.html", failure))
        # Without a template: what failed may be what every template needs, such as static files never collected.
        return card or format_html('<div data-findings="0" data-error="{error}">{error}</div>', error=self._error)

    def previous_stats(self, stats: dict[str, Any]) -> dict[str, Any] | None:
        """
        Return what is stored of the previous request to the same URL, or None.
        """
        store = self.toolbar.store
        # A copy: another thread may store a request meanwhile.
        earlier = [store.panel(request_id, self.panel_id) for request_id in list(store.request_ids())]
        same = [
            each
            for each in earlier
            if each.get("watched")
            and each.get("url") == stats.get("url")
            and each.get("recorded_at", 0) < stats.get("recorded_at", 0)
        ]
        return max(same, key=lambda each: each["recorded_at"]) if same else None

    # Failing safely

    def failed(self, phase: str, error: Exception) -> None:
        """
        Log an exception of ours and keep it for the panel's error card.
        """
        logger.error("%s failed in %s; the page is not affected", self.panel_id, phase, exc_info=error)
        self._error = self._error or f"{phase}: {type(error).__name__}: {error}"

    def _guard(self, phase: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the host's page must not break, whatever we do wrong
            self.failed(phase, error)
            return None

    # What is stored

    @staticmethod
    def _plain(stats: dict[str, Any]) -> dict[str, Any]:
        """
        Return the stats as every store would give them back, so that RENDER_PANELS shows the same as a later request.
        """
        plain: dict[str, Any] = json.loads(json.dumps(stats, cls=DebugToolbarJSONEncoder, skipkeys=True))
        return plain

    def capped(self, stats: dict[str, Any]) -> dict[str, Any]:
        """
        Return the stats cut to what may be stored, in plain JSON types; ``truncated`` says what was left out.
        """
        stats, limit = self._plain(stats), get_config().MAX_STORED_BYTES
        self.shorten(stats, limit)
        size = len(json.dumps(stats))
        for key in (*self.trim_keys, "findings"):
            entries = stats.get(key) or []
            while size > limit and len(entries) > 1:
                kept = max(1, min(len(entries) - 1, int(len(entries) * limit / size)))
                stats["truncated"][key] = stats["truncated"].get(key, 0) + len(entries) - kept
                entries = stats[key] = entries[:kept]
                size = len(json.dumps(stats))
        return stats

    def update_stored(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any] | None:
        """
        Replace what is stored of the request by ``change(stored)``, after its response; None where it is gone.
        """
        updated: dict[str, Any] | None = considerate.update_panel(
            self.toolbar.store, self.toolbar.request_id, self.panel_id, lambda stored: self.capped(change(stored))
        )
        return updated

    def finish_stored(self, work: Callable[[], Callable[[dict[str, Any]], dict[str, Any]]], **failed: Any) -> None:
        """
        Run ``work`` after the response, and replace what is stored by what it returned does with it. Where that fails
        ``failed`` is added instead, and the error: nobody is to wait for what will never come.
        """
        try:
            self.update_stored(work())
        except Exception as error:
            if considerate.is_locked(error):
                raise
            self.failed("after the response", error)
            self.update_stored(lambda stats: stats | failed | {"error": stats.get("error") or self._error})

    def store_again(self, stats: dict[str, Any]) -> dict[str, Any]:
        """
        Store the stats anew, cut to the cap, and return them so. Not for use while the page is made: it may wait.
        """
        stats = self.capped(stats)
        considerate.save_panel(self.toolbar.store, self.toolbar.request_id, self.panel_id, stats)
        return stats

    def _context(self, stats: dict[str, Any]) -> dict[str, Any]:
        counted = [finding for finding in stats.get("findings", []) if finding["severity"] != "info"]
        return self.context(stats) | {
            "panel_id": self.panel_id,
            "finding_count": len(counted),
            "error": stats.get("error") or self._error,
            "truncated": stats.get("truncated") or {},
        }
