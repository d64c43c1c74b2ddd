from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import IndexNeed
from perf_panels.explain.schema import Index
from tests.explain.rules.trees import ORDER, above, estimated, find, scan

PENDING = "((shop_order.status)::text = 'pending'::text)"


class TestFullScanFilter:
    def test_names_the_columns_and_the_rows(self):
        (match,) = find("full-scan-filter", scan(PENDING))

        assert match.title == "{table}: 300,000 rows read to find 8, without an index on {columns}"
        assert (match.table, match.columns, match.severity) == ("shop_order", ("status",), "warning")
        assert match.evidence == {"rows_read": 300_000, "rows_kept": 8, "self_ms": 30.0}
        assert match.index == IndexNeed("shop_order", ("status",))
        assert match.detail.startswith("Measured: ")
        assert match.saving_ms == 30

    def test_puts_equalities_before_one_range(self):
        condition = (
            "((shop_order.total > 5) AND (shop_order.created_at > '2024-01-01') AND (shop_order.status = 'new'))"
        )

        (match,) = find("full-scan-filter", scan(condition))

        assert match.index == IndexNeed("shop_order", ("status",), "total")

    def test_finds_the_few_rows_that_are_not_null(self):
        sql = "SELECT id FROM shop_order WHERE coupon_id IS NOT NULL"
        kept = scan("shop_order.coupon_id is not null")

        (match,) = find("full-scan-filter", kept, sql, "mariadb")

        assert match.index == IndexNeed("shop_order", range_="coupon_id")
        assert find("full-scan-filter", kept, "SELECT id FROM shop_order", "mariadb") == []
        assert find("full-scan-filter", estimated(), sql, "sqlite") == []

    def test_reads_the_statement_on_a_view(self):
        sql = "SELECT id FROM paid_orders WHERE paid_orders.coupon_id = 7"

        (match,) = find("full-scan-filter", estimated(), sql, "sqlite")

        assert match.columns == ("coupon_id",)

    def test_leaves_what_a_partial_index_holds(self, monkeypatch):
        sql = "SELECT id FROM shop_order WHERE status = 'open' ORDER BY created_at"
        walk = estimated(kind=Kind.INDEX_SCAN, index="open_orders")
        index = Index("open_orders", ("created_at",), condition="status='open'")

        assert len(find("full-scan-filter", walk, sql, "sqlite")) == 1
        monkeypatch.setattr(ORDER, "indexes", [*ORDER.indexes, index])
        assert find("full-scan-filter", walk, sql, "sqlite") == []

    def test_adds_the_order_of_the_statement(self):
        sql = "SELECT * FROM shop_order WHERE status = 'pending' ORDER BY created_at DESC"

        (match,) = find("full-scan-filter", above(Kind.SORT, scan(PENDING)), sql)

        assert match.index == IndexNeed("shop_order", ("status",), order=(("created_at", True),))

    def test_is_critical_when_it_took_long(self):
        (match,) = find("full-scan-filter", scan(PENDING, total_ms=100.0))

        assert match.severity == "critical"

    @pytest.mark.parametrize(
        "fields",
        [
            {"removed": 100_000, "act_rows": 200_000},
            {"removed": 9_000},
            {"total_ms": 4.9},
            {"blocks_hit": 49, "blocks_read": 0},
            {"loops": 0},
            {"derived": True},
            {"kind": Kind.TABLE_FUNCTION},
        ],
    )
    def test_leaves_alone(self, fields):
        assert find("full-scan-filter", scan(PENDING, **fields)) == []

    @pytest.mark.parametrize(
        "condition",
        [
            None,
            "(shop_order.customer_id = 7)",
            "((shop_order.customer_id = 7) AND (shop_order.status = 'pending'))",
            "(shop_order.id <= 500)",
            "(shop_order.total = (SubPlan 1))",
            "(shop_order.status <> 'paid')",
        ],
    )
    def test_says_nothing_about_a_condition_no_new_index_would_answer(self, condition):
        assert find("full-scan-filter", scan(condition)) == []

    def test_names_the_other_column_when_a_range_has_an_index_that_was_not_used(self):
        (match,) = find("full-scan-filter", scan("((shop_order.id > 5) AND (shop_order.status = 'pending'))"))

        assert match.columns == ("status",)

    def test_decides_by_the_estimates_of_postgresql(self):
        (match,) = find("full-scan-filter", estimated(PENDING))

        assert match.evidence == {"estimated_rows_read": 300_000, "estimated_rows_kept": 8}
        assert match.detail.startswith("Estimated: ")

    def test_counts_the_estimates_of_all_workers(self):
        gather = above(Kind.GATHER, estimated(PENDING, est_rows=20_000, parallel=True, label="Parallel Seq Scan"))
        gather.workers_planned = 2

        assert find("full-scan-filter", gather) == []

    @pytest.mark.parametrize("engine", ["mysql", "mariadb"])
    def test_is_info_by_the_guesses_of(self, engine):
        (match,) = find("full-scan-filter", estimated("(shop_order.coupon_id = 7)", est_scanned=300_000), engine=engine)

        assert match.severity == "info"
        assert match.evidence == {"estimated_rows_read": 300_000}

    @pytest.mark.parametrize("condition", ["(shop_order.status = 'paid')", "(shop_order.total > 5)"])
    def test_says_nothing_by_a_guess_when_most_rows_may_match(self, condition):
        assert find("full-scan-filter", estimated(condition, est_scanned=300_000), engine="mysql") == []

    def test_is_info_on_sqlite(self):
        sql = "SELECT id FROM shop_order WHERE status = 'paid'"

        (match,) = find("full-scan-filter", estimated(), sql, "sqlite")

        assert (match.severity, match.columns) == ("info", ("status",))

    def test_leaves_a_lone_boolean_when_nobody_knows_its_rows(self):
        assert find("full-scan-filter", estimated(), "SELECT id FROM shop_order WHERE archived", "sqlite") == []
        assert len(find("full-scan-filter", scan("shop_order.archived"))) == 1

    def test_counts_what_is_not_null_when_it_was_measured(self):
        condition, sql = "shop_order.refunded_at is not null", "SELECT id FROM shop_order WHERE refunded_at IS NOT NULL"

        (match,) = find("full-scan-filter", scan(condition), sql, "mariadb")

        assert match.index.range_ == "refunded_at"
        assert find("full-scan-filter", estimated(condition), sql, "mariadb") == []

    def test_reads_the_select_of_an_insert_on_sqlite(self):
        sql = "INSERT INTO shop_order (id) SELECT id FROM shop_order WHERE status = 'paid'"

        assert len(find("full-scan-filter", estimated(), sql, "sqlite")) == 1

    def test_leaves_the_value_of_a_subquery_that_is_printed_as_a_parameter(self):
        node = scan("(shop_order.total = $0)")
        node.children = [above(Kind.AGGREGATE, relationship="initplan")]

        assert find("full-scan-filter", node) == []

    def test_leaves_a_limit_that_may_end_an_estimated_scan(self):
        sql = "SELECT id FROM shop_order WHERE status = 'paid' LIMIT 5"

        assert find("full-scan-filter", estimated(), sql, "sqlite") == []
        assert find("full-scan-filter", above(Kind.LIMIT, estimated(PENDING)), sql) == []

    def test_reads_the_join_condition_of_the_later_table_on_sqlite(self):
        sql = "SELECT o.id FROM shop_customer c JOIN shop_order o ON o.coupon_id = c.id WHERE c.id = 1"
        outer = estimated(relation="shop_customer", alias="c", kind=Kind.INDEX_SCAN, index_cond="rowid=?")
        inner = estimated(alias="o")

        (match,) = find("full-scan-filter", above(Kind.NESTED_LOOP, outer, inner), sql, "sqlite")

        assert match.columns == ("coupon_id",)
        assert find("full-scan-filter", above(Kind.NESTED_LOOP, inner, outer), sql, "sqlite") == []

    def test_counts_a_walk_of_the_whole_index_on_mariadb(self):
        node = scan("shop_order.status = 'pending'", kind=Kind.INDEX_SCAN, index="PRIMARY")

        assert len(find("full-scan-filter", node, engine="mariadb")) == 1
        assert find("full-scan-filter", node, "SELECT id FROM shop_order LIMIT 5", "mariadb") == []


