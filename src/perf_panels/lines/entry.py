"""
Which line of a function runs once in each of its calls: line_profiler counts lines and not calls.

Called once for each function that line_profiler is to time; one that has no such line is timed otherwise.
"""

from __future__ import annotations

import dis
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

_JUMPS = frozenset({*dis.hasjrel, *dis.hasjabs})


def entry_line(code: CodeType) -> int | None:
    """
    Return the first line that each call comes to exactly once, or None: a loop or a ``with`` may be all there is.

    A statement of several lines comes back to its first one, and a loop to its head: these have more hits than calls.
    """
    line_at = {offset: line for start, end, line in code.co_lines() for offset in range(start, end)}
    instructions = list(dis.get_instructions(code))
    jumps = [each for each in instructions if each.opcode in _JUMPS]
    looped_to = {each.argval for each in jumps if each.argval <= each.offset}
    straight_to = min((each.offset for each in jumps), default=len(code.co_code))
    runs = [
        (line, [each.offset for each in run])
        for line, run in groupby(instructions, lambda each: line_at.get(each.offset))
    ]
    lines = [line for line, _ in runs]
    for line, offsets in runs:
        if not looped_to.isdisjoint(offsets) or offsets[0] > straight_to:
            return None
        # What stands on the line of the def belongs to the start of a function, unless it is all on that line.
        is_start = line == code.co_firstlineno and len(set(lines) - {None}) > 1
        if line is not None and lines.count(line) == 1 and not is_start:
            return line
    return None
