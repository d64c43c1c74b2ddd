"""
Code that is right, or wrong by so little that nothing should be said: no finding, not even a small one.
"""

from __future__ import annotations

import django
import pytest
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, OuterRef, Prefetch, Subquery, prefetch_related_objects

from perf_panels.nplusone import watch
from tests.nplusone.corpus import authors, books
from tests.site.models import Author, Book, Genre, Magazine, Publisher, Shelf, TaggedItem

pytestmark = pytest.mark.usefixtures("stocked")

QUIET = {}


def quiet(case):
    QUIET[case.__name__] = case
    return case


@quiet
def one_of_many_rows_followed():
    return list(books())[3].author.publisher.name


@quiet
def two_of_many_rows_followed():
    return [book.author.name for number, book in enumerate(books()) if number < 2]


@quiet
def one_row():
    return [(list(author.books.all()), author.books.count(), author.publisher.name) for author in authors()[:1]]


@quiet
def get_and_follow():
    author = Book.objects.get(title="book 1").author
    return author.publisher.name, list(author.friends.all()), author.books.count()


@quiet
def cascade_delete():
    Author.objects.all().delete()


@quiet
def cascade_delete_of_one():
    Publisher.objects.first().delete()


@quiet
def chunked_prefetch():
    return [
        list(book.genres.all())
        for book in books().select_related("author").prefetch_related("genres", "review_set").iterator(chunk_size=2)
        if book.author.name and book.review_set.all()
    ]


@quiet
def batches_of_bulk_create():
    Genre.objects.bulk_create([Genre(name=f"new {number}") for number in range(9)], batch_size=2)


@quiet
def batches_of_bulk_update():
    Book.objects.bulk_update(list(books()), ["price"], batch_size=2)


@quiet
def savepoints():
    for number in range(5):
        with transaction.atomic():
            if number == 4:
                list(Genre.objects.all())


@quiet
def null_relations():
    Book.objects.update(editor=None)
    return [book.editor for book in books()]


@quiet
def null_relations_joined():
    Book.objects.update(editor=None)
    return [book.editor for book in books().select_related("editor")]


@quiet
def fresh_objects():
    author = Author(name="fresh")
    return [Book(title="fresh", author=author).author.name for _ in range(4)]


@quiet
def created_and_followed():
    book = Book.objects.create(title="new", author=Author.objects.first())
    return book.author.publisher.name


@quiet
def saved_twice():
    author = Author.objects.first()
    author.save()
    author.save()


@quiet
def joined():
    return [book.author.publisher.name for book in books().select_related("author__publisher")]


@quiet
def joined_reverse():
    return [hasattr(author, "profile") and author.profile.bio for author in authors().select_related("profile")]


@quiet
def joined_child():
    return [hasattr(book, "magazine") and book.magazine.issue for book in books().select_related("magazine")]


@quiet
def prefetched_key():
    return [book.author.name for book in books().prefetch_related("author")]


@quiet
def prefetched_generic_key():
    return [tag.content_object.title for tag in TaggedItem.objects.prefetch_related("content_object")]


@quiet
def prefetched_sets():
    queryset = books().prefetch_related("genres", "review_set", "tags", "copies")
    return [
        (list(b.genres.all()), len(b.review_set.all()), bool(b.tags.all()), b.copies.all().count()) for b in queryset
    ]


@quiet
def prefetched_in_prefetched():
    return [
        [list(book.review_set.all()) for book in author.books.all()]
        for author in authors().prefetch_related("books__review_set")
    ]


@quiet
def prefetched_behind_joined():
    queryset = books().select_related("author").prefetch_related("author__friends")
    return [list(book.author.friends.all()) for book in queryset]


@quiet
def joined_in_prefetched():
    inner = Book.objects.select_related("author__publisher")
    return [
        [book.author.publisher.name for book in genre.books.all()]
        for genre in Genre.objects.prefetch_related(Prefetch("books", inner))
    ]


@quiet
def prefetched_into_an_attribute():
    inner = Book.objects.filter(price=10).select_related("editor")
    queryset = authors().prefetch_related(Prefetch("books", inner, to_attr="cheap"))
    return [[book.editor.name for book in author.cheap] for author in queryset]


@quiet
def two_attributes_of_one_set():
    cheap, dear = Book.objects.filter(price__lt=10), Book.objects.filter(price__gte=10)
    queryset = authors().prefetch_related(
        Prefetch("books", cheap, to_attr="cheap"),
        Prefetch("books", dear, to_attr="dear"),
        "cheap__genres",
        "dear__genres",
    )
    return [[list(book.genres.all()) for book in (*author.cheap, *author.dear)] for author in queryset]


@quiet
def asked_of_a_prefetched_set():
    queryset = books().prefetch_related("genres")
    return [(b.genres.count(), b.genres.all().exists(), len(b.genres.all()), b.genres.all()[0]) for b in queryset]


@quiet
def empty_sets():
    return [list(shelf.copies.all()) for shelf in Shelf.objects.filter(copies=None).prefetch_related("copies__book")]


@quiet
def nothing_at_all():
    return [list(m.genres.all()) for m in Magazine.objects.filter(pk=-1).prefetch_related("genres")]


@quiet
def page_and_count():
    page = Paginator(books(), 5).get_page(2)
    return page.paginator.count, list(page), page.has_next()


@quiet
def count_and_iterator():
    queryset = books()
    return queryset.count(), list(queryset.iterator())


@quiet
def in_bulk():
    return Book.objects.in_bulk([1, 2, 3])


@quiet
def annotated():
    newest = Book.objects.filter(author=OuterRef("pk")).order_by("-pk").values("title")[:1]
    return [(a.n, a.newest) for a in authors().annotate(n=Count("books"), newest=Subquery(newest))]


@quiet
def prefetch_of_a_list():
    rows = list(books())
    prefetch_related_objects(rows, "genres")
    return [list(book.genres.all()) for book in rows]


@quiet
def values():
    return list(books().values("author__name"))


@quiet
def keys_without_their_objects():
    return [book.author_id for book in books()]


@quiet
def same_rows_of_one_queryset():
    queryset = books()
    return [len(queryset) for _ in range(5)], [str(queryset[0].pk) for _ in range(5)]


@quiet
def refresh_on_purpose():
    book = Book.objects.first()
    book.refresh_from_db()


@quiet
def deferred_and_not_asked_for():
    return [book.title for book in books().defer("blurb")]


@quiet
def few_different_queries():
    return [list(Book.objects.filter(price=price)) for price in (1, 2)]


@quiet
def sets_of_few_rows():
    return [list(author.books.all()) for number, author in enumerate(authors()) if number < 2]


@pytest.mark.parametrize("name", QUIET)
def test_nothing_is_said_of(name):
    with watch() as findings:
        QUIET[name]()

    assert [str(finding) for finding in findings] == []


@pytest.mark.skipif(django.VERSION < (6, 1, 2), reason="fetch modes batch all instances from 6.1.2 on")
def test_nothing_is_said_of_peers_fetched_together():
    from django.db.models import FETCH_PEERS

    with watch() as findings:
        for book in books().fetch_mode(FETCH_PEERS).select_related("author").defer("blurb"):
            str(book.author.publisher)
            str(book.editor)
            str(book.blurb)

    assert [str(finding) for finding in findings] == []
