"""
What the shop's staff see: order lines, orders to ship, the price list, the export, the sales report.
"""

from __future__ import annotations

from django.db.models import Sum
from django.shortcuts import render

from shop import reports
from shop.models import Order, OrderArchive, OrderLine, PriceListEntry, Product, Stock, Variant
from shop.views.twins import page

LINES = 2_000


def dashboard(request):
    figures = {
        "products": Product.objects.count(),
        "orders": Order.objects.count(),
        "turnover_cents": Order.objects.aggregate(total=Sum("total_cents"))["total"] or 0,
    }
    return render(request, "shop/dashboard.html", {"figures": figures})


async def stock(request):
    low = Stock.objects.filter(quantity__lt=5).select_related("variant").order_by("quantity", "pk")[:40]
    return render(request, "shop/stock.html", {"stocks": [each async for each in low]})


def slow_order_lines(request):
    lines = OrderLine.objects.select_related(
        "order__user", "order__address", "voucher", "variant__stock", "variant__product__category__parent"
    ).order_by("order__number", "pk")[:LINES]
    return page(request, "order-lines", {"lines": lines}, slow=True)


def fixed_order_lines(request):
    lines = (
        OrderLine.objects.select_related("variant__product")
        .prefetch_related("order__user", "order__address", "voucher", "variant__product__category")
        .order_by("pk")[:LINES]
    )
    return page(request, "order-lines", {"lines": lines}, slow=False)


def slow_to_ship(request):
    orders = Order.objects.filter(status="unfulfilled").order_by("created", "number")[:50]
    return page(request, "to-ship", {"orders": orders}, slow=True)


def fixed_to_ship(request):
    orders = OrderArchive.objects.filter(status="unfulfilled").order_by("created", "number")[:50]
    return page(request, "to-ship", {"orders": orders}, slow=False)


def slow_price_list(request):
    return page(request, "price-list", {"entries": Variant.objects.order_by("price_cents", "sku")[:100]}, slow=True)


def fixed_price_list(request):
    entries = PriceListEntry.objects.order_by("price_cents", "sku")[:100]
    return page(request, "price-list", {"entries": entries}, slow=False)


def slow_export(request):
    variants = Variant.objects.select_related("product")[:1_200]
    return page(request, "export", {"variants": variants}, slow=True)


def fixed_export(request):
    variants = Variant.objects.select_related("product")[:1_200]
    return page(request, "export", {"variants": variants}, slow=False)


def slow_sales_report(request):
    return page(request, "sales-report", {"rows": reports.slow_sales()}, slow=True)


def fixed_sales_report(request):
    return page(request, "sales-report", {"rows": reports.fixed_sales()}, slow=False)
