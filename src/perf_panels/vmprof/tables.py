"""
What the page lists: findings, owners and functions, every value as the text it is shown as.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels import numbers
from perf_panels.origins import short_path
from perf_panels.vmprof.owners import KINDS
from perf_panels.vmprof.wording import name_of, owner_text, place_of, share_text

Stats = dict[str, Any]


def cards(stats: Stats) -> list[dict[str, Any]]:
    """
    Return the findings with their source and how sure they are.
    """
    sources = stats.get("sources") or {}
    found = []
    for finding in stats["findings"]:
        origin = finding["origin"] or {}
        evidence = finding["evidence"]
        found.append(
            {
                "finding": finding,
                "path": short_path(origin.get("file") or ""),
                "source": sources.get(f"{origin.get('file')}:{origin.get('line')}") or [],
                "sure": _("± %(error)s points, from %(samples)s of %(all)s samples")
                % {
                    "error": numbers.whole(round(evidence["error_percent"])),
                    "samples": f"{evidence['samples']:,}",
                    "all": f"{evidence['all_samples']:,}",
                },
            }
        )
    return found


def owners(stats: Stats) -> list[dict[str, Any]]:
    """
    Return the parts of the owner bar, in the order of what can be changed first.
    """
    total = sum(each["ms"] for each in stats["owners"]) or 1
    found, left = [], 0.0
    for each in sorted(stats["owners"], key=lambda each: (KINDS.index(each["owner"]), -each["ms"])):
        share = each["ms"] / total
        found.append(
            {
                "key": each["package"] or each["owner"],
                "kind": each["owner"],
                "text": owner_text(each["owner"], each["package"]),
                "ms": numbers.ms(each["ms"]),
                "share": numbers.percent(share),
                "x": f"{left * 100:.2f}%",
                "width": f"{share * 100:.2f}%",
            }
        )
        left += share
    return found


def rows(stats: Stats) -> list[dict[str, Any]]:
    """
    Return the functions, every value as the text it is shown as.
    """
    facts = stats["profile"]
    total = facts["sampled_ms"] or 1
    found = []
    for function in stats["functions"]:
        frame = stats["frames"][function["frame"]]
        found.append(
            {
                "frame": str(function["frame"]),
                "name": name_of(frame),
                "place": place_of(frame),
                "kind": frame["owner"],
                "key": frame["package"] or frame["owner"],
                "owner": owner_text(frame["owner"], frame["package"]),
                "self": numbers.ms(function["self_ms"] or None),
                "total": numbers.ms(function["total_ms"]),
                "self_share": _share(function["self_ms"] / total, facts["samples"]),
                "total_share": _share(function["total_ms"] / total, facts["samples"]),
                "width": numbers.width(function["self_ms"] / total),
                "samples": f"{function['self_samples']:,}",
                "callers": ", ".join(name_of(stats["frames"][caller]) for caller, _samples in function["callers"][:2]),
                "sort_self": f"{function['self_ms']:.3f}",
                "sort_total": f"{function['total_ms']:.3f}",
            }
        )
    return found


def _share(share: float, samples: int) -> str:
    return share_text(min(1.0, share), samples) if share else ""
