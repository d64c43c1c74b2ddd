"""
Sphinx: ``make docs`` builds these pages, with warnings as errors.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "src"), str(Path(__file__).parent)]

from django.conf import settings

from perf_panels import __version__

settings.configure()

import catalogue

catalogue.write()

project = "django-perf-panels"
author = "the django-perf-panels authors"
project_copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = f"{project} {release}"
