"""
Who asked for a statement, and how: told from the functions of Django that are on the stack when it runs.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.db.models import query_utils

from perf_panels.nplusone.marks import READS
from perf_panels.nplusone.records import STAMP, Claim, stamp_of

if TYPE_CHECKING:
    from types import FrameType

    from perf_panels.nplusone.records import Peers
    from perf_panels.origins import Site
    from perf_panels.statements import Statement

_CONTIGUOUS_S = 0.002
"""A related set built this shortly before its statement counts as the same access (in seconds)."""


def prefetch_claim(statement: Statement, site: Site, peers: Peers, marked: list[tuple[str, FrameType]]) -> Claim:
    claim = Claim(
        statement, site, "prefetch", "prefetch", peers.parent.model if peers.parent else None, peers.accessor, peers
    )
    names = [mark for mark, _ in marked]
    direct = "prefetch_related_objects" in names and "_prefetch_related_objects" not in names
    if direct:
        claim.instances = next((len(frame.f_locals["instances"]) for mark, frame in marked if mark == "one_level"), 0)
    return claim


def queryset_claim(statement: Statement, site: Site, marked: list[tuple[str, FrameType]]) -> Claim:
    claim = Claim(statement, site, "sql")
    queryset = None
    for mark, frame in marked:
        if mark == "refresh":
            return _deferred_claim(claim, frame)
        if mark == "save":
            claim.kind, claim.model = "save", frame.f_locals.get("cls")
        elif mark in {"batch", "cascade", "update"}:
            claim.kind = mark
            claim.model = getattr(frame.f_locals.get("self"), "model", None)
            if mark != "update":
                return claim
        elif mark == "choices":
            claim.choices = True
        elif mark == "related_manager":
            return _manager_claim(claim, frame)
        elif mark == "read" and claim.kind in {"sql", "read"}:
            queryset = queryset if queryset is not None else frame.f_locals.get("self")
            claim.kind = "read"
            claim.operation = READS.get(frame.f_code.co_name) or claim.operation or "fetch"
            if frame.f_code.co_name == "aggregate":
                claim.detail = _aggregate_text(frame)
            elif frame.f_code.co_name == "get":
                claim.detail = ",".join(frame.f_locals.get("kwargs") or ())
    if queryset is not None and claim.kind == "read":
        _describe_read(claim, queryset)
    return claim


def _deferred_claim(claim: Claim, frame: FrameType) -> Claim:
    instance, names = frame.f_locals.get("self"), frame.f_locals.get("fields")
    if instance is None or not names or len(names) != 1 or not _asked_by_attribute(frame):
        return claim
    claim.kind, claim.operation = "deferred", "refresh_from_db"
    attname = next(iter(names))
    claim.model, claim.accessor = type(instance), instance._meta.get_field(attname).name
    claim.peers, claim.pk = instance._state._perf_panels, instance.pk
    claim.detail = _deferral_text(instance, attname)
    return claim


def _deferral_text(instance: Any, asked: str) -> str:
    """
    Return the ``only(...)`` or ``defer(...)`` that loads ``asked`` too, also if put after the one that left it out.
    """
    missing = instance.get_deferred_fields() | {asked}
    names = [(field.attname, field.name) for field in instance._meta.concrete_fields]
    kept = [name for attname, name in names if attname not in missing or attname == asked]
    deferred = [name for attname, name in names if attname in missing and attname != asked]
    if len(kept) <= len(deferred):
        return f".only({', '.join(map(repr, kept))})".replace("'", '"')
    # defer() adds to what is deferred already; defer(None) begins anew.
    more = f".defer({', '.join(map(repr, deferred))})".replace("'", '"') if deferred else ""
    return f".defer(None){more}"


def _asked_by_attribute(frame: FrameType | None) -> bool:
    """
    Say whether refresh_from_db was called by a deferred attribute and not by the project itself.
    """
    for _ in range(5):
        frame = frame.f_back if frame else None
        if frame is not None and frame.f_code.co_filename == query_utils.__file__:
            return True
    return False


def _manager_claim(claim: Claim, frame: FrameType) -> Claim:
    manager = frame.f_locals.get("self")
    instance = getattr(manager, "instance", None)
    if instance is None:
        return claim
    claim.kind, claim.operation = "to-many", frame.f_code.co_name
    claim.model, claim.accessor = type(instance), getattr(type(manager), STAMP, "")
    claim.peers, claim.pk = instance._state._perf_panels, instance.pk
    return claim


def _describe_read(claim: Claim, queryset: Any) -> None:
    claim.model = getattr(queryset, "model", None)
    stamp = stamp_of(queryset)
    if stamp is None:
        return
    claim.built = stamp.built
    claim.operations = stamp.operations
    if claim.site.file is None and claim.site.template is None and stamp.built is not None:
        # Async ORM calls run in another thread, whose stack does not have the view's line: the queryset's has.
        claim.site = stamp.built
    if claim.operation in {"count", "exists"}:
        stamp.asked = claim
    elif claim.operation == "fetch":
        # Not iterator(): counting first is what who shows its progress has to do.
        claim.after = stamp.asked
    related = stamp.related
    if related is None:
        return
    claim.kind = "to-many"
    claim.model, claim.accessor = related.model, related.accessor
    claim.peers, claim.pk = related.peers, related.pk
    stamp.claim = claim
    now = perf_counter()
    claim.began = stamp.began if now - stamp.touched < _CONTIGUOUS_S else now


def _aggregate_text(frame: FrameType) -> str:
    """
    Return ``Sum("price")`` for an aggregate over one field, or "" where it cannot be said in one expression.
    """
    # Django has added the positional ones to kwargs by now.
    values = list(frame.f_locals.get("kwargs", {}).values())
    if len(values) != 1:
        return ""
    sources = values[0].get_source_expressions()
    name = getattr(sources[0], "name", None) if sources else None
    return f"{type(values[0]).__name__}|{name}" if isinstance(name, str) else ""
