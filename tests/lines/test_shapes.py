"""
Each shape of view has exactly its functions timed, and each of their lines exactly as often as it ran.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model

from tests.lines import shapes
from tests.site.models import Publisher

SOURCE = Path(shapes.__file__).read_text().splitlines()
ENGINE = "sys.monitoring" if sys.version_info >= (3, 12) else "line_profiler"
FIRST_ENGINE = "sys.monitoring" if sys.version_info >= (3, 12) else "sys.settrace"
HITS = re.compile(r"# (\d+)$")

pytestmark = pytest.mark.django_db


def written(first, last):
    """
    Return {line: hits} as the comments of the source say.
    """
    found = {number: HITS.search(SOURCE[number - 1]) for number in range(first, last + 1)}
    return {number: int(match[1]) for number, match in found.items() if match}


def counted(stats):
    return {function["name"]: {line["line"]: line["hits"] for line in function["lines"]} for function in here(stats)}


def expected(stats):
    return {function["name"]: written(function["first_line"], max(function["executable"])) for function in here(stats)}


def here(stats):
    return [function for function in wanted(stats) if function["file"] == shapes.__file__]


def names(stats):
    return sorted(known(function["name"]) for function in wanted(stats))


def known(name):
    # Before Python 3.11 a code object does not know where it stands.
    return name if sys.version_info >= (3, 11) else name.rpartition(".")[2]


def wanted(stats):
    # Django's own methods come and go with the time they take.
    return [function for function in stats["functions"] if function["chosen"] != "second choice"]


@pytest.fixture
def publishers():
    Publisher.objects.bulk_create([Publisher(name="one"), Publisher(name="two")])


@pytest.mark.parametrize("url", shapes.SHAPES)
def test_a_view_has_its_functions_timed_and_their_hits_counted(url, ticked, stored, publishers):
    ticked.force_login(get_user_model().objects.create_superuser("boss"))

    ticked.get(f"/{url}")
    ticked.get(f"/{url}")

    first, second = stored()
    for stats in (first, second):
        assert stats["error"] is None
        assert names(stats) == sorted(map(known, shapes.SHAPES[url]))
        assert counted(stats) == expected(stats)
        assert not any(line["calls_unknown"] for function in stats["functions"] for line in function["lines"])
    assert first["engine"] == FIRST_ENGINE
    if url not in shapes.ASYNC | shapes.LEFT_TO_US:
        assert second["engine"] == ENGINE


@pytest.mark.parametrize("url", sorted(shapes.ASYNC))
async def test_an_async_view_is_counted_in_its_event_loop(url, async_ticked, stored):
    await async_ticked.get(f"/{url}")

    (stats,) = stored()
    assert stats["error"] is None
    assert counted(stats) == expected(stats)
    assert names(stats) == sorted(map(known, shapes.SHAPES[url]))
