from __future__ import annotations

import pytest

from tests.site.models import Author, Book, Copy, Genre, Magazine, Profile, Publisher, Review, Shelf, TaggedItem


@pytest.fixture
def library(db):
    """
    Three publishers, six authors (five with a profile), twelve books, each with two genres, a review and a tag.
    """
    publishers = [Publisher.objects.create(name=f"publisher {n}") for n in range(3)]
    authors = [Author.objects.create(name=f"author {n}", publisher=publishers[n % 3]) for n in range(6)]
    genres = [Genre.objects.create(name=f"genre {n}") for n in range(4)]
    for author in authors[:5]:
        Profile.objects.create(author=author)
    for number in range(12):
        book = Book.objects.create(title=f"book {number}", author=authors[number % 6])
        book.genres.set(genres[:2])
        Review.objects.create(book=book)
        TaggedItem.objects.create(label="tag", content_object=book)
    authors[0].friends.add(*authors[1:])
    return authors


@pytest.fixture
def stocked(library):
    """
    The library, with an editor for each book, three shelves and six copies on two of them; four books are magazines.
    """
    Book.objects.update(editor=library[0])
    for book in Book.objects.order_by("-pk")[:4]:
        magazine = Magazine(book_ptr=book, issue=1)
        magazine.save_base(raw=True)
    shelves = [Shelf.objects.create(code=f"shelf {n}") for n in range(3)]
    Copy.stock.bulk_create(
        Copy(shelf=shelves[number % 2], book=book) for number, book in enumerate(Book.objects.order_by("pk")[:6])
    )
    return library
