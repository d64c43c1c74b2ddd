"""
An index that was tried, as the page shows it: whether the planner used it, what it saves, the plan without and with it.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels import numbers
from perf_panels.explain.plan_page import drawn, step_key, target

_READERS = ("scan", "index only scan", "index scan", "bitmap scan", "bitmap index scan")


def trial_result(trial: dict[str, Any] | None) -> dict[str, Any] | None:
    """
    Return what a trial gave, or its error alone, or None where the index was not tried.
    """
    if trial is None or trial["error"]:
        return trial
    before, after = trial["before"], trial["after"]
    measures = [
        (_("Estimated cost"), trial["cost_before"], trial["cost_after"], numbers.cost),
        (_("Rows read, as estimated"), trial["rows_read_before"], trial["rows_read_after"], numbers.whole),
    ]
    return trial | {
        "verdict": _verdict(trial),
        "measures": [
            _measure(name, old, new, write) for name, old, new, write in measures if old is not None and new is not None
        ],
        "before_tree": drawn(before, measured=False, other=[step_key(node) for node in after]),
        "after_tree": drawn(after, measured=False, other=[step_key(node) for node in before]),
        "method_text": {
            "hypopg": _("Tried as a hypothetical index (HypoPG): nothing was built."),
            "transaction": _("Tried in a transaction that was rolled back: the index is gone again."),
            "copy": _("Tried in an in-memory copy of the schema and its statistics: your database was not touched."),
        }.get(trial["method"], trial["method"]),
    }


def _verdict(trial: dict[str, Any]) -> str:
    if trial["used"] and trial["helps"]:
        return _("Used: the planner takes this index.")
    if trial["used"]:
        return _("Used, but it does not help: the plan costs as much as without it.")
    preferred = _preferred(trial["after"])
    if preferred:
        return _("Not used: the planner still prefers %(step)s.") % {"step": preferred}
    return _("Not used: the planner still prefers its plan without it.")


def _preferred(nodes: list[dict[str, Any]]) -> str:
    readers = [node for node in nodes if node["kind"] in _READERS]
    if not readers:
        return ""
    step = max(readers, key=lambda node: node["self_cost"] or 0)
    return f"{step['label']} {target(step)}".strip()


def _measure(name: str, before: float, after: float, write: Any) -> dict[str, Any]:
    most = max(before, after)
    return {
        "name": name,
        "before": write(before),
        "after": write(after),
        "change": _change(before, after),
        "better": after < before,
        "before_width": numbers.width(before / most if most else 0.0),
        "after_width": numbers.width(after / most if most else 0.0),
    }


def _change(before: float, after: float) -> str:
    if before == after or not before or not after:
        return ""
    factor = before / after if after < before else after / before
    times = f"{factor:,.0f}" if factor >= 10 else f"{factor:.1f}"
    if after < before:
        return _("%(times)s times less") % {"times": times}
    return _("%(times)s times more") % {"times": times}
