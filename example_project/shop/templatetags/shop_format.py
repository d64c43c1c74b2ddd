"""
How the shop writes money and names; and the picture of a product, drawn from its number.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.text import slugify

register = template.Library()

SHADES = ("#c2703d", "#5b7f67", "#41618c", "#a8872f", "#8a5a83", "#4d8a8f", "#b5525c", "#6d7280")


@register.filter
def money(cents):
    whole, rest = divmod(int(cents), 100)
    return f"€{whole:,}.{rest:02d}"


@register.filter
def slow_money(cents):
    # Planted: builds the number digit by digit, for every cell, although most prices have been seen before.
    digits = ""
    for position, digit in enumerate(reversed(str(int(cents)).rjust(3, "0"))):
        if position == 2:
            digits = "." + digits
        elif position > 2 and position % 3 == 2:
            digits = "," + digits
        digits = unicodedata.normalize("NFKC", digit + digits)
    return f"€{unicodedata.normalize('NFKC', digits)}"


@register.filter
def slow_slug(text):
    # Planted: normalises every name again and again.
    for form in ("NFKD", "NFC", "NFKC", "NFD"):
        text = unicodedata.normalize(form, "".join(unicodedata.normalize(form, character) for character in str(text)))
    return slugify(text)


quick_slug = register.filter("quick_slug", lru_cache(maxsize=4_096)(slugify))


@register.simple_tag
def picture(product):
    """
    Draw a still life of three shapes; the same one for the same product.
    """
    number = product.pk
    colours = [SHADES[(number * step + step) % len(SHADES)] for step in (1, 3, 5)]
    height = 60 + number * 7 % 50
    return format_html(
        '<svg class="picture" viewBox="0 0 200 150" role="img" aria-label="{}">'
        '<rect width="200" height="150" fill="{}" opacity="0.16"/>'
        '<ellipse cx="100" cy="132" rx="74" ry="8" fill="currentColor" opacity="0.12"/>'
        '<rect x="{}" y="{}" width="44" height="{}" rx="{}" fill="{}"/>'
        '<circle cx="{}" cy="{}" r="{}" fill="{}"/>'
        '<path d="M{} 132 q 18 -{} 36 0 z" fill="{}"/></svg>',
        product.name,
        colours[2],
        52 + number % 20,
        132 - height,
        height,
        4 + number % 18,
        colours[0],
        128,
        110 - number % 20,
        20 + number % 9,
        colours[1],
        84 + number % 30,
        60 + number % 40,
        colours[2],
    )
