from __future__ import annotations

from contextlib import nullcontext

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils.crypto import get_random_string

from perf_panels import selection
from perf_panels.functions import target_of
from perf_panels.guarded import Guarded

VIEW = "shop.views.cart"


def helper():
    return 1


class Basket:
    def total(self):
        return 2


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch):
    monkeypatch.setattr(selection, "_seen", type(selection._seen)())


@pytest.fixture
def targets():
    found = [target_of(helper), target_of(Basket.total)]
    selection.remember(VIEW, found)
    return found


def request_with(**cookies):
    request = RequestFactory().get("/")
    request.COOKIES.update(cookies)
    return request


def test_only_what_was_seen_under_the_view_can_be_chosen(targets):
    ids = [targets[0].id, "os:system:1"]

    found, unseen = selection.chosen(VIEW, {VIEW: ids})

    assert found == [targets[0]]
    assert unseen == ["os:system:1"]
    assert selection.chosen("another.view", {"another.view": ids})[0] == []


@pytest.mark.parametrize(
    "text",
    ["tests.test_selection:Basket.total", "Basket.total", "total", "tests.test_selection.Basket.total", "total()"],
)
def test_a_function_is_found_by_the_end_of_its_name(text, targets):
    assert selection.named(VIEW, text) == [targets[1]]


@pytest.mark.parametrize("text", ["", " ", "asket.total", "os:system", "Basket"])
def test_a_name_that_was_not_seen_finds_nothing(text, targets):
    assert selection.named(VIEW, text) == []


def test_the_last_one_added_is_the_last_of_the_breadcrumb():
    chosen = selection.add({}, VIEW, "a")
    chosen = selection.add(chosen, VIEW, "b")
    chosen = selection.add(chosen, VIEW, "a")

    assert chosen == {VIEW: ["b", "a"]}


def test_one_or_all_of_a_view_are_removed():
    chosen = {VIEW: ["a", "b"], "other": ["c"]}

    assert selection.remove(chosen, VIEW, "a") == {"other": ["c"], VIEW: ["b"]}
    assert selection.remove(chosen, VIEW) == {"other": ["c"]}


def test_without_sessions_it_is_kept_in_a_signed_cookie():
    response = HttpResponse()
    selection.write(request_with(), response, {VIEW: ["a"]})

    cookie = response.cookies[selection.KEY].value
    assert selection.read(request_with(**{selection.KEY: cookie})) == {VIEW: ["a"]}
    assert selection.read(request_with(**{selection.KEY: cookie[:-1] + "?"})) == {}


def test_a_cookie_stays_small_enough_to_be_sent():
    response = HttpResponse()
    many = {f"view {number}": [get_random_string(80) for _ in range(10)] for number in range(12)}
    selection.write(request_with(), response, many)

    cookie = response.cookies[selection.KEY].value
    kept = selection.read(request_with(**{selection.KEY: cookie}))
    assert len(cookie) < 4_000
    assert 0 < sum(map(len, kept.values())) < 120
    assert kept["view 11"] == many["view 11"]


@pytest.mark.django_db
def test_with_sessions_it_is_kept_there_and_reading_it_touches_nothing(settings):
    request = request_with()
    request.session = SessionStore()
    selection.write(request, HttpResponse(), {VIEW: ["a"]})
    request.session.save()
    later = request_with(**{settings.SESSION_COOKIE_NAME: request.session.session_key})
    later.session = SessionStore(request.session.session_key)

    assert selection.read(later) == {VIEW: ["a"]}

    assert not later.session.accessed
    assert not later.session.modified
    with CaptureQueriesContext(connection) as queries:
        later.session.get("anything")
    assert len(queries) == 1


@pytest.mark.django_db
def test_a_visitor_without_a_session_costs_no_query(django_assert_num_queries):
    request = request_with()
    request.session = SessionStore()

    with django_assert_num_queries(0):
        assert selection.read(request) == {}


@pytest.mark.django_db(transaction=True)
async def test_in_a_coroutine_it_is_read_in_a_thread(settings):
    session = SessionStore()
    session[selection.KEY] = {VIEW: ["a"]}
    await session.asave()
    request = request_with(**{settings.SESSION_COOKIE_NAME: session.session_key})
    request.session = SessionStore(session.session_key)

    given = []

    def begin(chosen):
        given.append(chosen)
        return nullcontext()

    async with Guarded(None, "view", lambda: selection.Awaited(request, begin)):
        assert given == [{VIEW: ["a"]}]


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(selection, "MAX_VIEWS", 2)
    monkeypatch.setattr(selection, "MAX_SEEN", 1)
    for view in ("a", "b", "c"):
        selection.remember(view, [target_of(helper), target_of(Basket.total)])

    assert selection.seen("a") == {}
    assert [target.name for target in selection.seen("c").values()] == ["Basket.total"]
