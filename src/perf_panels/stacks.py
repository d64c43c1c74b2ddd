"""
What other threads are doing at this moment, without harm to them.

Python 3.11 makes the frames of a thread when somebody looks at them: ``sys._current_frames`` does under the lock that
every new thread needs, and ``frame.f_back`` of a call that may be over by then. If a collection of garbage let another
thread run meanwhile, the process would wait for itself for ever (python/cpython#106883, mended in 3.11.9) or crash. So
none starts before the last frame is let go again, and no frame leaves this module.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from perf_panels.collector import paused

if TYPE_CHECKING:
    from collections.abc import Container
    from types import CodeType, FrameType


class Stack(NamedTuple):
    """
    The calls of a thread, the innermost first: their code objects, and for each the offset of the instruction it is at.
    """

    codes: list[CodeType]
    instructions: list[int]


def stack_of(thread: int, until: Container[CodeType] = ()) -> Stack:
    """
    Return the calls of a thread up to the first of ``until``; none of a thread that has ended.
    """
    with paused():
        return _stack_of(thread, until)


def stacks() -> dict[int, Stack]:
    """
    Return the calls of each thread, by the thread's id.
    """
    with paused():
        return _stacks()


def line_at(code: CodeType, instruction: int) -> int | None:
    """
    Return the line that an instruction belongs to.
    """
    # Python 3.10 lets threads change before the first instruction of a call.
    if instruction < 0:
        return code.co_firstlineno
    for start, end, line in code.co_lines():
        if start <= instruction < end:
            return line
    return None


# Functions of their own: their frames, and the references in them, are gone when they return.


def _stack_of(thread: int, until: Container[CodeType]) -> Stack:
    return _walked(sys._current_frames().get(thread), until)


def _stacks() -> dict[int, Stack]:
    return {thread: _walked(frame) for thread, frame in sys._current_frames().items()}


def _walked(frame: FrameType | None, until: Container[CodeType] = ()) -> Stack:
    codes, instructions = [], []
    while frame is not None:
        code = frame.f_code
        codes.append(code)
        instructions.append(frame.f_lasti)
        if code in until:
            break
        frame = frame.f_back
    return Stack(codes, instructions)
