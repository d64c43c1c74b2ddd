"""
Keeps the parameters of a statement with their types, as plain JSON, so that its plan can be made for the real values.

``keep`` is called when a request is reported, ``restore`` when a plan is made.
"""

from __future__ import annotations

import base64
import datetime as dt
import enum
import ipaddress
import json
import uuid
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_KEPT = 64_000
"""Characters of JSON kept of one statement's parameters."""
MAX_SHOWN = 200
"""Parameters of one statement that the page lists."""
_SHOWN = 300
_ADDRESSES = frozenset({"IPv4Address", "IPv6Address", "IPv4Interface", "IPv6Interface", "IPv4Network", "IPv6Network"})

_DRIVER = "django.db.backends.postgresql.psycopg_any"
# psycopg 3's numbers that say which type of the database they are.
_SIZED = "psycopg.types.numeric"


class NotKept(ValueError):  # noqa: N818 - the answer to a question, not a failure
    """
    A value that cannot be stored and made again; the message says what it is.
    """


@dataclass(frozen=True)
class Kept:
    """
    ``values`` is JSON to restore from. Where that is impossible ``problem`` says why, and ``shown`` is all there is.
    """

    values: Any = None
    shown: list[dict[str, Any]] | None = None
    problem: str | None = None


def keep(params: Any, *, many: bool = False) -> Kept:
    """
    Return what to store of ``params``: a sequence or a mapping; of ``executemany``'s list of those, the first.
    """
    if params is None:
        return Kept()
    if many:
        if not isinstance(params, (list, tuple)) or not params:
            return Kept(None, [], "cannot be explained again: the parameter sets of executemany were not a list")
        params = params[0]
    if isinstance(params, dict):
        return _kept(params, list(params.items()))
    if not isinstance(params, (list, tuple)):
        return Kept(
            None, [], f"cannot be explained again: the parameters are a {type(params).__name__}, used up when it ran"
        )
    return _kept(params, list(enumerate(params, 1)))


def restore(values: Any) -> Any:
    """
    Return parameters as the driver was given them. Raises ``NotKept`` for a type whose package has gone.
    """
    if values is None:
        return None
    if "named" in values:
        return {name: _restored(value) for name, value in values["named"].items()}
    return [_restored(value) for value in values["listed"]]


def shown(values: Any) -> list[dict[str, Any]]:
    """
    Return {"name", "type", "shown", "cut"} for each parameter that was kept, for the page. Raises as ``restore`` does.
    """
    restored = restore(values)
    if restored is None:
        return []
    named = list(restored.items() if isinstance(restored, dict) else enumerate(restored, 1))
    return _all_shown(named)


def _kept(params: Any, named: list[tuple[Any, Any]]) -> Kept:
    kept: list[Any] = []
    try:
        for _, value in named:
            kept.append(_stored(value))
    except NotKept as problem:
        name = named[len(kept)][0]
        return Kept(None, _all_shown(named), f"cannot be explained again: parameter {name} is {problem}")
    values = (
        {"named": dict(zip((str(name) for name, _ in named), kept, strict=True))}
        if isinstance(params, dict)
        else {"listed": kept}
    )
    size = len(json.dumps(values))
    if size > MAX_KEPT:
        reason = f"cannot be explained again: its parameters take {size:,} characters, more than the {MAX_KEPT:,} kept"
        return Kept(None, _all_shown(named), reason)
    return Kept(values)


