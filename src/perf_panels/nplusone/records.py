"""
What is remembered of the ORM's work while a request is watched: plain records, hung on instances and querysets.

Nothing here holds a model instance or a queryset: instances point to their ``Peers``, never the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Model

    from perf_panels.origins import Site
    from perf_panels.statements import Statement

STAMP = "_perf_panels"
TO_ATTR = "to_attr "


class Peers:
    """
    The rows of one evaluation of one queryset, or the objects one relation away from such rows.

    Hangs on ``instance._state``. Pickles as None, so a cached instance needs no perf_panels to be read again.
    """

    __slots__ = (
        "accessor", "built", "eager", "evaluated", "fetched", "joined", "model", "parent", "path", "single", "touched",
    )  # fmt: skip

    def __init__(self, model: type[Model], parent: Peers | None = None, accessor: str = "", eager: str = "") -> None:
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
    model: type[Model]
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
        return stamp  # type: ignore[no-any-return] # whatever else hangs on the queryset, this is ours
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
    model: type[Model] | None = None
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
    model: type[Model]
    accessor: str
    pk: Any
    target: Any
    claim: Claim | None = None
