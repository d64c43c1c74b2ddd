"""
Which lines and functions take so much of a request that they are findings: by their own time.

Own is what is left of a line's time without other timed functions, without templates, and without the profiler itself.
A line that only calls a slower one is not to be changed; the slower one is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from perf_panels.findings import Finding, Origin, Severity
from perf_panels.lines.advice import MANY_STATEMENTS, advice_for
from perf_panels.numbers import duration, ms, percent
from perf_panels.origins import PROJECT

if TYPE_CHECKING:
    from perf_panels.lines.timings import FunctionTiming, LineTiming, Timings

_CRITICAL_SHARE = 0.6
_CRITICAL_MS = 200.0
_RENDERERS = frozenset({"render", "render_to_string", "Template.render", "SimpleTemplateResponse.render"})
"""Functions of Django whose time is a template's, where the engine could not measure it apart."""


@dataclass(frozen=True)
class Limits:
    """
    From when on a line is a finding: its share of the request, and its time.
    """

    share: float
    least_ms: float


def hot_lines(timings: Timings, limits: Limits) -> list[Finding]:
    """
    Return a finding for each line of the project, and for each function called repeatedly, over the limits.
    """
    whole = net_ms(timings)
    least = max(limits.least_ms, limits.share * whole)
    findings = []
    for function in timings.functions:
        if function.owner != PROJECT:
            continue
        own = {line.line: own_ms(function, line, timings) for line in function.lines}
        hot = [line for line in function.lines if own[line.line] >= least]
        findings += [_line_finding(function, line, own[line.line], whole, timings) for line in hot]
        # A view is called once, and of course it takes the time of the view; a filter for every cell should not.
        if not hot and function.calls > 1 and sum(own.values()) >= least:
            findings.append(_function_finding(function, own, whole))
    return sorted(findings, key=lambda finding: -finding.evidence["own_ms"])


def total_ms(timings: Timings) -> float:
    """
    Return the time of the view, its render and its streamed body, by the clock.
    """
    # Nobody watches the sending of a body as a whole: it takes as long as the function that makes it.
    sending = max((each.elapsed_ms for each in timings.functions if each.phase == "response"), default=0.0)
    return timings.view_ms + timings.render_ms + sending


def net_ms(timings: Timings) -> float:
    """
    Return the same without the profiler's own cost.
    """
    each_ns = timings.whole_overhead_ns or timings.overhead_ns
    calls = sum(each.calls for each in timings.functions)
    return max(0.0, total_ms(timings) - (timings.hits * each_ns + calls * timings.call_overhead_ns) / 1e6)


def own_ms(function: FunctionTiming, line: LineTiming, timings: Timings) -> float:
    """
    Return what a line took by itself: with code that is not timed, without what is measured elsewhere.
    """
    if any(each.owner != PROJECT and each.name in _RENDERERS for each in line.called):
        return 0.0
    called = {each.id for each in line.called} - {function.id}
    # An engine that cannot tell what was inside: all of what the line calls, though others may have called it too.
    elsewhere = line.inner_ms or sum(
        each.elapsed_ms for each in timings.functions if each.id in called and each.phase == function.phase
    )
    # Where a template is rendered by a line, functions called by the template are inside of both.
    inside = max(elsewhere, line.template_ms)
    calls = sum(each.calls for each in line.called)
    profiler = (line.hits * timings.overhead_ns + calls * timings.call_overhead_ns) / 1e6
    return max(0.0, line.elapsed_ms - inside - profiler)


def _severity(own: float, share: float, line: LineTiming | None = None) -> Severity:
    if line and 0 < line.sql_count < MANY_STATEMENTS and line.sql_ms >= own / 2:
        # It waits for the database: whether the statement is slow for what it does, the SQL EXPLAIN panel can tell.
        return "info"
    return "critical" if own >= _CRITICAL_MS and share >= _CRITICAL_SHARE else "warning"


def _share(own: float, whole: float) -> float:
    return min(1.0, own / whole) if whole else 1.0


def _line_finding(function: FunctionTiming, line: LineTiming, own: float, whole: float, timings: Timings) -> Finding:
    share = _share(own, whole)
    advice = advice_for(function, line, own, timings)
    return Finding(
        rule="hot-line",
        severity=_severity(own, share, line),
        title=_("Line %(line)d of %(function)s takes %(share)s of the time: %(ms)s")
        % {"line": line.line, "function": function.name, "share": percent(share), "ms": ms(own)},
        detail=" ".join(_detail(line, own)),
        evidence=_evidence(own, share, line.hits) | _sql(line),
        advice=advice.text,
        code=advice.code,
        origin=_origin(function, line.line),
        fix_at=_origin(function, advice.line) if advice.line else None,
    )


def _function_finding(function: FunctionTiming, own: dict[int, float], whole: float) -> Finding:
    together = sum(own.values())
    share = _share(together, whole)
    worst = max(own, key=lambda number: own[number])
    return Finding(
        rule="hot-function",
        severity=_severity(together, share),
        title=_("%(function)s takes %(share)s of the time: %(ms)s in %(calls)s calls")
        % {
            "function": function.name,
            "share": percent(share),
            "ms": ms(together),
            "calls": f"{function.calls:,}",
        },
        detail=_(
            "Its time is spread over its lines: %(each)s a call, most of it in line %(line)d. The profiler's own cost"
            " is taken off."
        )
        % {"each": duration(together / function.calls), "line": worst},
        evidence=_evidence(together, share, function.calls),
        advice=_("Call it less often, or keep its answers where its arguments repeat."),
        origin=_origin(function, worst),
    )


def _detail(line: LineTiming, own: float) -> list[str]:
    said = [_("It ran once.")]
    if line.hits > 1:
        said = [
            _("It ran %(count)s times, %(each)s each.") % {"count": f"{line.hits:,}", "each": duration(own / line.hits)}
        ]
    if line.inner_ms:
        said.append(_("Not in it: %(ms)s in other functions that are timed here.") % {"ms": ms(line.inner_ms)})
    if line.awaited_ms:
        said.append(_("Not in it: %(ms)s of waiting.") % {"ms": ms(line.awaited_ms)})
    said.append(_("The profiler's own cost is taken off."))
    return said


def _evidence(own: float, share: float, hits: int) -> dict[str, float | int]:
    return {"own_ms": round(own, 3), "share_percent": round(share * 100, 1), "hits": hits}


def _sql(line: LineTiming) -> dict[str, float | int]:
    return {"queries": line.sql_count, "sql_ms": round(line.sql_ms, 3)} if line.sql_count else {}


def _origin(function: FunctionTiming, line: int) -> Origin:
    called = max(function.templates, key=lambda each: each.calls, default=None)
    return Origin(
        function.file, line, function.name, called.template if called else None, called.line if called else None
    )
