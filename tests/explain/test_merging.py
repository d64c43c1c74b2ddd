from __future__ import annotations

from perf_panels.explain.merging import merged
from tests.explain.page_stats import card, group, node, plan, stats, trial


def rules_of(given):
    return [finding["rule"] for finding in merged(given)["findings"]]


def test_a_suggestion_that_was_tried_in_vain_is_no_finding_of_a_plan_made_later():
    explained_again = {"a": plan(node(), cards=[card()])}

    assert rules_of(stats(group(), plans=explained_again)) == ["full-scan-filter"]
    assert rules_of(stats(group(), plans=explained_again, trials={"try1": trial(helps=False)})) == []


def test_a_trial_that_could_not_be_made_takes_nothing_back():
    failed = {"error": "It takes a lock.", "helps": None, "used": None}

    assert rules_of(stats(group(), plans={"a": plan(node(), cards=[card()])}, trials={"try1": failed})) == [
        "full-scan-filter"
    ]
