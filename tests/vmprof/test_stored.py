"""
What is kept of a profile: capped, and whole enough for the page and the downloads.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

import perf_panels
from perf_panels.vmprof import stored, trimming
from perf_panels.vmprof.report import report
from perf_panels.vmprof.speedscope import collapsed, speedscope
from tests.vmprof.profiles import frame, profile
from tests.vmprof.test_tree import many

ROOT = Path(__file__).parents[2]
SCHEMAS = [
    ROOT / "bundled" / "node_modules" / "speedscope" / "dist" / "release" / "file-format-schema.json",
    Path(perf_panels.__file__).parent / "static" / "perf_panels" / "speedscope" / "file-format-schema.json",
]
STACKS = {"decorator > home > draw > re": 3, "home": 2}


def test_the_full_stacks_come_back():
    samples = profile(STACKS, render={"home.html:14 > node > money": 4}, runs=2, mode="wall", clock="wall")

    again = stored.samples_of(json.loads(json.dumps(report(samples))))

    assert collapsed(again) == collapsed(samples)
    assert (again.runs, again.mode, again.count, again.total_ms) == (2, "wall", 9, 9.0)
    assert frame("home.html:14") in again.frames


def test_without_the_stacks_the_tree_gives_them():
    stats = report(profile(STACKS, render={"home.html:14 > money": 4}, runs=2)) | {"raw": None}

    lines = collapsed(stored.samples_of(stats)).splitlines()

    assert [line.rpartition(" ")[2] for line in lines] == ["4", "2", "3"]
    assert lines[0].startswith("render;home.html:14;money (shop_format.py:")
    assert stored.samples_of(stats).total_ms == pytest.approx(9)


def test_what_was_cut_below_a_node_is_its_own():
    samples = many(20_000)
    stats = report(samples)
    assert stats["truncated"]["nodes"] > 0

    again = stored.samples_of(stats | {"raw": None})

    assert (again.count, again.total_ms) == (samples.count, pytest.approx(samples.total_ms, rel=0.001))


def test_a_large_tree_keeps_its_largest_nodes():
    stats = report(many(20_000))

    assert len(stats["nodes"]) == stored.MOST_NODES
    assert stats["truncated"]["nodes"] > 0
    assert all(row[0] < place for place, row in enumerate(stats["nodes"]))


def test_packed_stacks_have_a_limit():
    names = [base64.b32encode(os.urandom(40)).decode() for _ in range(6_000)]
    samples = profile({f"home > {name}": 1 for name in names})

    assert report(samples)["raw"] is None


@pytest.mark.parametrize("limit", [400_000, 40_000, 15_000])
def test_what_is_stored_fits_and_says_what_was_cut(limit):
    stats = report(many(20_000))
    before = len(stats["nodes"])

    trimming.shorten(stats, limit)

    assert len(json.dumps(stats)) <= limit
    assert all(node[1] < len(stats["frames"]) for node in stats["nodes"])
    assert all(row[0] < place for place, row in enumerate(stats["nodes"]))
    assert all(each["frame"] < len(stats["frames"]) for each in stats["functions"])
    assert (len(stats["nodes"]) < before) == (limit < 400_000)


def test_what_fits_is_not_touched():
    stats = report(profile(STACKS))
    before = json.dumps(stats)

    trimming.shorten(stats, 250_000)

    assert json.dumps(stats) == before


def test_speedscopes_file_has_a_profile_for_each_phase():
    made = speedscope(profile(STACKS, render={"home.html:14": 1}, weight_ms=2.0), "GET /")

    assert [each["name"] for each in made["profiles"]] == ["GET / (view)", "GET / (render)"]
    view = made["profiles"][0]
    assert view["weights"] == [6.0, 4.0]
    assert view["endValue"] == 10.0
    names = [[made["shared"]["frames"][index]["name"] for index in stack] for stack in view["samples"]]
    assert names == [["_wrapper_view", "home", "draw", "re"], ["home"]]


@pytest.mark.parametrize("samples", [profile(STACKS), profile({}), profile({"a;b\n 'ü' 数据 > home.html:3": 1})])
def test_speedscopes_file_follows_its_schema(samples):
    jsonschema = pytest.importorskip("jsonschema")
    schema = next((path for path in SCHEMAS if path.is_file()), None)
    if schema is None and not os.environ.get("CI"):
        pytest.skip("npm ci --prefix bundled brings the schema")
    assert schema is not None, "npm ci --prefix bundled brings the schema"

    made = json.loads(json.dumps(speedscope(samples, "GET /")))

    jsonschema.validate(made, json.loads(schema.read_text()))


def test_collapsed_stacks_are_one_line_each_whatever_the_names():
    (line,) = collapsed(profile({"a;b\nc > draw": 5})).splitlines()

    assert line.count(";") == 2
    assert line.endswith(" 5")
