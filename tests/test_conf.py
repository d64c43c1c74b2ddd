from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest

from perf_panels.checks import check_allowlist, check_engines, check_settings, check_store, check_toolbar
from perf_panels.conf import Config, get_config
from perf_panels.vmprof import modes, replaying, views


def ids(messages):
    return [message.id for message in messages]


def test_without_the_setting_the_defaults_hold(settings):
    # Setting it tells who listens; deleting it tells nobody.
    settings.PERF_PANELS = {}
    del settings.PERF_PANELS

    assert get_config() == Config()


def test_a_setting_holds_until_it_changes(settings):
    settings.PERF_PANELS = {"NPLUSONE_THRESHOLD": 7, "NPLUSONE_ALLOW": ["a.B.c"]}
    assert (get_config().NPLUSONE_THRESHOLD, get_config().NPLUSONE_ALLOW) == (7, ("a.B.c",))

    settings.PERF_PANELS = {}
    assert get_config() == Config()


def test_an_unknown_key_is_an_error_that_names_the_closest(settings):
    settings.PERF_PANELS = {"NPLUSONE_TRESHOLD": 3}

    (error,) = check_settings()

    assert error.id == "perf_panels.E002"
    assert "Did you mean 'NPLUSONE_THRESHOLD'?" in error.msg


@pytest.mark.parametrize("value", ["rss", 1, None])
def test_a_value_that_is_no_choice_is_an_error_and_the_default_holds(value, settings):
    settings.PERF_PANELS = {"MEMORY_BACKEND": value}

    (error,) = check_settings()

    assert "'psutil', 'psutil_uss'" in error.msg
    assert get_config().MEMORY_BACKEND == "psutil"


@pytest.mark.parametrize("value", ["3", True, 0, -1, 1.5, None])
def test_a_bad_number_is_an_error_and_the_default_holds(value, settings):
    settings.PERF_PANELS = {"NPLUSONE_THRESHOLD": value}

    assert ids(check_settings()) == ["perf_panels.E003"]
    assert get_config().NPLUSONE_THRESHOLD == 3


@pytest.mark.parametrize(
    ("name", "value", "most"),
    [("VMPROF_PERIOD_MS", 25, 20), ("VMPROF_REPLAY_SAMPLES", 200_001, 200_000), ("VMPROF_REPLAY_SECONDS", 601, 600)],
)
def test_a_number_that_no_click_may_ask_for_is_an_error_and_the_default_holds(name, value, most, settings):
    settings.PERF_PANELS = {name: value}

    (error,) = check_settings()

    assert f"must be at most {most}" in error.msg
    assert get_config() == Config()


def test_what_the_settings_allow_the_clicks_allow_too():
    limits = {entry.name: entry.metadata for entry in fields(Config)}

    period = limits["VMPROF_PERIOD_MS"]
    assert (period["least"], period["most"]) == modes.PERIODS_MS
    assert limits["VMPROF_REPLAY_SAMPLES"]["most"] == views._MOST_SAMPLES == replaying.MOST_SAMPLES
    assert limits["VMPROF_REPLAY_SECONDS"]["most"] == views._MOST_SECONDS


@pytest.mark.parametrize("value", ["shop.Product.category", [1], None])
def test_a_bad_list_is_an_error(value, settings):
    settings.PERF_PANELS = {"NPLUSONE_ALLOW": value}

    assert ids(check_settings()) == ["perf_panels.E003"]


def test_a_setting_that_is_no_dictionary_is_an_error(settings):
    settings.PERF_PANELS = ["NPLUSONE_ALLOW"]

    assert ids(check_settings()) == ["perf_panels.E001"]
    assert get_config() == Config()


def test_a_toolbar_without_our_panels_is_a_warning(settings):
    assert check_toolbar() == []

    settings.DEBUG_TOOLBAR_PANELS = ["debug_toolbar.panels.history.HistoryPanel"]

    assert ids(check_toolbar()) == ["perf_panels.W002"]


def test_a_missing_toolbar_is_a_warning(settings):
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "debug_toolbar"]

    assert ids(check_toolbar()) == ["perf_panels.W001"]


def test_an_entry_of_the_allowlist_that_matches_nothing_is_a_warning(settings):
    settings.PERF_PANELS = {"NPLUSONE_ALLOW": ["shop.Product.category", "shop.Product.catgory"]}

    (warning,) = check_allowlist()

    assert warning.id == "perf_panels.W003"
    assert "shop.Product.catgory" in warning.msg


@pytest.mark.parametrize(
    ("panel", "module", "extra"),
    [("VMProfPanel", "vmprof", "vmprof"), ("LineProfilerPanel", "line_profiler", "lines")],
)
def test_an_engine_that_is_missing_is_named_with_its_extra(panel, module, extra, settings, monkeypatch):
    settings.DEBUG_TOOLBAR_PANELS = [f"perf_panels.panels.{panel}"]
    assert check_engines() == []

    monkeypatch.setattr("perf_panels.checks.find_spec", lambda name: None)
    (warning,) = check_engines()

    assert warning.id == "perf_panels.W004"
    assert module in warning.msg
    assert warning.hint == f"pip install django-perf-panels[{extra}]"


def test_an_engine_of_a_panel_that_is_not_listed_is_not_missed(settings, monkeypatch):
    settings.DEBUG_TOOLBAR_PANELS = ["perf_panels.panels.NPlusOnePanel"]
    monkeypatch.setattr("perf_panels.checks.find_spec", lambda name: None)

    assert check_engines() == []


def test_a_store_that_fails_two_requests_at_once_is_named(settings, monkeypatch):
    assert check_store() == []

    settings.DEBUG_TOOLBAR_CONFIG = {"TOOLBAR_STORE_CLASS": "debug_toolbar.store.DatabaseStore"}
    on_sqlite = {"vendor": "sqlite", "settings_dict": {"OPTIONS": {}}}
    connection = SimpleNamespace(**on_sqlite)
    monkeypatch.setattr("django.db.connections", {"default": connection})
    (warning,) = check_store()
    connection.settings_dict = {"OPTIONS": {"transaction_mode": "IMMEDIATE"}}

    assert warning.id == "perf_panels.W005"
    assert warning.hint.startswith('Set DATABASES["default"]')
    assert check_store() == []
