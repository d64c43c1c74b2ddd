from __future__ import annotations

import json
import random

import pytest

from perf_panels.explain.plan import Plan
from perf_panels.explain.plans import parse
from perf_panels.explain.stored_plan import stored
from tests.explain.corpus import PLANS

FILES = [path for path in sorted(PLANS.glob("*/*.json")) if not path.name.startswith("_")]
OTHER_VALUES = (
    None,
    True,
    0,
    -1,
    1e400,
    10**400,
    "",
    "x",
    "-1.5e3",
    [],
    [[]],
    [None],
    ["x", 1],
    {},
    {"a": {}},
    {"x": []},
)
ROUNDS = 12


def read(engine, answer):
    """
    Return the plan of an answer, which must be one that the page can show, whatever the answer was.
    """
    plan = parse(engine, answer, "SELECT * FROM shop_order o JOIN shop_orderline l ON l.order_id = o.id")

    assert isinstance(plan, Plan)
    assert plan.engine == engine
    assert plan.root is not None or plan.problem
    assert isinstance(plan.text, str)
    assert json.dumps(stored(plan, [], []))
    return plan


def places(value, path=()):
    """
    Yield the path of each value in a document.
    """
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from places(child, (*path, key))


def replaced(document, path, value):
    if not path:
        return value
    document = json.loads(json.dumps(document))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return document


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
class TestARecordedPlan:
    def test_is_read_whole(self, path):
        plan = read(path.parent.name, path.read_text(encoding="utf-8"))

        assert plan.problem is None or plan.root is None

    def test_cut_off_is_no_failure(self, path):
        text, chance = path.read_text(encoding="utf-8"), random.Random(path.name)

        for _ in range(ROUNDS):
            read(path.parent.name, text[: chance.randrange(len(text))])

    def test_with_other_characters_is_no_failure(self, path):
        text, chance = path.read_text(encoding="utf-8"), random.Random(path.name)

        for _ in range(ROUNDS):
            characters = list(text)
            for _ in range(chance.randrange(1, 20)):
                characters[chance.randrange(len(characters))] = chance.choice('"{}[],:\\0aé\n\0')
            read(path.parent.name, "".join(characters))

    def test_with_other_values_is_no_failure(self, path):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            pytest.skip("MariaDB printed no JSON")
        chance = random.Random(path.name)
        paths = list(places(document))

        for _ in range(5 * ROUNDS):
            broken = replaced(document, chance.choice(paths), chance.choice(OTHER_VALUES))
            read(path.parent.name, broken)


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "mariadb", "sqlite", "oracle"])
@pytest.mark.parametrize(
    "answer",
    [
        "",
        " ",
        "null",
        "[]",
        "{}",
        "0",
        '"x"',
        "[null]",
        "[[]]",
        "NaN",
        "hello",
        "\0",
        None,
        0,
        [],
        {},
        [None],
        [[]],
        {"Plan": 1},
    ],
    ids=repr,
)
def test_what_is_no_plan_at_all_is_no_failure(engine, answer):
    read(engine, answer)


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "mariadb", "sqlite"])
def test_what_is_no_plan_says_what_to_ask_for(engine):
    plan = parse(engine, "hello")

    assert plan.root is None
    assert plan.problem_rule == "invalid-plan"
    assert "EXPLAIN" in plan.problem


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "mariadb", "sqlite"])
def test_brackets_without_end_are_no_failure(engine):
    read(engine, "[" * 100_000)
    read(engine, '{"Plan": ' * 100_000)
