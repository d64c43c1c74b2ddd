from __future__ import annotations

import pytest
from debug_toolbar.store import get_store
from debug_toolbar.toolbar import DebugToolbar
from django.test import AsyncClient, Client

from perf_panels.memory.panel import MemoryProfilerPanel
from perf_panels.panels import all_panels
from perf_panels.vmprof import modes, pending
from perf_panels.vmprof.panel import VMProfPanel
from tests.contract import site


@pytest.fixture(autouse=True)
def project(settings, transactional_db, no_coverage):
    settings.ROOT_URLCONF = "tests.contract.site"
    settings.MIDDLEWARE = site.MIDDLEWARE
    # Every statement is a finding of the EXPLAIN panel, without a plan, whatever a sampler sees one of VMProf,
    # every line one of the line profiler, every instance one of the memory panel.
    settings.PERF_PANELS = {
        **settings.PERF_PANELS,
        "EXPLAIN_LIMITS": {"SLOW_MS": 0},
        "VMPROF_HOT_PERCENT": 1,
        "VMPROF_HOT_MS": 1,
        "VMPROF_SAMPLER_HZ": 1_000,
        "LINES_HOT_SHARE": 0,
        "LINES_HOT_MS": 0,
        "MEMORY_INSTANCES": 1,
    }
    site.RAN.clear()
    site.ARRIVED.clear()
    site.CROWD.reset()
    get_store().clear()


@pytest.fixture(params=all_panels(), ids=lambda panel: panel.panel_id)
def panel(request, monkeypatch):
    """
    Each panel of this package in turn, the only one of the toolbar.
    """
    # A panel is covered by being listed, whether or not the settings of the tests name it.
    request.param.ready()
    monkeypatch.setattr(DebugToolbar, "_panel_classes", [request.param])
    if request.param is VMProfPanel:
        monkeypatch.setattr(VMProfPanel, "report", reported_at_once(VMProfPanel.report))
    if request.param is MemoryProfilerPanel:
        request.getfixturevalue("small_heap")
    return request.param


def reported_at_once(report):
    """
    Return a ``report`` of the VMProf panel that does what is done after the response, too.
    """

    def at_once(self, request, response):
        profile = self.profile
        stats = report(self, request, response)
        if stats.get("state") != "pending":
            return stats
        pending.keep(str(self.toolbar.request_id), lambda: None)
        return stats | self.reduced(profile)

    return at_once


@pytest.fixture
def client(panel):
    return switched_on(Client(raise_request_exception=False), panel)


@pytest.fixture
def async_client(panel):
    return switched_on(AsyncClient(raise_request_exception=False), panel)


def switched_on(client, *panels):
    # Some panels are off until ticked.
    for panel in panels:
        client.cookies[f"djdt{panel.panel_id}"] = "on"
        if panel is VMProfPanel:
            client.cookies[modes.COOKIE] = "wall"
    return client


@pytest.fixture
def recorded(panel):
    """
    ``recorded()`` returns the panel's stats of all requests the store has, oldest first.
    """

    def recorded():
        store = get_store()
        return [store.panel(request_id, panel.panel_id) for request_id in store.request_ids()]

    return recorded


@pytest.fixture
def seen(panel, monkeypatch):
    """
    The name of each view that the panel was asked to watch; the panel goes on doing so.
    """
    names = []
    process_view = panel.process_view

    def watch(self, request, view, *args):
        names.append(getattr(view, "__name__", type(view).__name__))
        return process_view(self, request, view, *args)

    monkeypatch.setattr(panel, "process_view", watch)
    return names


class Phase:
    """
    A context manager that tells ``log`` when it is entered and left.
    """

    def __init__(self, log, name):
        self.log, self.name = log, name

    def __enter__(self):
        self.log.append(f"{self.name} +")

    def __exit__(self, *raised):
        self.log.append(f"{self.name} -")


@pytest.fixture
def phases(panel, monkeypatch):
    """
    The panel's phases as they are entered and left; the panel itself does nothing.
    """
    log = []
    for phase in ("view", "render"):
        monkeypatch.setattr(panel, f"process_{phase}", lambda self, *args, phase=phase: Phase(log, phase))
    return log
