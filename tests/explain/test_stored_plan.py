from __future__ import annotations

import pytest

from perf_panels.explain import stored_plan
from tests.explain.page_stats import card, failed, node, plan

BEFORE = plan(node(), cards=[card()])
REFUSED = stored_plan.failed("The database answered: statement timeout.")
HALF = plan(state="failed", problem="Stopped.", text="{", cards=[card(rule="partial-plan", sql=None)])


@pytest.mark.parametrize("made", [REFUSED, HALF], ids=["refused", "half a plan"])
def test_a_plan_stays_where_the_next_one_was_not_made(made):
    kept = stored_plan.renewed(BEFORE, made)

    assert kept == BEFORE | {"problem": f"{made['problem']} The plan made before is kept."}


@pytest.mark.parametrize(
    ("before", "made"),
    [
        (None, REFUSED),
        (failed("The server is gone."), REFUSED),
        (BEFORE, plan(node(), state="analyzed")),
        (BEFORE, plan(state="failed", problem="It is not JSON.", text="-> Table scan")),
    ],
    ids=["no plan before", "no plan before but a failure", "a plan", "a text to read"],
)
def test_what_was_made_takes_its_place(before, made):
    assert stored_plan.renewed(before, made) == made
