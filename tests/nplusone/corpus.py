"""
The N+1 problems that rows of one queryset have: each with what the engine must say of it, and how it is used once
the printed code has been applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Prefetch, Sum

from tests.site.helpers import name_of_publisher
from tests.site.models import Author, Book, Copy, Genre, Magazine, Profile, Publisher, Review, Shelf, TaggedItem

if TYPE_CHECKING:
    from collections.abc import Callable


class Load(NamedTuple):
    """
    ``use`` is done to each row; ``fixed`` is what replaces it where the code asks for that (same result expected).
    """

    name: str
    queryset: Callable[[], Any]
    use: Callable[[Any], Any]
    rule: str
    relation: str
    code: str | None
    followed: int
    rows: int
    fixed: Callable[[Any], Any] | None = None


def books():
    return Book.objects.order_by("pk")


def authors():
    return Author.objects.order_by("pk")


def titles(books):
    return [book.title for book in books]


def profile_of(author):
    return author.profile.pk if hasattr(author, "profile") else None


def magazine_of(book):
    return book.magazine.issue if hasattr(book, "magazine") else None


LAZY = [
    Load("foreign key", books, lambda b: b.author.name, "lazy-load", "library.Book.author",
         '.select_related("author")', 12, 12),
    Load("foreign key of every third row", books, lambda b: b.pk % 3 or b.author.name, "lazy-load",
         "library.Book.author", '.select_related("author")', 4, 12),
    Load("chain of foreign keys", books, lambda b: b.author.publisher.name, "lazy-load", "library.Author.publisher",
         '.select_related("author__publisher")', 12, 12),
    Load("helper in another module", books, name_of_publisher, "lazy-load", "library.Author.publisher",
         '.select_related("author__publisher")', 12, 12),
    Load("model property", books, lambda b: b.publisher_name, "lazy-load", "library.Author.publisher",
         '.select_related("author__publisher")', 12, 12),
    Load("__str__", books, str, "lazy-load", "library.Book.author", '.select_related("author")', 12, 12),
    Load("one-to-one", lambda: Profile.objects.order_by("pk"), lambda p: p.author.name, "lazy-load",
         "library.Profile.author", '.select_related("author")', 5, 5),
    Load("reverse one-to-one", authors, profile_of, "lazy-load", "library.Author.profile",
         '.select_related("profile")', 6, 6),
    Load("one-to-one and on", lambda: Profile.objects.order_by("pk"), lambda p: p.author.publisher.name, "lazy-load",
         "library.Author.publisher", '.select_related("author__publisher")', 5, 5),
    Load("child of a model with a parent table", books, magazine_of, "lazy-load", "library.Book.magazine",
         '.select_related("magazine")', 12, 12),
    Load("foreign key of a child model", lambda: Magazine.objects.order_by("pk"), lambda m: m.author.name,
         "lazy-load", "library.Magazine.author", '.select_related("author")', 4, 4),
    Load("set of a child model", lambda: Magazine.objects.order_by("pk"), lambda m: list(m.review_set.all()),
         "lazy-load", "library.Magazine.review_set", '.prefetch_related("review_set")', 4, 4),
    Load("foreign key to another column", lambda: Copy.stock.order_by("pk"), lambda c: c.shelf.pk, "lazy-load",
         "library.Copy.shelf", '.select_related("shelf")', 6, 6),
    Load("reverse foreign key", authors, lambda a: titles(a.books.all()), "lazy-load", "library.Author.books",
         '.prefetch_related("books")', 6, 6),
    Load("reverse foreign key without a name", books, lambda b: list(b.review_set.all()), "lazy-load",
         "library.Book.review_set", '.prefetch_related("review_set")', 12, 12),
    Load("reverse foreign key with a query name", books, lambda b: len(b.copies.all()), "lazy-load",
         "library.Book.copies", '.prefetch_related("copies")', 12, 12),
    Load("many-to-many", books, lambda b: list(b.genres.all()), "lazy-load", "library.Book.genres",
         '.prefetch_related("genres")', 12, 12),
    Load("reverse many-to-many", lambda: Genre.objects.order_by("pk"), lambda g: titles(g.books.order_by()),
         "related-filter", "library.Genre.books", "listed_books", 4, 4, lambda g: titles(g.listed_books)),
    Load("many-to-many with itself", authors, lambda a: list(a.friends.all()), "lazy-load", "library.Author.friends",
         '.prefetch_related("friends")', 6, 6),
    Load("generic key", lambda: TaggedItem.objects.order_by("pk"), lambda t: t.content_object.title, "lazy-load",
         "library.TaggedItem.content_object", '.prefetch_related("content_object")', 12, 12),
    Load("generic relation", books, lambda b: list(b.tags.all()), "lazy-load", "library.Book.tags",
         '.prefetch_related("tags")', 12, 12),
    Load("sets in sets", lambda: Publisher.objects.order_by("pk"),
         lambda p: [titles(a.books.all()) for a in p.authors.all()], "lazy-load", "library.Author.books",
         '.prefetch_related("authors__books")', 6, 6),
    Load("key in a set", lambda: Publisher.objects.order_by("pk"),
         lambda p: [[r.book.title for b in a.books.all() for r in b.review_set.all()] for a in p.authors.all()],
         "lazy-load", "library.Book.review_set", '.prefetch_related("authors__books__review_set")', 12, 12),
    Load("set behind a key", books, lambda b: list(b.author.friends.all()), "lazy-load", "library.Author.friends",
         '.prefetch_related("author__friends")', 6, 12),
    Load("what select_related left out", lambda: books().select_related("author"), lambda b: b.author.publisher.name,
         "lazy-load", "library.Author.publisher", '.select_related("author__publisher")', 12, 12),
    Load("what prefetch_related left out", lambda: authors().prefetch_related("books"),
         lambda a: [list(b.genres.all()) for b in a.books.all()], "lazy-load", "library.Book.genres",
         '.prefetch_related("books__genres")', 12, 12),
    Load("key of a prefetched set", lambda: authors().prefetch_related("books"),
         lambda a: [b.editor.name for b in a.books.all()], "lazy-load", "library.Book.editor",
         '.prefetch_related("books__editor")', 12, 12),
    Load("key of what an attribute was prefetched into",
         lambda: authors().prefetch_related(Prefetch("books", Book.objects.order_by("pk"), to_attr="works")),
         lambda a: [b.editor.name for b in a.works], "lazy-load", "library.Book.editor",
         '.prefetch_related("works__editor")', 12, 12),
    Load("set that brings its keys", authors, lambda a: [b.editor.name for b in a.books.select_related("editor")],
         "lazy-load", "library.Author.books",
         '.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("editor")))', 6, 6,
         lambda a: [b.editor.name for b in a.books.all()]),
    Load("set that brings its sets", authors,
         lambda a: [list(b.genres.all()) for b in a.books.prefetch_related("genres").only("title")], "lazy-load",
         "library.Author.books", 'queryset=Book.objects.prefetch_related("genres")))', 6, 6,
         lambda a: [list(b.genres.all()) for b in a.books.all()]),
    Load("set without its text", authors, lambda a: titles(a.books.defer("blurb")), "lazy-load",
         "library.Author.books", '.prefetch_related("books")', 6, 6, lambda a: titles(a.books.all())),
    Load("rows of raw()", lambda: Book.objects.raw("SELECT * FROM library_book ORDER BY id"), lambda b: b.author.name,
         "lazy-load", "library.Book.author", '.prefetch_related("author")', 12, 12),
    Load("rows of iterator()", books, lambda b: b.author.name, "lazy-load", "library.Book.author",
         '.select_related("author")', 12, 12),
    Load("two rows of a slice are too few, three are not", lambda: books()[:3], lambda b: b.author.name, "lazy-load",
         "library.Book.author", '.select_related("author")', 3, 3),
]  # fmt: skip

DEFERRED = [
    Load("only", lambda: books().only("title"), lambda b: b.price, "deferred-load", "library.Book.price",
         '.only("id", "title", "price")', 12, 12),
    Load("defer", lambda: books().defer("blurb", "price"), lambda b: b.blurb, "deferred-load", "library.Book.blurb",
         '.defer(None).defer("price")', 12, 12),
    Load("the only deferred field", lambda: books().defer("blurb"), lambda b: b.blurb, "deferred-load",
         "library.Book.blurb", ".defer(None)", 12, 12),
    Load("only, of a joined model", lambda: books().select_related("author").only("title", "author__name"),
         lambda b: b.author.publisher_id, "deferred-load", "library.Author.publisher", None, 12, 12),
    Load("only, beside a joined model", lambda: books().select_related("author").only("title", "author"),
         lambda b: b.price, "deferred-load", "library.Book.price", '.defer(None).defer("blurb", "editor")', 12, 12),
]  # fmt: skip

COUNTED = [
    Load("count", authors, lambda a: a.books.count(), "related-count", "library.Author.books",
         '.annotate(books_count=Count("books", distinct=True))', 6, 6, lambda a: a.books_count),
    Load("count, the name is taken", lambda: Shelf.objects.order_by("pk"), lambda s: s.copies.count(),
         "related-count", "library.Shelf.copies", '.annotate(the_copies_count=Count("copies", distinct=True))', 3, 3,
         lambda s: s.the_copies_count),
    Load("count, another query name", books, lambda b: b.copies.count(), "related-count", "library.Book.copies",
         '.annotate(copies_count=Count("copy", distinct=True))', 12, 12, lambda b: b.copies_count),
    Load("count of many-to-many", books, lambda b: b.genres.count(), "related-count", "library.Book.genres",
         '.annotate(genres_count=Count("genres", distinct=True))', 12, 12, lambda b: b.genres_count),
    Load("count of a generic relation", books, lambda b: b.tags.count(), "related-count", "library.Book.tags",
         '.annotate(tags_count=Count("tags", distinct=True))', 12, 12, lambda b: b.tags_count),
    Load("count behind a key", lambda: books().select_related("author"), lambda b: b.author.books.count(),
         "related-count", "library.Author.books", '.annotate(books_count=Count("author__books", distinct=True))', 6,
         12, lambda b: b.books_count),
    Load("count of a filtered set", authors, lambda a: a.books.filter(price__gt=3).count(), "related-count",
         "library.Author.books", "filter=Q(books__price__gt=3)", 6, 6, lambda a: a.books_count),
    Load("count in a set", lambda: Publisher.objects.prefetch_related("authors"),
         lambda p: [a.books.count() for a in p.authors.all()], "related-count", "library.Author.books",
         '.prefetch_related("authors__books")', 6, 6, lambda p: [len(a.books.all()) for a in p.authors.all()]),
    Load("exists", authors, lambda a: a.books.exists(), "related-count", "library.Author.books",
         '.annotate(has_books=Exists(Book.objects.filter(author=OuterRef("pk"))))', 6, 6, lambda a: a.has_books),
    Load("exists, another column", lambda: Shelf.objects.order_by("pk"), lambda s: s.copies.exists(),
         "related-count", "library.Shelf.copies",
         '.annotate(has_copies=Exists(Copy.stock.filter(shelf=OuterRef("code"))))', 3, 3, lambda s: s.has_copies),
    Load("exists of many-to-many", books, lambda b: b.genres.exists(), "related-count", "library.Book.genres",
         '.annotate(has_genres=Exists(Genre.objects.filter(books=OuterRef("pk"))))', 12, 12, lambda b: b.has_genres),
    Load("exists of reverse many-to-many", lambda: Genre.objects.order_by("pk"), lambda g: g.books.exists(),
         "related-count", "library.Genre.books",
         '.annotate(has_books=Exists(Book.objects.filter(genres=OuterRef("pk"))))', 4, 4, lambda g: g.has_books),
    Load("exists behind a key", lambda: books().select_related("author"), lambda b: b.author.books.exists(),
         "related-count", "library.Author.books", 'OuterRef("author__pk")', 6, 12, lambda b: b.has_books),
    Load("aggregate", authors, lambda a: a.books.aggregate(total=Sum("price"))["total"], "related-count",
         "library.Author.books", '.annotate(books_sum=Sum("books__price"))', 6, 6, lambda a: a.books_sum),
    Load("contains", authors, lambda a: a.books.contains(Book(pk=1)), "related-count", "library.Author.books",
         '.prefetch_related("books")', 6, 6, lambda a: Book(pk=1) in a.books.all()),
]  # fmt: skip

FILTERED = [
    Load("first", authors, lambda a: a.books.first().title, "related-filter", "library.Author.books",
         'Book.objects.order_by("pk")[:1], to_attr="first_books"', 6, 6, lambda a: a.first_books[0].title),
    Load("last", authors, lambda a: a.books.last().title, "related-filter", "library.Author.books",
         'to_attr="last_books"', 6, 6, lambda a: a.last_books[0].title),
    Load("first of an order", authors, lambda a: a.books.order_by("-title").first().title, "related-filter",
         "library.Author.books", 'Book.objects.order_by("-title")[:1]', 6, 6, lambda a: a.first_books[0].title),
    Load("first of a prefetched set", lambda: authors().prefetch_related("books"), lambda a: a.books.first().title,
         "related-filter", "library.Author.books", 'to_attr="first_books"', 6, 6, None),
    Load("filter of a set prefetched with a queryset",
         lambda: authors().prefetch_related(Prefetch("books", Book.objects.order_by("title"))),
         lambda a: titles(a.books.filter(price=10)), "related-filter", "library.Author.books",
         'Prefetch("books", queryset=Book.objects.', 6, 6, None),
    Load("slice", authors, lambda a: titles(a.books.order_by("pk")[:1]), "related-filter", "library.Author.books",
         'Book.objects.order_by("pk")[:1]', 6, 6, lambda a: titles(a.listed_books)),
    Load("index", authors, lambda a: a.books.order_by("pk")[1].title, "related-filter", "library.Author.books",
         'Book.objects.order_by("pk")[1:2]', 6, 6, lambda a: a.listed_books[0].title),
    Load("filter", authors, lambda a: titles(a.books.filter(title__contains="1").exclude(price=7)), "related-filter",
         "library.Author.books", 'Book.objects.filter(title__contains="1").exclude(price=7)', 6, 6,
         lambda a: titles(a.listed_books)),
    Load("filter by an instance", authors, lambda a: titles(a.books.filter(author=a)), "related-filter",
         "library.Author.books", '.prefetch_related("books")', 6, 6, lambda a: titles(a.books.all())),
    Load("filter by a subquery", authors, lambda a: titles(a.books.filter(author__in=Author.objects.all())),
         "related-filter", "library.Author.books", '.prefetch_related("books")', 6, 6,
         lambda a: titles(a.books.all())),
    Load("filter by another manager's name", lambda: Shelf.objects.order_by("pk"),
         lambda s: len(s.copies.filter(book__price=10)), "related-filter", "library.Shelf.copies",
         "queryset=Copy.stock.filter(book__price=10)", 3, 3, lambda s: len(s.listed_copies)),
    Load("get from a set", authors, lambda a: a.books.get(title=f"book {a.name[-1]}").pk, "related-filter",
         "library.Author.books", '.prefetch_related("books")', 6, 6, None),
    Load("order of many-to-many", books, lambda b: [g.name for g in b.genres.order_by("-name")], "related-filter",
         "library.Book.genres", 'Genre.objects.order_by("-name")', 12, 12, lambda b: [g.name for g in b.listed_genres]),
    Load("filter behind a key", lambda: books().select_related("author"),
         lambda b: titles(b.author.books.filter(price=10)), "related-filter", "library.Author.books",
         'Prefetch("author__books", queryset=Book.objects.filter(price=10)', 6, 12,
         lambda b: titles(b.author.listed_books)),
    Load("values_list", authors, lambda a: list(a.books.values_list("title", flat=True)), "related-filter",
         "library.Author.books", '.prefetch_related("books")', 6, 6, lambda a: titles(a.books.all())),
    Load("iterator of a set", authors, lambda a: titles(a.books.iterator()), "related-filter", "library.Author.books",
         'queryset=Book.objects.all(), to_attr="listed_books"', 6, 6, lambda a: titles(a.listed_books)),
]  # fmt: skip

LOADS = [*LAZY, *DEFERRED, *COUNTED, *FILTERED]
SCOPE_MODELS = {
    model.__name__: model for model in (Author, Book, Copy, Genre, Magazine, Profile, Publisher, Review, Shelf)
}
