"""
What Python allocated, as the page shows it: owners, tree maps, and tables by line, file and owner.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _, ngettext

from perf_panels import numbers
from perf_panels.memory import treemap
from perf_panels.memory.wording import change, memory, owner_class, owner_text
from perf_panels.origins import PROJECT, owner_of, short_path

if TYPE_CHECKING:
    from collections.abc import Callable

Stats = dict[str, Any]
Place = tuple[str, int]


def allocations_context(stats: Stats, previous: Stats | None) -> Stats:
    """
    Return the context of the part for allocations.
    """
    paths = [short_path(file) for file in stats["files"]]
    summary = stats["allocations"]
    looked = summary["alive_bytes"] is not None
    rows = _rows(stats, paths, previous)
    return {
        "allocation_facts": _facts(stats),
        "looked": looked,
        "compared": any(row["before"] for row in rows),
        "allocation_rows": rows,
        "file_rows": [_sum_row(each, short_path(each["name"])) for each in summary["by_file"]],
        "owner_rows": [_sum_row(each, owner_text(each["name"])) for each in summary["by_owner"]],
        "owners": [
            {
                "name": each["name"],
                "text": owner_text(each["name"]),
                "css": owner_class(each["owner"]),
                "count": f"{sum(row['owner'] == each['name'] for row in rows):,}",
            }
            for each in summary["by_owner"]
        ],
        "maps": _maps(stats, paths, looked=looked),
    }


# The table


def _rows(stats: Stats, paths: list[str], previous: Stats | None) -> list[Stats]:
    rows = stats["rows"]
    traces = _traces(stats)
    earlier = _earlier(stats, traces, previous)
    largest = max((max(row["net_bytes"], row["peak_bytes"]) for row in rows), default=0)
    return [_row(row, stats, paths, earlier.get(trace), largest) for row, trace in zip(rows, traces, strict=True)]


def _row(row: Stats, stats: Stats, paths: list[str], before: int | None, largest: int) -> Stats:
    """
    Return one row, every value as the text it is shown as: a template that formats a thousand of them is slow.
    """
    peak = max(row["net_bytes"], row["peak_bytes"])
    trace = row["trace"][1:]
    callers = [f"{paths[file]}:{line}" for file, line in trace]
    return {
        "path": paths[row["file"]],
        "file": stats["files"][row["file"]],
        "line": str(row["line"]),
        "owner": row["owner"],
        "owner_text": owner_text(row["owner"]),
        "css": owner_class(row["owner"]),
        "net": memory(row["net_bytes"]),
        "peak": memory(peak),
        "blocks": f"{max(row['net_blocks'], row['peak_blocks']):,}",
        "alive": memory(row["alive_bytes"]) if row["alive_bytes"] is not None else "",
        "before": change(row["net_bytes"] - before) if before is not None else "",
        "bar": numbers.width(peak / largest if largest > 0 else 0.0),
        "sort_net": str(row["net_bytes"]),
        "sort_peak": str(peak),
        "sort_blocks": str(max(row["net_blocks"], row["peak_blocks"])),
        "sort_alive": str(row["alive_bytes"] or 0),
        "callers": callers,
        "caller": next((f"{paths[file]}:{line}" for file, line in trace if _is_project(stats, file)), ""),
    }


def _is_project(stats: Stats, file: int) -> bool:
    return owner_of(stats["files"][file]) == PROJECT


def _earlier(stats: Stats, traces: list[tuple[Place, ...]], previous: Stats | None) -> dict[tuple[Place, ...], int]:
    """
    Return what each row had in the previous request, by its callers: of more frames a line has more rows.
    """
    if not previous or previous.get("engine") != stats["engine"] or not previous.get("allocations"):
        return {}
    if previous["allocations"]["frames"] != stats["allocations"]["frames"]:
        return {}
    before = _traces(previous)
    # Where callers were cut to store less, rows may no longer be told apart.
    several = {trace for found in (traces, before) for trace, count in Counter(found).items() if count > 1}
    return {
        trace: row["net_bytes"] for trace, row in zip(before, previous["rows"], strict=True) if trace not in several
    }


def _traces(stats: Stats) -> list[tuple[Place, ...]]:
    files = stats["files"]
    return [
        ((files[row["file"]], row["line"]), *((files[file], line) for file, line in row["trace"]))
        for row in stats["rows"]
    ]


def _sum_row(counted: Stats, name: str) -> Stats:
    return {
        "name": name,
        "title": counted["name"],
        "owner": counted["owner"],
        "owner_text": owner_text(counted["owner"]),
        "css": owner_class(counted["owner"]),
        "net": memory(counted["net_bytes"]),
        "peak": memory(max(counted["net_bytes"], counted["peak_bytes"])),
        "blocks": f"{max(counted['net_blocks'], counted['peak_blocks']):,}",
        "alive": memory(counted["alive_bytes"]),
        "lines": f"{counted['lines']:,}",
        "sort_net": str(counted["net_bytes"]),
        "sort_peak": str(max(counted["net_bytes"], counted["peak_bytes"])),
        "sort_blocks": str(max(counted["net_blocks"], counted["peak_blocks"])),
        "sort_alive": str(counted["alive_bytes"]),
        "sort_lines": str(counted["lines"]),
    }


# Tree maps


def _maps(stats: Stats, paths: list[str], *, looked: bool) -> list[Stats]:
    measures: list[tuple[str, str, Callable[[Stats], int]]] = [
        ("peak", _("At the height"), lambda row: max(row["net_bytes"], row["peak_bytes"])),
        ("net", _("At the end of the render"), lambda row: row["net_bytes"]),
    ]
    if looked:
        measures.append(("alive", _("After the response"), lambda row: row["alive_bytes"] or 0))
    maps = []
    for name, text, measure in measures:
        # With more than one frame a line has a row for each of its callers.
        sizes: Counter[tuple[str, str, int]] = Counter()
        for row in stats["rows"]:
            sizes[row["owner"], paths[row["file"]], row["line"]] += measure(row)
        leaves = [treemap.Leaf(*place, size) for place, size in sizes.items() if size > 0]
        if leaves:
            maps.append({"name": name, "text": text, "owners": _drawn(leaves), "total": memory(_total(leaves))})
    return maps


def _total(leaves: list[treemap.Leaf]) -> int:
    return sum(leaf.size for leaf in leaves)


def _drawn(leaves: list[treemap.Leaf]) -> list[Stats]:
    total = _total(leaves)
    return [
        {
            "css": owner_class(owner["owner"]),
            "box": _coordinates(owner["box"]),
            "text": treemap.fitting(
                owner["box"], f"{owner_text(owner['owner'])} {memory(owner['size'])}", owner_text(owner["owner"])
            ),
            "text_x": f"{owner['box'].x + 5:.1f}",
            "text_y": f"{owner['box'].y + 13:.1f}",
            "title": f"{owner_text(owner['owner'])}: {memory(owner['size'])}, {numbers.percent(owner['size'] / total)}",
            "files": [_drawn_file(file, total) for file in owner["files"]],
        }
        for owner in treemap.layout(leaves)
    ]


def _drawn_file(file: Stats, total: int) -> Stats:
    return {
        "box": _coordinates(file["box"]),
        "text": treemap.shortened(file["box"], file["file"] or _("many small ones")) if file["headed"] else "",
        "text_x": f"{file['box'].x + 4:.1f}",
        "text_y": f"{file['box'].y + 11:.1f}",
        "lines": [_drawn_line(leaf, box, total, headed=file["headed"]) for leaf, box in file["lines"]],
    }


def _drawn_line(leaf: treemap.Leaf, box: treemap.Box, total: int, *, headed: bool) -> Stats:
    place = f"{leaf.file}:{leaf.line}" if leaf.file else _("many small ones")
    short = str(leaf.line) if headed and leaf.file else place
    return {
        "box": _coordinates(box),
        "text": treemap.fitting(box, f"{short} {memory(leaf.size)}", short),
        "text_x": f"{box.x + 4:.1f}",
        "text_y": f"{box.y + 12:.1f}",
        "place": place if leaf.file else "",
        "title": _("%(place)s: %(memory)s, %(share)s of all, %(owner)s")
        % {
            "place": place,
            "memory": memory(leaf.size),
            "share": numbers.percent(leaf.size / total),
            "owner": owner_text(leaf.owner),
        },
    }


def _coordinates(box: treemap.Box) -> dict[str, str]:
    return {
        "x": f"{box.x:.1f}",
        "y": f"{box.y:.1f}",
        "width": f"{max(0.0, box.width - 1):.1f}",
        "height": f"{max(0.0, box.height - 1):.1f}",
    }


# What is said above


def _facts(stats: Stats) -> list[str]:
    summary = stats["allocations"]
    frames = ngettext("%(count)d frame", "%(count)d frames", summary["frames"]) % {"count": summary["frames"]}
    said = [
        _("tracemalloc kept %(frames)s of each allocation and needed %(memory)s for that itself.")
        % {"frames": frames, "memory": memory(summary["tracing_bytes"])},
    ]
    if summary["foreign"]:
        said.append(_("Your project had started tracemalloc: it was left on, and what is shown is the difference."))
    explained = _explained(summary)
    if explained:
        said.append(explained)
    if summary["own_bytes"]:
        said.append(
            _("%(memory)s of this toolbar and of the panels is left out.") % {"memory": memory(summary["own_bytes"])}
        )
    return said


def _explained(summary: Stats) -> str:
    peak, seen = summary["peak_bytes"], summary["peak_seen_bytes"]
    if not peak or not seen:
        return ""
    return _(
        "The height was %(peak)s; the snapshot that says whose it was, at %(at)s, has %(seen)s of it (%(share)s)."
    ) % {
        "peak": memory(peak),
        "seen": memory(seen),
        "at": numbers.ms(summary["peak_seen_ms"]),
        "share": numbers.percent(min(1.0, seen / peak)),
    }
