"""
What can be taken away of a stored request: memory_profiler's text, a tracemalloc snapshot, CSV.

Answers to POSTs with a signed token, as every click; made from the stored stats alone.
"""

from __future__ import annotations

import csv
import io
import pickle
import tracemalloc
from functools import partial
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from perf_panels import actions, source_view
from perf_panels.actions import Asked, Refused
from perf_panels.memory import PANEL_ID
from perf_panels.memory.measurements import LINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpRequest

Stats = dict[str, Any]

MIB = 1024**2

_action = partial(actions.action, PANEL_ID)

_TEXT = "{0:>6} {1:>12} {2:>12}  {3:>10}   {4:<}"


@_action("text")
def text(request: HttpRequest, wanted: Asked, stats: Stats) -> HttpResponse:
    """
    Answer the measured functions as memory_profiler prints them.
    """
    if not stats.get("functions"):
        raise Refused(_("No function was measured in this request."))
    return _file(profile_text(stats), "text/plain; charset=utf-8", "memory.txt")


@_action("snapshot")
def snapshot(request: HttpRequest, wanted: Asked, stats: Stats) -> HttpResponse:
    """
    Answer what was allocated as ``tracemalloc.Snapshot.load`` reads it.
    """
    if not stats.get("rows"):
        raise Refused(_("No allocations were traced in this request."))
    dumped = pickle.dumps(rebuilt(stats), pickle.HIGHEST_PROTOCOL)
    return _file(dumped, "application/octet-stream", "allocations.tracemalloc")


@_action("csv")
def csv_(request: HttpRequest, wanted: Asked, stats: Stats) -> HttpResponse:
    """
    Answer the table of the engine that ran, all numbers as they are stored.
    """
    return _file(table_csv(stats), "text/csv; charset=utf-8", f"memory-{stats['engine']}.csv")


VIEWS: dict[str, Callable[..., Any]] = {"text": text, "snapshot": snapshot, "csv": csv_}


def _file(content: str | bytes, content_type: str, name: str) -> HttpResponse:
    return HttpResponse(
        content, content_type=content_type, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


# memory_profiler's text


def profile_text(stats: Stats) -> str:
    """
    Return the text of ``memory_profiler.show_results``; of source that was not kept, the measured lines alone.

    The increment of a function's first line is its baseline there, as in memory_profiler.
    """
    return "".join(_function_text(function) for function in stats["functions"])


def _function_text(function: Stats) -> str:
    header = _TEXT.format("Line #", "Mem usage", "Increment", "Occurrences", "Line Contents")
    texts = source_view.texts(function["source"])
    by_number = {line["line"]: line for line in function["lines"]}
    first = function["first_line"]
    written = [f"Filename: {function['file']}\n\n{header}\n{'=' * len(header)}\n"]
    for number in sorted(texts.keys() | by_number.keys()):
        line = by_number.get(number)
        if line is not None:
            cells = (_mib(line["peak_bytes"]), _mib(line["increment_bytes"]), line["hits"])
        elif number == first:
            cells = (_mib(function["baseline_bytes"]), _mib(function["baseline_bytes"]), function["calls"])
        else:
            cells = ("", "", "")
        written.append(_TEXT.format(number, *cells, f"{texts.get(number, '')}\n"))
    return "".join([*written, "\n\n"])


def _mib(size: int) -> str:
    return f"{size / MIB:5.1f} MiB"


# A tracemalloc snapshot


def rebuilt(stats: Stats) -> tracemalloc.Snapshot:
    """
    Return a snapshot with the stored lines: the right bytes and blocks for each, every block of a line of equal size.
    """
    files = stats["files"]
    traces: list[Any] = []
    for row in stats["rows"]:
        count = max(row["net_blocks"], 1)
        if row["net_bytes"] <= 0:
            continue
        frames = tuple((files[file], line) for file, line in row["trace"]) or ((files[row["file"]], row["line"]),)
        each, rest = divmod(row["net_bytes"], count)
        # One tuple many times over: a pickle writes it once.
        traces += [(0, each, frames, len(frames))] * (count - 1) + [(0, each + rest, frames, len(frames))]
    # The type stubs do not know how a snapshot is made.
    make: Any = tracemalloc.Snapshot
    made: tracemalloc.Snapshot = make(traces, stats["allocations"]["frames"])
    return made


# CSV


def table_csv(stats: Stats) -> str:
    """
    Return the rows of the engine that ran: statements, allocating lines, or models and types.
    """
    written = io.StringIO()
    csv.writer(written).writerows(_safe(row) for row in _table(stats))
    return written.getvalue()


def _safe(row: list[Any]) -> list[Any]:
    """
    Return the cells so that no spreadsheet takes a text for a formula.
    """
    return [f"'{cell}" if isinstance(cell, str) and cell[:1] in {"=", "+", "-", "@"} else cell for cell in row]


def _table(stats: Stats) -> Iterator[list[Any]]:
    if stats["engine"] == LINES:
        yield from _statement_rows(stats)
    elif "rows" in stats:
        yield from _allocation_rows(stats)
    else:
        yield from _object_rows(stats)


_STATEMENT = ("line", "last_line", "hits", "increment_bytes", "spike_bytes", "peak_bytes", "own_bytes")
_ALLOCATION = ("net_bytes", "net_blocks", "view_bytes", "peak_bytes", "peak_blocks", "alive_bytes", "alive_blocks")


def _statement_rows(stats: Stats) -> Iterator[list[Any]]:
    yield ["file", "function", "owner", *_STATEMENT]
    for function in stats.get("functions") or []:
        for line in function["lines"]:
            yield [function["file"], function["function"], function["owner"], *(line[name] for name in _STATEMENT)]


def _allocation_rows(stats: Stats) -> Iterator[list[Any]]:
    yield ["file", "line", "owner", *_ALLOCATION, "callers"]
    for row in stats["rows"]:
        callers = " < ".join(f"{stats['files'][file]}:{line}" for file, line in row["trace"][1:])
        yield [stats["files"][row["file"]], row["line"], row["owner"], *(row[name] for name in _ALLOCATION), callers]


def _object_rows(stats: Stats) -> Iterator[list[Any]]:
    yield ["kind", "name", "loaded", "count_before", "count_after", "bytes_before", "bytes_after", "left"]
    for model in stats.get("models") or []:
        alive = max(model["alive_view"], model["alive_render"])
        size = model["bytes_each"] * alive
        yield ["model", model["label"], model["loaded"], 0, alive, 0, size, model["left"]]
    names = ("count_before", "count_after", "bytes_before", "bytes_after", "count_left")
    for each in stats.get("types") or []:
        yield ["type", each["name"], "", *(each[name] for name in names)]
