"""
Class-based views, an admin, serializers: the N+1 problems whose query no line of the project asks for.
"""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.views.generic import ListView
from rest_framework import serializers, viewsets
from rest_framework.routers import SimpleRouter

from tests.site.models import Author, Book, Publisher


class BookAdmin(admin.ModelAdmin):
    list_display = ["title", "author"]
    list_select_related = ["editor"]


class AuthorAdmin(admin.ModelAdmin):
    list_display = ["name", "titles"]

    def titles(self, author):
        return [book.title for book in author.books.all()]


site = admin.AdminSite(name="library_admin")
site.register(Book, BookAdmin)
site.register(Author, AuthorAdmin)


class ModelOnly(ListView):
    model = Book
    template_name = "site/books.html"


class ClassLevel(ModelOnly):
    queryset = Book.objects.order_by("pk")


class Overridden(ModelOnly):
    def get_queryset(self):
        queryset = super().get_queryset()
        return queryset.order_by("pk")


class PublisherSerializer(serializers.ModelSerializer):
    class Meta:
        model = Publisher
        fields = ["name"]


class AuthorSerializer(serializers.ModelSerializer):
    publisher = PublisherSerializer()

    class Meta:
        model = Author
        fields = ["name", "publisher"]


class AuthorViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Author.objects.order_by("pk")
    serializer_class = AuthorSerializer
    permission_classes = []
    authentication_classes = []


def authors(request):
    return render(request, "site/authors.html", {"authors": Author.objects.order_by("pk")})


async def async_books(request):
    counts = []
    async for author in Author.objects.order_by("pk"):
        counts.append(await author.books.acount())  # noqa: PERF401 - as people write it
    return HttpResponse(str(counts))


router = SimpleRouter()
router.register("api/authors", AuthorViewSet)
urlpatterns = [
    path("admin/", site.urls),
    path("model/", ModelOnly.as_view()),
    path("queryset/", ClassLevel.as_view()),
    path("overridden/", Overridden.as_view()),
    path("authors/", authors),
    path("async/", async_books),
    path("", include(router.urls)),
]
