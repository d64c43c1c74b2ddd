"""
A statement as the page shows it: indented, coloured, long lists folded, each placeholder with its value at hand.

Pure; called when a statement is opened. What cannot be laid out is shown as it was sent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlparse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import ngettext
from sqlparse import lexer, tokens as T  # noqa: N812 - sqlparse's own name for it

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INDENTED = 10_000
"""Characters up to which a statement is laid out; a longer one is wrapped where the page ends."""
_WIDTH = 96
_SHOWN = 5
_VALUE_SHOWN = 60

# The parents come after their children: the first that holds a token names its class.
_CLASSES = (
    (T.Name.Placeholder, "placeholder"),
    (T.Comment, "comment"),
    (T.Literal.String.Symbol, "name"),
    (T.Literal.Number, "number"),
    (T.Literal.String, "string"),
    (T.Keyword.DML, "verb"),
    (T.Keyword.DDL, "verb"),
    (T.Keyword, "keyword"),
    (T.Operator.Comparison, "operator"),
    (T.Name.Builtin, "type"),
)
# sqlparse calls these comparisons or operators; people read them as words.
_WORD = re.compile(r"[A-Za-z]")

_ITEM = r"(?:%s|%\(\w+\)s|\?|:\w+|-?\d[\d.]*(?:[eE][+-]?\d+)?|'[^']*(?:''[^']*)*'|NULL)(?:::\w+)?"
_LIST = rf"{_ITEM}(?:\s*,\s*{_ITEM}){{9,}}"
_GROUP = rf"\(\s*{_ITEM}(?:\s*,\s*{_ITEM})*\s*\)"
_FOLDED = re.compile(
    rf"(?<=[(\[])\s*(?P<items>{_LIST})(?=\s*[)\]]|[^()\[\]]{{0,300}}\Z)|(?P<groups>{_GROUP}(?:\s*,\s*{_GROUP}){{9,}})",
    re.IGNORECASE,
)
_ITEMS, _GROUPS = re.compile(_ITEM, re.IGNORECASE), re.compile(_GROUP, re.IGNORECASE)


def highlighted(sql: str, params: Sequence[dict[str, Any]] | None = None) -> SafeString:
    """
    Return the statement as HTML for a ``<pre><code>``; ``params`` are the stored parameters, in their order.
    """
    return _Page(sql, params or ()).html()


def layout(sql: str) -> str:
    """
    Return the statement with one clause a line, or as it is where that is impossible.
    """
    if len(sql) > INDENTED:
        return sql
    try:
        return str(sqlparse.format(sql, reindent=True, wrap_after=_WIDTH)) or sql
    except (sqlparse.exceptions.SQLParseError, RecursionError):
        return sql


class _Page:
    """
    One statement on its way to HTML; counts the placeholders as they come.
    """

    def __init__(self, sql: str, params: Sequence[dict[str, Any]]) -> None:
        self.mark = "perf_fold_"
        while self.mark in sql:
            self.mark += "_"
        self.folded: list[list[str]] = []
        self.sql = layout(_FOLDED.sub(self._fold, sql))
        self.marks = re.compile(rf"{self.mark}(\d+)")
        self.named = {str(param.get("name")): param for param in params}
        # A "%s" in a string is a parameter to the driver and a string to the lexer: then nobody knows which is which.
        self.listed = params if len(params) == _placeholders(sql) else ()
        self.seen = 0

    def html(self) -> SafeString:
        return mark_safe(self._coloured(self.sql))  # noqa: S308 - every piece was escaped below

    def _fold(self, match: re.Match[str]) -> str:
        pattern = _ITEMS if match["items"] else _GROUPS
        items = pattern.findall(match[0])
        if len(items) <= _SHOWN * 2:
            return match[0]
        self.folded.append(items)
        return f"{self.mark}{len(self.folded) - 1}"

    def _coloured(self, sql: str) -> str:
        return "".join(self._token(kind, text) for kind, text in _tokens(sql))

    def _token(self, kind: Any, text: str) -> str:
        if self.mark in text:
            return self._unfolded(text)
        if kind in T.Name.Placeholder:
            return self._placeholder(text)
        name = next((name for parent, name in _CLASSES if kind in parent), None)
        if name == "operator" and _WORD.match(text):
            name = "keyword"
        shown = escape(text)
        return f'<span class="perf-sql-{name}">{shown}</span>' if name else str(shown)

    def _unfolded(self, text: str) -> str:
        pieces = self.marks.split(text)
        html = [str(escape(pieces[0]))]
        for place, rest in zip(pieces[1::2], pieces[2::2], strict=True):
            html += [self._list(self.folded[int(place)]), str(escape(rest))]
        return "".join(html)

    def _list(self, items: list[str]) -> str:
        shown, hidden = items[:_SHOWN], items[_SHOWN:]
        first = ", ".join(self._coloured(item) for item in shown)
        rest = ", ".join(self._coloured(item) for item in hidden)
        label = escape(ngettext("… %(count)s more", "… %(count)s more", len(hidden)) % {"count": f"{len(hidden):,}"})
        # The words are the style sheet's: what is copied is the statement, nothing else.
        return (
            f'{first}<button type="button" class="perf-unfold" data-perf-unfold aria-expanded="false"'
            f' aria-label="{label}" data-label="{label}"></button><span hidden>, {rest}</span>'
        )

    def _placeholder(self, text: str) -> str:
        param = self._param(text)
        if param is None:
            return f'<span class="perf-sql-placeholder">{escape(text)}</span>'
        value = str(param["shown"])
        short = value if len(value) <= _VALUE_SHOWN and not param.get("cut") else value[:_VALUE_SHOWN] + "…"
        return (
            f'<span class="perf-sql-placeholder" data-value="{escape(short)}" title="{escape(param["type"])}">'
            f"{escape(text)}</span>"
        )

    def _param(self, text: str) -> dict[str, Any] | None:
        if text.startswith("%("):
            return self.named.get(text[2:-2])
        self.seen += 1
        return self.listed[self.seen - 1] if self.seen <= len(self.listed) else None


def _placeholders(sql: str) -> int:
    return sum(kind in T.Name.Placeholder for kind, _ in _tokens(sql))


def _tokens(sql: str) -> Iterator[tuple[Any, str]]:
    tokenize: Any = lexer.tokenize  # sqlparse has no types
    yield from tokenize(sql)
