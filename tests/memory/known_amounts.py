"""
A program of its own: takes and frees known amounts of memory under an engine, and prints what was measured as JSON.

One kind of memory a process: what is freed and kept by the allocator would be used again, and nothing would grow.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec

MIB = 1024**2
AMOUNTS = (1, 10, 100)
# Characters to make a string of 96 bytes, which is what a block of the allocator has; and a pointer in the list.
LENGTH = 96 - sys.getsizeof("")
STRING = 96 + 8


def touched(mib):
    data = b"x" * (mib * MIB)
    del data


def untouched(mib):
    data = bytes(mib * MIB)
    del data


def strings(mib):
    data = [
        f"{number:0>{LENGTH}}"
        for number in range(mib * MIB // STRING)
    ]  # fmt: skip
    del data


def array(mib):
    import numpy as np

    data = np.ones(mib * MIB // 8)
    del data


KINDS = {"touched": touched, "untouched": untouched, "strings": strings}
if find_spec("numpy"):
    KINDS["array"] = array


def main(engine_name, kind):
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from perf_panels.functions import target_of
    from perf_panels.memory.collect import Collection
    from perf_panels.memory.measurements import VIEW

    function = KINDS[kind]
    function(0)
    found = {}
    ballast = []
    for mib in AMOUNTS:
        # What is free in the allocator's arenas is filled first.
        ballast.append([f"{number:0>{LENGTH}}" for number in range((mib // 8 + 4) * MIB // STRING)])
        collection = Collection(engine_name, frames=1, holder="a test", targets=[target_of(function)])
        collection.start()
        with collection.phase(VIEW):
            function(mib)
        collection.stop()
        measured = collection.measurements()
        collection.release()
        metered = measured.lines or measured.allocations.metered
        lines = {line.line - function.__code__.co_firstlineno: line for line in metered.functions[0].lines}
        frees = max(lines)
        takes = max((number for number in lines if number != frees), key=lambda number: lines[number].spike_bytes)
        found[mib] = {
            "added": lines[takes].increment_bytes / MIB,
            "given back": -lines[frees].increment_bytes / MIB,
            "takes": takes,
            "peak": (measured.process.rss_peak_bytes - measured.process.rss_before_bytes) / MIB,
            "traced at peak": sum(row.peak_bytes for row in measured.allocations.rows if row.file == __file__) / MIB
            if measured.allocations
            else None,
        }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
