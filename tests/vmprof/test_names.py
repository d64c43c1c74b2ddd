"""
What Jinja's code is called once the response is there.
"""

from __future__ import annotations

import gc
import sys

import pytest

from perf_panels.vmprof import names

MACRO = """<h1>{{ title }}</h1>



{% macro cell(row) %}
  <td>{{ row() }}</td>
{% endmacro %}
{% for row in rows %}
  {{ cell(row) }}
{% endfor %}
"""


@pytest.fixture
def rendered(tmp_path):
    """
    ``rendered(source, template="page.html")`` renders it and returns the names of its frames, looked up afterwards.
    """
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(tmp_path), autoescape=True)

    def rendered(source, template="page.html"):
        met = []

        def row():
            frame = sys._getframe(1)
            while frame is not None:
                met.append((frame.f_code, frame.f_lineno))
                frame = frame.f_back

        (tmp_path / template).write_text(source)
        environment.get_template(template).render(rows=[row], row=row)
        gc.collect()
        found = [names.frame_of(*each) for each in met]
        return [
            (frame.file.rpartition("/")[2], frame.template, frame.template_line)
            for frame in found
            if frame is not None and frame.file.endswith(".html")
        ]

    return rendered


def test_a_macro_is_named_by_template_and_line_though_its_function_is_gone(rendered):
    assert rendered(MACRO) == [("page.html", "page.html", 6), ("page.html", "page.html", 9)]


def test_a_macro_within_a_block_within_a_call_is(rendered):
    source = """{% block body %}
{% macro outer() %}
  {% macro inner() %}
    {{ caller() }}
  {% endmacro %}
  {% call inner() %}
    {{ row() }}
  {% endcall %}
{% endmacro %}
{{ outer() }}
{% endblock %}
"""

    found = rendered(source)

    assert {template for _file, template, _line in found} == {"page.html"}
    assert [line for _file, _template, line in found if line][:4] == [7, 4, 6, 10]


def test_equal_code_of_two_templates_is_told_apart(rendered):
    assert rendered(MACRO, "one.html") == [("one.html", "one.html", 6), ("one.html", "one.html", 9)]
    assert rendered(MACRO, "two.html") == [("two.html", "two.html", 6), ("two.html", "two.html", 9)]


def test_a_template_made_from_a_string_is_named_by_its_line():
    jinja2 = pytest.importorskip("jinja2")
    template = jinja2.Environment(autoescape=True).from_string("<p>\n{{ row() }}")

    frame = names.frame_of(template.root_render_func.__code__, None)

    assert (frame.template, frame.file) == ("<template>", "<template>")


def test_code_that_is_no_template_s_is_looked_for_once(monkeypatch):
    pytest.importorskip("jinja2")
    searched = []
    monkeypatch.setattr(names, "_templates", lambda: searched.append(1) or {}, raising=False)
    code = compile("1", "made up", "eval")

    found = [names.frame_of(code, 1) for _ in range(2)]

    assert [frame.template for frame in found] == [None, None]
    assert len(searched) == 1
