"""
What stays from request to request, as the page says it: pure functions, made from the stats alone.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from perf_panels import numbers
from perf_panels.memory.measurements import BESIDE, HELD, LATE, STREAMED
from perf_panels.memory.wording import change, place_of, requests

Stats = dict[str, Any]


def leaks_context(stats: Stats) -> Stats:
    """
    Return the context of the leaks' template. ``nothing_stays``: enough requests were looked at to say so.
    """
    return {
        "leak_text": "" if stats["leaks"] else _text(stats),
        "leak_rows": [_row(each) for each in stats["leaks"]],
        "nothing_stays": stats["complete"] and not stats["unseen"] and not stats["leaks"] and _is_enough(stats),
    }


def _is_enough(stats: Stats) -> bool:
    return bool(0 < stats["leak_requests"] <= stats["looked_at"])


def _text(stats: Stats) -> str:
    if not stats["leak_requests"]:
        return _("Not looked at: MEMORY_LEAK_REQUESTS is 0.")
    reason = _reason(stats["unseen"])
    if not stats["complete"]:
        return reason or _(
            "It is looked at when the response is gone, which is not yet stored. Close the panel and open it again."
        )
    if _is_enough(stats):
        known = _("Nothing that grew in each of the last %(requests)s to this view that were looked at.")
    else:
        known = _("%(looked_at)s of %(requests)s to this view looked at so far, in this process and with this engine.")
    known %= {"looked_at": stats["looked_at"], "requests": requests(stats["leak_requests"])}
    return f"{reason} {known}" if reason else known


def _reason(unseen: str) -> str:
    return {
        STREAMED: _("Not looked at: this response is streamed, and what its body takes is not seen."),
        LATE: _(
            "Not looked at: the next request began before the response of this one was gone. Wait a second between two"
            " requests."
        ),
        HELD: _(
            "The response was still held a second after it was sent, by the server or by your code: look for what puts"
            " responses into a list, a cache or a global. This request counts if the response is still there after the"
            " next one to this view."
        ),
        BESIDE: _("Not counted: what stayed may be that of the other requests that ran at the same time."),
    }.get(unseen, "")


def _row(leak: Stats) -> Stats:
    most = max([1, *leak["history_bytes"]])
    names = {"line": _("allocated here"), "type": leak["name"], "process": _("the whole process")}
    return {
        "name": names.get(leak["kind"], leak["kind"]),
        "place": place_of(leak["origin"]),
        "title": f"{leak['origin']['file']}:{leak['origin']['line']}" if leak["origin"] else "",
        "growth": change(leak["growth_bytes"]),
        "count": f"{leak['growth_count']:,}" if leak["growth_count"] else "",
        "requests": requests(leak["requests"]),
        "history": [
            {"text": change(size), "width": numbers.width(max(0, size) / most)} for size in leak["history_bytes"]
        ],
    }
