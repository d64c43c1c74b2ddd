"""
Why two ways of counting differ: only what these very numbers prove.
"""

from __future__ import annotations

import pytest

from perf_panels.memory.disagreement import disagreement

MIB = 2**20


def stored(*, budget_hit):
    line = {"increment_bytes": 0, "spike_bytes": 0}
    return {
        "engine": "lines",
        "process": {"reading": "/proc/self/statm", "noise_bytes": 65_536},
        "functions": [{"lines": [line]}],
        "rise_bytes": 19 * MIB,
        "meter": {"budget_hit": budget_hit, "events": 200_000},
    }


@pytest.mark.parametrize(
    ("budget_hit", "reason"),
    [(False, "outside of the measured functions"), (True, "the readings had ended after 200,000 line events")],
)
def test_growth_that_no_statement_accounts_for_is_put_down_to_what_is_known(budget_hit, reason):
    said = disagreement(stored(budget_hit=budget_hit))

    assert "19.0 MiB" in said
    assert reason in said
    assert ("outside" in said) is not budget_hit
