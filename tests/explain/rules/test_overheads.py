from __future__ import annotations

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.overheads import jit_overhead, planning_time, workers_missing


def subject(root=None, **plan):
    return Subject(
        Plan("postgresql", root or Node(Kind.SCAN, "Seq Scan"), analyzed=True, **plan), Query("", "postgresql")
    )


def test_compiling_that_takes_half_of_the_time():
    (match,) = jit_overhead(subject(jit_ms=50.0, execution_ms=100.0))

    assert match.title == "50 of 100 ms spent on compiling the statement (JIT)"
    assert match.saving_ms == 50.0


def test_compiling_that_is_short_or_a_small_part():
    assert not list(jit_overhead(subject(jit_ms=9.0, execution_ms=10.0)))
    assert not list(jit_overhead(subject(jit_ms=24.0, execution_ms=100.0)))
    assert not list(jit_overhead(subject(execution_ms=100.0)))


def test_planning_that_is_longer_than_running():
    (match,) = planning_time(subject(planning_ms=12.0, execution_ms=1.0))

    assert match.severity == "info"
    assert match.evidence == {"planning_ms": 12.0, "execution_ms": 1.0}


def test_planning_that_is_short_or_worth_it():
    assert not list(planning_time(subject(planning_ms=9.0, execution_ms=1.0)))
    assert not list(planning_time(subject(planning_ms=12.0, execution_ms=12.0)))
    assert not list(planning_time(subject(execution_ms=12.0)))


def test_workers_that_did_not_come():
    (match,) = workers_missing(subject(gather(2, 1)))

    assert match.title == "1 of 2 planned workers ran"


def test_workers_that_came_or_were_not_needed():
    assert not list(workers_missing(subject(gather(2, 2))))
    assert not list(workers_missing(subject(gather(2, 0, loops=0))))
    assert not list(workers_missing(subject(gather(2, None))))


def gather(planned, launched, loops=1.0):
    return Node(Kind.GATHER, "Gather", workers_planned=planned, workers_launched=launched, act_rows=1, loops=loops)
