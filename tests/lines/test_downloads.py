"""
What is downloaded is what line_profiler itself would have written and printed.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from perf_panels.actions import Refused
from perf_panels.lines import downloads
from tests.lines.builders import SOURCE, function, line, stats, timings, write


@pytest.fixture
def stored(tmp_path):
    path = write(tmp_path)
    view = function(path, line(3, 5.25, hits=1), line(5, 60.5, hits=4_000))
    render = function(path, line(3, 0.75), phase="render")
    return stats(timings(view, render, render_ms=3.0))


def test_the_text_is_what_line_profiler_prints_of_the_file(stored, tmp_path):
    pytest.importorskip("line_profiler")
    file = tmp_path / "run.lprof"
    file.write_bytes(downloads.as_lprof(stored))

    printed = subprocess.run(
        [sys.executable, "-m", "line_profiler", str(file)], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout

    assert downloads.as_text(stored) == printed
    assert "if row in products" in printed
    # The view's and the render's 6 ms of line 3, in microseconds.
    assert "   3         2       6000.0   3000.0" in printed


def test_without_line_profiler_it_says_what_to_install(stored, monkeypatch):
    monkeypatch.setitem(sys.modules, "line_profiler", None)
    monkeypatch.setitem(sys.modules, "line_profiler.line_profiler", None)

    for make in (downloads.as_text, downloads.as_lprof):
        with pytest.raises(Refused, match="pip install line_profiler"):
            make(stored)


def test_markdown_has_the_finding_and_the_hot_lines(stored):
    text = downloads.as_markdown(stored)

    assert text.startswith("### GET /facets/: 103 ms\n\n- **Line 5 of View.get takes 59 % of the time: 60.5 ms**")
    assert "     5      4,000    60.5 ms    15.1 µs   92 %              if row in products:" in text
    assert "return self.found" not in text


def test_markdown_leaves_out_cold_lines_and_shows_where(tmp_path):
    path = write(tmp_path)

    text = downloads.as_markdown(stats(timings(function(path, line(3, 5.0), line(9, 4.0)))))

    assert "found += 1" not in text
    assert "\n     …\n" in text


def test_markdown_names_files_as_the_project_does(stored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert str(tmp_path) not in downloads.as_markdown(stored)


def test_backticks_in_the_source_do_not_end_the_block(tmp_path):
    path = write(tmp_path, SOURCE.replace("self.rows]", "'````']"))

    text = downloads.as_markdown(stats(timings(function(path, line(3, 5.0)))))

    assert text.count("`````") == 2


def test_a_file_name_is_taken_by_every_file_system():
    assert downloads.file_name({"view": "site.views.View.<locals>.über/die"}) == "ber-die-lines"
