"""
Rules that say why a whole table is read: what stands around the column, or in the pattern it is compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.rules.base import IndexNeed, Match, rule
from perf_panels.explain.rules.needs import EQUALITY, begins, like_opclass, seeks
from perf_panels.explain.rules.reading import flattened, indexed
from perf_panels.explain.rules.waste import Waste, wasted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.conditions import Predicate
    from perf_panels.explain.rules.base import Subject

COMPARED = frozenset({"eq", "in", "range", "like"})
SCANS = ("full-scan-filter", "full-index-scan")
_OF_TIME = frozenset({"date", "time", "date_trunc", "extract", "timezone", "year", "month", "day", "hour", "strftime"})
_TEXT = ("char", "text", "enum", "set", "citext", "name")


def caused(
    waste: Waste,
    part: Predicate,
    why: str,
    advice: str,
    index: IndexNeed | None = None,
) -> Match:
    """
    Return the match of a scan whose cause is known.
    """
    # Where nobody knows how many rows match, an index that is there and lost still tells that few were meant to.
    lost = waste.kept is None and indexed(waste.subject, waste.table, part.column)
    return Match(
        waste.node,
        "warning" if lost else waste.severity,
        f"{waste.opening}, {why}",
        waste.detail,
        advice,
        waste.table,
        (part.column,) if part.column else (),
        waste.evidence,
        index,
        saving_ms=waste.saving_ms,
    )


def blamed(subject: Subject) -> Iterator[tuple[Waste, Predicate]]:
    """
    Yield the conditions to blame for a scan: all of it, unless another condition had an index to use.
    """
    for waste in wasted(subject):
        for part in flattened(waste.conditions):
            others = (other for other in waste.conditions if other is not part and other.operator in EQUALITY)
            if not any(indexed(subject, waste.table, seeks(other)) for other in others):
                yield waste, part


@rule("function-on-column", "E/A", supersedes=SCANS)
def function_on_column(subject: Subject) -> Iterator[Match]:
    """
    A condition calls a function on the column, or calculates with it, so that an index of the bare column is no help.

    Not when an index of that expression is there, nor for functions of the constant alone.

    Source: as full-scan-filter.
    """
    for waste, part in blamed(subject):
        if not part.column or not part.wrapped or part.operator not in COMPARED or _is_cast(part) or _wildcard(part):
            continue
        if has_expression(subject, waste.table, part):
            continue
        why = (
            f"because of {part.wrapped}() around {{columns}}"
            if part.wrapped != "arithmetic"
            else "computing with {columns}"
        )
        if _of_time(part):
            yield caused(waste, part, why, "Compare {columns} with a range of times instead of a part of it")
        elif part.wrapped == "arithmetic":
            yield caused(waste, part, why, "Leave {columns} alone on its side and calculate on the other")
        else:
            need = _expression_index(subject, waste.table, part)
            advice = (
                "Index the expression" if need else "Compare the bare column, or store the computed value and index it"
            )
            yield caused(waste, part, why, advice, need)


def _is_cast(part: Predicate) -> bool:
    return part.wrapped == "cast" and not (part.cast_to or "").startswith(("date", "time"))


def _of_time(part: Predicate) -> bool:
    return part.wrapped in _OF_TIME or (part.cast_to or "").startswith(("date", "time"))


def _expression_index(subject: Subject, table: str, part: Predicate) -> IndexNeed | None:
    if subject.engine == "mariadb" or part.expression is None or part.wrapped is None:
        return None
    return IndexNeed(table, expression=part.expression, wrapped=(part.wrapped, part.column or ""))


def has_expression(subject: Subject, table: str, part: Predicate) -> bool:
    """
    Say whether an index has the condition's expression.
    """
    known = subject.schema.table(table)
    if known is None or part.expression is None:
        return False
    wanted = _squeezed(part.expression)
    return any(wanted == _squeezed(sql) for index in known.indexes for sql in index.expressions.values())


def _squeezed(sql: str) -> str:
    without = sql.lower().replace("::text", "")
    return "".join(character for character in without if character not in '()"` ')


@rule("cast-on-column", "E/A", supersedes=SCANS)
def cast_on_column(subject: Subject) -> Iterator[Match]:
    """
    The column is converted to another type for each comparison, so that its index is no help.

    Not for casts that cost nothing (varchar to text), nor for SQLite's numbers, which it converts to the column's type.

    Source: as full-scan-filter.
    """
    for waste, part in blamed(subject):
        if not part.column or part.operator not in COMPARED:
            continue
        if _is_converted(subject, waste, part) and not has_expression(subject, waste.table, part):
            why = f"because {{columns}} is converted to {part.cast_to or 'a text'} first"
            yield caused(waste, part, why, "Compare with a value of the column's own type")
        elif _text_with_number(subject, waste, part):
            yield caused(
                waste, part, "because the text {columns} is compared with a number", "Pass the value as a string"
            )


def _is_converted(subject: Subject, waste: Waste, part: Predicate) -> bool:
    if part.wrapped is not None:
        return _is_cast(part)
    return part.as_text and bool(_type_of(subject, waste, part)) and not _is_text(subject, waste, part)


def _type_of(subject: Subject, waste: Waste, part: Predicate) -> str:
    known = subject.schema.table(waste.table)
    return known.columns.get(part.column or "", "").lower() if known else ""


def _is_text(subject: Subject, waste: Waste, part: Predicate) -> bool:
    return any(word in _type_of(subject, waste, part) for word in _TEXT)


def _text_with_number(subject: Subject, waste: Waste, part: Predicate) -> bool:
    if subject.engine not in {"mysql", "mariadb"} or part.wrapped or part.operator not in {"eq", "in", "range"}:
        return False
    values = part.value if isinstance(part.value, tuple) else (part.value,)
    if not any(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        return False
    return _is_text(subject, waste, part)


@rule("leading-wildcard", "E/A", supersedes=SCANS)
def leading_wildcard(subject: Subject) -> Iterator[Match]:
    """
    A text is searched in the middle of the column: LIKE '%text', as Django's contains and icontains ask for.

    Not for small tables and for '%' alone.

    Source: as full-scan-filter.
    """
    for waste, part in blamed(subject):
        if not part.column or part.negated or not _wildcard(part):
            continue
        need = None
        if subject.engine == "postgresql":
            wrapped = (part.wrapped, part.column) if part.wrapped and part.expression else None
            columns = () if wrapped else (part.column,)
            expression = part.expression if wrapped else None
            need = IndexNeed(
                waste.table, columns, expression=expression, wrapped=wrapped, method="trigram", opclass="gin_trgm_ops"
            )
        advice = {
            "postgresql": "Add a trigram index (pg_trgm), or use full-text search",
            "sqlite": "Use startswith, or an FTS5 table",
        }.get(subject.engine, "Use startswith, or a FULLTEXT index with MATCH")
        ignoring = part.operator == "ilike" and str(part.value)[0] not in "%_"
        why = "ignoring case in {columns}" if ignoring else "searching for text in the middle of {columns}"
        yield caused(waste, part, why, advice, need)


def _wildcard(part: Predicate) -> bool:
    pattern = part.value
    if part.operator not in {"like", "ilike"} or not isinstance(pattern, str) or not pattern.strip("%"):
        return False
    return pattern[0] in "%_" or (part.operator == "ilike" and "%" in pattern)


@rule("like-prefix-opclass", "E/A", supersedes=SCANS)
def like_prefix_opclass(subject: Subject) -> Iterator[Match]:
    """
    LIKE 'text%' reads the whole table although the column has an index, whose order or collation does not suit LIKE.

    Source: as full-scan-filter.
    """
    for waste, part in blamed(subject):
        if part.operator != "like" or part.wrapped or part.negated or not part.column or not begins(part):
            continue
        if not indexed(subject, waste.table, part.column, sought=False):
            continue
        opclass = like_opclass(subject, waste.table, part.column)
        need = IndexNeed(waste.table, range_=part.column, opclass=opclass) if opclass else None
        advice = {
            "postgresql": f"Add an index with {opclass}, as Django does for db_index=True",
            "sqlite": "Use GLOB, or a column with COLLATE NOCASE: LIKE ignores case, the index does not",
        }.get(subject.engine, "Compare without BINARY, in the collation of the column")
        yield caused(waste, part, "because the index of {columns} does not suit LIKE", advice, need)
