"""
The line profiler in Chromium, on the shop, under a strict CSP and in both themes.
"""

from __future__ import annotations

import importlib.util
import sys

import pytest
from django.core.management import call_command
from django.urls import clear_url_caches

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("strict_csp", "shop_site")]

PANEL_ID = "LineProfilerPanel"


@pytest.fixture
def shop_site(settings):
    settings.ROOT_URLCONF = "config.urls"
    # A small shop, and little time is much in it.
    settings.PERF_PANELS = {"EXPLAIN_STATEMENTS": 0, "LINES_HOT_MS": 1.0, "LINES_HOT_SHARE": 0.1}
    call_command("populatedb", scale=0.03, verbosity=0)


@pytest.fixture
def opened(page, open_page, open_panel, live_server):
    """
    ``opened("/path/")`` ticks the panel, loads the page and opens the panel; returns its locator.
    """

    def go(path):
        # Without the panel whose work after one response would be in the times of the next.
        for name, value in ((PANEL_ID, "on"), ("VMProfPanel", "off")):
            page.context.add_cookies([{"name": f"djdt{name}", "value": value, "url": live_server.url}])
        open_page(path)
        return open_panel(PANEL_ID)

    return go


LONG = (
    "from django.http import HttpResponse\n"
    "from tests.site.urls import hello, urlpatterns\n\n\n"
    "def long_view(request):\n"
    + "".join(f"\tstep_{number} = {number}\n" for number in range(2_500))
    + "\ttexts = ["
    + "'数据库 مرحبا naïve', " * 20
    + "]  # the rest of a long line: "
    + "x" * 200
    + "\n"
    "\ttotal = 0\n"
    "\tfor number in range(50):\n"
    "\t\ttotal += sum(range(200_000))\n"
    + "".join(f"\tend_{number} = {number}\n" for number in range(2_500))
    + "\treturn hello(request)\n"
)
"""A view of five thousand lines, indented by tabs, with a line of many hundred characters."""


