"""
The live databases behind the panel: ``database_for`` an alias, and then the ``Database`` of ``base``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.db import Error

from perf_panels.explain.databases.base import NotPossible
from perf_panels.explain.databases.connections import given_connection, own_connection

if TYPE_CHECKING:
    from perf_panels.explain.databases.base import Database
    from perf_panels.explain.databases.connections import Connect

_CLASSES = {
    "postgresql": "postgresql.PostgreSQL",
    "mysql": "mysql.MySQL",
    "mariadb": "mariadb.MariaDB",
    "sqlite": "sqlite.SQLite",
    "oracle": "oracle.Oracle",
}


def database_for(alias: str, connect: Connect = own_connection) -> Database:
    """
    Return what answers for an alias. Raises ``NotPossible`` with a sentence when its engine is not known.
    """
    given = given_connection(alias)
    name = _CLASSES.get(_engine(given))
    if name is None:
        raise NotPossible(f"The database {alias} is of {given.display_name}, whose plans this panel cannot read.")
    module, _, class_name = name.partition(".")
    database: Database = getattr(import_module(f"perf_panels.explain.databases.{module}"), class_name)(alias, connect)
    return database


def _engine(given: Any) -> str:
    if given.vendor != "mysql":
        return str(given.vendor)
    # Only the server knows, and the application's connection must not be made to ask.
    if "mysql_server_data" in given.__dict__:
        return "mariadb" if given.mysql_is_mariadb else "mysql"
    place = tuple(str(given.settings_dict.get(key)) for key in ("HOST", "PORT", "USER", "NAME"))
    try:
        return "mariadb" if _is_mariadb(given.alias, place) else "mysql"
    except (Error, given.Database.Error) as error:
        raise NotPossible(f"The database {given.alias} cannot be reached: {error}.") from error


@cache
def _is_mariadb(alias: str, place: tuple[str, ...]) -> bool:
    with own_connection(alias) as own:
        return bool(own.mysql_is_mariadb)
