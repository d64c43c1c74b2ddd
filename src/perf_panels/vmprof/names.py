"""
From the ids of code objects, which is all that vmprof wrote, to functions. Runs after the response.
"""

from __future__ import annotations

import sys
import threading
from types import CodeType
from typing import TYPE_CHECKING, Any

from perf_panels import heap
from perf_panels.origins import slashed
from perf_panels.stacks import stacks
from perf_panels.vmprof import template_frames, tracebacks
from perf_panels.vmprof.samples import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_KEPT = 50_000

_known: dict[int, CodeType] = {}
"""The code objects met so far. Held, so that no other can get the id of one of them."""
_jinja: dict[int, tuple[CodeType, Any]] = {}
"""By its id, each code object asked for, or of a Jinja template, with that template. Equal code may be of two files."""
_lock = threading.Lock()


def resolve(ids: set[int]) -> dict[int, CodeType]:
    """
    Return the code objects that have these ids. One that is gone is missing.
    """
    with _lock:
        if len(_known) > _MOST_KEPT:
            _known.clear()
        missing = ids.difference(_known)
        if missing:
            _known.update(_search(missing))
        return {each: _known[each] for each in ids if each in _known}


def frame_of(code: CodeType | None, line: int | None) -> Frame | None:
    """
    Return the frame as the report has it; None for one of our own, which nobody wants to see.
    """
    if code is None:
        return Frame("", 0, "(gone)")
    place = template_frames.place_of(code)
    if place is not None:
        name = f"{place.template.rpartition('/')[2]}:{place.line}"
        return Frame(place.path, place.line, name, None, place.template, place.line)
    if tracebacks.is_own(code):
        return None
    function = getattr(code, "co_qualname", code.co_name).replace("<locals>.", "")
    template = _jinja_template(code)
    if template is not None:
        lineno = template.get_corresponding_lineno(line or code.co_firstlineno)
        # One made from a string has no name.
        name = template.name or code.co_filename
        return Frame(template.filename or code.co_filename, lineno, code.co_name, line, name, lineno)
    return Frame(slashed(code.co_filename), code.co_firstlineno, function, line)


def _search(ids: set[int]) -> dict[int, CodeType]:
    """
    Look for code objects where they can be: in functions and in what runs now; each holds those it makes functions of.
    """
    found: dict[int, CodeType] = {}
    left = set(ids)
    seen: set[int] = set()
    for code in _roots():
        waiting = [code]
        while waiting and left:
            one = waiting.pop()
            if id(one) in seen:
                continue
            seen.add(id(one))
            if id(one) in left:
                found[id(one)] = one
                left.discard(id(one))
            waiting += [constant for constant in one.co_consts if type(constant) is CodeType]
        if not left:
            break
    return found


def _roots() -> Iterable[CodeType]:
    yield from (code for stack in stacks().values() for code in stack.codes)
    # Python 3.10 crashes when a function that the collector has cleared is asked for its __code__.
    yield from (each for each in heap.referents(heap.functions()) if type(each) is CodeType)


def _jinja_template(code: CodeType) -> Any:
    """
    Return the Jinja template that a code object was compiled from, or None.
    """
    file = code.co_filename
    # "<frozen ...>" and "<string>" are Python's own: no need to look through all functions for them.
    if "jinja2" not in sys.modules or file.endswith(".py") or file.startswith(("<frozen ", "<string>")):
        return None
    with _lock:
        if id(code) not in _jinja:
            if len(_jinja) > _MOST_KEPT:
                _jinja.clear()
            _jinja.update(_templates())
            for each in _with_nested(code):
                _jinja.setdefault(id(each), (each, None))
        return _jinja[id(code)][1]


def _templates() -> dict[int, tuple[CodeType, Any]]:
    """
    Return the code objects of all Jinja templates: a macro's function is gone when its template has been rendered.
    """
    found: dict[int, tuple[CodeType, Any]] = {}
    for function in heap.functions():
        # Nothing on Python 3.10 for a function that the collector has cleared.
        module = function.__globals__
        template = module.get("__jinja_template__") if type(module) is dict else None
        if template is not None:
            codes = [each for each in heap.referents([function]) if type(each) is CodeType]
            found |= {id(each): (each, template) for code in codes for each in _with_nested(code)}
    return found


def _with_nested(code: CodeType) -> list[CodeType]:
    codes = [code]
    for each in codes:  # which grows meanwhile
        codes += [constant for constant in each.co_consts if type(constant) is CodeType]
    return codes
