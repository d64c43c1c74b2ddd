"""
Source with numbers per line: what is kept of it, what is folded, and what is said when it is not what ran.
"""

from __future__ import annotations

import os
import re
import time

import html5lib
import pytest
from django.template.loader import render_to_string

from perf_panels.source_view import Column, Line, changed_since, keep, table, texts, visible

COLUMNS = [Column("Hits"), Column("Share", "Of the function", bar=True)]


@pytest.fixture
def write(tmp_path):
    """
    ``write("a\\nb")`` makes a file of these lines; returns its path.
    """
    path = tmp_path / "module.py"

    def make(text):
        path.write_text(text, encoding="utf-8")
        # Two versions within a moment have the same time, by which linecache knows them apart.
        make.seconds += 5
        os.utime(path, (make.seconds, make.seconds))
        return str(path)

    make.seconds = 1_000_000_000
    return make


def numbered(count, indent="    "):
    return "".join(f"{indent}step({number})\n" for number in range(1, count + 1))


def line(number, heat=0.5, **given):
    return Line(number, ("1", f"{heat:.0%}"), heat, **given)


def view(kept, *lines, **given):
    return table(kept, lines, COLUMNS, **given)


def rows(shown, *, folded=None):
    blocks = [block for block in shown["blocks"] if folded is None or bool(block.get("folded")) == folded]
    return [row["number"] for block in blocks for row in block["rows"]]


def html(shown):
    made = render_to_string("perf_panels/includes/source_table.html", {"view": shown, "label": "View.get"})
    html5lib.HTMLParser(strict=True).parseFragment(made)
    assert "style=" not in made
    return made


# What is kept


def test_a_short_function_is_kept_whole(write):
    kept = keep(write(numbered(10)), 3, 6, [4])

    assert texts(kept) == {number: f"    step({number})" for number in range(3, 7)}
    assert kept["left_out"] == 0


def test_of_a_very_long_function_only_what_is_near_the_numbers_is_kept(write):
    kept = keep(write(numbered(5_000)), 1, 5_000, [2_000, 4_000])

    assert sorted(texts(kept)) == [*range(1, 5), *range(1_988, 2_013), *range(3_988, 4_013)]
    assert kept["left_out"] == 5_000 - 54


def test_very_long_lines_are_cut_and_say_by_how_much(write):
    kept = keep(write("x" * 700), 1, 1, [])

    assert texts(kept)[1] == "x" * 500 + " … (+200)"


def test_a_file_that_is_not_there_has_no_source(tmp_path):
    shown = view(keep(str(tmp_path / "gone.py"), 1, 9, [4]), line(4))

    assert "gone.py cannot be read" in shown["notes"][0]
    assert rows(shown) == [4]


def test_a_file_that_is_no_text_has_no_source(tmp_path):
    path = tmp_path / "binary.py"
    path.write_bytes(b"\xff\xfe\x00bad")

    assert texts(keep(str(path), 1, 9, [4])) == {}


def test_source_left_out_for_its_size_says_so():
    shown = view(None, line(4))

    assert "left out to keep the stored size down" in shown["notes"][0]
    assert rows(shown) == [4]


# Is it what ran?


def test_a_change_of_the_function_after_the_run_is_noticed(write):
    kept = keep(write("a = 1\nb = 2\n"), 1, 2, [1])
    assert not changed_since(kept)

    write("a = 1\nb = 3\n")

    assert changed_since(kept)
    assert "as they were when the request ran" in view(kept, line(1))["notes"][0]


def test_a_change_elsewhere_in_the_file_does_not_matter(write):
    kept = keep(write("a = 1\nb = 2\nc = 3\n"), 1, 2, [1])

    write("a = 1\nb = 2\nc = 4\n")

    assert view(kept, line(1))["notes"] == []


@pytest.fixture
def loaded(write):
    """
    ``loaded("def f(): ...")`` returns the code of f as a server would have loaded it from the file.
    """

    def load(text):
        path = write(text)
        names = {}
        exec(compile(text, path, "exec", dont_inherit=True), names)
        return names["f"].__code__

    return load


def test_a_file_edited_after_it_was_loaded_is_not_what_ran(write, loaded, monkeypatch):
    monkeypatch.setattr("perf_panels.kept_source._LOADED_AT", 0)
    code = loaded("def f(x):\n    return x + 1\n")
    assert keep(code.co_filename, 1, 2, [2], code=code)["stale"] is False

    write("def f(x):\n    return x + 2\n")
    kept = keep(code.co_filename, 1, 2, [2], code=code)

    assert kept["stale"] is True
    assert "edited after the server had loaded it" in view(kept, line(2))["notes"][0]


def test_methods_and_inner_functions_are_recognised_in_an_edited_file(write, loaded, monkeypatch):
    monkeypatch.setattr("perf_panels.kept_source._LOADED_AT", 0)
    code = loaded("def f(x):\n    def g():\n        return x\n    return g\n")
    inner = next(each for each in code.co_consts if hasattr(each, "co_code"))

    assert keep(code.co_filename, 2, 3, [3], code=inner)["stale"] is False


