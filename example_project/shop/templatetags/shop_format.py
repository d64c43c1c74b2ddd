"""
How the shop writes money and names; and the picture of a product, drawn from its name.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.text import slugify

from shop.pictures import draw

register = template.Library()


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
    # Planted: asks Unicode about each character of each cell, although most names have been seen before.
    letters = []
    for character in str(text):
        plain = unicodedata.normalize("NFKD", character)
        kind = unicodedata.name(plain[0], "")
        if re.search(r"^(LATIN (SMALL|CAPITAL) LETTER|DIGIT) \w+$", kind) or kind in {"SPACE", "HYPHEN-MINUS"}:
            letters.append(plain[0])
        elif not re.search(r"(STOP|COMMA|APOSTROPHE)$", kind):
            letters.append(plain)
    return slugify("".join(letters))


quick_slug = register.filter("quick_slug", lru_cache(maxsize=4_096)(slugify))


@register.simple_tag
def picture(product):
    """
    Draw the product; the same picture for the same name.
    """
    return format_html(
        '<svg class="picture" viewBox="0 0 200 150" role="img" aria-label="{}">{}</svg>',
        product.name,
        mark_safe(draw(product.name)),
    )
