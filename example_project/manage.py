#!/usr/bin/env python
"""
The shop's command line.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if find_spec("perf_panels") is None:
        sys.path.append(str(Path(__file__).resolve().parents[1] / "src"))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
