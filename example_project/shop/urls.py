from __future__ import annotations

from django.urls import path

from shop.views import dashboard, facets, feeds, storefront

app_name = "shop"

TWINS = {
    "home": (storefront.slow_home, storefront.fixed_home),
    "category": (storefront.slow_category, storefront.fixed_category),
    "cart": (storefront.slow_cart, storefront.fixed_cart),
    "order-lines": (dashboard.slow_order_lines, dashboard.fixed_order_lines),
    "catalogue": (storefront.slow_catalogue, storefront.fixed_catalogue),
    "search": (storefront.slow_search, storefront.fixed_search),
    "to-ship": (dashboard.slow_to_ship, dashboard.fixed_to_ship),
    "price-list": (dashboard.slow_price_list, dashboard.fixed_price_list),
    "export": (dashboard.slow_export, dashboard.fixed_export),
    "sales-report": (dashboard.slow_sales_report, dashboard.fixed_sales_report),
    "facets": (facets.SlowFacetsView.as_view(), facets.FixedFacetsView.as_view()),
}

urlpatterns = [
    path("", storefront.tour, name="tour"),
    path("products/<slug:slug>/", storefront.product, name="product"),
    path("dashboard/", dashboard.dashboard, name="dashboard"),
    path("async/stock/", dashboard.stock, name="stock"),
    path("api/products.json", feeds.products_json, name="products-json"),
    path("export.csv", feeds.export_csv, name="export-csv"),
    *(path(f"slow/{page}/", slow, name=f"slow-{page}") for page, (slow, _) in TWINS.items()),
    *(path(f"fixed/{page}/", fixed, name=f"fixed-{page}") for page, (_, fixed) in TWINS.items()),
]
