"""
What one request of a view calls is not all that its others may: what is new is noticed, and learnt.
"""

from __future__ import annotations

import sys

import pytest

from perf_panels.lines import by_line_profiler

OURS, ITS = ("sys.monitoring", "sys.monitoring") if sys.version_info >= (3, 12) else ("sys.settrace", "line_profiler")
FOREIGN = pytest.mark.skipif(sys.version_info >= (3, 12), reason="line_profiler is not the engine")

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def branches(only_lines, settings):
    settings.ROOT_URLCONF = "tests.lines.branches"


@pytest.fixture
def engines(stored):
    return lambda: [stats["engine"] for stats in stored()]


def helped(stats):
    return any("helper" in names for names in called(stats))


def called(stats, name="branching"):
    """
    Return the names of what each line of a function called.
    """
    (function,) = [each for each in stats["functions"] if each["name"] == name]
    return [[each["name"] for each in line["called"]] for line in function["lines"]]


def test_what_a_template_calls_for_another_query_is_timed(ticked, stored, engines):
    for query in ("n=0", "n=0", "n=2", "n=2"):
        ticked.get(f"/rows/?{query}")

    timed = [{each["name"].rpartition(".")[2] for each in stats["functions"]} for stats in stored()]
    assert ["shout" in names for names in timed] == [False, False, True, True]
    assert engines() == [OURS, ITS, OURS, ITS]


def test_a_branch_of_another_method_says_what_it_calls(ticked, stored):
    ticked.get("/branching/")
    ticked.post("/branching/")
    ticked.post("/branching/")

    assert [helped(stats) for stats in stored()] == [False, True, True]


@FOREIGN
def test_a_line_that_had_not_run_is_looked_at_with_the_next_request(ticked, stored, engines):
    ticked.get("/branching/")
    for _ in range(3):
        ticked.get("/branching/", headers={"other": "1"})

    assert engines() == [OURS, ITS, OURS, ITS]
    assert [helped(stats) for stats in stored()] == [False, False, True, True]


@FOREIGN
def test_what_a_line_calls_is_said_to_be_unknown_until_then(ticked, stored):
    ticked.get("/branching/")
    for _ in range(2):
        ticked.get("/branching/", headers={"other": "1"})

    unknown = [[line["calls_unknown"] for line in stats["functions"][0]["lines"]] for stats in stored()]
    assert unknown == [[False, False], [False, True], [False, False]]
    assert ["what they call" in " ".join(stats["notes"]) for stats in stored()] == [False, True, False]


@FOREIGN
def test_what_is_known_is_looked_at_again_after_a_while(ticked, engines, monkeypatch):
    ticked.get("/branching/")
    ticked.get("/branching/")
    monkeypatch.setattr(by_line_profiler, "FRESH_S", 0)
    ticked.get("/branching/")

    assert engines() == [OURS, ITS, OURS]


@FOREIGN
def test_the_urls_that_are_known_are_capped(ticked, engines, monkeypatch):
    monkeypatch.setattr(by_line_profiler, "MAX_SHOWN", 2)
    for query in ("n=0", "n=1", "n=2", "n=2"):
        ticked.get(f"/rows/?{query}")

    (known,) = by_line_profiler._known.values()
    assert list(known.shown) == ["GET /rows/?n=2"]
    assert engines()[-1] == ITS


@FOREIGN
def test_each_line_that_calls_a_function_lists_it(ticked, stored):
    ticked.get("/twice/")
    ticked.get("/twice/")

    for stats in stored():
        first, second, _ = called(stats, "twice")
        assert "QuerySet.__iter__" in first
        assert "QuerySet.__iter__" in second
