"""
The N+1 panel: which queries of this page should not exist, and the exact code that removes them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlparse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from perf_panels import numbers
from perf_panels.base import ViewPanel
from perf_panels.findings import finding_dicts
from perf_panels.nplusone import history, patches
from perf_panels.nplusone.collect import Recording, recording_into
from perf_panels.nplusone.report import report
from perf_panels.origins import excerpt, short_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest, HttpResponseBase

    from perf_panels.nplusone.found import Found

_SQL_SHOWN = 4_000
# The side bar has none of our styles: a presentation attribute needs none, and no CSP forbids it.
_GREEN = mark_safe(
    '<svg width="8" height="8" viewBox="0 0 8 8" aria-hidden="true"><circle cx="4" cy="4" r="4" fill="#3fa66b"/></svg> '
)


class NPlusOnePanel(ViewPanel):
    """
    Answers: which queries should not exist, and which line to change so that they do not.
    """

    title = gettext_lazy("N+1 queries")
    nav_title = gettext_lazy("N+1")
    nav_icon = "perf_panels/img/nplusone.svg"  # type: ignore[assignment] # the toolbar annotates its default, None
    template = "perf_panels/nplusone/panel.html"
    room = "nplusone"
    trim_keys = ("folded", "cards")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.recording: Recording | None = None

    @classmethod
    def ready(cls) -> None:
        """
        Install the view hook and the ORM hooks, once.
        """
        super().ready()
        patches.install()

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
        result = report(recording, history.remember(self.view_name, recording.peers))
        self.recording = None
        return {
            "watched": True,
            "findings": finding_dicts(result.findings),
            "folded": finding_dicts([each.finding for each in result.folded]),
            "cards": [_card(each) for each in result.own],
            "queries": result.queries,
            "excess": result.excess,
            "querysets": result.querysets,
            "instances": result.instances,
            "allowed": result.allowed,
            "truncated": {"statements": recording.omitted} if recording.omitted else {},
        }

    def subtitle(self, stats: dict[str, Any]) -> str:
        if not stats.get("watched"):
            return _("no view ran")
        problems = sum(finding["severity"] != "info" for finding in stats["findings"])
        if not problems:
            text = ngettext("no problem, %(count)d query", "no problem, %(count)d queries", stats["queries"])
            return format_html("{}{}", _GREEN, text % {"count": stats["queries"]})
        counted = ngettext("%(count)d problem", "%(count)d problems", problems) % {"count": problems}
        if not stats["excess"]:
            return counted
        return _("%(problems)s, %(excess)d of %(queries)d queries") % {
            "problems": counted,
            "excess": stats["excess"],
            "queries": stats["queries"],
        }

    def context(self, stats: dict[str, Any]) -> dict[str, Any]:
        cards = stats.get("cards") or []
        findings = stats.get("findings") or []
        padded = cards + [{}] * (len(findings) - len(cards))
        return stats | {
            "cards": [
                _shown(finding) | card | _formatted(card) for finding, card in zip(findings, padded, strict=False)
            ],
            "folded": [_shown(finding) for finding in stats.get("folded") or []],
            "change": self._change(stats),
            **_counted(stats),
        }

    def _change(self, stats: dict[str, Any]) -> dict[str, Any] | None:
        """
        Return what changed since the previous request to the same URL that the store still has, or None.
        """
        previous = self.previous_stats(stats)
        if previous is None or not stats.get("watched"):
            return None
        before = {_identity(finding): finding for finding in previous.get("findings", [])}
        now = {_identity(finding): finding for finding in stats["findings"]}
        return {
            "queries_before": previous.get("queries", 0),
            "queries": stats["queries"],
            "gone": [finding["title"] for key, finding in before.items() if key not in now],
            "new": [finding["title"] for key, finding in now.items() if key not in before],
        }


def _counted(stats: dict[str, Any]) -> dict[str, str]:
    """
    Return in words what was watched.
    """
    counts = {key: stats.get(key) or 0 for key in ("queries", "querysets", "instances")}
    texts = {
        "queries": ngettext("%(count)s query", "%(count)s queries", counts["queries"]),
        "querysets": ngettext("%(count)s queryset", "%(count)s querysets", counts["querysets"]),
        "instances": ngettext("%(count)s model instance", "%(count)s model instances", counts["instances"]),
    }
    return {f"counted_{key}": texts[key] % {"count": f"{counts[key]:,}"} for key in texts}


def _identity(finding: dict[str, Any]) -> tuple[Any, ...]:
    place = finding.get("fix_at") or finding.get("origin") or {}
    return finding["rule"], finding.get("relation"), place.get("file"), place.get("function")


def _card(found: Found) -> dict[str, Any]:
    """
    Return what the page shows of a finding besides itself: the source as it was when it ran, and one statement.
    """
    origin, fix_at, site = found.finding.origin, found.finding.fix_at, found.site
    template_path = site.template_path if site.template else None
    python = origin if origin is not None and origin.function else None
    return {
        "template_source": excerpt(template_path, origin.template_line if origin else None),
        "origin_source": excerpt(python.file, python.line) if python else [],
        "fix_source": excerpt(fix_at.file, fix_at.line) if fix_at and fix_at != origin else [],
        "sql": found.sql[:_SQL_SHOWN],
        "sql_cut": max(0, len(found.sql) - _SQL_SHOWN),
    }


def _shown(finding: dict[str, Any]) -> dict[str, Any]:
    places = {
        f"{key}_path": short_path(finding[key]["file"]) if finding.get(key) else "" for key in ("origin", "fix_at")
    }
    same = finding.get("fix_at") == finding.get("origin")
    saving = numbers.ms(finding.get("saving_ms"))
    return {"finding": finding, "fix_elsewhere": bool(finding.get("fix_at")) and not same, "saving": saving} | places


def _formatted(card: dict[str, Any]) -> dict[str, str]:
    sql = card.get("sql") or ""
    return {"sql": sqlparse.format(sql, reindent=True, keyword_case="upper") if sql else ""}
