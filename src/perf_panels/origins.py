"""
Where in the user's code or template something happened, and the lines of source around it.

``trace`` is called at every statement of a watched request, so it walks frames and looks into dictionaries only.
"""

from __future__ import annotations

import inspect
import linecache
import os
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import debug_toolbar
import django

from perf_panels.findings import Origin

if TYPE_CHECKING:
    from types import FrameType

PROJECT = "project"
DJANGO = "django"
PYTHON = "python"
OWN = "own"
_TEMPLATE = "template"
_BOUNDARY = "boundary"
_JINJA = "jinja"
_CLASS_BASED = "class-based"

_DJANGO_DIR = f"{Path(django.__file__).parent.as_posix()}/"
_CLASS_BASED_DIRS = (f"{_DJANGO_DIR}views/generic/", f"{_DJANGO_DIR}contrib/admin/")
_OWN_DIRS = tuple(f"{Path(module).parent.as_posix()}/" for module in (__file__, debug_toolbar.__file__))
_STDLIB_DIRS = tuple(f"{Path(sysconfig.get_path(name)).as_posix()}/" for name in ("stdlib", "platstdlib"))

_NAMELESS = frozenset({OWN, PYTHON, _CLASS_BASED})

_owners: dict[str, str] = {}


class Site(NamedTuple):
    """
    A place as cheaply as it can be kept: the innermost project line, the innermost template line, and who owns it.

    ``file`` is None when no project code was on the stack. ``in_template`` says that the template was the nearer of
    the two. ``edit_class`` is the project's class whose framework code ran (a ListView, a ModelAdmin), if nothing else
    is known.
    """

    file: str | None
    line: int
    function: str
    owner: str
    template: str | None = None
    template_path: str | None = None
    template_line: int | None = None
    in_template: bool = False
    edit_class: type | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        return (self.file, self.line, self.template, self.template_line, self.edit_class)


def owner_of(filename: str) -> str:
    """
    Return whose file it is: ``project``, ``django``, ``python``, ``own`` (the toolbar's) or the name of a package.
    """
    owner = _owners.get(filename)
    if owner is None:
        owner = _owners[filename] = _classify(filename)
    if owner in {_TEMPLATE, _BOUNDARY, _CLASS_BASED}:
        return DJANGO
    return PROJECT if owner == _JINJA else owner


def trace(frame: FrameType | None, marks: dict[str, dict[str, str]]) -> tuple[Site, list[tuple[str, FrameType]]]:
    """
    Walk outwards from ``frame`` to the view and return the site, and the marked frames met before project code.

    ``marks`` is {file: {function: mark}}; the frames come innermost first as (mark, frame). Do not keep them.
    """
    start = frame
    marked: list[tuple[str, FrameType]] = []
    place: tuple[str, int, str] | None = None
    template: tuple[str | None, str | None, int | None] | None = None
    in_template = False
    package = DJANGO
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        owner = _owners.get(filename)
        if owner is None:
            owner = _owners[filename] = _classify(filename)
        if owner is PROJECT:
            if place is None:
                place = (filename, frame.f_lineno, _function(code))
                if template is not None:
                    break
        elif owner is DJANGO:
            if place is None and filename in marks:
                mark = marks[filename].get(code.co_name)
                if mark is not None:
                    marked.append((mark, frame))
        elif owner is _TEMPLATE:
            if template is None and code.co_name == "render_annotated":
                template = _django_template(frame)
                in_template = place is None and template is not None
                if place is not None and template is not None:
                    break
        elif owner is _BOUNDARY:
            break
        elif owner is _JINJA:
            if template is None:
                template = _jinja_template(frame)
                in_template = place is None and template is not None
        elif owner not in _NAMELESS and package is DJANGO and place is None:
            package = owner
        frame = frame.f_back
    return _site(place, template, in_template, package, start), marked


def caller(frame: FrameType | None) -> Site | None:
    """
    Return the innermost project line as a site, or None.

    Where a class-based view or an admin of Django's stands between, the project's class that inherits from it is nearer
    to what happened than the line that called it.
    """
    start = frame
    class_based: FrameType | None = None
    while frame is not None:
        filename = frame.f_code.co_filename
        owner = _owners.get(filename)
        if owner is None:
            owner = _owners[filename] = _classify(filename)
        if owner is PROJECT:
            if class_based is not None and (edit_class := _project_class(class_based, frame)):
                return Site(None, 0, "", PROJECT, edit_class=edit_class)
            return Site(filename, frame.f_lineno, _function(frame.f_code), PROJECT)
        if owner is _CLASS_BASED and class_based is None:
            class_based = frame
        if owner is _BOUNDARY:
            break
        frame = frame.f_back
    edit_class = _project_class(start)
    return None if edit_class is None else Site(None, 0, "", PROJECT, edit_class=edit_class)


