"""
Known amounts, taken and freed in a fresh process, are reported within 10 % and at the right lines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.memory.known_amounts import AMOUNTS, KINDS

ROOT = Path(__file__).parents[2]
TAKES = {"touched": 1, "untouched": 1, "strings": 1, "array": 3}
# Of less, the C library's heap may have some left that was touched before.
UNTOUCHED = {10, 100}
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module", params=["lines", "allocations"])
def engine(request):
    return request.param


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def measured(engine, kind):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    environment.pop("COVERAGE_PROCESS_START", None)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.memory.known_amounts", engine, kind],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


# What the heap has left is used before the process grows: as much of a mebibyte of small strings, and less of others.
LEFT_MIB = {"strings": 0.3}


def within(amount, engine, kind):
    return pytest.approx(amount, rel=0.1, abs=LEFT_MIB.get(kind, 0.15) if engine == "lines" else 0.05)


@ON_LINUX
@pytest.mark.parametrize("mib", AMOUNTS)
def test_what_is_taken_is_reported_at_its_line(engine, kind, mib, measured):
    row = measured[str(mib)]

    if engine == "lines" and kind == "untouched" and mib not in UNTOUCHED:
        pytest.skip("too little to be asked of the system alone")

    # Resident memory has only what was touched: pages of zeros are not there yet.
    expected = 0 if engine == "lines" and kind == "untouched" else mib

    assert row["takes"] == TAKES[kind]
    assert row["added"] == within(expected, engine, kind)


@ON_LINUX
@pytest.mark.parametrize("mib", AMOUNTS)
def test_what_is_freed_is_reported_at_its_line(engine, kind, mib, measured):
    if engine == "lines" and (kind in {"strings", "array"} or (kind == "untouched" and mib not in UNTOUCHED)):
        pytest.skip("the allocator may keep some of what is freed")

    expected = 0 if engine == "lines" and kind == "untouched" else mib

    assert measured[str(mib)]["given back"] == within(expected, engine, kind)


@ON_LINUX
@pytest.mark.parametrize("mib", AMOUNTS)
def test_the_peak_is_known_although_it_is_over(engine, kind, mib, measured):
    row = measured[str(mib)]

    if engine == "allocations":
        assert row["traced at peak"] == within(mib, engine, kind)
    elif kind != "untouched":
        assert row["peak"] >= mib - max(0.1 * mib, LEFT_MIB.get(kind, 0.15))
