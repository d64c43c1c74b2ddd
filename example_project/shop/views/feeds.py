"""
What other programs read: JSON and CSV.
"""

from __future__ import annotations

import csv

from django.http import JsonResponse, StreamingHttpResponse

from shop.models import Product


def products_json(request):
    products = Product.objects.select_related("category")[:100]
    return JsonResponse(
        {
            "products": [
                {"name": product.name, "category": product.category.name, "price_cents": product.price_cents}
                for product in products
            ]
        }
    )


class Echo:
    def write(self, value):
        return value


def export_csv(request):
    writer = csv.writer(Echo())
    rows = Product.objects.values_list("name", "category__name", "price_cents").iterator(chunk_size=500)
    response = StreamingHttpResponse((writer.writerow(row) for row in rows), content_type="text/csv")
    response["Content-Disposition"] = 'attachment; filename="catalogue.csv"'
    return response
