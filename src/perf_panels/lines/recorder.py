"""
Decides what is timed of a watched request, and keeps it: what ``line_events`` calls as functions start.

It runs inside the user's code: an exception of ours stops the counting and nothing else.
"""

from __future__ import annotations

import logging
import sys
import threading
from time import perf_counter_ns as clock
from types import CodeType
from typing import TYPE_CHECKING

from django.template.base import Template

from perf_panels import origins
from perf_panels.functions import Target, callee_of, target_of_frame
from perf_panels.line_events import runs
from perf_panels.lines.runs import LineRun, TemplateRun, Timed, lose

if TYPE_CHECKING:
    from types import FrameType

    from perf_panels.lines.timings import Chosen, Phase
    from perf_panels.statements import Statement

logger = logging.getLogger("perf_panels")

TEMPLATE_RENDER: CodeType = Template.render.__code__
_COMPREHENSIONS = frozenset({"<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>"})
_NOT_FUNCTIONS = _COMPREHENSIONS | {"<module>"}


class Recorder:
    """
    Everything of one request. ``failure`` is the first exception of ours; after it nothing more is counted.
    """

    def __init__(self, chosen: dict[int, tuple[Target, Chosen]], room: int) -> None:
        self.chosen = chosen
        self.room = room
        self.phase: Phase = "view"
        self.timed: dict[tuple[Phase, int], Timed] = {}
        self.met_codes: dict[int, tuple[Target, bool]] = {}
        self.met_templates: dict[int, dict[tuple[str, str | None, int], int]] = {}
        self.from_outside: set[str] = set()
        self.awaiting: dict[int, LineRun] = {}
        self.template_ns = 0
        self.lost_ns: dict[Phase, int] = {}
        self.failure: Exception | None = None
        self._stacks: dict[int, list[LineRun | TemplateRun]] = {}

    def stack(self) -> list[LineRun | TemplateRun]:
        """
        Return the activations that run in this thread, the innermost last.
        """
        return self._stacks.setdefault(threading.get_ident(), [])

    # What line_events calls

    def start(self, code: CodeType, frame: FrameType) -> LineRun | TemplateRun | None:
        if self.failure is not None:
            return None
        came = clock()
        try:
            return self._start(code, frame, came)
        except Exception as error:  # noqa: BLE001 - the user's function must run, whatever we do wrong
            self._fail(error)
            return None

    def met(self, code: CodeType, frame: FrameType) -> bool:
        if self.failure is not None:
            return False
        came = clock()
        try:
            return self._met(code, frame)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
            return False
        finally:
            stack = self.stack()
            lose(self, stack[-1] if stack else None, clock() - came)

    def calls(self, _code: CodeType, frame: FrameType, called: object) -> None:
        run = runs.get(frame)
        if self.failure is not None or not isinstance(run, LineRun):
            return
        try:
            if isinstance(called, CodeType):
                if id(called) not in run.cell.called and (known := self.met_codes.get(id(called))) is not None:
                    run.cell.called[id(called)] = known[0], 0
                return
            target = callee_of(called)
            if target is not None and target.owner != origins.OWN and target.code.co_name not in _NOT_FUNCTIONS:
                run.cell.called.setdefault(id(target.code), (target, 0))
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    # What statements calls

    def before(self, statement: Statement, frame: FrameType) -> None:
        """
        Do nothing: the line is known when the statement has run.
        """

    def after(self, statement: Statement) -> None:
        """
        Count the statement to the innermost timed line, or to the only one that waits for it.
        """
        run = next((run for run in reversed(self.stack()) if isinstance(run, LineRun)), None) or self._only_waiting()
        if run is not None:
            run.cell.queries += 1
            run.cell.query_ms += statement.duration_ms

    def _only_waiting(self) -> LineRun | None:
        """
        Return the innermost coroutine that awaits, for a statement that Django runs in another thread; None if several.
        """
        waiting = list(self.awaiting.values())
        outer = {id(run.caller) for run in waiting}
        innermost = [run for run in waiting if id(run) not in outer]
        return innermost[0] if len(innermost) == 1 else None

    def _start(self, code: CodeType, frame: FrameType, came: int) -> LineRun | TemplateRun | None:
        entry = self.chosen.get(id(code))
        if entry is None:
            return TemplateRun(self) if code is TEMPLATE_RENDER else None
        target, chosen = entry
        key = (self.phase, id(code))
        timed = self.timed.get(key)
        if timed is None:
            timed = self.timed[key] = Timed(target, chosen, self.phase)
        timed.calls += 1
        caller = _caller(frame)
        run = runs.get(caller) if caller is not None else None
        if isinstance(run, LineRun):
            called, count = run.cell.called.get(id(code), (target, 0))
            run.cell.called[id(code)] = called, count + 1
        elif not timed.calls & (timed.calls - 1):
            # The first, second, fourth, eighth … call: to find the template takes longer than to time a line.
            _note_template(timed.templates, caller)
            if _is_outside(caller):
                self.from_outside.add(target.id)
        return LineRun(self, timed, came)

    def _met(self, code: CodeType, frame: FrameType) -> bool:
        owner = origins.owner_of(code.co_filename)
        if owner == origins.OWN or code.co_name in _NOT_FUNCTIONS:
            return False
        caller = _caller(frame)
        run = runs.get(caller) if caller is not None else None
        is_ours = owner == origins.PROJECT
        target = target_of_frame(code, frame, kind=is_ours)
        if isinstance(run, LineRun):
            run.cell.called.setdefault(id(code), (target, 0))
        from_outside = is_ours and _is_outside(caller)
        if from_outside and self.room > 0:
            self.room -= 1
            self.chosen[id(code)] = target, "page"
            return True
        self.met_codes[id(code)] = target, from_outside
        if from_outside:
            _note_template(self.met_templates.setdefault(id(code), {}), caller)
        return False

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        logger.error("The line profiler stopped watching this request", exc_info=error)


def _caller(frame: FrameType) -> FrameType | None:
    """
    Return the calling frame; a comprehension is part of the function that it stands in.
    """
    caller = frame.f_back
    while caller is not None and caller.f_code.co_name in _COMPREHENSIONS:
        caller = caller.f_back
    return caller


def _is_outside(caller: FrameType | None) -> bool:
    """
    Return whether a function was called by none of the project's: by Django, by a template.
    """
    return caller is None or origins.owner_of(caller.f_code.co_filename) != origins.PROJECT


def _note_template(templates: dict[tuple[str, str | None, int], int], caller: FrameType | None) -> None:
    if sys.version_info < (3, 11):
        # To read a caller's locals inside a trace function has crashed Python 3.10 (a freed object, found by gc).
        return
    site, _ = origins.trace(caller, {})
    if site.template is not None and site.in_template:
        place = (site.template, site.template_path, site.template_line or 0)
        templates[place] = templates.get(place, 0) + 1
