"""
The N+1 panel in Chromium, on the shop, under a strict CSP and in both themes.
"""

from __future__ import annotations

import pytest
from django.core.management import call_command

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("strict_csp", "shop_site")]


@pytest.fixture
def shop_site(settings):
    settings.ROOT_URLCONF = "config.urls"
    call_command("populatedb", scale=0.1, verbosity=0)


def test_the_first_card_says_what_to_change_and_where(open_page, open_panel, theme, screenshot):
    open_page("/slow/cart/")

    panel = open_panel("NPlusOnePanel")

    card = panel.locator(".perf-card").first
    assert panel.locator(".perf-panel").get_attribute("data-findings") == "1"
    assert "75 queries for shop.Product.category" in card.inner_text()
    assert "shop/pages/cart.html:11" in card.inner_text()
    assert card.locator(".perf-code code").inner_text() == '.select_related("variant__product__category")'
    assert "slow_cart" in card.inner_text()
    screenshot(f"cart-{theme}")


def test_the_side_bar_says_how_many_problems_before_the_panel_is_opened(open_page):
    page = open_page("/slow/cart/")

    assert page.locator("#djdt-NPlusOnePanel small").inner_text() == "1 problem, 75 of 77 queries"


def test_an_empty_panel_explains_itself(open_page, open_panel, theme, screenshot):
    open_page("/fixed/cart/")

    panel = open_panel("NPlusOnePanel")

    assert "Nothing to change here" in panel.inner_text()
    assert "Watched: 2 queries" in panel.inner_text()
    screenshot(f"empty-{theme}")


def test_the_text_is_readable_in_both_themes(open_page, open_panel, theme):
    page = open_page("/slow/cart/")

    open_panel("NPlusOnePanel")

    colours = page.locator(".perf-source code").first.evaluate(
        "element => [getComputedStyle(element).color,"
        " getComputedStyle(element.closest('pre')).backgroundColor].map(c => c.match(/\\d+/g).slice(0, 3).map(Number))"
    )
    text, background = (sum(colour) / 3 for colour in colours)
    assert abs(text - background) > 125


def test_copy_puts_the_code_on_the_clipboard_and_says_so(open_page, open_panel):
    page = open_page("/slow/cart/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel = open_panel("NPlusOnePanel")

    panel.locator(".perf-copy").first.click()

    panel.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == '.select_related("variant__product__category")'


def test_the_statement_is_folded_and_opens_with_the_keyboard(open_page, open_panel):
    page = open_page("/slow/cart/")
    panel = open_panel("NPlusOnePanel")
    statement = panel.locator(".perf-sql").first
    assert not statement.is_visible()

    panel.locator("summary").first.focus()
    page.keyboard.press("Enter")

    assert statement.is_visible()
    assert "SELECT" in statement.inner_text()


def test_a_second_visit_says_what_changed(open_page, open_panel):
    open_page("/slow/cart/")
    open_page("/slow/cart/")

    panel = open_panel("NPlusOnePanel")

    assert "Since the previous request to this URL: 77 → 77 queries." in panel.inner_text()
