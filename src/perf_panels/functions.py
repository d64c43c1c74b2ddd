"""
Functions that can be timed: how one is named, and found again, from what a view holds, a line calls or a frame runs.

``reachable`` asks for them when a watched view begins, the recorders for a function that is met while it runs.
Nothing is called, imported or got from an instance here: only dictionaries of classes, closures and frames are read.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field, replace
from types import CodeType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from perf_panels.origins import DJANGO, owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

VIEW = "view"
DECORATOR = "decorator"
METHOD = "method"
PROPERTY = "property"
SERIALIZER = "serializer"
ADMIN = "admin"
FILTER = "filter"
TAG = "template tag"
FUNCTION = "function"

_TEMPLATE_CALLERS = {"resolve": FILTER, "render": TAG}


@dataclass(frozen=True, eq=False)
class Target:
    """
    A function that can be timed. ``second_choice`` is one of Django's, shown only where it turns out hot.
    """

    code: CodeType
    name: str
    module: str
    kind: str = FUNCTION
    function: Any = field(default=None, repr=False)  # a FunctionType, which mypy would take for a method
    second_choice: bool = False

    @property
    def id(self) -> str:
        """
        The name by which it is signed, stored and looked up again: it stays the same from request to request.
        """
        return f"{self.module}:{self.name}:{self.first_line}"

    @property
    def file(self) -> str:
        return self.code.co_filename

    @property
    def first_line(self) -> int:
        return self.code.co_firstlineno

    @property
    def owner(self) -> str:
        return owner_of(self.code.co_filename)


def target_of(function: Any, kind: str = FUNCTION) -> Target | None:
    """
    Return the target of a function, method, partial or property as it is written, without its decorators, or None.
    """
    plain = written(function)
    return None if plain is None else make_target(plain, kind)


def target_of_frame(code: CodeType, frame: FrameType, *, kind: bool = True) -> Target:
    """
    Return the target of a function that runs in ``frame``; to find its kind takes a few microseconds.
    """
    module = str(frame.f_globals.get("__name__", ""))
    return Target(code, _name_in(code, frame), module, _kind_in(code, frame) if kind else FUNCTION)


def callee_of(called: object) -> Target | None:
    """
    Return the target of what a line has called: a function, a method, a class or a callable object; None for C.

    Without the function itself, whose closure may hold what belongs to one request.
    """
    target = _callee_of(called)
    return None if target is None else replace(target, function=None)


def _callee_of(called: object) -> Target | None:
    if is_a(called, type):
        for name in ("__init__", "__new__"):
            plain = written(inspect.getattr_static(called, name, None))
            if plain is not None:
                return make_target(plain, METHOD)
        return None
    return target_of(called) or target_of(inspect.getattr_static(type(called), "__call__", None), METHOD)


def function_of(code: CodeType) -> FunctionType | None:
    """
    Return a function made of this code object, by asking the garbage collector; tens of milliseconds.
    """
    import gc

    referrers: list[object] = gc.get_referrers(code)
    return next((each for each in referrers if is_a(each, FunctionType) and each.__code__ is code), None)


def make_target(function: FunctionType, kind: str, *, second_choice: bool = False) -> Target:
    name = function.__code__.co_name if kind == DECORATOR else function.__qualname__
    # functools.wraps gives a wrapper the name of what it wraps; its code knows better, from Python 3.11 on.
    name = getattr(function.__code__, "co_qualname", name)
    module = str(function.__globals__.get("__name__", function.__module__))
    return Target(function.__code__, _short(name), module, kind, function, second_choice)


def is_a(thing: object, kinds: Any) -> TypeGuard[Any]:
    """
    Return what ``isinstance`` would, without waking up a lazy object: that asks it for its ``__class__``.
    """
    return issubclass(type(thing), kinds)


def written(function: Any) -> FunctionType | None:
    """
    Return the function as it is written, without its decorators, or None for anything else.
    """
    for _ in range(20):
        if is_a(function, FunctionType):
            wrapped = vars(function).get("__wrapped__")
            if wrapped is None:
                return cast("FunctionType", function)
            function = wrapped
        elif is_a(function, functools.partial):
            function = function.func
        elif is_a(function, MethodType):
            function = function.__func__
        else:
            # functools.lru_cache is written in C.
            wrapped = getattr(function, "__dict__", {}).get("__wrapped__")
            function = next(parts(function), wrapped)
            if function is None:
                return None
    return None


def parts(thing: Any) -> Iterator[Any]:
    if is_a(thing, (classmethod, staticmethod)):
        yield thing.__func__
    elif is_a(thing, property):
        yield from (each for each in (thing.fget, thing.fset) if each is not None)
    elif is_a(thing, functools.cached_property) or is_lazy(thing):
        yield thing.func


def is_lazy(thing: object) -> bool:
    from django.utils.functional import cached_property

    return is_a(thing, cached_property)


def inherits(cls: type, module: str) -> bool:
    return any(base.__module__ == module for base in cls.__mro__)


def _short(qualname: str) -> str:
    return qualname.replace("<locals>.", "")


def _name_in(code: CodeType, frame: FrameType) -> str:
    qualname = getattr(code, "co_qualname", None)
    if qualname is not None:
        return _short(qualname)
    # Python 3.10: the class is found by the object that the function is a method of.
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    for cls in (first if is_a(first, type) else type(first)).__mro__:
        plain = written(vars(cls).get(code.co_name))
        if plain is not None and plain.__code__ is code:
            return _short(plain.__qualname__)
    return code.co_name


def _kind_in(code: CodeType, frame: FrameType) -> str:
    caller = frame.f_back
    if caller is not None and owner_of(caller.f_code.co_filename) == DJANGO:
        kind = _TEMPLATE_CALLERS.get(caller.f_code.co_name)
        folder, _, file = caller.f_code.co_filename.rpartition("/")
        if folder.endswith("django/template") and kind and file in {"base.py", "library.py"}:
            return kind
    if code.co_argcount:
        first = frame.f_locals.get(code.co_varnames[0])
        cls = first if is_a(first, type) else type(first)
        static = inspect.getattr_static(cls, code.co_name, None)
        if is_a(static, (property, functools.cached_property)) or is_lazy(static):
            return PROPERTY
        plain = written(static)
        if plain is not None and plain.__code__ is code:
            return SERIALIZER if inherits(cls, "rest_framework.serializers") else METHOD
    return FUNCTION
