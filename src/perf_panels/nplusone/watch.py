"""
The N+1 engine outside the toolbar: in a test, a management command, a shell.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

from perf_panels.nplusone.collect import Recording, recording_into
from perf_panels.nplusone.history import Unused, eager_loads
from perf_panels.nplusone.patches import install
from perf_panels.nplusone.report import report

if TYPE_CHECKING:
    from types import TracebackType

    from perf_panels.findings import Finding


class watch(AbstractContextManager["list[Finding]"]):  # noqa: N801 - used as a verb, like contextlib.suppress
    """
    Watch the ORM for as long as the block runs::

        with watch() as findings:
            render_the_report()
        assert not findings

    The list is filled with ``Finding`` objects, worst first, when the block ends; ``async with`` does the same. An
    eager load that the block did not use is among them as ``info``. Raises nothing of its own.
    """

    def __enter__(self) -> list[Finding]:
        install()
        self._recording = Recording()
        self._findings: list[Finding] = []
        self._stack = ExitStack()
        self._stack.enter_context(recording_into(self._recording))
        return self._findings

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
        loads = eager_loads(self._recording.peers).values()
        unused = [Unused(peers, 1, 1) for peers, used in loads if not used]
        self._findings += report(self._recording, unused, unused_requests=1).findings

    async def __aenter__(self) -> list[Finding]:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
