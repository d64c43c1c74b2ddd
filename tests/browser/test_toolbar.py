from __future__ import annotations

import pytest

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("strict_csp")]


def test_panel_opens_in_the_shadow_root_under_a_strict_csp(open_page, open_panel, theme):
    page = open_page("/hello/")

    panel = open_panel("NPlusOnePanel")

    assert panel.is_visible()
    assert page.locator("#djDebug").get_attribute("data-theme") == theme
    assert page.evaluate("document.querySelector('#djDebug')") is None


def test_theme_is_toggled(open_page, toggle_theme):
    open_page("/hello/")

    assert toggle_theme() == "dark"


def test_complaints_of_the_console_are_collected(open_page):
    page = open_page("/hello/")

    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=https://example.invalid/x.png>')")
    page.wait_for_timeout(300)

    assert "Content Security Policy" in page.complaints.pop()
