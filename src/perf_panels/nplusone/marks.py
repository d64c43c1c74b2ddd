"""
The functions of Django that say, by being on the stack, what a statement is for.
"""

from __future__ import annotations

from django.db.models import base, deletion, query
from django.db.models.fields import related_descriptors
from django.forms import models as form_models

READS = {
    name: name
    for name in (
        [
            "count",
            "exists",
            "aggregate",
            "contains",
            "get",
            "first",
            "last",
            "earliest",
            "latest",
            "in_bulk",
            "iterator",
            "explain",
        ]
    )
}
READS["_iterator"] = "iterator"  # a generator: iterator() itself has returned when the statement runs
"""Queryset methods a developer calls by name; the outermost of them names the access."""

MARKS: dict[str, dict[str, str]] = {
    query.__file__: dict.fromkeys(["_fetch_all", "_iterator", "_earliest", *READS], "read")
    | dict.fromkeys(["bulk_create", "_batched_insert", "bulk_update"], "batch")
    | {
        "update": "update",
        "_update": "update",
        "_raw_delete": "cascade",
        "prefetch_one_level": "one_level",
        "prefetch_related_objects": "prefetch_related_objects",
        "_prefetch_related_objects": "_prefetch_related_objects",
    },
    related_descriptors.__file__: {"count": "related_manager", "exists": "related_manager"}
    | dict.fromkeys(["_add_items", "_remove_items", "clear"], "batch"),
    base.__file__: {"save_base": "save", "refresh_from_db": "refresh"},
    deletion.__file__: {"collect": "cascade", "delete": "cascade"},
    form_models.__file__: dict.fromkeys(["__iter__", "__len__", "__bool__"], "choices"),
}
"""{file: {function: mark}} for ``origins.trace``."""
