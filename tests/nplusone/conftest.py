from __future__ import annotations

import pytest

from tests.site.models import Author, Book, Genre, Profile, Publisher, Review, TaggedItem


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
