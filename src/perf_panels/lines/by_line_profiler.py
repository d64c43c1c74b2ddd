"""
Lines timed by line_profiler itself, on Python 3.10 and 3.11: for a view whose functions are known.

line_profiler counts lines and nothing else: which functions a page calls, from which lines and templates, is kept here
from earlier runs of the view, which our own events have timed. Another URL of the view may call others: it is left to
our events at first, and so is one that has just come to a line they have not seen, or not been theirs for a while.

line_profiler finds a function by its bytecode and marks that in
the function, so it can time only functions that last. One made anew by each call of another is left to our events, and
so is one that calls itself, or has no line that tells how often it was called.
"""

from __future__ import annotations

import inspect
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from time import monotonic
from types import FunctionType
from typing import TYPE_CHECKING, Any

from perf_panels import statements
from perf_panels.conf import get_config
from perf_panels.functions import function_of
from perf_panels.lines.calibration import ROUNDS, loop, plain_ns, timed_ns
from perf_panels.lines.entry import entry_line
from perf_panels.lines.recorder import Recorder
from perf_panels.lines.runs import Cell, Timed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from perf_panels.functions import Target
    from perf_panels.lines.timings import Chosen, Phase
    from perf_panels.statements import Statement

    Chosens = dict[int, tuple[Target, Chosen]]

FRESH_S = 30
"""How long a URL is known to call what it did: its template has rows by then that it had not."""

MAX_SHOWN = 500


@dataclass
class Known:
    """
    What earlier runs of a view have shown: functions by id, with the line that counts their calls, and what they call.

    A function that is None cannot be timed here. ``shown`` has when each URL, with its method, was last looked at.
    """

    functions: dict[str, tuple[FunctionType, Target, int] | None] = field(default_factory=dict)
    from_outside: set[str] = field(default_factory=set)
    called: dict[tuple[str, int], dict[int, tuple[Target, int]]] = field(default_factory=dict)
    templates: dict[str, dict[tuple[str, str | None, int], int]] = field(default_factory=dict)
    met: dict[int, tuple[Target, bool]] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)


_known: dict[str, Known] = {}
_guard = threading.Lock()


def learn(view: str, url: str, recorder: Recorder) -> None:
    """
    Keep what our own events have shown of a view; ``url`` begins with the method.
    """
    with _guard:
        known = _known.setdefault(view, Known())
    known.met.update(recorder.met_codes)
    met = recorder.met_codes.values()
    known.from_outside |= recorder.from_outside | {target.id for target, outside in met if outside}
    for target, _ in list(recorder.chosen.values()):
        # To find a function takes long, and a view that is left to our events comes here each time.
        if target.id not in known.functions:
            function, entry = _lasting(target), entry_line(target.code)
            known.functions[target.id] = None if function is None or entry is None else (function, target, entry)
    for timed in recorder.timed.values():
        if timed.recursive:
            # line_profiler counts the time of an inner call to each of the outer ones.
            known.functions[timed.target.id] = None
        known.templates.setdefault(timed.target.id, {}).update(timed.templates)
        for line, cell in timed.cells.items():
            known.called.setdefault((timed.target.id, line), {}).update(cell.called)
    if len(known.shown) >= MAX_SHOWN:
        known.shown.clear()
    known.shown[url] = monotonic()


def engine(view: str, url: str, chosen: Chosens) -> ByLineProfiler | None:
    """
    Return the engine for these functions and those that Django called earlier.

    None where it cannot time them all, or where this URL may call others.
    """
    known = _known.get(view)
    if known is None or monotonic() - known.shown.get(url, -FRESH_S) >= FRESH_S or find_spec("line_profiler") is None:
        return None
    reasons = {target.id: reason for target, reason in chosen.values()}
    room = get_config().LINES_FUNCTIONS
    called_by_django = sorted(known.from_outside - reasons.keys())
    page: Chosen = "page"
    wanted = dict.fromkeys(called_by_django[:room], page) | reasons
    functions: list[tuple[FunctionType, Target, int, Chosen]] = []
    for each, reason in wanted.items():
        entry = known.functions.get(each)
        if entry is None:
            return None
        functions.append((*entry, reason))
    return ByLineProfiler(functions, known, url)


