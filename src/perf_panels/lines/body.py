"""
The body of a streaming response: a generator that runs after the view, when nobody is in our block any more.

``follow`` is called when the response is there. Its lines are told apart by its frame, so nothing of the response is
changed.
"""

from __future__ import annotations

from time import perf_counter_ns as clock
from types import AsyncGeneratorType, GeneratorType
from typing import TYPE_CHECKING, Any

from perf_panels.functions import target_of_frame
from perf_panels.line_events import Followed
from perf_panels.lines.runs import LineRun, Timed
from perf_panels.origins import PROJECT, owner_of

if TYPE_CHECKING:
    from django.http import HttpResponseBase

    from perf_panels.lines.recorder import Recorder


class BodyRun(LineRun):
    """
    An activation that is there before it begins.
    """

    __slots__ = ("begun",)

    def __init__(self, watcher: Recorder, timed: Timed) -> None:
        self.begun = False
        super().__init__(watcher, timed, 0)

    def line(self, line: int) -> None:
        if not self.begun:
            self.begun = True
            self.timed.calls += 1
            super()._enter(clock())
        super().line(line)

    def _enter(self, came: int) -> None:
        if self.begun:
            super()._enter(came)


def follow(response: HttpResponseBase, recorder: Recorder) -> Followed | None:
    """
    Time the lines of the project's generator that makes this response's body; None where it is made otherwise.
    """
    generator: Any = getattr(response, "_iterator", None)
    if isinstance(generator, GeneratorType):
        frame = generator.gi_frame
    elif isinstance(generator, AsyncGeneratorType):
        frame = generator.ag_frame
    else:
        return None
    if frame is None or owner_of(frame.f_code.co_filename) != PROJECT:
        return None
    code = frame.f_code
    target = target_of_frame(code, frame)
    timed = recorder.timed["response", id(code)] = Timed(target, "view", "response")
    return Followed(generator, frame, BodyRun(recorder, timed))
