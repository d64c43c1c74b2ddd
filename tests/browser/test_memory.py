"""
The memory panel in Chromium, on the shop, under a strict CSP and in both themes.
"""

from __future__ import annotations

import tracemalloc

import pytest
from django.core.management import call_command

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("strict_csp", "shop_site", "small_heap")]

PANEL = "MemoryProfilerPanel"


@pytest.fixture
def shop_site(settings):
    settings.ROOT_URLCONF = "config.urls"
    # A tenth of the shop, and thresholds to match.
    settings.PERF_PANELS = {"MEMORY_GROWTH_BYTES": 500_000, "MEMORY_INSTANCES": 200, "MEMORY_LEAK_REQUESTS": 0}
    call_command("populatedb", scale=0.1, verbosity=0)


@pytest.fixture
def measured(page, live_server, open_page, open_panel):
    """
    ``measured("/path/", "allocations")`` ticks the panel, chooses the engine and opens the panel of the next request.
    """

    def go(path, engine="lines"):
        page.context.add_cookies(
            [
                {"name": f"djdt{PANEL}", "value": "on", "url": live_server.url},
                {"name": f"djdt{PANEL}Engine", "value": engine, "url": live_server.url},
            ]
        )
        open_page(path)
        return open_panel(PANEL)

    return go


def test_it_is_off_until_it_is_ticked(open_page):
    page = open_page("/slow/cart/")

    button = page.locator(f"#djdt-{PANEL}")
    assert button.locator("a").count() == 0
    assert not button.locator("input").is_checked()


def test_the_engine_of_the_next_request_is_chosen_in_the_panel(measured, theme, screenshot):
    panel = measured("/slow/sales-report/")
    page = panel.page
    assert "this request" in panel.locator("[data-engine=lines]").inner_text()
    screenshot(f"lines-{theme}")

    panel.get_by_role("button", name="Use Objects").click()
    panel.get_by_role("button", name="Load the page again").click()

    page.locator("#djDebugToolbar:not(.djdt-hidden), #djDebugToolbarHandle:not(.djdt-hidden)").wait_for()
    page.locator(f"#djdt-{PANEL} a").click()
    page.locator("[data-engine=objects] .perf-chip").wait_for()


def test_frames_say_what_they_cost_before_they_are_chosen(measured):
    panel = measured("/slow/cart/")

    allocations = panel.locator("[data-engine=allocations]")

    assert "25 frames with all callers: 10 to 50 times" in allocations.inner_text()
    allocations.get_by_role("button", name="25 frames").click()
    panel.locator(".perf-chosen").wait_for()
    assert allocations.locator("[aria-pressed=true]").inner_text().startswith("25 frames")


def test_the_curve_has_a_text_for_those_who_do_not_see_it(measured):
    panel = measured("/slow/sales-report/")

    said = panel.locator(".perf-curve svg").get_attribute("aria-label")
    assert "before the view" in said
    assert panel.locator(".perf-readings").get_attribute("points")


def test_allocations_are_a_map_and_a_table(measured, theme, screenshot):
    panel = measured("/slow/sales-report/", "allocations")

    card = panel.locator(".perf-card").first
    assert "shop/reports.py" in card.inner_text()
    map_ = panel.locator(".perf-map:visible")
    assert map_.count() == 1
    screenshot(f"allocations-{theme}", of=panel.locator(".perf-maps"))


def test_the_map_is_walked_with_the_arrow_keys_and_finds_its_line_in_the_table(measured):
    panel = measured("/slow/sales-report/", "allocations")
    page = panel.page
    leaf = panel.locator(".perf-map:visible .perf-leaf[tabindex='0']")
    first = leaf.get_attribute("aria-label")
    leaf.focus()

    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        moved = page.locator(".perf-map-said").inner_text()
        if moved != first:
            break
    place = panel.locator(".perf-map:visible .perf-leaf[tabindex='0']").get_attribute("data-place")
    page.keyboard.press("Enter")

    assert moved != first
    assert panel.locator(".perf-allocations .perf-search").input_value() == place
    rows = panel.locator(".perf-by[data-by=line] tbody tr:visible")
    assert all(place in text for text in rows.all_inner_texts())
    assert rows.count() >= 1


