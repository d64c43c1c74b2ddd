"""
Runs the workers side by side, alternating request by request, and prints the ratios as a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from benchmarks import lines, memory, profilers
from benchmarks.ratios import LEGEND, ratio

ROOT = Path(__file__).resolve().parent.parent
BASELINE = "toolbar"
VARIANTS = {
    BASELINE: "toolbar without the panel",
    "off": "N+1 panel, switched off",
    "nplusone": "**N+1 panel**",
    "explain": "**EXPLAIN panel**",
    "sql": "the toolbar's SQL panel",
    "zeal": "django-zeal",
}
PAGES = {
    "clean_fk": "clean, foreign keys",
    "clean_m2m": "clean, prefetched many-to-many",
    "clean_template": "clean, in a template",
    "n1": "501 queries",
    "n1_template": "501 queries, in a template",
}
BUDGETS = {"clean_fk": "1.05", "clean_m2m": "1.15", "n1": "1.20, EXPLAIN 1.05"}


class Worker:
    """
    A long-lived process with one variant installed.
    """

    def __init__(
        self, variant: str, database: str, module: str = "benchmarks.worker", python: str = sys.executable
    ) -> None:
        env = os.environ | {
            "BENCH_VARIANT": variant,
            "BENCH_DATABASE": database,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
            "PYTHONHASHSEED": "0",
            "PYTHONWARNINGS": "ignore",
        }
        # By a shell in between, as servers are started: the kernel hands this process's peak of memory to its children,
        # and the memory panel would then have to read its own in a slower way.
        command = ["sh", "-c", '"$@"; exit', "sh", python, "-m", module]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.ask(None) == "ready", f"the {variant} worker did not start"

    def ask(self, line: str | None):
        if line is not None:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        return answer if line is None else json.loads(answer)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--pages", choices=["queries", "lines", "memory", "vmprof"], help="only these, and not all")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that --pages vmprof measures")
    options = parser.parse_args()
    if options.pages != "vmprof":
        _on_the_database(options)
    if options.pages in (None, "vmprof"):
        print(flush=True)
        profilers.compare(options.python, options.rounds)


def _on_the_database(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        database = str(Path(folder) / "bench.sqlite3")
        _fill(database)
        if options.pages in (None, "queries"):
            _queries(database, options.rounds)
        if options.pages in (None, "lines"):
            lines.run(Worker, database, options.rounds)
        if options.pages in (None, "memory"):
            memory.run(Worker, database, options.rounds)


def _queries(database: str, rounds: int) -> None:
    variants = [variant for variant in VARIANTS if variant != "zeal" or find_spec("zeal")]
    workers = {variant: Worker(variant, database) for variant in variants}
    try:
        seconds = {page: _measure(page, workers, rounds) for page in PAGES}
        filters = {variant: worker.ask("filters clean_m2m") for variant, worker in workers.items()}
    finally:
        for worker in workers.values():
            worker.close()
    _print(seconds, filters, rounds)
    _print_clicks(database, rounds)


def _fill(database: str) -> None:
    os.environ |= {"BENCH_DATABASE": database, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    from benchmarks.pages import fill

    fill()


def _measure(page: str, workers: dict[str, Worker], rounds: int) -> dict[str, list[float]]:
    for _ in range(3):
        for worker in workers.values():
            worker.ask(page)
    seconds: dict[str, list[float]] = {variant: [] for variant in workers}
    order = list(workers)
    for _ in range(rounds):
        order.reverse()
        for variant in order:
            seconds[variant].append(workers[variant].ask(page))
    return seconds


def _print(seconds: dict[str, dict[str, list[float]]], filters: dict[str, int], rounds: int) -> None:
    import django

    print(f"Python {platform.python_version()}, Django {django.get_version()}, {rounds} alternating rounds.")
    print(f"Process CPU time of a request: {LEGEND}, to the toolbar without the panel.\n")
    print("| page | " + " | ".join(VARIANTS[variant] for variant in filters) + " | budget |")
    print("| --- |" + " --- |" * (len(filters) + 1))
    for page, title in PAGES.items():
        base = seconds[page][BASELINE]
        cells = [f"{statistics.median(base) * 1000:.0f} ms"]
        for variant in list(filters)[1:]:
            times = seconds[page][variant]
            cells.append(ratio(times, base))
        print(f"| {title} | " + " | ".join(cells) + f" | {BUDGETS.get(page, '')} |")
    print("| `build_filter` calls, many-to-many page | " + " | ".join(map(str, filters.values())) + " | unchanged |")


def _print_clicks(database: str, rounds: int) -> None:
    """
    Print how long people wait for the EXPLAIN panel, in wall time.
    """
    worker = Worker("clicks", database, module="benchmarks.clicks")
    try:
        asked = [("501", "501 statements"), ("2000", "2,000 statements"), ("distinct", "2,000 different statements")]
        print("\n| EXPLAIN panel, median wall time | the panel's content | open a statement | Explain |")
        print("| --- | --- | --- | --- |")
        for page, title in asked:
            times = [worker.ask(page) for _ in range(max(3, rounds // 3))]
            cells = [f"{statistics.median(column):.0f} ms" for column in zip(*times, strict=True)]
            print(f"| {title} | " + " | ".join(cells) + " |")
    finally:
        worker.close()


main()
