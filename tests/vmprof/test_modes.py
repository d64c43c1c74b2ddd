from __future__ import annotations

import json
import platform
import sys

import pytest
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.db import OperationalError
from django.test import Client

from perf_panels import considerate, exclusive
from perf_panels.actions import token
from perf_panels.vmprof import PANEL_ID, live, modes, pending
from perf_panels.vmprof.panel import VMProfPanel

SAFE = {
    (3, 10): {"cpu": "vmprof", "wall": "sampler", "memory": "sampler"},
    (3, 11): {"cpu": "sampler", "wall": "sampler", "memory": "sampler"},
    (3, 12): {"cpu": "sampler", "wall": "sampler", "memory": "sampler"},
    (3, 13): {"cpu": "vmprof", "wall": "vmprof", "memory": "vmprof"},
    (3, 14): {"cpu": "vmprof", "wall": "vmprof", "memory": "vmprof"},
}


@pytest.mark.parametrize("version", SAFE)
@pytest.mark.parametrize("mode", ["cpu", "wall", "memory"])
def test_vmprof_runs_in_the_server_only_where_it_is_safe(version, mode, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (*version, 0, "final", 0))

    choice = modes.choose(mode, 0.99)

    assert choice.engine == SAFE[version][mode]
    assert bool(choice.why) == (choice.engine == "sampler")


@pytest.mark.parametrize("mode", ["cpu", "wall", "memory"])
def test_a_project_that_wants_no_vmprof_in_its_server_is_sampled_by_a_thread(mode, settings):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "VMPROF_IN_PROCESS": 0}

    choice = modes.choose(mode, 0.99)

    assert choice.engine == "sampler"
    assert "VMPROF_IN_PROCESS" in choice.why


def test_an_async_view_is_sampled_by_a_thread():
    choice = modes.choose("cpu", 0.99, is_async=True)

    assert choice.engine == "sampler"
    assert choice.why


def test_without_vmprof_the_sampler_says_what_to_install(monkeypatch):
    monkeypatch.setattr(modes, "is_installed", lambda: False)

    choice = modes.choose("cpu", 0.99)

    assert choice.engine == "sampler"
    assert "django-perf-panels[vmprof]" in choice.why


def test_the_sampler_is_not_faster_than_its_setting(monkeypatch, settings):
    settings.PERF_PANELS = {"VMPROF_SAMPLER_HZ": 100}
    monkeypatch.setattr(modes, "why_not_vmprof", lambda mode: "tested")

    assert modes.choose("cpu", 0.99).period_ms == 10
    assert modes.choose("cpu", 20.0).period_ms == 20


@pytest.mark.parametrize(
    ("cookie", "chosen"),
    [
        ("", ("cpu", 0.99)),
        ("wall", ("wall", 0.99)),
        ("memory:2", ("memory", 2.0)),
        ("wall:0.0001", ("wall", 0.99)),
        ("wall:nan", ("wall", 0.99)),
        ("<script>:x", ("cpu", 0.99)),
    ],
)
def test_the_cookie_is_checked(cookie, chosen):
    assert modes.chosen({modes.COOKIE: cookie}) == chosen


def test_wall_mode_is_the_default_where_a_thread_has_no_cpu_clock(monkeypatch):
    monkeypatch.setattr(modes, "why_not_vmprof", lambda mode: "tested")
    monkeypatch.setattr(modes, "has_cpu_clock", lambda: False)

    assert modes.chosen({})[0] == "wall"
    assert modes.chosen({modes.COOKIE: "cpu:2"}) == ("wall", 2.0)


# In the browser session


@pytest.fixture
def browser(settings, monkeypatch):
    settings.ROOT_URLCONF = "tests.vmprof.site"
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [VMProfPanel])
    VMProfPanel.ready()
    get_store().clear()
    return Client()


def opened(client, url):
    client.get(url)
    request_id = list(get_store().request_ids())[-1]
    pending.finish(request_id)
    while (stats := get_store().panel(request_id, PANEL_ID))["state"] == "pending":
        pass
    return request_id, stats


def click(client, request_id, action, **fields):
    response = client.post(
        f"/__debug__/perf_panels/vmprof/{action}/", {"token": token(PANEL_ID, request_id, action), **fields}
    )
    return response, json.loads(response.content)


def test_a_mode_holds_for_the_browser_session(browser):
    request_id, stats = opened(browser, "/sleeps/")
    response, answer = click(browser, request_id, "mode", mode="wall")

    _, later = opened(browser, "/sleeps/")

    assert (stats["mode"], later["mode"]) == ("cpu", "wall")
    assert answer["mode"] == "wall"
    cookie = response.cookies[modes.COOKIE]
    assert (cookie["max-age"], cookie["expires"], cookie["httponly"]) == ("", "", True)
    assert stats["profile"]["sampled_ms"] < 200 <= later["profile"]["sampled_ms"]


