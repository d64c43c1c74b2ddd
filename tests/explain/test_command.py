"""
``manage.py explain_plan`` as people call it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from tests.explain.corpus import PLANS

FINDING = {
    "rule", "severity", "title", "detail", "evidence", "advice", "code", "origin", "fix_at", "saving_ms", "relation",
}  # fmt: skip
SQL = 'SELECT "id" FROM "shop_stock" WHERE "supplier_id" = 77'


@pytest.fixture
def plan(tmp_path):
    """Write a file with this text and return its path."""

    def write(content, name="plan.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    return write


def explain(database="postgresql", **options):
    out = io.StringIO()
    call_command("explain_plan", database=database, stdout=out, **options)
    return out.getvalue()


def recorded(case, database="postgresql", **options):
    folder = PLANS / database
    return explain(database, plan=str(folder / f"{case}.json"), schema=str(folder / "_schema.json"), **options)


def test_json_has_findings_in_the_shape_of_every_panel():
    answer = json.loads(recorded("insert_select"))

    assert set(answer) == {"engine", "analyzed", "problem", "notes", "undecided", "findings"}
    assert (answer["engine"], answer["analyzed"], answer["problem"]) == ("postgresql", True, None)
    finding = answer["findings"][0]
    assert set(finding) == FINDING
    assert finding["rule"] == "full-scan-filter"
    assert finding["evidence"]["rows_read"] > 190_000
    assert "supplier_id" in finding["title"]
    assert "{" not in finding["title"] + finding["advice"] + finding["detail"]
    assert "supplier_id" in finding["code"]


def test_text_is_for_people():
    text = recorded("insert_select", format="text")

    assert "[full-scan-filter]" in text
    assert "supplier_id" in text


def test_nothing_to_say():
    assert recorded("update_pk", format="text").startswith("No finding.")


def test_an_estimated_plan_says_what_it_cannot_tell():
    folder = PLANS / "postgresql"
    estimated = str(folder / "update_pk.est.json")

    answer = json.loads(explain(plan=estimated))
    text = explain(plan=estimated, format="text")

    assert answer["analyzed"] is False
    assert "row-misestimate" in answer["undecided"]
    assert "Only a measured one (ANALYZE) can tell: " in text


def test_the_statement_comes_from_a_file_or_from_the_plan(plan):
    rows = plan([{"id": 2, "parent": 0, "notused": 0, "detail": "SCAN shop_stock"}])
    schema = str(PLANS / "sqlite" / "_schema.json")

    with_sql = json.loads(explain("sqlite", plan=rows, schema=schema, sql=plan(SQL, "statement.sql")))
    without = json.loads(explain("sqlite", plan=rows, schema=schema))

    assert [finding["rule"] for finding in with_sql["findings"]] == ["full-scan-filter"]
    assert without["findings"] == []
    assert json.loads(recorded("subquery_correlated", "mysql"))["findings"]


def test_the_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO((PLANS / "postgresql" / "insert_select.json").read_text()))

    assert json.loads(explain(plan="-"))["analyzed"] is True


def test_oracle_gives_text(plan):
    lines = "Plan hash value: 1\n\n| Id | Operation         | Name |\n|  0 | SELECT STATEMENT  |      |\n"

    assert json.loads(explain("oracle", plan=plan(lines)))["engine"] == "oracle"


@pytest.mark.parametrize("database", ["postgresql", "mysql", "mariadb", "sqlite", "oracle"])
@pytest.mark.parametrize("content", ['{"query_block": {"a": }', "nonsense", "{}", "[]", "null", "7", '[{"Plan": 5}]'])
def test_what_is_no_plan_is_a_finding_and_no_error(plan, database, content):
    answer = json.loads(explain(database, plan=plan(content)))

    assert answer["problem"] or answer["notes"] or answer["findings"] or database in {"sqlite", "oracle"}
    assert explain(database, plan=plan(content), format="text")


def test_an_invalid_plan_is_told_as_one(plan):
    broken = plan('{"query_block": {"a": }')

    answer = json.loads(explain("mariadb", plan=broken))

    assert [finding["rule"] for finding in answer["findings"]] == ["invalid-plan"]
    assert answer["problem"]
    assert "[invalid-plan]" in explain("mariadb", plan=broken, format="text")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"plan": "missing.json"}, "missing.json could not be read"),
        ({"plan": ("",)}, "is empty"),
        ({"plan": ("[]",), "schema": ("{",)}, "is not a schema"),
        ({"plan": ("[]",), "schema": ("[]",)}, "is not a schema"),
        ({"plan": ("[]",), "schema": ('{"tables": []}',)}, "is not a schema"),
        ({"plan": ("[]",), "sql": "missing.sql"}, "missing.sql could not be read"),
    ],
)
def test_files_that_are_wrong(plan, options, sentence):
    given = {
        name: plan(value[0], f"{name}.json") if isinstance(value, tuple) else value for name, value in options.items()
    }

    with pytest.raises(CommandError, match=sentence):
        explain(**given)


def test_a_binary_file(tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CommandError, match="text file"):
        explain(plan=str(path))


def test_an_unknown_database(plan):
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("explain_plan", "--database=db2", f"--plan={plan('[]')}")


def test_a_project_with_nothing_but_this_app(plan):
    script = (
        "import django; from django.conf import settings; from django.core.management import execute_from_command_line;"
        "settings.configure(INSTALLED_APPS=['perf_panels']); django.setup();"
        f"execute_from_command_line(['manage.py', 'explain_plan', '--database=postgresql', '--plan', {plan('[]')!r}])"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}

    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["problem"]
