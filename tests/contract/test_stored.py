"""
What a panel stores is plain, capped, the same from every store, and enough to show it.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, nullcontext
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import html5lib
import pytest
from asgiref.sync import sync_to_async
from debug_toolbar import store as stores
from debug_toolbar.middleware import show_toolbar_func_or_path
from debug_toolbar.panels.history import HistoryPanel
from debug_toolbar.settings import PANELS_DEFAULTS
from debug_toolbar.toolbar import DebugToolbar
from django.core.signing import TimestampSigner
from django.db import connection
from django.test import AsyncClient, Client
from django.utils.module_loading import import_string
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from perf_panels import afterwards
from perf_panels.findings import Finding
from perf_panels.panels import all_panels
from tests.contract import site
from tests.contract.conftest import switched_on
from tests.contract.test_failures import shown
from tests.site import csp
from tests.site.models import Publisher

ROOT = Path(__file__).parents[2]
SUBTITLE = re.compile(r"<small>.*?</small>", re.DOTALL)
STORES = {
    "memory": "debug_toolbar.store.MemoryStore",
    "redis": "debug_toolbar.store.CacheStore",
    "database": "debug_toolbar.store.DatabaseStore",
}


@pytest.fixture(autouse=True)
def _finds(client):
    # The memory panel's engine that has a finding on each page with rows.
    client.cookies["djdtMemoryProfilerPanelEngine"] = "objects"


@pytest.fixture
def publishers():
    return Publisher.objects.bulk_create(Publisher(name=f"Pub <{n}> & Söhne") for n in range(5))


@pytest.fixture(params=STORES)
def store(request, settings, monkeypatch):
    # Runs that share a Redis keep apart.
    config = {"TOOLBAR_STORE_CLASS": STORES[request.param], "CACHE_KEY_PREFIX": f"perf_panels_{os.getpid()}:"}
    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
        settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url}}
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | config
    with toolbars_table() if request.param == "database" else nullcontext():
        stores.get_store().clear()
        yield request.param
        stores.get_store().clear()


@contextmanager
def toolbars_table():
    # The toolbar makes its table only where the DatabaseStore is set when Django starts.
    from debug_toolbar.models import HistoryEntry

    with connection.schema_editor() as editor:
        editor.create_model(HistoryEntry)
    yield
    with connection.schema_editor() as editor:
        editor.delete_model(HistoryEntry)


@pytest.fixture
def kept(panel, monkeypatch):
    """
    What the panel gave to ``record_stats``, request by request.
    """
    kept = []
    record = panel.record_stats
    monkeypatch.setattr(panel, "record_stats", lambda self, stats: (kept.append(dict(stats)), record(self, stats)))
    return kept


def test_what_a_report_holds_is_stored_as_plain_json(kept, client, panel, monkeypatch):
    report = panel.report
    odd = {"tuple": (1, 2), "lazy": gettext_lazy("Yes"), "safe": mark_safe("<b>"), "set": {1}, "keys": {1: Decimal(2)}}
    monkeypatch.setattr(panel, "report", lambda self, *args: report(self, *args) | odd)

    client.get("/plain/")

    assert json.loads(json.dumps(kept[-1])) == kept[-1]
    assert type(kept[-1]["safe"]) is str


def with_findings(client, recorded):
    """
    Request a page until there is a finding, and return the stats: a sampler may miss a short view on a busy machine.
    """
    for _ in range(10):
        client.get("/deferred/")
        if recorded()[-1]["findings"]:
            break
    return recorded()[-1]


def test_every_store_gives_back_what_was_stored(store, kept, client, panel, publishers):
    stats = with_findings(client, lambda: kept)

    request_id = list(stores.get_store().request_ids())[-1]
    assert stores.get_store().panel(request_id, panel.panel_id) == stats
    assert stats["findings"]
    assert "data-findings" in shown(panel)


def test_the_stats_have_the_keys_every_panel_has(client, recorded, publishers):
    client.get("/deferred/")

    stats = recorded()[-1]
    assert isinstance(stats["schema"], int)
    assert isinstance(stats["findings"], list)
    assert stats["error"] is None
    assert isinstance(stats["truncated"], dict)


def test_the_findings_have_the_keys_every_panel_has(client, recorded, publishers):
    findings = with_findings(client, recorded)["findings"]

    assert findings
    for finding in findings:
        assert set(finding) == {field.name for field in fields(Finding)}
        assert finding["severity"] in {"critical", "warning", "info"}


@pytest.mark.parametrize("url", ["/private/", "/no/such/url/", "/json/", "/redirect/", "/fails/"])
def test_the_stats_have_the_same_keys_whatever_was_answered(url, client, recorded):
    client.get(url)

    stats = recorded()[-1]
    assert {"schema", "findings", "error", "truncated"} <= stats.keys()
    assert stats["error"] is None


@pytest.fixture
def crowded(panel, publishers, monkeypatch, settings):
    """
    The panel finds a thousand times what it finds, and may store little.
    """
    report = panel.report

    def big(self, request, response):
        stats = report(self, request, response)
        lists = ("findings", *panel.trim_keys)
        return stats | {key: stats[key] * 1_000 for key in lists if stats.get(key)}

    monkeypatch.setattr(panel, "report", big)
    settings.PERF_PANELS = {**settings.PERF_PANELS, "MAX_STORED_BYTES": 50_000}


def test_the_stats_are_capped(crowded, client, recorded):
    client.get("/deferred/")

    assert len(json.dumps(recorded()[-1])) <= 50_000


def test_the_stats_say_what_was_cut(crowded, client, recorded):
    stats = with_findings(client, recorded)

    assert stats["truncated"]["findings"] > 0
    assert (stats["truncated"]["findings"] + len(stats["findings"])) % 1_000 == 0


def test_a_capped_panel_is_still_shown_and_says_that_it_was_cut(crowded, client, panel, recorded):
    client.get("/deferred/")

    content = shown(panel)

    html5lib.HTMLParser(strict=True).parseFragment(content)
    assert "data-error" not in content
    assert str(recorded()[-1]["truncated"]["findings"]) in content


@pytest.mark.parametrize("url", ["/deferred/", "/plain/", "/private/"])
def test_the_html_is_valid_and_counts_its_findings(url, client, panel, publishers):
    client.get(url)

    content = shown(panel)

    html5lib.HTMLParser(strict=True).parseFragment(content)
    assert re.search(r'data-findings="\d+"', content)
    assert "style=" not in content
    assert "<script" not in content


def test_history_shows_the_panel_without_a_request(client, panel, publishers):
    client.get("/deferred/")

    request_id = list(stores.get_store().request_ids())[-1]
    stored = DebugToolbar.fetch(request_id).get_panel_by_id(panel.panel_id)
    assert stored.toolbar.request is None
    assert stored.enabled
    assert str(stored.title)
    assert str(stored.nav_title)
    assert stored.nav_subtitle
    assert stored.content


def test_historys_side_bar_shows_the_panel(client, panel, publishers, monkeypatch):
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [HistoryPanel, panel])
    client.get("/deferred/")
    request_id = list(stores.get_store().request_ids())[-1]

    response = client.get("/__debug__/history_sidebar/", {"request_id": request_id, "exclude_history": True})

    assert f'id="djdt-{panel.panel_id}"' in response.json()[panel.panel_id]["button"]
    assert f'id="{panel.panel_id}"' in response.json()[panel.panel_id]["content"]


def test_historys_side_bar_says_the_same_as_the_page(client, panel, publishers, monkeypatch):
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [HistoryPanel, panel])
    body = client.get("/deferred/").content.decode()
    request_id = list(stores.get_store().request_ids())[-1]

    response = client.get("/__debug__/history_sidebar/", {"request_id": request_id, "exclude_history": True})

    (subtitle,) = SUBTITLE.findall(response.json()[panel.panel_id]["button"])
    assert subtitle in SUBTITLE.findall(body)


def test_a_request_that_history_has_dropped_is_no_error(client, panel):
    response = client.get("/__debug__/render_panel/", {"request_id": "0" * 32, "panel_id": panel.panel_id})

    assert response.status_code == 200


@pytest.mark.parametrize("config", [{"RENDER_PANELS": True}, {"USE_SHADOW_DOM": False}, {"UPDATE_ON_FETCH": True}])
def test_the_panel_is_in_the_page_however_the_toolbar_is_configured(config, client, panel, settings, publishers):
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | config

    body = client.get("/deferred/").content.decode()

    assert f'id="djdt-{panel.panel_id}"' in body


def test_a_panel_rendered_into_the_page_is_the_one_opened_later(client, panel, settings, publishers, monkeypatch):
    # What is found after the response changes what is opened later.
    monkeypatch.setattr(afterwards, "schedule", lambda *arguments: None)
    monkeypatch.setattr(TimestampSigner, "timestamp", lambda self: "now")
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"RENDER_PANELS": True}

    body = client.get("/deferred/").content.decode()

    assert "data-error" not in body
    assert shown(panel) in body


@pytest.mark.parametrize("debug", [True, False])
def test_the_projects_callback_decides_whether_the_panel_is_there(debug, client, panel, settings, recorded):
    config = {"SHOW_TOOLBAR_CALLBACK": lambda request: "show" in request.GET}
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | config
    settings.DEBUG = debug
    show_toolbar_func_or_path.cache_clear()

    with_it, without = client.get("/plain/?show=1"), client.get("/plain/")

    show_toolbar_func_or_path.cache_clear()
    assert f'id="djdt-{panel.panel_id}"' in with_it.content.decode()
    assert "djDebug" not in without.content.decode()
    assert len(recorded()) == 1


@pytest.mark.parametrize("place", [0, 1, len(site.MIDDLEWARE)])
@pytest.mark.parametrize("render", [True, False])
@pytest.mark.usefixtures("publishers")
def test_a_strict_csp_is_left_as_it_is(place, render, client, settings):
    settings.STRICT_CSP = True
    settings.MIDDLEWARE = [*site.MIDDLEWARE[:place], "tests.site.csp.strict_csp", *site.MIDDLEWARE[place:]]
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"RENDER_PANELS": render}

    response = client.get("/deferred/")

    nonce = response.wsgi_request.csp_nonce
    assert response.headers["Content-Security-Policy"] == csp.POLICY.format(nonce=nonce)


def test_a_panel_rendered_under_a_strict_csp_has_a_nonce_for_each_script(client, panel, settings, publishers):
    settings.STRICT_CSP = True
    settings.MIDDLEWARE = ["tests.site.csp.strict_csp", *site.MIDDLEWARE]
    settings.DEBUG_TOOLBAR_CONFIG = settings.DEBUG_TOOLBAR_CONFIG | {"RENDER_PANELS": True}

    response = client.get("/deferred/")

    scripts = re.findall(r"<script[^>]*>", response.content.decode())
    assert scripts
    assert all(f'nonce="{response.wsgi_request.csp_nonce}"' in script for script in scripts)


def test_the_toolbars_own_requests_are_recorded_nowhere(client, panel, recorded, seen):
    client.get("/plain/")
    request_id = list(stores.get_store().request_ids())[-1]

    response = client.get("/__debug__/render_panel/", {"request_id": request_id, "panel_id": panel.panel_id})

    assert "data-findings" in response.json()["content"]
    assert len(recorded()) == 1
    assert seen == ["plain"]


@pytest.mark.parametrize("first", [True, False])
def test_all_panels_work_beside_each_other(first, publishers, monkeypatch):
    toolbars, ours = [*map(import_string, PANELS_DEFAULTS)], all_panels()
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [*ours, *toolbars] if first else [*toolbars, *ours])
    client = switched_on(Client(), *ours)

    response = client.get("/deferred/")

    assert response.status_code == 200
    assert [panel.panel_id for panel in ours if "data-error" in shown(panel)] == []


async def test_all_panels_work_beside_each_other_over_asgi(monkeypatch):
    ours = all_panels()
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [*map(import_string, PANELS_DEFAULTS), *ours])
    client = switched_on(AsyncClient(), *ours)

    response = await client.get("/coroutine-deferred/")

    contents = [await sync_to_async(shown)(panel) for panel in ours]
    assert response.status_code == 200
    assert not any("data-error" in content for content in contents)


SETTINGS = """
from tests.settings import *
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": {database!r}}}}}
ROOT_URLCONF = "tests.contract.site"
MIDDLEWARE = ["tests.contract.site.name_worker", *{middleware!r}]
DEBUG_TOOLBAR_CONFIG = {{**DEBUG_TOOLBAR_CONFIG, "TOOLBAR_STORE_CLASS": "debug_toolbar.store.DatabaseStore"}}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a Unix")
def test_a_second_worker_shows_what_the_first_has_recorded(tmp_path, panel):
    with two_workers(tmp_path) as url:
        first, request_id = served(f"{url}/pid/", panel)
        shown_by = {}
        deadline = time.monotonic() + 20
        while not shown_by.keys() - {first} and time.monotonic() < deadline:
            query = f"request_id={request_id}&panel_id={panel.panel_id}"
            with urllib.request.urlopen(f"{url}/__debug__/render_panel/?{query}") as response:
                shown_by[response.headers["X-Worker"]] = json.load(response)["content"]

    others = shown_by.keys() - {first}
    assert others
    assert all("data-findings" in shown_by[worker] and "data-error" not in shown_by[worker] for worker in others)


def served(url, panel):
    request = urllib.request.Request(url, headers={"Cookie": f"djdt{panel.panel_id}=on"})
    with urllib.request.urlopen(request) as response:
        body = response.read().decode()
        return response.headers["X-Worker"], re.search(r'data-request-id="(\w+)"', body)[1]


@contextmanager
def two_workers(folder):
    (folder / "workers_settings.py").write_text(
        SETTINGS.format(database=str(folder / "workers.sqlite3"), middleware=site.MIDDLEWARE)
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "workers_settings",
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT), str(ROOT / "example_project")]),
        "PYTHONWARNINGS": "ignore",
    }
    subprocess.run([sys.executable, "-m", "django", "migrate", "--run-syncdb", "-v0"], env=environment, check=True)
    command = ["gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "tests.contract.wsgi:application"]
    log = (folder / "gunicorn.log").open("w")
    server = subprocess.Popen([sys.executable, "-m", *command], env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}/pid/", folder / "gunicorn.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def wait_for(url, log):
    for _ in range(150):
        try:
            urllib.request.urlopen(url).close()
        except (urllib.error.URLError, ConnectionError):  # noqa: PERF203 - it waits anyway
            time.sleep(0.1)
        else:
            return
    pytest.fail(log.read_text())
