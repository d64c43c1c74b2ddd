"""
What is kept of a profile in the toolbar's store: the tree, cut to the largest nodes, and the full stacks, packed.

Made by ``report`` after the response, and read by the page and the downloads.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

from perf_panels.vmprof import owners
from perf_panels.vmprof.samples import Frame, Samples, Stack
from perf_panels.vmprof.tree import together

if TYPE_CHECKING:
    from perf_panels.vmprof.tree import Tree

MOST_NODES = 2_000
MOST_RAW_BYTES = 120_000
_MOST_PLACES = 500_000
_NAME_KEPT = 200
_PARENT, _FRAME, _TOTAL, _SELF, _SAMPLES = range(5)

Stats = dict[str, Any]


def nodes_of(tree: Tree, runs: int) -> tuple[list[list[Any]], int]:
    """
    Return the tree as rows of [row of the parent, frame, total ms, self ms, samples], and how many nodes were cut.

    Parents come before their children, the largest child first. Row 0 is the whole; the phases are below it, with the
    frame -1 for the view and -2 for the render.
    """
    everything = [node for found in tree.phases.values() for node in found]
    # A parent is never smaller than its child, and sorting is stable, with parents first: none is cut before a child.
    kept = {id(node) for node in sorted(everything, key=lambda each: -each.samples)[: MOST_NODES - 1]}
    roots = [(phase, found[0]) for phase, found in tree.phases.items()]
    total_ms, self_ms = sum(root.total_ms for _, root in roots), 0.0
    rows: list[list[Any]] = [[-1, -3, round(total_ms / runs, 3), self_ms, sum(root.samples for _, root in roots)]]
    waiting = [(0, root, -1 if phase == "view" else -2) for phase, root in reversed(roots)]
    while waiting:
        parent, node, frame = waiting.pop()
        if id(node) not in kept:
            continue
        rows.append([parent, frame, round(node.total_ms / runs, 3), round(node.self_ms / runs, 3), node.samples])
        place = len(rows) - 1
        children = sorted(node.children.values(), key=lambda each: each.total_ms)
        waiting += [(place, child, child.frame) for child in children]
    return rows, len(everything) - len(kept)


def frames_of(tree: Tree) -> list[dict[str, Any]]:
    """
    Return the frames of a tree as the page needs them.
    """
    return [
        {
            "name": frame.function[:_NAME_KEPT],
            "file": frame.file,
            "line": frame.first_line,
            "template": frame.template,
            "template_line": frame.template_line,
            "owner": role.owner,
            "package": role.package,
            "part": owners.template_part(frame) if role.owner == owners.PROJECT else "",
        }
        for frame, role in zip(tree.frames, tree.roles, strict=True)
    ]


def forget_frames(stats: Stats) -> None:
    """
    Leave out the frames that nothing refers to any more, and number the others anew.
    """
    memory = stats.get("memory") or {"steps": []}
    headline = stats.get("headline") or {"frame": None}
    wanted = {node[1] for node in stats["nodes"] if node[1] >= 0}
    wanted |= {each["frame"] for each in stats["functions"]}
    wanted |= {frame for each in stats["functions"] for frame, _samples in each["callers"]}
    wanted |= {frame for step in memory["steps"] for frame in step["frames"]}
    wanted |= {headline["frame"]} - {None}
    places = {old: new for new, old in enumerate(sorted(wanted))}
    stats["frames"] = [stats["frames"][old] for old in sorted(wanted)]
    for node in stats["nodes"]:
        node[1] = places.get(node[1], node[1])
    for function in stats["functions"]:
        function["frame"] = places[function["frame"]]
        function["callers"] = [[places[frame], samples] for frame, samples in function["callers"]]
    for step in memory["steps"]:
        step["frames"] = [places[frame] for frame in step["frames"]]
    if headline["frame"] is not None:
        headline["frame"] = places[headline["frame"]]


def pack(samples: Samples) -> str | None:
    """
    Return the full stacks, equal ones together, as text; None when that is more than may be kept.
    """
    stacks = together(samples)
    if sum(len(frames) for _phase, frames, _weight, _count in stacks) > _MOST_PLACES:
        return None
    rows = [[phase, frames, round(weight, 4), count] for phase, frames, weight, count in stacks]
    packed = base64.b64encode(zlib.compress(json.dumps([samples.frames, rows]).encode(), 6)).decode()
    return packed if len(packed) <= MOST_RAW_BYTES else None


def samples_of(stats: Stats) -> Samples:
    """
    Return the profile as far as it is stored: the full stacks, or those of the tree where they were too many.
    """
    facts = stats["profile"]
    samples = Samples(
        engine=facts["engine"],
        mode=facts["mode"],
        clock=facts["clock"],
        period_ms_asked=facts["period_ms_asked"],
        wall_ms=facts["wall_ms"],
        cpu_ms=facts["cpu_ms"],
        runs=facts["runs"],
    )
    if stats.get("raw"):
        frames, rows = json.loads(zlib.decompress(base64.b64decode(stats["raw"])))
        samples.frames = [Frame(*frame) for frame in frames]
        samples.stacks = [Stack(tuple(indexes), weight, phase, samples=count) for phase, indexes, weight, count in rows]
    else:
        _from_nodes(samples, stats)
    return samples


def _from_nodes(samples: Samples, stats: Stats) -> None:
    samples.frames = [
        Frame(each["file"], each["line"], each["name"], None, each["template"], each["template_line"])
        for each in stats["frames"]
    ]
    nodes = stats["nodes"]
    paths: list[tuple[int, ...]] = []
    phases: list[Any] = []
    # What was cut below a node is its own, in samples and in time.
    left = [node[_SAMPLES] for node in nodes]
    left_ms = [node[_TOTAL] for node in nodes]
    for node in nodes[1:]:
        left[node[_PARENT]] -= node[_SAMPLES]
        left_ms[node[_PARENT]] -= node[_TOTAL]
    for place, (parent, frame, *_numbers) in enumerate(nodes):
        above = paths[parent] if parent >= 0 else ()
        paths.append((*above, frame) if frame >= 0 else above)
        phases.append({-1: "view", -2: "render"}.get(frame) or (phases[parent] if parent >= 0 else "view"))
        if left[place] > 0:
            weight_ms = max(0.0, left_ms[place]) * samples.runs
            samples.stacks.append(Stack(paths[place], weight_ms, phases[place], samples=left[place]))
