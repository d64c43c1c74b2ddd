"""
Gives each line of a Django template a frame of its own, so that any sampler sees "product_list.html:14".

The only patch of this panel: while a profile is being taken, ``Template._render`` (its code object, so that no class
changes) lets the nodes of each template that is rendered be called through a function named after their line. Nodes of
a loaded template are shared by all threads; the others render through these functions too, to the same effect.
"""

from __future__ import annotations

import types
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from django.template.base import Node, Template

_NAME = "render_annotated"


class Place(NamedTuple):
    """
    A line of a template.
    """

    template: str
    path: str
    line: int


PLACES: dict[CodeType, Place] = {}
"""Which line a code object stands for. Bounded by the lines of all templates that were ever profiled."""

_functions: dict[tuple[Place, Any], types.FunctionType] = {}


@contextmanager
def named() -> Iterator[None]:
    """
    Name the template lines that are rendered within the block. Only one at a time, which the caller sees to.
    """
    from django.template import base

    template: Any = base.Template  # its type hints leave out what is private
    render = template._render
    code, defaults = render.__code__, render.__kwdefaults__
    if code.co_freevars:
        # Somebody's wrapper: its code cannot be exchanged for ours. The lines go without a name.
        yield
        return
    nodes = Nodes()
    original = types.FunctionType(code, render.__globals__, code.co_name, render.__defaults__)
    original.__kwdefaults__ = defaults
    # Another thread may be calling it: the code that needs the defaults comes after them, and goes before them.
    render.__kwdefaults__ = {**(defaults or {}), "perf_panels_open": nodes.open, "perf_panels_original": original}
    render.__code__ = _opening.__code__
    try:
        yield
    finally:
        render.__code__ = code
        render.__kwdefaults__ = defaults
        nodes.close()


def _opening(self: Template, context: Any, *, perf_panels_open: Any, perf_panels_original: Any) -> Any:
    """
    Lend its code to ``Template._render``, whose globals are others: what it needs comes as its defaults.
    """
    __traceback_hide__ = True  # from the technical 500 page of another thread's request, which nobody cleans
    perf_panels_open(self)
    return perf_panels_original(self, context)


class Nodes:
    """
    The nodes that are called through a named function at present.
    """

    def __init__(self) -> None:
        self.templates: dict[int, Template] = {}
        self.nodes: list[Node] = []
        self.closed = False

    def open(self, template: Template) -> None:
        """
        Give the nodes of a template their named functions, once.
        """
        if id(template) in self.templates or self.closed:
            return
        self.templates[id(template)] = template
        from django.template.base import Node

        for node in template.nodelist.get_nodes_by_type(Node):
            if node.token is not None and _NAME not in node.__dict__:
                # A node of a class without a settable attribute cannot be; Django has none.
                node.render_annotated = types.MethodType(_function(node), node)  # type: ignore[method-assign]
                self.nodes.append(node)

    def close(self) -> None:
        """
        Take the functions away again.
        """
        self.closed = True
        for node in self.nodes:
            node.__dict__.pop(_NAME, None)
        self.nodes.clear()
        self.templates.clear()


def _function(node: Any) -> Callable[..., Any]:
    origin, line = node.origin, node.token.lineno or 0
    name = str(origin.template_name or origin.name)
    place = Place(name, str(origin.name), line)
    original = type(node).render_annotated
    function = _functions.get((place, original))
    if function is None:
        function = _functions[place, original] = _named_function(place, original)
        PLACES[function.__code__] = place
    return function


def _named_function(place: Place, original: Callable[..., Any]) -> types.FunctionType:
    def annotated(self: Node, context: Any) -> Any:
        __traceback_hide__ = True
        return original(self, context)

    name = f"{place.template.rpartition('/')[2]}:{place.line}"
    # In angle brackets, as code that no file has: another panel must not take it for a function of the project.
    code = annotated.__code__.replace(co_filename=f"<{place.path}>", co_name=name, co_firstlineno=place.line)
    if hasattr(code, "co_qualname"):
        code = code.replace(co_qualname=name)  # type: ignore[call-arg] # from Python 3.11 on
    return types.FunctionType(code, annotated.__globals__, name, None, annotated.__closure__)