class TestFullIndexScan:
    def test_finds_a_walk_below_a_join(self):
        walk = scan(kind=Kind.INDEX_SCAN, index="shop_order_pkey", removed=0, act_rows=300_000)
        join = above(Kind.MERGE_JOIN, walk, scan(relation="shop_customer", alias="c"))

        (match,) = find("full-index-scan", join, "SELECT o.id FROM shop_order, shop_customer c")

        assert (match.severity, match.evidence) == ("info", {"rows_read": 300_000})

    @pytest.mark.parametrize("end", ["", "ORDER BY id", "GROUP BY id", "LIMIT 5"])
    def test_leaves_walks_that_are_wanted(self, end):
        walk = scan(kind=Kind.INDEX_ONLY_SCAN, index="shop_order_pkey")

        assert find("full-index-scan", walk, f"SELECT id FROM shop_order {end}") == []

    def test_leaves_counts(self):
        walk = scan("(total > 5)", kind=Kind.INDEX_ONLY_SCAN, index="shop_order_pkey")

        assert find("full-index-scan", walk, "SELECT count(*) FROM shop_order") == []


class TestPartitions:
    def append(self, tables, condition="(log.level = 3)", **fields):
        parts = [scan(condition, relation=table, alias=alias, act_rows=10, removed=20_000) for table, alias in tables]
        return above(Kind.APPEND, *parts, **fields)

    def months(self, count):
        return [(f"shop_log_{month:02}", f"l_{month}") for month in range(1, count + 1)]

    def test_finds_partitions_that_were_all_read(self):
        (match,) = find("partition-no-prune", self.append(self.months(5)), "SELECT * FROM shop_log l WHERE level = 3")

        assert match.title == "{table}: all 5 partitions read"
        assert match.table == "shop_log"
        assert match.columns == ("level",)

    def test_leaves_few_and_pruned_partitions_and_unions(self):
        assert find("partition-no-prune", self.append(self.months(4))) == []
        assert find("partition-no-prune", self.append(self.months(5), subplans_removed=3)) == []
        assert find("partition-no-prune", self.append(self.months(5), None)) == []
        assert find("partition-no-prune", self.append([(name, name) for name in "abcde"])) == []
        assert find("partition-no-prune", self.append([("shop_order", f"shop_order_{n}") for n in range(5)])) == []

    def test_partitions_are_no_full_scans(self):
        assert find("full-scan-filter", self.append(self.months(5))) == []
