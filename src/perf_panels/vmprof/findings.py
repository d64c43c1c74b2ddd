"""
What deserves to be called hot. Called once for each profile with what ``charges`` found; thresholds are settings.

A place is hot from 20 % of the samples and 20 ms of a request on. It is a problem only if the samples are enough to be
sure of that: its share less its error must still be over the threshold.
"""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext as _, ngettext

from perf_panels import numbers
from perf_panels.findings import Finding, Origin, Severity, worst_first
from perf_panels.origins import short_path
from perf_panels.vmprof import owners
from perf_panels.vmprof.charges import Hot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perf_panels.vmprof.charges import Charge, Charges
    from perf_panels.vmprof.samples import Frame
    from perf_panels.vmprof.tree import Tree

FEW_SAMPLES = 10
"""Below this many samples a profile says nothing."""

_CRITICAL_SHARE = 0.5
_CRITICAL_MS = 100.0
_MOST = 10


class Limits(NamedTuple):
    """
    From where on a place is hot: a share of one, and the milliseconds of one request.
    """

    share: float = 0.2
    ms: float = 20.0


class Measured(NamedTuple):
    """
    The whole that shares are of: the samples, their time, and the requests they come from.
    """

    samples: int
    total_ms: float
    runs: int = 1
    clock: str = "cpu"


def error(share: float, samples: int) -> float:
    """
    Return the standard error of a share found with so many samples, as a share; never nothing while samples are few.
    """
    if samples <= 0:
        return 1.0
    # With one sample added on either side: that all of three samples agree does not make it certain.
    likely = (share * samples + 1) / (samples + 2)
    return sqrt(likely * (1 - likely) / (samples + 2))


def findings(
    tree: Tree, charges: Charges, measured: Measured, limits: Limits, lines: Mapping[Hot, int] | None = None
) -> list[Finding]:
    """
    Return the hot places, the worst first, each at its line of ``lines`` where there is one.
    """
    if not measured.total_ms or measured.samples < FEW_SAMPLES:
        return []
    lines = lines or {}
    found = [_hot(tree, each, measured, limits, lines) for each in charges.charges]
    found += [_database(tree, each, measured, limits, lines) for each in charges.charges]
    return worst_first([each for each in found if each is not None])[:_MOST]


def origin_of(frame: Frame) -> Origin:
    """
    Return the place of a frame in the shape findings have.
    """
    if frame.template is None:
        return Origin(frame.file, frame.first_line, frame.function)
    return Origin(frame.file, frame.template_line or 0, "", frame.template, frame.template_line)


def name_of(frame: Frame) -> str:
    """
    Return what people call a frame: ``money`` or ``shop/home.html:14``.
    """
    return frame.function if frame.template is None else f"{frame.template}:{frame.template_line}"


def _hot(tree: Tree, charge: Charge, measured: Measured, limits: Limits, lines: Mapping[Hot, int]) -> Finding | None:
    share, ms = charge.self_ms / measured.total_ms, charge.self_ms / measured.runs
    if share < limits.share or ms < limits.ms:
        return None
    frame, role = tree.frames[charge.frame], tree.roles[charge.frame]
    is_template = frame.template is not None
    return Finding(
        rule="hot-template-line" if is_template else "hot-function",
        severity=_severity(charge, measured, limits, is_template=is_template),
        title=_title(frame, role, ms, share, measured),
        detail=_detail(tree, charge, share, measured, limits),
        evidence=_evidence(ms, share, charge.samples, measured),
        advice=_advice(tree, charge, is_template=is_template),
        origin=_origin(tree, charge, lines, in_database=False),
        saving_ms=None,
    )


def _database(
    tree: Tree, charge: Charge, measured: Measured, limits: Limits, lines: Mapping[Hot, int]
) -> Finding | None:
    share, ms = charge.database_ms / measured.total_ms, charge.database_ms / measured.runs
    if share < limits.share or ms < limits.ms:
        return None
    frame = tree.frames[charge.frame]
    return Finding(
        rule="database-time",
        severity="info",
        title=_("%(ms)s in the ORM and the database, from %(name)s")
        % {"ms": numbers.ms(ms), "name": _called(frame, tree.roles[charge.frame])},
        detail=_("%(share)s of the time. A profiler cannot say which statements these are and whether they are needed.")
        % {"share": _percent(share, measured)},
        evidence=_evidence(ms, share, charge.database_samples, measured),
        advice=_("Look into the panels N+1 and SQL EXPLAIN."),
        origin=_origin(tree, charge, lines, in_database=True),
    )


