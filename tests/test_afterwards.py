from __future__ import annotations

import asyncio
import logging
import pickle
import threading
from contextvars import copy_context

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished
from django.db import OperationalError
from django.http import HttpResponse
from django.urls import path

from perf_panels import afterwards


@pytest.fixture(autouse=True)
def installed():
    afterwards.install()


def after_a_request(*jobs):
    """
    Schedule jobs as a request would, end it, and wait for its thread; return that thread's name, or None.
    """
    before = set(threading.enumerate())

    def request():
        for job in jobs:
            afterwards.schedule(job, HttpResponse())
        # Signals of the tests' own database would close its connection.
        afterwards._start()

    copy_context().run(request)
    started = [thread for thread in threading.enumerate() if thread not in before]
    for thread in started:
        thread.join(5)
    return started[0].name if started else None


def test_jobs_run_in_order_in_a_thread_of_their_own():
    ran = []

    after_a_request(
        lambda: ran.append(("first", threading.current_thread().name)),
        lambda: ran.append(("second", threading.current_thread().name)),
    )

    assert ran == [("first", "perf-panels-afterwards"), ("second", "perf-panels-afterwards")]


def test_nothing_runs_before_the_request_is_over():
    ran = []

    def request():
        afterwards.schedule(lambda: ran.append(1), HttpResponse())
        return list(ran)

    assert copy_context().run(request) == []
    assert ran == []


def test_a_request_without_jobs_starts_no_thread():
    assert after_a_request() is None


def test_jobs_run_once():
    ran = []

    def request():
        afterwards.schedule(lambda: ran.append(1), HttpResponse())
        afterwards._start()
        afterwards._start()

    copy_context().run(request)
    for thread in threading.enumerate():
        if thread.name == "perf-panels-afterwards":
            thread.join(5)

    assert ran == [1]


def test_a_request_does_not_run_the_jobs_of_another():
    ran = []

    def first():
        afterwards.schedule(lambda: ran.append("first"), HttpResponse())

    copy_context().run(first)
    after_a_request(lambda: ran.append("second"))

    assert ran == ["second"]


RAN = threading.Event()


def schedules(request):
    response = HttpResponse("made in one task, closed in another")
    afterwards.schedule(RAN.set, response)
    return response


urlpatterns = [path("schedules/", schedules)]


async def test_the_work_of_an_asgi_request_is_done_too(settings):
    settings.ROOT_URLCONF, settings.MIDDLEWARE = __name__, []
    scope = {"type": "http", "method": "GET", "path": "/schedules/", "headers": [], "query_string": b""}
    RAN.clear()
    browser = ApplicationCommunicator(ASGIHandler(), scope)

    await browser.send_input({"type": "http.request"})
    assert (await browser.receive_output(5))["status"] == 200
    await browser.receive_output(5)
    await browser.wait(5)

    assert await asyncio.to_thread(RAN.wait, 5)


def test_a_cached_response_has_nothing_of_it():
    response = HttpResponse("kept")
    copy_context().run(afterwards.schedule, RAN.set, response)
    RAN.clear()

    pickled = pickle.dumps(response)
    for closer in pickle.loads(pickled)._resource_closers:
        closer()

    assert b"perf_panels" not in pickled
    assert not RAN.is_set()


def test_a_job_that_fails_is_logged_and_the_next_one_runs(caplog):
    ran = []

    def fails():
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR, "perf_panels"):
        after_a_request(fails, lambda: ran.append(1))

    assert ran == [1]
    (record,) = caplog.records
    assert record.message == "A panel could not finish its work after the response"
    assert record.exc_info[0] is ZeroDivisionError


def test_a_locked_store_is_one_line_that_names_the_remedy(caplog):
    def fails():
        raise OperationalError("database is locked")

    with caplog.at_level(logging.WARNING, "perf_panels"):
        after_a_request(fails)

    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "perf_panels.W005" in record.message


def test_another_error_of_a_database_has_its_traceback(caplog):
    def fails():
        raise OperationalError("disk I/O error")

    with caplog.at_level(logging.WARNING, "perf_panels"):
        after_a_request(fails)

    (record,) = caplog.records
    assert record.exc_info[0] is OperationalError


def test_the_work_does_not_hold_up_the_end_of_the_server():
    daemons = []

    after_a_request(lambda: daemons.append(threading.current_thread().daemon))

    assert daemons == [True]


def test_installing_twice_listens_once():
    afterwards.install()

    listening = [each for each in request_finished.receivers if each[0][0] == "perf_panels.afterwards"]
    assert len(listening) == 1
