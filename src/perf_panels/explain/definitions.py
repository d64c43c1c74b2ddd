"""
The parts of CREATE INDEX and CREATE TABLE, as PostgreSQL and SQLite give them back.

A few regular expressions and not sqlglot: the words are the database's own, in one order, and live databases ask for
hundreds of them at once.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[(),]|--[^\n]*|/\*.*?\*/|[^\s(),'"`\[]+|\s+""",
    re.DOTALL,
)
_NAME = re.compile(r"""(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[\w$]+)""")
_HEAD = re.compile(
    rf"\s*CREATE\s+(UNIQUE\s+)?INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+NOT\s+EXISTS\s+)?((?:{_NAME.pattern}\.)?{_NAME.pattern})"
    rf"\s+ON\s+(?:ONLY\s+)?((?:{_NAME.pattern}\.)?{_NAME.pattern})\s*(?:USING\s+(\w+)\s*)?(?=\()",
    re.IGNORECASE,
)
_AFTER_COLUMN = re.compile(
    r"""\s*(?:COLLATE\s+(?P<collation>"[^"]*"(?:\."[^"]*")?|[\w."]+))?\s*(?P<opclass>(?!ASC\b|DESC\b|NULLS\b)[\w.]+(?:\s*\([^)]*\))?)?"""
    r"""\s*(?:ASC|DESC)?\s*(?:NULLS\s+(?:FIRST|LAST))?\s*\Z""",
    re.IGNORECASE,
)


def _without_comments(text: str) -> str:
    if "--" not in text and "/*" not in text:
        return text
    return "".join(" " if word.startswith(("--", "/*")) else word for word in _TOKEN.findall(text))


class Part(NamedTuple):
    """
    One key of an index: a column, or an expression with ``column`` empty.
    """

    column: str
    expression: str
    opclass: str


class IndexParts(NamedTuple):
    """
    What CREATE INDEX says.
    """

    name: str
    table: str
    unique: bool
    method: str
    keys: tuple[Part, ...]
    include: tuple[str, ...]
    condition: str | None


class TableParts(NamedTuple):
    """
    What SQLite's CREATE TABLE says. ``keys`` are its PRIMARY KEY and UNIQUE constraints in the order of the text, which
    is the order in which ``sqlite_autoindex_…`` are numbered.
    """

    columns: dict[str, str]
    keys: tuple[tuple[str, ...], ...]
    primary: tuple[str, ...]
    rowid: str | None
    """The column that is another name of the rowid: INTEGER PRIMARY KEY."""


def unquoted(name: str) -> str:
    """
    Return a name without its quotes.
    """
    name = name.strip()
    if name[:1] in {'"', "`"} and name[-1:] == name[:1] and len(name) > 1:
        return name[1:-1].replace(name[0] * 2, name[0])
    return name[1:-1] if name[:1] == "[" and name[-1:] == "]" else name


def last_name(path: str) -> str:
    """
    Return the last name of ``schema.name``.
    """
    names = _NAME.findall(path)
    return unquoted(names[-1]) if names else ""


def read_index(definition: str) -> IndexParts:
    """
    Return the parts of a CREATE INDEX. Raises ``ValueError`` when it is not one.
    """
    definition = _without_comments(definition)
    head = _HEAD.match(definition)
    if head is None:
        raise ValueError(f"This is not a CREATE INDEX: {definition[:80]!r}.")
    inner, rest = _in_parentheses(definition[head.end() :])
    include: tuple[str, ...] = ()
    included = re.match(r"\s*INCLUDE\s*(?=\()", rest, re.IGNORECASE)
    if included:
        names, rest = _in_parentheses(rest[included.end() :])
        include = tuple(unquoted(name) for name in _parts(names))
    where = re.search(r"\bWHERE\s+(.*?);?\s*\Z", rest, re.IGNORECASE | re.DOTALL)
    return IndexParts(
        last_name(head[2]), last_name(head[3]), bool(head[1]), (head[4] or "btree").lower(),
        tuple(_key(part) for part in _parts(inner)), include, where[1].strip() if where else None,
    )  # fmt: skip


def _key(text: str) -> Part:
    """
    Return a column or expression with its operator class; collation, direction and place of NULLs are left out.
    """
    text = text.strip()
    if text.startswith("("):
        expression, after = _in_parentheses(text)
        return Part("", expression.strip(), _opclass(after))
    name = _NAME.match(text)
    if name is None:
        return Part("", text, "")
    after = text[name.end() :]
    if not after.lstrip().startswith("("):
        opclass = _opclass(after)
        plain = not after.strip() or _AFTER_COLUMN.match(after)
        return Part(unquoted(name[0]), "", opclass) if plain else Part("", text, "")
    arguments, after = _in_parentheses(after.lstrip())
    return Part("", f"{name[0]}({arguments})", _opclass(after))