def to_origin(site: Site | None) -> Origin | None:
    """
    Return the site in the shape findings have, or None when nothing of the project is known.
    """
    if site is None:
        return None
    if site.edit_class is not None and site.file is None:
        file, line = class_place(site.edit_class)
        return Origin(file, line, site.edit_class.__qualname__, site.template, site.template_line)
    if site.file is not None:
        return Origin(site.file, site.line, site.function, site.template, site.template_line)
    if site.template is not None:
        return Origin(
            site.template_path or site.template, site.template_line or 0, "", site.template, site.template_line
        )
    return None


def excerpt(file: str | None, line: int | None, around: int = 2) -> list[dict[str, Any]]:
    """
    Return the source lines around ``line`` as [{"number", "text", "hit"}], or [] where they cannot be read.
    """
    if not file or not line:
        return []
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    if line > len(lines):
        return []
    first = max(1, line - around)
    return [
        {"number": number, "text": lines[number - 1].rstrip("\n")[:300], "hit": number == line}
        for number in range(first, min(len(lines), line + around) + 1)
    ]


def short_path(file: str) -> str:
    """
    Return the path as a developer names it: from the import root or the current directory on.
    """
    path = slashed(file)
    roots = [slashed(root).rstrip("/") + "/" for root in (str(Path.cwd()), *sys.path) if root]
    inside = [root for root in roots if path.startswith(root)]
    return path[len(max(inside, key=len)) :] if inside else file


@lru_cache(maxsize=512)
def class_place(cls: type) -> tuple[str, int]:
    """
    Return (file, line) of a class; line 1 where the source cannot be read.
    """
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or cls.__module__
    try:
        return file, inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        return file, 1


def slashed(file: str) -> str:
    """
    Return the path with slashes, which Windows has otherwise.
    """
    return file if os.sep == "/" else file.replace(os.sep, "/")


def _classify(filename: str) -> str:
    if filename.startswith("<"):
        return _JINJA if filename == "<template>" else PYTHON
    filename = slashed(filename)
    if filename.startswith(_DJANGO_DIR):
        if filename.startswith(f"{_DJANGO_DIR}core/handlers/"):
            return _BOUNDARY
        if filename.startswith(_CLASS_BASED_DIRS):
            return _CLASS_BASED
        return _TEMPLATE if filename == f"{_DJANGO_DIR}template/base.py" else DJANGO
    if filename.startswith(_OWN_DIRS):
        return OWN
    for folder in ("/site-packages/", "/dist-packages/"):
        if folder in filename:
            return sys.intern(filename.rpartition(folder)[2].split("/", 1)[0].removesuffix(".py"))
    if filename.startswith(_STDLIB_DIRS):
        return PYTHON
    return PROJECT if filename.endswith((".py", ".pyc", ".ipynb")) else _JINJA


def _function(code: Any) -> str:
    # co_qualname came with Python 3.11.
    return str(getattr(code, "co_qualname", code.co_name)).replace("<locals>.", "")


def _django_template(frame: FrameType) -> tuple[str | None, str | None, int | None] | None:
    node = frame.f_locals.get("self")
    token = getattr(node, "token", None)
    origin = getattr(node, "origin", None)
    if token is None or origin is None:
        return None
    return origin.template_name or origin.name, origin.name, token.lineno


def _jinja_template(frame: FrameType) -> tuple[str | None, str | None, int | None] | None:
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return None
    return template.name, template.filename, template.get_corresponding_lineno(frame.f_lineno)


def _site(
    place: tuple[str, int, str] | None,
    template: tuple[str | None, str | None, int | None] | None,
    in_template: bool,
    package: str,
    start: FrameType | None,
) -> Site:
    name, path, line = template or (None, None, None)
    if place is not None:
        return Site(*place, PROJECT, name, path, line, in_template)
    if template is not None:
        owner = owner_of(f"{path}.py" if path else "")
        return Site(
            None, 0, "", owner, name, path, line, in_template, None if owner == PROJECT else _project_class(start)
        )
    edit_class = _project_class(start)
    return Site(None, 0, "", PROJECT if edit_class else package, edit_class=edit_class)


def _project_class(frame: FrameType | None, until: FrameType | None = None) -> type | None:
    """
    Return the project's class whose instance is ``self`` in the nearest frame, up to the view or to ``until``.
    """
    from django.db.models import Manager, Model, QuerySet
    from django.forms import BaseForm, Field, Widget

    while frame is not None and frame is not until:
        code = frame.f_code
        if _owners.get(code.co_filename) is _BOUNDARY:
            return None
        if code.co_argcount and code.co_varnames[0] == "self":
            cls = type(frame.f_locals.get("self"))
            module = sys.modules.get(cls.__module__)
            inside = owner_of(getattr(module, "__file__", None) or "<builtin>") == PROJECT
            if inside and not issubclass(cls, (Manager, Model, QuerySet, BaseForm, Field, Widget)):
                return cls
        frame = frame.f_back
    return None
