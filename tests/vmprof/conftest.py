from __future__ import annotations

import pytest

from perf_panels.vmprof.live import Profile, sampled
from perf_panels.vmprof.modes import Choice, why_not_vmprof
from perf_panels.vmprof.reduce import explain, samples_of

LIVE = [
    pytest.param(engine, mode, id=f"{engine}-{mode}")
    for engine in ("vmprof", "sampler")
    for mode in ("cpu", "wall", "memory")
    if engine == "sampler" or not why_not_vmprof(mode)
]
"""Each engine in each mode that may run inside this Python."""


@pytest.fixture
def profile_of():
    """
    ``profile_of(engine, mode, call)`` returns the samples of a call, taken as those of a view.
    """

    def profile_of(engine, mode, call, period_ms=None):
        profile = Profile(Choice(mode, engine, period_ms or (0.99 if engine == "vmprof" else 4.0)), "GET /test/")
        with sampled(profile, "view"):
            profile.marked("view", call)()
        return explain(samples_of(profile))

    return profile_of
