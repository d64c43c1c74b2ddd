"""
``many-instances``: a queryset that has very many instances in memory at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _, ngettext

from perf_panels.conf import get_config
from perf_panels.findings import Finding
from perf_panels.memory.wording import memory

if TYPE_CHECKING:
    from perf_panels.findings import Severity
    from perf_panels.memory.measurements import Measurements
    from perf_panels.memory.results import Loaded

_CRITICAL = 10
"""Times the threshold."""
_PAGES = 5
"""Times the threshold that select_related may add to a queryset with a limit: somebody chose the size of that page."""


@dataclass
class _Queryset:
    """
    What came from one place: (model's label, how it came, bytes each). What is prefetched is built inside Django, and
    run where its queryset is.
    """

    loads: list[tuple[str, Loaded, int]]

    @property
    def most(self) -> tuple[str, Loaded, int]:
        # The model that was asked for comes before what came with it.
        return max(self.loads, key=lambda load: (load[1].how == "queryset", load[1].at_once))

    @property
    def total(self) -> int:
        return sum(loaded.at_once for _label, loaded, _bytes in self.loads)

    @property
    def related(self) -> int:
        return sum(loaded.at_once for _label, loaded, _bytes in self.loads if loaded.how == "related")

    @property
    def total_bytes(self) -> int:
        return sum(loaded.at_once * each for _label, loaded, each in self.loads)


def instances(measured: Measurements) -> list[Finding]:
    """
    Return the places that had ``MEMORY_INSTANCES`` instances of one model in memory at once, with their relations.
    """
    least = get_config().MEMORY_INSTANCES
    found = [each for each in _querysets(measured) if max(loaded.at_once for _l, loaded, _b in each.loads) >= least]
    return [_instances_finding(each, least) for each in sorted(found, key=lambda each: -each.total_bytes)]


def _querysets(measured: Measurements) -> list[_Queryset]:
    by_place: dict[tuple[object, ...], _Queryset] = {}
    for model in measured.objects.models if measured.objects else ():
        for loaded in model.places:
            # What .iterator() makes is never all there at once.
            if loaded.how != "iterator":
                ran = loaded.evaluated or loaded.origin
                key = (ran.file, ran.line, ran.template, ran.template_line) if ran else (model.label,)
                queryset = by_place.setdefault(key, _Queryset([]))
                queryset.loads.append((model.label, loaded, model.bytes_each))
    return list(by_place.values())


def _instances_finding(queryset: _Queryset, least: int) -> Finding:
    label, main, _each = queryset.most
    others = [load for load in queryset.loads if load[0] != label]
    words = {
        "count": f"{main.at_once:,}",
        "model": label,
        "more": f"{queryset.total - main.at_once:,}",
        "others": len(others),
    }
    title = _("%(count)s instances of %(model)s in memory at once") % words
    if others:
        title = ngettext(
            "%(count)s instances of %(model)s in memory at once, and %(more)s of another model that came with them",
            "%(count)s instances of %(model)s in memory at once, and %(more)s of %(others)d models that came with them",
            len(others),
        )
        title %= words
    return Finding(
        rule="many-instances",
        severity=_instances_severity(queryset, least, limited=main.limited),
        title=title,
        detail=_instances_detail(queryset, others),
        evidence={
            "instances": queryset.total,
            f"{main.how}_instances": main.at_once,
            "instance_bytes": queryset.total_bytes,
        },
        advice=_instances_advice(others, least, limited=main.limited),
        code=None if main.limited else ".iterator(chunk_size=2_000)",
        origin=main.evaluated or main.origin,
        fix_at=main.origin if main.evaluated not in {None, main.origin} else None,
    )


def _instances_severity(queryset: _Queryset, least: int, *, limited: bool) -> Severity:
    if limited and queryset.related < _PAGES * least:
        return "info"
    return "critical" if queryset.total >= _CRITICAL * least and not limited else "warning"


def _instances_detail(queryset: _Queryset, others: list[tuple[str, Loaded, int]]) -> str:
    said = _("About %(bytes)s with their values.") % {"bytes": memory(queryset.total_bytes)}
    if not others:
        return said
    names = ", ".join(
        f"{loaded.at_once:,} {label}" for label, loaded, _each in sorted(others, key=lambda load: -load[1].at_once)[:6]
    )
    return f"{said} " + _("With them came: %(names)s.") % {"names": names}


def _instances_advice(others: list[tuple[str, Loaded, int]], least: int, *, limited: bool) -> str:
    joined = [label for label, loaded, _each in others if loaded.how == "related" and loaded.at_once >= least]
    if joined and limited:
        text = _(
            "select_related makes an object for each row, also where rows share one: prefetch_related makes"
            " each %(model)s once. Or show fewer rows on a page."
        )
        return text % {"model": joined[0]}
    if limited:
        return _("Show fewer rows on a page.")
    return _(
        "Go through them one by one with .iterator(), read only the columns you need with .values_list(), let the"
        " database count and add up with .aggregate(), or show them in pages (Paginator)."
    )
