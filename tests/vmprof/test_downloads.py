"""
What a click takes out of a stored profile.
"""

from __future__ import annotations

import json

import pytest
from debug_toolbar.store import get_store
from django.urls import reverse

from perf_panels.actions import token
from perf_panels.vmprof import PANEL_ID
from tests.vmprof.profiles import frame, profile
from tests.vmprof.test_page import EXPORT, stats

REQUEST = "0f" * 16


@pytest.fixture
def stored():
    def save(samples, **changed):
        get_store().set(REQUEST)
        get_store().save_panel(REQUEST, PANEL_ID, stats(samples, **changed))

    yield save
    get_store().delete(REQUEST)


def post(client, name, action, **fields):
    given = {"token": token(PANEL_ID, REQUEST, action)} | fields
    return client.post(reverse(f"djdt:perf_panels_vmprof_{name}"), given)


@pytest.mark.parametrize(
    ("kind", "ending", "content_type"),
    [
        ("prof", "prof", "application/octet-stream"),
        ("speedscope", "speedscope.json", "application/json"),
        ("collapsed", "collapsed.txt", "text/plain; charset=utf-8"),
    ],
)
def test_a_file_has_a_name_that_says_what_it_is(client, stored, kind, ending, content_type):
    stored(profile(EXPORT, engine="vmprof", mode="wall", clock="wall"))

    answer = post(client, "download", kind)

    assert answer.status_code == 200
    assert answer["Content-Type"] == content_type
    name = answer["Content-Disposition"]
    assert name.startswith('attachment; filename="shop-views-export-19700112-')
    assert name.endswith(f'-wall.{ending}"')


def test_vmprofs_own_reader_opens_the_file(client, stored, tmp_path):
    vmprof = pytest.importorskip("vmprof")
    stored(profile(EXPORT, engine="vmprof"))
    path = tmp_path / "export.prof"
    path.write_bytes(post(client, "download", "prof").content)

    tree = vmprof.read_profile(str(path)).get_tree()

    assert "export" in repr(tree.children) or "export" in tree.name


def test_the_files_have_the_full_stacks(client, stored):
    stored(profile({"decorator > home > draw": 20}))

    lines = post(client, "download", "collapsed").content.decode().splitlines()
    made = json.loads(post(client, "download", "speedscope").content)

    assert lines[0].startswith("view;_wrapper_view (csrf.py:")
    assert made["profiles"][0]["weights"] == [20.0]


def test_vmprofs_file_is_not_made_of_another_engines_samples(client, stored):
    stored(profile(EXPORT, engine="sampler"))

    answer = post(client, "download", "prof")

    assert answer.status_code == 409
    assert "vmprof did not take these samples" in answer.json()["error"]


def test_there_is_no_file_before_there_is_a_profile(client, stored):
    stored(None, state="pending")

    assert post(client, "download", "collapsed").status_code == 409


def test_a_token_for_one_file_gives_no_other_action(client, stored):
    stored(profile(EXPORT))

    assert post(client, "download", "frame").status_code == 403
    assert post(client, "frame", "collapsed", frame="0").status_code == 403


def test_the_source_of_a_frame_is_shown(client, stored):
    stored(profile({"home > re": 20}))
    names = [each["name"] for each in get_store().panel(REQUEST, PANEL_ID)["frames"]]

    content = post(client, "frame", "frame", frame=str(names.index("re"))).json()["content"]

    assert "perf-hit" in content
    assert "standard library" in content


def test_a_source_that_is_gone_is_said_to_be(client, stored):
    stored(profile({"home": 20}))

    assert "no source of it to read" in post(client, "frame", "frame", frame="0").json()["content"]


@pytest.mark.parametrize("number", ["", "-1", "99", "/etc/passwd", "0/../1", "\u0663"])
def test_only_a_frame_that_is_stored_has_a_source(client, stored, number):
    stored(profile({"home": 20}))

    assert post(client, "frame", "frame", frame=number).status_code == 409


def test_a_frame_of_a_template_is_looked_up_at_its_line(client, stored, tmp_path):
    template = tmp_path / "list.html"
    template.write_text("one\ntwo\nthree\n")
    samples = profile({"home > list.html:2": 20})
    place = samples.frames.index(frame("list.html:2"))
    samples.frames[place] = samples.frames[place]._replace(file=str(template))
    stored(samples)
    frames = get_store().panel(REQUEST, PANEL_ID)["frames"]
    number = next(index for index, each in enumerate(frames) if each["template"])

    content = post(client, "frame", "frame", frame=str(number)).json()["content"]

    assert "two" in content.partition("perf-hit")[2]
