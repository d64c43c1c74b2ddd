"""
Sorts that an index, or another order, would save.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import Match, rule
from perf_panels.explain.rules.levels import (
    elapsed,
    first_table,
    grade,
    level_of,
    numbers,
    quick,
    rows_in_one_pass,
    told,
)
from perf_panels.explain.rules.orders import (
    SORTS,
    by_made_values,
    index_for,
    is_random,
    needed_by,
    of_made_rows,
    order_of,
    wanted_rows,
)
from perf_panels.explain.rules.wording import number, up_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from perf_panels.explain.plan import Node
    from perf_panels.explain.query import Query
    from perf_panels.explain.rules.base import Subject

RANDOM_ROW = """\
last = {table}.objects.aggregate(last=Max("pk"))["last"]
{table}.objects.filter(pk__gte=random.randint(1, last)).order_by("pk").first()"""


@dataclass(frozen=True)
class Sort:
    """
    A sort that ran, the SELECT it is part of and the rows it sorted.
    """

    subject: Subject
    node: Node
    level: Query
    rows: float

    @property
    def big(self) -> bool:
        return self.rows >= self.subject.limits.BIG_ROWS

    @property
    def how_many(self) -> str:
        """
        Return the rows for a sentence; SQLite does not say how many of a table a filter leaves.
        """
        unknown = self.subject.engine == "sqlite" and bool(self.level.where)
        return up_to(self.rows) if unknown else number(self.rows)

    @property
    def of_result(self) -> bool:
        """
        Say whether it is the ORDER BY of its SELECT, over rows and columns of tables.
        """
        if of_made_rows(self.node) or by_made_values(self.subject, self.node, self.level):
            return False
        return needed_by(self.subject, self.node) in {None, Kind.LIMIT}

    @property
    def quick(self) -> bool:
        return quick(self.subject, self.node.self_ms)

    @property
    def wanted(self) -> float | None:
        wanted = wanted_rows(self.subject, self.node, self.level)
        return None if wanted is None or wanted >= self.rows else wanted

    @property
    def random(self) -> bool:
        return is_random(self.node, self.level)

    @property
    def on_disk(self) -> bool:
        # MariaDB counts the passes over its files.
        return self.node.sort_on_disk or bool(self.node.raw.get("r_sort_passes"))

    def match(self, title: str, detail: str, advice: str) -> Match:
        subject, node = self.subject, self.node
        columns = order_of(subject, node, self.level)
        tables = {table for table, _, _ in columns}
        table = tables.pop() if len(tables) == 1 else None
        disk_kb = node.sort_space_kb if self.on_disk else None
        return Match(
            node=node,
            severity=grade(subject, node.self_ms),
            title=title,
            detail=detail,
            advice=advice,
            table=table or first_table(subject, node),
            columns=tuple(column for _, column, _ in columns),
            evidence=numbers(rows_sorted=self.rows, self_ms=node.self_ms, disk_kb=disk_kb),
            index=index_for(subject, self.level, columns),
            saving_ms=node.self_ms,
        )


def sorts(subject: Subject, *kinds: Kind) -> Iterator[Sort]:
    """
    Yield the sorts that ran, with the rows of one run.
    """
    for node in subject.plan.nodes():
        if node.kind in (kinds or {Kind.SORT}) and node.executed:
            yield Sort(subject, node, level_of(subject, node), rows_in_one_pass(subject, node) or 0)


def by_columns(match: Match) -> str:
    return f" by {', '.join(match.columns)}" if match.columns else ""


@rule("sort-spill", "A", supersedes=("sort-no-index",))
def sort_spill(subject: Subject) -> Iterator[Match]:
    """
    Rows are sorted in files on disk, as they do not fit in memory.

    MySQL and SQLite do not say where they sort.

    Source: pgplan, which calls every one critical.
    """
    for sort in sorts(subject, *SORTS):
        if not sort.on_disk:
            continue
        space = f"{number(sort.node.sort_space_kb)} kB of files" if sort.node.sort_space_kb else "files on disk"
        memory = "work_mem" if subject.engine == "postgresql" else "sort_buffer_size"
        yield sort.match(
            f"{{table}}: {number(sort.rows)} rows sorted on disk",
            f"Measured: {number(sort.rows)} rows needed {space}, more than the memory for one sort.",
            f"read them in the order of an index, fetch fewer columns with only(), or raise {memory}",
        )


@rule("sort-limit", "E/A", supersedes=("sort-no-index",))
def sort_limit(subject: Subject) -> Iterator[Match]:
    """
    Many rows are read and sorted to show the first few.

    Not when few rows are left to sort, when an index gives part of the order, or when what is sorted are groups.

    Source: pgplan and QuerySense (10,000 rows).
    """
    for sort in sorts(subject):
        spent = elapsed(subject, sort.node)
        if not sort.big or sort.wanted is None or sort.random or not sort.of_result or quick(subject, spent):
            continue
        shown = number(sort.wanted)
        match = sort.match(
            f"{{table}}: {sort.how_many} rows sorted to show {shown}",
            "",
            "index the columns of the filter, then those of order_by(): reading ends after the rows that are shown",
        )
        match.detail = (
            f"{sort.how_many} rows ({told(subject)}) are read and sorted{by_columns(match)}, {shown} of them kept;"
            f" from {number(subject.limits.BIG_ROWS)} an index pays."
        )
        match.saving_ms = spent
        yield match


@rule("sort-no-index", "E")
def sort_no_index(subject: Subject) -> Iterator[Match]:
    """
    Many rows are sorted although an index could give them in order.

    Not for sorts of a join, a group or a UNION, and not when such an index exists and the planner chose to sort.

    Source: pgplan and QuerySense (10,000 rows).
    """
    for sort in sorts(subject):
        if not sort.big or sort.wanted is not None or sort.random or not sort.of_result or sort.quick:
            continue
        match = sort.match(
            f"{{table}}: {sort.how_many} rows sorted without an index",
            "",
            "index the columns of order_by(), or leave the order out where nobody needs it",
        )
        one_table = len({table for table, _, _ in order_of(subject, sort.node, sort.level)}) == 1
        if match.index is None and one_table:
            continue
        match.severity = "info"
        match.detail = (
            f"{number(sort.rows)} rows ({told(subject)}) are sorted{by_columns(match)} before the first is returned;"
            f" from {number(subject.limits.BIG_ROWS)} it is worth a look."
        )
        yield match


@rule("window-sort", "E/A", supersedes=("sort-no-index",))
def window_sort(subject: Subject) -> Iterator[Match]:
    """
    Many rows are sorted for a window function.

    Not when few rows are left to sort.

    Source: pgplan and QuerySense (10,000 rows).
    """
    for sort in sorts(subject):
        if not sort.big or needed_by(subject, sort.node) is not Kind.WINDOW or sort.quick:
            continue
        match = sort.match(
            f"{{table}}: {number(sort.rows)} rows sorted for a window function",
            f"{number(sort.rows)} rows ({told(subject)}) are sorted by the partition and the order of the window.",
            "filter before the window, or index the columns of partition_by and then of order_by",
        )
        if not sort.node.sort_keys:
            # The statement's ORDER BY is another sort than that of its window.
            match.index, match.columns = None, ()
        yield match


@rule("order-by-random", "E", supersedes=("sort-limit", "sort-no-index", "sort-spill"))
def order_by_random(subject: Subject) -> Iterator[Match]:
    """
    All rows are read and sorted by a random number to pick a few.

    Not for small tables or few rows after a filter.

    Source: pgplan and QuerySense (10,000 rows).
    """
    for sort in sorts(subject):
        if not sort.big or not sort.random:
            continue
        match = sort.match(
            f'{{table}}: {number(sort.rows)} rows sorted at random by order_by("?")',
            f"{number(sort.rows)} rows ({told(subject)}) are read and given a random number each; no index can help.",
            "pick a random primary key and read from there",
        )
        match.index, match.columns, match.rewrite = None, (), RANDOM_ROW
        yield match
