from __future__ import annotations

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query
from perf_panels.explain.rules import engine
from perf_panels.explain.rules.base import Subject


def found(**plan):
    matches = engine.run(Subject(Plan("mariadb", **plan), Query("", "mariadb")), strict=True)
    return [(match.rule, match.severity, match.detail) for match in matches]


def test_an_answer_that_is_no_plan():
    problem = "The server's JSON is broken at character 312."

    assert found(root=None, problem=problem, problem_rule="invalid-plan") == [("invalid-plan", "info", problem)]


def test_a_plan_of_a_statement_that_was_stopped():
    problem = "The statement was stopped after 2,000 ms."

    assert found(root=None, problem=problem, problem_rule="partial-plan") == [("partial-plan", "info", problem)]


def test_a_problem_with_a_rule_of_its_own_name_only():
    assert found(root=None, problem="MySQL does not analyse an UPDATE.") == []


def test_no_answer_at_all():
    assert [rule for rule, _, _ in found(root=None)] == ["invalid-plan"]


def test_a_plan_that_can_be_read():
    assert found(root=Node(Kind.RESULT, "Result")) == []
