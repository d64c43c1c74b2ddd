"""
What clicks of the line profiler do: through the toolbar, with signed tokens, on functions that ran and on no others.
"""

from __future__ import annotations

import pickle
import re

import pytest
from django.urls import reverse

from perf_panels import actions
from perf_panels.lines import PANEL_ID

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _small_shop(settings):
    settings.ROOT_URLCONF = "config.urls"
    from shop.models import Attribute, AttributeValue

    # Those of the whole shop, where another test has filled it: until this test is rolled back.
    Attribute.objects.all().delete()
    colour = Attribute.objects.create(name="Colour")
    AttributeValue.objects.bulk_create(AttributeValue(attribute=colour, name=name) for name in ("Sand", "Moss"))


@pytest.fixture
def load(client):
    """
    ``load("/path/")`` requests a page with the panel ticked; returns (request id, what is stored of it).
    """
    client.cookies[f"djdt{PANEL_ID}"] = "on"

    def get(path="/slow/facets/"):
        response = client.get(path)
        request_id = response.headers["djdt-request-id"]
        return request_id, actions.stored_stats(PANEL_ID, request_id)

    return get


@pytest.fixture
def click(client):
    """
    ``click("deeper", request_id, subject)`` POSTs the action with its token; returns the response.
    """

    def post(action, request_id, subject="", **fields):
        token = actions.token(PANEL_ID, request_id, action, subject)
        return client.post(reverse(f"djdt:perf_panels_lines_{action}"), fields | {"token": token})

    return post


def function_id(stats, name):
    known = [*stats["seen"], *(each for f in stats["functions"] for line in f["lines"] for each in line["called"])]
    return next(each["id"] for each in known if each["name"] == name)


def names(stats):
    return [each["name"] for each in stats["functions"]]


def test_one_level_deeper_is_timed_from_the_next_run_on(load, click):
    request_id, before = load()
    assert "companion" not in names(before)

    answer = click("deeper", request_id, function_id(before, "companion"))
    _, after = load()

    assert answer.json()["said"] == "companion is timed from the next run on."
    assert "companion" in names(after)
    assert [each["name"] for each in after["selection"]] == ["companion"]


def test_the_selection_belongs_to_its_view(load, click):
    request_id, stats = load()
    click("deeper", request_id, function_id(stats, "companion"))

    _, other = load("/fixed/facets/")

    assert other["selection"] == []


def test_a_function_is_added_by_its_name(load, click):
    request_id, _ = load()

    click("add", request_id, name="shop.views.facets:companion")

    assert "companion" in names(load()[1])


@pytest.mark.parametrize("name", ["os:system", "shop.models:Order.delete", "", "x" * 5_000])
def test_what_did_not_run_under_the_view_cannot_be_added(load, click, name):
    request_id, _ = load()

    answer = click("add", request_id, name=name)

    assert answer.status_code == 409
    assert "has run under this view in this process" in answer.json()["error"]


def test_an_id_this_process_has_not_seen_is_refused(load, click):
    request_id, _ = load()

    answer = click("deeper", request_id, "os:system:1")

    assert answer.status_code == 409
    assert load()[1]["selection"] == []


def test_one_is_taken_out_of_the_selection_or_all_are(load, click):
    request_id, stats = load()
    companion, banner = function_id(stats, "companion"), function_id(stats, "banner")
    for each in (companion, banner):
        click("deeper", request_id, each)

    click("remove", request_id, companion)
    assert [each["name"] for each in load()[1]["selection"]] == ["banner"]

    click("remove", request_id)
    assert load()[1]["selection"] == []


def test_the_panel_of_the_newest_run_is_answered(load, click):
    request_id, stats = load()
    assert click("refresh", request_id).status_code == 409
    click("deeper", request_id, function_id(stats, "companion"))
    load("/fixed/facets/")
    load()

    answer = click("refresh", request_id).json()

    assert 'class="perf-crumbs"' in answer["content"]
    assert "Since the previous request" in answer["content"]
    assert answer["subtitle"].startswith("SlowFacetsView")


@pytest.mark.parametrize(
    ("action", "content_type", "part"),
    [("text", "text/plain; charset=utf-8", b"Line Contents"), ("lprof", "application/octet-stream", b"LineStats")],
)
def test_downloads_have_a_name(load, click, action, content_type, part):
    pytest.importorskip("line_profiler")
    request_id, _ = load()

    answer = click(action, request_id)

    assert answer.headers["Content-Type"] == content_type
    assert re.search(r'filename="SlowFacetsView-lines\.\w+"', answer.headers["Content-Disposition"])
    assert part in answer.content


def test_the_file_has_every_line_that_ran(load, click):
    pytest.importorskip("line_profiler")
    request_id, stats = load()

    timings = pickle.loads(click("lprof", request_id).content).timings

    for function in stats["functions"]:
        lines = timings[function["file"], function["first_line"], function["name"]]
        assert [line for line, _, _ in lines] == [line["line"] for line in function["lines"]]


def test_markdown_is_answered_as_text(load, click):
    request_id, _ = load()

    assert click("markdown", request_id).json()["text"].startswith("### GET /slow/facets/: ")


def test_a_token_of_another_action_or_a_made_up_one_is_refused(load, client):
    request_id, stats = load()
    token = actions.token(PANEL_ID, request_id, "remove", function_id(stats, "companion"))

    for given in (token, "made up", ""):
        answer = client.post(reverse("djdt:perf_panels_lines_deeper"), {"token": given})
        assert answer.status_code == 403
    assert client.get(reverse("djdt:perf_panels_lines_deeper")).status_code == 405
