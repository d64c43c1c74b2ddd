"""
The VMProf panel: where the time of a page goes, at sampling cost.
"""

from __future__ import annotations

PANEL_ID = "VMProfPanel"
