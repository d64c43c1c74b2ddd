"""
A stored plan as a table: one line a step, with the tree's branches, bars, and how far the estimate was off.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels import numbers

Node = dict[str, Any]

_NOTABLE = 10
_OFTEN = 1_000
"""Rows from which an estimate that is off matters; below, nearly every plan would be coloured."""
_HOT, _WARM = 0.5, 0.2
_HOT_MS = 5
"""A step is coloured when a finding speaks of it, or when it takes this long: every plan has a most expensive step."""
_DEEPEST = 24
"""Levels that are drawn; deeper ones are said in words, or the steps would leave the page."""
_LONG_NOTE = 240

# They read all their rows before they give one: what is below them is not cut short by a LIMIT above.
_BLOCKING = frozenset({"sort", "hash", "aggregate", "materialize", "bitmap scan", "set operation"})


def drawn(nodes: list[Node], *, measured: bool, other: list[Any] | None = None) -> dict[str, Any]:
    """
    Return the lines of a plan and which columns have anything in them; bars are of self time, else of cost.

    ``other`` has the steps of the plan beside it: those that it lacks are marked.
    """
    timed = measured and any(node["self_ms"] for node in nodes)
    key = "self_ms" if timed else "self_cost"
    tree = {
        "key": key,
        "whole": sum(node[key] or 0 for node in nodes),
        "timed": timed,
        "measured": measured and any(node["act_rows"] is not None for node in nodes),
        "bars": any(node[key] for node in nodes),
        "estimates": any(node["est_rows"] is not None for node in nodes),
        "loops": any((node["loops"] or 0) > 1 for node in nodes),
        "removed": any(node["removed"] for node in nodes),
        "buffers": any(node["blocks_hit"] or node["blocks_read"] or node["temp_written"] for node in nodes),
    }
    guides = _guides([node["depth"] for node in nodes])
    cut_short = _cut_short(nodes)
    lines = [_line(node, guides[place], tree, cut_short=place in cut_short) for place, node in enumerate(nodes)]
    for node, line in zip(nodes, lines, strict=True):
        line["changed"] = other is not None and step_key(node) not in other
    return tree | {"lines": lines}


def facts(plan: dict[str, Any], group: dict[str, Any]) -> list[tuple[str, str]]:
    """
    Return the totals of a plan as (name, value).
    """
    nodes = plan["nodes"]
    root = nodes[0] if nodes else {}
    said = [
        (_("Execution"), numbers.ms(plan["execution_ms"]), plan["execution_ms"]),
        (_("In the request, at worst"), numbers.ms(group["worst_ms"]), plan["execution_ms"]),
        (_("Planning"), numbers.ms(plan["planning_ms"]), plan["planning_ms"]),
        (_("Cost"), numbers.cost(plan["cost"]), plan["cost"]),
        (_("Rows read"), numbers.whole(plan.get("rows_read")), plan.get("rows_read")),
        (_("Blocks from cache"), numbers.whole(root.get("blocks_hit")), root.get("blocks_hit")),
        (_("Blocks from disk"), numbers.whole(root.get("blocks_read")), root.get("blocks_read")),
        (_("Temporary blocks"), numbers.whole(root.get("temp_written")), root.get("temp_written") or None),
        (_("Steps"), numbers.whole(len(nodes)), len(nodes) or None),
    ]
    return [(name, value) for name, value, known in said if known is not None]


def step_key(node: Node) -> tuple[Any, ...]:
    """
    Return what makes a step the same in two plans of one statement.
    """
    return node["label"], node["relation"], node["index"]


def same_steps(one: list[Node], other: list[Node]) -> bool:
    """
    Return whether two plans do the same in the same order.
    """
    return [(node["depth"], step_key(node)) for node in one] == [(node["depth"], step_key(node)) for node in other]


def target(node: Node) -> str:
    """
    Return the table and the index of a step, as far as its label does not name them already.
    """
    words = set(node["label"].replace("(", " ").replace(")", " ").split())
    relation, alias, index = node["relation"], node["alias"], node["index"]
    said = []
    if relation and relation not in words:
        said.append(relation)
    if alias and alias != relation and alias not in words:
        said.append(alias)
    text = " ".join(said)
    if index and index not in words:
        return _("%(table)s using %(index)s") % {"table": text, "index": index} if text else str(index)
    return text


def _line(node: Node, guides: list[str], tree: dict[str, Any], *, cut_short: bool) -> dict[str, Any]:
    never = node["loops"] == 0
    return _bar(node, tree, never=never) | {
        "guides": guides[:_DEEPEST],
        "depth": node["depth"],
        "too_deep": node["depth"] > _DEEPEST,
        "label": node["label"],
        "kind": "" if node["kind"] in node["label"].lower() or node["kind"] == "other" else node["kind"],
        "name": node["name"],
        "target": target(node),
        "never": never,
        "estimated": _known(node["est_rows"]),
        "actual": "" if never else _known(node["act_rows"]),
        "factor": None if never else _factor(node, cut_short=cut_short),
        "loops": "" if never else _known(node["loops"]),
        "removed": _known(node["removed"] or None),
        "buffers": _buffers(node),
        "notes": [_note(key, text) for key, text in node["notes"]],
        "rules": list(dict.fromkeys(node["rules"])),
    }


def _bar(node: Node, tree: dict[str, Any], *, never: bool) -> dict[str, Any]:
    own = node[tree["key"]]
    if own is None or never:
        return {"own": "", "percent": "", "width": "", "heat": ""}
    share = own / tree["whole"] if tree["whole"] else 0.0
    heat = "cool"
    if node["rules"] or (tree["timed"] and own >= _HOT_MS):
        heat = "hot" if share >= _HOT else "warm" if share >= _WARM else "cool"
    return {
        "own": numbers.ms(own) if tree["timed"] else numbers.cost(own),
        "percent": numbers.percent(share) if own else "",
        "width": numbers.width(share),
        "heat": heat,
    }


def _known(value: float | None) -> str:
    return "" if value is None else numbers.whole(value)


def _note(key: str, text: str) -> dict[str, str]:
    if len(text) <= _LONG_NOTE:
        return {"key": key, "text": text, "rest": ""}
    return {"key": key, "text": text[:_LONG_NOTE], "rest": text[_LONG_NOTE:]}


def _factor(node: Node, *, cut_short: bool) -> dict[str, str] | None:
    """
    Return how far the estimate was off, in words, from a factor worth a look.
    """
    estimated, actual = node["est_rows"], node["act_rows"]
    if estimated is None or actual is None:
        return None
    low, high = sorted((max(estimated, 1), max(actual, 1)))
    factor = high / low
    if factor < _NOTABLE:
        return None
    if cut_short and actual < estimated:
        # It was stopped, not misjudged.
        return {"text": _("stopped early by LIMIT"), "level": "quiet"}
    words = _("×%(factor)s under-estimated") if actual > estimated else _("×%(factor)s over-estimated")  # noqa: RUF001 - times
    level = "quiet"
    if high * (node["loops"] or 1) >= _OFTEN:
        level = "critical" if factor >= _NOTABLE**3 else "warning" if factor >= _NOTABLE**2 else "info"
    return {"text": words % {"factor": f"{factor:,.0f}"}, "level": level}


def _cut_short(nodes: list[Node]) -> set[int]:
    """
    Return the places of the steps that a LIMIT above may have stopped before they were done.
    """
    found: set[int] = set()
    limited: list[bool] = []
    for place, node in enumerate(nodes):
        above = limited[node["depth"] - 1] if 0 < node["depth"] <= len(limited) else False
        if above:
            found.add(place)
        limited[node["depth"] :] = [node["kind"] == "limit" or (above and node["kind"] not in _BLOCKING)]
    return found


def _buffers(node: Node) -> str:
    parts = [
        (_("%(count)s hit"), node["blocks_hit"]),
        (_("%(count)s read"), node["blocks_read"]),
        (_("%(count)s to disk"), node["temp_written"]),
    ]
    return ", ".join(words % {"count": numbers.whole(count)} for words, count in parts if count)


def _guides(depths: list[int]) -> list[list[str]]:
    """
    Return the branches before each line, one for each level: line, none, tee or end. From the last line up, so that it
    is known which levels go on below.
    """
    guides: list[list[str]] = []
    goes_on: set[int] = set()
    for depth in reversed(depths):
        branches = ["line" if level in goes_on else "none" for level in range(1, depth)]
        if depth:
            branches.append("tee" if depth in goes_on else "end")
        goes_on = {level for level in goes_on if level < depth} | {depth}
        guides.append(branches)
    return guides[::-1]
