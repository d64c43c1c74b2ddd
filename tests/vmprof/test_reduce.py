"""
What the looks of the safe sampler weigh, and Jinja's lines.
"""

from __future__ import annotations

import sys

import pytest

from perf_panels.vmprof import names
from perf_panels.vmprof.live import Recorded
from perf_panels.vmprof.markers import CODES
from perf_panels.vmprof.reduce import cpu_weights
from perf_panels.vmprof.sampler import Look

MARKER = next(iter(CODES))
MS = 1_000_000


def looks(*clocks):
    """
    Return looks at (wall ms, CPU ms).
    """
    return [Look((), (), MARKER, wall * MS, int(cpu * MS), None) for wall, cpu in clocks]


def weights(*clocks):
    recorded = Recorded("view", "sampler")
    return [weight / MS for weight in cpu_weights(looks(*clocks), recorded)]


def test_a_thread_that_computes_gives_each_look_what_it_used():
    assert weights((4, 4), (8, 8), (12, 11)) == [4, 4, 3]


def test_a_look_at_a_sleep_gives_what_came_before_it_to_the_look_before():
    assert weights((4, 4), (8, 6), (12, 6), (16, 6), (20, 10)) == [6, 0, 0, 0, 4]


def test_waking_up_is_not_the_sleeps():
    assert weights((4, 0), (8, 0), (12, 2), (16, 6)) == [0, 0, 2, 4]


def test_a_page_that_only_waits_has_no_weight():
    assert weights((4, 0), (8, 0)) == [0, 0]


def test_a_jinja_template_is_named_by_its_line(tmp_path):
    jinja2 = pytest.importorskip("jinja2")
    (tmp_path / "list.html").write_text("<ul>\n{% for row in rows %}\n<li>{{ row() }}\n{% endfor %}\n</ul>")
    template = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path), autoescape=True).get_template("list.html")
    found = []

    def row():
        frame = sys._getframe(1)
        while frame is not None:
            found.append(names.frame_of(frame.f_code, frame.f_lineno))
            frame = frame.f_back

    template.render(rows=[row])

    frame = next(frame for frame in found if frame is not None and frame.template)
    assert (frame.template, frame.template_line, frame.file) == ("list.html", 3, str(tmp_path / "list.html"))


def test_a_code_object_is_found_by_its_id_and_one_that_is_gone_is_not():
    def outer():
        def inner():
            return 1

        return inner

    gone = compile("1", "gone", "eval")
    ids = {id(outer.__code__), id(outer().__code__), id(gone)}

    found = names.resolve(ids)

    assert {code.co_name for code in found.values()} == {"outer", "inner"}
    assert names.frame_of(None, None).function == "(gone)"
