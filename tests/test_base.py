from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

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
