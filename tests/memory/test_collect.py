from __future__ import annotations

import sys
import time

import pytest

from perf_panels.memory.collect import Collection
from perf_panels.memory.measurements import ALLOCATIONS, LINES, RENDER, VIEW

MIB = 2**20


def take(mib):
    # More than 32 MiB: less may come out of what the C library has kept, and the process does not grow.
    taken = bytearray(mib * MIB)
    taken[::4096] = b"1" * len(taken[::4096])
    # Long enough for the sampler.
    time.sleep(0.03)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("engine", [LINES, ALLOCATIONS])
def test_what_runs_outside_the_view_and_the_render_is_no_peak_of_theirs(engine):
    collection = Collection(engine, frames=1, holder="a test", targets=[])
    collection.start()
    try:
        with collection.phase(VIEW):
            take(40)
        take(128)
        with collection.phase(RENDER):
            take(48)
        take(128)
        collection.stop()
        measured = collection.measurements()
    finally:
        collection.release()

    process = measured.process
    assert 45 <= (process.rss_peak_bytes - process.rss_before_bytes) / MIB <= 90
    if engine == ALLOCATIONS:
        assert 48 <= measured.allocations.peak_bytes / MIB <= 90
        assert measured.allocations.peak_seen_bytes <= measured.allocations.peak_bytes
