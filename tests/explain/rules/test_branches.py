from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules import base
from perf_panels.explain.rules.base import IndexNeed
from tests.explain.rules import trees
from tests.explain.rules.trees import estimated, find, scan

INDEX = trees.Index


class TestOr:
    def test_wants_an_index_for_the_branch_without_one(self):
        (match,) = find("or-unindexed", scan("((shop_order.customer_id = 7) OR (shop_order.coupon_id = 5))"))

        assert match.title == "{table}: 300,000 rows read to find 8, because {columns} has no index in an OR"
        assert match.index == IndexNeed("shop_order", ("coupon_id",))

    def test_has_a_match_for_each_branch(self):
        matches = find("or-unindexed", scan("((shop_order.status = 'new') OR (shop_order.coupon_id = 5))"))

        assert [match.columns for match in matches] == [("status",), ("coupon_id",)]

    @pytest.mark.parametrize(
        "condition",
        [
            "((shop_order.coupon_id = 7) OR (shop_order.coupon_id = 5))",
            "((shop_order.customer_id = 7) OR (shop_order.id = 5))",
            "((shop_order.status = 'new') AND ((shop_order.customer_id = 7) OR (shop_order.coupon_id = 5)))",
            "((shop_order.status <> 'new') OR (shop_order.coupon_id = 5))",
            "((shop_order.status ~~ '%new%') OR (shop_order.coupon_id = 5))",
        ],
    )
    def test_leaves(self, condition):
        assert find("or-unindexed", scan(condition)) == []

    def test_reads_the_statement_on_sqlite(self):
        sql = "SELECT id FROM shop_order WHERE customer_id = 7 OR coupon_id = 5"

        (match,) = find("or-unindexed", estimated(), sql, "sqlite")

        assert match.columns == ("coupon_id",)


class TestJson:
    def test_wants_an_index_of_the_key(self):
        (match,) = find("json-no-index", scan("((shop_order.data -> 'weight'::text) = '77'::jsonb)"))

        assert match.columns == ("data",)
        assert match.index is not None
        assert match.index.method == "btree"
        assert "weight" in (match.index.expression or "")

    def test_wants_gin_for_containment(self):
        (match,) = find("json-no-index", scan("""(shop_order.data @> '{"a": 1}'::jsonb)"""))

        assert match.index == IndexNeed("shop_order", ("data",), method="gin", opclass="jsonb_path_ops")

    def test_leaves_containment_that_has_a_gin_index(self, monkeypatch):
        monkeypatch.setattr(trees.ORDER, "indexes", [INDEX("gin", ("data",), method="gin")])

        assert find("json-no-index", scan("""(shop_order.data @> '{"a": 1}'::jsonb)""")) == []

    @pytest.mark.parametrize("there", [[], [INDEX("gin", ("tags",), method="gin")]])
    def test_wants_containment_in_place_of_any(self, there, monkeypatch):
        monkeypatch.setattr(trees.ORDER, "columns", trees.ORDER.columns | {"tags": "text[]"})
        monkeypatch.setattr(trees.ORDER, "indexes", there)

        (match,) = find("json-no-index", scan("('x'::text = ANY (shop_order.tags))"))

        assert match.advice.startswith("Ask with {columns}__contains=[...]")
        assert match.title.endswith(", looking into the array of {columns}")
        assert match.index == IndexNeed("shop_order", ("tags",), method="gin")
        assert find("full-scan-filter", scan("('x'::text = ANY (shop_order.tags))")) == []

    @pytest.mark.parametrize("sign", ["@>", "&&"])
    def test_an_array_has_the_operators_of_arrays(self, sign, monkeypatch):
        monkeypatch.setattr(trees.ORDER, "columns", trees.ORDER.columns | {"tags": "text[]"})

        (match,) = find("json-no-index", scan(f"(shop_order.tags {sign} '{{x}}'::text[])"))

        assert match.advice == "Add a GIN index (GinIndex)"
        assert match.index == IndexNeed("shop_order", ("tags",), method="gin")

    @pytest.mark.parametrize("engine", ["mysql", "mariadb"])
    def test_has_no_index_on(self, engine):
        (match,) = find("json-no-index", scan("(json_extract(shop_order.data,'$.weight') = 77)"), engine=engine)

        assert match.index is None


class TestFullText:
    def test_wants_a_vector_with_gin(self):
        (match,) = find("fts-no-index", scan("(to_tsvector('english', shop_order.status) @@ to_tsquery('new'))"))

        assert match.columns == ("status",)
        assert match.index is None or match.index.method == "gin"

    def test_sees_the_rows_that_another_index_found(self):
        search = "(to_tsvector('english', shop_order.status) @@ to_tsquery('new'))"
        node = scan(search, kind=Kind.INDEX_SCAN, index="shop_order_pkey", index_cond="(shop_order.id <= 30000)")

        assert len(find("fts-no-index", node)) == 1

    def test_leaves_other_engines(self):
        assert find("fts-no-index", scan("(match shop_order.status against ('new'))"), engine="mysql") == []


def test_every_rule_has_a_summary_and_a_source():
    find("or-unindexed", scan())

    assert all(rule.summary and rule.source for rule in base.RULES.values())