def test_the_table_is_added_up_sorted_and_filtered(measured):
    panel = measured("/slow/sales-report/", "allocations")

    panel.get_by_role("button", name="by owner").click()
    owners = panel.locator(".perf-by[data-by=owner] tbody tr:visible")
    assert {"Django", "your project"} <= {row.split("\t")[0].strip() for row in owners.all_inner_texts()}

    panel.get_by_role("button", name="by line").click()
    panel.locator("[data-perf-owner=project]").click()
    lines = panel.locator(".perf-by[data-by=line]")
    assert all("your project" in text for text in lines.locator("tbody tr:visible").all_inner_texts())
    assert panel.locator(".perf-allocations [data-perf-more]").is_hidden()

    lines.get_by_role("button", name="Blocks").click()
    blocks = [int(row.get_attribute("data-blocks")) for row in lines.locator("tbody tr:visible").all()]
    assert blocks == sorted(blocks, reverse=True)

    panel.locator(".perf-allocations .perf-search").fill("nothing has this name")
    panel.get_by_role("button", name="Show all").last.click()
    assert lines.locator("tbody tr:visible").count() > len(blocks)


def test_objects_name_the_model_and_its_queryset(measured, theme, screenshot):
    panel = measured("/slow/sales-report/", "objects")

    card = panel.locator(".perf-card").first
    assert "instances of shop.OrderLine" in card.inner_text()
    assert "shop/reports.py" in card.inner_text()
    assert ".iterator(" in card.locator(".perf-code code").inner_text()
    screenshot(f"objects-{theme}")


def test_who_refers_to_objects_is_asked_by_a_click(measured):
    panel = measured("/slow/order-lines/", "objects")

    button = panel.locator(".perf-types [data-perf-chains]").first
    button.click()

    panel.locator(".perf-chains").wait_for()
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert panel.locator(".perf-chains").count() == 0


def test_the_fixed_twin_has_nothing_to_change(measured):
    panel = measured("/fixed/sales-report/", "objects")

    assert panel.locator(".perf-memory").get_attribute("data-findings") == "0"


def test_a_finding_leads_to_its_line(measured):
    panel = measured("/slow/sales-report/", "allocations")

    panel.get_by_role("button", name="Show it in its function").first.click()

    focused = panel.page.locator(".perf-lines-table tr:focus")
    assert "lines = [" in focused.inner_text()


def test_downloads_are_files(measured, tmp_path):
    panel = measured("/slow/sales-report/", "allocations")

    with panel.page.expect_download() as text:
        panel.get_by_role("button", name="Text, as memory_profiler prints it").click()
    with panel.page.expect_download() as snapshot:
        panel.get_by_role("button", name="tracemalloc snapshot").click()

    assert "Line #" in text.value.path().read_text()
    path = tmp_path / "snapshot"
    snapshot.value.save_as(path)
    assert tracemalloc.Snapshot.load(str(path)).traces


def test_the_text_is_readable_in_both_themes(measured, theme):
    panel = measured("/slow/sales-report/", "allocations")

    colours = panel.locator(".perf-map:visible .perf-leaf text").first.evaluate(
        "element => [getComputedStyle(element).fill, getComputedStyle(element.previousElementSibling).fill]"
    )
    # color-mix() answers as color(srgb r g b), a plain colour as rgb(r, g, b).
    text, background = map(brightness, colours)
    assert abs(text - background) > 60


def brightness(colour):
    numbers = [
        float(part)
        for part in colour.replace("color(srgb", "").replace("rgb(", "").strip("() ").replace(",", " ").split()[:3]
    ]
    scale = 255 if colour.startswith("color(") else 1
    return sum(numbers) * scale / 3
