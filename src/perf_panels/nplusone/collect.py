"""
Collects what the ORM did: which evaluation each instance came from, and which access asked for each statement.

A ``Recording`` lives for one request or ``watch`` block: ``patches`` and ``statements`` fill it, ``report`` reads it.
Nothing here holds a model instance or a queryset: instances point to their ``Peers``, never the other way round.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.db.models import query_utils

from perf_panels import origins, statements
from perf_panels.conf import get_config
from perf_panels.nplusone.marks import MARKS, READS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from perf_panels.origins import Site
    from perf_panels.statements import Statement

logger = logging.getLogger("perf_panels")

STAMP = "_perf_panels"
TO_ATTR = "to_attr "
_CONTIGUOUS_S = 0.002
"""A related set built this shortly before its statement counts as the same access (in seconds)."""


class Peers:
    """
    The rows of one evaluation of one queryset, or the objects one relation away from such rows.

    Hangs on ``instance._state``. Pickles as None, so a cached instance needs no perf_panels to be read again.
    """

    __slots__ = (
        "accessor", "built", "eager", "evaluated", "fetched", "joined", "model", "parent", "path", "single", "touched",
    )  # fmt: skip

    def __init__(self, model: type, parent: Peers | None = None, accessor: str = "", eager: str = "") -> None:
        self.model = model
        self.parent = parent
        self.accessor = accessor
        self.path: tuple[str, ...] = (*parent.path, accessor) if parent else ()
        self.eager = eager
        self.built: Site | None = parent.built if parent else None
        self.evaluated: Site | None = parent.evaluated if parent else None
        self.fetched = 0
        self.single = False
        self.joined: list[Any] = []
        """Primary keys of the objects a JOIN built, one for each row."""
        self.touched: set[str] = set()

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(None), ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Peers:
        return self

    @property
    def lookup(self) -> tuple[str, ...]:
        """
        The path as prefetch_related() must have it: with the attributes that ``Prefetch(to_attr=...)`` put rows into.
        """
        if self.parent is None:
            return ()
        return (
            *self.parent.lookup,
            self.eager.removeprefix(TO_ATTR) if self.eager.startswith(TO_ATTR) else self.accessor,
        )

    @property
    def rows(self) -> int:
        return self.fetched + len(self.joined)

    @property
    def distinct(self) -> int:
        return len(set(self.joined))

    @property
    def root(self) -> Peers:
        return self.parent.root if self.parent else self


@dataclass(slots=True)
class Related:
    """
    One related set of one instance, on its way to being evaluated.
    """

    peers: Peers | None
    model: type
    accessor: str
    pk: Any


@dataclass(slots=True)
class Stamp:
    """
    What is known about a queryset: where it was built, the related set it stands for, what was done to it since.
    """

    built: Site | None = None
    related: Related | None = None
    operations: tuple[tuple[str, Any], ...] = ()
    began: float = 0.0
    touched: float = 0.0
    asked: Claim | None = None
    """The count() or exists() this very queryset has already been used for."""
    claim: Claim | None = None

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(None), ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Stamp:
        return self


def stamp_of(queryset: Any) -> Stamp | None:
    """
    Return the queryset's stamp; the sets of a prefetch carry only (accessor, primary key) until somebody asks.
    """
    stamp = queryset.__dict__.get(STAMP)
    if not isinstance(stamp, tuple):
        return stamp  # type: ignore[no-any-return]
    instance = queryset._hints.get("instance")
    if instance is None:
        return None
    # Only one of the instances: with Prefetch(queryset=...) all these sets share their hints.
    return Stamp(related=Related(instance._state._perf_panels, type(instance), *stamp))


@dataclass(slots=True)
class Claim:
    """
    One statement, who asked for it and how: what ``report`` groups into findings.

    ``kind`` is ``to-one``, ``deferred``, ``to-many``, ``prefetch``, ``read``, ``save``, ``update``, ``batch``,
    ``cascade`` or ``sql``. ``operation`` is the queryset method that executed. ``access_ms`` is the whole access, ORM
    included.
    """

    statement: Statement
    site: Site
    kind: str
    operation: str = ""
    model: type | None = None
    accessor: str = ""
    peers: Peers | None = None
    pk: Any = None
    target: Any = None
    operations: tuple[tuple[str, Any], ...] = ()
    built: Site | None = None
    began: float = 0.0
    access_ms: float = 0.0
    instances: int = 0
    choices: bool = False
    after: Claim | None = None
    detail: str = ""


@dataclass(slots=True)
class Access:
    """
    A to-one access that did not find its object cached.
    """

    peers: Peers | None
    model: type
    accessor: str
    pk: Any
    target: Any
    claim: Claim | None = None


class _Local(threading.local):
    access: Access | None = None
    prefetch: Peers | None = None
    populating: Peers | None = None
    claim: Claim | None = None


@dataclass
class Recording:
    """
    Everything of one request. ``failure`` is the first exception of ours; after it nothing more is collected.
    """

    claims: list[Claim] = field(default_factory=list)
    peers: list[Peers] = field(default_factory=list)
    queries: int = 0
    omitted: int = 0
    failure: Exception | None = None
    local: _Local = field(default_factory=_Local)
    children: dict[tuple[int, str, str], Peers] = field(default_factory=dict)

    def child(self, parent: Peers, accessor: str, model: type, eager: str = "") -> Peers:
        """
        Return the peers one relation away from ``parent``: the same ones for all rows of the evaluation.
        """
        key = (id(parent), accessor, eager)
        child = self.children.get(key)
        if child is None:
            child = self.children[key] = Peers(model, parent, accessor, eager)
            self.peers.append(child)
        return child

    def before(self, statement: Statement, frame: FrameType) -> None:
        """
        Find out who asks for the statement. Called by ``statements``.
        """
        self.local.claim = None
        if self.failure is not None or current() is not self:
            return
        try:
            self.local.claim = self._claim(statement, frame)
        except Exception as error:  # noqa: BLE001 - the host's query must run, whatever we do wrong
            self.fail(error)

    def after(self, statement: Statement) -> None:
        """
        Keep the claim, now that the statement's duration is known. Called by ``statements``.
        """
        if current() is not self:
            return
        self.queries += 1
        claim = self.local.claim
        if claim is None:
            return
        claim.access_ms = (perf_counter() - (claim.began or statement.started)) * 1000
        if len(self.claims) < get_config().MAX_STATEMENTS:
            self.claims.append(claim)
        else:
            self.omitted += 1

    def fail(self, error: Exception) -> None:
        """
        Keep our own exception for the panel and stop collecting; the host's query goes on.
        """
        self.failure = self.failure or error
        logger.error("The N+1 panel stopped watching this request", exc_info=error)

    def absorb(self, inner: Recording, since: tuple[int, ...]) -> None:
        """
        Take over what a recording inside this one has collected since its ``position()`` was ``since``.
        """
        claims, peers, queries, omitted = since
        self.claims += inner.claims[claims:]
        self.peers += inner.peers[peers:]
        self.children |= inner.children
        self.queries += inner.queries - queries
        self.omitted += inner.omitted - omitted
        self.failure = self.failure or inner.failure

    def position(self) -> tuple[int, ...]:
        return len(self.claims), len(self.peers), self.queries, self.omitted

    def _claim(self, statement: Statement, frame: FrameType) -> Claim:
        site, marked = origins.trace(frame, MARKS)
        local = self.local
        if local.prefetch is not None:
            return _prefetch_claim(statement, site, local.prefetch, marked)
        if local.access is not None:
            access = local.access
            if any(mark == "cascade" for mark, _ in marked):
                return Claim(statement, site, "cascade")
            access.claim = Claim(
                statement, site, "to-one", "get", access.model, access.accessor, access.peers, access.pk, access.target
            )
            return access.claim
        return _queryset_claim(statement, site, marked)


_recording: ContextVar[Recording | None] = ContextVar("perf_panels_recording", default=None)
current = _recording.get


@contextmanager
def recording_into(recording: Recording) -> Iterator[None]:
    """
    Collect what happens in this context into ``recording``; an outer recording takes it over when the block ends.
    """
    outer = current()
    token = _recording.set(recording)
    since = recording.position()
    try:
        with statements.listening(recording):
            yield
    finally:
        _recording.reset(token)
        if outer is not None and outer is not recording:
            outer.absorb(recording, since)


def _prefetch_claim(statement: Statement, site: Site, peers: Peers, marked: list[tuple[str, FrameType]]) -> Claim:
    claim = Claim(
        statement, site, "prefetch", "prefetch", peers.parent.model if peers.parent else None, peers.accessor, peers
    )
    names = [mark for mark, _ in marked]
    direct = "prefetch_related_objects" in names and "_prefetch_related_objects" not in names
    if direct:
        claim.instances = next((len(frame.f_locals["instances"]) for mark, frame in marked if mark == "one_level"), 0)
    return claim


def _queryset_claim(statement: Statement, site: Site, marked: list[tuple[str, FrameType]]) -> Claim:
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
