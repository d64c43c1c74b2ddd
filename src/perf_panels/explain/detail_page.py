"""
From what is stored to one opened statement: what may be done with it, its findings, its plan, where it comes from.
"""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _, gettext_lazy, ngettext

from perf_panels import numbers
from perf_panels.actions import token
from perf_panels.conf import get_config
from perf_panels.explain import PANEL_ID
from perf_panels.explain.advice import MORE_THAN
from perf_panels.explain.highlight import highlighted
from perf_panels.explain.params import NotKept, shown
from perf_panels.explain.plan_page import drawn, facts, same_steps
from perf_panels.explain.trial_page import trial_result
from perf_panels.explain.wording import is_withdrawn, severity_text
from perf_panels.origins import short_path

Stats = dict[str, Any]

_PARAMS_SHOWN = 20
_YES: dict[str, Any] = {"verdict": "yes", "reasons": []}
_ENGINES = {
    "postgresql": "PostgreSQL",
    "mysql": "MySQL",
    "mariadb": "MariaDB",
    "sqlite": "SQLite",
    "oracle": "Oracle",
}
_EVIDENCE: dict[str, Any] = {
    "rows_read": gettext_lazy("rows read"),
    "rows_kept": gettext_lazy("rows kept"),
    "rows_removed": gettext_lazy("rows thrown away"),
    "estimated_rows": gettext_lazy("rows expected"),
    "estimated_rows_read": gettext_lazy("rows read, estimated"),
    "estimated_rows_kept": gettext_lazy("rows kept, estimated"),
    "table_rows": gettext_lazy("rows in the table"),
    "loops": gettext_lazy("times run"),
    "self_ms": gettext_lazy("time of this step"),
    "executions": gettext_lazy("executions"),
    "statements": gettext_lazy("statements"),
}


def detail_context(stats: Stats, group_id: str, request_id: str) -> dict[str, Any]:
    """
    Return the context of one opened statement. Raises ``KeyError`` for one that is not stored.
    """
    group = group_of(stats, group_id)
    plan = stats["plans"].get(group_id)
    refused = {"verdict": "no", "reasons": [group["params_problem"]]} if group["params_problem"] else _YES
    may_explain, may_analyze = group.get("may_explain", refused), group.get("may_analyze", refused)
    params, origin = _params(group), group["origin"] or {}
    return {
        "group": group,
        "facts": _facts(group),
        # Of a request with too many statements, the fast ones keep their summary only.
        "sql": highlighted(group["sql"] or group["summary"], params),
        "source": _source(stats, origin.get("file"), origin.get("line")) if origin.get("function") else [],
        "template_source": _source(stats, origin.get("template"), origin.get("template_line")),
        "sql_cut": f"{group['sql_cut']:,}" if group["sql_cut"] else "",
        "has_values": bool(params),
        "params": [_param(param) for param in params[:_PARAMS_SHOWN]],
        "more_params": [_param(param) for param in params[_PARAMS_SHOWN:]],
        "param_count": len(params),
        "origin_path": short_path(group["origin"]["file"]) if group["origin"] else "",
        "plan": plan,
        "no_plan": plan is None,
        "shown": _plan(plan, group) if plan else None,
        "cards": [_card(card, place, stats, request_id) for place, card in enumerate(_worst_first(plan, stats), 1)],
        "explain": action(may_explain, request_id, ("explain", "explain"), group_id, "plan"),
        "analyze": action(may_analyze, request_id, ("analyze", "analyze-confirmed"), group_id, "analyze"),
        "timing_matters": group["vendor"] == "postgresql",
        "probe": group["vendor"] == "sqlite",
        "timeout_ms": str(get_config().EXPLAIN_TIMEOUT_MS),
        "export": {"url": _url("export"), "token": token(PANEL_ID, request_id, "redacted", group_id)},
    }


def group_of(stats: Stats, group_id: str) -> dict[str, Any]:
    """
    Return a stored statement. Raises ``KeyError`` for one that is not stored.
    """
    groups: list[dict[str, Any]] = stats.get("groups", [])
    for group in groups:
        if group["id"] == group_id:
            return group
    raise KeyError(group_id)


def action(may: dict[str, Any], request_id: str, actions: tuple[str, str], subject: str, url: str) -> dict[str, Any]:
    """
    Return a button: the token of the first action, or of the second where the user is told something first.
    """
    plain, confirmed = actions
    asks = may["verdict"] in {"warn", "confirm"}
    return {
        "verdict": may["verdict"],
        "reasons": may["reasons"],
        "asks": asks,
        "url": _url(url),
        "token": token(PANEL_ID, request_id, confirmed if asks else plain, subject) if may["verdict"] != "no" else "",
    }


def _url(name: str) -> str:
    return reverse(f"djdt:perf_panels_explain_{name}")


