"""
Which lines belong to one statement: a call or a comprehension over several lines is measured as one.

Asked once per file and function, when the function is chosen; never while lines are counted.
"""

from __future__ import annotations

import ast
import linecache
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Spans = dict[int, tuple[int, int]]


def spans(file: str) -> Spans:
    """
    Return {line: (first, last)} for the lines of every statement of several lines; {} where the source is not known.
    """
    linecache.checkcache(file)
    return _spans("".join(linecache.getlines(file)))


@lru_cache(maxsize=256)
def _spans(source: str) -> Spans:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return {}
    return {
        line: (first, last)
        for node in ast.walk(tree)
        for first, last in _span(node)
        if last > first
        for line in range(first, last + 1)
    }


def _span(node: ast.AST) -> Iterator[tuple[int, int]]:
    """
    Yield the lines of a simple statement, or of the head of one that has others inside.
    """
    if not isinstance(node, (ast.stmt, ast.ExceptHandler)):
        return
    first, last = node.lineno, node.end_lineno or node.lineno
    decorators = getattr(node, "decorator_list", [])
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    if decorators:
        first = min(each.lineno for each in decorators)
    if body:
        inside = body[0].pattern if isinstance(body[0], ast.match_case) else body[0]
        inner = min([inside.lineno, *(each.lineno for each in getattr(inside, "decorator_list", []))])
        last = max(node.lineno, inner - 1)
    yield first, last
