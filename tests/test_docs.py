"""
The documentation says what the code does: settings, checks, rules.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from docs import catalogue
from perf_panels.conf import Config
from perf_panels.explain.limits import Limits
from perf_panels.explain.rules.engine import all_rules

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))


def table(page):
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", (ROOT / "docs" / page).read_text(), re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}


def test_the_settings_page_lists_every_setting_with_its_default():
    documented = {name: cells[0] for name, cells in table("settings.md").items()}

    assert documented == {field.name: f"`{getattr(Config(), field.name)!r}`" for field in fields(Config)}


def test_the_checks_page_lists_every_check():
    raised = set(re.findall(r"perf_panels\.[EW]\d{3}", SOURCE))

    assert set(table("checks.md")) == raised


def test_the_panel_page_lists_every_rule():
    modules = [path.read_text() for path in (ROOT / "src/perf_panels/nplusone").glob("*.py")]
    documented = re.findall(r"^\| `([a-z-]+-[a-z-]+)` \|", (ROOT / "docs/nplusone.md").read_text(), re.MULTILINE)

    assert len(documented) == 11
    for rule in documented:
        assert any(f'"{rule}"' in module for module in modules), rule


def test_the_line_profilers_page_lists_every_rule():
    source = (ROOT / "src/perf_panels/lines/hot.py").read_text()
    documented = re.findall(r"^\| `([a-z-]+-[a-z-]+)` \|", (ROOT / "docs/lines.md").read_text(), re.MULTILINE)

    assert documented == re.findall(r'rule="([a-z-]+)"', source)


def test_the_catalogue_has_every_rule_with_its_meaning_and_the_source_of_its_threshold():
    for rule in all_rules().values():
        assert f"| `{rule.id}` | {rule.summary} |" in catalogue.rules()
        assert rule.summary, rule.id
        assert rule.source, rule.id


def test_the_catalogue_has_every_limit_with_its_default():
    for limit in fields(Limits):
        assert f"| `{limit.name}` | `{limit.default:g}` |" in catalogue.limits()
