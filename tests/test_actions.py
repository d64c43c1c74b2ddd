from __future__ import annotations

import json
import threading

import pytest
from debug_toolbar.middleware import show_toolbar_func_or_path
from debug_toolbar.store import get_store
from django.core import signing
from django.http import Http404, HttpResponse
from django.test import RequestFactory

from perf_panels import actions
from perf_panels.actions import Refused, action, asked, token

PANEL = "ExplainPanel"


@pytest.fixture
def stored():
    """
    The id of a request of which the store has ``{"groups": ["a"]}``.
    """
    store = get_store()
    store.clear()
    store.save_panel("request", PANEL, {"groups": ["a"], "truncated": {}, "findings": []})
    yield "request"
    store.clear()


def view_of(answer):
    return action(PANEL, "look", "look-closer")(answer)


def click(view, given, **fields):
    response = view(RequestFactory().post("/", {"token": given, **fields}))
    return response.status_code, json.loads(response.content)


def echo(request, wanted, stats):
    return {"wanted": list(wanted), "stats": stats, "field": request.POST.get("field")}


def test_a_token_stands_for_what_it_was_made_for():
    assert asked(PANEL, token(PANEL, "request", "look", "a"), "look") == ("request", "look", "a")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        token("NPlusOnePanel", "request", "look", "a"),
        token(PANEL, "request", "delete", "a"),
        token(PANEL, "request", "look", "a")[:-1],
        signing.dumps(["request", "look", "a"]),
    ],
    ids=["none", "nonsense", "of another panel", "for another action", "cut", "of another salt"],
)
def test_any_other_token_is_refused(given, stored):
    with pytest.raises(signing.BadSignature):
        asked(PANEL, given, "look")

    status, answer = click(view_of(echo), given)

    assert status == 403
    assert "Load it again" in answer["error"]


def test_a_click_is_answered_with_what_is_stored(stored):
    status, answer = click(view_of(echo), token(PANEL, stored, "look", "a"), field="7")

    assert status == 200
    assert answer["wanted"] == ["request", "look", "a"]
    assert (answer["stats"]["groups"], answer["field"]) == (["a"], "7")


def test_a_view_can_have_several_actions(stored):
    status, answer = click(view_of(echo), token(PANEL, stored, "look-closer"))

    assert (status, answer["wanted"]) == (200, ["request", "look-closer", ""])


def test_a_response_of_its_own_is_sent_as_it_is(stored):
    view = view_of(lambda request, wanted, stats: HttpResponse("a file", content_type="text/plain"))

    response = view(RequestFactory().post("/", {"token": token(PANEL, stored, "look")}))

    assert (response.content, response["Content-Type"]) == (b"a file", "text/plain")


def test_a_request_that_is_no_longer_stored_is_said():
    status, answer = click(view_of(echo), token(PANEL, "gone", "look"))

    assert (status, answer) == (409, {"error": "This request is no longer stored. Load the page again."})


def test_a_refusal_is_a_sentence(stored):
    def refuses(request, wanted, stats):
        raise Refused("It is in use by GET /slow/home/.")

    assert click(view_of(refuses), token(PANEL, stored, "look")) == (409, {"error": "It is in use by GET /slow/home/."})


def test_an_exception_is_logged_and_said(stored, caplog):
    status, answer = click(view_of(lambda request, wanted, stats: 1 / 0), token(PANEL, stored, "look"))

    assert (status, answer) == (500, {"error": "ZeroDivisionError: division by zero"})
    assert caplog.records[-1].name == "perf_panels"


def test_only_posts_are_answered(stored):
    response = view_of(echo)(RequestFactory().get("/", {"token": token(PANEL, stored, "look")}))

    assert response.status_code == 405


def test_nobody_is_answered_who_does_not_see_the_toolbar(stored, settings):
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"SHOW_TOOLBAR_CALLBACK": lambda request: False}
    show_toolbar_func_or_path.cache_clear()

    try:
        with pytest.raises(Http404):
            click(view_of(echo), token(PANEL, stored, "look"))
    finally:
        show_toolbar_func_or_path.cache_clear()


def test_a_view_needs_neither_a_login_nor_a_csrf_token():
    view = view_of(echo)

    assert view.csrf_exempt
    assert view.login_required is False


def test_saving_cuts_to_the_cap_and_says_so(stored, settings):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "MAX_STORED_BYTES": 20_000}
    findings = [{"title": "x" * 1_000}] * 100

    saved = actions.save_stats(PANEL, stored, {"groups": [], "plans": {}, "findings": findings, "truncated": {}})

    assert len(json.dumps(saved)) <= 20_000
    assert saved["truncated"]["findings"] == 100 - len(saved["findings"])
    assert get_store().panel(stored, PANEL) == saved


def test_updates_at_the_same_time_keep_each_other(stored):
    began, other = threading.Event(), threading.Thread(target=lambda: update("second"))

    def update(name):
        actions.update_stats(PANEL, stored, lambda stats: added(stats, name))

    def added(stats, name):
        if name == "first":
            other.start()
            # The other one waits for this one, so it does not begin.
            assert not began.wait(0.1)
        else:
            began.set()
        return stats | {"groups": [*stats["groups"], name]}

    update("first")
    other.join()

    assert get_store().panel(stored, PANEL)["groups"] == ["a", "first", "second"]


def test_a_request_that_is_gone_is_not_updated():
    with pytest.raises(Refused, match="no longer stored"):
        actions.update_stats(PANEL, "gone", lambda stats: stats)
