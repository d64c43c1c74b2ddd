from __future__ import annotations

import asyncio
import gc
import sys
import threading

import pytest

from perf_panels import line_events
from perf_panels.exclusive import Busy
from perf_panels.line_events import Followed, Watch


class Log:
    """
    A watcher that writes down what it is told; lines count from the function's first.
    """

    def __init__(self, *, choose=()):
        self.log = []
        self.met_names = []
        self.called = []
        self.choose = {function.__code__ for function in choose}

    def start(self, code, frame):
        return LogRun(self, code)

    def met(self, code, frame):
        self.met_names.append(code.co_name)
        return code in self.choose

    def calls(self, code, frame, called):
        self.called.append(getattr(called, "co_name", None) or called.__name__)


class LogRun:
    def __init__(self, watcher, code):
        self.watcher, self.code = watcher, code
        self.say("start")

    def say(self, what):
        self.watcher.log.append((self.code.co_name, what))

    def line(self, line):
        self.say(line - self.code.co_firstlineno)

    def suspend(self, awaiting):
        self.say("await" if awaiting else "yield")

    def resume(self):
        self.say("resume")

    def end(self):
        self.say("end")


@pytest.fixture(autouse=True)
def _no_coverage(no_coverage):
    pass


@pytest.fixture
def log():
    return Log()


def watch(log, *functions, meet=False):
    return Watch([function.__code__ for function in functions], log, holder="a test", meet=meet)


def add(a, b):
    c = a + b
    return c  # noqa: RET504 - a line to be counted


def outer():
    return add(1, 2)


def calls_twice():
    add(1, 2)
    return add(3, 4)


def fails():
    raise ValueError("planned")


def letters():
    yield "a"
    yield "b"


async def sleeps():
    await asyncio.sleep(0)
    return 1


async def letters_later():
    await asyncio.sleep(0)
    yield "a"


def test_the_lines_of_a_chosen_function_are_told(log):
    with watch(log, add):
        outer()

    assert log.log == [("add", "start"), ("add", 1), ("add", 2), ("add", "end")]


def test_nothing_is_told_after_the_block(log):
    with watch(log, add):
        pass

    add(1, 2)

    assert log.log == []
    assert line_events.runs == {}


def test_an_exception_ends_an_activation(log):
    with watch(log, fails), pytest.raises(ValueError, match="planned"):
        fails()

    assert log.log == [("fails", "start"), ("fails", 1), ("fails", "end")]
    assert line_events.runs == {}


def test_a_generator_pauses_for_whoever_iterates(log):
    with watch(log, letters):
        list(letters())

    assert [what for _, what in log.log] == ["start", 1, "yield", "resume", 2, "yield", "resume", "end"]


def test_two_generators_of_one_function_are_told_apart(log):
    with watch(log, letters):
        first, second = letters(), letters()
        next(first)
        next(second)
        list(first)
        list(second)

    assert [what for _, what in log.log].count("start") == 2
    assert [what for _, what in log.log].count("end") == 2


def test_a_generator_goes_on_in_the_next_block(log):
    watching = watch(log, letters)
    generator = letters()
    with watching:
        next(generator)
    with watching:
        list(generator)

    assert [what for _, what in log.log][-5:] == ["resume", 2, "yield", "resume", "end"]


def test_a_generator_that_is_never_used_up_is_forgotten_at_the_end(log):
    watching = watch(log, letters)
    generator = letters()
    with watching:
        next(generator)

    watching.close()

    assert line_events.runs == {}
    generator.close()


async def test_a_coroutine_pauses_for_the_event_loop(log):
    with watch(log, sleeps):
        await sleeps()

    assert [what for _, what in log.log] == ["start", 1, "await", "resume", 2, "end"]


async def test_an_async_generator_pauses_for_both(log):
    with watch(log, letters_later):
        assert [each async for each in letters_later()] == ["a"]

    assert [what for _, what in log.log] == ["start", 1, "await", "resume", 2, "yield", "resume", "end"]


async def test_another_task_is_not_told(log):
    async def other():
        with watch(log, sleeps):
            await asyncio.sleep(0.001)

    await asyncio.gather(other(), sleeps())

    assert log.log == []


