from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.core.handlers.base import BaseHandler
from django.http import HttpResponse
from django.template.response import TemplateResponse

from perf_panels import view_hook


class Observer:
    def __init__(self, log, name=""):
        self.log = log
        self.name = name

    @contextmanager
    def around(self, what):
        self.log.append(f"{self.name}{what} begins")
        try:
            yield
        finally:
            self.log.append(f"{self.name}{what} ends")

    def observe_view(self, request, view, args, kwargs):
        return self.around("view")

    def observe_render(self, response):
        return self.around("render")


@pytest.fixture
def call(rf):
    """
    ``call(view, *observers)`` calls the view as Django's handler does.
    """
    view_hook.install()

    def call(view, *observers):
        request = rf.get("/")
        for observer in observers:
            view_hook.add_observer(request, observer)
        return BaseHandler().make_view_atomic(view)(request)

    return call


def plain(request):
    return HttpResponse("plain")


def deferred(request):
    return TemplateResponse(request, "site/books.html", {"object_list": []})


def test_the_first_observer_is_the_outermost(call):
    log = []

    call(plain, Observer(log, "a "), Observer(log, "b "))

    assert log == ["a view begins", "b view begins", "b view ends", "a view ends"]


def test_a_deferred_render_is_seen_apart_from_the_view(call):
    log = []

    response = call(deferred, Observer(log))
    log.append("between")
    response.render()

    assert log == ["view begins", "view ends", "between", "render begins", "render ends"]
    assert "render" not in response.__dict__


def test_a_view_that_raises_is_left_and_raises(call):
    def broken(request):
        raise LookupError("the view's own")

    log = []
    with pytest.raises(LookupError, match="the view's own"):
        call(broken, Observer(log))

    assert log == ["view begins", "view ends"]


def test_without_observers_the_response_is_untouched(call):
    assert "render" not in call(deferred).__dict__


async def test_an_async_view_is_awaited_inside(call):
    log = []

    async def view(request):
        log.append("in the view")
        return HttpResponse("async")

    response = await call(view, Observer(log))

    assert response.content == b"async"
    assert log == ["view begins", "in the view", "view ends"]


def test_an_observer_is_added_once_and_can_be_removed(rf):
    request = rf.get("/")
    observer = Observer([])

    view_hook.add_observer(request, observer)
    view_hook.add_observer(request, observer)
    assert request._perf_panels_observers == [observer]

    view_hook.remove_observer(request, observer)
    view_hook.remove_observer(request, observer)
    assert request._perf_panels_observers == []


def test_installing_twice_wraps_once():
    view_hook.install()
    wrapper = BaseHandler.make_view_atomic

    view_hook.install()

    assert BaseHandler.make_view_atomic is wrapper
