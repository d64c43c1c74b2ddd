"""
Template lines have frames of their own while a profile is taken, and nothing is different afterwards or elsewhere.
"""

from __future__ import annotations

import copy
import linecache
import re
import sys
import threading
import traceback

import pytest
from debug_toolbar.toolbar import DebugToolbar
from django.template import Context, Engine, Node, Template, TemplateSyntaxError
from django.template.base import Lexer, NodeList, Parser, VariableNode
from django.test import Client
from django.views.debug import ExceptionReporter

from perf_panels.vmprof import live, markers, names, template_frames
from perf_panels.vmprof.live import Profile, sampled
from perf_panels.vmprof.modes import Choice
from perf_panels.vmprof.panel import VMProfPanel

SOURCES = {
    "shop/base.html": "<title>{% block title %}{% endblock %}</title>\n{% block main %}{% endblock main %}",
    "shop/list.html": "{% extends 'shop/base.html' %}\n{% block main %}\n{% for row in rows %}\n"
    "{% include 'shop/row.html' %}\n{% endfor %}{% endblock main %}",
    "shop/row.html": "{% if row.call %}\n{{ row.call }}{% endif %}",
}


@pytest.fixture
def engine():
    return Engine(
        loaders=[
            ("django.template.loaders.cached.Loader", [("django.template.loaders.locmem.Loader", dict(SOURCES))]),
        ],
        debug=True,
    )


def stack():
    """
    Return the places of the template lines that are running, the outermost first.
    """
    frame, places = sys._getframe(1), []
    while frame is not None:
        place = template_frames.place_of(frame.f_code)
        if place is not None:
            places.append(f"{place.template}:{place.line}")
        frame = frame.f_back
    return places[::-1]


def render(engine, name="shop/list.html", call=stack):
    seen = []

    class Row:
        def call(self):
            seen.append(call())
            return "text"

    text = engine.get_template(name).render(Context({"rows": [Row(), Row()]}))
    return text, seen


def test_every_line_on_the_way_has_its_frame(engine):
    with template_frames.named():
        _text, seen = render(engine)

    way = ["shop/list.html:1", "shop/base.html:2", "shop/list.html:3", "shop/list.html:4", "shop/row.html:1"]
    assert seen == [way, [*way, "shop/row.html:2"]] * 2


def test_the_text_is_the_same(engine):
    plain, _seen = render(engine)

    with template_frames.named():
        named, _seen = render(engine)

    assert named == plain


def test_nothing_is_left_when_it_is_over(engine):
    render(engine)
    patched = (Template._render, Node.render_annotated)
    before = [(function.__code__, function.__kwdefaults__) for function in patched]

    with template_frames.named():
        render(engine)
        within = [function.__code__ for function in patched]

    after = [(function.__code__, function.__kwdefaults__) for function in patched]
    assert not {id(code) for code in within} & {id(code) for code, _defaults in before}
    assert after == before
    assert all(now[0] is code for now, (code, _defaults) in zip(after, before, strict=True))
    assert render(engine)[1][0] == []


def test_nothing_is_left_after_an_exception(engine):
    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), template_frames.named():
        render(engine, call=fails)

    assert render(engine)[1][0] == []


def test_the_error_page_of_a_request_that_is_not_profiled_has_none_of_them(engine):
    def fails():
        raise ZeroDivisionError

    def reported():
        with pytest.raises(ZeroDivisionError) as caught:
            render(engine, call=fails)
        frames = ExceptionReporter(None, caught.type, caught.value, caught.tb).get_traceback_frames()
        return [frame["function"] for frame in frames]

    plain = reported()

    with template_frames.named():
        named = reported()

    assert named == plain


