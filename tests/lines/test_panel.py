"""
The panel beside others that hold a tool, one level deeper, and what awaits.
"""

from __future__ import annotations

import cProfile
import pickle
import sys
import time
import tracemalloc

import pytest
from debug_toolbar.toolbar import DebugToolbar

from perf_panels import line_events, selection
from perf_panels.lines import lprof, recorder
from perf_panels.lines.panel import LineProfilerPanel
from perf_panels.lines.recorder import _caller as caller_of
from tests.lines import shapes

pytestmark = pytest.mark.django_db


@pytest.fixture
def beside_profiling(only_lines, monkeypatch):
    from debug_toolbar.panels.profiling import ProfilingPanel

    monkeypatch.setattr(DebugToolbar, "_panel_classes", [ProfilingPanel, LineProfilerPanel])


def test_the_profiling_panel_is_named_as_what_to_untick(beside_profiling, ticked, stored):
    ticked.cookies["djdtProfilingPanel"] = "on"

    response = ticked.get("/function/")

    stats = stored()[-1]
    assert response.status_code == 200
    assert stats["watched"] is False
    assert stats["refused"]["untick"] == "Profiling"
    assert "cProfile" in stats["refused"]["text"]
    assert stats["error"] is None


def test_another_panel_that_watches_lines_is_named(ticked, stored):
    with line_events.Watch([], None, holder="the memory panel"):
        ticked.get("/function/")

    (stats,) = stored()
    assert stats["watched"] is False
    assert stats["refused"]["holder"] == "the memory panel"
    assert stats["refused"]["untick"] == "Memory"


def test_tracemalloc_is_waited_out(ticked, stored):
    tracemalloc.start()
    try:
        ticked.get("/function/")
    finally:
        tracemalloc.stop()

    assert stored()[-1]["refused"]["tool"] == "tracemalloc"


def test_a_debugger_is_left_alone(ticked, stored):
    def tracer(frame, event, arg):
        return None

    sys.settrace(tracer)
    try:
        ticked.get("/function/")
        left = sys.gettrace()
    finally:
        sys.settrace(None)

    assert left is tracer
    assert stored()[-1]["refused"]["tool"] == "sys.settrace"


def test_nothing_is_left_set_after_a_request(ticked, stored):
    ticked.get("/in-template/")
    ticked.get("/in-template/")

    assert stored()[-1]["watched"] is True
    assert sys.gettrace() is None
    assert sys.getprofile() is None
    cProfile.Profile().runcall(shapes.number, 3)


def test_without_its_box_ticked_it_does_nothing(only_lines, client, stored):
    client.get("/function/")

    assert stored() == [{}]


def test_a_function_called_by_a_line_can_be_chosen_with_its_recursion(ticked, stored, monkeypatch):
    ticked.get("/fibonacci/")
    (line,) = stored()[-1]["functions"][0]["lines"]
    (called,) = [each for each in line["called"] if each["name"] == "number"]
    monkeypatch.setattr(selection, "read", lambda _request: {"tests.lines.shapes.fibonacci": [called["id"]]})

    ticked.get("/fibonacci/")

    by_name = {each["name"]: each for each in stored()[-1]["functions"]}
    assert sorted(by_name) == ["fibonacci", "number"]
    assert [line["hits"] for line in by_name["number"]["lines"]] == [25, 13, 12]
    assert by_name["number"]["chosen"] == "deeper"
    assert by_name["number"]["calls"] == 25
    # Counted once, however deep.
    assert by_name["number"]["elapsed_ms"] <= by_name["fibonacci"]["elapsed_ms"]


def test_a_function_this_process_has_not_seen_is_said_to_be_missing(ticked, stored, monkeypatch):
    monkeypatch.setattr(selection, "read", lambda _request: {"tests.lines.shapes.function": ["os:system:1"]})

    ticked.get("/function/")

    (stats,) = stored()
    assert [each["name"] for each in stats["functions"]] == ["function"]
    assert "os:system" in " ".join(stats["notes"])


