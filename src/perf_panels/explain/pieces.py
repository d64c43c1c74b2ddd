"""
A condition's text, cut at its outermost ANDs, so that each part keeps the words its server gave it.
"""

from __future__ import annotations

import re
from functools import cache

from perf_panels.explain.lexical import patterns

_DEEPEST = 20


@cache
def _words(engine: str) -> re.Pattern[str]:
    kept = patterns(engine)
    return re.compile(
        rf"(?P<kept>{kept.comment}|{kept.string}|{kept.name})|(?P<open>[(\[])|(?P<close>[)\]])"
        r"|(?P<word>\b(?:AND|OR|BETWEEN|CASE|END)\b)",
        re.IGNORECASE | re.DOTALL,
    )


def pieces(text: str, engine: str, depth: int = 0) -> list[str]:
    """
    Return the parts between the outermost ANDs, outer parentheses taken off; the whole text when there is none.
    """
    text = _unwrapped(text.strip(), engine)
    cuts = _cuts(text, engine)
    if not cuts or depth > _DEEPEST:
        return [text]
    starts = [0, *(end for _, end in cuts)]
    ends = [*(start for start, _ in cuts), len(text)]
    parts = (text[start:end] for start, end in zip(starts, ends, strict=True))
    return [piece for part in parts for piece in pieces(part, engine, depth + 1)]


def _cuts(text: str, engine: str) -> list[tuple[int, int]]:
    """
    Return where the outermost ANDs begin and end; none if there is an OR beside them, which binds less.
    """
    found = []
    depth = betweens = cases = 0
    for match in _words(engine).finditer(text):
        if match.lastgroup == "open":
            depth += 1
        elif match.lastgroup == "close":
            depth -= 1
        elif match.lastgroup == "word" and depth == 0:
            word = match[0].upper()
            cases += {"CASE": 1, "END": -1}.get(word, 0)
            if word == "OR" and not cases:
                return []
            if word == "BETWEEN" and not cases:
                betweens += 1
            elif word == "AND" and not cases:
                if betweens:
                    betweens -= 1
                else:
                    found.append(match.span())
    return found


def _unwrapped(text: str, engine: str) -> str:
    """
    Take off the parentheses around the whole text, all pairs in one pass.
    """
    closed_at: dict[int, int] = {}
    opened: list[int] = []
    for match in _words(engine).finditer(text) if text.startswith("(") else ():
        if match.lastgroup == "open":
            opened.append(match.start())
        elif match.lastgroup == "close" and opened:
            closed_at[opened.pop()] = match.start()
    start, end = 0, len(text)
    while closed_at.get(start) == end - 1:
        start, end = start + 1, end - 1
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
    return text[start:end]
