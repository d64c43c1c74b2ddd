from __future__ import annotations

import pytest

from perf_panels.memory.advice import for_source


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (["    lines = [", "        line.pk", "        for line in OrderLine.objects.all()", "    ]"], "one by one"),
        (["rows = list(queryset)"], "one by one"),
        (["for row in sorted(rows):"], "one by one"),
        (["data = open(path).read()"], "in pieces"),
        (["body = json.dumps(rows)"], "StreamingHttpResponse"),
    ],
)
def test_a_statement_that_holds_all_at_once(source, says):
    assert says in for_source(source)


@pytest.mark.parametrize("source", [[], ["total = total + 1"], ["not python ("], ["\0"], ["("] * 5_000])
def test_nothing_is_said_where_nothing_is_known(source):
    assert for_source(source) == ""
