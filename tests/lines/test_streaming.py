"""
A streamed body is timed while it is sent, and added to what is stored.
"""

from __future__ import annotations

import sys
import threading

import pytest

from perf_panels import line_events
from tests.lines import shapes

HAS_MONITORING = sys.version_info >= (3, 12)

pytestmark = pytest.mark.django_db


def functions(stats):
    return {(each["name"], each["phase"]): [line["hits"] for line in each["lines"]] for each in stats["functions"]}


def finish():
    for thread in threading.enumerate():
        if thread.name == "perf-panels-afterwards":
            thread.join(20)


@pytest.mark.skipif(not HAS_MONITORING, reason="needs sys.monitoring")
@pytest.mark.django_db(transaction=True)
def test_the_lines_of_a_generator_are_timed_while_it_is_sent(ticked, stored):
    response = ticked.get("/streaming/")
    assert b"".join(response) == b"012"
    response.close()
    finish()

    (stats,) = stored()
    assert functions(stats) == {("streaming", "view"): [1], ("body", "response"): [4, 3]}
    assert stats["notes"] == []
    assert sys.monitoring.get_tool(4) is None
    assert not any(frame.f_code is shapes.body.__code__ for frame in line_events.runs)


@pytest.mark.skipif(not HAS_MONITORING, reason="needs sys.monitoring")
@pytest.mark.django_db(transaction=True)
def test_a_body_that_nobody_reads_lets_go_of_the_tool(ticked, stored):
    response = ticked.get("/streaming/")
    response.close()
    finish()

    (stats,) = stored()
    assert functions(stats) == {("streaming", "view"): [1]}
    assert sys.monitoring.get_tool(4) is None


@pytest.mark.skipif(HAS_MONITORING, reason="can be timed from Python 3.12 on")
def test_a_body_that_cannot_be_timed_is_said_to_be_missing(ticked, stored):
    ticked.get("/streaming/").close()

    (stats,) = stored()
    assert stats["notes"] == ["The body is sent after the view has returned, and was not timed."]
