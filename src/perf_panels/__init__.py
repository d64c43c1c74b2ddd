"""
Performance panels for Django Debug Toolbar: which line to change, and what it will save.
"""

from __future__ import annotations

__version__ = "0.1.0"
