"""
Entering what a panel gives to be entered around the view and the render, without a word of it reaching the page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from perf_panels.base import ViewPanel


class Guarded:
    """
    Enters and leaves a panel's context manager so that nothing of it reaches the page: no exception, no swallowing.
    """

    def __init__(self, panel: ViewPanel, phase: str, make: Callable[[], Any]) -> None:
        self.panel = panel
        self.phase = phase
        self.make = make
        self.context: Any = None

    def __enter__(self) -> None:
        try:
            context = self.make()
            context.__enter__()
            self.context = context
        except Exception as error:  # noqa: BLE001 - the host's view must run, whatever we do wrong
            self.panel.failed(self.phase, error)

    def __exit__(self, *raised: object) -> None:
        if self.context is None:
            return
        try:
            self.context.__exit__(*raised)
        except Exception as error:  # noqa: BLE001 - as above
            # A generator-based context manager raises the view's own exception again: that is not ours to report.
            if error is not raised[1]:
                self.panel.failed(self.phase, error)

    async def __aenter__(self) -> None:
        try:
            context = self.make()
            if hasattr(context, "__aenter__"):
                await context.__aenter__()
            else:
                context.__enter__()
            self.context = context
        except Exception as error:  # noqa: BLE001 - as above
            self.panel.failed(self.phase, error)

    async def __aexit__(self, *raised: object) -> None:
        self.__exit__(*raised)
