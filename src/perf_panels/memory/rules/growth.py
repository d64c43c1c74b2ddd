"""
``memory-growth``: a statement of the project that adds much, or takes much and gives it back.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _, ngettext

from perf_panels.conf import get_config
from perf_panels.findings import Finding, Origin
from perf_panels.memory import advice
from perf_panels.memory.measurements import LINES
from perf_panels.memory.wording import line_numbers, memory, share
from perf_panels.origins import PROJECT, owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perf_panels.findings import Severity
    from perf_panels.memory.measurements import Measurements
    from perf_panels.memory.results import Allocated, FunctionMemory, LineMemory

    Source = Callable[[str, int, int], list[str]]

FLOOR_BYTES = 1024**2
"""Python's allocator takes memory from the system in arenas of 1 MiB: of less than one a share says nothing."""

_CRITICAL = 10
"""Times the threshold."""


@dataclass(frozen=True)
class Grown:
    """
    What a place added: ``amount_bytes`` at its height, ``kept_bytes`` afterwards.
    """

    origin: Origin
    last_line: int
    amount_bytes: int
    kept_bytes: int
    hits: int = 0
    blocks: int = 0
    certain_bytes: int = 0
    """Of ``amount_bytes``, what certainly is neither DEBUG's nor the toolbar's: allocated by the line itself."""


def growth(measured: Measurements, source: Source) -> list[Finding]:
    """
    Return the statements of the project that add ``MEMORY_GROWTH_BYTES``, or a large share of what was added.
    """
    rise = risen_bytes(measured)
    allocating = _allocating(measured)
    found = [
        replace(grown, certain_bytes=sum(each.certain_bytes for each in allocating if _is_within(each, grown)))
        for grown in _statements(measured)
        if _is_much(grown.amount_bytes, rise, measured)
    ]
    found += [
        grown
        for grown in allocating
        if _is_much(grown.amount_bytes, rise, measured) and not any(_is_within(grown, statement) for statement in found)
    ]
    found.sort(key=lambda grown: -grown.amount_bytes)
    return [_growth_finding(grown, rise, measured, source) for grown in found]


def risen_bytes(measured: Measurements) -> int:
    """
    Return what the request grew by at its height, as its engine counts.
    """
    if measured.allocations is not None:
        traced = measured.allocations
        return max(traced.peak_bytes or 0, traced.peak_seen_bytes, traced.net_bytes)
    process = measured.process
    return max(process.rss_peak_bytes or 0, process.rss_end_bytes) - process.rss_before_bytes


def own_bytes(line: LineMemory) -> int:
    """
    Return the most that a statement took by itself: without the functions it calls that are measured too.
    """
    return max(line.increment_bytes - line.inner_bytes, line.spike_bytes - line.inner_spike_bytes)


def _statements(measured: Measurements) -> Iterator[Grown]:
    metered = measured.lines or (measured.allocations.metered if measured.allocations else None)
    for function in metered.functions if metered else ():
        if function.owner == PROJECT:
            yield from (_grown(function, line) for line in function.lines)


def _grown(function: FunctionMemory, line: LineMemory) -> Grown:
    origin = Origin(function.file, line.line, function.function)
    return Grown(origin, line.last_line, own_bytes(line), line.increment_bytes - line.inner_bytes, line.hits)


def _not_the_views(measured: Measurements) -> int:
    """
    Return what of the request's growth is there because of DEBUG and this toolbar, at whichever statement it came.
    """
    kept = measured.kept
    if measured.allocations is None:
        return kept.total_bytes
    return kept.total_bytes + max(0, measured.allocations.own_bytes - sum(kept.toolbar_panels.values()))


def _sure_bytes(grown: Grown, measured: Measurements) -> int:
    """
    Return what the place added in any case: all of what DEBUG and this toolbar keep may have come there.
    """
    return max(grown.certain_bytes, grown.amount_bytes - _not_the_views(measured))


def _is_the_views(grown: Grown, rise: int, measured: Measurements) -> bool:
    """
    Return whether it would be much without DEBUG and this toolbar, too.
    """
    return _is_much(_sure_bytes(grown, measured), max(0, rise - _not_the_views(measured)), measured)


def _is_within(line: Grown, statement: Grown) -> bool:
    first = statement.origin.line
    return line.origin.file == statement.origin.file and first <= line.origin.line <= statement.last_line


