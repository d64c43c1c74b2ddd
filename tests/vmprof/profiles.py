"""
Profiles written by hand: ``profile({"view > money": 30})`` is 30 samples of one millisecond in money, called by view.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import debug_toolbar
import django
import sqlparse

from perf_panels.vmprof.samples import Builder, Frame, Samples

DJANGO = str(Path(django.__file__).parent)
SHOP = "/srv/shop"
FILES = {
    "django": f"{DJANGO}/core/handlers/base.py",
    "decorator": f"{DJANGO}/views/decorators/csrf.py",
    "shortcut": f"{DJANGO}/shortcuts.py",
    "node": f"{DJANGO}/template/base.py",
    "slugify": f"{DJANGO}/utils/text.py",
    "escape": f"{DJANGO}/utils/html.py",
    "queryset": f"{DJANGO}/db/models/query.py",
    "cursor": f"{DJANGO}/db/backends/sqlite3/base.py",
    "re": re.__file__,
    "sqlite3": sqlite3.__file__,
    "parse": sqlparse.__file__,
    "format": str(Path(sqlparse.__file__).with_name("formatter.py")),
    "panel": str(Path(debug_toolbar.__file__).with_name("panels") / "sql" / "tracking.py"),
    "money": f"{SHOP}/templatetags/shop_format.py",
}
NAMES = {
    "decorator": "_wrapper_view",
    "shortcut": "render",
    "node": "Node.render_annotated",
    "cursor": "SQLiteCursorWrapper.execute",
    "queryset": "QuerySet._fetch_all",
}


def frame(name: str) -> Frame:
    """
    Return the frame that a word stands for: ``home.html:14`` is a line of a template, unknown words are the shop's.
    """
    if ".html:" in name:
        template, _, line = name.rpartition(":")
        return Frame(f"{SHOP}/templates/{template}", int(line), name, None, template, int(line))
    # Angles separate frames: a comprehension is written in brackets.
    name = name.replace("[", "<").replace("]", ">")
    word = name.partition("/")[0]
    first_line = 10 + sum(map(ord, name)) % 500
    return Frame(FILES.get(word, f"{SHOP}/views.py"), first_line, name.partition("/")[2] or NAMES.get(word, name))


def profile(
    stacks: dict[str, float], *, weight_ms: float = 1.0, render: dict[str, float] | None = None, **facts
) -> Samples:
    """
    Return the samples of stacks written as ``outer > inner``.
    """
    builder = Builder()
    for phase, written in (("view", stacks), ("render", render or {})):
        for stack, count in written.items():
            for _ in range(int(count)):
                builder.add([frame(word.strip()) for word in stack.split(">")], weight_ms, phase)
    return Samples(
        **{"engine": "sampler", "mode": "cpu", "clock": "cpu", "period_ms_asked": 1.0, "frames": builder.frames}
        | {"stacks": builder.stacks}
        | facts
    )