@pytest.fixture
def long_view(shop_site, settings, tmp_path, monkeypatch):
    path = tmp_path / "long_views.py"
    path.write_text(LONG, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("long_views", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "long_views", module)
    spec.loader.exec_module(module)
    from django.urls import path as url

    module.urlpatterns = [url("long/", module.long_view), *module.urlpatterns]
    settings.ROOT_URLCONF = "long_views"
    # Another module of this name was there before.
    clear_url_caches()


def card(panel, name):
    """
    Return the finding of a function. Which one is the first depends on what else the machine does meanwhile.
    """
    return panel.locator(".perf-card", has=panel.page.locator("h4", has_text=name)).first


def section(panel, name):
    return panel.locator(".perf-function", has=panel.page.locator(".perf-name b", has_text=name)).first


def crumbs(panel):
    return panel.locator(".perf-crumbs li span").all_inner_texts()


def focused_line(panel):
    return panel.page.evaluate(
        "(document.querySelector('#djDebugRoot')?.shadowRoot ?? document).activeElement.closest('tr')?.dataset.line"
    )


def test_the_panel_is_off_until_it_is_ticked(page, open_page):
    open_page("/slow/facets/")

    assert page.locator(f"#djdt-{PANEL_ID} a").count() == 0
    assert page.locator(f"#{PANEL_ID}").count() == 0


def test_the_hot_line_of_the_mixin_is_the_finding(opened, theme, screenshot):
    panel = opened("/slow/facets/")

    finding = card(panel, "SlowFacetsMixin.get_context_data")
    assert "product in products" in finding.locator(".perf-hit").inner_text()
    assert "products_set = set(products)" in finding.inner_text()
    assert "line" in panel.page.locator(f"#djdt-{PANEL_ID} small").inner_text()
    screenshot(f"facets-{theme}")


def test_the_link_of_a_finding_leads_to_its_line(opened):
    panel = opened("/slow/facets/")

    link = card(panel, "SlowFacetsMixin.get_context_data").locator("[data-perf-goto]").first

    link.click()

    line = link.get_attribute("data-perf-goto")
    row = section(panel, "SlowFacetsMixin.get_context_data").locator(f"tr.perf-line-hot[data-line='{line}']")
    assert row.is_visible()
    assert focused_line(panel) == line


def test_deeper_times_what_a_line_calls_and_runs_the_page_again(opened, theme, screenshot):
    panel = opened("/slow/facets/")
    row = section(panel, "SlowFacetsMixin.get_context_data").locator("tr", has_text="companion(value").first

    row.locator("summary").click()
    screenshot(f"menu-{theme}")
    row.locator("button", has_text="companion").click()

    section(panel, "companion").wait_for()
    assert crumbs(panel) == ["companion"]
    assert section(panel, "companion").get_attribute("open") is not None
    assert "others" in section(panel, "companion").locator("table").inner_text()
    screenshot(f"deeper-{theme}")


def test_the_breadcrumb_stays_for_the_view_and_is_cleared_with_one_click(opened):
    panel = opened("/slow/facets/")
    panel.locator(".perf-add input").fill("shop.views.facets:companion")
    panel.locator(".perf-add button").click()
    panel.locator(".perf-crumbs").wait_for()

    panel = opened("/slow/facets/")
    assert crumbs(panel) == ["companion"]
    panel.get_by_role("button", name="Clear").click()

    panel.locator(".perf-crumbs").wait_for(state="detached")
    assert section(panel, "companion").count() == 0
    assert opened("/slow/facets/").locator(".perf-crumbs").count() == 0


def test_one_of_the_breadcrumb_is_taken_out(opened):
    panel = opened("/slow/facets/")
    for name in ("companion", "banner"):
        panel.locator(".perf-add input").fill(f"{name}")
        panel.locator(".perf-add button").click()
        panel.locator(".perf-crumbs li", has_text=name).wait_for()

    panel.get_by_role("button", name="Time companion no more").click()

    panel.locator(".perf-crumbs li", has_text="companion").wait_for(state="detached")
    assert crumbs(panel) == ["banner"]


def test_a_name_that_did_not_run_is_refused_where_it_was_typed(opened):
    panel = opened("/slow/facets/")

    panel.locator(".perf-add input").fill("os:system")
    panel.page.keyboard.press("Enter")

    panel.get_by_text("No function “os:system” has run under this view").wait_for()
    panel.page.complaints.clear()


def test_run_again_shows_the_new_run_beside_the_old(opened):
    panel = opened("/slow/export/")
    assert panel.locator(".perf-change").count() == 0
    panel.locator(".perf-function").nth(1).locator("summary").first.click()
    second = panel.locator(".perf-function").nth(1).get_attribute("data-source")

    panel.get_by_role("button", name="Run again").click()

    panel.get_by_text("Since the previous request to this URL").wait_for()
    assert panel.locator("th", has_text="Change").count() > 0
    assert panel.locator(f'.perf-function[data-source="{second}"]').get_attribute("open") is not None
    assert panel.page.evaluate("location.pathname") == "/slow/export/"


def test_the_filter_of_the_export_is_named_with_its_template_line(opened, theme, screenshot):
    panel = opened("/slow/export/")

    assert card(panel, "slow_slug").is_visible()
    assert "shop/pages/export.html:" in section(panel, "slow_slug").inner_text()
    screenshot(f"export-{theme}")


def test_the_property_of_the_cart_has_its_statements(opened, theme, screenshot):
    panel = opened("/slow/cart/")

    assert card(panel, "CartLine.category_name").is_visible()
    assert "SQL" in section(panel, "category_name").locator("thead").inner_text()
    screenshot(f"cart-{theme}")


@pytest.mark.parametrize("path", ["/fixed/cart/", "/fixed/export/"])
def test_the_fixed_pages_have_no_finding(opened, path, settings):
    settings.PERF_PANELS = {"EXPLAIN_STATEMENTS": 0}

    # On a busy machine any line may take long once.
    found = (opened(path).locator(".perf-panel").get_attribute("data-findings") for _ in range(3))

    assert "0" in found


def test_the_keyboard_goes_through_hot_lines_and_into_what_they_call(opened):
    page = opened("/slow/facets/").page
    panel = page.locator(f"#{PANEL_ID}")
    panel.locator(".perf-hottest button").first.click()
    hot = focused_line(panel)

    page.keyboard.press("Home")
    first = focused_line(panel)
    while panel.locator(f'tr[data-line="{focused_line(panel)}"] details').count() == 0:
        page.keyboard.press("ArrowDown")
    calling = focused_line(panel)
    page.keyboard.press("Enter")

    assert int(first) < int(hot)
    menu = panel.locator(f'tr[data-line="{calling}"] details[open]').first
    assert menu.count() == 1
    page.keyboard.press("Escape")
    assert menu.count() == 0
    assert focused_line(panel) == calling
    assert panel.is_visible()


@pytest.mark.usefixtures("long_view")
def test_folded_lines_unfold(opened):
    panel = opened("/long/")
    fold = panel.locator("[data-perf-fold]").first
    hidden = panel.locator(".perf-fold + tbody").first
    assert not hidden.is_visible()

    fold.click()

    assert hidden.is_visible()
    assert fold.get_attribute("aria-expanded") == "true"


@pytest.mark.usefixtures("long_view")
def test_long_lines_tabs_and_other_scripts_stay_inside_the_page(opened, theme, screenshot):
    panel = opened("/long/")

    content = panel.locator(".djdt-scroll")
    assert content.evaluate("element => element.scrollWidth <= element.clientWidth")
    assert "数据库" in panel.inner_text()
    assert panel.locator("tr.perf-line-warm, tr.perf-line-hot", has_text="total += sum").is_visible()
    screenshot(f"long-{theme}")


@pytest.mark.parametrize(("button", "suffix"), [("Text", ".txt"), (".lprof", ".lprof")])
def test_downloads_are_saved(opened, button, suffix):
    panel = opened("/slow/facets/")

    with panel.page.expect_download() as download:
        panel.get_by_role("button", name=button, exact=True).click()

    assert download.value.suggested_filename == f"SlowFacetsView-lines{suffix}"


def test_markdown_is_copied(opened):
    panel = opened("/slow/facets/")
    page = panel.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    panel.get_by_role("button", name="Copy as Markdown").click()

    panel.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("### GET /slow/facets/")


def test_what_a_click_cannot_do_is_said_beside_it(opened):
    panel = opened("/slow/facets/")
    panel.page.route("**/perf_panels/lines/refresh/", lambda route: route.fulfill(status=409, json={"error": "Gone."}))

    panel.get_by_role("button", name="Run again").click()

    panel.get_by_text("Gone.").wait_for()
    panel.page.complaints.clear()


def test_works_without_a_shadow_root(opened, settings):
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"USE_SHADOW_DOM": False}
    panel = opened("/slow/export/")

    panel.get_by_role("button", name="Run again").click()

    panel.get_by_text("Since the previous request to this URL").wait_for()
    # The toolbar's own fonts, which a page of this policy does not allow.
    panel.page.complaints[:] = [each for each in panel.page.complaints if "the font" not in each]
