"""
Every recorded plan gets the findings its case asks for, and none that the case forbids.
"""

from __future__ import annotations

import pytest

from perf_panels.explain.rules import engine
from tests.explain import corpus

FOLDERS = ("postgresql", "mysql", "mariadb", "sqlite")
BESIDE_WHAT_WAS_ASKED = {}
"""Findings that a case neither asks for, allows nor forbids: each is looked at before it gets here."""


@pytest.fixture(autouse=True)
def rules_may_fail_loudly(monkeypatch):
    quiet = engine.run

    def run(subject, off=frozenset(), *, strict=True):
        return quiet(subject, off, strict=strict)

    monkeypatch.setattr(engine, "run", run)


@pytest.mark.parametrize("folder", FOLDERS)
def test_expected_findings_are_there(folder):
    verdicts = {case.name: judge(case) for case in corpus.cases() if case.engine == folder}
    expected = sum(len(case.expected) for case in corpus.cases() if case.engine == folder)

    missing = {name: judged.missing for name, judged in verdicts.items() if judged.missing}

    assert sum(map(len, missing.values())) <= 0.05 * expected, missing


def test_what_nobody_asked_for_is_listed_here():
    surplus = {str(case): judged.surplus for case in corpus.cases() if (judged := judge(case)).surplus}

    assert surplus == BESIDE_WHAT_WAS_ASKED


@pytest.mark.parametrize("case", corpus.cases(), ids=str)
def test_nothing_forbidden_is_found(case):
    found = {path.name: corpus.verdict(case, corpus.rules_of(corpus.explain(case, path))) for path in case.files()}

    assert found
    assert not {name: judged.forbidden for name, judged in found.items() if judged.forbidden}


def judge(case):
    plan = next(path for path in case.files() if not path.name.endswith(corpus.ESTIMATED))
    return corpus.verdict(case, corpus.rules_of(corpus.explain(case, plan)))