def _severity(charge: Charge, measured: Measured, limits: Limits, *, is_template: bool) -> Severity:
    share, ms = charge.self_ms / measured.total_ms, charge.self_ms / measured.runs
    if share - error(share, measured.samples) < limits.share:
        return "info"
    # A line that only writes values costs what the template engine costs: nothing in the line is to be changed.
    if is_template and charge.work_ms < charge.self_ms / 2:
        return "info"
    return "critical" if share >= _CRITICAL_SHARE and ms >= _CRITICAL_MS else "warning"


def _title(frame: Frame, role: owners.Role, ms: float, share: float, measured: Measured) -> str:
    return _("%(ms)s (%(share)s) in %(name)s") % {
        "ms": numbers.ms(ms),
        "share": _percent(share, measured),
        "name": _called(frame, role),
    }


def _called(frame: Frame, role: owners.Role) -> str:
    if frame.template is not None:
        return f"{frame.template}:{frame.template_line}"
    part = owners.template_part(frame)
    if part == "filter":
        return _("the filter %(name)s") % {"name": frame.function}
    if part == "tag":
        return _("the tag %(name)s") % {"name": frame.function}
    name = frame.function
    return _("%(name)s of %(package)s") % {"name": name, "package": role.package} if role.package else name


def _detail(tree: Tree, charge: Charge, share: float, measured: Measured, limits: Limits) -> str:
    counted = ngettext(
        "%(count)s of %(all)s samples were in it or in what it calls outside your project.",
        "%(count)s of %(all)s samples were in it or in what it calls outside your project.",
        charge.samples,
    ) % {"count": f"{charge.samples:,}", "all": f"{measured.samples:,}"}
    unsure = share - error(share, measured.samples) < limits.share
    doubt = _("That is too close to the limit to be sure: More samples tells.") if unsure else ""
    return " ".join(each for each in (counted, _what_it_calls(tree, charge), _who_calls(tree, charge), doubt) if each)


def _what_it_calls(tree: Tree, charge: Charge) -> str:
    most = charge.called.most_common(1)
    if not most or most[0][1] * 3 < charge.samples:
        return ""
    frame, count = most[0]
    return _("Of these, %(share)s were in %(name)s.") % {
        "share": numbers.percent(count / charge.samples),
        "name": name_of(tree.frames[frame]),
    }


def _who_calls(tree: Tree, charge: Charge) -> str:
    callers = [_place(tree.frames[frame]) for frame, _count in charge.callers.most_common(3)]
    return _("Called from %(places)s.") % {"places": ", ".join(callers)} if callers else ""


def _place(frame: Frame) -> str:
    if frame.template is not None:
        return f"{frame.template}:{frame.template_line}"
    return f"{frame.function} ({short_path(frame.file)}:{frame.first_line})"


def _advice(tree: Tree, charge: Charge, *, is_template: bool) -> str:
    frame = tree.frames[charge.frame]
    if is_template:
        return _("Compute it once in the view, or cache the fragment, rather than for each row.")
    if owners.template_part(frame):
        return _("It runs for each cell: make it cheaper, or remember its results (functools.lru_cache).")
    if tree.roles[charge.frame].package:
        return _("Call it less often, or keep its result.")
    return ""


def _origin(tree: Tree, charge: Charge, lines: Mapping[Hot, int], *, in_database: bool) -> Origin:
    """
    Return the place; for a function of a package the line of the project that calls it, where there is one.
    """
    place = charge.frame
    if tree.roles[place].owner == owners.PACKAGE:
        calling = (frame for frame, _count in charge.callers.most_common() if _is_own(tree, frame))
        place = next(calling, place)
    origin = origin_of(tree.frames[place])
    line = lines.get(Hot(charge.frame, place, in_database))
    return origin if line is None else replace(origin, line=line)


def _is_own(tree: Tree, frame: int) -> bool:
    return tree.roles[frame].owner == owners.PROJECT or tree.frames[frame].template is not None


def _evidence(ms: float, share: float, samples: int, measured: Measured) -> dict[str, float | int]:
    return {
        "time_ms": round(ms, 2),
        "share_percent": round(share * 100, 1),
        "error_percent": round(error(share, measured.samples) * 100, 1),
        "samples": samples,
        "all_samples": measured.samples,
        "runs": measured.runs,
    }


def _percent(share: float, measured: Measured) -> str:
    return f"{share * 100:.0f} ± {error(share, measured.samples) * 100:.0f} %"
