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
        "The view loads products only. The template goes on to variants and stock, with a query for each of them.",
        ("N+1",),
        "shop/templates/shop/pages/category.html",
    ),
    Stop(
        "cart",
        "The cart",
        "Each line shows its category. A model property walks there by variant and product: three queries a line.",
        ("N+1", "Line profiler"),
        "shop/models.py, CartLine.category_name",
    ),
    Stop(
        "order-lines",
        "Order lines",
        "One query joins ten tables and sorts rows of 60 columns. Five vouchers, terms and all, are built 2,000 times.",
        ("N+1", "SQL EXPLAIN", "Memory"),
        "shop/views/dashboard.py, slow_order_lines",
    ),
    Stop(
        "catalogue",
        "The catalogue, filtered",
        "A JOIN to the attribute values multiplies the products. Then distinct() drops the copies, and Lower() sorts.",
        ("SQL EXPLAIN",),
        "shop/views/storefront.py, slow_catalogue",
    ),
    Stop(
        "search",
        "Search",
        "No index can help name__icontains. The database reads the name of every product, for every search.",
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
        "The list is ordered by a column without an index. All variants are sorted, to show the first hundred.",
        ("SQL EXPLAIN",),
        "shop/views/dashboard.py, slow_price_list",
    ),
    Stop(
        "export",
        "The catalogue as a page",
        "Two template filters work hard in each of some thousand cells. Most of the values they have seen before.",
        ("VMProf", "Line profiler"),
        "shop/templatetags/shop_format.py",
    ),
    Stop(
        "sales-report",
        "The sales report",
        "All 20,000 order lines become a list of dictionaries. Python adds up what the database could have added up.",
        ("Memory",),
        "shop/reports.py, slow_sales",
    ),
    Stop(
        "facets",
        "Facets",
        "For each pair of each value, a list of products is searched from its start. The loop hides in a mixin.",
        ("Line profiler", "VMProf"),
        "shop/views/facets.py, SlowFacetsMixin",
    ),
]
BY_PAGE = {stop.page: stop for stop in STOPS}
