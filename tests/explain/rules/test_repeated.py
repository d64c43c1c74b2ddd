from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import IndexNeed
from tests.explain.rules.trees import above, estimated, find, scan

JOINED = "(shop_order.coupon_id = c.id)"


def customers(**fields):
    return scan(relation="shop_customer", alias="c", **fields)


class TestRepeatedScan:
    def test_counts_the_rows_of_all_loops(self):
        (match,) = find("repeated-scan", scan(JOINED, loops=30))

        assert match.title == "{table}: whole table read 30 times, 9,000,000 rows in all"
        assert match.columns == ("coupon_id",)
        assert match.index == IndexNeed("shop_order", ("coupon_id",))
        assert match.severity == "critical"

    def test_takes_the_processes_of_a_gather_for_one(self):
        gather = above(Kind.GATHER, scan(JOINED, loops=3, parallel=True))
        gather.workers_launched = 2

        assert find("repeated-scan", gather) == []

    @pytest.mark.parametrize("kind", [Kind.MATERIALIZE, Kind.MEMOIZE])
    def test_leaves_rows_that_are_stored(self, kind):
        join = above(Kind.NESTED_LOOP, customers(), above(kind, scan(JOINED, loops=30)))

        assert find("repeated-scan", join) == []

    def test_a_sort_made_for_each_outer_row_stores_nothing(self):
        sort = above(Kind.SORT, scan(JOINED, loops=30))
        sort.loops = 30
        join = above(Kind.NESTED_LOOP, customers(), above(Kind.LIMIT, sort))

        assert len(find("repeated-scan", join)) == 1

    def test_leaves_small_tables_and_single_scans(self):
        assert find("repeated-scan", scan(JOINED, loops=1000, removed=92)) == []
        assert find("repeated-scan", scan(JOINED)) == []
        assert find("repeated-scan", scan(JOINED, loops=10, removed=4_000)) == []

    def test_expects_one_scan_for_each_outer_row(self):
        inner = estimated(JOINED, relationship="subplan", dependent=True)
        outer = estimated(relation="shop_customer", alias="c", est_rows=30)
        outer.children = [inner]

        (match,) = find("repeated-scan", outer)

        assert match.evidence == {"estimated_loops": 30, "estimated_rows_read": 9_000_000}

    def test_expects_one_scan_for_each_row_of_the_outer_side(self):
        outer = estimated(relation="shop_customer", alias="c", est_rows=30, relationship="outer")
        inner = estimated(JOINED, relationship="inner")

        assert len(find("repeated-scan", above(Kind.NESTED_LOOP, outer, inner))) == 1

    def test_knows_no_loops_on_sqlite(self):
        subquery = above(Kind.SUBQUERY, estimated(alias="s"), dependent=True)
        sql = "SELECT c.id, (SELECT max(s.total) FROM shop_order s WHERE s.coupon_id = c.id) FROM shop_customer c"

        (match,) = find("repeated-scan", above(Kind.OTHER, subquery), sql, "sqlite")

        assert match.title == "{table}: whole table read again for each row of the outer query"
        assert match.evidence == {"table_rows": 300_000}
        assert match.columns == ("coupon_id",)


class TestMinMax:
    SQL = "SELECT MAX(total) FROM shop_order"

    def test_wants_an_index_of_the_column(self):
        (match,) = find("min-max-no-index", above(Kind.AGGREGATE, scan()), self.SQL)

        assert match.title == "{table}: 300,000 rows read for the max of {columns}"
        assert match.columns == ("total",)
        assert match.index == IndexNeed("shop_order", order=(("total", False),))

    def test_works_on_estimates(self):
        assert (
            len(find("min-max-no-index", estimated(), 'SELECT MIN("o"."total") AS n FROM "shop_order" o', "sqlite"))
            == 1
        )

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT MAX(id) FROM shop_order",
            "SELECT MAX(total), COUNT(*) FROM shop_order",
            "SELECT MAX(total) FROM shop_order WHERE status = 'new'",
            "SELECT status, MAX(total) FROM shop_order GROUP BY status",
            "SELECT MAX(total * 2) FROM shop_order",
            "SELECT total FROM shop_order",
        ],
    )
    def test_leaves(self, sql):
        assert find("min-max-no-index", above(Kind.AGGREGATE, scan()), sql) == []
