"""
The settings of the process that replays in these tests.
"""

from __future__ import annotations

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.vmprof.site"
MIDDLEWARE = ["debug_toolbar.middleware.DebugToolbarMiddleware"]
