"""
More samples: another process runs the view again, and what becomes of it is told whatever happens to it.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.test import Client

from perf_panels.actions import token
from perf_panels.vmprof import PANEL_ID, pending, replay_process, replaying
from perf_panels.vmprof.panel import VMProfPanel
from perf_panels.vmprof.replay import _request
from perf_panels.vmprof.stored import samples_of
from tests.vmprof.shares import share_of


@pytest.fixture(autouse=True)
def project(settings, monkeypatch):
    settings.ROOT_URLCONF = "tests.vmprof.site"
    settings.MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.vmprof.replay_settings")
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [VMProfPanel])
    VMProfPanel.ready()
    get_store().clear()
    yield
    for thread in threading.enumerate():
        if thread.name == "perf-panels-more-samples":
            thread.join(20)


class Browser:
    def __init__(self, **cookies):
        self.client = Client(raise_request_exception=False)
        for name, value in cookies.items():
            self.client.cookies[name] = value

    def open(self, url, method="get"):
        getattr(self.client, method)(url)
        self.request_id = list(get_store().request_ids())[-1]
        pending.finish(self.request_id)
        while self.stats()["state"] == "pending":
            time.sleep(0.01)

    def click(self, action, **fields):
        fields = {"token": token(PANEL_ID, self.request_id, action), **fields}
        response = self.client.post(f"/__debug__/perf_panels/vmprof/{action}/", fields)
        return json.loads(response.content)

    def more(self, **fields):
        """
        Take more samples to the end and return the last word on it.
        """
        told = self.click("start", **fields)
        assert told.get("state") == "running", told
        return self.finished()

    def finished(self):
        until = time.monotonic() + 60
        while (told := self.click("progress"))["state"] == "running":
            assert time.monotonic() < until, told
            time.sleep(0.05)
        return told

    def stats(self):
        return get_store().panel(self.request_id, PANEL_ID)


def test_the_request_is_run_again_until_there_are_enough_samples():
    browser = Browser()
    browser.open("/shares/")

    told = browser.more(samples=100)

    assert told["state"] == "done", told
    assert told["samples"] >= 100
    samples = samples_of(browser.stats())
    assert samples.runs == told["runs"] > 1
    assert samples.count == told["samples"]
    assert share_of(samples, "half") == pytest.approx(0.5, abs=0.15)
    assert samples.engine == told["engine"]


def test_vmprof_itself_takes_them_on_every_python():
    browser = Browser()
    browser.open("/deferred/")

    told = browser.more(samples=30)

    assert told["engine"] == "vmprof" or told["crashes"] >= 3
    phases = {stack.phase for stack in samples_of(browser.stats()).stacks}
    assert phases == {"view", "render"}


def test_they_are_taken_in_the_mode_that_is_chosen_in_the_panel():
    browser = Browser()
    browser.open("/sleeps/")

    browser.more(samples=200, mode="wall", period_ms="2")

    stats = browser.stats()
    assert (stats["mode"], stats["profile"]["mode"], stats["period_ms"]) == ("wall", "wall", 2.0)
    assert share_of(samples_of(stats), "sleeps") > 0.8


def test_an_async_view_can_be_run_again():
    browser = Browser()
    browser.open("/coroutine/")

    told = browser.more(samples=20)

    assert told["state"] == "done"
    assert share_of(samples_of(browser.stats()), "half") > 0.8


def test_the_replay_has_the_cookies_and_the_query_of_the_page():
    browser = Browser(who="me")
    browser.open("/who/?q=a%20b")

    told = browser.more(samples=10)

    assert told["state"] == "done"
    assert not any("where the page had" in note for note in browser.stats()["profile"]["notes"])


def test_the_replay_is_of_this_very_page():
    browser = Browser()
    browser.client.defaults["HTTP_HX_REQUEST"] = "true"
    browser.open("/asked/100%2541%3F%23%3B/%C3%A9/")
    del browser.client.defaults["HTTP_HX_REQUEST"]
    assert browser.stats()["request"]["status"] == 200

    told = browser.more(samples=10)

    assert told["state"] == "done"
    assert not any("where the page had" in note for note in browser.stats()["profile"]["notes"])


@pytest.mark.parametrize("path", ["/plain/", "//twice/", "/a//b/", "/q?x/", "/c#/", "/;a=b/", "/100%41/", "/é/"])
def test_a_path_is_asked_for_as_it_is(path):
    job = {"script_name": "/", "headers": {}, "method": "GET", "path_info": path, "secure": False, "query": "a=1"}

    request = _request(job)

    assert (request.path_info, request.GET["a"]) == (path, "1")


def test_another_answer_than_the_pages_is_said(monkeypatch):
    browser = Browser()
    browser.open("/who/?q=a%20b")
    stats = browser.stats()
    stats["request"]["query"] = "q=other"
    get_store().save_panel(browser.request_id, PANEL_ID, stats)

    browser.more(samples=10)

    notes = browser.stats()["profile"]["notes"]
    assert "The replay answered 404 where the page had 200: it may not be the same page." in notes


def test_a_crash_costs_a_chunk_and_not_the_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(replay_process, "_CHUNK_S", 0.0)
    browser = Browser()
    browser.open("/dies-once/")
    monkeypatch.setenv("PERF_PANELS_TEST_FLAG", str(tmp_path / "asked"))

    told = browser.more(samples=30)

    assert told["state"] == "done", told
    assert told["crashes"] >= 1
    samples = samples_of(browser.stats())
    assert samples.count >= 30
    crashed = "The process crashed once" if told["crashes"] == 1 else f"The process crashed {told['crashes']} times"
    assert any(note.startswith(crashed) for note in browser.stats()["profile"]["notes"])


def test_a_process_that_dies_at_once_is_not_started_for_ever(monkeypatch):
    browser = Browser()
    browser.open("/dies/")
    before = browser.stats()
    monkeypatch.setenv("PERF_PANELS_TEST_DIES", "1")

    told = browser.more(samples=30)

    assert told["state"] == "failed"
    assert "crashed" in told["sentence"]
    assert 3 <= told["crashes"] <= 8
    assert browser.stats() == before


def test_stop_ends_a_run_in_its_middle(monkeypatch):
    browser = Browser()
    browser.open("/endless/")
    monkeypatch.setenv("PERF_PANELS_TEST_ENDLESS", "1")
    browser.click("start", samples=1000)

    began = time.monotonic()
    told = browser.click("stop")

    assert told["state"] == "stopped", told
    assert time.monotonic() - began < 5
    assert browser.stats()["replay"] == {"state": "none"}


def test_stop_keeps_the_samples_so_far():
    browser = Browser()
    browser.open("/shares/")
    browser.click("start", samples=100_000)
    while browser.click("progress")["samples"] == 0:
        time.sleep(0.05)

    told = browser.click("stop")

    assert told["state"] == "stopped"
    assert samples_of(browser.stats()).count == told["samples"] > 0


def test_the_time_that_was_asked_for_ends_it():
    browser = Browser()
    browser.open("/sleeps/")

    told = browser.more(samples=100_000, seconds=3)

    notes = [note for note in browser.stats()["profile"]["notes"] if "try wall mode" in note]
    assert len(notes) == 1
    assert told["state"] == "done"
    assert told["elapsed_s"] < 10
    assert "3 seconds" in told["sentence"]


def test_seconds_may_be_asked_for_in_the_place_of_samples():
    browser = Browser()
    browser.open("/shares/")

    told = browser.more(samples=replaying.MOST_SAMPLES, seconds=4)

    assert told["by_time"]
    assert (told["state"], told["seconds"]) == ("done", 4)
    assert samples_of(browser.stats()).count == told["samples"] > 0
    assert "sentence" not in told or "ended after" not in told["sentence"]


def test_a_request_that_the_store_forgot_ends_it_and_stays_forgotten(monkeypatch):
    browser = Browser()
    browser.open("/endless/")
    monkeypatch.setenv("PERF_PANELS_TEST_ENDLESS", "1")
    browser.click("start", samples=1000)

    get_store().delete(browser.request_id)
    wait_for_the_end()

    assert not get_store().exists(browser.request_id)


def test_the_samples_of_a_request_that_the_store_forgot_are_not_stored(caplog):
    browser = Browser()
    browser.open("/shares/")
    browser.click("start", samples=100_000)
    while browser.click("progress")["samples"] == 0:
        time.sleep(0.05)

    get_store().delete(browser.request_id)
    wait_for_the_end()

    assert not get_store().exists(browser.request_id)
    assert caplog.messages == []


def test_a_stop_that_comes_too_late_brings_nothing_back():
    assert replaying.stop("gone")["state"] == "none"
    assert not get_store().exists("gone")


def wait_for_the_end():
    for thread in threading.enumerate():
        if thread.name == "perf-panels-more-samples":
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_no_other_method_is_run_again(method):
    browser = Browser()
    browser.open("/shares/", method)

    assert "Only a GET or HEAD request" in browser.click("start")["error"]


def test_a_head_request_is_run_again_as_such():
    browser = Browser()
    browser.open("/shares/", "head")

    assert browser.more(samples=10)["state"] == "done"


def test_one_at_a_time(monkeypatch):
    browser, other = Browser(), Browser()
    browser.open("/endless/")
    other.open("/shares/")
    monkeypatch.setenv("PERF_PANELS_TEST_ENDLESS", "1")
    browser.click("start")

    answer = other.click("start")
    browser.click("stop")

    assert "More samples of GET /endless/ are being taken" in answer["error"]


def test_a_project_that_cannot_be_imported_says_why(monkeypatch):
    browser = Browser()
    browser.open("/shares/")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.no_such_settings")

    told = browser.more()

    assert told["state"] == "failed"
    assert "no_such_settings" in told["sentence"]


def test_settings_without_a_module_are_refused(monkeypatch):
    browser = Browser()
    browser.open("/shares/")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")

    assert "no settings module" in browser.click("start")["error"]


def test_a_server_that_is_gone_is_not_waited_for():
    browser = Browser()
    browser.open("/shares/")
    silent = {"state": "running", "samples": 5, "said_at": time.time() - 60, "chunk_s": 0.5}
    get_store().save_panel(browser.request_id, replaying._PROGRESS, silent)

    told = browser.click("progress")

    assert told["state"] == "failed"
    assert "is gone" in told["sentence"]


def test_a_run_that_takes_long_is_not_given_up(monkeypatch):
    browser = Browser()
    browser.open("/endless/")
    monkeypatch.setenv("PERF_PANELS_TEST_ENDLESS", "1")
    monkeypatch.setattr(replaying, "_SILENT_S", 0.5)
    monkeypatch.setattr(replaying, "_STILL_S", 0.1)

    browser.click("start", seconds=5)
    until = time.monotonic() + 3
    states = {browser.click("progress")["state"] for _ in iter(lambda: time.monotonic() < until, False)}
    browser.click("stop")

    assert states == {"running"}


def test_no_process_outlives_it():
    browser = Browser()
    browser.open("/shares/")

    browser.more(samples=10)

    assert [each for each in Path("/proc").iterdir() if each.name.isdigit() and _is_replay(each)] == []


def _is_replay(process):
    try:
        return "perf_panels.vmprof.replay" in (process / "cmdline").read_text() and _parent(process) == os.getpid()
    except OSError:
        return False


def _parent(process):
    return int((process / "stat").read_text().rpartition(")")[2].split()[1])
