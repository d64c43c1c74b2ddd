"""
What the engine must not do to the code it watches: run its queries, its methods, or stand in its way.
"""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test.utils import CaptureQueriesContext

from perf_panels.nplusone import relations, rows, watch
from perf_panels.nplusone.collect import Recording, recording_into
from perf_panels.nplusone.report import report
from tests.site.models import Author, Book

pytestmark = pytest.mark.usefixtures("stocked")


def test_the_report_runs_no_query_and_none_of_the_projects_code(monkeypatch):
    recording = Recording()
    rows = list(Author.objects.all())
    calls = []
    monkeypatch.setattr(Author, "__repr__", lambda self: calls.append(self) or "an author")
    with recording_into(recording):
        for author in Author.objects.all():
            list(author.books.filter(author=author, pk__in=Book.objects.all()).order_by("pk"))
            list(author.books.exclude(author__in=rows))
            author.books.filter(author=author).count()

    with CaptureQueriesContext(connection) as queries:
        found = report(recording).findings

    assert len(found) == 3
    assert (len(queries), calls) == (0, [])


def test_rows_loaded_before_the_watch_began_are_left_to_the_statements():
    rows = list(Book.objects.all())
    with watch() as findings:
        for book in pickle.loads(pickle.dumps(rows)):
            str(book.author)

    assert [(each.rule, each.relation) for each in findings] == [("repeated-sql", "library.Book.author")]


def test_a_manager_chosen_by_name_is_left_to_the_statements():
    with watch() as findings:
        for author in Author.objects.all():
            list(author.books(manager="objects").all())

    assert [(each.rule, each.evidence["queries"]) for each in findings] == [("repeated-sql", 6)]


@pytest.mark.parametrize("evaluated", [False, True])
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_prefetched_sets_and_querysets_can_be_copied(copied, evaluated):
    with watch():
        queryset = Author.objects.prefetch_related("books__genres").order_by("pk")
        if evaluated:
            list(queryset)
        during = copied(queryset)
        a_set = copied(queryset[0].books.all())
    after = copied(queryset)

    for twin in (during, after):
        assert [author.pk for author in twin] == [author.pk for author in queryset]
        assert [len(author.books.all()) for author in twin] == [2] * 6
    assert len(a_set.filter(price=10)) == 2


def test_a_copied_instance_is_watched_like_the_first():
    with watch() as findings:
        for book in Book.objects.all():
            str(copy.deepcopy(book).author)

    assert [each.relation for each in findings] == ["library.Book.author"]


@pytest.mark.parametrize(
    ("owner", "name"),
    [(rows, "_peers_of"), (rows, "_operation"), (relations, "_related_stamp"), (relations, "_watch_manager"),
     (rows, "_prefetched_peers"), (rows, "stamp_of"), (rows, "_populated_name"), (rows, "_cloned_stamp")],
)  # fmt: skip
def test_any_hook_may_break(owner, name, monkeypatch):
    def boom(*args, **kwargs):
        raise RuntimeError("ours")

    # A manager class that nobody has seen yet.
    for cached in (Author.__dict__["books"], Book.__dict__["genres"]):
        cached.__dict__.pop("related_manager_cls", None)
    monkeypatch.setattr(owner, name, boom)
    recording = Recording()

    with recording_into(recording):
        rows = list(Book.objects.select_related("author__publisher").prefetch_related("genres").order_by("pk"))
        seen = [(book.author.publisher.name, len(book.genres.all())) for book in rows]
        counts = [author.books.filter(price=10).count() for author in Author.objects.all()]

    assert (len(seen), sum(counts)) == (12, 12)
    assert str(recording.failure) == "ours"


def test_what_was_prefetched_under_watch_can_be_asked_later():
    with watch():
        rows = list(Author.objects.prefetch_related("books"))

    assert [author.books.filter(price=10).count() for author in rows] == [2] * 6
    with watch() as findings:
        for author in rows:
            author.books.filter(price=10).count()
    assert [(each.rule, each.relation) for each in findings] == [("related-count", "library.Author.books")]


def test_an_iterator_may_be_left_early():
    with watch() as findings:
        for book in Book.objects.iterator():
            str(book.author)
            break

    assert findings == []


def test_generators_may_be_interleaved():
    with watch() as findings:
        for book, author in zip(Book.objects.iterator(), Author.objects.iterator(), strict=False):
            str(book.editor)
            str(author.publisher)

    assert sorted(each.relation for each in findings) == ["library.Author.publisher", "library.Book.editor"]


def test_two_threads_may_watch_at_once():
    import contextvars

    from perf_panels.nplusone import collect

    results = {}
    barrier = threading.Barrier(2, timeout=10)

    def work(name):
        with watch():
            barrier.wait()
            results[name] = collect.current()
            barrier.wait()

    threads = [threading.Thread(target=contextvars.copy_context().run, args=(work, n)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results[0] is not results[1]


@pytest.mark.django_db(transaction=True)
async def test_tasks_keep_their_findings_apart():
    async def work(model, use):
        async with watch() as findings:
            async for row in model.objects.order_by("pk"):
                await asyncio.sleep(0)
                await sync_to_async(use)(row)
        return [each.relation for each in findings]

    books, authors = await asyncio.gather(
        work(Book, lambda book: book.author.pk), work(Author, lambda author: author.publisher.pk)
    )

    assert (books, authors) == (["library.Book.author"], ["library.Author.publisher"])
