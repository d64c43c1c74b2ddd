"""
Every problem of the corpus is found once, with its relation, its numbers, its code and its places.
"""

from __future__ import annotations

from pathlib import Path

import django
import pytest
from django import forms
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import prefetch_related_objects
from django.template import engines
from django.test import AsyncClient

from perf_panels.nplusone import watch
from perf_panels.nplusone.collect import Recording, recording_into
from perf_panels.nplusone.report import report
from tests.nplusone.corpus import LOADS, authors, books
from tests.site import helpers, nplusone_views
from tests.site.models import Author, Book, Copy, Genre, Magazine, Profile, Publisher, Review, Shelf, TaggedItem

pytestmark = pytest.mark.usefixtures("stocked")


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_a_load_is_found_named_and_answered(load):
    rows = load.queryset()
    with watch() as findings:
        for row in rows.iterator() if load.name == "rows of iterator()" else rows:
            load.use(row)

    found = [finding for finding in findings if finding.rule == load.rule and finding.relation == load.relation]
    assert len(found) == 1, [str(finding) for finding in findings]
    assert (found[0].evidence["followed"], found[0].evidence["rows"]) == (load.followed, load.rows)
    assert load.code in found[0].code if load.code else found[0].code is None
    assert found[0].evidence["queries"] >= load.followed


def get_each():
    for pk in list(Book.objects.values_list("pk", flat=True)):
        Book.objects.get(pk=pk)


def first_of_each():
    for number in range(5):
        Book.objects.filter(title=f"book {number}").first()


def get_or_create_known():
    for number in range(4):
        Genre.objects.get_or_create(name=f"genre {number}")


def get_or_create_new():
    for number in range(4):
        Genre.objects.get_or_create(name=f"new {number}")


def get_by_a_key():
    for author in list(authors()):
        Profile.objects.filter(author=author).first()


def get_from_another_manager():
    for number in list(Copy.stock.values_list("pk", flat=True)):
        Copy.stock.get(pk=number)


def raw_in_a_loop():
    for number in range(5):
        list(Book.objects.raw("SELECT * FROM library_book WHERE price = %s", [number]))


def cursor(sql, params=None):
    with connection.cursor() as opened:
        opened.execute(sql, params)


def cursor_with_params():
    for number in range(5):
        cursor("SELECT title FROM library_book WHERE price = %s", [number])


def cursor_without_params():
    for number in range(5):
        cursor(f"SELECT title FROM library_book WHERE price = {number} AND title <> 'it''s {number}'")


def filter_in_a_loop():
    for number in range(5):
        list(Book.objects.filter(price=number))


def aggregate_in_a_loop():
    for number in range(5):
        Book.objects.filter(price=number).count()


def values_in_a_loop():
    for number in range(5):
        list(Book.objects.filter(price=number).values("title"))


def prefetch_each():
    for book in list(books()):
        prefetch_related_objects([book], "genres")


class BookForm(forms.ModelForm):
    class Meta:
        model = Book
        fields = ["author"]


class AuthorForm(forms.Form):
    author = forms.ModelChoiceField(Author.objects.all())


def model_formset():
    forms.modelformset_factory(Book, BookForm, extra=0)(queryset=books()[:4]).as_p()


def formset():
    forms.formset_factory(AuthorForm, extra=3)().as_p()


def save_each():
    for book in list(books()):
        book.price = 3
        book.save()


def save_one_field_of_each():
    for book in list(books()):
        book.price = 3
        book.save(update_fields=["price"])


def create_each():
    for number in range(4):
        Genre.objects.create(name=f"new {number}")


def create_each_through_a_set():
    for book in list(books()):
        book.review_set.create(stars=1)


def create_each_with_a_manager_of_another_name():
    book = Book.objects.first()
    shelf = Shelf.objects.first()
    for _ in range(4):
        Copy.stock.create(book=book, shelf=shelf)


def update_each():
    for pk in list(Book.objects.values_list("pk", flat=True)):
        Book.objects.filter(pk=pk).update(price=1)


def same_query():
    for _ in range(4):
        list(Genre.objects.all())


