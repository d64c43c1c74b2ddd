"""
A table whose rows were counted up to a limit: no sentence says that the limit is its size.
"""

from __future__ import annotations

import json

import pytest

from perf_panels.explain import detail_page
from perf_panels.explain.advice import advise
from perf_panels.explain.limits import Limits
from perf_panels.explain.plans import parse
from perf_panels.explain.query import read
from perf_panels.explain.rules.base import RULES, Subject
from perf_panels.explain.rules.engine import all_rules
from perf_panels.explain.schema import Index, MoreThan, Schema, Table, counted

TABLE = Table(
    "t",
    counted(10_001),
    {"id": "integer", "author_id": "integer", "price": "integer"},
    [Index("INTEGER PRIMARY KEY", ("id",), unique=True, primary=True), Index("t_author", ("author_id",))],
    analysed=False,
)
SCAN = [(1, 0, 0, "SCAN t")]
SORTED = [*SCAN, (2, 0, 0, "USE TEMP B-TREE FOR ORDER BY")]


def found(rule, lines, sql, table=TABLE):
    all_rules()
    plan = parse("sqlite", lines, sql)
    return list(RULES[rule].find(Subject(plan, read(sql, "sqlite"), Schema(tables={"t": table}), Limits())))


def test_a_count_below_the_limit_is_a_fact():
    assert counted(10_000) == 10_000
    assert not isinstance(counted(10_000), MoreThan)


def test_what_is_made_of_a_bound_is_a_bound():
    assert isinstance(sum([MoreThan(10_000), 5]), MoreThan)
    assert isinstance(3 * MoreThan(10_000), MoreThan)
    assert isinstance(MoreThan(10_000) / 1.0, MoreThan)


@pytest.mark.parametrize(
    ("rule", "lines", "sql", "title"),
    [
        (
            "full-scan-filter",
            SCAN,
            "SELECT * FROM t WHERE price > 3",
            "{table}: all of more than 10,000 rows read, without an index on {columns}",
        ),
        (
            "sort-limit",
            SORTED,
            "SELECT * FROM t ORDER BY price LIMIT 25 OFFSET 50",
            "{table}: more than 10,000 rows sorted to show 75",
        ),
        (
            "sort-limit",
            SORTED,
            "SELECT * FROM t WHERE price > 3 ORDER BY price LIMIT 25",
            "{table}: up to all of more than 10,000 rows sorted to show 25",
        ),
        (
            "stale-stats",
            SCAN,
            "SELECT * FROM t WHERE price > 3",
            "{table}: no statistics for more than 10,000 rows",
        ),
        (
            "dml-scan",
            SCAN,
            "DELETE FROM t WHERE price > 3",
            "{table}: all of more than 10,000 rows read to delete those of a condition",
        ),
    ],
)
def test_titles_say_more_than(rule, lines, sql, title):
    (match,) = found(rule, lines, sql)

    assert match.title == title
    assert "10,001" not in match.detail


def test_the_evidence_says_so_too():
    plan = parse("sqlite", SCAN, "SELECT * FROM t WHERE price > 3")
    matches = found("stale-stats", SCAN, "SELECT * FROM t WHERE price > 3")

    (advised,) = advise(matches, plan, Schema(tables={"t": TABLE}), None)

    evidence = json.loads(json.dumps(advised.finding.evidence))
    assert evidence == {"table_rows_more_than": 10_000}
    assert detail_page._evidence("table_rows_more_than", 10_000) == ("rows in the table", "more than 10,000")
