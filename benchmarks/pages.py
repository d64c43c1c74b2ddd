"""
The pages that are measured: 2,000 rows, loaded well (clean) or one by one (n+1), in Python or in a template.
"""

from __future__ import annotations

from debug_toolbar.toolbar import debug_toolbar_urls
from django.db import connection
from django.http import HttpResponse
from django.template import engines
from django.urls import path

from tests.site.models import Author, Book, Genre, Publisher

ROWS = 2_000
_PAGE = "<html><body>{}</body></html>"
_TEMPLATE = """<html><body>{% for book in books %}<p>{{ book.title }}
{% if forloop.counter|divisibleby:4 or all %}{{ book.author.name }}{% endif %}
{% if all %}{% for genre in book.genres.all %}{{ genre.name }}{% endfor %}{% endif %}
</p>{% endfor %}</body></html>"""


def always(request):
    return True


def clean_fk(request):
    books = Book.objects.select_related("author__publisher")[:ROWS]
    return HttpResponse(_PAGE.format(sum(len(book.author.publisher.name) for book in books)))


def clean_m2m(request):
    books = Book.objects.select_related("author__publisher").prefetch_related("genres")[:ROWS]
    return HttpResponse(_PAGE.format(sum(len(book.genres.all()) for book in books)))


def clean_template(request):
    books = Book.objects.select_related("author__publisher").prefetch_related("genres")[:ROWS]
    return HttpResponse(_template().render({"books": books, "all": True}))


def n1(request):
    books = Book.objects.all()[:ROWS]
    return HttpResponse(_PAGE.format(sum(len(book.author.name) for book in books if not book.pk % 4)))


def n1_template(request):
    return HttpResponse(_template().render({"books": Book.objects.all()[:ROWS], "all": False}))


def statements(request, kind):
    """
    Send 501 or 2,000 statements of one shape, or 2,000 of as many shapes.
    """
    count = 501 if kind == "501" else 2_000
    with connection.cursor() as cursor:
        for number in range(count):
            column = f"value_{number}" if kind == "distinct" else "value"
            cursor.execute(f"SELECT %s AS {column} FROM library_book WHERE id = %s", [number, number])
    return HttpResponse(_PAGE.format(count))


def _template():
    return engines["django"].from_string(_TEMPLATE)


def fill():
    """
    Make 2,500 books of 1,000 authors, 20 publishers and 10 genres.
    """
    publishers = Publisher.objects.bulk_create(Publisher(name=f"Publisher {n}") for n in range(20))
    authors = Author.objects.bulk_create(Author(name=f"Author {n}", publisher=publishers[n % 20]) for n in range(1_000))
    genres = Genre.objects.bulk_create(Genre(name=f"Genre {n}") for n in range(10))
    books = Book.objects.bulk_create(
        Book(title=f"Book {n}", blurb="words " * 20, author=authors[n % 1_000]) for n in range(2_500)
    )
    through = Book.genres.through
    through.objects.bulk_create(
        through(book_id=book.pk, genre_id=genres[(book.pk + step) % 10].pk) for book in books for step in (0, 3)
    )


PAGES = {view.__name__: view for view in (clean_fk, clean_m2m, clean_template, n1, n1_template)}
urlpatterns = [
    path("statements/<kind>/", statements),
    *(path(f"{name}/", view) for name, view in PAGES.items()),
    *debug_toolbar_urls(),
]
