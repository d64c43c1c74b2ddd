"""
What the page says of stored stats, and that it is valid HTML whatever they hold.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import html5lib
import pytest
from django.template.loader import render_to_string
from django.utils import translation

from perf_panels.vmprof import page
from perf_panels.vmprof.report import report
from tests.vmprof.profiles import profile
from tests.vmprof.test_memory import grown

HOSTILE = "\u202eevil\u202c </div><script>alert(1)</script> \"'&amp; مرحبا 数据库 " + "x" * 3_000
EXPORT = {"export > export.html:14 > money > re": 50, "export > export.html:14": 12, "export > draw": 38}


def stats(samples, **changed):
    modes = [{"mode": mode, "engine": "sampler", "why": "", "unavailable": ""} for mode in ("cpu", "wall", "memory")]
    around = {
        "watched": True,
        "url": "GET /export/",
        "view": "shop.views.export",
        "method": "GET",
        "recorded_at": 1_000_000.0,
        "modes": modes,
        "mode": "cpu",
        "period_ms": 0.99,
        "state": "done",
        "measured": {"clock": "cpu", "cpu_ms": 84.0, "wall_ms": 90.0},
        "refusal": "",
        "notes": [],
        "streaming": False,
        "findings": [],
        "truncated": {},
    }
    return json.loads(json.dumps(around | (report(samples) if samples else {}) | changed))


def shown(stored, previous=None):
    context = page.panel_context(stored, "request", previous)
    shell = {"panel_id": "VMProfPanel", "finding_count": 0, "error": None, "truncated": stored.get("truncated")}
    html = render_to_string("perf_panels/vmprof/panel.html", context | shell)
    html5lib.HTMLParser(strict=True).parseFragment(html)
    assert "style=" not in html
    assert "<script" not in html
    return html


def text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def graph(html):
    return json.loads(re.search(r"<div data-perf-graph hidden>(.*)</div>", html)[1])


@pytest.mark.parametrize(("engine", "said"), [("vmprof", "by vmprof"), ("sampler", "by the safe sampler")])
def test_the_engine_that_took_the_samples_is_said(engine, said):
    stored = stats(profile(EXPORT, engine=engine))

    assert f"a second, {said}" in text(shown(stored))


def test_no_view_ran():
    assert "No view ran" in text(shown({"watched": False, "findings": []}))


def test_the_sentence():
    html = text(shown(stats(profile(EXPORT))))

    assert "62 ± 5 % in templates: money at /srv/shop/templatetags/shop_format.py:" in html


@pytest.mark.parametrize(
    ("samples", "changed", "said"),
    [
        (profile(EXPORT, cpu_ms=84.0, wall_ms=90.0), {}, "84.0 ms CPU, 62 % templates"),
        (profile(EXPORT, cpu_ms=30.0, wall_ms=230.0), {}, "30.0 ms CPU of 230 ms, 62 % templates"),
        (profile(EXPORT, wall_ms=230.0, clock="wall", mode="wall"), {}, "230 ms, 62 % templates"),
        (profile({"home": 3}, cpu_ms=12.0, wall_ms=12.0), {}, "12.0 ms CPU, 3 samples"),
        (profile({}, cpu_ms=2.0, wall_ms=2.0), {}, "2.00 ms CPU, no sample"),
        (None, {"state": "pending"}, "84.0 ms CPU"),
        (None, {"state": "refused"}, "not profiled"),
        (None, {"watched": False}, "no view ran"),
    ],
)
def test_the_side_bar(samples, changed, said):
    assert page.subtitle(stats(samples, **changed)) == said


def test_pending_says_so_and_how_to_look_again():
    html = shown(stats(None, state="pending"))

    assert "Still working." in text(html)
    assert "data-perf-pending" in html


def test_refused_says_why():
    html = text(shown(stats(None, state="refused", refusal="vmprof is in use by GET /other/")))

    assert "This request was not profiled; it was served as usual. vmprof is in use by GET /other/" in html
    assert "More samples" in html


def test_no_sample_explains_itself():
    html = text(shown(stats(profile({}, cpu_ms=2.0, wall_ms=2.0))))

    assert "No sample fell into this request. It took 2.00 ms" in html
    assert "Call tree" not in html


def test_few_samples_are_said_to_be_too_few():
    html = text(shown(stats(profile({"home": 3}))))

    assert "Too few samples: 3." in html
    assert "No hot place" not in html


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_only_what_changes_nothing_is_run_again(method):
    html = shown(stats(profile(EXPORT), method=method))

    assert f"“More samples” is for GET and HEAD only: this was a {method}" in text(html)
    assert "data-perf-start" not in html


@pytest.mark.parametrize(
    ("given", "offered", "chosen"),
    [
        ({}, ["100", "1000", "5000", "10 s", "30 s", "60 s"], "1000"),
        ({"VMPROF_REPLAY_SAMPLES": 3_000}, ["100", "1000", "3000", "5000", "10 s", "30 s", "60 s"], "3000"),
        ({"VMPROF_REPLAY_SECONDS": 20}, ["100", "1000", "5000", "10 s", "20 s"], "1000"),
        ({"VMPROF_REPLAY_SECONDS": 5}, ["100", "1000", "5000", "5 s"], "1000"),
    ],
)
def test_more_samples_ends_at_the_number_of_the_settings_at_another_or_after_seconds(given, offered, chosen, settings):
    settings.PERF_PANELS = settings.PERF_PANELS | given

    html = shown(stats(profile(EXPORT)))

    assert re.findall(r"<option[^>]*>([^<]*)</option>", html) == offered
    assert re.findall(r"<option[^>]* selected>([^<]*)<", html) == [chosen]


def test_a_mode_that_is_not_to_be_had_says_why():
    modes = [{"mode": "memory", "engine": "sampler", "why": "", "unavailable": "On Linux only."}]

    html = shown(stats(profile(EXPORT), modes=modes))

    assert re.search(r'data-perf-mode="memory"[^>]*title="On Linux only."[^>]*disabled', html)


def test_a_finding_has_its_place_its_source_and_how_sure_it_is():
    html = text(shown(stats(profile({"home > money": 80, "home": 15}))))

    assert "warning 80.0 ms (84 ± 4 %) in money" in html
    assert "± 4 points, from 80 of 95 samples" in html
    assert "hot-function" in html


def test_without_findings_the_page_says_what_that_means():
    assert "No hot place." in text(shown(stats(profile({f"home > step{n}": 3 for n in range(30)}))))


def test_the_graph_is_data_that_no_parser_mistakes_for_markup():
    html = shown(stats(profile(EXPORT)))

    data = graph(html)
    assert data["samples"] == 100
    assert [data["frames"][row[1]][0] for row in data["nodes"] if row[1] >= 0] == [
        "export",
        "export.html:14",
        "money",
        "re",
        "draw",
    ]
    assert data["before"] is None


def test_the_phases_can_be_looked_at_apart():
    html = shown(stats(profile({"home": 20}, render={"home.html:3": 30})))

    assert re.findall(r'data-perf-phase="(-\d)"', html) == ["-3", "-1", "-2"]
    assert "data-perf-phase" not in shown(stats(profile({"home": 20})))


def test_the_profile_before_is_compared():
    before = stats(profile({"home > draw": 40, "home > slow": 200}, cpu_ms=240.0, wall_ms=240.0))

    html = shown(stats(profile({"home > draw": 40}, cpu_ms=40.0, wall_ms=40.0)), before)

    assert "240 ms CPU → 40.0 ms CPU" in text(html)
    assert "shrank: slow 200 ms → 0.00 ms" in text(html)
    assert "data-perf-compare" in html
    assert graph(html)["before"] == {"samples": 240, "both": [[240, 40], [240, 40], [240, 40], [40, 40]]}


@pytest.mark.parametrize(("samples", "said"), [(40, True), (4, False)])
def test_the_work_of_other_panels_is_said_where_it_counts(samples, said):
    html = text(shown(stats(profile({"home > draw": 60, "home > panel": samples}))))

    assert (f"{samples}.0 ms is the work of the toolbar" in html) == said


def test_only_vmprof_gives_its_own_file():
    assert "vmprof .prof" not in shown(stats(profile(EXPORT)))
    assert "vmprof .prof" in shown(stats(profile(EXPORT, engine="vmprof")))


def test_without_a_copy_of_speedscope_the_button_explains_itself(monkeypatch):
    monkeypatch.setattr("perf_panels.vmprof.speedscope._VIEWER", "perf_panels/no/such/file.html")

    html = shown(stats(profile(EXPORT)))

    assert "This installation has no copy of Speedscope" in text(html)
    assert "data-perf-speedscope" not in html


def test_the_memory_curve_and_its_steps():
    html = shown(stats(grown(("home", 100), *[("home > load > queryset", 108)] * 12), mode="memory"))

    assert "+8.0 MB from the first to the last sample" in text(html)
    assert "load" in text(html.partition("What ran then")[2])


def test_what_was_left_out_is_said():
    html = text(shown(stats(profile(EXPORT), truncated={"nodes": 1_200})))

    assert "leaves out the smallest 1200 frames" in html


def test_numbers_that_browsers_read_are_written_for_them():
    with translation.override("de"):
        html = shown(stats(profile({"home > draw": 10, "home > parse": 20})))

    assert 'x="33.33%"' in html
    assert 'value="0.99"' in html


def test_nothing_in_the_data_can_break_the_page():
    samples = profile({f"home > {HOSTILE.replace('>', '')} > money": 80, f"home > {'y' * 5_000}": 30}, notes=[HOSTILE])

    stored = stats(samples, view=HOSTILE, url=HOSTILE, mode=HOSTILE)
    for frame in stored["frames"]:
        frame["file"] = HOSTILE
    stored["frames"][0] |= {"template": HOSTILE, "template_line": 3}
    stored["findings"][0]["title"] = HOSTILE

    html = shown(stored)

    assert HOSTILE[:10] in graph(html)["frames"][0][1]


def test_a_stack_of_a_thousand_frames_is_shown():
    assert len(graph(shown(stats(profile({" > ".join(f"f{n}" for n in range(1_000)): 12}))))["nodes"]) == 1_002


def test_the_icon_is_one_the_toolbar_takes():
    icon = Path(page.__file__).parents[1] / "static" / "perf_panels" / "img" / "vmprof.svg"

    assert icon.read_text().startswith("<svg ")
