from __future__ import annotations

import sys
import threading

import pytest

from perf_panels import exclusive
from perf_panels.exclusive import Busy, acquire, exclusively, release


@pytest.fixture(autouse=True)
def nothing_stays_held():
    yield
    assert exclusive._held == {}


def test_the_second_to_ask_is_told_who_has_it():
    with exclusively("tracemalloc", "GET /slow/home/"), pytest.raises(Busy) as refused:
        acquire("tracemalloc", "GET /slow/cart/")

    assert (refused.value.tool, refused.value.holder) == ("tracemalloc", "GET /slow/home/")
    assert str(refused.value) == "tracemalloc is in use by GET /slow/home/"


def test_a_refusal_leaves_the_holder_its_tool():
    with exclusively("tracemalloc", "the first"):
        with pytest.raises(Busy), exclusively("tracemalloc", "the second"):
            raise AssertionError
        with pytest.raises(Busy, match="the first"):
            acquire("tracemalloc", "the third")


def test_different_tools_are_held_side_by_side():
    with exclusively("vmprof", "a"), exclusively("tracemalloc", "b"):
        assert exclusive._held == {"vmprof": "a", "tracemalloc": "b"}


def test_a_tool_is_given_back_after_an_exception():
    with pytest.raises(ZeroDivisionError), exclusively("vmprof", "a"):
        raise ZeroDivisionError

    acquire("vmprof", "b")
    release("vmprof")


def test_of_many_threads_one_gets_it_and_none_waits():
    barrier, got, refused = threading.Barrier(20), [], []

    def ask(name):
        barrier.wait()
        try:
            acquire("vmprof", name)
            got.append(name)
        except Busy as busy:
            refused.append(busy.holder)

    threads = [threading.Thread(target=ask, args=(f"thread {number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 1
    assert refused == got * 19
    release("vmprof")


def test_giving_back_what_nobody_has_is_harmless():
    release("nothing")


def test_who_traces_is_named():
    before = sys.gettrace()

    def tracer(frame, event, arg):
        return None

    try:
        sys.settrace(tracer)
        name = exclusive.trace_holder()
    finally:
        sys.settrace(before)

    assert name == f"{__name__}.{tracer.__qualname__}"


def test_who_profiles_is_named_by_its_class_when_it_is_an_object():
    class Profiler:
        def __call__(self, frame, event, arg):
            return None

    before = sys.getprofile()
    try:
        sys.setprofile(Profiler())
        name = exclusive.profile_holder()
    finally:
        sys.setprofile(before)

    assert name == f"{__name__}.{Profiler.__qualname__}"


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring came with Python 3.12.")
def test_who_monitors_is_named():
    free = next(number for number in range(6) if sys.monitoring.get_tool(number) is None)
    assert exclusive.monitoring_holder(free) is None

    sys.monitoring.use_tool_id(free, "a debugger")
    try:
        assert exclusive.monitoring_holder(free) == "a debugger"
    finally:
        sys.monitoring.free_tool_id(free)


def test_without_monitoring_nobody_holds_it(monkeypatch):
    monkeypatch.delattr(sys, "monitoring", raising=False)

    assert exclusive.monitoring_holder(2) is None
