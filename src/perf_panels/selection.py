"""
Which functions are timed for a view besides its own, by somebody's click: kept in the session, or in a signed cookie.

Only functions that this process has seen under a view can be chosen for it: what the browser sends is looked up here,
and nothing is imported by it. ``remember`` fills that memory with each watched request.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core import signing
from django.db import connections

from perf_panels import statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from django.http import HttpRequest, HttpResponseBase

    from perf_panels.functions import Target

    Selection = dict[str, list[str]]

KEY = "perf_panels_functions"
"""The session's key and the cookie's name."""

MAX_VIEWS = 200
MAX_SEEN = 2_000
MAX_CHOSEN = 40
_COOKIE_BYTES = 3_800

_seen: OrderedDict[str, OrderedDict[str, Target]] = OrderedDict()
_guard = threading.Lock()


def remember(view: str, targets: Iterable[Target]) -> None:
    """
    Let ``targets`` be chosen for this view from now on; ``view`` is the name that ``ViewPanel.view_name`` has.
    """
    with _guard:
        known = _seen.setdefault(view, OrderedDict())
        _seen.move_to_end(view)
        for target in targets:
            known[target.id] = target
        while len(known) > MAX_SEEN:
            known.popitem(last=False)
        while len(_seen) > MAX_VIEWS:
            _seen.popitem(last=False)


def seen(view: str) -> dict[str, Target]:
    """
    Return what this process has seen under a view, by id.
    """
    with _guard:
        return dict(_seen.get(view, {}))


def named(view: str, text: str) -> list[Target]:
    """
    Return the functions seen under a view that ``text`` names: ``app.module:Class.method``, or the end of it.
    """
    wanted = text.strip().removesuffix("()").replace("<locals>.", "")
    known = seen(view).values()
    exact = [target for target in known if wanted in {target.id, f"{target.module}:{target.name}"}]
    if exact or not wanted:
        return exact
    dotted = wanted.replace(":", ".")
    return [target for target in known if f".{target.module}.{target.name}".endswith(f".{dotted}")]


def chosen(view: str, selection: Selection) -> tuple[list[Target], list[str]]:
    """
    Return the functions chosen for a view, and the ids among them that this process has not seen (yet).
    """
    known = seen(view)
    ids = selection.get(view, [])
    return [known[each] for each in ids if each in known], [each for each in ids if each not in known]


def add(selection: Selection, view: str, target_id: str) -> Selection:
    """
    Return the selection with one more function, the last in the view's breadcrumb; its older views go first.
    """
    ids = [each for each in selection.get(view, []) if each != target_id]
    others = {name: ids for name, ids in selection.items() if name != view}
    return others | {view: [*ids, target_id][-MAX_CHOSEN:]}


def remove(selection: Selection, view: str, target_id: str | None = None) -> Selection:
    """
    Return the selection without one function of a view, or without any of it.
    """
    left = selection | {view: [each for each in selection.get(view, []) if target_id not in {None, each}]}
    return {name: ids for name, ids in left.items() if ids}


def read(request: HttpRequest) -> Selection:
    """
    Return the selection that came with a request, which it does not touch: no ``Vary``, no query of its own in a panel.
    """
    session = getattr(request, "session", None)
    if session is None:
        return _from_cookie(request)
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return {}
    data = vars(session).get("_session_cache")
    if data is None:
        with statements.silent(), _out_of_the_sql_panel():
            # Another object: to load this one would be to have accessed it.
            data = type(session)(session.session_key)
            return _valid(data.get(KEY))
    return _valid(data.get(KEY))


class Awaited:
    """
    The context manager around an async view, where the session can only be read in a thread.

    ``begin(selection)`` returns the one that is then entered in the view's own task.
    """

    def __init__(self, request: HttpRequest, begin: Callable[[Selection], AbstractContextManager[None]]) -> None:
        self.request = request
        self.begin = begin

    async def __aenter__(self) -> None:
        self.inner = self.begin(await sync_to_async(read)(self.request))
        self.inner.__enter__()

    def __exit__(self, *raised: object) -> None:
        self.inner.__exit__(*raised)  # type: ignore[arg-type] # as Python calls it


def write(request: HttpRequest, response: HttpResponseBase, selection: Selection) -> None:
    """
    Keep a selection: in the session where the project has one, else in a cookie of ``response``.
    """
    session = getattr(request, "session", None)
    if session is not None:
        session[KEY] = selection
        return
    while len(signed := signing.dumps(selection, salt=KEY, compress=True)) > _COOKIE_BYTES:
        oldest = next(iter(selection))
        selection = remove(selection, oldest, selection[oldest][0])
    response.set_cookie(KEY, signed, httponly=True, samesite="Lax")


def _from_cookie(request: HttpRequest) -> Selection:
    try:
        return _valid(signing.loads(request.COOKIES.get(KEY, ""), salt=KEY))
    except signing.BadSignature:
        return {}


def _valid(stored: Any) -> Selection:
    if not isinstance(stored, dict):
        return {}
    return {view: [str(each) for each in ids] for view, ids in stored.items() if isinstance(ids, list)}


@contextmanager
def _out_of_the_sql_panel() -> Iterator[None]:
    """
    Keep what is done here out of the toolbar's SQL panel, which asks each connection for its logger.
    """
    open_connections = connections.all(initialized_only=True)
    loggers = [(each, vars(each).get("_djdt_logger")) for each in open_connections]
    try:
        for connection, _ in loggers:
            connection._djdt_logger = None  # type: ignore[attr-defined] # the toolbar's own attribute
        yield
    finally:
        for connection, logger in loggers:
            connection._djdt_logger = logger  # type: ignore[attr-defined] # the toolbar's own attribute
