"""
The allowlist, what is remembered over requests, the pytest plugin: what stands around the engine.
"""

from __future__ import annotations

import pytest
from django.template import engines

from perf_panels.nplusone import history, watch
from perf_panels.nplusone.allow import unmatched
from perf_panels.nplusone.collect import Recording, recording_into
from perf_panels.nplusone.report import report
from tests.site.models import Book

pytest_plugins = ["pytester"]


def follow():
    for book in Book.objects.order_by("pk"):
        str(book.author)


@pytest.mark.parametrize(
    "entry", ["library.Book.author", "library.*.author", "library.*", "test_report.py", "nplusone/*"]
)
def test_an_allowed_finding_is_left_out(entry, library, settings):
    settings.PERF_PANELS = {"NPLUSONE_ALLOW": [entry]}

    with watch() as findings:
        follow()

    assert findings == []


def test_another_relation_is_not_left_out(library, settings):
    settings.PERF_PANELS = {"NPLUSONE_ALLOW": ["library.Book.editor"]}

    with watch() as findings:
        follow()

    assert len(findings) == 1


def test_entries_of_the_allowlist_that_match_nothing_are_named():
    entries = ("library.Book.author", "library.Book.autor", "library.Book.review_set", "*/no/such.py", "shop/models.py")

    assert unmatched(entries) == ["library.Book.autor", "*/no/such.py"]


def test_of_identical_queries_one_may_stay(library):
    recording = Recording()
    with recording_into(recording):
        for _ in range(4):
            list(Book.objects.filter(title="no such"))

    assert report(recording).excess == 3


def test_an_eager_load_is_unused_only_after_several_requests(library):
    history.forget()

    rules = []
    for _ in range(4):
        recording = Recording()
        with recording_into(recording):
            list(Book.objects.select_related("author"))
        rules.append(
            [finding.rule for finding in report(recording, history.remember("view", recording.peers)).findings]
        )

    assert rules == [[], [], ["unused-eager-load"], ["unused-eager-load"]]


def test_an_eager_load_used_once_is_not_unused(library):
    history.forget()

    for number in range(4):
        recording = Recording()
        with recording_into(recording):
            for book in Book.objects.prefetch_related("genres"):
                if number == 1:
                    list(book.genres.all())
        result = report(recording, history.remember("view", recording.peers))

    assert result.findings == []


def test_a_finding_in_a_package_is_folded(library, monkeypatch):
    from perf_panels import origins

    recording = Recording()
    with recording_into(recording):
        follow()
    for claim in recording.claims:
        claim.site = origins.Site(None, 0, "", "some_package")
    for peers in recording.peers:
        peers.built = claim.site

    result = report(recording)

    assert result.findings == []
    assert [found.finding.relation for found in result.folded] == ["library.Book.author"]


def test_template_and_line_are_named(library):
    template = engines["django"].get_template("site/books.html")

    with watch() as findings:
        template.render({"object_list": Book.objects.all()})

    assert findings[0].origin.template == "site/books.html"
    assert findings[0].origin.template_line == 2


TESTS = """
import pytest
from tests.site.models import Book, Author

pytestmark = pytest.mark.django_db

@pytest.fixture
def books():
    author = Author.objects.create(name="a")
    return [Book.objects.create(title=str(n), author=author) for n in range(4)]

def follow():
    for book in Book.objects.all():
        str(book.author)

@pytest.mark.nplusone
def test_marked(books):
    follow()

@pytest.mark.nplusone
def test_marked_and_clean(books):
    list(Book.objects.all())

def test_fixture(books, nplusone):
    with nplusone():
        follow()

def test_fixture_and_clean(books, nplusone):
    follow()
    with nplusone():
        list(Book.objects.all())
"""


def test_the_marker_and_the_fixture_fail_a_test_with_the_panels_sentence(pytester, pytestconfig):
    pytester.makepyfile(TESTS)
    pytester.makeini(
        "[pytest]\nDJANGO_SETTINGS_MODULE = tests.settings\n"
        f"pythonpath = {pytestconfig.rootpath} {pytestconfig.rootpath}/example_project\naddopts = -p no:cacheprovider\n"
    )

    result = pytester.runpytest_subprocess("-p", "no:asyncio")

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*4 queries for library.Book.author - *in follow*", '*.select_related("author")*'])
