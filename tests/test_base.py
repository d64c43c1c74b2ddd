from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from perf_panels import considerate
from perf_panels.base import ViewPanel
from perf_panels.guarded import Guarded


class Panel(ViewPanel):
    title = "A panel"
    template = "no/such/template.html"
    trim_keys = ("rows",)


class Context:
    def __init__(self, entering=None, leaving=None, swallows=False):
        self.entering, self.leaving, self.swallows = entering, leaving, swallows

    def __enter__(self):
        if self.entering:
            raise self.entering

    def __exit__(self, *raised):
        if self.leaving:
            raise self.leaving
        return self.swallows


@pytest.fixture
def panel():
    toolbar = SimpleNamespace(stats={}, server_timing_stats={}, request_id=None, request=None)
    return Panel(toolbar, get_response=None)


@pytest.mark.parametrize("phase", ["entering", "leaving"])
def test_a_context_that_breaks_is_kept_and_does_not_reach_the_view(phase, panel, caplog):
    with Guarded(panel, "view", lambda: Context(**{phase: RuntimeError("ours")})):
        ran = True

    assert ran
    assert panel._error == "view: RuntimeError: ours"
    assert "the page is not affected" in caplog.text


def test_a_context_that_cannot_be_made_is_kept(panel):
    def make():
        raise RuntimeError("ours")

    with Guarded(panel, "view", make):
        pass

    assert panel._error == "view: RuntimeError: ours"


def test_a_context_cannot_swallow_the_views_exception(panel):
    with pytest.raises(LookupError), Guarded(panel, "view", lambda: Context(swallows=True)):
        raise LookupError

    assert panel._error is None


def test_the_views_own_exception_is_not_called_ours(panel):
    error = LookupError("the view's")

    with pytest.raises(LookupError), Guarded(panel, "view", lambda: Context(leaving=error)):
        raise error

    assert panel._error is None


async def test_an_async_view_is_guarded_too(panel):
    async with Guarded(panel, "view", lambda: Context(leaving=RuntimeError("ours"))):
        pass

    assert panel._error == "view: RuntimeError: ours"


def test_the_first_failure_is_the_one_shown(panel):
    panel.failed("view", RuntimeError("first"))
    panel.failed("report", RuntimeError("second"))

    assert panel._error == "view: RuntimeError: first"


def test_what_is_too_large_is_shortened_the_least_needed_first(panel, settings):
    settings.PERF_PANELS = {"MAX_STORED_BYTES": 5_000}
    stats = {"findings": [{"title": "f" * 10}] * 3, "rows": ["r" * 100] * 100, "truncated": {}}

    capped = panel.capped(stats)

    assert len(json.dumps(capped)) <= 5_000
    assert len(capped["findings"]) == 3
    assert capped["truncated"] == {"rows": 100 - len(capped["rows"])}


def test_findings_are_shortened_last(panel, settings):
    settings.PERF_PANELS = {"MAX_STORED_BYTES": 1_000}
    stats = {"findings": [{"title": "f" * 100}] * 30, "rows": ["r" * 100] * 100, "truncated": {}}

    capped = panel.capped(stats)

    assert len(capped["rows"]) == 1
    assert 1 <= len(capped["findings"]) < 10
    assert capped["truncated"]["findings"] == 30 - len(capped["findings"])


def test_only_plain_json_is_stored(panel):
    assert panel._plain({"a": (1, 2), "b": {"c": None}}) == {"a": [1, 2], "b": {"c": None}}


class Store:
    def __init__(self, **stats):
        self.stats = stats
        self.locked = False

    def panel(self, request_id, panel_id):
        return self.stats

    def save_panel(self, request_id, panel_id, stats):
        if self.locked:
            raise OperationalError("database is locked")
        self.stats = stats


def test_work_after_the_response_is_added_to_what_is_stored_by_then(panel):
    panel.toolbar.store = store = Store(rows=[1], truncated={})

    panel.finish_stored(lambda: lambda stats: stats | {"state": "done"}, state="failed")

    assert store.stats == {"rows": [1], "truncated": {}, "state": "done"}


def breaking():
    raise RuntimeError("ours")


@pytest.mark.parametrize("work", [breaking, lambda: lambda stats: breaking()])
def test_work_after_the_response_that_fails_is_not_waited_for(work, panel, caplog):
    panel.toolbar.store = store = Store(rows=[1], truncated={}, error=None, state="pending")

    panel.finish_stored(work, state="failed")

    assert store.stats["state"] == "failed"
    assert store.stats["error"].startswith("after the response: ")
    assert caplog.records[0].exc_info is not None


def test_a_store_that_is_locked_is_no_failure_of_the_panel(panel, monkeypatch):
    panel.toolbar.store = store = Store(rows=[1], truncated={}, state="pending")
    monkeypatch.setattr(considerate, "PAUSES_S", ())
    store.locked = True

    with pytest.raises(OperationalError):
        panel.finish_stored(lambda: dict, state="failed")

    assert store.stats["state"] == "pending"