def _opclass(text: str) -> str:
    found = _AFTER_COLUMN.match(text)
    return re.sub(r"\s*\(.*", "", (found["opclass"] or "").rpartition(".")[2]) if found else ""


def _in_parentheses(text: str) -> tuple[str, str]:
    """
    Return what stands in the parentheses that ``text`` begins with, and what follows them.
    """
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth == 0:
            return text[1 : token.start()], text[token.end() :]
    raise ValueError(f"A parenthesis is not closed: {text[:80]!r}.")


def _parts(text: str) -> list[str]:
    """
    Cut at the commas that stand in no parentheses.
    """
    found = [""]
    depth = 0
    for token in _TOKEN.finditer(text):
        word = token[0]
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            found.append("")
        else:
            found[-1] += word
    return [part.strip() for part in found if part.strip()]


_CONSTRAINT = re.compile(
    rf"\s*(?:CONSTRAINT\s+{_NAME.pattern}\s+)?(PRIMARY\s+KEY|UNIQUE|CHECK|FOREIGN\s+KEY)\s*(?=\()", re.IGNORECASE
)
_TYPE_END = re.compile(
    r"\b(?:CONSTRAINT|PRIMARY|NOT|NULL|UNIQUE|CHECK|DEFAULT|COLLATE|REFERENCES|GENERATED|AS)\b", re.IGNORECASE
)
_KEY_WORDS = re.compile(r"\bPRIMARY\s+KEY(\s+DESC)?|\bUNIQUE\b", re.IGNORECASE)


def read_table(sql: str) -> TableParts:
    """
    Return the parts of SQLite's CREATE TABLE; a virtual table, or one made from a SELECT, has none.
    """
    sql = _without_comments(sql)
    start = re.match(r"\s*CREATE\s+(?:TEMP(?:ORARY)?\s+)?TABLE\b[^(]*(?=\()", sql, re.IGNORECASE)
    if start is None:
        return TableParts({}, (), (), None)
    inner, options = _in_parentheses(sql[start.end() :])
    columns: dict[str, str] = {}
    keys: list[tuple[str, ...]] = []
    primary: tuple[str, ...] = ()
    rowid: str | None = None
    without_rowid = re.search(r"\bWITHOUT\s+ROWID\b", options, re.IGNORECASE) is not None
    for part in _parts(inner):
        constraint = _CONSTRAINT.match(part)
        found = _table_keys(part, constraint) if constraint else _column(part, columns)
        for names, is_primary, may_be_rowid in found:
            if is_primary:
                primary = names
            integer = len(names) == 1 and columns.get(names[0], "").upper() == "INTEGER"
            if is_primary and may_be_rowid and integer and not without_rowid:
                rowid = names[0]
            elif names not in keys:
                keys.append(names)
    return TableParts(columns, tuple(keys), primary, rowid)


def _table_keys(part: str, constraint: re.Match[str]) -> list[tuple[tuple[str, ...], bool, bool]]:
    word = constraint[1].upper().split()[0]
    if word not in {"PRIMARY", "UNIQUE"}:
        return []
    inner, _ = _in_parentheses(part[constraint.end() :])
    names = tuple(_key(name).column for name in _parts(inner))
    return [(names, word == "PRIMARY", True)]


def _column(part: str, columns: dict[str, str]) -> list[tuple[tuple[str, ...], bool, bool]]:
    """
    Note a column and its type, and return the keys that it declares itself.
    """
    name = _NAME.match(part)
    if name is None:
        return []
    column, rest = unquoted(name[0]), part[name.end() :]
    end = _TYPE_END.search(rest)
    columns[column] = (rest[: end.start()] if end else rest).strip()
    outside = _without_parentheses(rest)
    return [((column,), word[0][0].upper() == "P", not word[1]) for word in _KEY_WORDS.finditer(outside)]


def _without_parentheses(text: str) -> str:
    found, depth = [], 0
    for token in _TOKEN.finditer(text):
        depth += {"(": 1}.get(token[0], 0)
        if depth == 0 and token[0][0] not in "'\"`[-/":
            found.append(token[0])
        depth -= {")": 1}.get(token[0], 0)
    return "".join(found)
