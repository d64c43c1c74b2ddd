"""
Profiles very many requests from several threads and looks for crashes, hangs, leaked descriptors and growing memory.

``python -m benchmarks.soak`` is short; ``--requests 20000 --python …`` is the long one. Each mode of each Python runs
in a process of its own, whose death is what is looked for; one that hangs ends with the stacks of its threads.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODES = ("cpu", "wall", "memory")
COLUMNS = (
    "Python",
    "mode",
    "engine",
    "profiled",
    "served",
    "samples",
    "seconds",
    "descriptors",
    "RSS in MiB, six times",
    "blocks",
    "outcome",
)
PARTS = 6
# What an allocator may still take in the second half: a kilobyte lost for each profile would be more, in the long run.
MOST_GROWTH_BYTES = 6 * 2**20
# Python's own blocks in use are steadier than that: one lost for every tenth profile would be more, in the long run.
MOST_BLOCKS = 1_000
HANGS_S = 120
"""Seconds in which a hundred profiles are taken at the very least."""


SETTINGS = {
    "DEBUG": True,
    "SECRET_KEY": "soak",
    "ALLOWED_HOSTS": ["*"],
    "USE_TZ": True,
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "INSTALLED_APPS": ["django.contrib.contenttypes", "django.contrib.staticfiles", "debug_toolbar", "perf_panels"],
    "MIDDLEWARE": ["debug_toolbar.middleware.DebugToolbarMiddleware"],
    "ROOT_URLCONF": "benchmarks.soak_site",
    "STATIC_URL": "/static/",
    "DEBUG_TOOLBAR_PANELS": ["perf_panels.panels.VMProfPanel"],
    "DEBUG_TOOLBAR_CONFIG": {
        "SHOW_TOOLBAR_CALLBACK": lambda _request: True,
        "IS_RUNNING_TESTS": False,
        "RESULTS_CACHE_SIZE": 100,
    },
    "LOGGING_CONFIG": None,
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [ROOT / "benchmarks" / "templates"],
            "APP_DIRS": True,
        }
    ],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000, help="profiled requests for each mode")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--python", action="append", help="an interpreter with the project's packages; may be repeated")
    parser.add_argument("--child", choices=MODES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        soak(options.child, options.requests, options.threads)
        return 0
    print("| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS))
    outcomes = [
        _soaked(python, mode, options)
        for python in options.python or [sys.executable]
        for mode in options.modes.split(",")
    ]
    return 0 if all(outcomes) else 1


def _soaked(python: str, mode: str, options: argparse.Namespace) -> bool:
    command = [python, "-m", "benchmarks.soak", "--child", mode]
    command += ["--requests", str(options.requests), "--threads", str(options.threads)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
        "PYTHONWARNINGS": "ignore",
        # glibc keeps what threads freed in up to eight arenas for each core: RSS would rise until all of them are full.
        "MALLOC_ARENA_MAX": "1",
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        name = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit {done.returncode}"
        print(f"| {python} | {mode} | | | | | | | | | **{name}** |", flush=True)
        print(done.stderr[-3000:], file=sys.stderr)
        return False
    found = json.loads(done.stdout)
    print("| " + " | ".join(str(found[key]) for key in found if key != "ok") + " |", flush=True)
    return bool(found["ok"])


def soak(mode: str, wanted: int, thread_count: int) -> None:
    """
    Serve requests until ``wanted`` were profiled; print what was seen as JSON.
    """
    import platform

    import django
    from django.conf import settings

    settings.configure(**SETTINGS)
    django.setup()
    failures = _Failures()
    logging.getLogger("perf_panels").addHandler(failures)
    logging.getLogger("django.request").disabled = True
    logging.getLogger("django.server").disabled = True
    # A project may listen to the collector, wherever that runs; threads change in whatever is done there.
    gc.callbacks.append(lambda *_: time.sleep(0))
    crowd = Crowd(mode)
    began = time.monotonic()
    descriptors, rss, blocks = [], [], []
    for _ in range(PARTS):
        crowd.serve(max(5, wanted // PARTS), thread_count)
        descriptors.append(_descriptors())
        rss.append(_rss_bytes())
        blocks.append(sys.getallocatedblocks())
    seconds = time.monotonic() - began
    # The first half fills caches and the store.
    half = PARTS // 2 - 1
    leaked, grown, lost = descriptors[-1] - descriptors[0], rss[-1] - rss[half], blocks[-1] - blocks[half]
    ok = leaked <= 0 and grown < MOST_GROWTH_BYTES and lost < MOST_BLOCKS and not failures.messages
    ok = ok and not _changed("SigIgn") and not _changed("SigCgt") and (crowd.samples > 0 or wanted < 300)
    found = {
        "python": platform.python_version(),
        "mode": mode,
        "engine": "/".join(sorted(crowd.engines)),
        "profiled": crowd.profiled,
        "served": crowd.served,
        "samples": crowd.samples,
        "seconds": round(seconds),
        "descriptors": f"{descriptors[0]} {leaked:+d}",
        "rss": " ".join(f"{each / 2**20:.1f}" for each in rss),
        "blocks": f"{blocks[half]} {lost:+d}",
        "outcome": "clean" if ok else f"**{failures.messages[:1] or 'left something behind'}**",
        "ok": ok,
    }
    print(json.dumps(found))


class Crowd:
    """
    Threads that ask for pages; a request that finds the profiler taken is served and does not count.
    """

    def __init__(self, mode: str) -> None:
        from django.core.handlers.wsgi import WSGIHandler

        from benchmarks.soak_site import PAGES
        from perf_panels.vmprof import modes

        self.handler = WSGIHandler()
        self.cookie = f"{modes.COOKIE}={mode}:1"
        self.pages = [name for name, (_view, share) in PAGES.items() for _ in range(share)]
        self.profiled = self.served = self.samples = 0
        self.until = 0
        self.engines: set[str] = set()
        self.guard = threading.Lock()
        self._count()

    def serve(self, wanted: int, thread_count: int) -> None:
        self.until = self.profiled + wanted
        threads = [threading.Thread(target=self._ask, args=(seed,)) for seed in range(thread_count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for thread in threading.enumerate():
            if thread.name.startswith("perf-panels"):
                thread.join(5)
        gc.collect()

    def _ask(self, seed: int) -> None:
        from django.test import RequestFactory

        chance = random.Random(self.profiled + seed)
        while self.profiled < self.until:
            request = RequestFactory().get(f"/{chance.choice(self.pages)}/", HTTP_COOKIE=self.cookie)
            response = self.handler(request.environ, lambda *_: None)
            assert b"".join(response)
            response.close()
            with self.guard:
                self.served += 1

    def _count(self) -> None:
        """
        Count what the panel stores of each request, where it does.
        """
        from perf_panels.vmprof.panel import VMProfPanel

        reduce = VMProfPanel._reduce

        def counted(panel, profile):
            reduce(panel, profile)
            stats = panel.toolbar.store.panel(panel.toolbar.request_id, panel.panel_id)
            with self.guard:
                if self.profiled % 100 == 0:
                    faulthandler.dump_traceback_later(HANGS_S, exit=True)
                self.profiled += 1
                self.engines.add(stats.get("engine", "?"))
                self.samples += (stats.get("profile") or {}).get("samples", 0)

        VMProfPanel._reduce = counted


class _Failures(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record):
        self.messages.append(f"{record.getMessage()}: {record.exc_info and record.exc_info[1]!r}")


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _changed(field: str) -> int:
    """
    Return which of vmprof's two signals the kernel ignores (SigIgn) or has a handler for (SigCgt).

    Python's own ``getsignal`` knows only what Python set, and vmprof sets its handlers in C.
    """
    status = Path("/proc/self/status").read_text()
    signals = int(status.split(f"{field}:")[1].split()[0], 16)
    return signals & (1 << (signal.SIGALRM - 1) | 1 << (signal.SIGPROF - 1))


if __name__ == "__main__":
    sys.exit(main())
