"""
What clicks in the EXPLAIN panel do, on a page of the tests' project and through the toolbar's own URLs.
"""

from __future__ import annotations

import re
from datetime import date

import pytest
from debug_toolbar.store import get_store
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from perf_panels.actions import stored_panel, token
from perf_panels.explain import automatic, planner
from tests.site.models import Author, Book, Publisher

pytestmark = pytest.mark.django_db

PANEL = "ExplainPanel"
BLURB = "looked for <b>"


def page(request):
    list(Book.objects.filter(blurb=BLURB))
    for number in range(3):
        Author.objects.filter(pk=number).first()
    Book.objects.filter(pk=-1).update(title="never")
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [memoryview(b"kept")])
        cursor.execute("SELECT %s -- as a date", [date(2026, 5, 1)])
    return HttpResponse("<html><body>Books</body></html>")


urlpatterns = [path("", page), path("__debug__/", include("debug_toolbar.urls"))]


@pytest.fixture
def request_id(settings):
    """
    The id of a request to the page above, whose table is big by the limits of this test.
    """
    settings.ROOT_URLCONF = __name__
    settings.DEBUG = True
    settings.PERF_PANELS = {**settings.PERF_PANELS, "EXPLAIN_LIMITS": {"BIG_ROWS": 50}}
    author = Author.objects.create(name="A", publisher=Publisher.objects.create(name="P"))
    Book.objects.bulk_create(Book(title=f"T{number}", blurb=f"B{number}", author=author) for number in range(200))
    get_store().clear()
    return Client().get("/").headers["djdt-request-id"]


def stats_of(request_id):
    return get_store().panel(request_id, PANEL)


def group(request_id, text):
    return next(each for each in stats_of(request_id)["groups"] if text in each["sql"])


def post(name, request_id, action, subject="", **fields):
    given = {"token": token(PANEL, request_id, action, subject), **fields}
    return Client().post(f"/__debug__/perf_panels/explain/{name}/", given)


def text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_statements_are_grouped_by_what_they_are(request_id):
    stats = stats_of(request_id)

    assert (stats["queries"], len(stats["groups"])) == (7, 4)
    authors = group(request_id, "library_author")
    assert (authors["count"], authors["kind"], authors["alias"]) == (3, "SELECT", "default")
    assert authors["origin"]["function"] == "page"
    assert authors["origin"]["file"] == __file__
    assert stats["plans"] == {}
    assert stats["planning"]["state"] == "off"


def test_opening_a_statement_shows_its_values_and_asks_no_database(request_id, django_assert_num_queries):
    with django_assert_num_queries(0):
        answer = post("row", request_id, "row", group(request_id, "blurb")["id"]).json()

    assert "looked for &lt;b&gt;" in answer["content"]
    assert "No plan was made of this statement yet." in text(answer["content"])
    assert "not explained" in answer["row"]


def test_explain_stores_the_plan_and_its_findings(request_id):
    wanted = group(request_id, "blurb")["id"]

    answer = post("plan", request_id, "explain", wanted).json()

    stats = stats_of(request_id)
    assert stats["plans"][wanted]["state"] == "estimated"
    (finding,) = [each for each in stats["findings"] if each["relation"] == "library.Book.blurb"]
    assert finding["rule"] == "full-scan-filter"
    assert "library.Book" in text(answer["content"])
    assert "estimated" in answer["row"]
    assert answer["subtitle"]


def test_explain_again_compares_with_the_plan_before(request_id):
    wanted = group(request_id, "blurb")["id"]
    post("plan", request_id, "explain", wanted)

    answer = post("plan", request_id, "explain", wanted).json()

    assert "Compared with the plan before: the same steps" in text(answer["content"])


def test_measure_counts_rows_and_writes_nothing(request_id):
    wanted = group(request_id, "blurb")["id"]
    books = Book.objects.count()

    answer = post("analyze", request_id, "analyze", wanted, timeout_ms="2000")

    assert answer.status_code == 200, answer.content
    assert stats_of(request_id)["plans"][wanted]["execution_ms"] is not None
    assert Book.objects.count() == books


