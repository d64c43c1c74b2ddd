"""
The SQL layer of the report: statements that repeat, among those the ORM layer did not explain.
"""

from __future__ import annotations

import re
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from perf_panels.conf import get_config
from perf_panels.findings import Finding, Severity
from perf_panels.nplusone.advice import manager
from perf_panels.nplusone.found import Found, severity_of
from perf_panels.origins import to_origin

if TYPE_CHECKING:
    from perf_panels.nplusone.records import Claim

_HOUSEKEEPING = re.compile(
    r"\s*(SAVEPOINT|RELEASE|ROLLBACK|BEGIN|START|COMMIT|SET|PRAGMA|SHOW|DECLARE|FETCH|CLOSE)\b", re.IGNORECASE
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_READ = re.compile(r"[\s(]*(SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE)
_SET_COLUMNS = re.compile(r"[\"`]([^\"`]+)[\"`] = ")
_ONE = frozenset({"get", "first", "last", "earliest", "latest"})
_MANY_FIELDS = 8
_DUPLICATE_WARNING_MS = 10.0


def find(claims: list[Claim], explained: set[int]) -> list[Found]:
    """
    Return what the SQL layer finds among the claims that the ORM layer has not explained.
    """
    left = [claim for claim in claims if id(claim) not in explained and not _is_housekeeping(claim)]
    return [*_write_loops(left), *_prefetches(left), *_loops_and_duplicates(left), *_fetched_after(left)]


def _is_housekeeping(claim: Claim) -> bool:
    return claim.kind == "sql" and bool(_HOUSEKEEPING.match(_sql(claim)))


def _sql(claim: Claim) -> str:
    # Not always a string: psycopg has a Composed.
    return str(claim.statement.sql)


def _shape(claim: Claim) -> str:
    """
    Return the SQL with its literals folded where they are not parameters.
    """
    return _sql(claim) if claim.statement.params else _LITERAL.sub("?", _sql(claim))


def _values(claim: Claim) -> Any:
    params = claim.statement.params
    try:
        hash(params)
    except TypeError:
        params = repr(params)
    return params or _sql(claim)


def _groups(claims: list[Claim], key: Any) -> list[list[Claim]]:
    groups: dict[Any, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(key(claim), []).append(claim)
    return list(groups.values())


def _label(claim: Claim) -> str | None:
    meta = getattr(claim.model, "_meta", None)
    return None if meta is None else str(meta.label)


def _finding(rule: str, group: list[Claim], title: str, detail: str, **more: Any) -> Found:
    saving = sum(claim.access_ms for claim in group) - median(claim.access_ms for claim in group)
    site = Counter(claim.site for claim in group).most_common(1)[0][0]
    severity: Severity = more.pop("severity", None) or severity_of(len(group), saving)
    finding = Finding(
        rule=rule,
        severity=severity,
        title=title,
        detail=detail,
        evidence={
            "queries": len(group),
            "sql_ms": round(sum(claim.statement.duration_ms for claim in group), 2),
            **more.pop("evidence", {}),
        },
        origin=to_origin(site),
        fix_at=more.pop("fix_at", None) or to_origin(site),
        saving_ms=round(saving, 2),
        **more,
    )
    return Found(finding, site, _sql(group[0]))


def _write_loops(claims: list[Claim]) -> list[Found]:
    writes = [claim for claim in claims if claim.kind in {"save", "update"} and not _READ.match(_sql(claim))]
    loops = _groups(writes, lambda claim: (claim.site.key, claim.kind, _label(claim)))
    found = []
    for group in loops:
        saves = max(Counter(_sql(claim) for claim in group).values())
        if saves >= get_config().NPLUSONE_THRESHOLD:
            found.append(_write_loop(group, saves))
    return found


def _write_loop(group: list[Claim], saves: int) -> Found:
    claim = group[0]
    name = claim.model.__name__ if claim.model else "Model"
    insert = any(_sql(each).upper().startswith("INSERT") for each in group)
    code: str | None = None
    if insert and claim.model is not None and claim.model._meta.parents:
        advice = "bulk_create() cannot write a model with a parent table: write fewer objects here."
    elif insert:
        advice = "Collect the objects and write them at once."
        code = f"{name}.{manager(claim.model)}.bulk_create(objects)"
    elif claim.kind == "update":
        advice = "Update all rows in one statement: filter(pk__in=...).update(...), or bulk_update()."
    else:
        advice, code = "Change the objects first and write them at once.", _bulk_update(claim, name)
    return _finding(
        "write-loop",
        group,
        f"{len(group)} writes of {_label(claim) or 'rows'}, one by one",
        f"{saves} times the same {'INSERT' if insert else 'UPDATE'} from one line.",
        advice=f"{advice} It sends no pre_save and post_save signals and does not call save().",
        code=code,
        relation=f"{_label(claim)}.save()" if _label(claim) else None,
    )


def _bulk_update(claim: Claim, name: str) -> str | None:
    if claim.model is None:
        return None
    columns = set(_SET_COLUMNS.findall(_sql(claim).split(" WHERE ", 1)[0]))
    meta = claim.model._meta
    names = [field.name for field in meta.concrete_fields if field.column in columns]
    if not names or len(names) > _MANY_FIELDS:
        return None
    listed = ", ".join(f'"{each}"' for each in names)
    return f"{name}.{manager(claim.model)}.bulk_update(objects, [{listed}])"


def _prefetches(claims: list[Claim]) -> list[Found]:
    alone = [claim for claim in claims if claim.kind == "prefetch" and claim.instances == 1]
    found = []
    for group in _groups(alone, lambda claim: (claim.site.key, _label(claim), claim.accessor)):
        if len(group) >= get_config().NPLUSONE_THRESHOLD:
            relation = f"{_label(group[0])}.{group[0].accessor}"
            found.append(
                _finding(
                    "repeated-sql",
                    group,
                    f"{len(group)} prefetches of {relation}, each for one instance",
                    "prefetch_related_objects() is called once per instance: that is one query per instance.",
                    advice="Call it once, with the whole list.",
                    code=f'prefetch_related_objects(instances, "{group[0].accessor}")',
                    relation=relation,
                )
            )
    return found


def _loops_and_duplicates(claims: list[Claim]) -> list[Found]:
    reads = [claim for claim in claims if claim.kind in {"read", "sql", "to-one", "to-many", "deferred"}]
    reads = [claim for claim in reads if _READ.match(_sql(claim))]
    found, looped = [], set()
    threshold = get_config().NPLUSONE_THRESHOLD
    for group in _groups(reads, lambda claim: (claim.statement.alias, _shape(claim), claim.site.key)):
        if len({_values(claim) for claim in group}) >= threshold:
            looped |= {id(claim) for claim in group}
            found.append(_loop(group))
    left = [claim for claim in reads if id(claim) not in looped]
    same = _groups(left, lambda claim: (claim.statement.alias, _sql(claim), _values(claim)))
    return found + [_duplicate(group) for group in same if len(group) > 1]


def _loop(group: list[Claim]) -> Found:
    claim = group[0]
    label = _label(claim)
    many = f"{len(group)} queries"
    if claim.kind == "read" and claim.operation in _ONE and label:
        code = _get_many(claim)
        return _finding(
            "get-in-loop",
            group,
            f"{many} for {label}.{claim.operation}() in a loop",
            f"One row is asked for {len(group)} times, each time with other values.",
            advice="Ask once for all of them, before the loop, and look them up in the dictionary or list.",
            code=code,
            relation=f"{label}.get()",
        )
    relation = f"{label}.{claim.accessor}" if label and claim.accessor else None
    return _finding(
        "repeated-sql",
        group,
        f"{many} of the same shape" + (f" for {relation or label}" if label else ""),
        f"The same statement runs {len(group)} times from one place, each time with other values.",
        advice="Ask once for all the values (an IN list, a JOIN or a GROUP BY), and pick from the result in the loop.",
        relation=relation,
    )


def _get_many(claim: Claim) -> str | None:
    assert claim.model is not None
    rows = f"{claim.model.__name__}.{manager(claim.model)}"
    meta = claim.model._meta
    if claim.operation != "get" or not claim.detail:
        return None
    lookup = claim.detail
    if lookup in {"pk", "id", meta.pk.name, meta.pk.attname}:
        return f"{rows}.in_bulk(pks)"
    field = next((field for field in meta.concrete_fields if lookup in {field.name, field.attname}), None)
    if field is None:
        return None
    unique = field.unique and not field.is_relation
    if unique:
        return f'{rows}.in_bulk(values, field_name="{field.name}")'
    return f"{rows}.filter({field.name}__in=values)"


def _duplicate(group: list[Claim]) -> Found:
    claim = group[0]
    label = _label(claim)
    places = len({each.site.key for each in group})
    counted = "one place" if places == 1 else f"{places} places"
    saving = sum(each.access_ms for each in group[1:])
    worth = len(group) > 2 or saving >= _DUPLICATE_WARNING_MS
    choices = any(each.choices for each in group)
    advice = "Keep the first result and pass it on."
    if choices:
        advice = "Every form fetches the choices again: evaluate them once and give each form field that list."
    what = f" for {label}" + (f".{claim.accessor}" if claim.accessor else "") if label else ""
    return _finding(
        "duplicate-query",
        group,
        f"{len(group)} identical queries{what}",
        f"The same statement with the same values runs {len(group)} times, from {counted}.",
        severity=None if worth else "info",
        advice=advice,
        code='form.fields["name"].choices = choices' if choices else None,
        relation=f"{label}.{claim.accessor}" if label and claim.accessor else None,
    )


def _fetched_after(claims: list[Claim]) -> list[Found]:
    pairs = [claim for claim in claims if claim.after is not None]
    found = []
    for group in _groups(pairs, lambda claim: (claim.site.key, _label(claim))):
        asked = [claim.after for claim in group if claim.after]
        method = asked[0].operation
        instead = "len(rows)" if method == "count" else "bool(rows)"
        pair = _finding(
            "fetch-after-count",
            asked,
            f"{method}() and then all rows of the same {_label(group[0]) or 'queryset'} queryset",
            f"The rows are fetched anyway: {method}() was one query too many.",
            severity="info" if len(asked) == 1 else None,
            advice=f"Fetch the rows first and use {instead}: it reads the rows the queryset has already got.",
            code=instead,
            fix_at=to_origin(asked[0].site),
        )
        pair.finding.saving_ms = round(sum(claim.access_ms for claim in asked), 2)
        found.append(pair)
    return found
