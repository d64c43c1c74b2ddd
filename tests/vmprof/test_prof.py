"""
vmprof's file format, against vmprof itself.
"""

from __future__ import annotations

import io
import struct

import pytest

from perf_panels.vmprof import prof
from perf_panels.vmprof.samples import Builder, Frame, Samples, Stack

VIEW, MONEY = Frame("/srv/shop/views.py", 3, "export", 9), Frame("/srv/shop/format.py", 12, "money:eu", 14)


def profile(mode="cpu"):
    builder = Builder()
    builder.add([VIEW], 12.5)
    builder.add([VIEW, MONEY], 2500.0, "render", rss_bytes=40 * 2**20)
    return Samples("vmprof", mode, "cpu", 0.5, builder.frames, builder.stacks)


@pytest.mark.parametrize("mode", ["cpu", "memory"])
def test_vmprof_reads_what_was_written(mode):
    reader = pytest.importorskip("vmprof.reader")

    state = reader._read_prof(io.BytesIO(prof.write(profile(mode))))

    names = dict(state.virtual_ips)
    weights = {}
    for trace, weight, _thread, _memory in state.profiles:
        stack = tuple(names[address] for address in trace)
        weights[stack] = weights.get(stack, 0) + weight * state.period / 1000
    view, money = "py:export:3:/srv/shop/views.py", "py:money line eu:12:/srv/shop/format.py"
    assert weights[view,] == pytest.approx(12.5)
    assert weights[view, money] == pytest.approx(2500)
    assert {memory for *_rest, memory in state.profiles} == ({0, 40 * 1024} if mode == "memory" else {0})


def test_a_profile_of_which_no_memory_is_kept_claims_none():
    samples = profile("memory")
    samples.stacks = [stack._replace(rss_bytes=None) for stack in samples.stacks]

    records = list(prof.read(prof.write(samples)))

    assert [record.rss_bytes for record in records] == [None] * 5
    assert records[-1].at_ns == pytest.approx(2512.5e6)


def test_names_that_are_no_text_are_written(tmp_path):
    vmprof = pytest.importorskip("vmprof")
    frame = Frame("/srv/caf\udce9/views.py", 3, "na\udce9", 9)
    path = tmp_path / "odd.prof"
    path.write_bytes(prof.write(Samples("vmprof", "cpu", "cpu", 1.0, [frame], [Stack((0,), 5.0, "view")])))

    tree = vmprof.read_profile(str(path)).get_tree()

    assert tree.name == r"py:na\udce9:3:/srv/caf\udce9/views.py"


def test_a_tree_can_be_made_of_it(tmp_path):
    vmprof = pytest.importorskip("vmprof")
    path = tmp_path / "shop.prof"
    path.write_bytes(prof.write(profile()))

    tree = vmprof.read_profile(str(path)).get_tree()

    assert tree.name == "py:export:3:/srv/shop/views.py"


def test_what_was_written_is_read_again():
    records = list(prof.read(prof.write(profile())))

    # The first stands for nothing; half a second at most of the long one is in each record.
    assert [len(record.codes) for record in records] == [0, 1, 2, 2, 2]
    assert records[-1].at_ns == pytest.approx(2512.5e6)


def test_a_record_that_was_cut_short_ends_the_file():
    data = prof.write(profile())
    start = data.index(struct.pack("<B2q", 1, 1, 1))

    assert len(list(prof.read(data[: start + 20]))) == 1


def test_a_record_without_its_memory_is_read_and_so_is_the_next():
    data = prof.write(profile("memory"))
    codes, at_ns = (16,), 5_000_000_000
    without = struct.pack("<B5q", 1, 1, 1, *codes, 1, at_ns)
    start = data.index(struct.pack("<B2q", 1, 1, 1))

    records = list(prof.read(data[:start] + without + data[start:]))

    assert (records[1].codes, records[1].rss_bytes, records[1].at_ns) == (codes, None, at_ns)
    assert records[-1].rss_bytes == 40 * 2**20


def test_another_format_is_refused():
    data = prof.write(profile()).replace(struct.pack(">hB", 7, 0), struct.pack(">hB", 9, 0), 1)

    with pytest.raises(ValueError, match="format 9"):
        list(prof.read(data))


def test_a_hundred_thousand_samples_are_read_in_time():
    import time

    builder = Builder()
    frames = [Frame(f"/srv/{number}.py", number, "f") for number in range(40)]
    for number in range(100_000):
        builder.add(frames[number % 7 :], 1.0)
    data = prof.write(Samples("vmprof", "cpu", "cpu", 1.0, builder.frames, builder.stacks))

    began = time.process_time()
    count = sum(1 for _ in prof.read(data))

    assert count == 100_001
    assert time.process_time() - began < 2