def test_templates_opened_by_another_thread_render_as_ever(engine):
    plain, _seen = render(engine)
    texts = []

    def others():
        texts.extend(render(engine)[0] for _ in range(30))

    threads = [threading.Thread(target=others) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        with template_frames.named():
            texts.append(render(engine)[0])
    for thread in threads:
        thread.join()

    assert set(texts) == {plain}
    assert len(texts) == 170


def test_a_profile_that_is_over_opens_no_more_templates(engine):
    nodes = template_frames.Nodes(Node.render_annotated)
    template = engine.get_template("shop/row.html")
    nodes.close()

    nodes.open(template)

    assert nodes.copies == {}


@pytest.mark.parametrize(("owner", "name"), [(Template, "_render"), (Node, "render_annotated")])
def test_a_wrapper_with_a_closure_is_left_alone(owner, name, engine, monkeypatch):
    original = getattr(owner, name)

    def wrapper(self, context):
        return original(self, context)

    monkeypatch.setattr(owner, name, wrapper)

    with template_frames.named():
        _text, seen = render(engine)

    assert seen[0] == []


def test_a_function_of_somebody_elses_that_takes_more_is_left_alone(engine, monkeypatch):
    def render_annotated(self, *args):
        return self.render(*args)

    monkeypatch.setattr(Node, "render_annotated", render_annotated)

    with template_frames.named():
        text, seen = render(engine)

    assert text
    assert seen[0] == []


def test_a_node_that_annotates_for_itself_still_does(engine):
    class Loud(VariableNode):
        def render_annotated(self, context):
            return super().render_annotated(context).upper()

    template = engine.from_string("{{ word }}")
    template.nodelist[0].__class__ = Loud

    with template_frames.named():
        text = template.render(Context({"word": "quiet"}))

    assert text == "QUIET"


class Inline(Node):
    """
    A tag whose own parser gives its nodes a token, but no origin.
    """

    child_nodelists = ("nodelist",)

    def __init__(self):
        self.nodelist = Parser(Lexer("hello {{ word }}").tokenize(), {}, []).parse()

    def render(self, context):
        return self.nodelist.render(context)


def test_nodes_without_an_origin_render_as_ever(engine):
    template = engine.from_string("{{ word }}")
    template.nodelist.append(Inline())

    with template_frames.named():
        text = template.render(Context({"word": "world"}))

    assert text == "worldhello world"


class Numbered(Node):
    def render(self, context):
        return f"[{self.number}]"


class Copying(Node):
    """
    A tag that renders copies of its child.
    """

    child_nodelists = ("nodelist",)

    def render(self, context):
        texts = []
        for number in range(3):
            child = copy.copy(self.nodelist[0])
            child.number = number
            texts.append(child.render_annotated(context))
        return "".join(texts)


def test_a_copy_of_a_node_renders_itself(engine):
    template = engine.from_string("{{ word }}")
    copying, child = Copying(), Numbered()
    for node in (copying, child):
        node.token, node.origin = template.nodelist[0].token, template.origin
    copying.nodelist = NodeList([child])
    template.nodelist.append(copying)

    with template_frames.named():
        text = template.render(Context({"word": ""}))

    assert text == "[0][1][2]"


def test_nodes_that_cannot_be_listed_render_without_a_name(engine, monkeypatch, caplog):
    def boom(*args):
        raise RuntimeError("not today")

    template = engine.from_string("{{ word }}")
    monkeypatch.setattr(NodeList, "get_nodes_by_type", boom)

    with template_frames.named():
        text = template.render(Context({"word": "quiet"}))

    assert text == "quiet"
    assert "go without a name" in caplog.text


def test_the_frame_carries_the_template_and_its_line(engine):
    codes = []

    def collect():
        frame = sys._getframe()
        while frame is not None:
            codes.append(frame.f_code)
            frame = frame.f_back

    with template_frames.named():
        render(engine, call=collect)

    lines = {code for code in codes if template_frames.place_of(code)}
    assert len(lines) == len({template_frames.place_of(code) for code in lines}) == 6
    frames = [names.frame_of(code, 1) for code in codes if template_frames.place_of(code)]
    frame = next(frame for frame in frames if frame.template == "shop/list.html" and frame.template_line == 4)
    assert frame.function == "list.html:4"
    assert frame.line is None


# Exceptions


def raised(engine, around):
    def fails():
        raise ZeroDivisionError("in the row")

    with pytest.raises(ZeroDivisionError) as caught:
        around(lambda: render(engine, call=fails))
    return caught.value


def profiled(call):
    profile = Profile(Choice("cpu", "sampler", 4.0), "GET /fails/")
    with sampled(profile, "view"):
        profile.marked("view", call)()


def test_a_traceback_has_the_frames_it_always_has(engine):
    plain = raised(engine, lambda call: call())

    error = raised(engine, profiled)

    def lines(error):
        entries = [(entry.filename, entry.lineno, entry.name) for entry in traceback.extract_tb(error.__traceback__)]
        return entries[[entry[2] for entry in entries].index("render") :]

    assert lines(error) == lines(plain)
    assert linecache.getline(markers.__file__, 1)


def test_the_error_knows_its_place_in_the_template(engine):
    plain = raised(engine, lambda call: call())

    error = raised(engine, profiled)

    assert error.template_debug["line"] == plain.template_debug["line"]
    assert error.template_debug["name"] == plain.template_debug["name"]


def test_the_cause_of_an_exception_is_cleaned_too(engine):
    def fails():
        try:
            render(engine, call=lambda: 1 / 0)
        except ZeroDivisionError as error:
            raise TemplateSyntaxError("again") from error

    with pytest.raises(TemplateSyntaxError) as caught:
        profiled(fails)

    files = {entry.filename for entry in traceback.extract_tb(caught.value.__cause__.__traceback__)}
    assert not any("vmprof/template_frames" in file or file.startswith("shop/") for file in files)


def test_djangos_error_page_is_the_same_with_the_profile(settings, monkeypatch):
    settings.DEBUG = True
    settings.ROOT_URLCONF = "tests.vmprof.site"
    client = Client(raise_request_exception=False)
    pages = []
    for panels in ([], [VMProfPanel]):
        monkeypatch.setattr(DebugToolbar, "_panel_classes", panels)
        pages.append(client.get("/template-error/").content.decode())

    plain, profiled_page = (frames_of_error_page(page) for page in pages)

    assert len(plain) > 10
    assert profiled_page == plain


def frames_of_error_page(page):
    return re.findall(r"<code class=\"fname\">(.*?)</code>, line (\d+), in (\S+)", page)


def test_the_profiler_is_free_again(engine):
    raised(engine, profiled)

    live.exclusive.acquire(live.TOOL, "next")
    live.exclusive.release(live.TOOL)
