"""
Cuts SQL into words, quoted names, strings and signs as the server of each engine would, for ``classify``.

``lexical`` has patterns that forgive; these must not: what is doubtful here is refused, because a string or comment
that the server ends earlier than we do could hide a second statement.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

_MORE = "\x80-\U0010ffff"
"""Characters beyond ASCII belong to names on every engine, non-breaking spaces included."""
_NAME_START = rf"[A-Za-z_{_MORE}]"
_WORD = rf"{_NAME_START}[\w${_MORE}]*"
_NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
_PLAIN = r"'[^']*(?:''[^']*)*'(?!')"
_ESCAPED = r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'(?!')"
_DOUBLE = r'"[^"]*(?:""[^"]*)*"(?!")'
_DOUBLE_ESCAPED = r'"[^"\\]*(?:(?:""|\\.)[^"\\]*)*"(?!")'
_BACKTICK = r"`[^`]*(?:``[^`]*)*`(?!`)"
_SQUARE = r"\[[^\]]*\]"
_BRACKETED = r"[nN]?[qQ]'(?:\[.*?\]'|\{.*?\}'|\(.*?\)'|<.*?>'|(?P<quote>[^\s\[{(<]).*?(?P=quote)')"
"""Oracle's q'[…]'."""
_PLACEHOLDER = r"%(?:\([^)]*\))?[sbt]"

_ENGINES: dict[str, tuple[tuple[str, str], ...]] = {
    "postgresql": (
        # PostgreSQL ends a comment at a carriage return too.
        ("comment", r"--[^\n\r]*"),
        ("block", r"/\*"),
        ("string", rf"[eE]{_ESCAPED}|{_PLAIN}"),
        ("dollar", rf"\$(?:{_NAME_START}[A-Za-z0-9_{_MORE}]*)?\$"),
        ("name", _DOUBLE),
        ("number", _NUMBER),
        ("word", _WORD),
        ("open", r"['\"]"),
    ),
    "mysql": (
        ("comment", r"--(?=[\s\x00-\x1f\x7f]|\Z)[^\n]*|\#[^\n]*"),
        ("block", r"/\*"),
        ("string", rf"{_ESCAPED}|{_DOUBLE_ESCAPED}"),
        ("name", _BACKTICK),
        # Names may begin with a digit, so 1e5 and 0x1f are words here; nobody calls them.
        ("word", rf"[\w${_MORE}]+"),
        ("open", r"['\"`]"),
    ),
    "sqlite": (
        ("comment", r"--[^\n]*"),
        ("block", r"/\*"),
        ("string", _PLAIN),
        ("name", rf"{_DOUBLE}|{_BACKTICK}|{_SQUARE}"),
        ("number", _NUMBER),
        ("word", _WORD),
        ("open", r"['\"`\[]"),
    ),
    "oracle": (
        ("comment", r"--[^\n]*"),
        ("block", r"/\*"),
        (
            "string",
            rf"{_BRACKETED}|{_PLAIN}",
        ),
        ("name", _DOUBLE),
        ("number", _NUMBER),
        ("word", rf"{_NAME_START}[\w$#{_MORE}]*"),
        ("open", r"['\"]"),
    ),
}


class Token(NamedTuple):
    """
    ``kind`` is word, name (quoted), string, number, placeholder or sign; ``start`` is where it stands in the text.
    """

    kind: str
    text: str
    start: int

    @property
    def upper(self) -> str:
        """
        A plain word in upper case; nothing for anything else, so that a quoted name is never taken for a keyword.
        """
        return self.text.upper() if self.kind == "word" else ""


class UnreadableError(ValueError):
    """
    SQL whose end of a string or comment is in doubt; the message is a sentence for people.
    """


@cache
def _scanner(engine: str, placeholders: bool) -> re.Pattern[str]:
    kinds = _ENGINES["mysql" if engine == "mariadb" else engine]
    parts = [("space", r"[ \t\n\r\f\v]+"), *([("placeholder", _PLACEHOLDER)] if placeholders else []), *kinds]
    # Of the signs only these two are longer than one character and matter.
    parts.append(("sign", r"::|:=|."))
    return re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in parts), re.DOTALL)


def tokens(sql: str, engine: str, *, placeholders: bool) -> list[Token]:
    """
    Return the tokens of ``sql`` without its comments; ``placeholders`` says whether ``%s`` stands for a parameter.
    """
    if "\x00" in sql:
        raise UnreadableError("The statement has a NUL character in it.")
    scanner = _scanner(engine, placeholders)
    found: list[Token] = []
    at = 0
    while at < len(sql):
        match = scanner.match(sql, at)
        assert match is not None, "the last alternative takes any character"
        start, at, kind = at, match.end(), match.lastgroup or "sign"
        if kind == "open":
            raise UnreadableError(f"A quote is not closed: {sql[start : start + 20]!r}.")
        if kind == "block":
            at = _end_of_comment(sql, start, engine)
        elif kind == "dollar":
            at = _end_of_dollars(sql, match)
            found.append(Token("string", sql[start:at], start))
        elif kind not in {"space", "comment"}:
            found.append(Token(kind, match[0], start))
    return found


def _end_of_comment(sql: str, start: int, engine: str) -> int:
    if engine in {"mysql", "mariadb"} and re.match(r"/\*M?!", sql[start : start + 4]):
        raise UnreadableError("The statement has a comment that the server executes: /*! … */.")
    if engine != "postgresql":
        end = sql.find("*/", start + 2)
        return _closed(end, sql, start) + 2
    depth, at = 1, start + 2
    while depth:
        step = re.compile(r"/\*|\*/").search(sql, at)
        at = _closed(step.end() if step else -1, sql, start)
        depth += 1 if step and step[0] == "/*" else -1
    return at


def _end_of_dollars(sql: str, opening: re.Match[str]) -> int:
    end = sql.find(opening[0], opening.end())
    return _closed(end, sql, opening.start()) + len(opening[0])


def _closed(end: int, sql: str, start: int) -> int:
    if end < 0:
        raise UnreadableError(f"A comment or string is not closed: {sql[start : start + 20]!r}.")
    return end
