"""
What a visitor sees: home, a category, the cart, the catalogue, the search.
"""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Prefetch
from django.db.models.functions import Lower
from django.shortcuts import get_object_or_404, render

from shop.models import Cart, CartLine, Category, Product, ProductImage
from shop.tour import STOPS
from shop.views.twins import page

FEATURED = 24
WANTED = ["Sand", "Moss", "Ink", "Small", "Medium", "Nordic", "Classic", "Loft"]


def tour(request):
    return render(request, "shop/tour.html", {"stops": STOPS})


def slow_home(request):
    products = Product.objects.filter(featured=True).prefetch_related("images")[:FEATURED]
    return page(request, "home", {"products": products}, slow=True)


def fixed_home(request):
    products = (
        Product.objects.filter(featured=True)
        .select_related("category")
        .prefetch_related(Prefetch("images", queryset=ProductImage.objects.order_by("pk")[:1], to_attr="first_images"))[
            :FEATURED
        ]
    )
    for product in products:
        product.cover = product.first_images[0]
    return page(request, "home", {"products": products}, slow=False)


def slow_category(request):
    category = Category.objects.get(slug="lighting")
    products = Product.objects.filter(category=category)[:30]
    return page(request, "category", {"category": category, "products": products}, slow=True)


def fixed_category(request):
    category = Category.objects.get(slug="lighting")
    products = Product.objects.filter(category=category).prefetch_related("variants__stock")[:30]
    return page(request, "category", {"category": category, "products": products}, slow=False)


def slow_cart(request):
    lines = CartLine.objects.filter(cart=first_cart())
    return page(request, "cart", {"lines": lines}, slow=True)


def fixed_cart(request):
    lines = CartLine.objects.filter(cart=first_cart()).select_related("variant__product__category")
    return page(request, "cart", {"lines": lines}, slow=False)


def first_cart():
    return Cart.objects.earliest("pk")


def slow_catalogue(request):
    wanted = request.GET.getlist("value") or WANTED
    products = Product.objects.filter(attribute_values__name__in=wanted).distinct().order_by(Lower("name"))
    context = {"found": products.count(), "products": products[:60], "wanted": wanted}
    return page(request, "catalogue", context, slow=True)


def fixed_catalogue(request):
    wanted = request.GET.getlist("value") or WANTED
    through = Product.attribute_values.through
    has_value = Exists(through.objects.filter(product=OuterRef("pk"), attributevalue__name__in=wanted))
    products = Product.objects.filter(has_value).order_by("name")
    context = {"found": products.count(), "products": products[:60], "wanted": wanted}
    return page(request, "catalogue", context, slow=False)


def slow_search(request):
    word = request.GET.get("q", "oak lamp")
    products = Product.objects.filter(name__icontains=word).order_by("pk")
    return page(request, "search", {"found": products.count(), "products": products[:60], "word": word}, slow=True)


def fixed_search(request):
    word = request.GET.get("q", "oak lamp")
    products = Product.objects.order_by("pk")
    for each in word.lower().split():
        products = products.filter(terms__word=each)
    return page(request, "search", {"found": products.count(), "products": products[:60], "word": word}, slow=False)


def product(request, slug):
    products = Product.objects.select_related("category").prefetch_related(
        "variants__stock", "attribute_values__attribute"
    )
    return render(request, "shop/product.html", {"product": get_object_or_404(products, slug=slug)})
