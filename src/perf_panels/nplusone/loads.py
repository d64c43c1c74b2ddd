"""
The ORM layer of the report: relations that the rows of one queryset load by themselves, one query a row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import django

from perf_panels.conf import get_config
from perf_panels.findings import Finding
from perf_panels.nplusone import advice
from perf_panels.nplusone.found import Found, severity_of
from perf_panels.origins import PROJECT, Site, to_origin

if TYPE_CHECKING:
    from perf_panels.nplusone.collect import Recording
    from perf_panels.nplusone.records import Claim, Peers

_COUNTS = frozenset({"count", "exists", "contains", "aggregate"})
_FEW_TARGETS_ROWS = 100
_FETCH_PEERS_SINCE = (6, 1, 2)
"""Before 6.1.2 FETCH_PEERS did not batch instances that select_related had loaded (Django ticket 37344)."""


@dataclass
class Load:
    """
    All loads of one relation by the rows of one queryset; ``path`` leads from that queryset's model to the relation.
    """

    rule: str
    claims: list[Claim]
    covers: list[Claim]

    @property
    def peers(self) -> Peers:
        peers = self.claims[0].peers
        assert peers is not None
        return peers

    @property
    def root(self) -> Peers:
        return self.peers.root

    @property
    def path(self) -> tuple[str, ...]:
        return (*self.peers.path, self.claims[0].accessor)

    @property
    def lookup(self) -> tuple[str, ...]:
        return (*self.peers.lookup, self.claims[0].accessor)

    @property
    def rows(self) -> int:
        return sum(peers.rows for peers in {id(claim.peers): claim.peers for claim in self.claims}.values() if peers)

    @property
    def followed(self) -> int:
        if self.claims[0].kind != "to-many":
            return len(self.claims)
        return len({(id(claim.peers), claim.pk) for claim in self.claims})


def find(recording: Recording) -> tuple[list[Found], set[int]]:
    """
    Return what was found, and the ids of the claims they explain.
    """
    loads = [load for load in _grouped(recording.claims) if _is_problem(load)]
    loads = _longest_paths(loads)
    explained = {id(claim) for load in loads for claim in (*load.claims, *load.covers)}
    return [
        Found(_finding(load, recording), _owner(load), str(load.claims[0].statement.sql)) for load in loads
    ], explained


def _grouped(claims: list[Claim]) -> list[Load]:
    groups: dict[Any, list[Claim]] = {}
    for claim in claims:
        if claim.kind in {"to-one", "to-many", "deferred"} and claim.peers is not None:
            root = claim.peers.root
            built = root.built.key if root.built else None
            rule = _rule(claim)
            did = tuple(method for method, _ in claim.operations) if rule == "related-filter" else claim.operation
            key = (built, root.model, claim.peers.path, claim.accessor, rule, did)
            groups.setdefault(key, []).append(claim)
    return [Load(_rule(group[0]), group, []) for group in groups.values()]


def _rule(claim: Claim) -> str:
    if claim.kind == "deferred":
        return "deferred-load"
    if claim.kind == "to-one":
        return "lazy-load"
    if claim.operation in _COUNTS:
        return "related-count"
    plain = all(method in advice.PLAIN for method, _ in claim.operations) and claim.operation == "fetch"
    return "lazy-load" if plain else "related-filter"


def _is_problem(load: Load) -> bool:
    return load.followed >= get_config().NPLUSONE_THRESHOLD or load.followed == load.rows == 2


def _longest_paths(loads: list[Load]) -> list[Load]:
    """
    Keep the longest path of each chain of lazy loads that code can name: it removes the shorter ones too.
    """
    kept: list[Load] = []
    for load in sorted(loads, key=lambda load: -len(load.path)):
        longer = next((other for other in kept if _continues(other, load)), None)
        if longer is None:
            kept.append(load)
        else:
            longer.covers += load.claims
    return kept


def _continues(longer: Load, load: Load) -> bool:
    if longer.rule != "lazy-load" or load.rule != "lazy-load" or advice.hops(longer.root.model, longer.path) is None:
        return False
    same_root = longer.root.model is load.root.model and _key(longer.root.built) == _key(load.root.built)
    return same_root and len(longer.path) > len(load.path) and longer.path[: len(load.path)] == load.path


def _key(site: Site | None) -> Any:
    return site.key if site else None


def _owner(load: Load) -> Site:
    site = load.claims[0].site
    built = load.root.built
    return built if built is not None and site.owner != PROJECT else site


def _finding(load: Load, recording: Recording) -> Finding:
    claim = load.claims[0]
    claims = load.claims + load.covers
    assert claim.model is not None  # a relation has one
    label = f"{claim.model._meta.label}.{claim.accessor}"
    queries = len(claims)
    saving = sum(each.access_ms for each in claims) - median(each.access_ms for each in claims)
    few = _few_targets(load)
    what, code = _advice(load, recording, few)
    small = load.followed < get_config().NPLUSONE_THRESHOLD
    built = load.root.built
    return Finding(
        rule=load.rule,
        severity="info" if small else severity_of(queries, saving),
        title=f"{queries} queries for {label}",
        detail=_detail(load, label, few),
        evidence={
            "queries": queries,
            "rows": load.rows,
            "followed": load.followed,
            "access_ms": round(sum(each.access_ms for each in claims), 2),
            "sql_ms": round(sum(each.statement.duration_ms for each in claims), 2),
        },
        advice=what,
        code=code,
        origin=to_origin(Counter(each.site for each in load.claims).most_common(1)[0][0]),
        fix_at=to_origin(built or load.root.evaluated),
        saving_ms=round(saving, 2),
        relation=label,
    )


def _detail(load: Load, label: str, few: bool) -> str:
    did = {
        "lazy-load": "load it one by one",
        "deferred-load": "ask for this deferred field one by one",
        "related-count": f"call {load.claims[0].operation}() on it",
        "related-filter": "query it again with a filter, an order or a slice",
    }[load.rule]
    text = f"{load.followed} of {load.rows} rows {did}; they came from one queryset of {load.root.model.__name__}."
    if load.covers:
        text += f" The chain {'.'.join(load.path)} loads at every step: {len(load.covers)} more queries on the way."
    if few:
        targets = len({claim.target for claim in load.claims})
        text += f" The {len(load.claims)} loads ended at only {targets} different objects."
    if load.followed < get_config().NPLUSONE_THRESHOLD:
        text += " It grows with the data."
    return text


def _few_targets(load: Load) -> bool:
    targets = {claim.target for claim in load.claims if claim.target is not None}
    many = len(load.claims) >= _FEW_TARGETS_ROWS
    return many and bool(targets) and len(load.claims) >= get_config().NPLUSONE_FANOUT_RATIO * len(targets)


def _advice(load: Load, recording: Recording, few: bool) -> tuple[str, str | None]:
    model, path = load.root.model, load.path
    if load.rule == "deferred-load":
        return _deferred_advice(load)
    if load.rule == "related-count":
        return _count_advice(load)
    if load.rule == "related-filter":
        return _filter_advice(load, recording)
    if any(method not in advice.SAME for method, _ in load.claims[0].operations):
        return _loading_advice(load)
    code = advice.load_together(model, path, few or load.root.eager == "raw", load.lookup)
    if code is None:
        return "Load this relation together with the rows, or pass the related objects in.", None
    what = f"Add {code} to the queryset."
    if few:
        what += " Many rows share few objects: a prefetch builds each object once, select_related once per row."
    along = advice.hops(model, path) or []
    if all(hop.to_one for hop in along) and django.VERSION >= _FETCH_PEERS_SINCE:
        what += " On this Django, .fetch_mode(FETCH_PEERS) on the queryset is an alternative."
    return _placed(load, code, what)


def _loading_advice(load: Load) -> tuple[str, str | None]:
    """
    Advise on ``row.books.select_related("editor")``: it would ask the database again, were the books prefetched.
    """
    claim = load.claims[0]
    instead = f"and read {claim.accessor}.all() without more."
    code = advice.prefetch_loading(load.root.model, load.path, claim.operations, load.lookup)
    if code is None:
        return f"Prefetch {claim.accessor} with a queryset that does what is done here, {instead}", None
    return _placed(load, code, f"Load all of them with the rows, {instead}")


def _deferred_advice(load: Load) -> tuple[str, str | None]:
    claim = load.claims[0]
    name = "__".join(load.path)
    what = f'The field was left out: add "{name}" to only(), or take it out of defer().'
    if django.VERSION >= _FETCH_PEERS_SINCE:
        what += " On this Django, .fetch_mode(FETCH_PEERS) on the queryset is an alternative."
    return what, None if len(load.path) > 1 else claim.detail


def _count_advice(load: Load) -> tuple[str, str | None]:
    claim = load.claims[0]
    said = {repr(each.operations) for each in load.claims}
    found = None
    if len(said) == 1 and load.root.eager != "raw":
        found = advice.annotate(load.root.model, load.path, claim.operation, claim.detail, claim.operations)
    if found is None:
        code = advice.load_together(load.root.model, load.path, lookup=load.lookup)
        return (
            f"Prefetch the related set and ask the list: len(), any() or `in` on .all() runs no {claim.operation}().",
            (f".{code}" if code else None),
        )
    code, name = found
    return _placed(load, code, f"Let the database answer for all rows at once, and read row.{name}.")


def _filter_advice(load: Load, recording: Recording) -> tuple[str, str | None]:
    claim = load.claims[0]
    accessor = claim.accessor
    prefetched = (id(claim.peers), accessor, "prefetch") in recording.children
    lead = f"{accessor} is prefetched, but this asks the database again. " if prefetched else ""
    found = None
    if len({repr(each.operations) for each in load.claims}) == 1:
        found = advice.prefetch_filtered(load.root.model, load.path, claim.operations, claim.operation, load.lookup)
    if found is None:
        code = advice.load_together(load.root.model, load.path, lookup=load.lookup)
        what = f"{lead}Prefetch {accessor} once and choose in Python: for each row read it from {accessor}.all()."
        return what, f".{code}" if code and not prefetched else None
    code, attribute = found
    last = "[0]" if claim.operation in {"first", "last", "get"} else ""
    return _placed(load, code, f"{lead}Prefetch exactly that, and read row.{attribute}{last} (a list).")


def _placed(load: Load, code: str, what: str) -> tuple[str, str]:
    """
    Return the advice and the code in the form that fits its place: a queryset, or the class whose queryset it is.
    """
    built = load.root.built
    cls = built.edit_class if built else None
    model = load.root.model.__name__
    if cls is None:
        return what, f".{code}"
    if hasattr(cls, "list_select_related"):
        if code.startswith("select_related("):
            earlier = cls.list_select_related if isinstance(cls.list_select_related, (list, tuple)) else ()
            listed = ", ".join(f'"{name}"' for name in [*earlier, "__".join(load.path)])
            return f"{what} In a ModelAdmin that is list_select_related.", f"list_select_related = [{listed}]"
        body = f"def get_queryset(self, request):\n    return super().get_queryset(request).{code}"
        return f"{what} In a ModelAdmin, in get_queryset().", body
    if hasattr(cls, "get_queryset") and getattr(cls, "queryset", None) is None:
        queryset = f"queryset = {model}.{advice.manager(load.root.model)}.{code}"
        return f"{what} In {cls.__name__}, as its queryset.", queryset
    return what, f".{code}"
