"""
Small models with every kind of relation Django has.
"""

from __future__ import annotations

import uuid

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Publisher(models.Model):
    name = models.CharField(max_length=50)

    def __str__(self):
        return self.name


class Author(models.Model):
    name = models.CharField(max_length=50)
    publisher = models.ForeignKey(Publisher, models.CASCADE, null=True, related_name="authors")
    friends = models.ManyToManyField("self")

    def __str__(self):
        return self.name


class Genre(models.Model):
    name = models.CharField(max_length=50, unique=True)


class TaggedItem(models.Model):
    label = models.CharField(max_length=50)
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    content_object = GenericForeignKey()


class Book(models.Model):
    title = models.CharField(max_length=50)
    blurb = models.TextField(default="")
    price = models.IntegerField(default=10)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    editor = models.ForeignKey(Author, models.SET_NULL, null=True, related_name="+")
    genres = models.ManyToManyField(Genre, related_name="books")
    tags = GenericRelation(TaggedItem)

    def __str__(self):
        return f"{self.title} by {self.author}"

    @property
    def publisher_name(self):
        return self.author.publisher.name


class Profile(models.Model):
    author = models.OneToOneField(Author, models.CASCADE, related_name="profile")
    bio = models.TextField(default="")


class Review(models.Model):
    book = models.ForeignKey(Book, models.CASCADE)
    stars = models.IntegerField(default=5)


class Magazine(Book):
    issue = models.IntegerField(default=1)


class Shelf(models.Model):
    """
    What advice stumbles over: names that are taken, a key that is not the primary one, a manager with another name.
    """

    code = models.CharField(max_length=10, unique=True)
    copies_count = models.IntegerField(default=0)


class Copy(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE, to_field="code", related_name="copies")
    book = models.ForeignKey(Book, models.CASCADE, related_name="copies", related_query_name="copy")
    number = models.UUIDField(primary_key=True, default=uuid.uuid4)

    stock = models.Manager()
