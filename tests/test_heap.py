"""
Looking at all objects does no harm to the threads that make some meanwhile.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from functools import cached_property, lru_cache
from types import FrameType, ModuleType

import pytest
from django.utils import functional

from perf_panels import heap


class Thing:
    pass


class Shared:
    pass


SHARED = [Shared()]


@pytest.mark.parametrize(
    "look",
    [
        heap.count_by_type,
        heap.all_but_tuples,
        heap.bytes_of_tuples,
        heap.held_by_tuples,
        lambda: heap.of_type(Thing),
        lambda: heap.holders(SHARED),
        lambda: heap.holders(SHARED, through=1),
        lambda: heap.holders(SHARED, through=2),
    ],
    ids=[
        "count_by_type", "all_but_tuples", "bytes_of_tuples", "held_by_tuples", "of_type", "holders",
        "holders_of_tuples", "holders_of_tuples_of_tuples",
    ],
)  # fmt: skip
def test_tuples_that_other_threads_are_making_are_left_alone(look, tuples_being_made):
    with tuples_being_made(SHARED[0]) as broken:
        for _ in range(15):
            look()

    assert broken == []


def test_objects_of_a_type_are_found():
    things = [Thing() for _ in range(200)]

    found = heap.of_type(Thing)

    assert len(found) == 200
    assert {id(each) for each in found} == {id(each) for each in things}
    assert heap.count_by_type()[Thing] == 200


def test_all_but_tuples_has_no_tuple_and_nothing_twice():
    found = heap.all_but_tuples()

    assert tuple not in set(map(type, found))
    assert len({id(each) for each in found}) == len(found)


def plain():
    pass


class Methods:
    def method(self):
        pass

    @staticmethod
    def static():
        pass

    @classmethod
    def of_class(cls):
        pass

    @property
    def computed(self):
        pass

    @cached_property
    def cached(self):
        pass

    @functional.cached_property
    def cached_by_django(self):
        pass


def decorated(function):
    def called():
        return function()

    return called


@decorated
def within():
    pass


@lru_cache
def remembered():
    pass


@pytest.mark.parametrize(
    "name",
    ["plain", "method", "static", "of_class", "computed", "cached", "cached_by_django", "within", "remembered"],
)
@pytest.mark.usefixtures("small_heap")
def test_functions_that_are_frozen_are_found(name):
    found = {each.__qualname__.rpartition(".")[2] for each in heap.functions() if each.__module__ == __name__}

    assert name in found


@pytest.mark.usefixtures("small_heap")
def test_lazy_objects_are_left_alone_in_the_search_for_functions(monkeypatch):
    lazy = functional.SimpleLazyObject(lambda: pytest.fail("has begun to work"))
    monkeypatch.setattr(sys.modules[__name__], "lazy", lazy, raising=False)
    monkeypatch.setitem(sys.modules, "tests.lazy", lazy)
    monkeypatch.setitem(sys.modules, "tests.lazy_module", LazyModule("tests.lazy_module"))

    assert heap.functions()


class LazyModule(ModuleType):
    __dict__ = property(lambda _: pytest.fail("would be imported"))

    def __getattribute__(self, name):
        pytest.fail("would be imported")


@pytest.mark.usefixtures("small_heap")
def test_a_module_that_was_never_initialised_is_passed_over(monkeypatch):
    monkeypatch.setitem(sys.modules, "tests.bare", ModuleType.__new__(ModuleType))

    assert heap.functions()


@pytest.mark.usefixtures("small_heap")
def test_the_search_for_frozen_functions_leaves_nothing_behind_in_them():
    heap.functions()

    assert not [each for each in gc.get_referents(plain) if each == {}]


def test_what_python_freezes_by_itself_is_not_searched(monkeypatch):
    monkeypatch.setattr(heap, "_of_modules", lambda: pytest.fail("searched"))

    assert heap.functions()


@pytest.mark.parametrize("look", [heap.all_but_tuples, lambda: heap.of_type(list)], ids=["all_but_tuples", "of_type"])
def test_a_list_of_objects_does_not_keep_itself(look):
    found = look()

    assert len(found) > 100
    assert id(found) not in set(map(id, found))


def test_what_a_tuple_refers_to_is_found():
    thing = Thing()
    kept = (thing, "text")

    assert any(each is thing for each in heap.held_by_tuples())
    assert heap.bytes_of_tuples() >= kept.__sizeof__()


def test_holders_are_found_through_as_many_tuples_as_asked():
    thing = Thing()
    beside = [thing]
    within = [(thing, 1)]
    deep = {"key": (0, (thing,))}

    found = [{id(each) for each in heap.holders([thing], through)} for through in range(3)]

    assert [id(beside) in each for each in found] == [True, False, False]
    assert [id(within) in each for each in found] == [False, True, False]
    assert [id(deep) in each for each in found] == [False, False, True]


@pytest.mark.parametrize("through", range(3))
def test_nothing_that_is_handed_out_as_a_holder_has_helped_to_find_it(through):
    thing = Thing()
    kept = [thing, (thing,), ((thing,),)]
    asked = [thing]

    found = heap.holders(asked, through)

    assert [each for each in found if each is not asked and type(each) is not FrameType] == [kept]


LOOKS_AT_A_USED_FUTURE = """
import asyncio, gc
from perf_panels import heap

async def wait():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    await future

asyncio.run(wait())
for _ in range(2):
    heap.referents(heap.all_but_tuples())
    gc.collect()
"""


def test_what_a_module_keeps_to_use_again_is_not_freed_twice():
    # In a process of its own: Python 3.12.0 to 3.12.5 would never come back from the second collection.
    looking = subprocess.run([sys.executable, "-c", LOOKS_AT_A_USED_FUTURE], timeout=20, check=False)

    assert looking.returncode == 0


def test_the_collector_is_as_it_was():
    heap.count_by_type()
    assert gc.isenabled()

    gc.disable()
    try:
        heap.count_by_type()
        assert not gc.isenabled()
    finally:
        gc.enable()
