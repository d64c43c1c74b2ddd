from __future__ import annotations

from django.contrib import admin

from shop.models import Category, Order, Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    # Planted: "__str__" names the category of each product.
    list_display = ["__str__", "price_cents"]


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    list_display = ["name", "slug"]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["number", "status", "created"]
    date_hierarchy = "created"
