from __future__ import annotations

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import IndexNeed
from tests.explain.rules import trees
from tests.explain.rules.trees import above, estimated, find, scan


class TestHeapFetches:
    def only(self, **fields):
        return scan(**{"kind": Kind.INDEX_ONLY_SCAN, "act_rows": 5_000, "removed": 0, "heap_fetches": 1_000, **fields})

    def test_advises_vacuum(self):
        (match,) = find("heap-fetches", self.only())

        assert match.title == "{table}: 1,000 visits to the table from an index that has all columns"
        assert "VACUUM" in match.advice
        assert match.index is None

    def test_leaves_few_and_small_shares(self):
        assert find("heap-fetches", self.only(heap_fetches=999)) == []
        assert find("heap-fetches", self.only(act_rows=10_001)) == []
        assert find("heap-fetches", self.only(heap_fetches=None)) == []
        assert find("heap-fetches", self.only(total_ms=4.9)) == []


class TestBitmapLossy:
    def heap(self, **fields):
        shape = {"kind": Kind.BITMAP_SCAN, "lossy_blocks": 10, "exact_blocks": 90, "removed_by_recheck": 1_000}
        return scan(**{**shape, **fields})

    def test_advises_memory(self):
        (match,) = find("bitmap-lossy", self.heap())

        assert match.evidence["rows_removed"] == 1_000
        assert "work_mem" in match.advice

    def test_leaves_lossy_blocks_that_cost_nothing(self):
        assert find("bitmap-lossy", self.heap(removed_by_recheck=999)) == []
        assert find("bitmap-lossy", self.heap(exact_blocks=91)) == []
        assert find("bitmap-lossy", self.heap(lossy_blocks=0)) == []


class TestBitmapAnd:
    def tree(self, kind):
        indexes = [
            estimated(kind=Kind.BITMAP_INDEX, relation=None, index_cond=condition)
            for condition in ("(shop_order.city = 'Bonn')", "(shop_order.customer_id > 5)")
        ]
        return above(Kind.BITMAP_SCAN, above(kind, *indexes), relation="shop_order", alias="shop_order")

    def test_wants_one_index_of_both(self):
        (match,) = find("bitmap-and", self.tree(Kind.BITMAP_AND))

        assert match.severity == "info"
        assert match.index == IndexNeed("shop_order", ("city",), "customer_id")

    def test_leaves_or(self):
        assert find("bitmap-and", self.tree(Kind.BITMAP_OR)) == []


class TestSkipScan:
    def search(self, condition):
        return estimated(kind=Kind.INDEX_SCAN, index="two", index_cond=condition)

    def test_wants_an_index_that_starts_with_the_column(self, monkeypatch):
        monkeypatch.setattr(trees.ORDER, "indexes", [trees.Index("two", ("status", "coupon_id"))])

        (match,) = find("skip-scan", self.search("(shop_order.coupon_id = 5)"))

        assert match.index == IndexNeed("shop_order", ("coupon_id",))
        assert find("skip-scan", self.search("((shop_order.status = 'a') AND (shop_order.coupon_id = 5))")) == []

    def test_leaves_what_it_does_not_know(self):
        assert find("skip-scan", self.search("(shop_order.coupon_id = 5)")) == []

    def test_reads_the_words_of_sqlite(self):
        node = estimated(kind=Kind.INDEX_SCAN, index="two", index_cond="ANY(status) AND coupon_id=?")

        assert len(find("skip-scan", node, engine="sqlite")) == 1
