"""
The printed code, applied: it runs, gives the same results, and the finding is gone.
"""

from __future__ import annotations

import pytest
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, Sum

from perf_panels.nplusone import watch
from tests.nplusone.corpus import LOADS, SCOPE_MODELS

pytestmark = pytest.mark.usefixtures("stocked")

SCOPE = SCOPE_MODELS | {
    "Count": Count, "Exists": Exists, "OuterRef": OuterRef, "Prefetch": Prefetch, "Q": Q, "Sum": Sum,
}  # fmt: skip


def found_by(rows, use):
    with watch() as findings:
        results = [use(row) for row in rows]
    return results, findings


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_the_code_removes_the_finding_and_changes_no_result(load):
    before, findings = found_by(load.queryset(), load.use)
    finding = next(each for each in findings if (each.rule, each.relation) == (load.rule, load.relation))
    if finding.code is None:
        pytest.skip("No code is printed.")
    # A slice comes last.
    unsliced = load.queryset()
    stop = getattr(unsliced.query, "high_mark", None)
    if stop is not None:
        unsliced.query.clear_limits()

    with watch() as findings:
        rows = eval(f"queryset{finding.code}", SCOPE | {"queryset": unsliced})
        rows = rows[:stop] if stop is not None else rows
        use = load.fixed or (load.use if load.rule in {"lazy-load", "deferred-load"} else None)
        after = [use(row) for row in rows] if use else list(rows)

    if use:
        assert after == before
        assert [str(each) for each in findings if each.severity != "info"] == []