def _allocating(measured: Measurements) -> list[Grown]:
    """
    Return what each line of the project allocated, itself or (with more than one frame) through what it called.
    """
    amounts: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in measured.allocations.rows if measured.allocations else ():
        place = _project_place(row)
        if place is not None:
            sums = amounts[place]
            amount = max(row.net_bytes, row.view_bytes, row.peak_bytes)
            sums[0] += amount
            sums[1] += row.net_bytes
            sums[2] += max(row.net_blocks, row.peak_blocks)
            # What a line had others allocate may be an entry of the query log.
            sums[3] += amount if row.owner == PROJECT else 0
    return [
        Grown(Origin(file, line, ""), line, amount, kept, blocks=blocks, certain_bytes=certain)
        for (file, line), (amount, kept, blocks, certain) in amounts.items()
    ]


def _project_place(row: Allocated) -> tuple[str, int] | None:
    if row.owner == PROJECT:
        return row.file, row.line
    return next(((file, line) for file, line in row.trace if owner_of(file) == PROJECT), None)


def _is_much(amount: int, rise: int, measured: Measurements) -> bool:
    config = get_config()
    if amount <= measured.process.noise_bytes:
        return False
    return amount >= config.MEMORY_GROWTH_BYTES or (
        amount >= FLOOR_BYTES and amount >= rise * config.MEMORY_GROWTH_SHARE
    )


def _growth_finding(grown: Grown, rise: int, measured: Measurements, source: Source) -> Finding:
    title = _title(grown) % {
        "amount": memory(grown.amount_bytes),
        "back": memory(grown.amount_bytes - grown.kept_bytes),
        "lines": line_numbers(grown.origin.line, grown.last_line),
    }
    evidence: dict[str, float | int] = {
        "taken_bytes": grown.amount_bytes,
        "kept_bytes": grown.kept_bytes,
        "request_growth_bytes": rise,
    }
    evidence |= {"hits": grown.hits} if grown.hits else {"blocks": grown.blocks}
    return Finding(
        rule="memory-growth",
        severity=_growth_severity(grown, rise, measured),
        title=title[:1].upper() + title[1:],
        detail=_growth_detail(grown, rise, measured),
        evidence=evidence,
        advice=advice.for_source(source(grown.origin.file, grown.origin.line, grown.last_line)),
        origin=grown.origin,
    )


def _title(grown: Grown) -> str:
    if grown.kept_bytes >= grown.amount_bytes / 2:
        return _("%(lines)s added %(amount)s")
    if grown.kept_bytes > grown.amount_bytes / 20:
        return _("%(lines)s took %(amount)s and gave %(back)s back")
    return _("%(lines)s took %(amount)s and gave it back")


def _growth_severity(grown: Grown, rise: int, measured: Measurements) -> Severity:
    # The process is shared: what another request took at the same time may be in it.
    if (measured.engine == LINES and measured.others.requests) or not _is_the_views(grown, rise, measured):
        return "info"
    return "critical" if _sure_bytes(grown, measured) >= _CRITICAL * get_config().MEMORY_GROWTH_BYTES else "warning"


def _growth_detail(grown: Grown, rise: int, measured: Measurements) -> str:
    words = {
        "kept": memory(max(0, grown.kept_bytes)),
        "share": share(grown.amount_bytes / rise if rise > 0 else 1.0),
        "rise": memory(rise),
        "noise": memory(measured.process.noise_bytes),
    }
    if measured.engine != LINES:
        said = _(
            "%(share)s of the %(rise)s that the request had allocated at its height; %(kept)s of it was still there at"
            " the end."
        )
    else:
        said = _(
            "%(share)s of the %(rise)s by which the process grew; %(kept)s of it stayed. What the statement calls is"
            " included; readings are exact to %(noise)s."
        )
    doubts = [_doubt_of_others(measured), "" if _is_the_views(grown, rise, measured) else _doubt_of_debug(measured)]
    return " ".join(filter(None, [said % words, *doubts]))


def _doubt_of_others(measured: Measurements) -> str:
    count = measured.others.requests
    if measured.engine != LINES or not count:
        return ""
    return ngettext(
        "%(count)d other request ran at the same time: some of it may be its memory.",
        "%(count)d other requests ran at the same time: some of it may be theirs.",
        count,
    ) % {"count": count}


def _doubt_of_debug(measured: Measurements) -> str:
    entries = measured.kept.query_log_entries
    log = ngettext(" (%(count)s statement in its query log)", " (%(count)s statements in its query log)", entries) % {
        "count": f"{entries:,}"
    }
    return _(
        "%(kept)s of what this request added is kept by DEBUG%(log)s and this toolbar: without them it would not be"
        " much, and production has neither."
    ) % {"kept": memory(_not_the_views(measured)), "log": log if entries else ""}