def test_an_old_file_is_not_compiled(loaded, monkeypatch):
    def compiled(*_args):
        raise AssertionError

    monkeypatch.setattr("perf_panels.kept_source._LOADED_AT", time.time())
    monkeypatch.setattr("perf_panels.kept_source._codes_of", compiled)
    code = loaded("def f():\n    pass\n")

    assert keep(code.co_filename, 1, 2, [2], code=code)["stale"] is False


def test_numbers_beside_a_blank_line_were_not_measured_on_this_text(write):
    kept = keep(write("a = 1\n\nb = 2\n"), 1, 3, [1])

    assert "edited after" in view(kept, line(2))["notes"][0]


# The table


def test_a_short_function_is_not_folded(write):
    shown = view(keep(write(numbered(20)), 1, 20, [10]), line(10))

    assert rows(shown, folded=True) == []


def test_cold_lines_are_folded_around_the_hot_one(write):
    shown = view(keep(write(numbered(100)), 1, 100, [60]), line(60), line(80, 0.001))

    assert rows(shown, folded=False) == [1, 2, *range(57, 64)]
    assert [block["folded"] for block in shown["blocks"] if block.get("folded")] == [
        "54 lines: 3\N{EN DASH}56",
        "37 lines: 64\N{EN DASH}100",
    ]
    assert shown["hottest"] == 60


def test_a_few_lines_are_not_worth_folding(write):
    shown = view(keep(write(numbered(30)), 1, 30, [10, 20]), line(10), line(20))

    assert 15 in rows(shown, folded=False)


def test_a_finding_is_shown_however_cold(write):
    shown = view(keep(write(numbered(100)), 1, 100, [60]), line(60), line(90, 0.0, mark="warning"))

    assert 90 in rows(shown, folded=False)


def test_without_a_warm_line_the_head_is_shown(write):
    shown = view(keep(write(numbered(100)), 1, 100, [60]), line(60, 0.0))

    assert rows(shown, folded=False) == list(range(1, 25))
    assert shown["hottest"] is None


def test_lines_that_were_not_kept_are_counted(write):
    shown = view(keep(write(numbered(1_000)), 1, 1_000, [500]), line(500))

    assert [block["gap"] for block in shown["blocks"] if block.get("gap")] == ["483 lines were not kept"]


def test_a_line_with_code_and_without_numbers_was_not_reached(write):
    made = html(view(keep(write("a()\nb()\n# why\n"), 1, 3, [1]), line(1), executable=[1, 2]))

    assert made.count("not reached") == 1
    assert re.search(r'<tr class="perf-unreached" data-line="2"', made)


@pytest.mark.parametrize(
    ("heat", "weight", "level"), [(0.9, 1.0, "hot"), (0.1, 1.0, "warm"), (0.01, 1.0, "cold"), (0.9, 0.01, "cold")]
)
def test_a_line_is_as_hot_as_its_part_of_the_whole(write, heat, weight, level):
    shown = view(keep(write(numbered(3)), 1, 3, [2]), line(2, heat, weight=weight))

    assert shown["blocks"][0]["rows"][1]["heat"] == level


def test_the_tab_key_reaches_the_hottest_line_and_the_arrows_the_warm_ones(write):
    shown = view(keep(write(numbered(5)), 1, 5, [1]), line(1, 0.3), line(3, 0.6), line(4, 0.0))

    assert [row["tab"] for row in shown["blocks"][0]["rows"]] == ["-1", "", "0", "", ""]


def test_a_bar_is_written_as_browsers_read_it(write, settings):
    settings.USE_THOUSAND_SEPARATOR = True
    settings.LANGUAGE_CODE = "de"

    made = html(view(keep(write("\n" * 1_233 + "a()\n"), 1_234, 1_234, [1_234]), line(1_234, 1 / 3)))

    assert 'width="33.3%"' in made
    assert 'data-line="1234"' in made


def test_methods_lose_the_indent_they_share(write):
    shown = view(keep(write("\tdef f():\n\t\ta()\n\n\t\tb()\n"), 1, 4, [2]), line(2))

    assert [row["text"] for row in shown["blocks"][0]["rows"]] == ["def f():", "\ta()", "", "\tb()"]


def test_characters_that_move_or_hide_text_are_shown_by_their_code():
    assert visible("if access != 'user\u202e \u2066':") == "if access != 'user\\u202e \\u2066':"
    assert visible("a\x00\x1b[31m\u200b") == "a\\u0000\\u001b[31m\\u200b"
    assert visible("\tnaïve = '数据库 مرحبا 🙂'") == "\tnaïve = '数据库 مرحبا 🙂'"


def test_any_source_gives_valid_html(write):
    text = "x = '<script>alert(1)</script> & \" \x01\x0b \u202e'\n" + "y = '" + "长" * 400 + "'\n\tz\n"

    made = html(view(keep(write(text), 1, 3, [1]), line(1), line(2, 0.01), line(3)))

    assert "<script" not in made
    assert "&lt;script&gt;" in made


def test_nothing_known_makes_no_table(tmp_path):
    assert "<table" not in html(view(keep(str(tmp_path / "gone.py"), 1, 9, [])))


def test_lines_far_from_all_that_is_kept_are_part_of_the_gap(write):
    shown = view(keep(write(numbered(1_000)), 1, 1_000, [500]), line(500), line(800, 0.001))

    assert 800 not in rows(shown)
    assert shown["notes"] == []
