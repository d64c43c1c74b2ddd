"""
Which statements are the same but for their values, and one line of each for a list.

By regular expressions, because it runs at the end of a request for each of its statements. Patterns begin with a
character or a set of them wherever they can: then the engine skips to it, and looks back for what must stand before.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from perf_panels.explain.lexical import patterns, without_cursor

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = r"""(?<=[\d.])(?<![\w.$"`].)(?:(?<=0)[xX][0-9a-fA-F]+|(?:(?<=\d)\d*\.?\d*|\d+)(?:[eE][+-]?\d+)?)(?!\w)"""
_PLACEHOLDER = r"(?<=%)(?:s|\(\w+\)s)|(?<=\$)(?<![\w$].)\d+|(?<=\?)\d+|(?<=:)(?<![:\w].)[a-zA-Z]\w*"
_VALUES_ONLY = re.compile(rf"[%$?:.\d](?:{_NUMBER}|{_PLACEHOLDER})")
_OTHER_VALUES = re.compile(r"['$#]|--|/\*")

_ITEM = r"(?:[-+]?\?|NULL|TRUE|FALSE|DEFAULT|null|true|false|default)(?:::\w+(?: \w+)*(?:\(\?(?:, ?\?)*\))?(?:\[\])?)?"
_ITEMS = rf" ?{_ITEM}(?: ?, ?{_ITEM})* ?"
_ROWS = rf" ?\({_ITEMS}\)(?: ?, ?\({_ITEMS}\))* ?"
_IN = re.compile(rf"\((?:(?<=\b[Ii][Nn] \()|(?<=\b[Ii][Nn]\())(?:{_ITEMS}|{_ROWS})\)")
_ARRAY = re.compile(rf"\[(?:(?<=ARRAY\[)|(?<=array\[)){_ITEMS}\]")
_AFTER_VALUES = r"(?:(?<=VALUES \()|(?<=VALUES\()|(?<=values \()|(?<=values\())"
_SIMPLE_VALUES = re.compile(rf"\({_AFTER_VALUES}{_ITEMS}\)(?: ?, ?\({_ITEMS}\))*")
_INNER = r"[^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*"
_OTHER_ROWS = re.compile(rf"(\({_AFTER_VALUES}{_INNER}\))(?: ?, ?\({_INNER}\))+")
_WHENS = re.compile(r"( WHEN \([^()]{1,300}\) THEN [^() ]{1,100})\1+")
_CURSOR_NAME = re.compile(r"_django_curs_\w+")
_SAVEPOINT_NAME = re.compile(r"\bs\d+_x\d+\b")


def fingerprint(sql: str, vendor: str) -> str:
    """
    Return ``sql`` with its values as ``?``, lists of them as one, and without comments, line breaks and the names that
    Django makes anew each time. Statements with the same fingerprint differ in their values only.
    """
    if _OTHER_VALUES.search(sql) is None and not (vendor == "mysql" and '"' in sql):
        text = _VALUES_ONLY.sub("?", sql)
    else:
        words, fold = _values(vendor)
        text = words.sub(fold, sql)
    text = " ".join(text.split())
    if "?" in text:
        text = _folded_lists(text)
    if "_django_curs_" in text:
        text = _CURSOR_NAME.sub("_django_curs_", text)
    if "SAVEPOINT" in text[:30]:
        text = _SAVEPOINT_NAME.sub("s", text)
    return text


def _folded_lists(text: str) -> str:
    text = _IN.sub("(…)", text)
    if "ALUES" in text or "alues" in text:
        text = _OTHER_ROWS.sub(r"\1", _SIMPLE_VALUES.sub("(…)", text))
    if "RRAY" in text or "rray" in text:
        text = _ARRAY.sub("[…]", text)
    return _WHENS.sub(r"\1", text) if " WHEN " in text else text


@cache
def _values(vendor: str) -> tuple[re.Pattern[str], Callable[[re.Match[str]], str]]:
    kept = patterns(vendor)
    # Names and what is harmless between them in one go: each match that is kept costs a call.
    names = rf"{kept.name}(?:[\s.,()=]*{kept.name})*"
    # What any of them may begin with, which halves the time: most characters are none of these.
    first = r"""(?=["'`\[%$?:.\d/\#eEbBxXnNuUqQ-])"""
    value = rf"[%$?:.\d](?:{_NUMBER}|{_PLACEHOLDER})"
    pattern = re.compile(rf"{first}(?:({names})|({kept.comment})|{kept.string}|{value})", re.DOTALL)

    def fold(match: re.Match[str]) -> str:
        name, comment = match.group(1, 2)
        return name or (" " if comment else "?")

    return pattern, fold


_WORDS = re.compile(
    rf"(?P<kept>{patterns('mysql').string}|{patterns('postgresql').name}|{patterns('mysql').name})"
    r"|(?P<comment>--(?=[\s\w*-]|\Z)[^\n]*|/\*.*?(?:\*/|\Z))"
    r"|(?P<open>\()|(?P<close>\))|(?P<from>\bFROM\b)|(?P<union>\b(?:UNION|EXCEPT|INTERSECT)\b)",
    re.DOTALL | re.IGNORECASE,
)
_HEAD = re.compile(r"(\(*\s*SELECT(?:\s+DISTINCT)?)\s", re.IGNORECASE)
_READ = 40_000
"""Characters that are looked at for a summary; longer select lists are cut off instead of folded."""


def summary(sql: str, limit: int = 200) -> str:
    """
    Return one line of at most ``limit`` characters for a list, the columns of a SELECT folded to ``…``.
    """
    text = " ".join(_without_comments(without_cursor(sql[:_READ])).split())
    head = _HEAD.match(text)
    if head is not None:
        start = _from_of(text, head.end(), text.count("(", 0, head.end()))
        columns = text[head.end() : start].strip() if start is not None else ""
        if start is not None and not columns.upper().startswith("COUNT(*)"):
            text = f"{head[1]} … {text[start:]}"
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _without_comments(text: str) -> str:
    if "--" not in text and "/*" not in text:
        return text
    return _WORDS.sub(lambda match: " " if match["comment"] else match[0], text)


def _from_of(text: str, start: int, depth: int) -> int | None:
    """
    Return where the FROM of the SELECT begins that opened at ``depth`` parentheses; None if it has none.
    """
    level = depth
    for match in _WORDS.finditer(text, start):
        if match.lastgroup == "open":
            level += 1
        elif match.lastgroup == "close":
            level -= 1
            if level < depth:
                return None
        elif level == depth and match.lastgroup == "from":
            return match.start()
        elif level == depth and match.lastgroup == "union":
            return None
    return None
