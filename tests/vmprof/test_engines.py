"""
What both engines promise: true shares, the right thread, nothing left behind.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from perf_panels import exclusive
from perf_panels.vmprof import live, modes, sampler
from perf_panels.vmprof.live import Profile, sampled
from perf_panels.vmprof.modes import Choice
from perf_panels.vmprof.reduce import explain, samples_of
from tests.vmprof.conftest import LIVE
from tests.vmprof.shares import busy, half, known, share_of, third

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork beside threads
VMPROF = [param for param in LIVE if param.values[0] == "vmprof"]
# A thousand samples where there is a quiet core.
ENOUGH_S = {("vmprof", "cpu"): 4.2, ("vmprof", "wall"): 1.0, ("sampler", "cpu"): 4.5, ("sampler", "wall"): 2.5}


def run(script, *arguments):
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), *arguments]
    root = Path(__file__).parents[2]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=root, timeout=30)


def on_the_cpu():
    known(0.25, rounds=5)


def asleep():
    busy(0.03)
    time.sleep(0.2)


@pytest.mark.parametrize(("engine_name", "mode"), [param for param in LIVE if param.values[1] != "memory"])
def test_known_shares_are_found_within_five_points(profile_of, engine_name, mode):
    # On a busy machine the shares of one clock are not those of the other.
    clock = time.thread_time if mode == "cpu" else time.perf_counter
    samples = profile_of(engine_name, mode, lambda: known(ENOUGH_S[engine_name, mode], clock=clock))

    assert samples.count >= (700 if mode == "cpu" else 300)
    assert share_of(samples, "half") == pytest.approx(0.5, abs=0.05)
    assert share_of(samples, "third") == pytest.approx(0.3, abs=0.05)
    assert share_of(samples, "fifth") == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_the_weights_add_up_to_what_was_measured(profile_of, engine_name, mode):
    samples = profile_of(engine_name, mode, on_the_cpu)

    assert samples.total_ms == pytest.approx(samples.phases_ms["view"])
    assert samples.cpu_ms == pytest.approx(250, rel=0.3)
    assert samples.count > 20


@pytest.mark.parametrize(("engine_name", "mode"), [param for param in LIVE if param.values[1] == "cpu"])
def test_a_sleep_is_nothing_in_cpu_mode_and_the_notes_say_where_it_went(profile_of, engine_name, mode):
    samples = profile_of(engine_name, mode, asleep)

    sleeping = [stack for stack in samples.stacks if samples.frames[stack.frames[-1]].function == "asleep"]
    assert sum(stack.weight_ms for stack in sleeping) < 5
    assert samples.total_ms < 60
    assert any("were not on the CPU: try wall mode" in note for note in samples.notes)


@pytest.mark.parametrize(("engine_name", "mode"), [param for param in LIVE if param.values[1] == "wall"])
def test_a_sleep_is_seen_in_wall_mode(profile_of, engine_name, mode):
    samples = profile_of(engine_name, mode, asleep)

    sleeping = [stack for stack in samples.stacks if samples.frames[stack.frames[-1]].function == "asleep"]
    assert sum(stack.weight_ms for stack in sleeping) == pytest.approx(200, abs=25)
    assert not any("wall mode" in note for note in samples.notes)


@pytest.mark.parametrize(("engine_name", "mode"), [param for param in LIVE if param.values[1] == "memory"])
def test_memory_mode_follows_what_is_allocated(profile_of, engine_name, mode):
    def grows():
        busy(0.05)
        # From the system itself: malloc may have as much left of other tests.
        kept = mmap.mmap(-1, 40 * 2**20)
        for _ in range(40):
            kept.write(bytes(2**20))
        busy(0.05)
        return kept

    samples = profile_of(engine_name, mode, grows)

    curve = [stack.rss_bytes for stack in samples.stacks if stack.rss_bytes]
    assert len(curve) > 10
    assert curve[-1] - curve[0] == pytest.approx(40 * 2**20, rel=0.25)
    times = [stack.at_ms for stack in samples.stacks]
    assert times == sorted(times)


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_other_threads_are_left_out(profile_of, engine_name, mode):
    stop = threading.Event()

    def other_work():
        while not stop.is_set():
            busy(0.005)

    thread = threading.Thread(target=other_work)
    thread.start()

    samples = profile_of(engine_name, mode, on_the_cpu)

    stop.set()
    thread.join()
    names = {frame.function for frame in samples.frames}
    assert not any("other_work" in name for name in names)
    assert {"half", "third", "fifth"} <= names
    if engine_name == "vmprof":
        # Not sampled, not even to be left out: a signal to another thread would not be safe. What may be there is this
        # thread on its way to the marker.
        assert samples.other_threads <= samples.count / 20


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_frames_begin_with_the_view_and_none_is_ours(profile_of, engine_name, mode):
    samples = profile_of(engine_name, mode, on_the_cpu)

    assert {samples.frames[stack.frames[0]].function for stack in samples.stacks} == {"on_the_cpu"}
    lines = {frame.line for frame in samples.frames if frame.function == "known"}
    assert lines
    assert None not in lines


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_equal_code_in_two_files_is_told_apart(profile_of, engine_name, mode):
    source = "def work(busy, seconds):\n    busy(seconds)\n"
    works = []
    for name in ("first", "second"):
        found = {}
        exec(compile(source, f"/srv/{name}/helpers.py", "exec"), found)
        works.append(found["work"])

    samples = profile_of(engine_name, mode, lambda: (works[0](busy, 0.1), works[1](busy, 0.1)))

    files = {frame.file for frame in samples.frames if frame.function == "work"}
    assert files == {"/srv/first/helpers.py", "/srv/second/helpers.py"}


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_nothing_is_left_open_and_signals_are_as_before(profile_of, engine_name, mode):
    profile_of(engine_name, mode, on_the_cpu)
    wait_for_samplers()
    before = (descriptors(), sys.getswitchinterval(), ignored_signals())

    for _ in range(20):
        profile_of(engine_name, mode, lambda: busy(0.01))
    wait_for_samplers()

    assert (descriptors(), sys.getswitchinterval(), ignored_signals()) == before
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGPROF) == signal.SIG_DFL


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_an_exception_of_the_view_stops_the_engine(engine_name, mode):
    profile = Profile(Choice(mode, engine_name, 4.0), "GET /fails/")

    def fails():
        raise ValueError("the view's own")

    with pytest.raises(ValueError, match="the view's own"), sampled(profile, "view"):
        profile.marked("view", fails)()

    exclusive.acquire(live.TOOL, "the next request")
    exclusive.release(live.TOOL)
    assert samples_of(profile).phases_ms["view"] < 1000


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_a_child_process_may_be_started_while_sampling(profile_of, engine_name, mode):
    outputs = []

    def forks():
        outputs.append(subprocess.run(["echo", "child"], capture_output=True, check=True).stdout)
        child = os.fork()
        if child == 0:
            os._exit(7)
        outputs.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        busy(0.05)

    samples = profile_of(engine_name, mode, forks)

    assert outputs == [b"child\n", 7]
    assert "busy" in {frame.function for frame in samples.frames}


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_a_child_process_may_leave_the_view_by_an_exception(engine_name, mode):
    script = """
        import os, sys
        from perf_panels.vmprof.live import Profile, sampled
        from perf_panels.vmprof.modes import Choice

        def forks():
            child = os.fork()
            if child == 0:
                sys.exit(7)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

        profile = Profile(Choice(sys.argv[1], sys.argv[2], 0.99), "GET /forks/")
        with sampled(profile, "view"):
            print(profile.marked("view", forks)())
    """
    ended = run(script, mode, engine_name)

    assert (ended.returncode, ended.stdout) == (0, "7\n"), ended.stderr


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_a_view_may_handle_the_signals_itself(engine_name, mode):
    script = """
        import signal, sys, time
        from django.conf import settings
        settings.configure(USE_I18N=False)
        from perf_panels.vmprof.live import Profile, sampled
        from perf_panels.vmprof.modes import Choice
        from tests.vmprof.shares import busy

        arrived = []

        def handles():
            for number in (signal.SIGALRM, signal.SIGPROF):
                before = signal.signal(number, lambda number, frame: arrived.append(number))
                busy(0.05)
                signal.signal(number, before)
                assert before == signal.SIG_DFL
            signal.signal(signal.SIGALRM, lambda number, frame: arrived.append(number))
            busy(0.05)
            assert arrived == []
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            busy(0.05)

        profile = Profile(Choice(sys.argv[1], sys.argv[2], 0.99), "GET /handles/")
        with sampled(profile, "view"):
            profile.marked("view", handles)()
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(0.05)
        print(len(arrived), signal.signal(signal.SIGPROF, signal.SIG_DFL) == signal.SIG_DFL, profile.notes)
    """
    ended = run(script, mode, engine_name)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("2 True")
    assert ("set a handler" in ended.stdout) == (engine_name == "vmprof")


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_system_calls_that_are_interrupted_come_to_their_end(profile_of, engine_name, mode):
    waited = []
    readable, writable = os.pipe()

    def waits():
        began = time.monotonic()
        time.sleep(0.05)
        threading.Event().wait(0.05)
        waited.append(time.monotonic() - began)
        threading.Timer(0.05, os.write, [writable, b"arrived"]).start()
        waited.append(os.read(readable, 10))

    profile_of(engine_name, mode, waits)

    os.close(readable)
    os.close(writable)
    assert waited[0] >= 0.1
    assert waited[1] == b"arrived"


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
def test_a_debugger_keeps_its_trace_function_and_is_named(profile_of, engine_name, mode):
    lines = []

    def tracer(frame, event, argument):
        lines.append(event)
        return tracer if frame.f_code is traced.__code__ else None

    def traced():
        number = 0
        for value in range(50):
            number += value
        return number

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        samples = profile_of(engine_name, mode, traced)
        after = sys.gettrace()
    finally:
        sys.settrace(before)

    assert after is tracer
    assert lines.count("line") > 50
    assert any("was active in this request" in note for note in samples.notes)


@pytest.mark.parametrize(("engine_name", "mode"), LIVE)
async def test_an_async_view_is_seen_only_while_its_own_task_runs(engine_name, mode):
    profile = Profile(Choice(mode, engine_name, 0.99 if engine_name == "vmprof" else 4.0), "GET /async/")

    async def view():
        for _ in range(10):
            half(0.02)
            await asyncio.sleep(0.005)

    async def other_task():
        for _ in range(10):
            third(0.02)
            await asyncio.sleep(0.005)

    with sampled(profile, "view"):
        await asyncio.gather(profile.marked("view", view)(), other_task())
    samples = explain(samples_of(profile))

    names = {frame.function for frame in samples.frames}
    assert "half" in names
    assert "third" not in names
    assert samples.cpu_ms == pytest.approx(100, rel=0.3)
    assert samples.waiting_ms > 50
    assert any("An async view" in note for note in samples.notes)


def test_a_thread_that_ends_while_it_is_looked_at_ends_its_sampler():
    def gone():
        raise OSError("Invalid argument")

    session = sampler.Session(0.001, memory=False)
    session._cpu_ns = gone

    session._thread.join(5)

    # pytest fails a test whose thread has raised.
    assert not session._thread.is_alive()
    session.stop()


async def test_a_cancelled_async_view_sees_its_cancellation():
    profile = Profile(Choice("cpu", "sampler", 4.0), "GET /async/")
    seen = []

    async def view():
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def profiled():
        with sampled(profile, "view"):
            await profile.marked("view", view)()

    task = asyncio.ensure_future(profiled())
    await asyncio.sleep(0.01)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert seen == ["cancelled"]


def test_a_second_request_is_served_and_told_who_has_the_profiler():
    first, second = Profile(modes.choose("cpu", 0.99), "GET /first/"), Profile(modes.choose("cpu", 0.99), "GET /2/")

    with sampled(first, "view"), sampled(second, "view"):
        answer = second.marked("view", lambda: "served")()

    assert answer == "served"
    assert "GET /first/ was being profiled" in second.refused
    assert second.phases == []
    assert [recorded.phase for recorded in first.phases] == ["view"]


def test_a_render_that_finds_the_profiler_taken_leaves_a_note_beside_the_view():
    profile = Profile(modes.choose("cpu", 0.99), "GET /first/")
    with sampled(profile, "view"):
        profile.marked("view", on_the_cpu)()

    with exclusive.exclusively(live.TOOL, "GET /other/"), sampled(profile, "render"):
        pass

    assert not profile.refused
    assert profile.notes == ["The render was not sampled: by then GET /other/ was being profiled."]


@pytest.mark.parametrize(("engine_name", "mode"), VMPROF)
def test_the_sampler_that_takes_the_place_of_vmprof_is_not_faster_than_its_setting(profile_of, engine_name, mode):
    number = signal.SIGPROF if mode == "cpu" else signal.SIGALRM
    before = signal.signal(number, lambda number, frame: None)
    try:
        samples = profile_of(engine_name, mode, lambda: busy(0.3), period_ms=0.5)
    finally:
        signal.signal(number, before)

    assert samples.engine == "sampler"
    assert samples.count <= samples.wall_ms / modes.sampler_period_ms(0.5) + 1


@pytest.mark.parametrize(("engine_name", "mode"), VMPROF)
def test_a_stack_deeper_than_vmprof_records_keeps_its_time_and_its_end(profile_of, engine_name, mode):
    clock = time.thread_time if mode == "cpu" else time.perf_counter

    def deep(left):
        return deep(left - 1) if left else half(0.6, clock)

    samples = profile_of(engine_name, mode, lambda: (deep(700), third(1, clock)))

    assert share_of(samples, "half") == pytest.approx(0.5, abs=0.1)
    assert samples.other_threads <= samples.count / 20
    assert any("deeper than vmprof records" in note for note in samples.notes)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="frames do not lie in chunks")
@pytest.mark.parametrize(("engine_name", "mode"), VMPROF)
def test_generators_made_at_any_depth_do_not_crash_the_process(engine_name, mode):
    command = [sys.executable, "-m", "tests.vmprof.unlucky", mode]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, cwd=Path(__file__).parents[2])

    assert ended.returncode == 0, ended.stderr[-1000:]
    assert int(ended.stdout) > 1000


@pytest.mark.parametrize(("engine_name", "mode"), VMPROF)
def test_the_applications_own_handler_is_left_alone_and_the_safe_sampler_steps_in(profile_of, engine_name, mode):
    number = signal.SIGPROF if mode == "cpu" else signal.SIGALRM
    rung = []
    before = signal.signal(number, lambda *_: rung.append(1))
    try:
        samples = profile_of(engine_name, mode, on_the_cpu)
        signal.raise_signal(number)
    finally:
        signal.signal(number, before)

    assert rung == [1]
    assert samples.engine == "sampler"
    assert any(f"a handler for {number.name}" in note for note in samples.notes)


@pytest.mark.parametrize(("engine_name", "mode"), VMPROF)
def test_the_applications_own_timer_goes_on(profile_of, engine_name, mode):
    timer = signal.ITIMER_PROF if mode == "cpu" else signal.ITIMER_REAL
    signal.setitimer(timer, 100)
    try:
        samples = profile_of(engine_name, mode, on_the_cpu)
        left, _interval = signal.getitimer(timer)
    finally:
        signal.setitimer(timer, 0)

    assert 90 < left <= 100
    assert samples.engine == "sampler"
    assert any("a timer that sends" in note for note in samples.notes)


@pytest.mark.parametrize(("engine_name", "mode"), VMPROF)
def test_an_ignored_signal_is_ignored_again(profile_of, engine_name, mode):
    number = signal.SIGPROF if mode == "cpu" else signal.SIGALRM
    before = signal.signal(number, signal.SIG_IGN)
    try:
        ignored = ignored_signals()
        profile_of(engine_name, mode, on_the_cpu)

        assert ignored_signals() == ignored
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(("engine_name", "mode"), VMPROF[:1])
def test_a_vmprof_of_the_application_is_not_stopped(profile_of, engine_name, mode, tmp_path):
    import vmprof

    with (tmp_path / "theirs").open("w+b") as theirs:
        vmprof.enable(theirs.fileno(), 0.01, native=False)
        try:
            samples = profile_of(engine_name, mode, on_the_cpu)
            still = vmprof.is_enabled()
        finally:
            vmprof.disable()

    assert still
    assert samples.engine == "sampler"
    assert any("vmprof was started by the application itself" in note for note in samples.notes)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def ignored_signals():
    with open("/proc/self/status") as status:  # noqa: PTH123 - a kernel's file
        return next(line for line in status if line.startswith("SigIgn"))


def wait_for_samplers():
    for thread in threading.enumerate():
        if thread.name == "perf-panels-sampler":
            thread.join(2)
