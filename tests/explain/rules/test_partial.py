from __future__ import annotations

import pytest
from shop.models import Order

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import IndexNeed
from tests.explain.rules import trees
from tests.explain.rules.trees import above, estimated, find, scan


def lookup(condition, **fields):
    shape = {"kind": Kind.INDEX_SCAN, "index": "shop_order_city_idx", "index_cond": "(shop_order.city = 'Bonn')"}
    return scan(condition, **{**shape, "removed": 1_500, "act_rows": 8, **fields})


class TestIndexFilter:
    def test_puts_the_searched_columns_first(self):
        (match,) = find("index-filter", lookup("(shop_order.status = 'pending')"))

        assert match.title == "{table}: 1,508 rows found by shop_order_city_idx to keep 8"
        assert match.columns == ("status",)
        assert match.index == IndexNeed("shop_order", ("city", "status"))

    def test_reads_the_search_of_a_bitmap_below(self):
        bitmap = scan(kind=Kind.BITMAP_INDEX, relation=None, index_cond="(shop_order.city = 'Bonn')", removed=None)
        heap = lookup("(shop_order.status = 'pending')", kind=Kind.BITMAP_SCAN, index_cond=None)
        heap.children = [bitmap]

        (match,) = find("index-filter", heap)

        assert match.index == IndexNeed("shop_order", ("city", "status"))

    def test_wants_the_order_of_a_walk_that_postgresql_ends_by_limit(self):
        sql = "SELECT id FROM shop_order WHERE status = 'pending' ORDER BY id LIMIT 8"
        walk = lookup("(shop_order.status = 'pending')", index="shop_order_pkey", index_cond=None)

        (match,) = find("index-filter", above(Kind.LIMIT, walk), sql)

        assert match.index == IndexNeed("shop_order", ("status",), order=(("id", False),))
        assert find("index-filter", above(Kind.LIMIT, walk), sql, "mysql") == []

    @pytest.mark.parametrize(
        "fields",
        [{"removed": 999}, {"act_rows": 400}, {"filter": None}, {"filter": "(shop_order.status <> 'paid')"}],
    )
    def test_leaves_few_rows_and_what_no_index_can_search(self, fields):
        assert find("index-filter", lookup(**{"condition": "(shop_order.status = 'pending')", **fields})) == []

    def test_knows_that_postgresql_rounds_the_rows_of_a_loop(self):
        condition = "(shop_order.status = 'pending')"

        assert find("index-filter", lookup(condition, act_rows=0, removed=3, loops=2_000)) == []
        assert len(find("index-filter", lookup(condition, act_rows=0, removed=9, loops=2_000))) == 1

    def test_knows_the_primary_key_at_the_end_of_other_indexes(self):
        condition = "((shop_order.city = 'Bonn') AND (shop_order.id <= 1000))"

        assert find("index-filter", lookup(condition, index_columns=("city",)), engine="mariadb") == []
        assert len(find("index-filter", lookup(condition))) == 1

    def test_takes_no_filter_for_what_a_range_searched(self):
        both = "shop_order.city > 'Bonn' and shop_order.status = 'pending'"
        node = lookup(both, index_cond=both, index_columns=("city",))

        (match,) = find("index-filter", node, engine="mariadb")

        assert match.columns == ("status",)
        assert match.index == IndexNeed("shop_order", ("status",), "city")

    def test_names_what_the_index_did_not_search_for(self):
        node = lookup("((shop_order.city = 'Bonn') AND (shop_order.status = 'pending'))")

        (match,) = find("index-filter", node, engine="mariadb")

        assert match.columns == ("status",)

    def test_leaves_an_index_that_is_there(self, monkeypatch):
        monkeypatch.setattr(trees.ORDER, "indexes", [trees.Index("both", ("status", "city"))])

        assert find("index-filter", lookup("(shop_order.status = 'pending')")) == []

    def test_needs_measured_rows(self):
        node = estimated("(shop_order.status = 'new')", kind=Kind.INDEX_SCAN, index_cond="(shop_order.city = 'Bonn')")

        assert find("index-filter", node) == []


