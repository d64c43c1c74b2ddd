"""
Views that many request at once: the numbers in their URLs say how often each line runs.
"""

from __future__ import annotations

import asyncio

from django.http import HttpResponse
from django.urls import include, path


def shared(number):
    total = 0
    for each in range(number):
        total += each
    return total


def first(request, number):
    for _ in range(number):
        shared(number)
    return HttpResponse("first")


def second(request, number):
    for _ in range(number):
        shared(2)
    return HttpResponse("second")


async def waiting(request, number):
    total = 0
    for each in range(number):
        total += shared(number)
        await asyncio.sleep(0.001 * (each % 3))
    return HttpResponse("waiting")


urlpatterns = [
    path("__debug__/", include("debug_toolbar.urls")),
    path("first/<int:number>/", first),
    path("second/<int:number>/", second),
    path("waiting/<int:number>/", waiting),
]
