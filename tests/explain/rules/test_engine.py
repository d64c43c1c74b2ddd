from __future__ import annotations

import logging

import pytest

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query, read
from perf_panels.explain.rules import base, engine
from perf_panels.explain.rules.base import IndexNeed, Match, Rule, Subject


@pytest.fixture
def only(monkeypatch):
    """Put these rules in the place of all others."""

    def put(*rules):
        found = {rule.id: rule for rule in rules}
        monkeypatch.setattr(engine, "all_rules", lambda: found)
        monkeypatch.setattr(engine, "RULES", found)

    return put


def subject(root=None, **plan):
    return Subject(Plan("postgresql", root, **plan), Query("", "postgresql"))


def node(relation="shop_order", **values):
    return Node(Kind.SCAN, "Seq Scan", relation=relation, **values)


def a_rule(rule_id, *matches, needs="E", supersedes=(), engines=()):
    return Rule(rule_id, needs, "", "", lambda _: iter(matches), supersedes, engines)


def match(where=None, severity="warning", table=None, columns=(), **values):
    return Match(where, severity, "", "", "", table, columns, **values)


def found(subject, **options):
    return [entry.rule for entry in engine.run(subject, **options)]


def test_every_rule_of_the_catalogue_is_registered():
    rules = engine.all_rules()

    assert {"full-scan-filter", "row-misestimate", "sort-limit", "invalid-plan"} <= set(rules)
    assert all(rule.summary and rule.source for rule in rules.values()), [
        rule.id for rule in rules.values() if not (rule.summary and rule.source)
    ]
    assert {rule.needs for rule in rules.values()} <= {"A", "E", "E/A"}
    assert {entry for rule in rules.values() for entry in rule.supersedes} <= set(rules)


def test_matches_get_the_id_of_their_rule(only):
    only(a_rule("one", match()))

    assert found(subject(node())) == ["one"]


def test_a_failing_rule_is_logged_and_the_others_go_on(only, caplog):
    def fails(_):
        yield match()
        raise ZeroDivisionError

    only(Rule("broken", "E", "", "", fails), a_rule("whole", match()))

    with caplog.at_level(logging.ERROR, "perf_panels"):
        assert found(subject(node())) == ["whole"]

    assert "broken" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_failing_rule_is_raised_when_strict(only):
    def fails(_):
        raise ZeroDivisionError

    only(Rule("broken", "E", "", "", fails))

    with pytest.raises(ZeroDivisionError):
        engine.run(subject(node()), strict=True)


def test_rules_that_are_off_do_not_run(only):
    only(a_rule("one", match()), a_rule("two", match()))

    assert found(subject(node()), off=frozenset({"one"})) == ["two"]


def test_rules_of_other_engines_do_not_run(only):
    only(a_rule("mine", match(), engines=("postgresql",)), a_rule("theirs", match(), engines=("mysql",)))

    assert found(subject(node())) == ["mine"]


def test_a_better_explanation_replaces_another_on_the_same_node(only):
    where = node()
    only(a_rule("scan", match(where), match(node())), a_rule("better", match(where), supersedes=("scan",)))

    assert sorted(found(subject(where))) == ["better", "scan"]


def test_a_better_explanation_replaces_another_on_the_same_table(only):
    only(
        a_rule("scan", match(node(), table="shop_order"), match(node(), table="shop_stock")),
        a_rule("better", match(node(), table="shop_order"), supersedes=("scan",)),
    )

    assert [(entry.rule, entry.table) for entry in engine.run(subject(node()))] == [
        ("scan", "shop_stock"),
        ("better", "shop_order"),
    ]


def test_a_rule_that_is_off_replaces_nothing(only):
    where = node()
    only(a_rule("scan", match(where)), a_rule("better", match(where), supersedes=("scan",)))

    assert found(subject(where), off=frozenset({"better"})) == ["scan"]


def test_one_match_for_a_rule_a_table_and_columns(only):
    light, heavy = match(table="t", columns=("a",), saving_ms=1), match(table="t", columns=("a",), saving_ms=9)
    only(a_rule("one", light, heavy, match(table="t", columns=("b",))))

    first, second = engine.run(subject(node()))

    assert (first.saving_ms, first.evidence) == (9, {"places": 2})
    assert second.evidence == {}


MONTHS = [node(f"event_2024_0{month}", alias=f"e_{month}") for month in (1, 2, 3)]


@pytest.mark.parametrize("sql", ["SELECT * FROM event e", "SELECT * FROM shop_order o, event e"])
def test_partitions_are_one_match_for_their_table(only, sql):
    places = [match(each, table=each.relation, columns=("kind",)) for each in MONTHS]
    for place in places:
        place.index = IndexNeed(place.table, ("kind",))
    only(a_rule("one", *places))
    append = Node(Kind.APPEND, "Append", MONTHS)

    (one,) = engine.run(Subject(Plan("postgresql", append), read(sql, "postgresql")))

    assert (one.table, one.evidence) == ("event", {"places": 3})
    assert one.index == IndexNeed("event", ("kind",), partition="event_2024_01")


@pytest.mark.parametrize(
    ("sql", "above"),
    [
        ("SELECT * FROM event", Kind.APPEND),
        ("SELECT * FROM event e", Kind.NESTED_LOOP),
        ("SELECT * FROM event e, event_2024_01 e_1, event_2024_02 e_2, event_2024_03 e_3", Kind.APPEND),
    ],
)
def test_tables_that_are_read_by_their_own_names_are_several(only, sql, above):
    only(a_rule("one", *(match(each, table=each.relation) for each in MONTHS)))

    found = engine.run(Subject(Plan("postgresql", Node(above, "", MONTHS)), read(sql, "postgresql")))

    assert {each.table for each in found} == {"event_2024_01", "event_2024_02", "event_2024_03"}


def test_the_worst_comes_first(only):
    only(
        a_rule("info", match(severity="info", table="i", saving_ms=99)),
        a_rule("small", match(table="s", saving_ms=1)),
        a_rule("large", match(table="l", saving_ms=9)),
        a_rule("worst", match(severity="critical", table="c")),
        a_rule("slow", match(node(self_ms=5.0), table="n")),
    )

    assert found(subject(node())) == ["worst", "large", "small", "slow", "info"]


def test_only_problem_rules_run_without_a_tree():
    broken = subject(None, problem="It is no JSON.", problem_rule="invalid-plan")

    assert found(broken) == ["invalid-plan"]


def test_what_only_a_measured_plan_can_tell_is_undecided(only):
    only(a_rule("sure", needs="E"), a_rule("measured", needs="A"), a_rule("mysql-only", needs="A", engines=("mysql",)))
    estimated, measured = Plan("postgresql", node()), Plan("postgresql", node(), analyzed=True)

    assert [rule.id for rule in engine.undecided(estimated)] == ["measured"]
    assert engine.undecided(measured) == []
    assert engine.undecided(Plan("postgresql", None)) == []
    assert engine.undecided(Plan("sqlite", node())) == []
    assert engine.undecided(estimated, off=frozenset({"measured"})) == []


def test_a_rule_says_where_its_threshold_comes_from():
    @base.rule("made-up", "A", engines=("mysql",))
    def made_up(_):
        """
        What it finds.

        Source: a guess.
        """

    rule = base.RULES.pop("made-up")
    assert (rule.summary, rule.source, rule.engines) == ("What it finds.", "a guess.", ("mysql",))
