"""
The only patch of Django's request handling: tells a request's observers when its view and its deferred render run.

``install`` is called from each panel's ``ready()``. ``BaseHandler.make_view_atomic`` is Django's last step before the
view, in sync and async handlers alike, after every middleware has agreed to the request; wrapping what it returns
leaves CSRF, login, ATOMIC_REQUESTS, ``process_exception`` and ``resolver_match`` as they are.
"""

from __future__ import annotations

import functools
from contextlib import AsyncExitStack, ExitStack
from typing import TYPE_CHECKING, Any, Protocol

from asgiref.sync import iscoroutinefunction
from django.core.handlers.base import BaseHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase


Context = Any
"""A context manager; one that is asynchronous too is entered as such around an async view."""

_OBSERVERS = "_perf_panels_observers"
_MARK = "_perf_panels_hook"


class Observer(Protocol):
    """
    Gets a context manager entered around the view, and another around the render of a deferred response.

    Neither method may raise, and neither context manager may raise or swallow: ``base.ViewPanel`` sees to it.
    An observer that must have a frame of its own around the view or the render, as a sampler has to recognise it, has
    ``inside(phase, call)`` too: called within its context manager, it returns what is called instead of ``call``.
    """

    def observe_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Context: ...

    def observe_render(self, response: HttpResponseBase) -> Context: ...


def install() -> None:
    """
    Wrap ``BaseHandler.make_view_atomic``; a second call does nothing.
    """
    original = BaseHandler.make_view_atomic
    if getattr(original, _MARK, False):
        return

    @functools.wraps(original)
    def make_view_atomic(self: BaseHandler, view: Callable[..., Any]) -> Callable[..., Any]:
        return _observed(view, original(self, view))

    setattr(make_view_atomic, _MARK, True)
    BaseHandler.make_view_atomic = make_view_atomic  # type: ignore[method-assign] # this is the hook: a method is replaced


def add_observer(request: HttpRequest, observer: Observer) -> None:
    """
    Let ``observer`` see the view of this request. The first one added is the outermost.
    """
    observers = request.__dict__.setdefault(_OBSERVERS, [])
    if observer not in observers:
        observers.append(observer)


def remove_observer(request: HttpRequest, observer: Observer) -> None:
    """
    Forget ``observer``; nothing happens if it was not there.
    """
    observers = request.__dict__.get(_OBSERVERS, [])
    if observer in observers:
        observers.remove(observer)


def _observed(view: Callable[..., Any], atomic_view: Callable[..., Any]) -> Callable[..., Any]:
    if iscoroutinefunction(atomic_view):

        async def acall(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            __traceback_hide__ = True  # from Django's technical 500 page: no line of the host's is to be seen here
            observers = getattr(request, _OBSERVERS, None)
            if not observers:
                return await atomic_view(request, *args, **kwargs)
            observers = tuple(observers)
            async with AsyncExitStack() as stack:
                for observer in observers:
                    await _enter(stack, observer.observe_view(request, view, args, kwargs))
                response = await _inside(observers, "view", atomic_view)(request, *args, **kwargs)
            _follow_render(response, observers)
            return response

        return acall

    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        __traceback_hide__ = True
        observers = getattr(request, _OBSERVERS, None)
        if not observers:
            return atomic_view(request, *args, **kwargs)
        observers = tuple(observers)
        with ExitStack() as stack:
            for observer in observers:
                stack.enter_context(observer.observe_view(request, view, args, kwargs))
            response = _inside(observers, "view", atomic_view)(request, *args, **kwargs)
        _follow_render(response, observers)
        return response

    return call


def _follow_render(response: Any, observers: tuple[Observer, ...]) -> None:
    render = getattr(response, "render", None)
    if not callable(render) or getattr(response, "is_rendered", True):
        return
    earlier = response.__dict__.get("render")

    def unhook() -> None:
        # Before the render and not after it: cache_page pickles the response from a post-render callback.
        response.__dict__.pop("render", None)
        if earlier is not None:
            response.render = earlier

    if iscoroutinefunction(render):

        async def arender() -> Any:
            __traceback_hide__ = True
            unhook()
            async with AsyncExitStack() as stack:
                for observer in observers:
                    await _enter(stack, observer.observe_render(response))
                return await _inside(observers, "render", render)()

        response.render = arender
        return

    def sync_render() -> Any:
        __traceback_hide__ = True
        unhook()
        with ExitStack() as stack:
            for observer in observers:
                stack.enter_context(observer.observe_render(response))
            return _inside(observers, "render", render)()

    response.render = sync_render


def _inside(observers: tuple[Observer, ...], phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
    for observer in reversed(observers):
        inside = getattr(observer, "inside", None)
        if inside is not None:
            call = inside(phase, call)
    return call


async def _enter(stack: AsyncExitStack, context: Context) -> None:
    if hasattr(context, "__aenter__"):
        await stack.enter_async_context(context)
    else:
        stack.enter_context(context)
