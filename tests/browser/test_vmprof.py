"""
The VMProf panel in Chromium, on the shop, under a strict CSP and in both themes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from debug_toolbar.store import get_store
from django.core.management import call_command

from perf_panels.vmprof import PANEL_ID, speedscope
from perf_panels.vmprof.page import _graph
from perf_panels.vmprof.report import report
from tests.vmprof.profiles import profile

FLAMEGRAPH = "perf_panels/js/flamegraph.js"

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("strict_csp", "shop_site")]


@pytest.fixture
def shop_site(settings):
    settings.ROOT_URLCONF = "config.urls"
    settings.PERF_PANELS = {"EXPLAIN_STATEMENTS": 0}
    # What the other panels do in a request would be sampled with it.
    settings.DEBUG_TOOLBAR_PANELS = ["debug_toolbar.panels.history.HistoryPanel", "perf_panels.panels.VMProfPanel"]
    call_command("populatedb", scale=0.2, verbosity=0)


@pytest.fixture
def opened(open_page, open_panel):
    """
    ``opened("/path/")`` opens the panel and waits until the graph is drawn; returns the panel.
    """

    def go(path):
        open_page(path)
        panel = open_panel("VMProfPanel")
        panel.locator(".perf-frame").first.wait_for()
        return panel

    return go


def test_the_sentence_and_the_graph_name_the_filters(opened, theme, screenshot):
    panel = opened("/slow/export/")

    assert "templates" in panel.locator(".perf-headline").inner_text()
    assert "slow_" in panel.locator(".perf-headline").inner_text()
    assert panel.locator(".perf-frame", has_text="slow_slug").count() > 0
    assert "templates" in panel.page.locator("#djdt-VMProfPanel small").inner_text()
    screenshot(f"export-{theme}")
    panel.locator(".perf-graph").scroll_into_view_if_needed()
    screenshot(f"graph-{theme}")
    panel.locator(".perf-calls").scroll_into_view_if_needed()
    screenshot(f"calls-{theme}")


def frames(panel, name):
    return panel.locator(".perf-frame", has_text=name)


def is_focused(locator):
    return locator.evaluate("element => element.matches(':focus')")


def test_the_page_has_no_dead_ends_on_the_facets(opened, theme, screenshot):
    panel = opened("/slow/facets/")

    assert "SlowFacetsMixin.get_context_data" in panel.locator(".perf-card").first.inner_text()
    assert "facets.py" in panel.locator(".perf-card").first.inner_text()
    assert panel.locator(".perf-panel").get_attribute("data-findings") == "1"
    screenshot(f"facets-{theme}")


def test_a_click_zooms_and_shows_the_source(opened, theme, screenshot):
    panel = opened("/slow/export/")

    frames(panel, "slow_slug").first.click()

    panel.locator(".perf-of-frame .perf-hit").wait_for()
    assert "def slow_slug" in panel.locator(".perf-of-frame").inner_text()
    frame = panel.locator(".perf-frame[aria-selected=true]")
    assert frame.inner_text() == "slow_slug"
    assert is_focused(frame)
    assert frame.bounding_box()["width"] > panel.locator(".perf-flame").bounding_box()["width"] * 0.98
    assert panel.locator(".perf-frame.perf-above").count() > 2
    screenshot(f"zoomed-{theme}")
    panel.locator("[data-perf-reset]").click()
    assert panel.locator(".perf-frame.perf-above").count() == 0
    assert panel.locator("[data-perf-reset]").is_hidden()


def test_an_ancestor_zooms_out_to_it(opened):
    panel = opened("/slow/export/")
    frames(panel, "slow_slug").first.click()

    panel.locator(".perf-frame.perf-above", has_text="base.html").click()

    assert "base.html" in panel.locator(".perf-frame[aria-selected=true]").inner_text()


def test_the_keyboard_moves_zooms_and_goes_back(opened):
    panel = opened("/slow/export/")
    page = panel.page
    first = panel.locator(".perf-frame").first
    panel.locator(".perf-frame[tabindex='0']").focus()

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")

    below = panel.locator(".perf-frame[tabindex='0']")
    assert below.get_attribute("aria-level") == "3"
    assert is_focused(below)
    assert panel.locator("[data-perf-slot=name]").inner_text() in below.get_attribute("aria-label")
    page.keyboard.press("Enter")
    assert panel.locator(".perf-frame[aria-selected=true]").get_attribute("aria-level") == "3"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert first.get_attribute("aria-selected") == "true"
    assert panel.is_visible()
    page.keyboard.press("/")
    assert is_focused(panel.locator(".perf-graph .perf-search"))


def test_search_marks_what_matches_and_says_how_much(opened, screenshot):
    panel = opened("/slow/export/")

    panel.locator(".perf-graph .perf-search").fill("slow_")

    assert panel.locator(".perf-frame.perf-match").count() >= 1
    assert panel.locator(".perf-frame.perf-faded").count() >= 1
    said = panel.locator(".perf-found").inner_text()
    assert "frames, " in said
    assert 20 < int(said.partition(", ")[2].split()[0]) <= 100
    screenshot("search")
    panel.locator(".perf-graph .perf-search").fill("nothing has this")
    assert panel.locator(".perf-found").inner_text() == "nothing matches"
    panel.page.keyboard.press("Escape")
    assert panel.locator(".perf-match").count() == 0
    assert panel.is_visible()


def test_a_flame_graph_stands_on_its_root(opened, screenshot):
    panel = opened("/slow/export/")
    root = panel.locator(".perf-frame[aria-level='1']")
    leaf = frames(panel, "slow_slug").first
    assert leaf.bounding_box()["y"] > root.bounding_box()["y"]

    panel.get_by_role("button", name="Flame", exact=True).click()

    assert leaf.bounding_box()["y"] < root.bounding_box()["y"]
    screenshot("flame")
    panel.locator(".perf-frame[tabindex='0']").focus()
    panel.page.keyboard.press("ArrowUp")
    assert panel.locator(".perf-frame[tabindex='0']").get_attribute("aria-level") == "2"


def test_an_owner_filters_the_graph_and_the_functions(opened):
    panel = opened("/slow/export/")

    panel.locator("[data-perf-owner=project]").click()

    owners = panel.locator(".perf-functions tbody tr:visible td:last-child").all_inner_texts()
    assert {each.strip() for each in owners} == {"your project"}
    assert panel.locator(".perf-frame.perf-o-templates:not(.perf-faded)").count() == 0
    assert panel.locator(".perf-frame.perf-o-project:not(.perf-faded)").count() > 0


def test_functions_are_sorted_and_filtered(opened):
    panel = opened("/slow/export/")
    section = panel.locator(".perf-functions")

    def column(key):
        return section.locator("tbody tr").evaluate_all(f"rows => rows.map(row => Number(row.dataset.{key}))")

    section.locator("[data-perf-sort=total]").click()

    assert column("total") == sorted(column("total"), reverse=True)
    section.locator("[data-perf-sort=total]").click()
    assert column("total") == sorted(column("total"))
    section.locator(".perf-search").fill("slow_slug")
    assert section.locator("tbody tr:visible").count() >= 1
    assert "of" in section.locator(".perf-shown").inner_text()


def test_the_call_tree_has_its_hot_path_open(opened):
    panel = opened("/slow/export/")
    calls = panel.locator(".perf-calls tbody")
    page = panel.page

    hot = calls.locator("tr.perf-hot-path", has_text="slow_slug")

    assert hot.count() == 1
    before = calls.locator("tr").count()
    calls.locator("tr").first.focus()
    page.keyboard.press("ArrowLeft")
    assert calls.locator("tr").count() == 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert 1 < calls.locator("tr").count() < before
    assert is_focused(calls.locator("tr").nth(1))


def test_the_second_request_is_compared_with_the_first(opened, open_page, open_panel, theme, screenshot):
    opened("/slow/export/")
    open_page("/slow/export/")
    let_the_last_request_have_taken_ten_times_as_long()

    panel = open_panel("VMProfPanel")
    panel.locator(".perf-frame").first.wait_for()
    panel.get_by_role("button", name="Compare with before").click()

    assert "Since the previous request to this URL" in panel.inner_text()
    assert panel.locator(".perf-frame.perf-compared").count() > 5
    assert panel.locator(".perf-frame[aria-level='1'].perf-grew").count() == 1
    assert frames(panel, "slow_slug").first.evaluate(GREW)
    assert panel.locator(".perf-frame.perf-shrank").count() == 0
    screenshot(f"compared-{theme}")


GREW = "element => element.classList.contains('perf-grew')"


def let_the_last_request_have_taken_ten_times_as_long():
    """
    Store one profile for both requests, of so many samples that chance has no say in any of its frames.
    """
    store = get_store()
    before, last = list(store.request_ids())[-2:]
    while "nodes" not in (stats := store.panel(last, PANEL_ID)):
        time.sleep(0.05)
    stats["profile"]["samples"] *= 1_000
    store.save_panel(last, PANEL_ID, stats)
    stats["recorded_at"] -= 1
    stats["nodes"] = [
        [parent, frame, total / 10, own / 10, count] for parent, frame, total, own, count in stats["nodes"]
    ]
    store.save_panel(before, PANEL_ID, stats)


def test_a_colour_is_a_change_that_the_samples_of_both_profiles_tell(opened):
    host = opened("/slow/export/").locator(".perf-flame")

    def colours(before, now):
        """
        Compare two profiles of a second each, given as the samples of two functions.
        """
        then, stats = (
            report(profile({"home > draw": draw, "home > slow": slow}, weight_ms=1_000 / (draw + slow)))
            for draw, slow in (before, now)
        )
        return host.evaluate(COMPARE, [f"/static/{FLAMEGRAPH}", json.loads(_graph(stats, then))])

    # Of 25 samples 8 are no more than 20 % may give.
    assert colours((8, 17), (200, 800)) == {}
    assert colours((320, 680), (5, 20)) == {}
    assert colours((320, 680), (200, 800)) == {"draw": "shrank", "slow": "grew"}
    assert colours((0, 1_000), (500, 500)) == {"draw": "grew", "slow": "shrank"}
    assert colours((500, 500), (500, 500)) == {}


COMPARE = """
async (host, [url, data]) => {
    const { FlameGraph } = await import(url);
    const graph = new FlameGraph(host, data);
    graph.compare(true);
    const colour = ({ classList }) => ["grew", "shrank"].find((each) => classList.contains(`perf-${each}`));
    return Object.fromEntries(
        [...graph.elements].map(([node, element]) => [graph.name(node), colour(element)]).filter(([, found]) => found),
    );
}
"""


@pytest.mark.parametrize("mode", ["wall", "memory"])
def test_a_mode_holds_for_the_next_request(opened, open_panel, mode, screenshot):
    panel = opened("/slow/export/")
    page = panel.page

    panel.locator(f"[data-perf-mode={mode}]").click()

    panel.get_by_text("The next request will be sampled in this mode.").wait_for()
    panel.get_by_role("button", name="Reload the page").click()
    page.wait_for_load_state()
    panel = open_panel("VMProfPanel")
    panel.locator(".perf-frame").first.wait_for()
    assert panel.locator("[data-perf-mode][aria-pressed=true]").get_attribute("data-perf-mode") == mode
    if mode == "memory":
        assert panel.locator(".perf-memory .perf-rss").count() == 1
        panel.locator(".perf-memory").scroll_into_view_if_needed()
    screenshot(mode)


@pytest.mark.parametrize(
    ("button", "ending", "begins"),
    [("Speedscope JSON", ".speedscope.json", b'{"$schema"'), ("Collapsed stacks", ".collapsed.txt", b"")],
)
def test_a_download_is_a_file_with_a_name(opened, button, ending, begins):
    panel = opened("/slow/export/")
    panel.locator(".perf-files summary").click()

    with panel.page.expect_download() as download:
        panel.get_by_role("button", name=button).click()

    assert download.value.suggested_filename.startswith("shop-views-dashboard-slow_export-")
    assert download.value.suggested_filename.endswith(ending)
    content = Path(download.value.path()).read_bytes()
    assert content.startswith(begins)
    assert b"slow_slug" in content


def test_speedscope_opens_with_the_profile(opened, screenshot):
    if not speedscope.viewer_url():
        pytest.skip("npm ci --prefix bundled, then pip install -e .")
    panel = opened("/slow/export/")
    panel.locator(".perf-files summary").click()

    with panel.page.context.expect_page() as tab:
        panel.get_by_role("button", name="Open in Speedscope").click()

    tab.value.get_by_text("Left Heavy").wait_for()
    tab.value.wait_for_function("document.title.includes('speedscope')")
    screenshot("speedscope", of=tab.value)


def test_a_button_without_speedscope_explains_itself(opened, monkeypatch):
    monkeypatch.setattr(speedscope, "_VIEWER", "perf_panels/no/such/file.html")
    panel = opened("/slow/export/")

    panel.locator(".perf-files summary").click()

    assert panel.get_by_role("button", name="Open in Speedscope").is_disabled()
    assert "This installation has no copy of Speedscope" in panel.locator(".perf-files").inner_text()


def test_5_000_nodes_are_drawn_in_time(opened):
    panel = opened("/slow/export/")

    took, drawn = panel.locator(".perf-flame").evaluate(DRAW, f"/static/{FLAMEGRAPH}")

    # Measured: 40 ms. What is asked for is 300, on a machine that does nothing else.
    assert drawn > 500
    assert took < 900


DRAW = """
async (host, url) => {
    const { FlameGraph } = await import(url);
    const frames = Array.from({ length: 400 }, (_, n) => [`function${n}`, `file${n}.py:1`, "project", "your project"]);
    const nodes = [[-1, -3, 5000, 0, 5000]];
    for (let node = 1; nodes.length < 5000; node++) {
        const parent = node < 40 ? 0 : Math.floor(node / 3);
        nodes.push([parent, node % 400, 1, 1, 1]);
    }
    // In preorder, with the totals of what is below.
    const below = nodes.map(() => []);
    nodes.forEach(([parent], node) => parent >= 0 && below[parent].push(node));
    const rows = [];
    const add = (node, parent) => {
        const place = rows.push([parent, nodes[node][1], 1, 1, 1]) - 1;
        for (const child of below[node]) {
            rows[place][2] += add(child, place);
        }
        return rows[place][2];
    };
    add(0, -1);
    const began = performance.now();
    const graph = new FlameGraph(host, { frames, nodes: rows, samples: 5000, names: { "-3": "all" }, before: null });
    host.getBoundingClientRect();
    return [performance.now() - began, graph.elements.size];
}
"""


@pytest.fixture
def busy_page(settings, monkeypatch, open_page, open_panel):
    """
    The panel of a page without a database, which another process can run again.
    """
    settings.ROOT_URLCONF = "tests.vmprof.site"
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.vmprof.replay_settings")
    open_page("/page/")
    panel = open_panel("VMProfPanel")
    panel.locator("[data-perf-start]").wait_for()
    return panel


def test_more_samples_shows_how_far_it_is_and_then_the_merged_profile(busy_page, theme, screenshot):
    panel = busy_page
    panel.locator("[name=samples]").select_option("100")

    panel.get_by_role("button", name="More samples").click()

    panel.locator("[data-perf-progress]").wait_for()
    screenshot(f"progress-{theme}")
    panel.get_by_text("runs,", exact=False).locator("visible=true").first.wait_for(timeout=60_000)
    panel.locator(".perf-frame", has_text="half").first.wait_for(timeout=60_000)
    panel.locator("[data-perf-fact=samples] + span", has_text="runs").wait_for(timeout=60_000)
    assert int(panel.locator("[data-perf-fact=samples]").inner_text().replace(",", "")) >= 100
    screenshot(f"more-{theme}")


def test_more_samples_are_taken_for_so_many_seconds(busy_page):
    panel = busy_page
    panel.locator("[name=samples]").select_option(label="10 s")

    panel.get_by_role("button", name="More samples").click()

    panel.get_by_text("of 10 s").wait_for(timeout=60_000)
    panel.locator("[data-perf-fact=samples] + span", has_text="runs").wait_for(timeout=60_000)


def test_more_samples_are_of_the_mode_that_is_pressed(busy_page):
    panel = busy_page
    panel.locator("[data-perf-mode=wall]").click()
    panel.get_by_text("The next request will be sampled in this mode.").wait_for()
    panel.locator("[name=samples]").select_option("100")

    panel.get_by_role("button", name="More samples").click()

    panel.locator("[data-perf-fact=samples] + span", has_text="runs").wait_for(timeout=60_000)
    assert panel.locator("[data-perf-mode][aria-pressed=true]").get_attribute("data-perf-mode") == "wall"
    assert "CPU" not in panel.page.locator("#djdt-VMProfPanel small").inner_text()


def test_stop_keeps_the_samples_so_far(busy_page):
    panel = busy_page
    panel.locator("[name=samples]").select_option("5000")
    panel.get_by_role("button", name="More samples").click()
    panel.locator("[data-perf-said]", has_text="runs").wait_for(timeout=60_000)

    panel.get_by_role("button", name="Stop").click()

    panel.get_by_text("It was stopped. The samples so far are kept.").wait_for(timeout=60_000)
    assert panel.locator("[data-perf-progress]").is_hidden()
    assert "runs" in panel.locator("[data-perf-fact=samples] + span").inner_text()


def test_an_answer_that_fails_is_said_where_the_click_was(busy_page):
    panel = busy_page
    panel.page.route("**/vmprof/start/", lambda route: route.fulfill(status=409, json={"error": "Others are at it."}))

    panel.get_by_role("button", name="More samples").click()

    panel.get_by_text("Others are at it.").wait_for()
    assert panel.get_by_role("button", name="More samples").is_enabled()
    panel.page.complaints.clear()


def test_a_page_that_costs_nothing_says_what_to_do(open_page, open_panel, settings, theme, screenshot):
    settings.ROOT_URLCONF = "tests.site.urls"
    open_page("/hello/")

    panel = open_panel("VMProfPanel")

    panel.get_by_text("sample", exact=False).first.wait_for()
    panel.get_by_text("No sample fell into this request.").or_(panel.get_by_text("Too few samples")).first.wait_for()
    assert panel.get_by_role("button", name="More samples").is_visible()
    screenshot(f"empty-{theme}")
