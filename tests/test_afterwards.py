from __future__ import annotations

import logging
import threading
from contextvars import copy_context

import pytest
from django.core.signals import request_finished

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
            afterwards.schedule(job)
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
        afterwards.schedule(lambda: ran.append(1))
        return list(ran)

    assert copy_context().run(request) == []
    assert ran == []


def test_a_request_without_jobs_starts_no_thread():
    assert after_a_request() is None


def test_jobs_run_once():
    ran = []

    def request():
        afterwards.schedule(lambda: ran.append(1))
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
        afterwards.schedule(lambda: ran.append("first"))

    copy_context().run(first)
    after_a_request(lambda: ran.append("second"))

    assert ran == ["second"]


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


def test_the_work_does_not_hold_up_the_end_of_the_server():
    daemons = []

    after_a_request(lambda: daemons.append(threading.current_thread().daemon))

    assert daemons == [True]


def test_installing_twice_listens_once():
    afterwards.install()

    listening = [each for each in request_finished.receivers if each[0][0] == "perf_panels.afterwards"]
    assert len(listening) == 1