def _facts(group: dict[str, Any]) -> list[str]:
    count = ngettext("%(count)s execution", "%(count)s executions", group["count"]) % {"count": f"{group['count']:,}"}
    said = [count, _("%(time)s in all") % {"time": numbers.ms(group["total_ms"])}]
    if group["count"] > 1:
        said.append(_("slowest %(time)s") % {"time": numbers.ms(group["worst_ms"])})
    if group["rows"] is not None:
        said.append(ngettext("%(rows)s row", "%(rows)s rows", group["rows"]) % {"rows": f"{group['rows']:,}"})
    if group["failed"]:
        failed = ngettext("%(count)s failed", "%(count)s failed", group["failed"])
        said.append(failed % {"count": f"{group['failed']:,}"})
    return [*said, f"{group['alias']} ({_ENGINES.get(group['vendor'], group['vendor'])})"]


def _params(group: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return group["params"] or shown(group["values"])
    except NotKept:
        return []


def _source(stats: Stats, name: str | None, line: int | None) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = stats.get("sources", {}).get(f"{name}:{line}", [])
    return lines


def _param(param: dict[str, Any]) -> dict[str, Any]:
    cut = param["cut"]
    more = ngettext("… %(count)s more character", "… %(count)s more characters", cut) % {"count": f"{cut:,}"}
    return param | {"more": more if cut else ""}


# Findings


def _worst_first(plan: dict[str, Any] | None, stats: Stats) -> list[dict[str, Any]]:
    """
    Return the cards as they came, those taken back last.
    """
    cards = plan["cards"] if plan else []
    return sorted(cards, key=lambda card: is_withdrawn(card, stats))


def _card(card: dict[str, Any], place: int, stats: Stats, request_id: str) -> dict[str, Any]:
    finding = card["finding"]
    said: dict[str, Any] = {
        "place": place,
        "finding": finding,
        "badge": severity_text(finding["severity"]),
        "saving": numbers.ms(finding["saving_ms"]) if finding["saving_ms"] else "",
        "evidence": [_evidence(key, value) for key, value in finding["evidence"].items() if value is not None],
        "basis": not any(key.startswith("estimated") for key in finding["evidence"]),
        "fix_path": short_path(finding["fix_at"]["file"]) if finding["fix_at"] else "",
        "node": card["node"],
        "step": None if card["node"] is None else card["node"] + 1,
        "sql": card["sql"],
        "withdrawn": is_withdrawn(card, stats),
        "trial": None,
        "result": None,
    }
    if card["trial"]:
        trial_id = card["trial"]["id"]
        said["trial"] = action(card["trial"], request_id, ("try", "try-confirmed"), trial_id, "try")
        said["result"] = trial_result(stats["trials"].get(trial_id))
    return said


def _evidence(key: str, value: float) -> tuple[str, str]:
    if key.endswith(MORE_THAN):
        label, text = _evidence(key.removesuffix(MORE_THAN), value)
        return label, _("more than %(number)s") % {"number": text}
    name = _EVIDENCE.get(key)
    if key.endswith("_ms"):
        return str(name or key.removesuffix("_ms").replace("_", " ")), numbers.ms(value)
    if key.endswith("_bytes"):
        return str(name or key.removesuffix("_bytes").replace("_", " ")), numbers.size(value)
    if key.endswith("factor"):
        return str(name or key.replace("_", " ")), f"×{numbers.whole(value)}"  # noqa: RUF001 - times
    return str(name or key.replace("_", " ")), numbers.whole(value)


# The plan


def _plan(plan: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    text = plan["text"]
    return {
        "tree": drawn(plan["nodes"], measured=plan["analyzed"]),
        "engine": f"{_ENGINES.get(plan['engine'], plan['engine'])} {plan['version']}".strip(),
        "facts": facts(plan, group),
        "is_json": text.lstrip().startswith(("[", "{")),
        "for_pev2": plan["engine"] == "postgresql" and text.lstrip().startswith(("[", "{")) and not plan["text_cut"],
        "text_cut": f"{plan['text_cut']:,}" if plan["text_cut"] else "",
        "before": _before(plan),
    }


def _before(plan: dict[str, Any]) -> dict[str, Any] | None:
    before = plan["before"]
    if not before:
        return None
    pairs = [
        (_("Execution"), before["execution_ms"], plan["execution_ms"], numbers.ms),
        (_("Cost"), before["cost"], plan["cost"], numbers.cost),
        (_("Rows read"), before["rows_read"], plan.get("rows_read"), numbers.whole),
    ]
    same = same_steps(before["nodes"], plan["nodes"])
    return {
        "same": same,
        "measures": [
            {"name": name, "before": write(old), "after": write(new)}
            for name, old, new, write in pairs
            if old is not None and new is not None
        ],
        "tree": None if same else drawn(before["nodes"], measured=bool(before.get("analyzed"))),
    }