def test_a_write_is_explained_and_never_measured_on_sqlite(request_id):
    wanted = group(request_id, "UPDATE")["id"]

    measured = post("analyze", request_id, "analyze-confirmed", wanted).json()
    explained = post("plan", request_id, "explain", wanted)

    assert explained.status_code == 200
    assert Book.objects.count() == 200
    assert "There is no plan." in text(measured["content"])


def test_a_plan_and_its_findings_stay_when_it_cannot_be_measured(request_id):
    wanted = group(request_id, "UPDATE")["id"]
    post("plan", request_id, "explain", wanted)
    before = stats_of(request_id)

    answer = post("analyze", request_id, "analyze-confirmed", wanted).json()

    after = stats_of(request_id)
    problem = after["plans"][wanted].pop("problem")
    assert before["plans"][wanted].pop("problem") is None
    assert (after["plans"], after["findings"]) == (before["plans"], before["findings"])
    assert problem.endswith(". The plan made before is kept.")
    assert problem in text(answer["content"])
    assert "There is no plan." not in text(answer["content"])


def test_an_index_is_tried_and_kept_or_taken_back(request_id):
    wanted = group(request_id, "blurb")["id"]
    post("plan", request_id, "explain", wanted)
    card = next(each for each in stats_of(request_id)["plans"][wanted]["cards"] if each["trial"])

    answer = post("try", request_id, "try", card["trial"]["id"]).json()

    trial = stats_of(request_id)["trials"][card["trial"]["id"]]
    assert (trial["error"], trial["used"], trial["helps"]) == (None, True, True)
    assert "Used: the planner takes this index." in text(answer["content"])
    with connection.cursor() as cursor:
        assert not any("blurb" in name for name in connection.introspection.get_constraints(cursor, "library_book"))


def test_an_index_that_nobody_suggested_is_not_tried(request_id):
    answer = post("try", request_id, "try", "0123456789abcdef")

    assert answer.status_code == 409
    assert "no longer suggested" in answer.json()["error"]


def test_a_plan_is_shown_to_others_without_its_values(request_id):
    wanted = group(request_id, "blurb")["id"]

    before = post("export", request_id, "redacted", wanted)
    post("plan", request_id, "explain", wanted)
    after = post("export", request_id, "redacted", wanted)

    assert (before.status_code, before.json()["error"]) == (409, "There is no plan of this statement yet.")
    assert "library_book" in after.json()["text"]
    assert BLURB not in after.json()["text"]


def test_a_statement_of_another_request_is_refused(request_id):
    answer = post("plan", request_id, "explain", "0123456789ab")

    assert answer.status_code == 409
    assert "no longer stored" in answer.json()["error"]


def test_sql_from_the_browser_is_ignored(request_id):
    wanted = group(request_id, "blurb")["id"]

    post("plan", request_id, "explain", wanted, sql="DELETE FROM library_book", params="[]", alias="other")

    assert "library_book" in stats_of(request_id)["plans"][wanted]["text"]
    assert Book.objects.count() == 200


@pytest.mark.parametrize("given", ["", "0", "-5", "a", "99999999999", "1.5"])
def test_a_senseless_time_limit_is_left_out(request_id, given):
    assert post("plan", request_id, "explain", group(request_id, "blurb")["id"], timeout_ms=given).status_code == 200


def test_the_panels_own_statements_are_nowhere(request_id):
    before = list(get_store().request_ids())

    post("plan", request_id, "explain", group(request_id, "blurb")["id"])

    assert list(get_store().request_ids()) == before
    assert stats_of(request_id)["queries"] == 7


