from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules import engine as rules
from perf_panels.explain.rules.base import IndexNeed
from tests.explain.rules import trees
from tests.explain.rules.trees import estimated, find, scan


class TestFunctionOnColumn:
    def test_wants_an_index_of_the_expression(self):
        (match,) = find("function-on-column", scan("(upper((shop_order.status)::text) = 'NEW'::text)"))

        assert match.title == "{table}: 300,000 rows read to find 8, because of upper() around {columns}"
        assert match.columns == ("status",)
        assert match.index is not None
        assert match.index.wrapped == ("upper", "status")
        assert match.index.expression == "UPPER(status)"

    @pytest.mark.parametrize(
        "condition",
        [
            "((shop_order.created_at)::date = '2024-01-01'::date)",
            "(date_trunc('day', shop_order.created_at) = '2024-01-01')",
        ],
    )
    def test_wants_a_range_of_times(self, condition):
        (match,) = find("function-on-column", scan(condition))

        assert match.index is None
        assert "range" in match.advice

    def test_wants_the_calculation_on_the_other_side(self):
        (match,) = find("function-on-column", scan("((shop_order.total * 2) > 100)"))

        assert "other" in match.advice

    def test_leaves_an_expression_that_has_an_index(self, monkeypatch):
        index = trees.Index("upper_idx", ("",), expressions={0: "upper((status)::text)"})
        monkeypatch.setattr(trees.ORDER, "indexes", [*trees.ORDER.indexes, index])

        assert find("function-on-column", scan("(upper((shop_order.status)::text) = 'NEW'::text)")) == []

    @pytest.mark.parametrize(
        "condition",
        [
            "(shop_order.status = upper('new'))",
            "(upper((shop_order.status)::text) ~~ '%NEW%'::text)",
            "((shop_order.customer_id = 7) AND (upper((shop_order.status)::text) = 'NEW'))",
            "((shop_order.tracking_number)::bigint = 5)",
        ],
    )
    def test_leaves(self, condition):
        assert find("function-on-column", scan(condition)) == []

    def test_is_a_warning_where_an_index_is_lost_and_nobody_knows_the_rows(self):
        sql = "SELECT id FROM shop_order WHERE UPPER(city) = 'X'"

        (match,) = find("function-on-column", estimated(), sql, "sqlite")

        assert match.severity == "warning"

    def test_is_info_on_sqlite(self):
        (match,) = find(
            "function-on-column", estimated(), "SELECT id FROM shop_order WHERE UPPER(status) = 'X'", "sqlite"
        )

        assert match.severity == "info"


class TestCastOnColumn:
    def test_names_the_type(self):
        (match,) = find("cast-on-column", scan("((shop_order.tracking_number)::bigint = 12345678)"))

        assert match.title.endswith("because {columns} is converted to bigint first")
        assert match.index is None

    @pytest.mark.parametrize("engine", ["mysql", "mariadb"])
    def test_finds_a_text_compared_with_a_number_on(self, engine):
        (match,) = find("cast-on-column", scan("(shop_order.tracking_number = 12345678)"), engine=engine)

        assert match.advice == "Pass the value as a string"

    def test_finds_a_number_that_is_made_a_text(self):
        (match,) = find("cast-on-column", scan("((shop_order.customer_id)::text = '77'::text)"))

        assert match.title.endswith("because {columns} is converted to a text first")

    def test_leaves_free_casts_and_the_numbers_of_sqlite(self):
        sql = "SELECT id FROM shop_order WHERE tracking_number = 12345678"

        assert find("cast-on-column", scan("((shop_order.status)::text = 'new'::text)")) == []
        assert find("cast-on-column", estimated(), sql, "sqlite") == []


class TestLeadingWildcard:
    @pytest.mark.parametrize("condition", ["((shop_order.status)::text ~~ '%new%')", "(shop_order.status ~~* 'new%')"])
    def test_wants_trigrams_on_postgresql(self, condition):
        (match,) = find("leading-wildcard", scan(condition))

        assert match.index == IndexNeed("shop_order", ("status",), method="trigram", opclass="gin_trgm_ops")

    def test_keeps_the_function_of_icontains(self):
        (match,) = find("leading-wildcard", scan("(upper((shop_order.status)::text) ~~ '%NEW%'::text)"))

        assert match.index is not None
        assert match.index.wrapped == ("upper", "status")

    @pytest.mark.parametrize("engine", ["mysql", "mariadb"])
    def test_has_no_index_on(self, engine):
        (match,) = find("leading-wildcard", scan("(shop_order.status like '%new%')"), engine=engine)

        assert match.index is None

    @pytest.mark.parametrize("condition", ["(shop_order.status ~~ 'new%')", "(shop_order.status ~~ '%')"])
    def test_leaves(self, condition):
        assert find("leading-wildcard", scan(condition)) == []

    def test_is_found_in_the_branches_of_an_or(self):
        condition = "((shop_order.status ~~ '%new%') OR (shop_order.tracking_number ~~ '%new%'))"

        assert [match.columns for match in find("leading-wildcard", scan(condition))] == [
            ("status",),
            ("tracking_number",),
        ]


class TestLikePrefix:
    def test_wants_the_operator_class(self):
        (match,) = find("like-prefix-opclass", scan("((shop_order.tracking_number)::text ~~ 'AB%'::text)"))

        assert match.index == IndexNeed("shop_order", range_="tracking_number", opclass="varchar_pattern_ops")

    def test_has_no_index_on_sqlite(self):
        sql = r"SELECT id FROM shop_order WHERE tracking_number LIKE 'AB%' ESCAPE '\'"
        walk = estimated(kind=Kind.INDEX_ONLY_SCAN, index="shop_order_tracking_idx")

        (match,) = find("like-prefix-opclass", walk, sql, "sqlite")

        assert match.index is None

    def test_leaves_columns_without_an_index_to_full_scan_filter(self):
        node = scan("((shop_order.status)::text ~~ 'AB%'::text)")

        assert find("like-prefix-opclass", node) == []
        assert find("full-scan-filter", node)[0].index == IndexNeed(
            "shop_order", range_="status", opclass="varchar_pattern_ops"
        )


def test_causes_supersede_the_scan():
    registered = rules.all_rules()
    causes = [
        "function-on-column",
        "cast-on-column",
        "leading-wildcard",
        "json-no-index",
        "fts-no-index",
        "or-unindexed",
    ]

    assert all("full-scan-filter" in registered[cause].supersedes for cause in causes)
