"""
Rules about UPDATE, DELETE, locks, and what foreign keys add to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.access import unanswered
from perf_panels.explain.rules.base import IndexNeed, Match, rule
from perf_panels.explain.rules.needs import columns_of, index_for
from perf_panels.explain.rules.reading import level_of
from perf_panels.explain.rules.waste import wasted
from perf_panels.explain.rules.wording import all_of, number, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Trigger
    from perf_panels.explain.rules.base import Subject
    from perf_panels.explain.rules.waste import Waste

_CHANGES = {"update": "change", "delete": "delete"}


@rule("dml-scan", "E/A", supersedes=("full-scan-filter", "full-index-scan", "index-filter"))
def dml_scan(subject: Subject) -> Iterator[Match]:
    """
    UPDATE or DELETE reads its whole table to find a few rows.

    Not for small tables, for changes of more than a tenth of them, nor where an index on the condition exists already.

    Source: 10,000 rows and 90 %, as full-scan-filter.
    """
    for waste in wasted(subject):
        verb = _change(subject, waste)
        conditions = unanswered(subject, waste) if verb else []
        if verb and conditions:
            yield _match(
                waste,
                f"{{table}}: {all_of(waste.rows)} rows read to {verb} {_kept(waste)}",
                "Index {columns}, or change the rows in batches by primary key",
                columns_of(conditions),
                index_for(subject, waste.node, waste.table, conditions),
            )


@rule("lock-scan", "E/A", supersedes=("full-scan-filter", "full-index-scan", "index-filter"))
def lock_scan(subject: Subject) -> Iterator[Match]:
    """
    SELECT … FOR UPDATE or FOR SHARE reads a whole table to lock a few rows.

    InnoDB locks every row that it reads, so others wait for rows that were not asked for.

    Source: 10,000 rows and 90 %, as full-scan-filter.
    """
    for waste in wasted(subject):
        conditions = unanswered(subject, waste) if _locks(subject, waste) else []
        if conditions:
            yield _match(
                waste,
                f"{{table}}: {all_of(waste.rows)} rows read to lock {_kept(waste)}",
                "Index {columns}",
                columns_of(conditions),
                index_for(subject, waste.node, waste.table, conditions),
            )


def _kept(waste: Waste) -> str:
    return "those of a condition" if waste.kept is None else number(waste.kept)


def _match(waste: Waste, title: str, advice: str, columns: tuple[str, ...], need: IndexNeed | None) -> Match:
    return Match(
        waste.node,
        waste.severity,
        title,
        waste.detail,
        advice,
        waste.table,
        columns,
        waste.evidence,
        need,
        saving_ms=waste.saving_ms,
    )


def _change(subject: Subject, waste: Waste) -> str | None:
    """
    Return what is done to the rows of this read; None when it is not the table that is changed.
    """
    modify = next((above for above in subject.ancestors(waste.node) if above.kind is Kind.MODIFY), None)
    if modify is not None:
        mine = modify.relation in {None, waste.table, waste.node.relation}
        return _CHANGES.get(modify.strategy or "") if mine else None
    marked = next((change for word, change in _CHANGES.items() if waste.node.raw.get(word)), None)
    if marked is not None:
        # MariaDB and MySQL's version 1 say it of the table.
        return marked
    level = level_of(subject, waste.node)
    if level is not subject.query:
        return None
    target = next(iter(subject.query.tables.values()), None)
    return _CHANGES.get(subject.query.kind.lower()) if target == waste.table else None


def _locks(subject: Subject, waste: Waste) -> bool:
    if any(above.kind is Kind.LOCK_ROWS for above in subject.ancestors(waste.node)):
        return True
    level = level_of(subject, waste.node)
    return level is not None and level.for_update


@rule("fk-trigger", "A", engines=("postgresql",))
def fk_trigger(subject: Subject) -> Iterator[Match]:
    """
    The check of a foreign key searches a table that has no index on the referencing column.

    Django's foreign keys are checked at COMMIT: the plan shows it only after SET CONSTRAINTS ALL IMMEDIATE.

    Source: 10 % of the statement's time and 5 ms.
    """
    limits = subject.limits
    total = subject.plan.execution_ms or 0
    for trigger in subject.plan.triggers:
        # RI_ConstraintTrigger_c_ looks up the parent's key, which always has an index.
        if not trigger.name.startswith("RI_ConstraintTrigger") or trigger.name.startswith("RI_ConstraintTrigger_c"):
            continue
        if trigger.total_ms < limits.TRIGGER_MS or trigger.total_ms < total * limits.TRIGGER_SHARE:
            continue
        table, column = referencing(subject, trigger)
        known = subject.schema.table(table)
        if known is None or column is None or not known.led_by(column, sought=True):
            yield _trigger_match(subject, trigger, table, column)


def referencing(subject: Subject, trigger: Trigger) -> tuple[str | None, str | None]:
    """
    Return the table and column of a foreign key from the name of its constraint, which starts with both.
    """
    name = trigger.constraint or ""
    tables = [table for table in subject.schema.tables if name.startswith(f"{table}_")]
    table = max(tables, key=len, default=None)
    if table is None:
        return None, None
    rest = name[len(table) + 1 :]
    columns = [
        column
        for column in subject.schema.tables[table].columns
        if f"{rest}_".startswith((f"{column}_", f"{column.removesuffix('_id')}_"))
    ]
    return table, max(columns, key=len, default=None)


def _trigger_match(subject: Subject, trigger: Trigger, table: str | None, column: str | None) -> Match:
    total = subject.plan.execution_ms or trigger.total_ms
    where = "{table}.{columns}" if table and column else f"constraint {trigger.constraint or trigger.name}"
    slow = trigger.total_ms >= subject.limits.SLOW_MS
    return Match(
        subject.plan.root,
        "critical" if slow else "warning",
        f"{number(trigger.total_ms)} ms spent on checking the foreign key {where}",
        f"Measured: {share(min(1.0, trigger.total_ms / total))} of the statement went into {number(trigger.calls)}"
        f" checks of {trigger.constraint or trigger.name}. Without an index each reads the whole referencing table.",
        "Index the referencing column" + (" {columns}" if column else ""),
        table,
        (column,) if column else (),
        {"trigger_ms": round(trigger.total_ms, 2), "calls": round(trigger.calls)},
        IndexNeed(table, (column,)) if table and column else None,
        saving_ms=trigger.total_ms,
    )