async def test_a_task_that_the_view_left_behind_chooses_nothing_any_more():
    left, another = Log(choose=[add]), Log(choose=[])
    go_on = asyncio.Event()

    async def goes_on():
        await go_on.wait()
        add(1, 2)

    async def view():
        with watch(left, outer, meet=True):
            return asyncio.create_task(goes_on())

    task = await asyncio.create_task(view())
    with watch(another, fails, meet=True):
        go_on.set()
        await task

    assert left.log == another.log == []
    assert line_events.runs == {}
    if sys.version_info >= (3, 12):
        assert line_events.engine.counts == {}


def test_another_thread_is_not_told(log):
    with watch(log, add):
        thread = threading.Thread(target=add, args=(1, 2))
        thread.start()
        thread.join()

    assert log.log == []


def test_two_threads_are_each_told_of_their_own():
    logs = [Log(), Log()]
    together = threading.Barrier(2)

    def work(log, times):
        together.wait(10)
        with watch(log, add):
            for _ in range(times):
                add(1, 2)

    threads = [threading.Thread(target=work, args=(log, times)) for log, times in zip(logs, (300, 500), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [len(log.log) for log in logs] == [300 * 4, 500 * 4]


def test_a_function_that_is_met_is_told_from_that_call_on():
    log = Log(choose=[add])
    with watch(log, outer, meet=True):
        outer()
        outer()

    of_add = [what for name, what in log.log if name == "add"]
    assert of_add == ["start", 1, 2, "end"] * 2
    assert log.met_names.count("add") == 1


def test_a_function_that_is_met_and_left_alone_is_shown_once():
    log = Log()
    with watch(log, outer, meet=True):
        for _ in range(5):
            outer()

    assert log.met_names.count("add") == 1


def test_a_coroutine_that_began_outside_is_not_met():
    log = Log()

    async def inside():
        with watch(log, add, meet=True):
            await asyncio.sleep(0)

    async def around():
        await inside()

    asyncio.run(around())

    assert not {"around", "inside"} & set(log.met_names)


def test_each_line_that_calls_what_was_left_alone_is_shown(log):
    with watch(log, calls_twice, meet=True):
        calls_twice()

    assert log.met_names.count("add") == 1
    # Where calls are events, the first is one too.
    assert log.called == ["add"] * (2 if sys.version_info >= (3, 12) else 1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")
def test_what_a_line_calls_is_shown(log):
    with watch(log, outer):
        outer()

    assert log.called == ["add"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")
def test_a_followed_generator_may_go_while_the_lock_is_held(log):
    generator = letters()
    followed = Followed(generator, generator.gi_frame, LogRun(log, letters.__code__))

    with line_events.engine.lock:
        # As when the collector runs in the middle of opening or leaving another watch.
        del generator
        gc.collect()

    with watch(log, add):
        assert followed.watch not in line_events.engine.watches
    assert sys.monitoring.get_tool(4) is None


def test_a_second_watch_of_the_same_context_is_refused_by_name(log):
    with watch(log, add), pytest.raises(Busy) as refused, watch(Log(), outer):
        pass

    assert refused.value.holder == "a test"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")
def test_the_tool_is_given_back(log):
    with watch(log, add):
        assert sys.monitoring.get_tool(4) == "perf_panels"

    assert sys.monitoring.get_tool(4) is None
    assert sys.monitoring.get_tool(3) is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")
def test_a_tool_id_of_somebody_else_is_left_to_them(log):
    sys.monitoring.use_tool_id(4, "another")
    try:
        with watch(log, add):
            add(1, 2)
            assert sys.monitoring.get_tool(3) == "perf_panels"
        assert sys.monitoring.get_tool(4) == "another"
    finally:
        sys.monitoring.free_tool_id(4)

    assert len(log.log) == 4


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="sys.settrace is not used")
def test_a_trace_function_of_somebody_else_is_not_replaced(log):
    def tracer(frame, event, arg):
        return None

    sys.settrace(tracer)
    try:
        with pytest.raises(Busy), watch(log, add):
            pass
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(None)
