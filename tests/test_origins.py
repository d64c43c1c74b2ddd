from __future__ import annotations

import json
import sys
import sysconfig
from pathlib import Path

import django
import pytest

from perf_panels import origins
from perf_panels.findings import Finding, Origin, worst_first

SITE_PACKAGES = Path(django.__file__).parent.parent


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        (__file__, "project"),
        (str(SITE_PACKAGES / "django/db/models/query.py"), "django"),
        (str(SITE_PACKAGES / "django/views/generic/list.py"), "django"),
        (str(SITE_PACKAGES / "rest_framework/views.py"), "rest_framework"),
        (str(SITE_PACKAGES / "django_filters/views.py"), "django_filters"),
        (str(SITE_PACKAGES / "debug_toolbar/toolbar.py"), "own"),
        (str(SITE_PACKAGES / "debug_toolbar_more/panel.py"), "debug_toolbar_more"),
        (str(SITE_PACKAGES / "six.py"), "six"),
        (sysconfig.get_path("stdlib") + "/json/__init__.py", "python"),
        ("<string>", "python"),
        ("<frozen importlib._bootstrap>", "python"),
    ],
)
def test_the_owner_of_a_file_is_known(file, owner):
    assert origins.owner_of(file) == owner


def test_the_owner_of_a_file_is_known_on_windows(monkeypatch):
    monkeypatch.setattr(origins.os, "sep", "\\")

    assert origins._classify(r"C:\shop\.venv\Lib\site-packages\rest_framework\views.py") == "rest_framework"
    assert origins._classify(r"C:\shop\orders\views.py") == "project"


def test_the_caller_is_the_nearest_project_line():
    site = origins.caller(sys._getframe())

    assert (site.file, site.owner) == (__file__, "project")
    assert site.function.endswith("test_the_caller_is_the_nearest_project_line")


def test_the_excerpt_marks_its_line():
    line = next(n for n, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "SITE_PACKAGES =" in text)

    lines = origins.excerpt(__file__, line, around=1)

    assert [entry["hit"] for entry in lines] == [False, True, False]
    assert lines[1]["text"].startswith("SITE_PACKAGES")


@pytest.mark.parametrize(("file", "line"), [(None, 1), ("no/such/file.py", 1), (__file__, 100_000), (__file__, 0)])
def test_no_source_is_no_excerpt(file, line):
    assert origins.excerpt(file, line) == []


def test_a_path_is_shown_from_its_import_root(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)

    assert origins.short_path(str(tmp_path / "shop" / "views.py")) == "shop/views.py"
    assert origins.short_path("/elsewhere/views.py") == "/elsewhere/views.py"


def test_a_template_alone_is_an_origin_of_its_own():
    site = origins.Site(None, 0, "", "project", "shop/home.html", "/x/shop/home.html", 9, True)

    origin = origins.to_origin(site)

    assert origin == Origin("/x/shop/home.html", 9, "", "shop/home.html", 9)
    assert str(origin) == "shop/home.html:9"


def test_findings_are_sorted_worst_first_and_are_plain_json():
    def finding(severity, saving=None, queries=0):
        return Finding("rule", severity, "title", "detail", {"queries": queries}, saving_ms=saving)

    sorted_findings = worst_first(
        [finding("info", 99.0), finding("warning", 1.0), finding("critical"), finding("warning", 2.0)]
    )

    assert [(each.severity, each.saving_ms) for each in sorted_findings] == [
        ("critical", None),
        ("warning", 2.0),
        ("warning", 1.0),
        ("info", 99.0),
    ]
    assert json.loads(json.dumps(sorted_findings[0].as_dict()))["rule"] == "rule"


def test_a_finding_reads_as_a_sentence():
    finding = Finding(
        "lazy-load",
        "warning",
        "3 queries for a.B.c",
        "",
        advice="Add it.",
        code=".x()",
        origin=Origin("v.py", 4, "home"),
    )

    assert str(finding) == "3 queries for a.B.c - v.py:4 in home\n  Add it.\n  .x()"