class TestPartialIndex:
    def test_holds_the_rows_of_a_state_in_the_order_asked_for(self):
        sql = "SELECT id FROM shop_order WHERE status = 'pending' AND NOT archived ORDER BY created_at"
        condition = "((NOT shop_order.archived) AND ((shop_order.status)::text = 'pending'::text))"

        (match,) = find("partial-index", above(Kind.SORT, scan(condition, act_rows=50)), sql)

        assert match.index == IndexNeed(
            "shop_order",
            order=(("created_at", False),),
            condition=(("archived", "false", None), ("status", "eq", "pending")),
        )

    def test_keeps_the_columns_an_index_searched_for(self):
        (match,) = find("partial-index", lookup("(shop_order.status = 'pending')"))

        assert match.index == IndexNeed("shop_order", ("city",), condition=(("status", "eq", "pending"),))

    def test_falls_back_on_the_primary_key(self):
        (match,) = find("partial-index", scan("(shop_order.created_at IS NULL)", act_rows=50))

        assert match.index is not None
        assert match.index.order == (("id", False),)
        assert match.index.condition == (("created_at", "null", None),)

    @pytest.mark.parametrize(
        "condition",
        [
            "(shop_order.coupon_id = 7)",
            "(shop_order.city = 'Bonn')",
            "(shop_order.status = 'ana@example.com')",
            "(shop_order.status = '2024-01-01')",
            "(shop_order.status = 'f47ac10b-58cc-4372-a567-0e02b2c3d479')",
            "(shop_order.created_at > '2024-01-01')",
            "((shop_order.status = 'pending') AND (shop_order.total = 5))",
            "(upper(shop_order.status) = 'PENDING')",
        ],
    )
    def test_leaves_values_that_people_choose(self, condition):
        assert find("partial-index", scan(condition)) == []

    @pytest.mark.parametrize("column", ["city", "email"])
    def test_leaves_a_word_that_somebody_typed(self, monkeypatch, column):
        monkeypatch.setattr(trees.ORDER, "indexes", [])

        found = find("partial-index", scan(f"(shop_order.{column} = 'Lyon')", act_rows=1_000, removed=299_000))

        assert found == []

    def test_takes_a_word_for_a_state_where_nobody_knows_the_model(self):
        elsewhere = scan("(elsewhere.note = 'gift')", relation="elsewhere", alias="elsewhere", act_rows=50)

        assert len(find("partial-index", elsewhere)) == 1

    @pytest.mark.parametrize("column", ["state", "payment_status", "kind"])
    def test_knows_a_state_by_its_name(self, column):
        (match,) = find("partial-index", scan(f"(shop_order.{column} = 'pending')", act_rows=50))

        assert match.columns == (column,)

    def test_knows_a_state_by_its_choices(self, monkeypatch):
        monkeypatch.setattr(Order._meta.get_field("email"), "choices", [("web", "Web"), ("shop", "Shop")])

        (match,) = find("partial-index", scan("(shop_order.email = 'web')", act_rows=50))

        assert match.columns == ("email",)

    def test_names_the_column_of_a_test_for_null(self):
        (match,) = find("partial-index", scan("(shop_order.created_at IS NOT NULL)", act_rows=50))

        assert match.columns == ("created_at",)

    def test_leaves_a_word_that_hardly_any_row_has(self):
        assert find("partial-index", scan("(shop_order.status = 'new')", act_rows=20)) == []

    def test_marks_estimates_in_its_evidence(self):
        (match,) = find("partial-index", estimated("(shop_order.status = 'new')", est_rows=50))

        assert match.evidence == {"estimated_rows_read": 300_000, "estimated_rows_kept": 50}

    def test_leaves_states_of_many_rows_and_of_none(self):
        assert find("partial-index", scan("(shop_order.status = 'new')", act_rows=20_000, removed=280_000)) == []
        assert find("partial-index", scan("(shop_order.status = 'new')", act_rows=0, removed=300_000)) == []

    def test_says_on_sqlite_that_nobody_counted(self):
        sql = "SELECT id FROM shop_order WHERE status = 'pending' ORDER BY created_at LIMIT 50"

        (match,) = find("partial-index", above(Kind.SORT, estimated(est_rows=None)), sql, engine="sqlite")

        assert match.severity == "info"
        assert "if few rows match" in match.advice.lower()
        assert match.index == IndexNeed(
            "shop_order", order=(("created_at", False),), condition=(("status", "eq", "pending"),)
        )

    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT id FROM shop_order WHERE status = 'pending' ORDER BY created_at",
            "SELECT id FROM shop_order WHERE status = 'pending' LIMIT 50",
            "SELECT id FROM shop_order WHERE status = '2024-01-01' ORDER BY created_at LIMIT 50",
            "SELECT id FROM shop_order WHERE status = %s ORDER BY created_at LIMIT 50",
            "SELECT id FROM shop_order WHERE created_at IS NULL ORDER BY total LIMIT 50",
            "SELECT id FROM shop_order WHERE status = 'pending' AND total > 5 ORDER BY created_at LIMIT 50",
        ],
    )
    def test_wants_on_sqlite_the_first_rows_of_a_state(self, sql):
        assert find("partial-index", above(Kind.SORT, estimated(est_rows=None)), sql, engine="sqlite") == []

    @pytest.mark.parametrize("engine", ["mysql", "mariadb"])
    def test_is_never_for(self, engine):
        assert find("partial-index", scan("shop_order.status = 'pending'"), engine=engine) == []
