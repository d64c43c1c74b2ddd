"""
The facets page: class-based, so that the slow line hides behind the mixin.
"""

from __future__ import annotations

from collections import Counter

from django.views.generic import TemplateView

from shop.models import AttributeValue, Product
from shop.views.twins import banner


class FacetsBase(TemplateView):
    template_name = "shop/pages/facets.html"
    slow = False

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | banner("facets", slow=self.slow)

    def pairs(self):
        through = Product.attribute_values.through
        return list(through.objects.values_list("product_id", "attributevalue_id"))


class SlowFacetsMixin:
    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        pairs = self.pairs()
        facets = []
        for value in AttributeValue.objects.select_related("attribute").order_by("pk"):
            count = 0
            # Planted: every value looks at every pair.
            for pair in pairs:
                if pair[1] == value.pk:
                    count += 1
            facets.append((value, count))
        return context | {"facets": facets}


class FixedFacetsMixin:
    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        counts = Counter(value for _, value in self.pairs())
        values = AttributeValue.objects.select_related("attribute").order_by("pk")
        return context | {"facets": [(value, counts[value.pk]) for value in values]}


class SlowFacetsView(SlowFacetsMixin, FacetsBase):
    slow = True


class FixedFacetsView(FixedFacetsMixin, FacetsBase):
    pass
