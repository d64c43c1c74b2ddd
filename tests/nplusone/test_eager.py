"""
Eager loads that cost more than they bring, with their thresholds and numbers.
"""

from __future__ import annotations

import pytest

from perf_panels.nplusone import watch
from tests.site.models import Author, Book, Publisher, Shelf

pytestmark = pytest.mark.usefixtures("stocked")


def books_by(authors, count):
    Book.objects.all().delete()
    Book.objects.bulk_create(Book(title=f"{n}", author=authors[n % len(authors)]) for n in range(count))


def follow(queryset):
    with watch() as findings:
        for book in queryset:
            str(book.author.publisher)
    return findings


@pytest.mark.parametrize(
    ("authors", "rows", "is_found"), [(6, 100, True), (6, 99, False), (11, 100, False), (10, 100, True)]
)
def test_a_join_is_wasteful_from_a_ratio_and_a_number_of_rows_on(authors, rows, is_found):
    publisher = Publisher.objects.first()
    more = [Author.objects.create(name="more", publisher=publisher) for _ in range(authors)]
    books_by(more, rows)

    findings = follow(Book.objects.select_related("author__publisher"))

    relations = [each.relation for each in findings if each.rule == "join-fanout"]
    assert ("library.Book.author" in relations) is is_found


def test_the_numbers_are_told(library):
    books_by(library, 120)

    (finding,) = follow(Book.objects.select_related("author__publisher"))

    assert finding.relation == "library.Book.author"
    assert {key: finding.evidence[key] for key in ("rows", "distinct", "instances_built", "duplicates", "queries")} == {
        "rows": 120, "distinct": 6, "instances_built": 120, "duplicates": 114, "queries": 0,
    }  # fmt: skip
    assert finding.severity == "info"
    assert finding.fix_at.file == __file__


def test_a_thousand_duplicates_are_a_warning(library):
    books_by(library, 1_100)

    (finding,) = follow(Book.objects.select_related("author__publisher"))

    assert finding.severity == "warning"


def test_a_second_hop_alone_is_prefetched_through_the_first(library):
    authors = [Author.objects.create(name=f"{n}", publisher=Publisher.objects.first()) for n in range(120)]
    books_by(authors, 120)

    (finding,) = follow(Book.objects.select_related("author__publisher"))

    assert finding.relation == "library.Author.publisher"
    assert finding.code == '.prefetch_related("author__publisher")'
    assert follow(Book.objects.select_related("author").prefetch_related("author__publisher")) == []


def test_the_thresholds_are_settings(library, settings):
    settings.PERF_PANELS = {"NPLUSONE_FANOUT_RATIO": 2, "NPLUSONE_FANOUT_ROWS": 12}

    findings = follow(Book.objects.select_related("author__publisher"))

    assert [each.rule for each in findings] == ["join-fanout"]


def test_unused_loads_are_named_by_their_first_hop():
    with watch() as findings:
        list(Author.objects.prefetch_related("books__review_set__book"))

    assert [(each.rule, each.severity, each.relation) for each in findings] == [
        ("unused-eager-load", "info", "library.Author.books")
    ]


def test_an_unused_load_behind_a_set_with_another_query_name_is_named_right():
    with watch() as findings:
        for book in Book.objects.prefetch_related("copies__shelf"):
            list(book.copies.all())

    assert [each.relation for each in findings] == ["library.Copy.shelf"]


def test_an_unused_join_is_told_from_the_used_one():
    with watch() as findings:
        for book in Book.objects.select_related("author", "editor"):
            str(book.author)

    assert [each.relation for each in findings] == ["library.Book.editor"]
    assert "unused in 1 of 1 requests" in findings[0].detail


def test_an_eager_load_that_brought_nothing_is_not_unused():
    with watch() as findings:
        list(Shelf.objects.filter(copies=None).prefetch_related("copies"))

    assert findings == []
