"""
Shortens what the panel stores of a request until it fits: the raw texts of plans first, statements last.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Stats = dict[str, Any]

_TEXT_LEFT = 2_000
_WHOLE = 50
"""Statements, the slowest, that keep their text whatever happens; the rest keeps its row in the list."""
_TOO_MANY = "cannot be explained again: this request has too many statements to keep each of them whole"


def shorten(stats: Stats, limit: int) -> None:
    """
    Cut ``stats`` in place to at most ``limit`` characters of JSON, as far as that goes without losing a statement.
    """
    over = len(json.dumps(stats)) - limit
    if over <= 0:
        return
    for save in (*_texts(stats), *_comparisons(stats), *_sources(stats), *_statements(stats)):
        over -= save()
        if over <= 0:
            return


def _texts(stats: Stats) -> Iterator[Any]:
    plans = sorted(stats.get("plans", {}).values(), key=lambda plan: -len(plan["text"]))
    return (_saver(_cut_text, plan) for plan in plans)


def _comparisons(stats: Stats) -> Iterator[Any]:
    return (_saver(_drop_nodes, plan) for plan in stats.get("plans", {}).values() if plan["before"])


def _sources(stats: Stats) -> Iterator[Any]:
    return (_saver(dict.clear, stats[key]) for key in ("sources",) if stats.get(key))


def _statements(stats: Stats) -> Iterator[Any]:
    # The list is sorted: the statement that took least is last, and loses its text first.
    truncated = stats.setdefault("truncated", {})

    def cut(group: dict[str, Any]) -> None:
        _cut_statement(group)
        truncated["statement texts"] = truncated.get("statement texts", 0) + 1

    return (
        _saver(cut, group) for group in reversed(stats.get("groups", [])[_WHOLE:]) if group["id"] not in stats["plans"]
    )


def _saver(cut: Any, entry: dict[str, Any]) -> Any:
    def save() -> int:
        before = len(json.dumps(entry))
        cut(entry)
        return before - len(json.dumps(entry))

    return save


def _cut_text(plan: dict[str, Any]) -> None:
    cut = max(0, len(plan["text"]) - _TEXT_LEFT)
    plan["text"], plan["text_cut"] = plan["text"][:_TEXT_LEFT], plan["text_cut"] + cut


def _drop_nodes(plan: dict[str, Any]) -> None:
    plan["before"] = {**plan["before"], "nodes": []}


def _cut_statement(group: dict[str, Any]) -> None:
    group["sql_cut"] += len(group["sql"])
    group["sql"], group["params"], group["values"] = "", None, None
    group["params_problem"] = group["params_problem"] or _TOO_MANY
