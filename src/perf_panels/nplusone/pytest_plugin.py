"""
The pytest fixture and marker: a test fails with the same sentences the panel shows.

``@pytest.mark.nplusone`` watches the whole test; the ``nplusone`` fixture watches a part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from perf_panels.findings import Finding
    from perf_panels.nplusone.watch import watch as Watch  # noqa: N812 - only named here as a type


def pytest_configure(config: pytest.Config) -> None:
    """
    Register the marker.
    """
    config.addinivalue_line("markers", "nplusone: fail the test if its own code runs N+1 queries.")


@pytest.fixture
def nplusone() -> type[Watch]:
    """
    Return ``watch``, raising ``AssertionError`` with every finding when the block ends::

        def test_page(client, nplusone):
            with nplusone():
                client.get("/")
    """
    from perf_panels.nplusone.watch import watch

    class Failing(watch):
        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
        ) -> None:
            super().__exit__(kind, error, traceback)
            if error is None:
                _fail_on(self._findings)

    return Failing


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """
    Watch the test itself, without its fixtures, if it is marked.
    """
    if item.get_closest_marker("nplusone") is None:
        return (yield)
    from perf_panels.nplusone.watch import watch

    with watch() as findings:
        result = yield
    _fail_on(findings)
    return result


def _fail_on(findings: list[Finding]) -> None:
    problems = [str(finding) for finding in findings if finding.severity != "info"]
    if problems:
        pytest.fail("\n\n".join(problems), pytrace=False)