class ByLineProfiler:
    """
    The engine of one request.
    """

    name = "line_profiler"

    def __init__(self, functions: list[tuple[FunctionType, Target, int, Chosen]], known: Known, url: str) -> None:
        self.known = known
        self.url = url
        self.functions = functions
        self.recorder = Recorder({}, 0)
        self.recorder.met_codes = dict(known.met)
        self.sql: dict[tuple[Phase, int, int], list[float]] = {}
        self.asking: tuple[Phase, int, int] | None = None

    @property
    def overhead_ns(self) -> tuple[float, float, float]:
        # What a call costs is in its lines.
        return (*overhead_ns(), 0.0)

    @contextmanager
    def entered(self, phase: Phase) -> Iterator[None]:
        """
        Time what runs in this block, in this thread.
        """
        profiler = _profiler()
        for function, *_ in self.functions:
            _add(profiler, function)
        self.recorder.phase = phase
        with statements.listening(self):
            profiler.enable()
            try:
                yield
            finally:
                profiler.disable()
        self._keep(profiler.get_stats(), phase)

    def close(self) -> None:
        """
        Do nothing: each phase has let go of its own profiler.
        """

    def before(self, statement: Statement, frame: FrameType) -> None:
        """
        Find the innermost timed line that asks for the statement.
        """
        codes = {id(function.__code__) for function, *_ in self.functions}
        at: FrameType | None = frame
        while at is not None and id(at.f_code) not in codes:
            at = at.f_back
        # One thread: what comes after this is the same statement's.
        self.asking = None if at is None else (self.recorder.phase, id(at.f_code), at.f_lineno)

    def after(self, statement: Statement) -> None:
        """
        Count the statement to that line.
        """
        if self.asking is not None:
            entry = self.sql.setdefault(self.asking, [0, 0.0])
            entry[0] += 1
            entry[1] += statement.duration_ms

    def _keep(self, stats: Any, phase: Phase) -> None:
        by_place = {key[:2]: lines for key, lines in stats.timings.items()}
        for function, target, entry, chosen in self.functions:
            # As line_profiler has left the function: its mark changes the code object.
            code = function.__code__
            lines = by_place.get((code.co_filename, code.co_firstlineno))
            if not lines:
                continue
            timed = Timed(replace(target, code=code), chosen, phase)
            for line, hits, time in lines:
                cell = timed.cells[line] = self._cell(target, line, self.sql.get((phase, id(code), line), (0, 0.0)))
                cell.hits, cell.total_ns = hits, round(time * stats.unit * 1e9)
            # No such line was hit where what stands before it has raised.
            timed.calls = timed.cells[entry].hits if entry in timed.cells else 1
            timed.templates = dict(self.known.templates.get(target.id, {}))
            self.recorder.timed[phase, id(code)] = timed

    def _cell(self, target: Target, line: int, sql: Sequence[float]) -> Cell:
        cell = Cell()
        cell.queries, cell.query_ms = int(sql[0]), sql[1]
        called = self.known.called.get((target.id, line))
        if called is None:
            cell.calls_unknown = True
            self.known.shown.pop(self.url, None)
        else:
            cell.called = {key: (each, 0) for key, (each, _) in called.items()}
        return cell


def live(view: str, target: Target) -> Target:
    """
    Return the target with the code object that its function has now: line_profiler gives it another one.
    """
    known = _known.get(view)
    entry = known.functions.get(target.id) if known else None
    function = target.function or (entry[0] if entry else None)
    return target if function is None else replace(target, code=function.__code__)


def _lasting(target: Target) -> FunctionType | None:
    """
    Return the function of a target, if it is there as long as its module: one inside another is made with each call.
    """
    if isinstance(target.function, FunctionType):
        return target.function
    return None if target.code.co_flags & inspect.CO_NESTED else function_of(target.code)


def _add(profiler: Any, function: FunctionType) -> None:
    """
    Add a function without line_profiler's warning that it is the wrapper of another: that one is added too.
    """
    bare = FunctionType(function.__code__, function.__globals__, closure=function.__closure__)
    profiler.add_function(bare)
    function.__code__ = bare.__code__


def _profiler() -> Any:
    # Untyped: its stubs leave out what its C class has.
    from line_profiler import LineProfiler

    return LineProfiler()


@lru_cache(maxsize=1)
def overhead_ns() -> tuple[float, float]:
    """
    Return what one hit adds to the time of its line, and to the request: measured once in this process.
    """
    in_line, whole = [], []
    for _round in range(ROUNDS):
        profiler = _profiler()
        profiler.add_function(loop)
        profiler.enable()
        whole.append(timed_ns())
        profiler.disable()
        stats = profiler.get_stats()
        ((_, lines),) = stats.timings.items()
        in_line.append(sum(time for _, _, time in lines) * stats.unit * 1e9)
        hits = sum(count for _, count, _ in lines)
    plain = plain_ns()
    return max(0.0, (min(in_line) - plain) / hits), max(0.0, (min(whole) - plain) / hits)
