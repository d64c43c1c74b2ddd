"""
The planted problems: what the tour's cards and the banners of the pages say.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse


@dataclass(frozen=True)
class Stop:
    """
    One page of the tour, in two versions that look the same.
    """

    page: str
    title: str
    problem: str
    panels: tuple[str, ...]
    where: str

    @property
    def slow_url(self):
        return reverse(f"shop:slow-{self.page}")

    @property
    def fixed_url(self):
        return reverse(f"shop:fixed-{self.page}")


STOPS = [
    Stop(
        "home",
        "Featured products",
        "Every card asks for its category and for its first image. The images are prefetched, but first() asks again.",
        ("N+1",),
        "shop/views/storefront.py, slow_home",
    ),
    Stop(
        "category",
        "A category",
        "The template goes from products to variants to stock: one query for each step of each row.",
        ("N+1",),
        "shop/templates/shop/pages/category.html",
    ),
    Stop(
        "cart",
        "The cart",
        "A model property walks from the line to the variant, the product and the category, for every line.",
        ("N+1", "Line profiler"),
        "shop/models.py, CartLine.category_name",
    ),
    Stop(
        "order-lines",
        "Order lines",
        "One JOIN over ten tables repeats five vouchers, terms and all, over 2,000 rows.",
        ("N+1", "SQL EXPLAIN", "Memory"),
        "shop/views/dashboard.py, slow_order_lines",
    ),
    Stop(
        "catalogue",
        "The catalogue, filtered",
        "A JOIN to the attribute values multiplies the products, and distinct() sorts the copies out again.",
        ("SQL EXPLAIN",),
        "shop/views/storefront.py, slow_catalogue",
    ),
    Stop(
        "search",
        "Search",
        "name__icontains looks at every product there is, for every search.",
        ("SQL EXPLAIN",),
        "shop/views/storefront.py, slow_search",
    ),
    Stop(
        "to-ship",
        "Orders to ship",
        "One order in a hundred is unfulfilled. To find the oldest fifty, the database reads all of them.",
        ("SQL EXPLAIN",),
        "shop/views/dashboard.py, slow_to_ship",
    ),
    Stop(
        "price-list",
        "The price list",
        "Ordered by a column without an index: the whole table is sorted to show its first page.",
        ("SQL EXPLAIN",),
        "shop/views/dashboard.py, slow_price_list",
    ),
    Stop(
        "export",
        "The catalogue as a page",
        "Two template filters work hard for each of some thousand cells, mostly on values they have seen before.",
        ("VMProf", "Line profiler"),
        "shop/templatetags/shop_format.py",
    ),
    Stop(
        "sales-report",
        "The sales report",
        "All order lines become a list of dictionaries, to be added up in Python.",
        ("Memory",),
        "shop/reports.py, slow_sales",
    ),
    Stop(
        "facets",
        "Facets",
        "A mixin compares every value with every product, in a loop inside a loop, behind three layers of classes.",
        ("Line profiler", "VMProf"),
        "shop/views/facets.py, SlowFacetsMixin",
    ),
]
BY_PAGE = {stop.page: stop for stop in STOPS}
