"""
From a resolved view to the functions worth timing: what the line profiler and the memory panel look at by themselves.

``targets_of`` is called when a watched view begins. Nothing is called, imported or got from an instance here: only
dictionaries of functions and classes, and closures, are read.
"""

from __future__ import annotations

import functools
import inspect
import sys
from types import CellType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from perf_panels.functions import (
    ADMIN,
    DECORATOR,
    METHOD,
    PROPERTY,
    SERIALIZER,
    VIEW,
    Target,
    inherits,
    is_a,
    is_lazy,
    make_target,
    parts,
    written,
)
from perf_panels.origins import PROJECT, owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BASE_METHODS = frozenset(
    {
        "create",
        "filter_queryset",
        "form_invalid",
        "form_valid",
        "get_context_data",
        "get_form",
        "get_object",
        "get_queryset",
        "get_serializer",
        "list",
        "paginate_queryset",
        "retrieve",
        "update",
    }
)
"""Methods of Django's and DRF's views that do a page's work, if the project has not written them itself."""

_VERBS = frozenset({"get", "post", "put", "patch", "delete", "options", "trace", "head"})
_VIEWSET_ACTIONS = frozenset({"list", "create", "retrieve", "update", "partial_update", "destroy"})
_NAMES_CLASSES = ("_class", "_classes", "_backends")


def targets_of(view: Callable[..., Any], method: str = "GET") -> list[Target]:
    """
    Return the functions that a request of this HTTP method can reach behind a view, the outermost first.

    The project's come first; then, as second choice, those of ``BASE_METHODS`` that Django or DRF have for it.
    """
    found = _Search(method.lower()).search(view)
    return [each for each in found if not each.second_choice] + [each for each in found if each.second_choice]


def view_name(view: Any) -> str:
    """
    Return the dotted name by which a developer knows a view: its function, class, model admin or API operations.
    """
    while is_a(view, functools.partial):
        view = view.func
    admin = getattr(view, "model_admin", None)
    if admin is not None:
        name = f"{_dotted(type(admin))}.{view.__name__}"
        return name if _owner(type(admin)) == PROJECT else f"{name} of {admin.model._meta.label}"
    ninja = next(filter(_is_ninja, _closure(view)), None) if is_a(view, FunctionType) else None
    if ninja is not None:
        return ", ".join(_dotted(operation.view_func) for operation in getattr(ninja, "operations", ())) or _dotted(
            view
        )
    return _dotted(getattr(view, "view_class", getattr(view, "cls", view)))


def _dotted(target: Any) -> str:
    return f"{getattr(target, '__module__', '')}.{getattr(target, '__qualname__', type(target).__qualname__)}"


