"""
One thing that should change, in the same shape for every panel.

Panels make findings in their ``report``; people read them in the panel, programs in the toolbar's store.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")


@dataclass(frozen=True)
class Origin:
    """
    A place in the user's code: a Python line, the template line being rendered, or both.

    ``file`` is an absolute path. When only a template is known, ``file`` and ``line`` are the template's.
    """

    file: str
    line: int
    function: str
    template: str | None = None
    template_line: int | None = None

    def __str__(self) -> str:
        if self.template and not self.function:
            return f"{self.template}:{self.template_line}"
        place = f"{self.file}:{self.line} in {self.function}"
        return f"{self.template}:{self.template_line} ({place})" if self.template else place


@dataclass
class Finding:
    """
    A problem, the evidence for it, where it is seen and where to change it.

    ``evidence`` has plain numbers, with the unit in the key. ``code`` can be pasted as it is.
    ``relation`` is ``app_label.Model.accessor`` where one is meant. ``saving_ms`` is an estimate made
    from what was measured in this request, or None.
    """

    rule: str
    severity: Severity
    title: str
    detail: str
    evidence: dict[str, float | int] = field(default_factory=dict)
    advice: str = ""
    code: str | None = None
    origin: Origin | None = None
    fix_at: Origin | None = None
    saving_ms: float | None = None
    relation: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """
        Return the finding as plain JSON types, the shape the toolbar's store keeps.
        """
        return asdict(self)

    def __str__(self) -> str:
        lines = [self.title]
        if self.origin:
            lines[0] += f" - {self.origin}"
        if self.advice:
            lines.append(f"  {self.advice}")
        if self.code:
            lines.append(f"  {self.code}")
        if self.fix_at:
            lines.append(f"  at {self.fix_at}")
        return "\n".join(lines)


def worst_first(findings: list[Finding]) -> list[Finding]:
    """
    Return the findings by severity, then by the time they would save or take, the queries and the objects.
    """
    return sorted(
        findings,
        key=lambda finding: (
            SEVERITIES.index(finding.severity),
            -(finding.saving_ms or 0),
            -finding.evidence.get("own_ms", 0),
            -finding.evidence.get("queries", 0),
            -finding.evidence.get("duplicates", 0),
        ),
    )


def finding_dicts(findings: list[Finding]) -> list[dict[str, Any]]:
    """
    Return findings in the shape of ``stats["findings"]``.
    """
    return [finding.as_dict() for finding in findings]
