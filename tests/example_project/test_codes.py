"""
The printed code is pasted into the slow page, at the printed place, and the finding is gone.
"""

from __future__ import annotations

import inspect
import textwrap

import pytest
from django.contrib.admin.sites import site as admin_site
from django.contrib.auth import get_user_model
from django.db.models import Prefetch
from django.test import RequestFactory
from shop import models
from shop.admin import ProductAdmin
from shop.views import dashboard, storefront

from perf_panels.nplusone import watch

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shop")]


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = "config.urls"


def findings_of(view):
    with watch() as findings:
        view(RequestFactory().get("/")).render()
    return {(finding.rule, finding.relation): finding for finding in findings}


def pasted(view, finding, also=()):
    """
    Return the view with the finding's code put behind the manager on the line that the finding names.
    """
    source, first = inspect.getsourcelines(view)
    lines = list(source)
    line = finding.fix_at.line - first
    # The statement may span lines: its manager is on this one or on one of the next.
    line = next(number for number in range(line, len(lines)) if ".objects" in lines[number])
    lines[line] = lines[line].replace(".objects", f".objects{finding.code}", 1)
    text = textwrap.dedent("".join(lines))
    for old, new in also:
        assert old in text
        text = text.replace(old, new)
    module = inspect.getmodule(view)
    namespace = vars(models) | vars(module) | {"Prefetch": Prefetch}
    exec(compile(text, module.__file__, "exec"), namespace)
    return namespace[view.__name__]


@pytest.mark.parametrize(
    ("view", "rule", "relation"),
    [
        (storefront.slow_home, "lazy-load", "shop.Product.category"),
        (storefront.slow_category, "lazy-load", "shop.Variant.stock"),
        (storefront.slow_cart, "lazy-load", "shop.Product.category"),
    ],
)
def test_a_lazy_load_goes_away(view, rule, relation):
    finding = findings_of(view)[rule, relation]

    left = findings_of(pasted(view, finding))

    assert (rule, relation) not in left
    assert finding.evidence["queries"] >= 24


def test_a_related_filter_goes_away_with_the_attribute_the_advice_names(monkeypatch):
    finding = findings_of(storefront.slow_home)["related-filter", "shop.Product.images"]
    assert "row.first_images[0]" in finding.advice
    monkeypatch.setattr(models.Product, "cover", lambda self: self.first_images[0])

    left = findings_of(pasted(storefront.slow_home, finding, [('.prefetch_related("images")', "")]))

    assert ("related-filter", "shop.Product.images") not in left


def test_a_join_fanout_goes_away():
    finding = findings_of(dashboard.slow_order_lines)["join-fanout", "shop.OrderLine.voucher"]
    assert 'Take "voucher" out of select_related()' in finding.advice

    left = findings_of(
        pasted(dashboard.slow_order_lines, finding, [('"voucher", "variant__stock"', '"variant__stock"')])
    )

    assert ("join-fanout", "shop.OrderLine.voucher") not in left


def test_the_admin_lists_n_plus_one_goes_away(client, monkeypatch):
    client.force_login(get_user_model().objects.create_superuser("boss"))
    with watch() as findings:
        client.get("/admin/shop/product/")
    finding = next(finding for finding in findings if finding.relation == "shop.Product.category")
    assert finding.fix_at.function == "ProductAdmin"
    assert finding.code == 'list_select_related = ["category"]'

    monkeypatch.setattr(ProductAdmin, "list_select_related", ["category"])
    with watch() as findings:
        client.get("/admin/shop/product/")

    assert admin_site.is_registered(models.Product)
    assert "shop.Product.category" not in {finding.relation for finding in findings}
