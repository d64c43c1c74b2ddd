"""
Code that views call: a problem is seen here and is to be changed there.
"""

from __future__ import annotations


def name_of_publisher(book):
    return book.author.publisher.name
