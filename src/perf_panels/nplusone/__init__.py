"""
N+1: which queries should not exist, and the exact code that removes them.

``watch`` is the same engine outside the toolbar.
"""

from __future__ import annotations

from perf_panels.nplusone.watch import watch

__all__ = ["watch"]
