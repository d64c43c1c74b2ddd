"""
What the engine must find: each case is a function, and the rule, relation, code and number of rows it must lead to.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import django
import pytest
from asgiref.sync import sync_to_async
from django import forms
from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, Sum, prefetch_related_objects
from django.template import engines
from django.views.generic import ListView

from perf_panels.nplusone import watch
from tests.site.models import Author, Book, Genre, Magazine, Profile, Publisher, Review, TaggedItem

pytestmark = pytest.mark.usefixtures("library")


class Case(NamedTuple):
    name: str
    run: object
    rule: str
    relation: str | None
    code: str | None
    queries: int


def each(queryset, use):
    return lambda: [use(row) for row in queryset()]


def save_all():
    for book in Book.objects.all():
        book.price = 3
        book.save()


def run_sql(sql, params):
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def choices():
    class BookForm(forms.ModelForm):
        class Meta:
            model = Book
            fields = ["author"]

    for _ in range(3):
        BookForm().as_p()


def template(source, **context):
    return engines["django"].from_string(source).render(context)


def books():
    return Book.objects.order_by("pk")


def authors():
    return Author.objects.order_by("pk")


PREFETCHED_TITLE = (
    '.prefetch_related(Prefetch("books", queryset=Book.objects.filter(price__gt=3).order_by("-price")[:3], '
    'to_attr="listed_books"))'
)
FIRST = '.prefetch_related(Prefetch("books", queryset=Book.objects.order_by("pk")[:1], to_attr="first_books"))'

CASES = [
    Case("foreign key", each(books, lambda b: b.author.name), "lazy-load", "library.Book.author",
         '.select_related("author")', 12),
    Case("chain", each(books, lambda b: b.author.publisher.name), "lazy-load", "library.Author.publisher",
         '.select_related("author__publisher")', 24),
    Case("model property", each(books, lambda b: b.publisher_name), "lazy-load", "library.Author.publisher",
         '.select_related("author__publisher")', 24),
    Case("__str__", each(books, str), "lazy-load", "library.Book.author", '.select_related("author")', 12),
    Case("reverse one-to-one", each(authors, lambda a: hasattr(a, "profile")), "lazy-load", "library.Author.profile",
         '.select_related("profile")', 6),
    Case("one-to-one", each(Profile.objects.all, lambda p: p.author.name), "lazy-load", "library.Profile.author",
         '.select_related("author")', 5),
    Case("reverse foreign key", each(authors, lambda a: list(a.books.all())), "lazy-load", "library.Author.books",
         '.prefetch_related("books")', 6),
    Case("default accessor", each(books, lambda b: list(b.review_set.all())), "lazy-load", "library.Book.review_set",
         '.prefetch_related("review_set")', 12),
    Case("many-to-many", each(books, lambda b: list(b.genres.all())), "lazy-load", "library.Book.genres",
         '.prefetch_related("genres")', 12),
    Case("reverse many-to-many", each(Genre.objects.all, lambda g: list(g.books.all())), "lazy-load",
         "library.Genre.books", '.prefetch_related("books")', 4),
    Case("many-to-many to itself", each(authors, lambda a: list(a.friends.all())), "lazy-load",
         "library.Author.friends", '.prefetch_related("friends")', 6),
    Case("generic key", each(TaggedItem.objects.all, lambda t: t.content_object), "lazy-load",
         "library.TaggedItem.content_object", '.prefetch_related("content_object")', 12),
    Case("generic relation", each(books, lambda b: list(b.tags.all())), "lazy-load", "library.Book.tags",
         '.prefetch_related("tags")', 12),
    Case("nested sets", each(Publisher.objects.all, lambda p: [list(a.books.all()) for a in p.authors.all()]),
         "lazy-load", "library.Author.books", '.prefetch_related("authors__books")', 9),
    Case("set behind a foreign key", each(books, lambda b: list(b.author.friends.all())), "lazy-load",
         "library.Author.friends", '.prefetch_related("author__friends")', 24),
    Case("lazy after select_related", each(lambda: books().select_related("author"), lambda b: b.author.publisher.name),
         "lazy-load", "library.Author.publisher", '.select_related("author__publisher")', 12),
    Case("lazy after prefetch", each(lambda: authors().prefetch_related("books"),
         lambda a: [list(b.review_set.all()) for b in a.books.all()]), "lazy-load", "library.Book.review_set",
         '.prefetch_related("books__review_set")', 12),
    Case("raw parents", each(lambda: Book.objects.raw("SELECT * FROM library_book"), lambda b: b.author.name),
         "lazy-load", "library.Book.author", '.prefetch_related("author")', 12),
    Case("only", each(lambda: books().only("title"), lambda b: b.price), "deferred-load", "library.Book.price",
         '.only("id", "title", "price")', 12),
    Case("defer", each(lambda: books().defer("blurb", "price"), lambda b: b.blurb), "deferred-load",
         "library.Book.blurb", '.defer(None).defer("price")', 12),
    Case("count", each(authors, lambda a: a.books.count()), "related-count", "library.Author.books",
         '.annotate(books_count=Count("books", distinct=True))', 6),
    Case("count many-to-many", each(books, lambda b: b.genres.count()), "related-count", "library.Book.genres",
         '.annotate(genres_count=Count("genres", distinct=True))', 12),
    Case("filtered count", each(authors, lambda a: a.books.filter(price__gt=3).count()), "related-count",
         "library.Author.books",
         '.annotate(books_count=Count("books", filter=Q(books__price__gt=3), distinct=True))', 6),
    Case("exists", each(authors, lambda a: a.books.exists()), "related-count", "library.Author.books",
         '.annotate(has_books=Exists(Book.objects.filter(author=OuterRef("pk"))))', 6),
    Case("aggregate", each(authors, lambda a: a.books.aggregate(Sum("price"))), "related-count",
         "library.Author.books", '.annotate(books_sum=Sum("books__price"))', 6),
    Case("contains", each(authors, lambda a: a.books.contains(Book(pk=1))), "related-count", "library.Author.books",
         '.prefetch_related("books")', 6),
    Case("first", each(authors, lambda a: a.books.first()), "related-filter", "library.Author.books", FIRST, 6),
    Case("first of a prefetched set", each(lambda: authors().prefetch_related("books"), lambda a: a.books.first()),
         "related-filter", "library.Author.books", FIRST, 6),
    Case("filter, order, slice", each(authors, lambda a: list(a.books.filter(price__gt=3).order_by("-price")[:3])),
         "related-filter", "library.Author.books", PREFETCHED_TITLE, 6),
    Case("values_list", each(authors, lambda a: list(a.books.values_list("title", flat=True))), "related-filter",
         "library.Author.books", '.prefetch_related("books")', 6),
    Case("get of a set", each(authors, lambda a: a.books.filter(title=f"book {a.pk}").first()), "related-filter",
         "library.Author.books", '.prefetch_related("books")', 6),
    Case("get in a loop", each(lambda: Book.objects.values_list("pk", flat=True), lambda pk: Book.objects.get(pk=pk)),
         "get-in-loop", "library.Book.get()", "Book.objects.in_bulk(pks)", 12),
    Case("get by a unique field", each(lambda: ["genre 0", "genre 1", "genre 2"], lambda n: Genre.objects.get(name=n)),
         "get-in-loop", "library.Genre.get()", 'Genre.objects.in_bulk(values, field_name="name")', 3),
    Case("filter().first() in a loop", each(lambda: range(5), lambda n: Book.objects.filter(title=f"book {n}").first()),
         "get-in-loop", "library.Book.get()", None, 5),
    Case("then its relation", each(lambda: Book.objects.values_list("pk", flat=True),
         lambda pk: Book.objects.get(pk=pk).author.name), "lazy-load", "library.Book.author",
         '.select_related("author")', 12),
    Case("queryset in a loop", each(lambda: range(5), lambda n: list(Book.objects.filter(price=n))), "repeated-sql",
         None, None, 5),
    Case("cursor without parameters", each(lambda: range(5),
         lambda n: run_sql(f"SELECT 1 FROM library_book WHERE id = {n} AND title <> 'it''s'", None)), "repeated-sql",
         None, None, 5),
    Case("cursor with parameters", each(lambda: range(5), lambda n: run_sql("SELECT 1 WHERE 1 = %s", [n])),
         "repeated-sql", None, None, 5),
    Case("prefetch per instance", each(books, lambda b: prefetch_related_objects([b], "genres")), "repeated-sql",
         "library.Book.genres", 'prefetch_related_objects(instances, "genres")', 12),
    Case("save in a loop", save_all, "write-loop", "library.Book.save()",
         'Book.objects.bulk_update(objects, ["title", "blurb", "price", "author", "editor"])', 12),
    Case("create in a loop", each(lambda: range(4), lambda n: Genre.objects.create(name=f"new {n}")), "write-loop",
         "library.Genre.save()", "Genre.objects.bulk_create(objects)", 4),
    Case("create of a child model", each(authors, lambda a: Magazine.objects.create(author=a)), "write-loop",
         "library.Magazine.save()", None, 18 if django.VERSION >= (6, 1) else 12),
    Case("update in a loop", each(lambda: range(5), lambda n: Book.objects.filter(pk=n).update(price=n)), "write-loop",
         "library.Book.save()", None, 5),
    Case("choices of each form", choices, "duplicate-query", None, 'form.fields["name"].choices = choices', 3),
    Case("identical queries", each(lambda: range(4), lambda _: list(Genre.objects.all())), "duplicate-query", None,
         None, 4),
    Case("template", lambda: template("{% for b in books %}{{ b.author.name }}{% endfor %}", books=books()),
         "lazy-load", "library.Book.author", '.select_related("author")', 12),
    Case("template, __str__", lambda: template("{% for b in books %}{{ b }}{% endfor %}", books=books()), "lazy-load",
         "library.Book.author", '.select_related("author")', 12),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_found_named_and_answered(case):
    with watch() as findings:
        case.run()

    found = [finding for finding in findings if finding.rule == case.rule and finding.relation == case.relation]
    assert len(found) == 1, [str(finding) for finding in findings]
    assert found[0].code == case.code
    assert found[0].origin.file == __file__ or found[0].origin.file.endswith("models.py")
    if case.name != "create of a child model":
        assert found[0].evidence["queries"] == case.queries


PASTED = [case for case in CASES if (case.code or "").startswith(".") and "raw" not in case.name]


@pytest.mark.parametrize("case", PASTED, ids=lambda case: case.name)
def test_the_code_does_not_raise(case):
    needed = {"Count": Count, "Exists": Exists, "OuterRef": OuterRef, "Prefetch": Prefetch, "Q": Q, "Sum": Sum}
    scope = needed | {"Book": Book, "Author": Author, "Publisher": Publisher, "Review": Review}

    worked = 0
    for root in (Book, Author, Publisher, Genre, Profile, TaggedItem):
        try:
            list(eval(f"root.objects{case.code}", scope | {"root": root}))
        except Exception:  # noqa: BLE001 - the code belongs to one of the models
            continue
        worked += 1

    assert worked >= 1


FIXED = {
    "foreign key": lambda b: b.author.name,
    "chain": lambda b: b.author.publisher.name,
    "many-to-many": lambda b: list(b.genres.all()),
    "default accessor": lambda b: list(b.review_set.all()),
    "generic relation": lambda b: list(b.tags.all()),
    "set behind a foreign key": lambda b: list(b.author.friends.all()),
}


@pytest.mark.parametrize("name", FIXED)
def test_the_code_makes_the_finding_go_away(name):
    case = next(case for case in CASES if case.name == name)

    with watch() as findings:
        for book in eval(f"books(){case.code}"):
            FIXED[name](book)

    assert [str(finding) for finding in findings] == []


def test_the_queryset_is_the_place_to_change_wherever_it_is_evaluated():
    def load():
        queryset = Book.objects.filter(price=10)
        return queryset.order_by("pk")  # the last project line that made it

    with watch() as findings:
        rows = load()
        for book in rows:
            str(book.author)

    assert findings[0].fix_at.function.endswith("load")
    assert "last project line" in Path(__file__).read_text().splitlines()[findings[0].fix_at.line - 1]


class ModelOnly(ListView):
    model = Book
    template_name = "site/books.html"


class ClassLevel(ModelOnly):
    queryset = Book.objects.order_by("pk")


class Overridden(ModelOnly):
    def get_queryset(self):
        return Book.objects.order_by("pk")


@pytest.mark.parametrize(
    ("view", "code"),
    [
        (ModelOnly, 'queryset = Book.objects.select_related("author")'),
        # Another queryset would lose the order of the one it has.
        (ClassLevel, '.select_related("author")'),
    ],
)
def test_a_list_view_is_the_class_to_edit(view, code, rf):
    with watch() as findings:
        response = view.as_view()(rf.get("/")).render()

    assert b"author 0" in response.content
    assert findings[0].fix_at.function == view.__name__
    assert findings[0].code == code
    assert findings[0].origin.template == "site/books.html"
    assert findings[0].origin.template_line == 2


def test_an_overridden_get_queryset_is_the_line_to_edit(rf):
    with watch() as findings:
        Overridden.as_view()(rf.get("/")).render()

    assert findings[0].fix_at.function.endswith("get_queryset")
    assert findings[0].code == '.select_related("author")'


def test_a_serializer_is_named_as_the_place():
    serializers = pytest.importorskip("rest_framework.serializers")

    class AuthorSerializer(serializers.ModelSerializer):
        class Meta:
            model = Author
            fields = ["name"]

    class BookSerializer(serializers.ModelSerializer):
        author = AuthorSerializer()

        class Meta:
            model = Book
            fields = ["title", "author"]

    with watch() as findings:
        assert len(BookSerializer(books(), many=True).data) == 12

    assert (findings[0].rule, findings[0].relation) == ("lazy-load", "library.Book.author")
    assert findings[0].code == '.select_related("author")'


@pytest.mark.django_db(transaction=True)
async def test_an_async_view_is_watched():
    async with watch() as findings:
        async for author in Author.objects.order_by("pk"):
            await author.books.acount()

    assert (findings[0].rule, findings[0].relation) == ("related-count", "library.Author.books")
    assert findings[0].origin.file == __file__


@pytest.mark.django_db(transaction=True)
async def test_a_lazy_load_in_sync_to_async_is_watched():
    async with watch() as findings:
        async for book in Book.objects.order_by("pk"):
            await sync_to_async(lambda book=book: book.author.name)()

    assert findings[0].code == '.select_related("author")'


@pytest.mark.django_db(databases=["default", "other"])
def test_another_database_is_watched():
    publisher = Publisher.objects.using("other").create(name="elsewhere")
    for number in range(4):
        Author.objects.using("other").create(name=f"other {number}", publisher=publisher)

    with watch() as findings:
        for author in Author.objects.using("other"):
            str(author.publisher)

    assert findings[0].evidence["queries"] == 4


def test_two_of_two_rows_are_mentioned_but_are_no_problem():
    with watch() as findings:
        for book in books()[:2]:
            str(book.author)

    assert [(finding.severity, finding.evidence["followed"]) for finding in findings] == [("info", 2)]


def test_few_targets_of_many_rows_are_better_prefetched():
    author = Author.objects.first()
    Book.objects.bulk_create(Book(title=f"more {n}", author=author) for n in range(150))

    with watch() as findings:
        for book in books():
            str(book.author)

    assert findings[0].code == '.prefetch_related("author")'
    assert "only 6 different objects" in findings[0].detail


def test_a_count_before_the_rows_is_one_query_too_many():
    with watch() as findings:
        queryset = Genre.objects.filter(name__startswith="genre")
        queryset.count()
        list(queryset)

    assert [(finding.rule, finding.code) for finding in findings] == [("fetch-after-count", "len(rows)")]


def test_a_join_that_repeats_few_objects_is_reported_with_its_numbers():
    author = Author.objects.first()
    Book.objects.bulk_create(Book(title=f"more {n}", author=author) for n in range(188))

    with watch() as findings:
        for book in books().select_related("author"):
            str(book.author)

    assert findings[0].rule == "join-fanout"
    assert findings[0].evidence["rows"] == 200
    assert findings[0].evidence["distinct"] == 6
    assert findings[0].code == '.prefetch_related("author")'


# What it must leave alone.


def delete_authors():
    Author.objects.all().delete()


def savepoints():
    for number in range(5):
        with transaction.atomic():
            if number == 4:
                list(Genre.objects.all())


def fresh():
    for number in range(4):
        author = Author(name=f"fresh {number}")
        Book(title="x", author=author).author.name  # noqa: B018


def page_of_books():
    queryset = books()
    queryset.count()
    return list(queryset[:5])


QUIET = {
    "one of many rows": lambda: list(books())[3].author.name,
    "two of many rows": lambda: [book.author.name for number, book in enumerate(books()) if number < 2],
    "one-row queryset": lambda: [list(author.books.all()) for author in authors()[:1]],
    "get and follow": lambda: Book.objects.get(title="book 1").author.publisher,
    "cascade delete": delete_authors,
    "chunked prefetch": lambda: [
        list(b.genres.all()) for b in books().prefetch_related("genres").iterator(chunk_size=3)
    ],
    "bulk_create in batches": lambda: Genre.objects.bulk_create([Genre(name=f"n {n}") for n in range(9)], batch_size=2),
    "bulk_update in batches": lambda: Book.objects.bulk_update(list(books()), ["price"], batch_size=2),
    "savepoints": savepoints,
    "NULL relations": lambda: [book.editor for book in books()],
    "fresh objects": fresh,
    "select_related": lambda: [b.author.publisher.name for b in books().select_related("author__publisher")],
    "prefetch_related": lambda: [list(b.genres.all()) for b in books().prefetch_related("genres")],
    "prefetched foreign key": lambda: [b.author.name for b in books().prefetch_related("author")],
    "nested prefetch": lambda: [
        list(book.review_set.all())
        for author in authors().prefetch_related("books__review_set")
        for book in author.books.all()
    ],
    "prefetch to an attribute": lambda: [
        len(author.cheap)
        for author in authors().prefetch_related(Prefetch("books", Book.objects.filter(price=10), to_attr="cheap"))
    ],
    "count of a prefetched set": lambda: [
        len(b.genres.all()) + b.genres.count() for b in books().prefetch_related("genres")
    ],
    "exists of a prefetched set": lambda: [b.genres.all().exists() for b in books().prefetch_related("genres")],
    "empty relations": lambda: [list(m.genres.all()) for m in Magazine.objects.prefetch_related("genres")],
    "a page and its count": page_of_books,
    "in_bulk": lambda: Book.objects.in_bulk([1, 2, 3]),
    "annotated count": lambda: [author.n for author in authors().annotate(n=Count("books"))],
    "prefetch of a list": lambda: prefetch_related_objects(list(books()), "genres__books"),
    "values": lambda: list(books().values("author__name")),
    "the same line, few values": lambda: [list(Book.objects.filter(price=price)) for price in (1, 2)],
}


@pytest.mark.parametrize("name", QUIET)
def test_it_does_not_cry_wolf(name):
    with watch() as findings:
        QUIET[name]()

    assert [str(finding) for finding in findings if finding.severity != "info"] == []


@pytest.mark.parametrize("name", ["select_related", "prefetch_related", "nested prefetch", "empty relations"])
def test_what_is_used_is_not_called_unused(name):
    with watch() as findings:
        QUIET[name]()

    assert [finding.rule for finding in findings] == []


@pytest.mark.skipif(
    django.VERSION < (6, 1, 2), reason="fetch modes came with 6.1, and batch what joins load since 6.1.2"
)
def test_peers_fetched_together_are_no_problem():
    from django.db.models import FETCH_PEERS

    with watch() as findings:
        for book in books().fetch_mode(FETCH_PEERS):
            str(book.author)

    assert findings == []
