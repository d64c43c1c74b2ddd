"""
A page with the toolbar in the system's Chromium; a test fails on any console error or violation of the page's CSP.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import backends
from tests.conftest import skip_if_missing

FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
SHOTS = Path(__file__).parents[2] / ".cache" / "browser"


@pytest.fixture(scope="package")
def browser():
    """
    A headless Chromium. Not for the whole session: Playwright keeps an event loop running, which async tests refuse.
    """
    with skip_if_missing():
        executable = backends.chromium()
    from playwright.sync_api import sync_playwright

    flags = [*FLAGS, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else FLAGS
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Django sees Playwright's loop in this thread and would refuse the tests' own queries.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(executable_path=executable, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(params=["light", "dark"])
def theme(request):
    """
    The colour scheme that the browser asks for; a test that uses it runs in both.
    """
    return request.param


@pytest.fixture
def strict_csp(settings):
    """
    Every page of this test comes with a strict Content-Security-Policy (tests/site/csp.py).
    """
    settings.STRICT_CSP = True


@pytest.fixture
def page(browser, request):
    """
    A new page without cookies; what its console says in anger fails the test, unless removed from ``page.complaints``.
    """
    scheme = request.getfixturevalue("theme") if "theme" in request.fixturenames else "light"
    context = browser.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(45_000)
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(f"uncaught: {error}"))
    page.on("console", lambda message: complain(page, message))
    yield page
    context.close()
    assert page.complaints == []


def complain(page, message):
    if message.type == "error" and "favicon" not in message.location.get("url", ""):
        page.complaints.append(f"{message.text} ({message.location.get('url')})")


@pytest.fixture
def open_page(page, live_server):
    """
    ``open_page("/path/")`` goes there and waits for the toolbar; returns Playwright's page.
    """

    def go(path):
        page.goto(live_server.url + path)
        # The toolbar's script takes the class away once it is ready for clicks. Locators look into open shadow roots.
        page.locator("#djDebugToolbar:not(.djdt-hidden), #djDebugToolbarHandle:not(.djdt-hidden)").wait_for()
        return page

    return go


@pytest.fixture
def open_panel(page):
    """
    ``open_panel("NPlusOnePanel")`` clicks it in the side bar, waits for its content; returns the panel's locator.
    """

    def click(panel_id):
        page.locator(f"#djdt-{panel_id} a").click()
        panel = page.locator(f"#{panel_id}")
        panel.locator(".djDebugPanelContent .djdt-scroll > :not(link, script)").first.wait_for()
        # The panel's scripts and style sheets come with its content: a click before them is lost.
        page.wait_for_load_state("networkidle")
        return panel

    return click


@pytest.fixture
def toggle_theme(page):
    """
    ``toggle_theme()`` clicks the toolbar's button until the other theme is on; returns "light" or "dark".
    """

    def current():
        return page.locator("#djDebug").get_attribute("data-theme")

    def click():
        before = current()
        # The button goes round auto, light and dark: one of two clicks changes what is seen.
        for _ in range(2):
            page.locator("#djToggleThemeButton").click()
            if current() != before:
                return current()
        raise AssertionError(before)

    return click


@pytest.fixture
def screenshot(page, request):
    """
    ``screenshot("name")`` writes .cache/browser/<test>-name.png, to be looked at by a person; returns the path.
    """

    def take(name, of=None):
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{request.node.name}-{name}.png".replace("/", "-")
        (of or page).screenshot(path=path)
        return path

    return take
