"""
Rules about how many rows a statement asks for: those after an OFFSET, all of them, none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain import models_map
from perf_panels.explain.plan import TABLE_SCANS, Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.reading import level_of
from perf_panels.explain.rules.wording import number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import Subject

_GROUPS = frozenset({Kind.AGGREGATE, Kind.DISTINCT})

ITERATOR = """\
for row in {table}.objects.only(...).iterator(chunk_size=2000):
    ..."""


@rule("deep-offset", "E")
def deep_offset(subject: Subject) -> Iterator[Match]:
    """
    OFFSET reads and throws away all rows of the pages before.

    Source: 1,000 rows; Joe reports any OFFSET.
    """
    limits = [node for node in subject.plan.nodes() if node.kind is Kind.LIMIT]
    levels = [level for level in subject.query.levels() if (level.offset or 0) >= subject.limits.OFFSET_ROWS]
    for level in levels:
        node = next(
            (node for node in limits if node.offset == level.offset), limits[0] if limits else subject.plan.root
        )
        if not _ended_before(subject, node):
            yield _offset_match(node, level.offset or 0, level)
    for node in limits if not levels else ():
        offset = _skipped(subject, node)
        if offset >= subject.limits.OFFSET_ROWS:
            yield _offset_match(node, offset, level_of(subject, scan) if (scan := _first_scan(node)) else None)


def _skipped(subject: Subject, node: Node) -> float:
    """
    Return the rows a LIMIT node skips: PostgreSQL does not say so, but its child gives them all.
    """
    if node.offset:
        return node.offset
    if subject.engine != "postgresql" or node.act_rows is None or len(node.children) != 1 or node.loops != 1:
        return 0
    child = node.children[0]
    return 0 if child.kind is Kind.GATHER else (child.rows_total or 0) - node.act_rows


def _ended_before(subject: Subject, node: Node | None) -> bool:
    child = node.children[0] if node and node.kind is Kind.LIMIT and node.children else None
    return child is not None and child.rows_total is not None and child.rows_total < subject.limits.OFFSET_ROWS


def _first_scan(node: Node) -> Node | None:
    return next((below for below in node.below() if below.kind in TABLE_SCANS and below.relation), None)


def _offset_match(node: Node | None, offset: float, level: Query | None) -> Match:
    table = next(iter(level.tables.values()), None) if level else None
    if table is None and node is not None:
        scan = _first_scan(node)
        table = scan.relation if scan else None
    return Match(
        node,
        "warning",
        f"{'{table}: ' if table else ''}{number(offset)} rows read and thrown away by OFFSET",
        "Every page reads all pages before it, so the last page costs as much as the whole table.",
        "Start after the last row of the page before (keyset pagination)",
        table,
        (),
        {"offset_rows": round(offset)},
        rewrite=_keyset(level, table),
    )


def _keyset(level: Query | None, table: str | None) -> str | None:
    """
    Return the queryset of the next page where the order is one column, the primary key, or both in this order. Others
    take more than can be told from here: a condition for each column, or what to do with NULL.
    """
    order = _order(level, table) if level and table else []
    names = [name for name, _ in order]
    size = f"[:{level.limit}]" if level and level.limit else "[:20]"
    if names == ["pk"]:
        prefix, sign = _direction(order[0])
        return f'{{table}}.objects.filter(pk__{sign}=last.pk).order_by("{prefix}pk"){size}'
    if len(names) not in {1, 2} or names[1:] not in ([], ["pk"]):
        return None
    (prefix, sign), (pk_prefix, pk_sign) = _direction(order[0]), _direction(order[-1])
    return (
        f"{{table}}.objects.filter(\n"
        f"    Q({names[0]}__{sign}=last.{names[0]}) | Q({names[0]}=last.{names[0]}, pk__{pk_sign}=last.pk)\n"
        f').order_by("{prefix}{names[0]}", "{pk_prefix}pk"){size}'
    )


def _direction(key: tuple[str, bool]) -> tuple[str, str]:
    return ("-", "lt") if key[1] else ("", "gt")


def _order(level: Query, table: str) -> list[tuple[str, bool]]:
    """
    Return the order in names of attributes, each with whether it descends; nothing when another table or an expression
    is part of it, or a column that can be NULL, which no comparison finds again.
    """
    if len(level.order_by) != level.order_terms or level.group_by or level.union:
        return []
    model, found = models_map.model_of(table), []
    for alias, column, descending in level.order_by:
        field = models_map.field_of(model, column)
        if level.table_of(alias) != table or (field is not None and field.null):
            return []
        is_key = field.primary_key if field is not None else column == "id"
        found.append(("pk" if is_key else field.attname if field is not None else column, descending))
    return found


@rule("large-result", "A")
def large_result(subject: Subject) -> Iterator[Match]:
    """
    The statement gives very many rows.

    Info, since an export wants them all. Not for INSERT … SELECT and other writes.

    Source: 10,000 rows from Joe.
    """
    root = subject.plan.root
    if root is None or root.kind is Kind.MODIFY or subject.query.kind in {"INSERT", "UPDATE", "DELETE", "MERGE"}:
        return
    rows = root.rows_total or 0
    if rows < subject.limits.RESULT_ROWS:
        return
    scan = root if root.relation else _first_scan(root)
    yield Match(
        root,
        "info",
        f"{number(rows)} rows{' of {table}' if scan else ''} fetched",
        "Measured. Each becomes an object in memory unless it is streamed; it counts from"
        f" {number(subject.limits.RESULT_ROWS)} rows.",
        "Show a page of them, or stream them with iterator()",
        scan.relation if scan else None,
        (),
        {"rows": round(rows)},
        rewrite=None if any(node.kind in _GROUPS for node in subject.plan.nodes()) else ITERATOR,
    )


@rule("impossible-where", "E")
def impossible_where(subject: Subject) -> Iterator[Match]:
    """
    The condition is always false, so no row was even looked for.

    Not when the server found it out by reading a row (a primary key that does not exist). SQLite never says it.

    Source: the server's own words.
    """
    for node in subject.plan.nodes():
        if node.kind is Kind.RESULT and node.strategy == "never" and _by_its_words(node):
            yield Match(
                node,
                "info",
                "The condition is always false: no row was looked for",
                "The server saw it in the text of the statement, whatever the data.",
                "Return .none() before asking the database, or drop what contradicts itself",
                next(iter(subject.query.tables.values()), None),
            )
            return


def _by_its_words(node: Node) -> bool:
    said = " ".join(str(node.raw.get(key) or "") for key in ("zero_rows_cause", "message")).strip() or node.label
    lowered = said.lower()
    if "const table" in lowered:
        return False
    return "impossible" in lowered or not any(
        word in lowered for word in ("limit", "matching", "no tables", "optimized")
    )
