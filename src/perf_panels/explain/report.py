"""
From a recording to what the panel stores: one group for each fingerprint. Knows neither requests nor databases.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perf_panels.explain.fingerprint import fingerprint, summary
from perf_panels.explain.params import keep
from perf_panels.origins import excerpt, to_origin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perf_panels.explain.collect import Executed, Recording

_SQL_KEPT = 20_000
_FREQUENT = 5


@dataclass
class Group:
    """
    All executions of one fingerprint on one alias; ``slowest`` is the text that has the slowest of them.
    """

    id: str
    slowest: Executed
    count: int = 0
    total_ms: float = 0.0
    worst_ms: float = 0.0
    rows: int | None = 0
    failed: int = 0

    def add(self, executed: Executed) -> None:
        """
        Count the executions of one text.
        """
        self.count += executed.count
        self.total_ms += executed.total_ms
        self.failed += executed.failed
        self.worst_ms = max(self.worst_ms, executed.worst_ms)
        # A sum of which a part is unknown is unknown.
        unknown = self.rows is None or executed.unsaid_rows
        self.rows = None if unknown else (self.rows or 0) + (executed.rows or 0)
        if executed.worst_ms > self.slowest.worst_ms:
            self.slowest = executed


def grouped(executed: Iterable[Executed]) -> list[Group]:
    """
    Return the groups, the one that took longest in all first.
    """
    groups: dict[tuple[str, str], Group] = {}
    for each in executed:
        key = (each.alias, fingerprint(each.sql, each.vendor))
        group = groups.get(key)
        if group is None:
            digest = hashlib.blake2s("\0".join(key).encode(errors="replace"), digest_size=6).hexdigest()
            group = groups[key] = Group(digest, each)
        group.add(each)
    return sorted(groups.values(), key=lambda group: -group.total_ms)


def report(recording: Recording, slow_ms: float) -> dict[str, Any]:
    """
    Return the stats of a request, without plans.
    """
    groups = grouped(recording.executed.values())
    return {
        "queries": recording.queries,
        "total_ms": sum(group.total_ms for group in groups),
        "slow_ms": slow_ms,
        "aliases": _aliases(groups),
        "groups": [_stored(group) for group in groups],
        "sources": _sources(groups),
        "plans": {},
        "trials": {},
        "truncated": {"statements": recording.omitted} if recording.omitted else {},
    }


def candidates(groups: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """
    Return the groups whose plans are worth making unasked: the slowest, and among them the most frequent ones.
    """
    slowest = sorted(groups, key=lambda group: -group["worst_ms"])
    frequent = sorted(groups, key=lambda group: -group["count"])[: min(_FREQUENT, count)]
    frequent = [group for group in frequent if group["count"] > 1]
    chosen = {group["id"]: group for group in [*frequent, *slowest][:count]}
    return sorted(chosen.values(), key=lambda group: -group["total_ms"])


def _aliases(groups: list[Group]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        alias = group.slowest.alias
        entry = found.setdefault(alias, {"alias": alias, "vendor": group.slowest.vendor, "queries": 0, "total_ms": 0.0})
        entry["queries"] += group.count
        entry["total_ms"] += group.total_ms
    return list(found.values())


def _stored(group: Group) -> dict[str, Any]:
    executed = group.slowest
    origin = to_origin(executed.site)
    kept = keep(executed.params, many=executed.many)
    cut = max(0, len(executed.sql) - _SQL_KEPT)
    problem = executed.problem or kept.problem
    problem = problem or (f"cannot be explained again: {cut:,} characters of it were not kept" if cut else None)
    return {
        "id": group.id,
        "alias": executed.alias,
        "vendor": executed.vendor,
        "kind": _kind(executed.sql),
        "count": group.count,
        "total_ms": round(group.total_ms, 4),
        "worst_ms": round(group.worst_ms, 4),
        "rows": group.rows,
        "failed": group.failed,
        "many": executed.many,
        "summary": summary(executed.sql),
        "sql": executed.sql[:_SQL_KEPT],
        "sql_cut": cut,
        "params": kept.shown,
        "params_problem": problem,
        "values": kept.values,
        "origin": origin.__dict__ if origin else None,
    }


def _sources(groups: list[Group]) -> dict[str, list[dict[str, Any]]]:
    """
    Return the source around every place that sent a statement, as it is now, by ``file:line``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for group in groups:
        site, origin = group.slowest.site, to_origin(group.slowest.site)
        places = [(site.template, site.template_path, site.template_line)] if site.template else []
        places += [(origin.file, origin.file, origin.line)] if origin and origin.function else []
        for name, path, line in places:
            key = f"{name}:{line}"
            if key not in found:
                found[key] = excerpt(path, line)
    return found


def _kind(sql: str) -> str:
    """
    Return the statement's first word; the page shows it, nothing is decided by it.
    """
    text = sql.lstrip("( \t\r\n")
    if text.startswith(("--", "/*", "#")):
        return "SQL"
    word = text.split(None, 1)[0] if text else ""
    return word.upper()[:12]