@pytest.mark.parametrize("given", ["", "native", "cpu; path=/"])
def test_an_unknown_mode_is_refused(browser, given):
    request_id, _ = opened(browser, "/sleeps/")

    response, answer = click(browser, request_id, "mode", mode=given)

    assert response.status_code == 409
    assert answer["error"] == "There is no such mode."
    assert modes.COOKIE not in response.cookies


@pytest.mark.parametrize("given", ["", "0", "21", "nan", "fast"])
def test_a_period_that_cannot_be_is_refused(browser, given):
    request_id, _ = opened(browser, "/shares/")

    response, answer = click(browser, request_id, "mode", mode="cpu", period_ms=given)

    assert response.status_code == 409
    assert answer["error"] == "Choose a period from 0.25 to 20 ms."
    assert modes.COOKIE not in response.cookies


def test_the_panel_shows_the_period_that_was_chosen(browser, monkeypatch):
    monkeypatch.setattr(modes, "why_not_vmprof", lambda mode: "tested")

    _, stats = opened(browser, "/shares/")

    assert stats["period_ms"] == 0.99
    assert stats["profile"]["period_ms_asked"] > 0.99


def test_the_time_is_known_before_the_samples_are_read(browser, monkeypatch):
    monkeypatch.setattr("perf_panels.afterwards.schedule", lambda *arguments: None)

    browser.get("/sleeps/")

    stats = get_store().panel(list(get_store().request_ids())[-1], PANEL_ID)
    assert stats["state"] == "pending"
    assert stats["measured"]["wall_ms"] > 200 > stats["measured"]["cpu_ms"] > 10


def test_a_sleeping_page_says_where_its_time_went(browser):
    _, stats = opened(browser, "/sleeps/")

    assert any("were not on the CPU: try wall mode" in note for note in stats["profile"]["notes"])


def test_the_first_look_finishes_what_the_server_did_not(browser, monkeypatch):
    monkeypatch.setattr("perf_panels.afterwards.schedule", lambda *arguments: None)
    browser.get("/shares/")
    request_id = list(get_store().request_ids())[-1]
    _, before = click(browser, request_id, "list")

    _, answer = click(browser, request_id, "list", make="now")

    assert (before["state"], answer["state"]) == ("pending", "done")


def test_samples_that_cannot_be_read_are_not_waited_for(browser, monkeypatch):
    monkeypatch.setattr("perf_panels.vmprof.panel.explain", lambda samples: samples.no_such_thing)

    request_id, stats = opened(browser, "/shares/")
    _, answer = click(browser, request_id, "list")

    assert (stats["state"], answer["state"]) == ("failed", "failed")
    assert stats["error"].startswith("after the response: AttributeError")
    assert answer["subtitle"] == "failed: open the panel"
    assert 'data-subtitle="failed: open the panel"' in answer["content"]
    assert "This panel failed" in answer["content"]
    assert "was not profiled" not in answer["content"]


def test_samples_that_could_not_be_stored_are_kept_for_another_look(browser, monkeypatch):
    monkeypatch.setattr("perf_panels.afterwards.schedule", lambda *arguments: None)
    browser.get("/shares/")
    request_id = list(get_store().request_ids())[-1]

    with monkeypatch.context() as locked:
        locked.setattr(considerate, "update_panel", locked_store)
        with pytest.raises(OperationalError):
            pending.finish(request_id)
    assert pending.finish(request_id)

    assert get_store().panel(request_id, PANEL_ID)["state"] == "done"


def locked_store(*arguments):
    raise OperationalError("database is locked")


def test_a_profile_that_was_lost_with_its_server_is_not_waited_for(browser):
    request_id, stats = opened(browser, "/shares/")
    del stats["profile"]
    get_store().save_panel(request_id, PANEL_ID, stats | {"state": "pending", "recorded_at": 1.0})

    _, answer = click(browser, request_id, "list")

    assert answer["state"] == "refused"
    assert "The server was restarted" in answer["content"]


def test_a_busy_profiler_leaves_the_page_alone_and_says_who_has_it(browser):
    with exclusive.exclusively(live.TOOL, "GET /other/"):
        response = browser.get("/shares/")

    stats = get_store().panel(list(get_store().request_ids())[-1], PANEL_ID)
    assert response.content == b"known"
    assert stats["state"] == "refused"
    assert "GET /other/ was being profiled" in stats["refusal"]


def test_this_python_is_one_of_those_that_were_tried():
    assert sys.version_info[:2] in SAFE or platform.python_implementation() != "CPython"
