"""
The facets page: class-based, so that the slow line hides behind the mixin.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import permutations
from typing import NamedTuple

from django.views.generic import TemplateView

from shop.models import AttributeValue, Product
from shop.views.twins import banner

PAIRS = 4_000


class Facet(NamedTuple):
    """
    A value, how many products have it, and the other value that most of these have too.
    """

    value: AttributeValue
    products: int
    companion: AttributeValue | None


class FacetsBase(TemplateView):
    template_name = "shop/pages/facets.html"
    slow = False

    def get_context_data(self, **kwargs):
        return super().get_context_data(**kwargs) | banner("facets", slow=self.slow)

    def values(self):
        return list(AttributeValue.objects.select_related("attribute").order_by("pk"))

    def pairs(self):
        through = Product.attribute_values.through
        return list(through.objects.order_by("pk").values_list("product_id", "attributevalue_id")[:PAIRS])


class SlowFacetsMixin:
    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        values, pairs = self.values(), self.pairs()
        facets = []
        for value in values:
            products = [product for product, owned in pairs if owned == value.pk]
            together = Counter()
            for product, owned in pairs:
                # Planted: "in" walks the list of products, for every pair, for every value.
                if owned != value.pk and product in products:
                    together[owned] += 1
            facets.append(Facet(value, len(products), companion(value, values, together)))
        return context | {"facets": facets}


class FixedFacetsMixin:
    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        values, owned_by = self.values(), defaultdict(list)
        for product, owned in self.pairs():
            owned_by[product].append(owned)
        counts = Counter(value for owned in owned_by.values() for value in owned)
        together = defaultdict(Counter)
        for owned in owned_by.values():
            for value, other in permutations(owned, 2):
                together[value][other] += 1
        facets = [Facet(value, counts[value.pk], companion(value, values, together[value.pk])) for value in values]
        return context | {"facets": facets}


def companion(value, values, together):
    others = (other for other in values if other.pk != value.pk)
    return max(others, key=lambda other: together[other.pk], default=None)


class SlowFacetsView(SlowFacetsMixin, FacetsBase):
    slow = True


class FixedFacetsView(FixedFacetsMixin, FacetsBase):
    pass
