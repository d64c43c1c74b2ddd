"""
Watching leaves the host's objects as they are, and never raises into its queries.
"""

from __future__ import annotations

import copy
import gc
import pickle
import threading

import pytest
from django.db.models.sql import Query

from perf_panels import origins
from perf_panels.nplusone import collect, watch
from perf_panels.nplusone.collect import Recording, recording_into
from tests.site.models import Author, Book

pytestmark = pytest.mark.usefixtures("library")


def page():
    books = Book.objects.select_related("author__publisher").prefetch_related("genres")
    return [(book.author.publisher.name, len(book.genres.all())) for book in books]


@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy, copy.copy])
def test_instances_can_be_copied_and_pickled_while_watched_and_after(copied):
    with watch():
        book = Book.objects.select_related("author").prefetch_related("genres").first()
        during = copied(book)
    after = copied(book)

    for twin in (during, after):
        assert twin == book
        assert twin.author.name == book.author.name
        assert len(twin.genres.all()) == 2
        assert twin.author.publisher.name


@pytest.mark.parametrize("evaluate", [True, False])
def test_querysets_can_be_pickled(evaluate):
    with watch():
        queryset = Author.objects.get(name="author 0").books.filter(price=10)
        if evaluate:
            list(queryset)
        loaded = pickle.loads(pickle.dumps(queryset))
        assert list(loaded.order_by("pk")) == list(queryset.order_by("pk"))


def test_a_pickle_names_nothing_of_this_package():
    with watch():
        pickled = pickle.dumps(list(Book.objects.select_related("author").prefetch_related("genres")))

    assert b"perf_panels." not in pickled


def test_no_filter_is_built_that_django_would_not_build(monkeypatch):
    calls = []
    build_filter = Query.build_filter
    monkeypatch.setattr(Query, "build_filter", lambda *args, **kwargs: calls.append(1) or build_filter(*args, **kwargs))

    page()
    alone = len(calls)
    with watch():
        page()

    assert len(calls) == 2 * alone


def garbage(run):
    run()
    gc.collect()
    gc.disable()
    try:
        run()
        return gc.collect()
    finally:
        gc.enable()


def watched(run):
    with recording_into(Recording()):
        run()


@pytest.mark.parametrize(
    "run",
    [
        lambda: [book.author.publisher.name for book in Book.objects.select_related("author__publisher")],
        lambda: [book.author.name for book in Book.objects.all()],
        lambda: [author.books.count() for author in Author.objects.all()],
    ],
    ids=["joined", "lazy", "counted"],
)
def test_no_reference_cycles_are_added(run):
    assert garbage(lambda: watched(run)) <= garbage(run)


def test_the_cycles_of_prefetched_sets_carry_little_more():
    # A prefetched set and its instance are a cycle of Django's own, which takes what hangs on them with it.
    assert garbage(lambda: watched(page)) <= 1.2 * garbage(page)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (origins, "trace"),
        (origins, "caller"),
        (collect.Recording, "child"),
        (collect, "queryset_claim"),
    ],
)
def test_a_hook_that_breaks_leaves_the_query_alone(owner, name, monkeypatch):
    def boom(*args, **kwargs):
        raise RuntimeError("ours")

    expected = page()
    monkeypatch.setattr(owner, name, boom)
    recording = Recording()

    with recording_into(recording):
        seen = page()
        counts = [author.books.count() for author in Author.objects.all()]
        follows = [book.author.name for book in Book.objects.all()]

    assert seen == expected
    assert sum(counts) == len(follows) == 12
    assert str(recording.failure) == "ours"


def test_a_view_that_raises_gets_its_own_exception():
    with pytest.raises(Book.DoesNotExist), watch() as findings:
        Book.objects.get(pk=-1)

    assert findings == []


def test_a_watch_inside_a_watch_is_seen_by_both():
    with watch() as outer:
        list(Author.objects.all())
        with watch() as inner:
            for book in Book.objects.all():
                str(book.author)

    assert [finding.relation for finding in inner] == ["library.Book.author"]
    assert [finding.relation for finding in outer] == ["library.Book.author"]


def test_another_thread_is_not_watched():
    seen = []

    def other():
        seen.append(collect.current())

    with watch():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    assert seen == [None]


def test_nothing_is_kept_when_nobody_watches():
    book = Book.objects.select_related("author").get(title="book 1")

    assert book._state._perf_panels is None
    assert "_perf_panels" not in book._state.__dict__
    assert "_perf_panels" not in Book.objects.all().__dict__


def test_statements_over_the_limit_are_counted(settings):
    settings.PERF_PANELS = {"MAX_STATEMENTS": 5}
    recording = Recording()

    with recording_into(recording):
        for book in Book.objects.all():
            str(book.author)

    assert (len(recording.claims), recording.queries, recording.omitted) == (5, 13, 8)
