"""
What the slow and the fixed version of a page share: the template and the banner.
"""

from __future__ import annotations

from django.template.response import TemplateResponse

from shop.tour import BY_PAGE


def page(request, name, context, *, slow):
    """
    Return the page ``name`` of the tour; it is rendered after the view, as most class-based views are.
    """
    return TemplateResponse(request, f"shop/pages/{name}.html", context | banner(name, slow=slow))


def banner(name, *, slow):
    return {"stop": BY_PAGE[name], "slow": slow}
