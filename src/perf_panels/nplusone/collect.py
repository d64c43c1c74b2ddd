"""
Collects what the ORM did: which evaluation each instance came from, and which access asked for each statement.

A ``Recording`` lives for one request or ``watch`` block: ``patches`` and ``statements`` fill it, ``report`` reads it.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

from perf_panels import origins, statements
from perf_panels.conf import get_config
from perf_panels.nplusone.claims import prefetch_claim, queryset_claim
from perf_panels.nplusone.marks import MARKS
from perf_panels.nplusone.records import Access, Claim, Peers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from django.db.models import Model

    from perf_panels.statements import Statement

logger = logging.getLogger("perf_panels")


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

    def child(self, parent: Peers, accessor: str, model: type[Model], eager: str = "") -> Peers:
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
            return prefetch_claim(statement, site, local.prefetch, marked)
        if local.access is not None:
            access = local.access
            if any(mark == "cascade" for mark, _ in marked):
                return Claim(statement, site, "cascade")
            access.claim = Claim(
                statement, site, "to-one", "get", access.model, access.accessor, access.peers, access.pk, access.target
            )
            return access.claim
        return queryset_claim(statement, site, marked)


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
