"""
The line profiler panel on the pages that are planted for it: it names the very line.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings
from shop.models import CartLine
from shop.templatetags.shop_format import slow_slug
from shop.views.facets import SlowFacetsMixin

from perf_panels import actions
from perf_panels.functions import target_of
from perf_panels.lines import PANEL_ID
from tests.example_project.pages import LINES

pytestmark = pytest.mark.django_db


def planted(function):
    """
    Return the line of the code that follows the comment "Planted".
    """
    target = target_of(function)
    lines = Path(target.file).read_text().splitlines()
    return next(number + 1 for number in range(target.first_line, len(lines)) if "# Planted" in lines[number - 1])


def test_the_facets_page_has_the_loop_of_the_mixin_as_its_finding(visit):
    _, stats = visit("/slow/facets/", LINES, lambda stats: len(stats[LINES]["findings"]) == 1)

    (finding,) = stats[LINES]["findings"]
    assert finding["origin"]["function"] == "SlowFacetsMixin.get_context_data"
    assert finding["origin"]["line"] == planted(SlowFacetsMixin.get_context_data)


def test_the_export_has_the_filter_as_its_finding(visit):
    def found(stats):
        return {finding["origin"]["function"] for finding in stats[LINES]["findings"]}

    _, stats = visit("/slow/export/", LINES, lambda stats: found(stats) == {slow_slug.__name__})

    assert found(stats) == {slow_slug.__name__}
    assert stats[LINES]["findings"][0]["origin"]["template"] == "shop/pages/export.html"


def test_the_cart_shows_the_property_after_one_click(visit, settings):
    # Without the click: it would be timed by itself.
    settings.PERF_PANELS = {**settings.PERF_PANELS, "LINES_FUNCTIONS": 0}
    response, before = visit("/slow/cart/", LINES)
    offered = next(each for each in before[LINES]["seen"] if each["name"] == "CartLine.category_name")
    token = actions.token(PANEL_ID, response.headers["djdt-request-id"], "deeper", offered["id"])

    with override_settings(ROOT_URLCONF="config.urls"):
        clicked = response.client.post("/__debug__/perf_panels/lines/deeper/", {"token": token})
    _, after = visit("/slow/cart/", LINES, lambda stats: len(stats[LINES]["findings"]) == 1, client=response.client)

    assert clicked.status_code == 200, clicked.content
    assert "CartLine.category_name" not in {each["name"] for each in before[LINES]["functions"]}
    (finding,) = after[LINES]["findings"]
    assert finding["origin"]["function"] == "CartLine.category_name"
    assert finding["origin"]["line"] == planted(CartLine.category_name.fget)
    assert [each["name"] for each in after[LINES]["selection"]] == ["CartLine.category_name"]
