from __future__ import annotations

import functools
import sys

import pytest
from django.contrib.admin import AdminSite, ModelAdmin
from django.utils.functional import SimpleLazyObject
from django.views.generic import ListView, View

from perf_panels import functions
from perf_panels.functions import callee_of, target_of, target_of_frame
from perf_panels.reachable import targets_of, view_name
from tests.lines import shapes
from tests.site.models import Author


def named(view, method="GET", *, second=False):
    return [target.name for target in targets_of(view, method) if target.second_choice == second]


class Verbs(View):
    def get(self, request):
        pass

    def post(self, request):
        pass

    def helper(self):
        pass


class Untouched(ListView):
    pass


class Costly:
    def __get__(self, instance, owner):
        raise AssertionError("nothing may be got from a class")


class WithDescriptor(View):
    trap = Costly()

    def get(self, request):
        return super().get(request)


@pytest.mark.parametrize(
    ("method", "reached"),
    [("GET", ["get", "helper"]), ("HEAD", ["get", "helper"]), ("POST", ["post", "helper"]), ("PUT", ["helper"])],
)
def test_only_the_handler_of_the_requests_method_is_taken(method, reached):
    assert named(Verbs.as_view(), method) == [f"Verbs.{name}" for name in reached]


def test_djangos_own_methods_are_the_second_choice():
    assert named(Untouched.as_view()) == []
    assert {"MultipleObjectMixin.get_queryset", "MultipleObjectMixin.get_context_data"} <= set(
        named(Untouched.as_view(), second=True)
    )


def test_a_class_cell_of_super_and_a_descriptor_are_harmless():
    assert named(WithDescriptor.as_view()) == ["WithDescriptor.get"]


def test_a_viewset_is_reached_through_its_action_alone():
    view = shapes.PublisherViewSet.as_view({"get": "retrieve", "put": "update"})

    assert "PublisherViewSet.retrieve" in named(view)
    assert "PublisherViewSet.list" not in named(view)
    assert "PublisherViewSet.latest" not in named(view)


def test_an_operation_of_ninja_is_found_by_its_method():
    path_view = next(pattern for pattern in shapes.api.urls[0] if str(pattern.pattern) == "rows").callback

    assert named(path_view, "GET") == ["rows"]
    assert named(path_view, "POST") == ["add_row"]


def page(request, kind):
    pass


class OrderAdmin(ModelAdmin):
    pass


def test_two_views_have_two_names():
    operations = next(pattern for pattern in shapes.api.urls[0] if str(pattern.pattern) == "rows").callback
    mine, plain = (admin(Author, AdminSite()).urls[0].callback for admin in (OrderAdmin, ModelAdmin))

    assert view_name(page) == f"{__name__}.page"
    assert view_name(functools.partial(functools.partial(page), kind="x")) == f"{__name__}.page"
    assert view_name(Verbs.as_view()) == f"{__name__}.Verbs"
    assert view_name(operations) == "tests.lines.shapes.rows, tests.lines.shapes.add_row"
    assert view_name(mine) == f"{__name__}.OrderAdmin.changelist_view"
    assert view_name(plain) == "django.contrib.admin.options.ModelAdmin.changelist_view of library.Author"


@pytest.mark.parametrize(
    ("called", "name"),
    [
        (shapes.number, "number"),
        (shapes.wrapped, "wrapped"),
        (functools.partial(shapes.greeting, word=""), "greeting"),
        (functools.lru_cache(shapes.number), "number"),
        (shapes.Counting, "Counting.__init__"),
        (shapes.counted, "Counting.__call__"),
        (shapes.Row.shout, "Row.shout"),
        (Verbs().helper, "Verbs.helper"),
        (len, None),
        (str, None),
        (object(), None),
    ],
)
def test_what_a_line_calls_is_a_function_of_python_or_nothing(called, name):
    found = target_of(called) if isinstance(called, property) else callee_of(called)

    assert (found.name if found else None) == name


def test_nothing_is_held_of_a_function_that_a_call_has_made():
    def inner():
        pass

    assert callee_of(inner).function is None


def wake():
    raise AssertionError("nobody may wake it up")


def test_lazy_objects_are_left_asleep():
    class WithLazy(View):
        choices = SimpleLazyObject(wake)

        def get(self, request):
            pass

    def takes(first):
        return target_of_frame(sys._getframe().f_code, sys._getframe())

    assert [each.split(".")[-1] for each in named(WithLazy.as_view())] == ["get"]
    assert callee_of(SimpleLazyObject(wake)) is None
    assert takes(SimpleLazyObject(wake)).kind == functions.FUNCTION


def test_the_id_is_the_same_from_request_to_request():
    target = target_of(shapes.number)

    assert target.id == f"tests.lines.shapes:number:{shapes.number.__code__.co_firstlineno}"
    assert target.id == target_of(shapes.number).id


class Thing:
    @property
    def shown(self):
        return target_of_frame(sys._getframe().f_code, sys._getframe())

    @classmethod
    def made(cls):
        return target_of_frame(sys._getframe().f_code, sys._getframe())


def test_a_running_function_is_named_by_its_class_and_kind():
    assert (Thing().shown.name, Thing().shown.kind) == ("Thing.shown", functions.PROPERTY)
    assert (Thing.made().name, Thing.made().kind) == ("Thing.made", functions.METHOD)
    assert Thing.made().id == target_of(vars(Thing)["made"]).id


def test_the_function_of_a_code_object_is_found():
    assert functions.function_of(shapes.number.__code__) is shapes.number
