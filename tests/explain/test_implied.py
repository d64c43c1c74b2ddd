from __future__ import annotations

import pytest

from perf_panels.explain.implied import holds


@pytest.mark.parametrize(
    ("engine", "condition", "asked"),
    [
        ("postgresql", "((status)::text = 'pending'::text)", [("status", "eq", "pending")]),
        ("postgresql", "(status = 'pending'::text)", [("archived", "false", False), ("status", "eq", "pending")]),
        ("postgresql", "((status)::text = ANY ('{pending,failed}'::text[]))", [("status", "eq", "failed")]),
        ("postgresql", "(status IN ('a', 'b', 'c'))", [("status", "in", ("c", "a"))]),
        ("postgresql", "((NOT archived) AND (a IS NULL))", [("a", "null", None), ("archived", "false", False)]),
        ("postgresql", "(refunded_at IS NOT NULL)", [("refunded_at", "not-null", None)]),
        ("postgresql", "(status IS NOT NULL)", [("status", "eq", "a")]),
        ("postgresql", "((status)::text <> 'done'::text)", [("status", "ne", "done")]),
        ("sqlite", '"archived" = 1', [("archived", "true", True)]),
        ("sqlite", 'NOT "archived"', [("archived", "false", False)]),
        ("sqlite", "NOT (\"status\" = 'done')", [("status", "ne", "done")]),
    ],
)  # fmt: skip
def test_an_index_that_has_the_rows(engine, condition, asked):
    assert holds(condition, asked, engine)


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        (None, [("status", "eq", "pending")]),
        ("(status = 'refunded')", [("status", "eq", "pending")]),
        ("(status = 'pending')", [("status", "in", ("pending", "failed"))]),
        ("((status = 'pending') AND (NOT archived))", [("status", "eq", "pending")]),
        ("archived", [("archived", "false", False)]),
        ("(refunded_at IS NULL)", [("refunded_at", "not-null", None)]),
        ("(lower(status) = 'pending')", [("status", "eq", "pending")]),
        ("(status <> ALL ('{a,b}'::text[]))", [("status", "in", ("a", "b"))]),
        ("(total > 5)", [("total", "eq", 7)]),
    ],
)
def test_an_index_that_has_not_or_nobody_knows(condition, asked):
    assert not holds(condition, asked, "postgresql")
