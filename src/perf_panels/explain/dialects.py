"""
From text to sqlglot's tree: what Django's placeholders and the servers' plan language need before it can read them.

Imported on the first use only, because importing sqlglot takes a noticeable part of a second.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

import sqlglot
from sqlglot.errors import ErrorLevel

from perf_panels.explain.lexical import patterns, without_cursor
from perf_panels.explain.shorten import roughly_shortened, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

DIALECTS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "sqlite": "sqlite", "oracle": "oracle"}
SUBPLAN = "pp_subplan_"
"""First part of the name of the function that stands for a subplan; its position in the list of texts follows."""
LONGEST = 60_000
"""Characters of a shortened statement that are still read: about a tenth of a second."""
LONGEST_STRING = 1_000

_reading: ContextVar[bool] = ContextVar("perf_panels_reading_sql", default=False)
_PG_SUBPLAN = re.compile(
    r"\(?\balternatives:\s(?:(?:hashed\s)?SubPlan\s\w+(?:\sor\s)?)+\)?"
    r"|\((?:hashed\s)?(?:SubPlan|InitPlan)\s\w+\)(?:\.col\d+)?"
    r"|\b(?:hashed\s)?(?:SubPlan|InitPlan)\s\w+"
    r"|\$\d+\b"
)
_PG_LOCK = re.compile(r"\bFOR (?:NO )?KEY (UPDATE|SHARE)\b")
_MY_CACHE = re.compile(r"<cache>(?=\()")
_MY_MATCH = re.compile(r"\bmatch\s+([\w.`,\s]+?)\s+against\b", re.IGNORECASE)
_ORACLE_TRANSLATE = re.compile(r"\bTRANSLATE\(((?:[^()']|'[^']*')*?)\s+USING\s+N?CHAR_CS\)", re.IGNORECASE)


class _Mute(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not _reading.get()


# Only what is said while this module reads: a project may use sqlglot for itself.
logging.getLogger("sqlglot").addFilter(_Mute())


@contextmanager
def _silently() -> Iterator[None]:
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


def parse_statement(sql: str, engine: str) -> Any:
    """
    Return the tree of the one statement in ``sql``. Raises sqlglot's errors, and ``ValueError`` for more than one.
    """
    plain = roughly_shortened(without_cursor(sql))
    text = shortened(prepared(plain, engine, doubled=has_placeholders(plain)), engine)
    if engine == "postgresql":
        # Older versions of sqlglot know the two common locks only.
        text = _PG_LOCK.sub(r"FOR \1", text)
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    with _silently():
        trees = sqlglot.parse(text, read=DIALECTS[engine], error_level=ErrorLevel.IMMEDIATE)
    statements = [tree for tree in trees if tree is not None]
    if len(statements) != 1:
        raise ValueError(f"{len(statements)} statements")
    return statements[0]


def parse_condition(text: str, engine: str) -> Any:
    """
    Return the tree of a condition without plan language. Raises sqlglot's errors, and ``ValueError`` when it is long.
    """
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    with _silently():
        # A condition by itself would be taken for a statement when its column is called "set" or "comment".
        tree: Any = sqlglot.parse_one(f"SELECT 1 WHERE {text}", read=DIALECTS[engine], error_level=ErrorLevel.IMMEDIATE)
    unexpected = {name for name, value in tree.args.items() if value} - {"expressions", "where"}
    if unexpected:
        raise ValueError(f"not a condition: {unexpected}")
    return tree.args["where"].this


def sql_of(tree: Any, engine: str) -> str:
    """
    Return the SQL of a tree in its engine's dialect, placeholders as ``%s``.
    """
    with _silently():
        text: str = tree.sql(dialect=DIALECTS[engine], unsupported_level=ErrorLevel.IGNORE)
    return text.replace(":pp_value", "%s").replace("%(pp_value)s", "%s")


def without_plan_language(text: str, engine: str) -> tuple[str, list[str]]:
    """
    Return a plan's condition with its subplans as calls of ``SUBPLAN`` functions, and the texts those stand for.
    """
    texts: list[str] = []

    def call(match: re.Match[str]) -> str:
        if match["keep"]:
            return match["keep"]
        texts.append(match[0])
        return f"{SUBPLAN}{len(texts) - 1}()"

    if engine == "postgresql":
        if "Plan " not in text and "$" not in text:
            return text, texts
        return _plan_words(engine).sub(call, text), texts
    if engine in {"mysql", "mariadb"}:
        text = _MY_MATCH.sub(r"match (\1) against", _MY_CACHE.sub("", text))
    return text, texts


@cache
def _plan_words(engine: str) -> re.Pattern[str]:
    kept = patterns(engine)
    return re.compile(rf"(?P<keep>{kept.string}|{kept.name})|(?:{_PG_SUBPLAN.pattern})", re.DOTALL)


def has_placeholders(sql: str) -> bool:
    """
    Say whether ``sql`` has Django's placeholders: only then it has two percent signs for one.
    """
    return "%s" in sql or "%(" in sql


def prepared(sql: str, engine: str, *, doubled: bool) -> str:
    """
    Return ``sql`` without comments and with every placeholder written as sqlglot reads it in all dialects.
    """

    def replace(match: re.Match[str]) -> str:
        kind = match.lastgroup
        text = match[0]
        if kind == "comment":
            return " "
        if kind == "name":
            return text
        if kind == "keys":
            return "? "
        if kind == "percent":
            return "%" if doubled else text
        if kind == "parameter":
            return ":pp_value"
        if len(text) > LONGEST_STRING:
            text = text[:200].rstrip("'\\") + "'"
        return text.replace("%%", "%") if doubled else text

    text = _words(engine).sub(replace, sql)
    return _ORACLE_TRANSLATE.sub(r"\1", text) if engine == "oracle" else text


@cache
def _words(engine: str) -> re.Pattern[str]:
    kept = patterns(engine)
    # In PostgreSQL a question mark is an operator on JSON.
    question = "" if engine == "postgresql" else r"|\?\d*"
    keys = r"|(?P<keys>\?[|&])" if engine == "postgresql" else ""
    return re.compile(
        rf"(?P<comment>{kept.comment})|(?P<string>{kept.string})|(?P<name>{kept.name})"
        rf"|(?P<percent>%%)|(?P<parameter>%s|%\(\w+\)s|(?<![\w$])\$\d+|(?<![:\w]):[a-zA-Z]\w*(?![\w:])|@\w+_(?!\w){question}){keys}",
        re.DOTALL,
    )
