"""
Gives each line of a Django template a frame of its own, so that a profile reads "product_list.html:14".

The only patch of this panel: while a profile is being taken, ``Template._render`` and ``Node.render_annotated`` run
other code (their code objects are exchanged, so that no class changes). The first notes the nodes of each template that
is rendered; the second runs Django's own ``render_annotated`` for them, as a copy for each line, which samples know the
line by. Nodes are shared by all threads; the others render through these copies too, to the same effect.
"""

from __future__ import annotations

import inspect
import logging
import types
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    from django.template.base import Node, Template

logger = logging.getLogger("perf_panels")

_VARIADIC = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


class Place(NamedTuple):
    """
    A line of a template.
    """

    template: str
    path: str
    line: int


_copies: dict[tuple[Place, CodeType], types.FunctionType] = {}
_places: dict[CodeType, Place] = {}
"""Which line a code object stands for. Both are bounded by the lines of all templates that were ever profiled."""


def place_of(code: CodeType) -> Place | None:
    """
    Return which line a code object stands for, or None.
    """
    return _places.get(code)


@contextmanager
def named() -> Iterator[None]:
    """
    Name the template lines that are rendered within the block. Only one at a time, which the caller sees to.
    """
    from django.template import base

    # Their type hints leave out what is private.
    template: Any = base.Template
    render, annotated = template._render, base.Node.render_annotated
    if not (_is_plain(render) and _is_plain(annotated)):
        # Somebody's wrapper: its code cannot be exchanged for ours. The lines go without a name.
        yield
        return
    original = _function(annotated, annotated.__code__)
    nodes = Nodes(original)
    try:
        with (
            _lent(annotated, _annotating, perf_panels_copies=nodes.copies, perf_panels_original=original),
            _lent(
                render, _opening, perf_panels_open=nodes.open, perf_panels_original=_function(render, render.__code__)
            ),
        ):
            yield
    finally:
        nodes.close()


def _is_plain(function: Any) -> bool:
    if not isinstance(function, types.FunctionType):
        return False
    code = function.__code__
    takes_these = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] == ("self", "context")
    return takes_these and not code.co_freevars and not code.co_flags & _VARIADIC


def _function(function: Any, code: CodeType) -> types.FunctionType:
    return types.FunctionType(code, function.__globals__, function.__name__)


@contextmanager
def _lent(function: Any, lender: Any, **needed: Any) -> Iterator[None]:
    """
    Let a function run the code of another one within the block; what that needs comes as its defaults.
    """
    code = function.__code__
    # Another thread may be calling it: the code that needs the defaults comes after them, and goes before them.
    function.__kwdefaults__ = needed
    function.__code__ = lender.__code__
    try:
        yield
    finally:
        function.__code__ = code
        function.__kwdefaults__ = None


# "__traceback_hide__" keeps these from the technical 500 page of another thread's request, which nobody cleans.


def _opening(self: Template, context: Any, *, perf_panels_open: Any, perf_panels_original: Any) -> Any:
    __traceback_hide__ = True
    perf_panels_open(self)
    return perf_panels_original(self, context)


def _annotating(self: Node, context: Any, *, perf_panels_copies: Any, perf_panels_original: Any) -> Any:
    __traceback_hide__ = True
    return perf_panels_copies.get(id(self), perf_panels_original)(self, context)


class Nodes:
    """
    The nodes whose lines have a name at present; ``copies`` has the function that renders each, by the node's id.
    """

    def __init__(self, original: types.FunctionType) -> None:
        self.original = original
        self.templates: dict[int, Template] = {}
        self.copies: dict[int, types.FunctionType] = {}
        self.closed = False

    def open(self, template: Template) -> None:
        """
        Name the lines of a template, once.
        """
        if id(template) in self.templates or self.closed:
            return
        # Kept, as the ids of its nodes are.
        self.templates[id(template)] = template
        try:
            self._open(template)
        except Exception:
            logger.exception("The lines of %r go without a name", template)

    def _open(self, template: Template) -> None:
        from django.template.base import Node, TextNode

        for node in template.nodelist.get_nodes_by_type(Node):
            # Nodes that a tag has made by itself may have neither; text is there already.
            token, origin = getattr(node, "token", None), getattr(node, "origin", None)
            if token is not None and origin is not None and not isinstance(node, TextNode):
                place = Place(str(origin.template_name or origin.name), str(origin.name), token.lineno or 0)
                self.copies[id(node)] = _copy_for(place, self.original)

    def close(self) -> None:
        """
        Let go of the templates.
        """
        self.closed = True
        self.copies.clear()
        self.templates.clear()


def _copy_for(place: Place, original: types.FunctionType) -> types.FunctionType:
    code = original.__code__
    copy = _copies.get((place, code))
    if copy is None:
        # Equal code would be the same line to whoever counts.
        unlike_others = code.replace(co_consts=(*code.co_consts, place))
        copy = _copies[place, code] = _function(original, unlike_others)
        _places[unlike_others] = place
    return copy
