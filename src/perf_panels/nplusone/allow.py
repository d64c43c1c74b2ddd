"""
The allowlist: relations and paths that are never reported, and the entries of it that match nothing known.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from django.apps import apps

if TYPE_CHECKING:
    from perf_panels.findings import Finding


def allowed(finding: Finding, entries: tuple[str, ...]) -> bool:
    """
    Say whether an entry names the finding's relation, its file or its template.
    """
    places = [finding.relation or ""]
    for origin in (finding.origin, finding.fix_at):
        if origin is not None:
            places += [origin.file, origin.template or ""]
    return any(_matches(place, entry) for entry in entries for place in places if place)


def unmatched(entries: tuple[str, ...]) -> list[str]:
    """
    Return the entries that match no relation or field of an installed model and no file of the project.
    """
    if not entries:
        return []
    names = _relations()
    return [entry for entry in entries if not any(fnmatchcase(name, entry) for name in names) and not _is_path(entry)]


def _matches(place: str, entry: str) -> bool:
    return fnmatchcase(place, entry) or fnmatchcase(place, f"*/{entry}")


def _is_path(entry: str) -> bool:
    if "/" not in entry and not entry.endswith((".py", ".html")):
        return False
    roots = {Path.cwd(), *(Path(config.path) for config in apps.get_app_configs())}
    roots |= {root.parent for root in roots} | {root / "templates" for root in roots}
    return any(next(root.glob(entry.lstrip("/")), None) is not None for root in roots)


def _relations() -> set[str]:
    names = set()
    for model in apps.get_models(include_auto_created=True):
        label = model._meta.label
        names |= {f"{label}.get()"} | {f"{label}.{field.name}" for field in model._meta.get_fields()}
        names |= {f"{label}.{relation.get_accessor_name()}" for relation in model._meta.related_objects}
    return names
