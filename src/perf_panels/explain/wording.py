"""
What the list and an opened statement both say, in the same words.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels.origins import short_path


def severity_text(severity: str) -> str:
    """
    Return a severity, or what stands in its place, as the page's language has it.
    """
    return {
        "critical": _("critical"),
        "warning": _("warning"),
        "info": _("info"),
        "ok": _("no finding"),
        "failed": _("failed"),
        "unknown": _("no plan"),
    }[severity]


def place_of(origin: dict[str, Any] | None) -> str:
    """
    Return where a statement was sent from, in one line: the template if it was sent from one, else the function.
    """
    if not origin:
        return ""
    if origin.get("template"):
        return f"{origin['template']}:{origin['template_line']}"
    line = f"{short_path(origin['file'])}:{origin['line']}"
    return (
        _("%(line)s in %(function)s") % {"line": line, "function": origin["function"]} if origin["function"] else line
    )


def is_withdrawn(card: dict[str, Any], stats: dict[str, Any]) -> bool:
    """
    Return whether a suggested index was tried and does not help.
    """
    result = stats["trials"].get(card["trial"]["id"]) if card["trial"] else None
    return bool(result and not result["error"] and not result["helps"])