def count_then_fetch():
    for number in range(3):
        queryset = Book.objects.filter(price=10 + number // 3)
        queryset.count()
        list(queryset)


def exists_then_fetch():
    queryset = Genre.objects.filter(name="genre 0")
    if queryset.exists():
        list(queryset)


def filtered_set_and_on():
    for author in authors():
        for book in author.books.filter(price=10):
            str(book.editor)


def first_of_a_set_and_on():
    for author in authors():
        str(author.books.first().editor)


def get_and_on():
    for pk in list(Book.objects.values_list("pk", flat=True)):
        str(Book.objects.get(pk=pk).author)


def one_parents_set_and_on():
    for book in Author.objects.get(name="author 0").books.all():
        str(book.editor.publisher)


def through_a_generic_key():
    for tag in TaggedItem.objects.all():
        str(tag.content_object.author)


OTHERS = [
    (get_each, "get-in-loop", "library.Book.get()", "Book.objects.in_bulk(pks)", 12),
    (first_of_each, "get-in-loop", "library.Book.get()", None, 5),
    (get_or_create_known, "get-in-loop", "library.Genre.get()", 'Genre.objects.in_bulk(values, field_name="name")', 4),
    (get_or_create_new, "write-loop", "library.Genre.save()", "Genre.objects.bulk_create(objects)", 4),
    (get_by_a_key, "get-in-loop", "library.Profile.get()", None, 6),
    (get_from_another_manager, "get-in-loop", "library.Copy.get()", "Copy.stock.in_bulk(pks)", 6),
    (raw_in_a_loop, "repeated-sql", None, None, 5),
    (cursor_with_params, "repeated-sql", None, None, 5),
    (cursor_without_params, "repeated-sql", None, None, 5),
    (filter_in_a_loop, "repeated-sql", None, None, 5),
    (aggregate_in_a_loop, "repeated-sql", None, None, 5),
    (values_in_a_loop, "repeated-sql", None, None, 5),
    (prefetch_each, "repeated-sql", "library.Book.genres", 'prefetch_related_objects(instances, "genres")', 12),
    (model_formset, "duplicate-query", None, 'form.fields["name"].choices = choices', 4),
    (formset, "duplicate-query", None, 'form.fields["name"].choices = choices', 3),
    (save_each, "write-loop", "library.Book.save()", "Book.objects.bulk_update(objects, [", 12),
    (save_one_field_of_each, "write-loop", "library.Book.save()", 'Book.objects.bulk_update(objects, ["price"])', 12),
    (create_each, "write-loop", "library.Genre.save()", "Genre.objects.bulk_create(objects)", 4),
    (create_each_through_a_set, "write-loop", "library.Review.save()", "Review.objects.bulk_create(objects)", 12),
    (create_each_with_a_manager_of_another_name, "write-loop", "library.Copy.save()",
     "Copy.stock.bulk_create(objects)", 4),
    (update_each, "write-loop", "library.Book.save()", None, 12),
    (same_query, "duplicate-query", None, None, 4),
    (count_then_fetch, "fetch-after-count", None, "len(rows)", 3),
    (exists_then_fetch, "fetch-after-count", None, "bool(rows)", 1),
    (filtered_set_and_on, "related-filter", "library.Author.books", 'to_attr="listed_books"', 6),
    (filtered_set_and_on, "lazy-load", "library.Book.editor", '.select_related("editor")', 12),
    (first_of_a_set_and_on, "lazy-load", "library.Book.editor", '.select_related("editor")', 6),
    (get_and_on, "lazy-load", "library.Book.author", '.select_related("author")', 12),
    (one_parents_set_and_on, "lazy-load", "library.Author.publisher",
     '.prefetch_related("books__editor__publisher")', 4),
    (through_a_generic_key, "lazy-load", "library.TaggedItem.content_object", '.prefetch_related("content_object")',
     12),
    (through_a_generic_key, "lazy-load", "library.Book.author", None, 12),
]  # fmt: skip


@pytest.mark.parametrize(
    ("run", "rule", "relation", "code", "queries"), OTHERS, ids=lambda value: getattr(value, "__name__", "")
)
def test_what_no_queryset_explains_is_found_too(run, rule, relation, code, queries):
    with watch() as findings:
        run()

    found = [each for each in findings if each.rule == rule and relation in {each.relation, None}]
    assert len(found) == 1, [str(finding) for finding in findings]
    assert code in found[0].code if code else found[0].code is None
    assert found[0].evidence["queries"] == queries
    assert found[0].origin.file in {__file__, helpers.__file__, Path(nplusone_views.__file__).with_name("models.py")}


def test_what_a_filtered_set_loads_is_to_be_added_to_that_set():
    with watch() as findings:
        filtered_set_and_on()

    finding = next(each for each in findings if each.relation == "library.Book.editor")
    lines = Path(__file__).read_text().splitlines()
    assert "author.books.filter(" in lines[finding.fix_at.line - 1]


def test_the_access_and_the_place_to_change_are_two_places():
    with watch() as findings:
        rows = list(books())
        for book in rows:
            helpers.name_of_publisher(book)

    assert findings[0].origin.file == helpers.__file__
    assert findings[0].origin.function == "name_of_publisher"
    assert findings[0].fix_at.file.endswith("corpus.py")
    assert findings[0].fix_at.function == "books"


@pytest.fixture
def page(settings, client):
    """
    ``page(path)`` returns the findings of a request.
    """
    settings.ROOT_URLCONF = nplusone_views.__name__
    user = get_user_model().objects.create_superuser("admin", "admin@example.com", "secret")

    def page(path):
        client.force_login(user)
        recording = Recording()
        settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Toolbar" not in name]
        with recording_into(recording):
            response = client.get(path)
        assert response.status_code == 200
        assert recording.failure is None
        return report(recording).findings

    return page


def test_an_include_in_a_template_is_named_with_its_line(page):
    (finding,) = page("/authors/")

    assert (finding.rule, finding.relation) == ("related-count", "library.Author.books")
    assert (finding.origin.template, finding.origin.template_line) == ("site/author.html", 2)
    assert finding.fix_at.function == "authors"
    assert finding.code == '.annotate(books_count=Count("books", distinct=True))'


def test_str_in_a_template_is_named_with_both_places():
    template = engines["django"].from_string("<ul>\n{% for book in books %}<li>{{ book }}{% endfor %}</ul>")

    with watch() as findings:
        template.render({"books": books()})

    assert findings[0].origin.template_line == 2
    assert findings[0].origin.file.endswith("models.py")
    assert findings[0].origin.function.endswith("__str__")


@pytest.mark.parametrize(
    ("path", "function", "code"),
    [
        ("/model/", "ModelOnly", 'queryset = Book.objects.select_related("author")'),
        ("/queryset/", "ClassLevel", '.select_related("author")'),
        ("/overridden/", "Overridden.get_queryset", '.select_related("author")'),
    ],
)
def test_a_list_view_is_the_place_to_change(path, function, code, page):
    (finding,) = page(path)

    assert (finding.rule, finding.relation) == ("lazy-load", "library.Book.author")
    assert finding.fix_at.file == nplusone_views.__file__
    # Python 3.10 has no qualified names.
    assert finding.fix_at.function in {function, function.rpartition(".")[2]}
    assert finding.code == code
    assert (finding.origin.template, finding.origin.template_line) == ("site/books.html", 2)


def test_a_model_admin_is_the_place_to_change(page):
    (finding,) = [each for each in page("/admin/library/book/") if each.rule == "lazy-load"]

    assert finding.relation == "library.Book.author"
    assert (finding.fix_at.file, finding.fix_at.function) == (nplusone_views.__file__, "BookAdmin")
    assert finding.code == 'list_select_related = ["editor", "author"]'


def test_a_set_in_a_model_admin_goes_into_get_queryset(page):
    (finding,) = [each for each in page("/admin/library/author/") if each.rule == "lazy-load"]

    assert finding.relation == "library.Author.books"
    assert finding.fix_at.function == "AuthorAdmin"
    assert "def get_queryset(self, request):" in finding.code
    # Python 3.10 has no qualified names.
    assert finding.origin.function in {"AuthorAdmin.titles", "titles"}


def test_a_viewset_is_the_place_to_change(page):
    (finding,) = page("/api/authors/")

    assert finding.relation == "library.Author.publisher"
    assert finding.fix_at.function == "AuthorViewSet"
    assert finding.code == '.select_related("publisher")'


@pytest.mark.django_db(transaction=True)
async def test_an_async_view_is_watched_through_the_handler(settings):
    settings.ROOT_URLCONF = nplusone_views.__name__
    settings.MIDDLEWARE = []
    async with watch() as findings:
        await AsyncClient().get("/async/")

    assert (findings[0].rule, findings[0].relation) == ("related-count", "library.Author.books")
    assert findings[0].origin.function == "async_books"
    assert findings[0].fix_at.function == "async_books"


@pytest.mark.django_db(databases=["default", "other"])
def test_databases_are_told_apart():
    publisher = Publisher.objects.using("other").create(name="elsewhere")
    for number in range(4):
        Author.objects.using("other").create(name=f"other {number}", publisher=publisher)

    with watch() as findings:
        for author in Author.objects.using("other"):
            str(author.publisher)
        for number in range(2):
            list(Publisher.objects.using("other").filter(pk=number))
            list(Publisher.objects.filter(pk=number))

    assert [(each.rule, each.evidence["queries"]) for each in findings] == [("lazy-load", 4)]


def test_only_the_longest_path_is_printed():
    with watch() as findings:
        for review in Review.objects.all():
            str(review.book.author.publisher)

    assert [each.code for each in findings] == ['.select_related("book__author__publisher")']
    assert findings[0].evidence["queries"] == 36


@pytest.mark.skipif(django.VERSION < (6, 1, 2), reason="said from the version on where it works")
def test_fetch_modes_are_offered_where_they_work():
    with watch() as findings:
        for magazine in Magazine.objects.all():
            str(magazine.author)

    assert "fetch_mode(FETCH_PEERS)" in findings[0].advice
