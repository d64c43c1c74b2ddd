from __future__ import annotations

from io import StringIO

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from shop.models import Order, OrderArchive, OrderLine, Product, Variant, Voucher

pytestmark = pytest.mark.django_db


def fill(scale=0.01, **options):
    out = StringIO()
    call_command("populatedb", scale=scale, stdout=out, **options)
    return out.getvalue()


def everything():
    tables = apps.get_app_config("shop").get_models(include_auto_created=True)
    return {model.__name__: list(model.objects.order_by("pk").values_list()) for model in tables}


def test_the_same_scale_makes_the_same_rows():
    fill()
    first = everything()

    fill()

    assert all(first.values())
    assert everything() == first


def test_a_smaller_shop_leaves_nothing_of_the_larger_one():
    fill()
    small = everything()

    fill(0.02)
    fill()

    assert everything() == small


def test_users_that_are_no_customers_are_kept():
    user = get_user_model().objects.create(username="you")

    fill()

    assert get_user_model().objects.filter(pk=user.pk, username="you").exists()


def test_rows_can_be_added_afterwards():
    fill()

    voucher = Voucher.objects.create(code="NEW", percent=5, terms="")

    assert voucher.pk > 5


def test_a_filled_shop_is_left_alone_if_asked():
    fill()
    Product.objects.filter(pk=1).update(name="Yours")

    said = fill(if_empty=True)

    assert "filled already" in said
    assert Product.objects.get(pk=1).name == "Yours"


def test_the_scale_says_how_many():
    fill(0.1)

    assert Product.objects.count() == 1_200
    assert Variant.objects.count() == 3_600
    assert Order.objects.count() == 6_000
    assert OrderLine.objects.count() == 2_000
    assert Order.objects.filter(status="unfulfilled").count() == 60


def test_the_archive_holds_the_same_orders():
    fill()

    columns = ("number", "email", "status", "created", "total_cents")

    assert list(OrderArchive.objects.order_by("number").values_list(*columns)) == list(
        Order.objects.order_by("number").values_list(*columns)
    )
