"""
What was measured: the times of lines, of functions, of a request. Plain data, the same from every engine.

``collect`` makes a ``Timings`` at the end of a request; ``report`` and the downloads read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from types import CodeType

Phase = Literal["view", "render", "response"]
"""``response``: what ran while the body of a streaming response was sent."""

Chosen = Literal["view", "page", "deeper", "second choice"]
"""
Why a function was timed: it is the view's own; Django or a template called it; somebody's click; one of Django's own
methods of the view, kept because it turned out hot.
"""


@dataclass
class TemplateCall:
    """
    A template line from which a function was called; ``path`` is the template's file, where it has one.

    ``calls`` counts the calls that were looked at: all of the first, then fewer and fewer.
    """

    template: str
    path: str | None
    line: int
    calls: int = 1


@dataclass
class Called:
    """
    A function that a line called. It can be added to what is timed by its ``id``.

    ``calls`` is exact where the function was timed too, else 0: nobody counted.
    """

    id: str
    name: str
    owner: str
    calls: int = 0
    kind: str = "function"


@dataclass
class Seen:
    """
    A function that ran under this view in this process and was not timed this time; ``calls`` as in ``Called``.

    ``from_outside``: no line of the project called it, so that no line can offer it.
    """

    id: str
    name: str
    module: str
    owner: str
    calls: int = 0
    kind: str = "function"
    from_outside: bool = False
    templates: list[TemplateCall] = field(default_factory=list)


@dataclass
class LineTiming:
    """
    One line: how often it ran, how long, and what it did. A line has the time of all that it calls.

    ``awaited_ms``, the time its coroutine was suspended at it, is not part of ``elapsed_ms``. ``inner_ms`` is: the time
    of other timed functions entered while the line ran; so is ``template_ms``, of templates rendered by it. With
    ``calls_unknown`` nobody looked at what it called.
    """

    line: int
    hits: int
    elapsed_ms: float
    awaited_ms: float = 0.0
    sql_count: int = 0
    sql_ms: float = 0.0
    inner_ms: float = 0.0
    template_ms: float = 0.0
    called: list[Called] = field(default_factory=list)
    calls_unknown: bool = False


@dataclass
class FunctionTiming:
    """
    One function in one phase. ``lines`` are those that ran; ``executable`` those of its own code that could have.

    A line of the source that is in neither (a comment, the body of an inner function) was not looked at.
    """

    id: str
    name: str
    module: str
    file: str
    first_line: int
    last_line: int
    owner: str
    phase: Phase
    calls: int
    elapsed_ms: float
    lines: list[LineTiming] = field(default_factory=list)
    executable: list[int] = field(default_factory=list)
    awaited_ms: float = 0.0
    chosen: Chosen = "view"
    kind: str = "function"
    templates: list[TemplateCall] = field(default_factory=list)
    code: CodeType | None = None


@dataclass
class Timings:
    """
    One request. The times of the phases are by the clock, without what was lost between the lines: see ``runs``.

    ``overhead_ns`` is what one hit adds to the time of its line, measured in this process; ``whole_overhead_ns`` what
    it adds to the request: part of it is in no line. ``call_overhead_ns`` is what a call adds to the line that calls a
    timed function. ``selection`` is what was added by clicks, in that order;
    ``unseen`` the ids among it that this process has not seen under the view yet. ``notes`` are sentences for people,
    such as what this engine cannot see.
    """

    engine: str
    overhead_ns: float = 0.0
    whole_overhead_ns: float = 0.0
    call_overhead_ns: float = 0.0
    view_ms: float = 0.0
    render_ms: float = 0.0
    template_ms: float = 0.0
    hits: int = 0
    functions: list[FunctionTiming] = field(default_factory=list)
    selection: list[Called] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