class _Search:
    """
    One walk through a view and what it holds on to. Everything met is in ``seen``: closures point back to their class.
    """

    def __init__(self, method: str) -> None:
        self.verbs = {method, "get"} if method == "head" else {method}
        self.seen: set[int] = set()
        self.found: list[Target] = []

    def search(self, view: object) -> list[Target]:
        self.visit(view, VIEW)
        return self.found

    def visit(self, thing: Any, kind: str) -> None:
        """
        Add what is behind a view or what a decorator, closure or attribute holds.
        """
        if id(thing) in self.seen:
            return
        self.seen.add(id(thing))
        if is_a(thing, functools.partial):
            self.visit(thing.func, kind)
        elif is_a(thing, MethodType):
            self.visit_method(thing, kind)
        elif is_a(thing, FunctionType):
            self.visit_function(thing, kind)
        elif is_a(thing, (classmethod, staticmethod, property, functools.cached_property)) or is_lazy(thing):
            for inner in parts(thing):
                self.visit(inner, PROPERTY if not is_a(thing, (classmethod, staticmethod)) else kind)
        elif not is_a(thing, type):
            self.visit_instance(thing, kind)

    def visit_function(self, function: FunctionType, kind: str) -> None:
        attributes = vars(function)
        if (view_class := attributes.get("view_class")) is not None:
            self.visit_class(view_class, METHOD)
        elif is_a(drf_class := attributes.get("cls"), type):
            self.visit_class(drf_class, METHOD, attributes.get("actions"))
        wrapped = attributes.get("__wrapped__")
        held = [] if wrapped is None else [wrapped]
        held += [cell for cell in _closure(function) if cell is not wrapped and (_is_callable(cell) or _is_ninja(cell))]
        self.add(function, DECORATOR if held and kind == VIEW and _decorates(function, held) else kind)
        for each in held:
            if not is_a(each, type):
                self.visit(each, kind)

    def visit_method(self, method: MethodType, kind: str) -> None:
        owner = method.__self__
        is_admin = inherits(type(owner), "django.contrib.admin.options")
        if is_admin:
            self.visit_class(type(owner), ADMIN)
        self.visit(method.__func__, ADMIN if is_admin else kind)

    def visit_instance(self, thing: object, kind: str) -> None:
        cls = type(thing)
        if _is_ninja(thing):
            self.visit_ninja(thing)
            return
        if _owner(cls) != PROJECT:
            return
        call = inspect.getattr_static(cls, "__call__", None)
        if call is None:
            return
        self.visit(call, kind)
        for held in vars(thing).values() if hasattr(thing, "__dict__") else ():
            if is_a(held, (FunctionType, MethodType, functools.partial)):
                self.visit(held, kind)

    def visit_ninja(self, path_view: Any) -> None:
        """
        Add the operations that answer this HTTP method: what a closure of django-ninja's holds is no function.
        """
        for operation in getattr(path_view, "operations", ()):
            if {verb.lower() for verb in operation.methods} & self.verbs:
                self.visit(operation.view_func, VIEW)

    def visit_class(self, cls: type, kind: str, actions: dict[str, str] | None = None) -> None:
        """
        Add the methods of a class and its bases that can be reached, and those of the classes it names.
        """
        if id(cls) in self.seen:
            return
        self.seen.add(id(cls))
        for base in cls.__mro__:
            is_ours = _owner(base) == PROJECT
            for name, value in list(vars(base).items()):
                if is_ours and self._reachable(cls, name, value, actions):
                    self.visit(value, kind) if _is_callable(value) else None
                elif not is_ours and name in BASE_METHODS and self._reachable(cls, name, value, actions):
                    self.add_second(value)
                if is_ours and name.endswith(_NAMES_CLASSES):
                    self.visit_named(value)

    def visit_named(self, value: object) -> None:
        """
        Add the methods of a serializer, form, paginator or permission that a class-based view names.
        """
        named: Iterable[object] = value if is_a(value, (list, tuple)) else (value,)
        for each in named:
            if is_a(each, type) and _owner(each) == PROJECT:
                kind = SERIALIZER if inherits(each, "rest_framework.serializers") else METHOD
                self.visit_class(each, kind)
                for declared in vars(each).get("_declared_fields", {}).values():
                    self.visit_named(type(getattr(declared, "child", declared)))

    def _reachable(self, cls: type, name: str, value: object, actions: dict[str, str] | None) -> bool:
        if is_a(value, type):
            return False
        if actions is not None:
            is_action = name in _VIEWSET_ACTIONS or "mapping" in getattr(value, "__dict__", ())
            return not is_action or name in {action for verb, action in actions.items() if verb in self.verbs}
        return name not in _VERBS or name in self.verbs or not hasattr(cls, "as_view")

    def add(self, function: FunctionType, kind: str) -> None:
        if owner_of(function.__code__.co_filename) == PROJECT:
            self.found.append(make_target(function, kind))

    def add_second(self, value: object) -> None:
        plain = written(value)
        if plain is not None and id(plain) not in self.seen:
            self.seen.add(id(plain))
            self.found.append(make_target(plain, METHOD, second_choice=True))


def _is_callable(value: object) -> bool:
    kinds = (FunctionType, MethodType, functools.partial, classmethod, staticmethod, property)
    return is_a(value, (*kinds, functools.cached_property)) or is_lazy(value) or callable(value)


def _is_ninja(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == "ninja"


def _closure(function: FunctionType) -> list[Any]:
    # A cell that is not filled yet equals an empty one.
    return [cell.cell_contents for cell in function.__closure__ or () if cell != CellType()]


def _decorates(function: FunctionType, held: list[Any]) -> bool:
    return "__wrapped__" in vars(function) or any(is_a(each, FunctionType) for each in held)


def _owner(cls: type) -> str:
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return owner_of(file) if file else "python"
