"""
Statement by statement, with a memory that does what the test says: what each statement adds, and how high it goes.
"""

from __future__ import annotations

import asyncio
import threading

import pytest

from perf_panels import line_events
from perf_panels.functions import target_of
from perf_panels.memory.line_engine import MAX_CALLS, Meter
from perf_panels.memory.source import spans

pytestmark = pytest.mark.usefixtures("no_coverage")


class Memory:
    """
    Bytes in use, and the most since they were read.
    """

    def __init__(self):
        self.now = self.high = 1_000

    def take(self, size):
        self.now += size
        self.high = max(self.high, self.now)

    def read(self):
        high, self.high = self.high, self.now
        return self.now, high


class OfTheTest(Meter):
    def met(self, code, frame):
        return code is not Memory.take.__code__ and super().met(code, frame)


memory = Memory()
take = memory.take


@pytest.fixture(autouse=True)
def _empty():
    memory.__init__()


def metered(function, *args, budget=10_000, run=None):
    """
    Run ``function`` and return {its name: {line counted from its def: statement}}, and the meter's result.
    """
    meter = OfTheTest(memory.read, budget, [target_of(function)])
    with line_events.Watch([function.__code__], meter, holder="a test", meet=True):
        (run or function)(*args)
    result = meter.result("test")
    lines = {
        each.function.rpartition(".")[2]: {line.line - each.first_line: line for line in each.lines}
        for each in result.functions
    }
    return lines, result


def test_a_statement_is_charged_with_what_it_adds():
    def view():
        take(100)
        take(-40)

    lines, _ = metered(view)

    assert [(number, line.increment_bytes) for number, line in lines["view"].items()] == [(1, 100), (2, -40)]


def test_the_first_reading_is_the_baseline_and_no_increment():
    def view():
        pass

    lines, result = metered(view)

    assert result.functions[0].baseline_bytes == 1_000
    assert lines["view"][1].increment_bytes == 0


def test_what_is_taken_and_given_back_within_a_statement_is_its_spike():
    def view():
        take(500), take(-500)
        take(10)

    lines, _ = metered(view)

    assert (lines["view"][1].increment_bytes, lines["view"][1].spike_bytes, lines["view"][1].peak_bytes) == (
        0,
        500,
        1_500,
    )
    assert lines["view"][2].spike_bytes == 10


def test_a_loop_adds_up_its_rounds():
    def view():
        for _ in range(3):
            take(7)

    lines, _ = metered(view)

    assert (lines["view"][2].hits, lines["view"][2].increment_bytes) == (3, 21)
    assert lines["view"][1].increment_bytes == 0


def test_a_comprehension_over_several_lines_is_one_statement():
    def view():
        return [
            take(1)
            for _ in range(50)
            if True
        ]  # fmt: skip

    lines, result = metered(view)

    (statement,) = lines["view"].values()
    assert (statement.line - result.functions[0].first_line, statement.increment_bytes, statement.hits) == (1, 50, 1)
    assert statement.last_line == statement.line + 4
    assert result.events < 15


def inner(size):
    take(size)


def test_what_a_called_function_adds_is_in_its_callers_line_and_named_as_not_its_own():
    def view():
        inner(64)
        take(1)

    lines, _ = metered(view)

    assert (lines["view"][1].increment_bytes, lines["view"][1].inner_bytes) == (64, 64)
    assert lines["inner"][1].increment_bytes == 64
    assert lines["view"][2].inner_bytes == 0


def frees(size):
    take(size)
    take(-size)


def test_a_spike_inside_a_called_function_is_seen_in_its_callers_line():
    def view():
        frees(900)

    lines, _ = metered(view)

    assert (lines["view"][1].increment_bytes, lines["view"][1].spike_bytes, lines["view"][1].inner_spike_bytes) == (
        0,
        900,
        900,
    )


def own_spike(line):
    return line.spike_bytes - line.inner_spike_bytes


def test_what_is_built_for_the_arguments_of_a_call_is_the_statements_own():
    def view():
        inner(take(700)), take(-700)

    def inner(nothing):
        take(20)

    lines, _ = metered(view)

    assert lines["view"][1].spike_bytes == 720
    assert own_spike(lines["view"][1]) == 700


def test_what_one_call_has_left_is_not_the_statements_own_when_the_next_is_made():
    def view():
        inner(300), inner(400), take(5)

    lines, _ = metered(view)

    assert (lines["view"][1].spike_bytes, own_spike(lines["view"][1])) == (705, 5)


