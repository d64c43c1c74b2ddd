"""
Whose time it is: the owner of each frame, and which frames only stand between. Called once for each frame of a profile.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from perf_panels import origins

if TYPE_CHECKING:
    from perf_panels.vmprof.samples import Frame

PROJECT = "project"
TEMPLATES = "templates"
ORM = "orm"
DRIVER = "driver"
DJANGO = "django"
PACKAGE = "package"
STDLIB = "stdlib"
C = "c"
TOOLBAR = "toolbar"
KINDS = (PROJECT, TEMPLATES, ORM, DRIVER, DJANGO, PACKAGE, STDLIB, C, TOOLBAR)
"""In the order of the legend: what you can change first."""

DATABASE = frozenset({ORM, DRIVER})

_DRIVERS = frozenset(
    {"MySQLdb", "aiosqlite", "asyncpg", "cx_Oracle", "mssql", "oracledb", "psycopg", "psycopg2", "psycopg_binary"}
    | {"psycopg_pool", "pymysql", "pyodbc", "sqlite3"}
)

# Thin wrappers around a call into C: their own time is the driver's.
_ASKING = frozenset(
    {"_commit", "_execute", "_execute_with_wrappers", "_executemany", "_rollback", "commit", "connect", "cursor_iter"}
    | {
        "<lambda>",
        "__iter__",
        "cursor_iter.<lambda>",
        "execute",
        "executemany",
        "fetchall",
        "fetchmany",
        "fetchone",
        "get_new_connection",
    }
)

# DatabaseErrorWrapper stands around the driver's fetchone, fetchmany and fetchall; Python 3.10 has no qualified names.
_FETCHING = frozenset({"DatabaseErrorWrapper.__call__.inner", "inner"})

# What Django, the toolbar and decorators put between the server and the code that does the work.
_BETWEEN = (
    "/django/core/handlers/",
    "/django/contrib/auth/decorators.py",
    "/django/contrib/staticfiles/handlers.py",
    "/django/template/response.py",
    "/django/test/utils.py",
    "/django/utils/decorators.py",
    "/django/utils/deprecation.py",
    "/django/views/decorators/",
    "/django/views/generic/base.py",
    "/asgiref/",
)
_RENDERING = frozenset({"_render", "render", "render_annotated", "render_to_string", "rendered_content"})
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")


class Role(NamedTuple):
    """
    What the report must know of a frame: its owner, for a package its name, and whether the frame only stands between.

    ``between`` is "always" (middleware, handlers, decorators), "template" (the template engine's own frames, which the
    template's line stands for) or "inside" (a comprehension, which belongs to the function it stands in).
    """

    owner: str
    package: str = ""
    between: str = ""


def role_of(frame: Frame) -> Role:
    """
    Return the role of a frame.
    """
    if frame.template is not None:
        return Role(TEMPLATES)
    file = frame.file.replace("\\", "/")
    owner, package = _owner(file, frame.function)
    return Role(owner, package, _between(file, frame.function, owner))


def _owner(file: str, function: str) -> tuple[str, str]:
    if not file or file in {"<built-in>", "<native>", "-"}:
        return C, ""
    found = origins.owner_of(file)
    if found == origins.DJANGO:
        return _part_of_django(file, function), ""
    if found == origins.PYTHON:
        return (DRIVER if "/sqlite3/" in file else STDLIB), ""
    if found == origins.PROJECT:
        return PROJECT, ""
    if found == origins.OWN:
        return TOOLBAR, ""
    if found == "jinja2":
        return TEMPLATES, ""
    return (DRIVER if found in _DRIVERS else PACKAGE), found


def _part_of_django(file: str, function: str) -> str:
    if "/django/template/" in file or "/django/templatetags/" in file:
        return TEMPLATES
    if "/django/db/" not in file:
        return DJANGO
    if file.endswith("/django/db/utils.py"):
        return DRIVER if function in _FETCHING else ORM
    asks = "/django/db/backends/" in file or file.endswith("/django/db/models/sql/compiler.py")
    return DRIVER if asks and function.rpartition("Wrapper.")[2] in _ASKING else ORM


def _between(file: str, function: str, owner: str) -> str:
    name = function.rpartition(".")[2]
    if any(part in file for part in _BETWEEN) or (file.endswith("/contextlib.py") and name == "inner"):
        return "always"
    if file.endswith(("/django/shortcuts.py", "/django/template/loader.py")) and name in _RENDERING:
        return "always"
    if owner == TEMPLATES:
        return "always" if name in _RENDERING else "template"
    return "inside" if name in _COMPREHENSIONS else ""


def label_of(owner: str, package: str = "") -> str:
    """
    Return the key under which time is added up: the package's name for a package, else the owner.
    """
    return package or owner


def template_part(frame: Frame) -> str:
    """
    Return "filter" or "tag" for a function that a template library registered as one, else "".
    """
    if "/templatetags/" not in frame.file and "/template/" not in frame.file:
        return ""
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == frame.file:
            return _registered(getattr(module, "register", None), frame)
    return ""


def _registered(library: object, frame: Frame) -> str:
    for kind in ("filter", "tag"):
        for function in getattr(library, f"{kind}s", {}).values():
            code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
            if code is not None and (code.co_firstlineno, code.co_name) == (frame.first_line, frame.function):
                return kind
    return ""
