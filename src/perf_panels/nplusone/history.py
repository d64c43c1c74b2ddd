"""
Which eager loads of a view have never been used, over all requests this process has seen.

One request proves nothing: an ``{% if %}`` may have gone the other way.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from perf_panels.nplusone.records import Peers

_MAX_VIEWS = 500


class Unused(NamedTuple):
    """
    An eager load and how often it was not used: in ``unused`` of ``requests`` requests.
    """

    peers: Peers
    unused: int
    requests: int


_seen: OrderedDict[tuple[Any, ...], list[int]] = OrderedDict()
_lock = Lock()


def eager_loads(peers: list[Peers]) -> dict[tuple[Any, ...], tuple[Peers, bool]]:
    """
    Return {key: (peers, used)} for each eager load that brought rows; a hop of a used path is used.
    """
    found: dict[tuple[Any, ...], tuple[Peers, bool]] = {}
    for child in peers:
        parent = child.parent
        if parent is None or child.eager not in {"select", "prefetch"} or not child.rows:
            continue
        site = child.root.built.key if child.root.built else None
        key = (site, child.root.model._meta.label, child.path, child.eager)
        used = child.accessor in parent.touched or bool(child.touched)
        earlier = found.get(key)
        found[key] = (child, used or (earlier is not None and earlier[1]))
    return found


def remember(view: str, peers: list[Peers]) -> list[Unused]:
    """
    Count this request's eager loads for ``view`` and return those unused in this one, with their record so far.
    """
    unused = []
    with _lock:
        for key, (child, used) in eager_loads(peers).items():
            counts = _seen.setdefault((view, *key), [0, 0])
            _seen.move_to_end((view, *key))
            counts[0] += not used
            counts[1] += 1
            if not used:
                unused.append(Unused(child, *counts))
        while len(_seen) > _MAX_VIEWS:
            _seen.popitem(last=False)
    return unused


def forget() -> None:
    """
    Drop everything remembered; for tests.
    """
    with _lock:
        _seen.clear()
