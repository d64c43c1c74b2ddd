from __future__ import annotations

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.resources import cold_cache, io_heavy, temp_io, wide_rows


def subject(root):
    return Subject(Plan("postgresql", root, analyzed=root.analyzed), Query("", "postgresql"))


def scan(**values):
    return Node(Kind.SCAN, "Seq Scan", relation="shop_order", **({"act_rows": 1, "loops": 1} | values))


def test_many_blocks_for_one_row():
    (match,) = io_heavy(subject(scan(blocks_hit=1500.0, blocks_read=500.0)))

    assert match.title == "2,000 blocks read for each row that came out"
    assert match.evidence["blocks_per_row"] == 2000


def test_blocks_of_many_rows_and_of_sums_are_needed():
    assert not list(io_heavy(subject(scan(act_rows=100, blocks_hit=2000.0))))
    total = Node(Kind.AGGREGATE, "Aggregate", [scan()], act_rows=1, loops=1, blocks_hit=2000.0)
    assert not list(io_heavy(subject(total)))
    assert not list(io_heavy(subject(scan())))


def test_blocks_from_disk():
    (match,) = cold_cache(subject(scan(blocks_hit=500.0, blocks_read=1500.0)))

    assert match.title == "1,500 of 2,000 blocks read from disk"


def test_few_blocks_from_disk_or_many_from_the_cache():
    assert not list(cold_cache(subject(scan(blocks_hit=0.0, blocks_read=999.0))))
    assert not list(cold_cache(subject(scan(blocks_hit=2001.0, blocks_read=2000.0))))
    assert not list(cold_cache(subject(scan())))


def test_temporary_files_of_the_step_that_wrote_them():
    writer = Node(Kind.MATERIALIZE, "Materialize", [scan()], act_rows=1, loops=1, temp_written=200.0, temp_read=100.0)
    top = Node(
        Kind.NESTED_LOOP, "Nested Loop", [scan(), writer], act_rows=1, loops=1, temp_written=200.0, temp_read=100.0
    )

    (match,) = temp_io(subject(top))

    assert match.node is writer
    assert match.evidence == {"temp_blocks": 300}


def test_temporary_files_of_a_sort_are_told_by_the_sort():
    sort = Node(Kind.SORT, "Sort", [scan()], act_rows=1, loops=1, temp_written=200.0, sort_on_disk=True)

    assert not list(temp_io(subject(sort)))
    assert not list(temp_io(subject(scan())))


def test_temporary_files_beside_those_of_a_sort():
    stored = Node(Kind.CTE_SCAN, "CTE Scan", [scan()], act_rows=1, loops=1, temp_written=100.0)
    values = {"act_rows": 1, "loops": 1, "temp_written": 300.0, "sort_on_disk": True}

    (match,) = temp_io(subject(Node(Kind.SORT, "Sort", [stored], **values)))

    assert match.node is stored


def test_many_wide_rows():
    (match,) = wide_rows(subject(scan(act_rows=10_000, width_bytes=2000.0)))

    assert match.severity == "info"
    assert match.title == "10,000 rows of {table} with 2,000 bytes each"


def test_narrow_or_few_rows():
    assert not list(wide_rows(subject(scan(act_rows=10_000, width_bytes=1999.0))))
    assert not list(wide_rows(subject(scan(act_rows=9_999, width_bytes=2000.0))))


def test_wide_rows_of_an_estimate():
    assert list(wide_rows(subject(scan(act_rows=None, loops=None, est_rows=10_000.0, width_bytes=2000.0))))
