"""
At which line a finding is, and which area the time of a stack belongs to.
"""

from __future__ import annotations

import sqlparse

from perf_panels.vmprof.report import report
from perf_panels.vmprof.samples import Builder, Frame, Samples
from tests.vmprof.profiles import DJANGO, SHOP, profile

OTHER = Frame(f"{SHOP}/other.py", 5, "other", 6)
QUERYSET = Frame(f"{DJANGO}/db/models/query.py", 5, "QuerySet._fetch_all", 6)
IN_LINE = "home > home.html:14"


def home(line):
    return Frame(f"{SHOP}/views.py", 10, "home", line)


def parse(line):
    return Frame(sqlparse.__file__, 5, "parse", line)


def findings_of(*stacks):
    """
    Return the findings of stacks written as (samples, outermost frame, ..., innermost).
    """
    builder = Builder()
    for count, *frames in stacks:
        builder.add(frames, float(count), samples=count)
    samples = Samples("sampler", "cpu", "cpu", 1.0, builder.frames, builder.stacks)
    return report(samples)["findings"]


def placed(*stacks):
    """
    Return the line of each finding by what stands after "in" in its title.
    """
    return {each["title"].rpartition(" in ")[2]: each["origin"]["line"] for each in findings_of(*stacks)}


def test_a_finding_is_at_the_line_of_its_own_work_and_not_at_one_that_calls_what_has_a_finding_of_its_own():
    assert placed((40, home(12)), (60, home(30), OTHER)) == {"home": 12, "other": 6}


def test_a_package_is_at_the_line_that_calls_it():
    assert placed((40, home(12), parse(6)), (60, home(30), OTHER)) == {"parse of sqlparse": 12, "other": 6}


def test_a_package_and_the_function_that_calls_it_have_a_line_each():
    assert placed((40, home(12), parse(6)), (60, home(30))) == {"parse of sqlparse": 12, "home": 30}


def test_what_no_project_calls_is_at_its_own_line():
    assert placed((40, parse(6)), (60, parse(8))) == {"parse of sqlparse": 8}


def test_queries_are_at_the_line_that_makes_them():
    found = findings_of((40, home(12), QUERYSET), (60, home(30)))

    assert {each["rule"]: each["origin"]["line"] for each in found} == {"database-time": 12, "hot-function": 30}


def test_a_function_that_calls_itself_is_at_the_line_of_the_innermost_call():
    assert placed((60, home(30), home(30), home(12)), (40, home(30), OTHER)) == {"home": 12, "other": 6}


def test_a_comprehension_belongs_to_the_line_it_stands_in():
    inside = Frame(f"{SHOP}/views.py", 12, "home.<listcomp>", 13)

    assert placed((60, home(12), inside), (40, home(30), OTHER)) == {"home": 12, "other": 6}


def test_what_stands_between_does_not_hide_the_line_that_calls_a_package():
    decorator = Frame(f"{DJANGO}/utils/decorators.py", 5, "_wrapper", 6)

    assert placed((60, home(12), decorator, parse(6)), (40, home(30))) == {"parse of sqlparse": 12, "home": 30}


def test_a_finding_in_a_template_stays_at_the_template_s_line():
    line = Frame(f"{SHOP}/templates/home.html", 14, "root", 99, "home.html", 14)

    assert placed((60, home(12), line), (40, home(12), line, parse(6))) == {
        "home.html:14": 14,
        "parse of sqlparse": 14,
    }


def test_what_a_receiver_of_a_signal_does_is_no_time_of_the_database():
    stats = report(profile({"home > queryset > make_thumbnails": 80, "home": 20}))

    assert stats["areas"] == {"templates": 0, "database": 0, "code": 100}
    assert stats["headline"]["area"] == "code"
    assert stats["frames"][stats["headline"]["frame"]]["name"] == "make_thumbnails"


def test_what_a_receiver_asks_of_the_database_is():
    stats = report(profile({"home > queryset > make_thumbnails > queryset > cursor": 80, "home": 20}))

    assert stats["areas"] == {"templates": 0, "database": 80, "code": 20}


def test_what_a_row_from_a_template_s_query_is_made_of_is_the_template_s_time():
    stats = report(profile({f"{IN_LINE} > queryset > from_db_value": 80, f"{IN_LINE} > queryset > re": 20}))

    assert stats["areas"] == {"templates": 80, "database": 20, "code": 0}


def test_a_template_rendered_within_save_is_no_time_of_the_database():
    stats = report(profile({"home > queryset > mail.html:3 > re": 80, "home": 20}))

    assert stats["areas"] == {"templates": 80, "database": 0, "code": 20}
