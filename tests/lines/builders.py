"""
Timings built by hand, and the stats that the panel stores of them.
"""

from __future__ import annotations

import textwrap

from perf_panels.lines.hot import Limits
from perf_panels.lines.report import report
from perf_panels.lines.timings import Called, FunctionTiming, LineTiming, Seen, TemplateCall, Timings

LIMITS = Limits(0.3, 20.0)

SOURCE = """
class View:
    def get(self, request):
        products = [product for product in self.rows]
        for row in self.rows:
            if row in products:
                self.found += 1
        else:
            self.found = None
        return self.found
"""


def write(folder, source=SOURCE, name="views.py"):
    path = folder / name
    path.write_text(textwrap.dedent(source).lstrip("\n"), encoding="utf-8")
    return str(path)


def line(number, elapsed_ms=1.0, hits=1, **given):
    return LineTiming(number, hits, elapsed_ms, **given)


def function(file, *lines, name="View.get", first_line=2, last_line=9, **given):
    values = {
        "id": f"site.views:{name}",
        "name": name,
        "module": "site.views",
        "file": file,
        "first_line": first_line,
        "last_line": last_line,
        "owner": "project",
        "phase": "view",
        "calls": 1,
        "elapsed_ms": sum(each.elapsed_ms for each in lines),
        "executable": [each.line for each in lines],
    }
    return FunctionTiming(**(values | {"lines": list(lines)} | given))


def called(name, owner="project", calls=0):
    return Called(f"site.views:{name}", name, owner, calls)


def seen(name, owner="project", **given):
    return Seen(f"site.views:{name}", name, "site.views", owner, **given)


def template(line=3, calls=1, name="shop/cart.html"):
    return TemplateCall(name, f"/shop/templates/{name}", line, calls)


def timings(*functions, view_ms=100.0, **given):
    values = {"engine": "sys.monitoring", "view_ms": view_ms, "functions": list(functions)}
    return Timings(**(values | given))


def stats(measured, **given):
    """
    What the panel stores: its own keys, and those that it adds.
    """
    return (
        {
            "schema": 1,
            "error": None,
            "url": "GET /facets/",
            "full_path": "/facets/?page=2",
            "method": "GET",
            "accept": "text/html",
            "recorded_at": 10.0,
            "watched": True,
            "refused": None,
            "view": "site.views.View",
            "streaming": False,
        }
        | report(measured, LIMITS)
        | given
    )