def test_template_functions_know_the_line_of_the_template(ticked, stored):
    ticked.get("/in-template/")

    by_name = {each["name"]: each for each in stored()[-1]["functions"]}
    assert {name: each["kind"] for name, each in by_name.items() if name != "in_template"} == {
        "Row.shout": "property",
        "hello": "template tag",
        "twice": "filter",
    }
    assert by_name["twice"]["phase"] == "render"


async def test_awaiting_is_told_apart_from_running(async_ticked, stored):
    await async_ticked.get("/napping/")

    (function,) = stored()[-1]["functions"]
    (nap,) = [line for line in function["lines"] if line["awaited_ms"]]
    assert nap["awaited_ms"] >= 30
    assert nap["elapsed_ms"] < nap["awaited_ms"]


def test_statements_are_counted_to_their_line(ticked, stored):
    ticked.get("/two-queries/")
    ticked.get("/two-queries/")

    for stats in stored():
        (function,) = stats["functions"]
        assert [line["sql_count"] for line in function["lines"]] == [0, 2, 2, 0]


async def test_statements_of_a_coroutine_are_counted_to_its_line(async_ticked, stored):
    await async_ticked.get("/awaited-query/")

    (function,) = stored()[-1]["functions"]
    assert [line["sql_count"] for line in function["lines"]] == [0, 1, 0]


def test_the_file_is_the_one_that_line_profiler_reads(ticked, stored, tmp_path):
    from line_profiler import load_stats

    ticked.get("/function/")
    stats = stored()[-1]
    file = tmp_path / "page.lprof"
    file.write_bytes(lprof.dumps(stats["functions"]))

    loaded = load_stats(str(file))

    (function,) = stats["functions"]
    ((key, lines),) = loaded.timings.items()
    assert key == (shapes.__file__, function["first_line"], "function")
    assert [(line, hits) for line, hits, _ in lines] == [(each["line"], each["hits"]) for each in function["lines"]]
    assert loaded.unit == 1e-9
    assert pickle.loads(file.read_bytes()).timings == loaded.timings


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="line_profiler is not the engine")
def test_a_function_made_anew_by_each_call_is_left_to_our_events(ticked, stored, monkeypatch):
    ticked.get("/squares/")
    generate = next(each for each in selection.seen("tests.lines.shapes.squares") if "generate" in each)
    monkeypatch.setattr(selection, "read", lambda _request: {"tests.lines.shapes.squares": [generate]})

    ticked.get("/squares/")

    stats = stored()[-1]
    assert stats["engine"] == "sys.settrace"
    assert {each["name"].rpartition(".")[2]: each["calls"] for each in stats["functions"]} == {
        "squares": 1,
        "generate": 1,
    }


def test_the_time_of_a_function_that_calls_itself_is_counted_once(ticked, stored):
    ticked.get("/recursive/")

    ticked.get("/recursive/")

    stats = stored()[-1]
    (function,) = stats["functions"]
    assert function["calls"] > 1
    assert function["elapsed_ms"] <= stats["total_ms"]
    assert stats["engine"] != "line_profiler"


def test_what_it_takes_to_notice_a_call_is_in_no_time(ticked, stored, monkeypatch):
    ticked.get("/fibonacci/")
    number = next(each for each in selection.seen("tests.lines.shapes.fibonacci") if ":number" in each)
    monkeypatch.setattr(selection, "read", lambda _request: {"tests.lines.shapes.fibonacci": [number]})
    monkeypatch.setattr(recorder, "_caller", lambda frame: time.sleep(0.004) or caller_of(frame))

    ticked.get("/fibonacci/")

    stats = stored()[-1]
    calls = {function["name"]: function["calls"] for function in stats["functions"]}
    assert calls == {"fibonacci": 1, "number": 25}
    times = [function["elapsed_ms"] for function in stats["functions"]]
    assert max(*times, stats["view_ms"]) < 4 * 25 / 2
