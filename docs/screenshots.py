"""
Takes the pictures in docs/images, each in both themes, from the shop as ``make demo`` runs it.

    make screenshots                 all of them
    make screenshots ARGS=nplusone   those whose name begins so
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "example_project")]

import demo
from playwright.sync_api import sync_playwright

from tests import backends
from tests.browser.conftest import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

IMAGES = HERE / "images"
THEMES = ("light", "dark")


class Shot(NamedTuple):
    """
    A picture: docs/images/<name>-light.png and -dark.png of *panel* on *path*, or of the page if no panel is named.
    """

    name: str
    path: str
    panel: str | None = None
    whole_page: bool = True
    """With the page around the panel and the side bar; else the panel alone, as tall as its content."""
    width: int = 1280
    height: int = 800


SHOTS = [
    Shot("shop", "/"),
    Shot("nplusone", "/slow/home/", "NPlusOnePanel"),
    Shot("explain", "/slow/to-ship/", "ExplainPanel"),
    Shot("vmprof", "/slow/export/", "VMProfPanel", whole_page=False),
    Shot("lines", "/slow/facets/", "LineProfilerPanel", height=1150),
    Shot("memory", "/slow/sales-report/", "MemoryProfilerPanel", height=1150),
    Shot("nplusone-category", "/slow/category/", "NPlusOnePanel", whole_page=False),
]


def main(prefix: str = "") -> None:
    chosen = [shot for shot in SHOTS if shot.name.startswith(prefix)]
    IMAGES.mkdir(exist_ok=True)
    with running_shop() as url, sync_playwright() as playwright:
        as_root = hasattr(os, "geteuid") and os.geteuid() == 0
        flags = [*FLAGS, "--no-sandbox"] if as_root else FLAGS
        browser = playwright.chromium.launch(executable_path=backends.chromium(), args=flags)
        for shot in chosen:
            for theme in THEMES:
                print(take(browser, url, shot, theme))
        browser.close()


@contextmanager
def running_shop() -> Iterator[str]:
    """
    Fill the shop as the demo does, in the demo's own database, and serve it on a free port.
    """
    environment = dict(os.environ)
    demo.prepare(environment)
    address = f"127.0.0.1:{demo.ask_for_port()}"
    with (
        tempfile.TemporaryFile() as log,
        demo.manage("runserver", "--noreload", address, environment=environment, stdout=log, stderr=log) as server,
    ):
        try:
            wait_for(f"http://{address}/")
            yield f"http://{address}"
        finally:
            server.terminate()


def wait_for(url: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url).close()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def take(browser: Browser, url: str, shot: Shot, theme: str) -> Path:
    context = browser.new_context(
        color_scheme=theme,
        viewport={"width": shot.width, "height": shot.height},
        reduced_motion="reduce",
    )
    if shot.panel is not None:
        # Some panels are off until their box is ticked.
        context.add_cookies([{"name": f"djdt{shot.panel}", "value": "on", "url": url}])
    page = context.new_page()
    page.goto(url + shot.path, wait_until="networkidle")
    path = IMAGES / f"{shot.name}-{theme}.png"
    if shot.panel is None:
        page.screenshot(path=path)
    else:
        panel_screenshot(page, shot, path)
    context.close()
    return path


def panel_screenshot(page: Page, shot: Shot, path: Path) -> None:
    # Twice the same page: the second visit is the usual one, with caches filled.
    page.reload(wait_until="networkidle")
    page.locator(f"#djdt-{shot.panel} a").click()
    panel = page.locator(f"#{shot.panel}")
    panel.locator(".djDebugPanelContent .djdt-scroll > :not(link, script)").first.wait_for()
    page.wait_for_load_state("networkidle")
    # The panel's stylesheet comes with its content: let what it changes come to rest.
    page.wait_for_timeout(700)
    if shot.whole_page:
        page.screenshot(path=path)
        return
    content = panel.locator(".djdt-scroll")
    needed = content.evaluate("element => Math.ceil(element.scrollHeight + element.getBoundingClientRect().top) + 10")
    page.set_viewport_size({"width": shot.width, "height": needed})
    panel.screenshot(path=path)


if __name__ == "__main__":
    main(*sys.argv[1:])
