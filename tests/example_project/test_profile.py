"""
What was planted for the profiler is what it finds, by whichever engine this Python has.
"""

from __future__ import annotations

import pytest

from tests.example_project.pages import VMPROF

PLANTED = {
    "export": {"slow_money", "slow_slug"},
    "facets": {"SlowFacetsMixin.get_context_data", "get_context_data"},
}


@pytest.mark.parametrize("page", PLANTED)
def test_the_project_function_that_takes_most_is_the_planted_one(page, visit):
    def hot_functions(stats):
        return [finding for finding in stats[VMPROF]["findings"] if finding["rule"] == "hot-function"]

    _, stats = visit(f"/slow/{page}/", until=hot_functions)

    hot = hot_functions(stats)

    assert hot[0]["origin"]["function"] in PLANTED[page]
    assert "example_project/shop/" in hot[0]["origin"]["file"]
