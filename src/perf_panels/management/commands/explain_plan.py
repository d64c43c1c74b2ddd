"""
``manage.py explain_plan``: what the EXPLAIN panel's rules say of a plan in a file, from any server.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from perf_panels.explain import advice, plans, query, schema
from perf_panels.explain.plan import ENGINES, Plan
from perf_panels.explain.rules import engine
from perf_panels.explain.rules.base import Subject
from perf_panels.findings import worst_first

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from perf_panels.findings import Finding

_QUERY_KEYS = ("Query Text", "query")
"""Where auto_explain of PostgreSQL and version 2 of MySQL's JSON have the statement."""


class Command(BaseCommand):
    help = "Say what is slow in a recorded query plan, and what to change. No database is asked."
    # It works with nothing but perf_panels installed, so the checks of the project have no say.
    requires_system_checks = []  # noqa: RUF012 - Django's own way of writing it

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--database", required=True, choices=ENGINES, help="The server that made the plan.")
        parser.add_argument(
            "--plan",
            required=True,
            metavar="FILE",
            help="EXPLAIN's answer: JSON; for SQLite the rows as JSON, for Oracle the text of DBMS_XPLAN. - is stdin.",
        )
        parser.add_argument("--schema", metavar="FILE", help="Tables, row counts, columns and indexes as JSON.")
        parser.add_argument("--sql", metavar="FILE", help="The statement, when the plan does not have it.")
        parser.add_argument("--format", choices=("json", "text"), default="json", help="json (default) or text.")

    def handle(self, *args: Any, **options: Any) -> None:
        database = options["database"]
        text = _read(options["plan"])
        answer = _answer(database, text)
        sql = _read(options["sql"]) if options["sql"] else _statement_of(answer)
        known = _schema(options["schema"], database) if options["schema"] else schema.Schema()
        plan = plans.parse(database, answer, sql)
        subject = Subject(plan, query.read(sql, database), known)
        found = worst_first(advice.findings(engine.run(subject), plan, known))
        write = _as_json if options["format"] == "json" else _as_text
        self.stdout.write(write(plan, found))


def _read(path: str) -> str:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} could not be read: {error}. Make sure that it is a text file.") from error
    if not text.strip():
        raise CommandError(f"{'The standard input' if path == '-' else path} is empty.")
    return text


def _answer(database: str, text: str) -> Any:
    """
    Return what the parser of this database expects; text that is no JSON is its business, since servers print such.
    """
    if database == "oracle":
        return text.splitlines()
    try:
        return json.loads(text)
    except ValueError:
        return text


def _statement_of(answer: Any) -> str:
    entry = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(entry, dict):
        return ""
    return next((value for key in _QUERY_KEYS if isinstance(value := entry.get(key), str)), "")


def _schema(path: str, database: str) -> schema.Schema:
    try:
        return schema.load(json.loads(_read(path)), database)
    except ValueError as error:
        raise CommandError(f"{path} is not a schema: {error}") from error


def _as_json(plan: Plan, found: list[Finding]) -> str:
    return json.dumps(
        {
            "engine": plan.engine,
            "analyzed": plan.analyzed,
            "problem": plan.problem,
            "notes": plan.notes,
            "undecided": [rule.id for rule in engine.undecided(plan)],
            "findings": [finding.as_dict() for finding in found],
        },
        indent=2,
        ensure_ascii=False,
    )


def _as_text(plan: Plan, found: list[Finding]) -> str:
    blocks = [_paragraph(finding) for finding in found]
    if plan.problem and not found:
        blocks.append(plan.problem)
    elif not found:
        blocks.append("No finding.")
    if plan.notes:
        blocks.append("Not understood, or said by the server:\n" + "\n".join(f"  {note}" for note in plan.notes))
    if undecided := engine.undecided(plan):
        blocks.append(
            "The plan is estimated. Only a measured one (ANALYZE) can tell: " + ", ".join(rule.id for rule in undecided)
        )
    return "\n\n".join(blocks)


def _paragraph(finding: Finding) -> str:
    lines = [f"{finding.severity}: {finding.title} [{finding.rule}]", f"  {finding.detail}"]
    if finding.advice:
        lines.append(f"  {finding.advice}")
    if finding.code:
        lines += [f"    {line}" for line in finding.code.splitlines()]
    return "\n".join(lines)