def _all_shown(named: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
    return [_shown(value) | {"name": str(name)} for name, value in named[:MAX_SHOWN]]


def _shown(value: Any) -> dict[str, Any]:
    try:
        text = repr(value.obj if type(value).__name__ in {"Json", "Jsonb"} and hasattr(value, "obj") else value)
    except Exception as error:  # noqa: BLE001 - a host's object may fail to print itself; the statement is shown all the same
        text = f"<{type(error).__name__} in repr()>"
    return {"type": type(value).__name__, "shown": text[:_SHOWN], "cut": max(0, len(text) - _SHOWN)}


def _stored(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        # psycopg sends the name of a member that is not a str or a number itself; no other driver takes one.
        return _stored(value.value if isinstance(value, (str, int, float)) else value.name)
    if value is None or isinstance(value, (bool, str)):
        return value if type(value) in {bool, str, type(None)} else {"str": str(value)}
    if isinstance(value, (int, float)) and type(value).__module__ == _SIZED:
        return {"sized": [type(value).__name__, str(value)]}
    if isinstance(value, int):
        return {"int": str(int(value))}
    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [_stored(each) for each in value]}
    if isinstance(value, dict):
        return {"json": _json(value)}
    for kind, name, store in _STORED:
        if isinstance(value, kind):
            return {name: store(value)}
    return _adapted(value)


def _adapted(value: Any) -> Any:
    """
    Store the wrappers in which Django hands values to psycopg, found by what they offer: psycopg may not be installed.
    """
    name = type(value).__name__
    if name in {"Json", "Jsonb"}:
        # Django's encoder of a JSONField is in "dumps".
        dumps = getattr(value, "dumps", None) or json.dumps
        return {f"psycopg {name}": _json(getattr(value, "obj", getattr(value, "adapted", None)), dumps)}
    if hasattr(value, "lower_inc") and hasattr(value, "isempty"):
        ends = [_stored(value.lower), _stored(value.upper)]
        bounds = f"{'[' if value.lower_inc else '('}{']' if value.upper_inc else ')'}"
        return {"range": [name, *ends, "empty" if value.isempty else bounds]}
    if name in {"Inet", *_ADDRESSES}:
        return {"inet": [name, str(getattr(value, "addr", value))]}
    if name == "PostGISAdapter":
        return {"postgis": [base64.b64encode(bytes(value.ewkb)).decode(), value.srid, bool(value.geography)]}
    if name == "Binary" and (hasattr(value, "obj") or hasattr(value, "adapted")):
        return {"bytes": _bytes(getattr(value, "obj", getattr(value, "adapted", None)))}
    raise NotKept(f"a {type(value).__module__}.{name}")


def _json(value: Any, dumps: Callable[[Any], Any] = json.dumps) -> str:
    try:
        made = dumps(value)
        return made.decode() if isinstance(made, bytes) else str(made)
    except (TypeError, ValueError) as error:
        raise NotKept(f"JSON that cannot be stored: {error}") from None


def _restored(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((name, stored),) = value.items()
    if name in {"list", "tuple"}:
        made = [_restored(each) for each in stored]
        return made if name == "list" else tuple(made)
    if name in _RESTORED:
        try:
            return _RESTORED[name](stored)
        except ImportError as error:
            msg = f"a value of a package that is not installed: {error}"
            raise NotKept(msg) from None
    msg = f"a stored {name!r}, which this version does not know"
    raise NotKept(msg)


def _range(stored: list[Any]) -> Any:
    name, lower, upper, bounds = stored
    module: Any = import_module(_DRIVER)
    # With psycopg 3 the one class Range is behind all of Django's names; its own subclasses say the type.
    sized = import_module("psycopg.types.range") if module.is_psycopg3 else module
    cls = getattr(sized, name, module.NumericRange)
    return cls(empty=True) if bounds == "empty" else cls(_restored(lower), _restored(upper), bounds)


def _json_of(name: str, stored: str) -> Any:
    module: Any = import_module(_DRIVER)
    cls = getattr(import_module("psycopg.types.json"), name) if module.is_psycopg3 else getattr(module, name)
    return cls(json.loads(stored))


def _inet(stored: list[str]) -> Any:
    name, text = stored
    return getattr(ipaddress, name)(text) if name in _ADDRESSES else import_module(_DRIVER).Inet(text)


def _sized(stored: list[str]) -> Any:
    name, text = stored
    number = float(text) if name.startswith("Float") else int(text)
    return getattr(import_module(_SIZED), name)(number)


def _postgis(stored: list[Any]) -> Any:
    from django.contrib.gis.db.backends.postgis.adapter import PostGISAdapter
    from django.contrib.gis.geos import GEOSGeometry

    ewkb, srid, geography = stored
    geometry = GEOSGeometry(memoryview(base64.b64decode(ewkb)), srid=srid)
    return PostGISAdapter(geometry, geography=geography)


def _bytes(value: Any) -> str:
    return base64.b64encode(bytes(value)).decode()


# datetime before date: the one is a subclass of the other.
_STORED: tuple[tuple[Any, str, Callable[[Any], Any]], ...] = (
    # Not repr: that of a subclass, such as NumPy's, says its class.
    (float, "float", float.__repr__),
    (Decimal, "decimal", str),
    (dt.datetime, "datetime", dt.datetime.isoformat),
    (dt.date, "date", dt.date.isoformat),
    (dt.time, "time", dt.time.isoformat),
    (dt.timedelta, "timedelta", lambda value: [value.days, value.seconds, value.microseconds]),
    (uuid.UUID, "uuid", str),
    ((bytes, bytearray, memoryview), "bytes", _bytes),
)
_RESTORED: dict[str, Callable[[Any], Any]] = {
    "str": str,
    "int": int,
    "sized": _sized,
    "float": float,
    "decimal": Decimal,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda stored: dt.timedelta(*stored),
    "uuid": uuid.UUID,
    "bytes": base64.b64decode,
    "json": json.loads,
    "psycopg Json": partial(_json_of, "Json"),
    "psycopg Jsonb": partial(_json_of, "Jsonb"),
    "range": _range,
    "inet": _inet,
    "postgis": _postgis,
}
