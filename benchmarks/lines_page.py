"""
The page of the line profiler's benchmark: heavy in templates, with a property, a filter and a tag of the project.
"""

from __future__ import annotations

import functools
import os

from debug_toolbar.toolbar import debug_toolbar_urls
from django.http import HttpResponse
from django.template import Library
from django.template.backends.django import DjangoTemplates
from django.urls import path

ROWS = 450
_SOURCE = """{% load bench %}<html><body>{% for row in rows %}<tr>
{% for cell in row.cells %}<td>{{ cell|upper|truncatechars:12 }}{% if cell == row.name %}!{% endif %}</td>{% endfor %}
<td>{{ row.title }}</td><td>{{ row.number|stars }}</td></tr>{% endfor %}{% legend %}</body></html>"""

register = Library()


class Row:
    def __init__(self, number):
        self.number = number
        self.name = f"row {number}"
        self.cells = [self.name, "some", "more", "cells"]

    @property
    def title(self):
        name = self.name
        return name.title()


@register.filter
def stars(number):
    count = number % 5
    return "*" * count


@register.simple_tag
def legend():
    return "stars"


def page(request):
    rows = []
    for number in range(ROWS):
        rows.append(Row(number))  # noqa: PERF401 - lines to be counted
    return HttpResponse(_template().render({"rows": rows}))


@functools.lru_cache(maxsize=1)
def _template():
    options = {"libraries": {"bench": "benchmarks.lines_page"}}
    engine = DjangoTemplates({"NAME": "bench", "DIRS": [], "APP_DIRS": False, "OPTIONS": options})
    return engine.from_string(_SOURCE)


FUNCTIONS = [page, Row.__init__, Row.title.fget, stars, legend]


def by_hand(view, functions):
    """
    Return the view with line_profiler around it, as somebody would put it there.
    """
    from line_profiler import LineProfiler

    @functools.wraps(view)
    def profiled(request):
        profiler = LineProfiler()
        for function in functions:
            profiler.add_function(function)
        profiler.enable()
        try:
            return view(request)
        finally:
            profiler.disable()

    return profiled


VARIANT = os.environ.get("BENCH_VARIANT", "")
HAND = {"hand-view": FUNCTIONS[:1], "hand-all": FUNCTIONS}
urlpatterns = [
    path("page/", by_hand(page, HAND[VARIANT]) if VARIANT in HAND else page),
    *debug_toolbar_urls(),
]
