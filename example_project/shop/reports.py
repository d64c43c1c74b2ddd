"""
The sales report, added up in two ways.
"""

from __future__ import annotations

from django.db.models import F, Sum

from shop.models import OrderLine


def slow_sales():
    """
    Return [{"category", "quantity", "turnover_cents"}], from a list of all order lines.
    """
    # Planted: every line of every order is in memory at once, as a dictionary.
    lines = [
        {
            "category": line.category,
            "product": line.product,
            "description": line.description,
            "sku": line.sku,
            "quantity": line.quantity,
            "turnover_cents": line.quantity * line.unit_price_cents,
        }
        for line in OrderLine.objects.annotate(
            category=F("variant__product__category__name"),
            product=F("variant__product__name"),
            description=F("variant__product__description"),
            sku=F("variant__sku"),
        )
    ]
    totals = {}
    for line in lines:
        row = totals.setdefault(line["category"], {"category": line["category"], "quantity": 0, "turnover_cents": 0})
        row["quantity"] += line["quantity"]
        row["turnover_cents"] += line["turnover_cents"]
    return [totals[category] for category in sorted(totals)]


def fixed_sales():
    """
    Return the same rows, added up by the database.
    """
    rows = (
        OrderLine.objects.values(category=F("variant__product__category__name"))
        .annotate(quantity_sold=Sum("quantity"), turnover_cents=Sum(F("quantity") * F("unit_price_cents")))
        .order_by("category")
    )
    return [
        {"category": row["category"], "quantity": row["quantity_sold"], "turnover_cents": row["turnover_cents"]}
        for row in rows
    ]
