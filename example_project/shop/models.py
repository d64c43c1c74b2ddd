"""
A small shop in the shape of a large one: a catalogue, stock, carts, orders, and copies of the tables that are indexed.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse


class Category(models.Model):
    name = models.CharField(max_length=60)
    slug = models.SlugField(unique=True)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="children")

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self):
        return self.name


class Attribute(models.Model):
    name = models.CharField(max_length=40, unique=True)

    def __str__(self):
        return self.name


class AttributeValue(models.Model):
    attribute = models.ForeignKey(Attribute, models.CASCADE, related_name="values")
    name = models.CharField(max_length=40)

    def __str__(self):
        return self.name


class Product(models.Model):
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=140, unique=True)
    description = models.TextField()
    category = models.ForeignKey(Category, models.CASCADE, related_name="products")
    attribute_values = models.ManyToManyField(AttributeValue, related_name="products")
    price_cents = models.PositiveIntegerField()
    featured = models.BooleanField(default=False)
    created = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["name"], name="product_name")]

    def __str__(self):
        # Planted: the admin's list calls this for every row.
        return f"{self.name} ({self.category.name})"

    def get_absolute_url(self):
        return reverse("shop:product", args=[self.slug])

    def cover(self):
        # Planted: without an order of its own, .first() sorts by primary key: a new query, prefetched or not.
        return self.images.first()


class ProductImage(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="images")
    position = models.PositiveSmallIntegerField(default=0)
    alt = models.CharField(max_length=160)

    def __str__(self):
        return self.alt


class Variant(models.Model):
    product = models.ForeignKey(Product, models.CASCADE, related_name="variants")
    sku = models.CharField(max_length=24, unique=True)
    name = models.CharField(max_length=60)
    price_cents = models.PositiveIntegerField()

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return self.sku


class Stock(models.Model):
    variant = models.OneToOneField(Variant, models.CASCADE, related_name="stock")
    quantity = models.PositiveIntegerField()
    warehouse = models.CharField(max_length=40)

    def __str__(self):
        return f"{self.quantity} in {self.warehouse}"


class Voucher(models.Model):
    code = models.CharField(max_length=20, unique=True)
    percent = models.PositiveSmallIntegerField()
    terms = models.TextField()

    def __str__(self):
        return self.code


class Address(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="addresses")
    street = models.CharField(max_length=80)
    city = models.CharField(max_length=60)
    postcode = models.CharField(max_length=12)
    country = models.CharField(max_length=2)

    class Meta:
        verbose_name_plural = "addresses"

    def __str__(self):
        return f"{self.street}, {self.city}"


class Cart(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="carts")
    created = models.DateTimeField()

    def __str__(self):
        return f"Cart {self.pk}"


class CartLine(models.Model):
    cart = models.ForeignKey(Cart, models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, models.CASCADE)
    quantity = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return f"{self.quantity} x {self.variant_id}"

    @property
    def category_name(self):
        # Planted: three relations, each loaded for each line.
        return self.variant.product.category.name

    @property
    def total_cents(self):
        return self.quantity * self.variant.price_cents


class AbstractOrder(models.Model):
    number = models.CharField(max_length=20)
    email = models.EmailField()
    status = models.CharField(max_length=20)
    created = models.DateTimeField()
    total_cents = models.PositiveIntegerField()

    class Meta:
        abstract = True

    def __str__(self):
        return self.number


class Order(AbstractOrder):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="orders")
    address = models.ForeignKey(Address, models.CASCADE)


class UnlessPartialIndex(models.Index):
    """
    An index for MariaDB and MySQL only: where there are partial indexes, the planner would have to choose.
    """

    def create_sql(self, model, schema_editor, using="", **kwargs):
        if schema_editor.connection.features.supports_partial_indexes:
            return "SELECT 1"
        return super().create_sql(model, schema_editor, using=using, **kwargs)

    def remove_sql(self, model, schema_editor, **kwargs):
        if schema_editor.connection.features.supports_partial_indexes:
            return "SELECT 1"
        return super().remove_sql(model, schema_editor, **kwargs)


class OrderArchive(AbstractOrder):
    """
    The same orders, in a table that has the index the orders lack.
    """

    class Meta:
        indexes = [
            models.Index(fields=["created", "number"], name="to_ship", condition=Q(status="unfulfilled")),
            UnlessPartialIndex(fields=["status", "created", "number"], name="status_created"),
        ]


class OrderLine(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, models.CASCADE)
    voucher = models.ForeignKey(Voucher, models.CASCADE, null=True)
    quantity = models.PositiveSmallIntegerField()
    unit_price_cents = models.PositiveIntegerField()

    def __str__(self):
        return f"{self.quantity} x {self.variant_id}"


class PriceListEntry(models.Model):
    """
    The variants again, in a table indexed for the price list.
    """

    sku = models.CharField(max_length=24)
    name = models.CharField(max_length=60)
    price_cents = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["price_cents", "sku", "name"], name="price_list")]
        verbose_name_plural = "price list entries"

    def __str__(self):
        return self.sku


class SearchTerm(models.Model):
    """
    The words of the products' names, so that a search is an index look-up.
    """

    word = models.CharField(max_length=40, db_index=True)
    product = models.ForeignKey(Product, models.CASCADE, related_name="terms")

    def __str__(self):
        return self.word
