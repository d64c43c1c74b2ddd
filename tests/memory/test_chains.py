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

    assert (found.count, found.stopped) == (1, {})
    texts = [link["text"] for link in found.chains[0]]
    assert texts[0] == f"{__name__}.HOLDER"
    assert texts[1:] == ["dict['by key']", "list[0]", f"{__name__}.Held"]


def test_a_type_nobody_has_is_no_error():
    found = chains.search("no.such.Type")

    assert (found.count, found.chains) == (0, [])


class Deep:
    pass


def nested(held, depth):
    for _ in range(depth):
        held = [held]
    return held


FAR = nested(Deep(), 20)


def test_an_object_further_away_than_the_search_goes_is_not_said_to_be_gone(monkeypatch):
    found = chains.search(f"{__name__}.Deep")

    assert (found.count, found.chains, found.stopped) == (1, [], {"steps": chains.MAX_DEPTH})

    monkeypatch.setattr(chains, "MAX_DEPTH", 25)
    assert chains.search(f"{__name__}.Deep").stopped == {}


class Popular:
    pass


POPULAR = Popular()
ADMIRERS = [nested(POPULAR, 3) for _ in range(5)]
del POPULAR


def test_referrers_that_were_not_followed_are_said(monkeypatch):
    monkeypatch.setattr(chains, "MAX_FRONTIER", 4)
    monkeypatch.setattr(chains, "MAX_DEPTH", 2)

    found = chains.search(f"{__name__}.Popular")

    assert (found.count, found.chains, found.stopped) == (1, [], {"steps": 2, "referrers": 4})


def test_a_search_without_time_says_so(monkeypatch):
    monkeypatch.setattr(chains, "BUDGET_MS", -1)

    found = chains.search(f"{__name__}.Held")

    assert (found.count, found.looked_at, found.chains, found.stopped) == (1, 1, [], {"ms": -1})


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
