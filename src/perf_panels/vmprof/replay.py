"""
More samples, the process that makes them: ``python -m perf_panels.vmprof.replay`` asks the view again and again.

It reads one job from its standard input and writes a line of JSON for each chunk of runs. vmprof may kill it on some
Pythons: that costs the chunk, and ``replaying`` starts another.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

from perf_panels.vmprof.samples import Builder, Phase, Samples, Stack

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from django.core.handlers.base import BaseHandler
    from django.http import HttpRequest

    from perf_panels.vmprof.live import Profile

# What a browser says of the click and not of the page, and what the connection says of itself.
_NOT_THE_PAGES = ("HTTP_ACCEPT", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_SEC_", "HTTP_X_REQUESTED_WITH", "HTTP_CONTENT_")
_OF_THE_PAGE = ("HTTP_HX_", "HTTP_TURBO_", "HTTP_X_REQUESTED_WITH", "HTTP_X_UP_")
_LONGEST_HEADER = 1_000
_OF_THE_SERVER = ("REMOTE_ADDR", "REMOTE_USER", "SERVER_NAME", "SERVER_PORT")


def headers_of(request: HttpRequest) -> dict[str, str]:
    """
    Return what a replay sends in the name of the browser that clicked: its cookies, its host, its language.
    """
    return {
        name: value
        for name, value in request.META.items()
        if isinstance(value, str)
        and (name.startswith("HTTP_") or name in _OF_THE_SERVER)
        and not (name.startswith(_NOT_THE_PAGES) and name != "HTTP_ACCEPT_LANGUAGE")
    }


def headers_of_page(request: HttpRequest) -> dict[str, str]:
    """
    Return what the page's own request said of the answer it wants: a fragment for htmx, say, or JSON.
    """
    return {
        name: value
        for name, value in request.META.items()
        if isinstance(value, str)
        and (name == "HTTP_ACCEPT" or name.startswith(_OF_THE_PAGE))
        and len(value) <= _LONGEST_HEADER
    }


class Runs:
    """
    Watches the view of each run, as the panel watches that of a live request.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        from perf_panels.vmprof.modes import Choice

        self.choice = Choice(job["mode"], job["engine"], job["period_ms"])
        self.profile: Profile | None = None

    def observe_view(self, *_arguments: Any) -> AbstractContextManager[Any]:
        return self._phase("view")

    def observe_render(self, *_arguments: Any) -> AbstractContextManager[Any]:
        return self._phase("render")

    def inside(self, phase: Phase, call: Callable[..., Any]) -> Callable[..., Any]:
        """
        Return what is called instead: the same below a marker frame.
        """
        assert self.profile is not None
        return self.profile.marked(phase, call)

    def _phase(self, phase: Phase) -> AbstractContextManager[Any]:
        from perf_panels.vmprof.live import sampled

        assert self.profile is not None
        return sampled(self.profile, phase)

    def run(self, handler: BaseHandler, job: dict[str, Any]) -> tuple[int, Samples]:
        """
        Serve the request once; return the status and what was sampled.
        """
        from django.core.signals import request_started

        from perf_panels import view_hook
        from perf_panels.vmprof.live import Profile
        from perf_panels.vmprof.reduce import samples_of

        self.profile = Profile(self.choice, "More samples")
        request = _request(job)
        view_hook.add_observer(request, self)
        request_started.send(sender=type(handler), environ=request.META)
        response = handler.get_response(request)
        response.close()
        return response.status_code, samples_of(self.profile)