def test_plans_that_are_still_to_come_are_made_by_a_click(request_id, settings):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "EXPLAIN_STATEMENTS": 20, "EXPLAIN_BUDGET_MS": 60_000}
    stats = stats_of(request_id)
    get_store().save_panel(request_id, PANEL, stats | {"planning": stats["planning"] | {"state": "pending"}})

    waiting = post("list", request_id, "list").json()
    made = post("list", request_id, "list", make="now").json()

    assert (waiting["state"], made["state"]) == ("pending", "done")
    assert "problem" in made["subtitle"]
    planning = stats_of(request_id)["planning"]
    assert planning["made"] + planning["left"] == 4
    assert planning["made"] == 4


def test_plans_that_fail_after_the_response_are_not_waited_for(request_id, monkeypatch):
    monkeypatch.setattr(automatic, "make_plans", lambda stats: stats["no such thing"])

    stored_panel(PANEL, request_id)._make_plans()

    stats = stats_of(request_id)
    assert stats["planning"]["state"] == "failed"
    assert stats["error"] == "after the response: KeyError: 'no such thing'"


def while_it_runs(monkeypatch, run):
    """
    Call ``run`` before the next plan is made, as a click in another tab does.
    """
    make, waiting = planner.make, [run]

    def slow(*args, **kwargs):
        if waiting:
            waiting.pop()()
        return make(*args, **kwargs)

    monkeypatch.setattr(planner, "make", slow)


def test_two_clicks_at_once_keep_both_plans(request_id, monkeypatch):
    first, second = group(request_id, "blurb")["id"], group(request_id, "library_author")["id"]
    while_it_runs(monkeypatch, lambda: post("plan", request_id, "explain", second))

    answer = post("plan", request_id, "explain", first)

    assert answer.status_code == 200
    assert set(stats_of(request_id)["plans"]) == {first, second}


def test_a_trial_keeps_the_plan_that_was_made_meanwhile(request_id, monkeypatch):
    first, second = group(request_id, "blurb")["id"], group(request_id, "library_author")["id"]
    post("plan", request_id, "explain", first)
    card = next(each for each in stats_of(request_id)["plans"][first]["cards"] if each["trial"])
    try_index = planner.try_index

    def slow(*args):
        post("plan", request_id, "explain", second)
        return try_index(*args)

    monkeypatch.setattr(planner, "try_index", slow)
    post("try", request_id, "try", card["trial"]["id"])

    stats = stats_of(request_id)
    assert (set(stats["plans"]), set(stats["trials"])) == ({first, second}, {card["trial"]["id"]})


def test_a_click_while_plans_are_made_keeps_its_plan_and_theirs(request_id, settings, monkeypatch):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "EXPLAIN_STATEMENTS": 20, "EXPLAIN_BUDGET_MS": 60_000}
    stats = stats_of(request_id)
    get_store().save_panel(request_id, PANEL, stats | {"planning": stats["planning"] | {"state": "pending"}})
    measured = group(request_id, "blurb")["id"]
    while_it_runs(monkeypatch, lambda: post("analyze", request_id, "analyze", measured))

    made = post("list", request_id, "list", make="now").json()

    stats = stats_of(request_id)
    assert made["state"] == stats["planning"]["state"] == "done"
    assert len(stats["plans"]) == 4
    assert stats["plans"][measured]["execution_ms"] is not None


def test_a_request_that_is_gone_when_its_plan_is_made_is_said(request_id, monkeypatch):
    while_it_runs(monkeypatch, get_store().clear)

    answer = post("plan", request_id, "explain", group(request_id, "blurb")["id"])

    assert (answer.status_code, answer.json()["error"]) == (
        409,
        "This request is no longer stored. Load the page again.",
    )


def test_a_budget_of_no_time_makes_no_plan(request_id, settings, monkeypatch):
    settings.PERF_PANELS = {**settings.PERF_PANELS, "EXPLAIN_STATEMENTS": 20, "EXPLAIN_BUDGET_MS": 1}
    clock = iter(range(1_000))
    monkeypatch.setattr(automatic, "perf_counter", lambda: next(clock))

    stored = stats_of(request_id)
    stats = automatic.make_plans(stored)(stored)

    assert (stats["planning"]["made"], stats["planning"]["left"], stats["plans"]) == (0, 4, {})
