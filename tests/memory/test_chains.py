"""
Who holds an object: found through whatever there is between, and without harm to threads that make tuples meanwhile.
"""

from __future__ import annotations

import pytest

from perf_panels.memory import chains


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    # After thousands of other tests there are many times the objects of a server.
    monkeypatch.setattr(chains, "BUDGET_MS", 60_000)


class Held:
    pass


HOLDER = {"by key": [Held()]}


def test_chains_lead_from_a_module_to_the_object():
    found = chains.search(f"{__name__}.Held")

    assert (found.count, found.stopped) == (1, False)
    texts = [link["text"] for link in found.chains[0]]
    assert texts[0] == f"{__name__}.HOLDER"
    assert texts[1:] == ["dict['by key']", "list[0]", f"{__name__}.Held"]


def test_a_type_nobody_has_is_no_error():
    found = chains.search("no.such.Type")

    assert (found.count, found.chains) == (0, [])


class Inner:
    pass


NESTED = {"choices": ((1, "one"), (2, Inner()))}


def test_chains_lead_through_tuples_in_tuples():
    found = chains.search(f"{__name__}.Inner")

    texts = [link["text"] for link in found.chains[0]]
    assert texts == [f"{__name__}.NESTED", "dict['choices']", "tuple[1]", "tuple[1]", f"{__name__}.Inner"]


class Enclosed:
    pass


def enclosing():
    enclosed = Enclosed()
    return lambda: enclosed


FUNCTION = enclosing()


def test_chains_lead_through_a_closure():
    found = chains.search(f"{__name__}.Enclosed")

    texts = [link["text"] for link in found.chains[0]]
    assert texts[0] == f"{__name__}.FUNCTION"
    assert texts[2:] == ["tuple[0]", "a closure's variable", f"{__name__}.Enclosed"]


class Shared:
    pass


SHARED = [Shared()]


def test_tuples_that_other_threads_are_making_are_left_alone(tuples_being_made):
    with tuples_being_made(SHARED[0]) as broken:
        for name in ("tuple", f"{__name__}.Shared"):
            chains.search(name)

    assert broken == []
