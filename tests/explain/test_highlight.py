"""
How a statement is laid out, coloured and folded.
"""

from __future__ import annotations

import re
import time
from html import unescape

import pytest

from perf_panels.explain.highlight import INDENTED, highlighted
from perf_panels.explain.params import keep, shown


def params(*values):
    return shown(keep(values).values)


def plain(html):
    """
    Return what the copy button takes: the text, whatever is hidden.
    """
    return unescape(re.sub(r"<[^>]*>", "", html))


def squeezed(text):
    return re.sub(r"\s+", "", text)


def test_keywords_strings_and_numbers_have_classes():
    html = highlighted("SELECT a FROM t WHERE b = 'x' AND c = 1 -- why")

    assert '<span class="perf-sql-verb">SELECT</span>' in html
    assert '<span class="perf-sql-keyword">FROM</span>' in html
    assert "perf-sql-string" in html
    assert '<span class="perf-sql-number">1</span>' in html
    assert "perf-sql-comment" in html


def test_each_clause_has_its_line():
    assert plain(highlighted("SELECT a FROM t WHERE b = 1 ORDER BY a")).splitlines() == [
        "SELECT a",
        "FROM t",
        "WHERE b = 1",
        "ORDER BY a",
    ]


def test_names_are_left_as_they_were_written():
    assert plain(highlighted("select date from t")).split() == ["select", "date", "from", "t"]


def test_a_placeholder_carries_its_value():
    html = highlighted("SELECT a FROM t WHERE b = %s AND c = %s", params("new", 3))

    assert re.findall(r'data-value="([^"]*)" title="(\w+)"', html) == [("&#x27;new&#x27;", "str"), ("3", "int")]
    assert plain(html).count("%s") == 2


def test_a_named_placeholder_carries_its_value():
    html = highlighted("SELECT a FROM t WHERE b = %(state)s", shown(keep({"state": "new"}).values))

    assert 'data-value="&#x27;new&#x27;"' in html


def test_values_are_left_out_where_they_cannot_be_told_apart():
    html = highlighted("SELECT a FROM t WHERE b LIKE '%s' AND c = %s", params("new", 3))

    assert "data-value" not in html


def test_a_long_list_is_folded_after_five():
    html = highlighted(f"SELECT a FROM t WHERE b IN ({', '.join(['%s'] * 500)})", params(*range(500))[:0])

    assert 'data-label="… 495 more"' in html
    assert "perf_fold" not in html
    assert squeezed(plain(html)).count("%s") == 500


def test_a_folded_list_keeps_its_values_in_their_order():
    values = params(*range(30), "last")
    html = highlighted(f"SELECT a FROM t WHERE b IN ({', '.join(['%s'] * 30)}) AND c = %s", values)

    assert re.findall(r'data-value="([^"]*)"', html) == [*(str(number) for number in range(30)), "&#x27;last&#x27;"]


def test_rows_of_an_insert_are_folded():
    html = highlighted("INSERT INTO t (a, b) VALUES " + ", ".join(["(%s, %s)"] * 100))

    assert 'data-label="… 95 more"' in html
    assert plain(html).count("%s") == 200


def test_what_is_copied_is_the_statement():
    sql = f"SELECT a FROM t WHERE b IN ({', '.join(str(number) for number in range(99))}) AND c = 'it''s'"

    assert squeezed(plain(highlighted(sql))) == squeezed(sql)


def test_a_very_long_statement_is_not_laid_out():
    sql = "SELECT " + ", ".join(f"t.column_{number}" for number in range(2_000)) + " FROM t"

    assert len(sql) > INDENTED
    assert plain(highlighted(sql)) == sql


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT '<script>' || \"<b>\" FROM t -- </code>",
        "SELECT 'open",
        "SELECT ((((((((((",
        "nonsense \u202e مرحبا 数据库 \0",
        "(" * 5_000,
        "SELECT a FROM t WHERE b IN (" + "'a', " * 3_000,
        "perf_fold_0 perf_fold_ IN (" + ", ".join("1" * 40) + ")",
        "SELECT CASE " + "WHEN a = 1 THEN 2 " * 400 + "END",
    ],
)
def test_any_text_is_shown_whole_escaped_and_soon(sql):
    began = time.process_time()

    html = highlighted(sql)

    assert time.process_time() - began < 2
    assert squeezed(plain(html)) == squeezed(sql)
    assert "<script" not in html
