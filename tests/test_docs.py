"""
The documentation says what the code does: settings, checks, rules.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from perf_panels.conf import Config

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))


def table(page):
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}


def test_the_settings_page_lists_every_setting_with_its_default():
    documented = {name: cells[0] for name, cells in table("settings.md").items()}

    assert documented == {field.name: f"`{field.default!r}`" for field in fields(Config)}


def test_the_checks_page_lists_every_check():
    raised = set(re.findall(r"perf_panels\.[EW]\d{3}", SOURCE))

    assert set(table("checks.md")) == raised


def test_the_panel_page_lists_every_rule():
    modules = [path.read_text() for path in (ROOT / "src/perf_panels/nplusone").glob("*.py")]
    documented = re.findall(r"^\| `([a-z-]+-[a-z-]+)` \|", (ROOT / "docs/nplusone.md").read_text(), re.MULTILINE)

    assert len(documented) == 11
    for rule in documented:
        assert any(f'"{rule}"' in module for module in modules), rule
