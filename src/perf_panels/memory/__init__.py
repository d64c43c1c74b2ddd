"""
Memory: which line made the process grow, which line allocated, what stays.
"""

from __future__ import annotations

PANEL_ID = "MemoryProfilerPanel"
