"""
What to do about a statement that takes much memory, where its own source says what it does.
"""

from __future__ import annotations

import ast
import textwrap
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLLECTING = frozenset({"list", "tuple", "set", "dict", "sorted", "frozenset", "deque", "DataFrame"})
_READING = frozenset({"read", "readlines", "read_text", "read_bytes", "fetchall", "getvalue", "content"})
_DUMPING = frozenset({"dumps", "render_to_string", "to_representation", "getvalue"})


def for_source(lines: Iterable[str]) -> str:
    """
    Return what to do about the statement with these lines of source, or "" where it does not say.
    """
    tree = _parsed(lines)
    if tree is None:
        return ""
    nodes = list(ast.walk(tree))
    called = {_name(node.func) for node in nodes if isinstance(node, ast.Call)}
    if called & _READING:
        return _("Read it in pieces: what is read at once is in memory at once.")
    if any(isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)) for node in nodes) or called & _COLLECTING:
        return _(
            "Do not hold all of it at once: go through the source one by one (.iterator() for a queryset, a generator"
            " elsewhere), or let the database add it up (.aggregate(), .annotate())."
        )
    if called & _DUMPING:
        return _("Send it in pieces: a StreamingHttpResponse needs only one of them in memory.")
    return ""


def _parsed(lines: Iterable[str]) -> ast.AST | None:
    text = textwrap.dedent("\n".join(lines))
    # The first line of a compound statement has no body of its own here.
    body = f"{text}\n    pass" if text.rstrip().endswith(":") else text
    try:
        return ast.parse(body)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _name(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