class Merged:
    """
    The samples of several runs: equal stacks put together, but for those of the first run in memory mode.
    """

    def __init__(self) -> None:
        self.total: Samples | None = None
        self._builder = Builder()
        self._curve: list[Stack] = []
        self._sums: dict[tuple[tuple[int, ...], Phase], list[float]] = {}

    def add(self, samples: Samples) -> None:
        """
        Add the samples of one run, or of several.
        """
        first = self.total is None
        if self.total is None:
            self.total = Samples(samples.engine, samples.mode, samples.clock, samples.period_ms_asked, runs=0)
        total = self.total
        numbers = [self._builder.number(frame) for frame in samples.frames]
        curve = samples.mode == "memory" and (first or not self._curve)
        for stack in samples.stacks:
            frames = tuple([numbers[index] for index in stack.frames])
            if curve and stack.rss_bytes is not None:
                self._curve.append(stack._replace(frames=frames))
                continue
            sums = self._sums.setdefault((frames, stack.phase), [0.0, 0])
            sums[0] += stack.weight_ms
            sums[1] += stack.samples
        total.is_async = total.is_async or samples.is_async
        if samples.engine == "sampler":
            total.engine = "sampler"
        for name in ("wall_ms", "cpu_ms", "waiting_ms", "other_threads", "lost_ms", "runs", "crashes"):
            setattr(total, name, getattr(total, name) + getattr(samples, name))
        for phase, ms in samples.phases_ms.items():
            total.phases_ms[phase] = total.phases_ms.get(phase, 0.0) + ms
        total.notes += [note for note in samples.notes if note not in total.notes]

    def samples(self) -> Samples | None:
        """
        Return the sum of what was added, or None.
        """
        if self.total is None:
            return None
        self.total.frames = self._builder.frames
        self.total.stacks = [
            *self._curve,
            *(
                Stack(frames, weight_ms, phase, samples=int(count))
                for (frames, phase), (weight_ms, count) in self._sums.items()
            ),
        ]
        return self.total


def as_json(samples: Samples) -> dict[str, Any]:
    """
    Return samples as plain JSON types.
    """
    return vars(samples)


def from_json(data: dict[str, Any]) -> Samples:
    """
    Return samples from their plain JSON types.
    """
    from perf_panels.vmprof.samples import Frame

    frames = [Frame(*frame) for frame in data.pop("frames")]
    stacks = [Stack(tuple(frames_), *rest) for frames_, *rest in data.pop("stacks")]
    return Samples(**data, frames=frames, stacks=stacks)


def main() -> None:
    """
    Run one job to its end, or until the server closes our standard input.
    """
    # The project may print: only our own lines go to the server.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # A crash is expected here, and nobody wants its core.
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    handler = _handler()
    runs = Runs(job)
    # The first run imports and connects: what it takes is not the page's.
    _chunk(runs, handler, job, 0.0)
    _say(answers, {"ready": True})
    while True:
        _say(answers, _chunk(runs, handler, job, job["chunk_s"]))


def _chunk(runs: Runs, handler: BaseHandler, job: dict[str, Any], seconds: float) -> dict[str, Any]:
    merged, statuses = Merged(), set()
    until = time.monotonic() + seconds
    while True:
        status, samples = runs.run(handler, job)
        statuses.add(status)
        merged.add(samples)
        if time.monotonic() >= until:
            break
    total = merged.samples()
    assert total is not None
    return {"statuses": sorted(statuses), "samples": as_json(total)}


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _handler() -> BaseHandler:
    """
    Return Django's handler with the project's middleware, but for the toolbar's.
    """
    import django
    from django.conf import settings
    from django.core.handlers.base import BaseHandler
    from django.utils.module_loading import import_string

    django.setup()
    from debug_toolbar.middleware import DebugToolbarMiddleware

    from perf_panels import view_hook

    view_hook.install()

    def is_toolbar(path: str) -> bool:
        middleware = import_string(path)
        return isinstance(middleware, type) and issubclass(middleware, DebugToolbarMiddleware)

    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if not is_toolbar(path)]
    handler = BaseHandler()
    handler.load_middleware()
    return handler


def _request(job: dict[str, Any]) -> HttpRequest:
    from django.test import RequestFactory
    from django.urls import set_script_prefix

    set_script_prefix(job["script_name"] or "/")
    factory: Any = RequestFactory(**job["headers"])
    request: HttpRequest = factory.generic(
        job["method"],
        # The factory takes a URL: it would unquote what is decoded, and take "//" for the start of a host.
        quote(job["path_info"]).replace("//", "/%2F", 1),
        secure=job["secure"],
        QUERY_STRING=job["query"],
        SCRIPT_NAME=job["script_name"].rstrip("/"),
    )
    return request


def _end_with_the_server() -> None:
    # Kept open by the server for as long as it wants samples.
    with suppress(OSError):
        sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
