from __future__ import annotations

import datetime as dt

import pytest

from perf_panels.explain.inlined import inlined


def test_writes_the_values_into_the_text():
    day = dt.date(2026, 1, 2)

    text = inlined("SELECT %s, %s, %s, %s WHERE a LIKE '50%%' AND b = %s", [1, True, None, "O'Neill%", day])

    assert text == "SELECT 1, 1, NULL, 'O''Neill%' WHERE a LIKE '50%' AND b = '2026-01-02'"


@pytest.mark.parametrize("params", [None, [], {"a": 1}, [1, 2], [b"bytes"], ["100%s"]])
def test_leaves_what_it_cannot_write(params):
    assert inlined("SELECT %s", params) == "SELECT %s"
