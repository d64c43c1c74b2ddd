"""
Where the ORM is hooked. Each hook, in ``rows`` and ``relations``, is one function around Django's own, and calls it at
once when nobody is watching.

Installed once, by the panel's ``ready()`` or the first ``watch()``. No hook reads ``queryset.query`` of a prefetched
set (that would undo Django's deferred filters: 8 calls of ``build_filter`` become 2,008 on a page of 2,000 rows),
compares models, or puts a closure on an instance.
"""

from __future__ import annotations

import functools

from django.apps import apps
from django.db.models import Model, QuerySet, query
from django.db.models.base import ModelState
from django.db.models.fields import related_descriptors
from django.db.models.query import ModelIterable, RawModelIterable, RelatedPopulator

from perf_panels import statements
from perf_panels.nplusone import relations, rows
from perf_panels.nplusone.records import STAMP
from perf_panels.wrapping import wrap


def install() -> None:
    """
    Put every hook in place; a second call does nothing.
    """
    statements.install()
    # The default for every instance that was not loaded by a watched queryset.
    setattr(ModelState, STAMP, None)
    wrap(QuerySet, "__init__", rows.queryset_init)
    wrap(QuerySet, "_clone", rows.queryset_clone)
    wrap(ModelIterable, "__iter__", rows.iterate)
    wrap(RawModelIterable, "__iter__", rows.iterate)
    wrap(RelatedPopulator, "__init__", rows.populator_init)
    wrap(query, "prefetch_one_level", rows.prefetch_one_level)
    wrap(related_descriptors.ForwardManyToOneDescriptor, "__get__", functools.partial(relations.to_one_get, "field"))
    wrap(related_descriptors.ReverseOneToOneDescriptor, "__get__", functools.partial(relations.to_one_get, "related"))
    wrap(related_descriptors.ReverseManyToOneDescriptor, "__get__", relations.to_many_get)
    wrap(Model, "refresh_from_db", relations.refresh_from_db)
    if apps.is_installed("django.contrib.contenttypes"):
        from django.contrib.contenttypes import fields

        # Django 6.1 moved the descriptor out of the field.
        owner = getattr(fields, "GenericForeignKeyDescriptor", fields.GenericForeignKey)
        wrap(owner, "__get__", relations.generic_get)
