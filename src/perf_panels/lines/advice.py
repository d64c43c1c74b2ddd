"""
What to do about a slow line, where its own text or its statements say why it is slow; nothing where they do not.

Called for the lines that are findings, so their functions are parsed, and no others.
"""

from __future__ import annotations

import ast
import linecache
import textwrap
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext as _

from perf_panels.numbers import ms
from perf_panels.origins import PROJECT

if TYPE_CHECKING:
    from perf_panels.lines.timings import FunctionTiming, LineTiming, Timings

MANY_STATEMENTS = 5
_OFTEN = 50
"""A list that is searched less often than this costs nothing."""


class Advice(NamedTuple):
    """
    What to do, with code and the line where it belongs if both are known.
    """

    text: str = ""
    code: str | None = None
    line: int | None = None


def advice_for(function: FunctionTiming, line: LineTiming, own_ms: float, timings: Timings) -> Advice:
    """
    Return what is known to help against ``line``, most certain first, or an empty advice.
    """
    # Of many statements the database sees little: most of their time is Django's, which makes them and their rows.
    if line.sql_count >= MANY_STATEMENTS or (line.sql_count and line.sql_ms >= own_ms / 3):
        return Advice(_sql_text(line))
    if line.hits >= _OFTEN and (searched := searched_list(function_tree(function), line.line)):
        name, assigned = searched
        return Advice(
            _("“in %(name)s” walks a list from its start, every time: look into a set made of it once.")
            % {"name": name},
            f"{name}_set = set({name})",
            assigned,
        )
    timed = {each.id for each in timings.functions}
    project = [each.name for each in line.called if each.owner == PROJECT and each.id not in timed]
    if project:
        return Advice(
            _("Go deeper into %(names)s: what it calls is part of this time.") % {"names": ", ".join(project[:3])}
        )
    return Advice()


def _sql_text(line: LineTiming) -> str:
    if line.sql_count > 1:
        text = _(
            "It sends %(count)s statements, %(ms)s in the database: the N+1 panel says which of them one replaces."
        )
    else:
        text = _("Its statement takes %(ms)s: the SQL EXPLAIN panel says why.")
    return text % {"count": f"{line.sql_count:,}", "ms": ms(line.sql_ms)}


def function_tree(function: FunctionTiming) -> ast.AST | None:
    """
    Return the function's syntax tree with the line numbers of its file, or None where it cannot be read.
    """
    lines = linecache.getlines(function.file)[function.first_line - 1 : function.last_line]
    try:
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (SyntaxError, ValueError):
        return None
    return ast.increment_lineno(tree, function.first_line - 1)


def searched_list(tree: ast.AST | None, line: int) -> tuple[str, int] | None:
    """
    Return the list that ``in`` searches on ``line`` and the line that makes it, if it can be nothing but a list.
    """
    if tree is None:
        return None
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare) or not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        for operator, operand in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, (ast.In, ast.NotIn)) and isinstance(operand, ast.Name):
                assigned = _only_lists(tree, operand.id)
                if assigned:
                    return operand.id, assigned
    return None


def _only_lists(tree: ast.AST, name: str) -> int | None:
    """
    Return the last line that gives ``name`` a value, if each of them gives it a list.
    """
    last = None
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.arg == name:
            return None
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
            value = _value_given(tree, node)
            if not _is_list(value):
                return None
            last = max(last or 0, node.lineno)
    return last


def _value_given(tree: ast.AST, target: ast.Name) -> ast.expr | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and target in node.targets:
            return node.value
        if isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.target is target:
            return node.value
    return None


def _is_list(value: ast.expr | None) -> bool:
    if isinstance(value, (ast.List, ast.ListComp)):
        return True
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in {"list", "sorted"}
