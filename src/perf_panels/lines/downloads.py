"""
What is stored of a run, in the forms that others read: line_profiler's file and text, and Markdown for a pull request.

Called by a click, with what is stored alone; line_profiler itself is asked for its own forms.
"""

from __future__ import annotations

import io
import re
from typing import Any

from django.utils.translation import gettext as _

from perf_panels.actions import Refused
from perf_panels.lines import lprof
from perf_panels.numbers import duration, ms, percent, whole
from perf_panels.origins import short_path
from perf_panels.source_view import texts, visible

Stats = dict[str, Any]

_UNIT = 1e-9
_SHOWN_UNIT = 1e-6
"""That of ``python -m line_profiler`` without options."""

_FUNCTIONS = 3
_LEAST_SHARE = 0.01
_AROUND = 1


def file_name(stats: Stats) -> str:
    """
    Return a name that any file system takes.
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", f"{stats['view'].rpartition('.')[2]}-lines").strip("-")[:80]


def as_lprof(stats: Stats) -> bytes:
    """
    Return the file that ``python -m line_profiler`` reads. Raises ``Refused`` where it is not installed.
    """
    try:
        return lprof.dumps(stats["functions"])
    except ImportError:
        raise Refused(_missing()) from None


def as_text(stats: Stats) -> str:
    """
    Return what ``python -m line_profiler`` prints of that file. Raises ``Refused`` where it is not installed.
    """
    try:
        from line_profiler.line_profiler import show_text
    except ImportError:
        raise Refused(
            _("This text is made by line_profiler, which is not installed: pip install line_profiler.")
        ) from None
    stream = io.StringIO()
    show_text(lprof.timings_of(stats["functions"]), _UNIT, output_unit=_SHOWN_UNIT, stream=stream)
    return stream.getvalue()


def as_markdown(stats: Stats) -> str:
    """
    Return the findings and the slowest functions, with paths as the project names them.
    """
    parts = [
        f"### {stats['url']}: {ms(stats['total_ms'])}",
        "\n".join(f"- {_finding(each)}" for each in stats["findings"]),
        *(_function(each) for each in stats["functions"][:_FUNCTIONS]),
        _("%(hits)s hits, about %(each)s of the profiler's own in each. View %(view)s, render %(render)s.")
        % {
            "hits": whole(stats["hits"]),
            "each": duration(stats["overhead_ns"] / 1e6),
            "view": ms(stats["view_ms"]),
            "render": ms(stats["render_ms"]),
        },
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _missing() -> str:
    return _("This is made by line_profiler itself, which is not installed: pip install line_profiler.")


def _finding(finding: Stats) -> str:
    origin = finding["origin"]
    said = f"**{finding['title']}** (`{short_path(origin['file'])}:{origin['line']}`)"
    return f"{said} {finding['advice']}".rstrip()


def _function(function: Stats) -> str:
    name = f"`{function['name']}` (`{short_path(function['file'])}:{function['first_line']}`)"
    calls = _("%(ms)s in %(calls)s calls") % {"ms": ms(function["elapsed_ms"]), "calls": whole(function["calls"])}
    body = "\n".join(_rows(function))
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    return f"**{name}**: {calls}\n\n{fence}text\n{body}\n{fence}"


def _rows(function: Stats) -> list[str]:
    source = texts(function["source"])
    lines = {line["line"]: line for line in function["lines"]}
    warm = [number for number, line in lines.items() if line["elapsed_ms"] >= _LEAST_SHARE * function["elapsed_ms"]]
    shown = {near for number in warm for near in range(number - _AROUND, number + _AROUND + 1)}
    shown = (shown & source.keys()) | set(warm)
    rows = [f"{'Line':>6} {'Hits':>10} {'Time':>10} {'Per hit':>10} {'Share':>6}  Source"]
    previous = None
    for number in sorted(shown):
        if previous is not None and number > previous + 1:
            rows.append(f"{'…':>6}")
        rows.append(_row(number, lines.get(number), function["elapsed_ms"], source.get(number, "")))
        previous = number
    return rows


def _row(number: int, line: Stats | None, whole_ms: float, text: str) -> str:
    if line is None:
        return f"{number:>6} {'':>39}  {visible(text)}".rstrip()
    share = percent(min(1.0, line["elapsed_ms"] / whole_ms)) if whole_ms else ""
    per_hit = duration(line["elapsed_ms"] / line["hits"]) if line["hits"] else ""
    numbers = f"{whole(line['hits']):>10} {duration(line['elapsed_ms']):>10} {per_hit:>10} {share:>6}"
    return f"{number:>6} {numbers}  {visible(text)}".rstrip()
