"""
Which findings of the previous request are gone, and which are new.
"""

from __future__ import annotations

import pytest

from perf_panels.memory import finding_page
from perf_panels.memory.measurements import OBJECTS, Leak
from perf_panels.memory.results import Metered
from tests.memory import builders
from tests.memory.builders import MIB
from tests.memory.test_page import shown, stored, text


def two_findings(first="rows = load()", second="other = load()"):
    """
    Return stats of two statements of one function that are findings, with the text of each.
    """
    function = builders.function([builders.line(41, 50 * MIB), builders.line(46, 80 * MIB)])
    stats = stored(lines=Metered([function]))
    texts = {41: first, 46: second}
    stats["excerpts"] = [
        [{"number": finding["origin"]["line"], "text": texts[finding["origin"]["line"]], "hit": True}]
        for finding in stats["findings"]
    ]
    return stats


def without(stats, line):
    keep = [place for place, finding in enumerate(stats["findings"]) if finding["origin"]["line"] != line]
    return stats | {part: [stats[part][place] for place in keep] for part in ("findings", "excerpts")}


@pytest.mark.parametrize(("line", "title"), [(41, "Line 41 added 50.0 MiB"), (46, "Line 46 added 80.0 MiB")])
def test_of_two_findings_in_one_function_the_one_that_is_fixed_is_gone(line, title):
    both = two_findings()

    assert finding_page.changed(without(both, line), both) == ([title], [])
    assert finding_page.changed(both, without(both, line)) == ([], [title])
    assert f"gone: {title}" in text(shown(without(both, line), both))


def test_a_statement_that_was_edited_is_the_same_finding():
    assert finding_page.changed(two_findings("rows = list(load())"), two_findings()) == ([], [])


def test_findings_that_read_the_same_are_counted():
    alike = two_findings("x = load()", "x = load()")

    gone, new = finding_page.changed(without(alike, 41), alike)

    assert (len(gone), new) == (1, [])


def test_a_leak_of_another_type_is_another_finding():
    def leaking(*names):
        return stored(OBJECTS, leaks=[Leak("type", 3, MIB, 1_000, name) for name in names])

    gone, new = finding_page.changed(leaking("dict", "a.Row"), leaking("dict", "a.OtherRow", "list"))

    assert [len(gone), len(new)] == [2, 1]
    assert "list" in " ".join(gone)
    assert "a.Row" in new[0]