def test_what_is_given_back_before_a_call_is_the_statements_own_spike():
    def view():
        take(800), take(-800), frees(900)

    lines, _ = metered(view)

    assert (lines["view"][1].spike_bytes, own_spike(lines["view"][1])) == (900, 800)


def recurse(depth):
    take(10)
    if depth:
        recurse(depth - 1)


def test_recursion_counts_its_growth_once():
    lines, result = metered(recurse, 4)

    assert sum(line.increment_bytes for line in lines["recurse"].values()) == 50
    assert (result.functions[0].calls, result.functions[0].deepest) == (5, 5)


def rows():
    take(5)
    yield 1
    take(6)
    yield 2


def test_a_generator_is_not_charged_with_what_happens_between_its_values():
    def view():
        for _ in rows():
            take(1_000)

    lines, result = metered(view)

    assert [line.increment_bytes for line in lines["rows"].values()] == [5, 0, 6, 0]
    assert lines["view"][2].increment_bytes == 2_000
    assert lines["view"][1].increment_bytes == 11
    assert {each.kind for each in result.functions} == {"function", "generator"}


async def work(size):
    take(size)
    await asyncio.sleep(0)
    take(size)


def test_interleaved_coroutines_do_not_mix():
    async def view():
        await asyncio.gather(work(3), other(1_000))

    async def other(size):
        take(size)
        await asyncio.sleep(0)
        take(size)

    lines, _ = metered(view, run=lambda: asyncio.run(view()))

    assert [line.increment_bytes for line in lines["work"].values()] == [3, 0, 3]
    assert [line.increment_bytes for line in lines["other"].values()] == [1_000, 0, 1_000]


def test_an_exception_closes_the_accounts():
    def view():
        try:
            fails()
        except ValueError:
            take(1)

    def fails():
        take(9)
        raise ValueError

    lines, _ = metered(view)

    assert [line.increment_bytes for line in lines["fails"].values()] == [9, 0]
    assert (lines["view"][2].increment_bytes, lines["view"][4].increment_bytes) == (9, 1)


def test_other_threads_are_not_counted():
    def view():
        thread = threading.Thread(target=inner, args=(5,), name="somebody")
        thread.start()
        thread.join()

    lines, result = metered(view)

    assert "inner" not in lines
    assert result.threads == [threading.current_thread().name]


def test_the_budget_stops_the_counting_and_says_so():
    def view():
        for _ in range(1_000):
            take(1)
        take(5_000)

    lines, result = metered(view, budget=100)

    assert result.budget_hit
    assert result.events == 100
    assert lines["view"][2].increment_bytes < 60
    assert 3 not in lines["view"]


def many():
    take(1)


def test_a_function_that_was_only_met_is_measured_for_its_first_calls():
    def view():
        for _ in range(1_500):
            many()

    lines, result = metered(view)
    (met,) = (each for each in result.functions if each.function == "many")

    assert met.limited
    assert lines["many"][1].increment_bytes == MAX_CALLS
    assert lines["view"][2].increment_bytes == 1_500


def test_an_exception_of_ours_never_reaches_the_view():
    def view():
        take(1)
        readings.clear()
        take(2)
        return "the view's own"

    readings = [1_000]
    meter = OfTheTest(lambda: (readings[0], readings[0]), 100, [target_of(view)])
    with line_events.Watch([view.__code__], meter, holder="a test", meet=True):
        answer = view()

    assert answer == "the view's own"
    assert isinstance(meter.failure, IndexError)


def test_the_cost_of_a_line_is_measured():
    def view():
        take(1)

    _, result = metered(view)

    assert 0 < result.event_us < 1_000


SOURCE = """\
@decorated(
    1)
def one(
    a,
):
    call(
        a,
    )
    if (a and
            a):
        a = 1
    try:
        pass
    except (ValueError,
            TypeError):
        pass
"""


def test_only_the_head_of_a_compound_statement_is_one(tmp_path):
    file = tmp_path / "source.py"
    file.write_text(SOURCE)

    found = spans(str(file))

    assert {found[line] for line in found} == {(1, 5), (6, 8), (9, 10), (14, 15)}


@pytest.mark.parametrize("source", ["def broken(", "\0"])
def test_a_source_that_cannot_be_read_has_no_statements_of_several_lines(tmp_path, source):
    file = tmp_path / "source.py"
    file.write_text(source)

    assert spans(str(file)) == {}
    assert spans(str(tmp_path / "missing.py")) == {}
