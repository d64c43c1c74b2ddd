"""
From measurements to what is stored: pure functions, which know neither requests nor HTML.

Called when the response is made, and once more when it is gone and what stayed is known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from perf_panels import source_view
from perf_panels.conf import get_config
from perf_panels.findings import finding_dicts
from perf_panels.memory import curve
from perf_panels.memory.findings import findings
from perf_panels.memory.rules.growth import own_bytes, risen_bytes
from perf_panels.origins import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perf_panels.findings import Finding
    from perf_panels.memory.measurements import Measurements, Process
    from perf_panels.memory.results import Allocated, Allocations, FunctionMemory, Metered, Objects, TypeGrowth

Stats = dict[str, Any]

MAX_FUNCTIONS = 40
MAX_ROWS = 1_000
MAX_FILES = 300
MAX_TYPES = 200
MAX_MODELS = 100
MAX_PLACES = 8
MAX_TRACE = 25
MAX_COLLECTIONS = 200
MAX_EXCERPTS = 12

_MEASURES = ("net_bytes", "net_blocks", "view_bytes", "peak_bytes", "peak_blocks", "alive_bytes", "alive_blocks")


def report(measured: Measurements) -> Stats:
    """
    Return what is stored of one request, in plain JSON types; docs/memory.md says what each key is.
    """
    found = findings(measured, _source)
    stats: Stats = {
        "engine": measured.engine,
        "problem": measured.problem,
        "complete": measured.complete,
        "growth_bytes": measured.growth_bytes,
        "rise_bytes": risen_bytes(measured),
        "process": _process(measured.process),
        "collections": _collections(measured.process),
        "phases": [asdict(phase) for phase in measured.phases],
        "curve": curve.thinned(measured.curve),
        "steps": curve.steps(measured.curve, measured.process.noise_bytes),
        "kept": asdict(measured.kept) | {"total_bytes": measured.kept.total_bytes},
        "others": asdict(measured.others),
        "leaks": [asdict(leak) for leak in measured.leaks],
        "looked_at": measured.looked_at,
        "unseen": measured.unseen,
        "leak_requests": get_config().MEMORY_LEAK_REQUESTS,
        "findings": finding_dicts(found),
        "excerpts": [_excerpt(finding) for finding in found[:MAX_EXCERPTS]],
        "truncated": {},
    }
    metered = measured.lines or (measured.allocations.metered if measured.allocations else None)
    if metered is not None:
        stats |= _metered(metered, stats["truncated"])
    if measured.allocations is not None:
        stats |= _allocations(measured.allocations, stats["truncated"])
    if measured.objects is not None:
        stats |= _objects(measured.objects, stats["truncated"])
    return stats


def _source(file: str, first: int, last: int) -> list[str]:
    return list(source_view.texts(source_view.keep(file, first, last, ())).values())


def _excerpt(finding: Finding) -> list[dict[str, Any]]:
    origin = finding.fix_at or finding.origin
    if origin is None:
        return []
    if origin.template and not origin.function:
        return excerpt(origin.file, origin.template_line)
    return excerpt(origin.file, origin.line)


def _process(process: Process) -> Stats:
    stored = asdict(process)
    del stored["collections"]
    return stored


def _collections(process: Process) -> Stats:
    ran = process.collections
    longest = sorted(ran, key=lambda each: -each.pause_ms)[:MAX_COLLECTIONS]
    return {
        "count": len(ran),
        "pause_ms": sum(each.pause_ms for each in ran),
        "longest_ms": max((each.pause_ms for each in ran), default=0.0),
        "collected": sum(each.collected for each in ran),
        "by_generation": [sum(each.generation == generation for each in ran) for generation in range(3)],
        "marks": [[each.at_ms, each.pause_ms, each.generation] for each in sorted(longest, key=lambda e: e.at_ms)],
    }


# Statement by statement


def _metered(metered: Metered, truncated: dict[str, int]) -> Stats:
    ordered = sorted(metered.functions, key=lambda function: -max(map(own_bytes, function.lines), default=0))
    left_out = len(ordered) - MAX_FUNCTIONS
    if left_out > 0:
        truncated["functions"] = left_out
    return {
        "meter": {
            "events": metered.events,
            "budget_hit": metered.budget_hit,
            "event_us": metered.event_us,
            "backend": metered.backend,
            "threads": metered.threads,
            "problem": metered.problem,
        },
        "functions": [_function(function) for function in ordered[:MAX_FUNCTIONS]],
    }


def _function(function: FunctionMemory) -> Stats:
    lines = [asdict(line) | {"own_bytes": own_bytes(line)} for line in function.lines]
    numbers = [line.line for line in function.lines]
    last = max([function.last_line, function.first_line, *(line.last_line for line in function.lines)])
    stored = {name: value for name, value in vars(function).items() if name not in {"lines", "code"}}
    return stored | {
        "last_line": last,
        "lines": lines,
        "source": source_view.keep(function.file, function.first_line, last, numbers, code=function.code),
    }


# Allocations


def _allocations(traced: Allocations, truncated: dict[str, int]) -> Stats:
    ordered = sorted(traced.rows, key=_weight, reverse=True)
    left_out = len(ordered) - MAX_ROWS
    if left_out > 0:
        truncated["lines that allocated"] = left_out
    files: dict[str, int] = {}
    rows = [_row(row, files) for row in ordered[:MAX_ROWS]]
    summary = {name: value for name, value in vars(traced).items() if name not in {"rows", "metered"}}
    summary |= {
        "by_owner": _sums(ordered, "owner"),
        "by_file": _sums(ordered, "file")[:MAX_FILES],
        "lines": len(ordered),
    }
    return {"allocations": summary, "files": list(files), "rows": rows}


def _weight(row: Allocated) -> int:
    return max(row.net_bytes, row.view_bytes, row.peak_bytes, row.alive_bytes or 0)


def _row(row: Allocated, files: dict[str, int]) -> Stats:
    """
    Return a row; files are numbers in the list of files, as each of them is there many times.
    """
    return {
        "file": files.setdefault(row.file, len(files)),
        "line": row.line,
        "owner": row.owner,
        **{name: getattr(row, name) for name in _MEASURES},
        "trace": [[files.setdefault(file, len(files)), line] for file, line in row.trace[:MAX_TRACE]],
    }


def _sums(rows: Iterable[Allocated], by: str) -> list[Stats]:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    owners: dict[str, str] = {}
    for row in rows:
        name = getattr(row, by)
        owners[name] = row.owner
        sums[name].update({measure: getattr(row, measure) or 0 for measure in _MEASURES})
        sums[name]["lines"] += 1
    ordered = sorted(sums.items(), key=lambda each: -max(each[1]["net_bytes"], each[1]["peak_bytes"]))
    return [{"name": name, "owner": owners[name], **counted} for name, counted in ordered]


# Objects


def _objects(counted: Objects, truncated: dict[str, int]) -> Stats:
    types = sorted(counted.types, key=_type_weight, reverse=True)
    models = sorted(counted.models, key=lambda model: -max(model.loaded, model.most_alive))
    for name, entries, most in (("types", types, MAX_TYPES), ("models", models, MAX_MODELS)):
        if len(entries) > most:
            truncated[name] = len(entries) - most
    summary = {name: value for name, value in vars(counted).items() if name not in {"types", "models"}}
    return {
        "objects": summary,
        "types": [asdict(each) for each in types[:MAX_TYPES]],
        "models": [
            asdict(model) | {"places": [asdict(place) for place in _most_loaded(model.places)]}
            for model in models[:MAX_MODELS]
        ],
    }


def _most_loaded(places: Iterable[Any]) -> list[Any]:
    return sorted(places, key=lambda place: -place.count)[:MAX_PLACES]


def _type_weight(grown: TypeGrowth) -> tuple[int, int]:
    return abs(grown.bytes_after - grown.bytes_before), abs(grown.count_after - grown.count_before)
