"""
The recorded plans, each put through the public command. ``python -m tests.explain.corpus`` prints what was found.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import call_command

PLANS = Path(__file__).parent / "plans_recorded"
ESTIMATED = (".est.json", ".v1.est.json")


@dataclass(frozen=True)
class Case:
    engine: str
    name: str
    expected: tuple[frozenset[str], ...]
    """Each entry is met by any of its rules."""
    allowed: frozenset[str]
    forbidden: frozenset[str]
    sql: str

    def __str__(self) -> str:
        return f"{self.engine}-{self.name}"

    def files(self) -> list[Path]:
        paths = (PLANS / self.engine / f"{self.name}{suffix}" for suffix in (".json", *ESTIMATED))
        return [path for path in paths if path.exists()]


@dataclass(frozen=True)
class Verdict:
    missing: list[str]
    forbidden: list[str]
    surplus: list[str]

    def __str__(self) -> str:
        kinds = (("MISSING", self.missing), ("FORBIDDEN", self.forbidden), ("surplus", self.surplus))
        return "; ".join(f"{kind}: {' '.join(ids)}" for kind, ids in kinds if ids) or "ok"


@cache
def cases() -> list[Case]:
    with (PLANS / "cases.csv").open(newline="", encoding="utf-8") as file:
        return [
            Case(
                row["folder"],
                row["case"],
                tuple(frozenset(entry.split("/")) for entry in row["expected"].split()),
                frozenset(row["allowed"].split()),
                frozenset(row["forbidden"].split()),
                row["sql"],
            )
            for row in csv.DictReader(file)
        ]


def explain(case: Case, plan: Path) -> dict:
    """
    Return what ``manage.py explain_plan`` prints for a plan of the case.
    """
    with TemporaryDirectory() as folder:
        sql = Path(folder) / "statement.sql"
        sql.write_text(case.sql, encoding="utf-8")
        out = StringIO()
        call_command(
            "explain_plan",
            database=case.engine,
            plan=str(plan),
            schema=str(PLANS / case.engine / "_schema.json"),
            sql=str(sql),
            stdout=out,
        )
    return json.loads(out.getvalue())


def rules_of(answer: dict) -> list[str]:
    return list(dict.fromkeys(finding["rule"] for finding in answer["findings"]))


def verdict(case: Case, found: list[str]) -> Verdict:
    missing = ["/".join(sorted(entry)) for entry in case.expected if not entry & set(found)]
    wanted = frozenset().union(*case.expected) | case.allowed
    return Verdict(
        missing,
        [rule for rule in found if rule in case.forbidden],
        [rule for rule in found if rule not in wanted | case.forbidden],
    )


def main() -> None:
    for case in cases():
        for path in case.files():
            found = rules_of(explain(case, path))
            expected = " ".join("/".join(sorted(entry)) for entry in case.expected) or "-"
            estimated = path.name.endswith(ESTIMATED)
            judged = verdict(case, found)
            # Nobody said what an estimated plan must show; it may never show what is forbidden.
            shown = Verdict([], judged.forbidden, []) if estimated else judged
            sys.stdout.write(" | ".join([case.engine, path.stem, expected, " ".join(found) or "-", str(shown)]) + "\n")


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    main()
