"""
Conditions as the recorded plans print them, and as Django's statements have them, taken apart.
"""

from __future__ import annotations

import random
import time

import pytest

from perf_panels.explain.conditions import PARAMETER, Predicate, predicates
from perf_panels.explain.plan import ENGINES


def parts(condition, engine):
    """
    The fields that are not at their default, the text left out.
    """
    default = Predicate("", "other")
    return [
        {
            name: getattr(predicate, name)
            for name, field in Predicate.__dataclass_fields__.items()
            if field.compare
            and name != "text"
            and (name == "operator" or getattr(predicate, name) != getattr(default, name))
        }
        for predicate in predicates(condition, engine)
    ]


def one(condition, engine):
    (found,) = parts(condition, engine)
    return found


POSTGRESQL = [
    ("((o.status)::text = 'paid'::text)", "eq", {"table": "o", "column": "status", "value": "paid"}),
    ("(l.unit_price > '10'::numeric)", "range", {"table": "l", "column": "unit_price", "value": 10}),
    ("(o.total >= '-2.5'::numeric)", "range", {"table": "o", "column": "total", "value": -2.5}),
    ("(id = ANY ('{1,2}'::bigint[]))", "in", {"column": "id", "value": (1, 2)}),
    ("(id <> ALL ('{1,2}'::bigint[]))", "in", {"column": "id", "value": (1, 2), "negated": True}),
    ("((a)::text = ANY ('{a,NULL,\"c \\\"d\\\"\"}'::text[]))", "in", {"column": "a", "value": ("a", None, 'c "d"')}),
    (
        "((a)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))",
        "in",
        {"column": "a", "value": ("x", "y")},
    ),
    ("((a = 1) OR (a = 2) OR (a = ANY ('{3,4}'::integer[])))", "in", {"column": "a", "value": (1, 2, 3, 4)}),
    ("((sku)::text ~~ 'SKU%'::text)", "like", {"column": "sku", "value": "SKU%"}),
    ("((sku)::text ~~* '%x%'::text)", "ilike", {"column": "sku", "value": "%x%"}),
    ("((sku)::text !~~ 'SKU%'::text)", "like", {"column": "sku", "value": "SKU%", "negated": True}),
    ("((sku)::text ~ '^a'::text)", "regex", {"column": "sku", "value": "^a"}),
    ("((sku)::text !~* '^a'::text)", "regex", {"column": "sku", "value": "^a", "negated": True}),
    ("(NOT archived)", "false", {"column": "archived", "value": False}),
    ("o.archived", "true", {"table": "o", "column": "archived", "value": True}),
    ("(archived IS TRUE)", "true", {"column": "archived", "value": True}),
    ("(archived IS NOT TRUE)", "true", {"column": "archived", "value": True, "negated": True}),
    ("(archived = false)", "false", {"column": "archived", "value": False}),
    ("(note IS NULL)", "null", {"column": "note"}),
    ("(note IS NOT NULL)", "not-null", {"column": "note"}),
    ("((note)::text <> ''::text)", "ne", {"column": "note", "value": ""}),
    ("(note IS DISTINCT FROM 3)", "ne", {"column": "note", "value": 3}),
    ("(NOT ((x = 1) AND (x IS NOT NULL)))", "ne", {"column": "x", "value": 1}),
    ("(created > (now() - '1 day'::interval))", "range", {"column": "created"}),
    (
        "(at >= '2024-01-01 00:00:00+00'::timestamp with time zone)",
        "range",
        {"column": "at", "value": "2024-01-01 00:00:00+00"},
    ),
    (
        "(upper((c.email)::text) = 'X'::text)",
        "eq",
        {"table": "c", "column": "email", "value": "X", "wrapped": "upper", "expression": "UPPER(email)"},
    ),
    (
        '(lower((t."order")::text) = \'x\'::text)',
        "eq",
        {"table": "t", "column": "order", "value": "x", "wrapped": "lower", "expression": 'LOWER("order")'},
    ),
    (
        "(((created AT TIME ZONE 'UTC'::text))::date = '2024-01-01'::date)",
        "eq",
        {
            "column": "created",
            "value": "2024-01-01",
            "wrapped": "date",
            "cast_to": "date",
            "expression": "CAST((created AT TIME ZONE 'UTC') AS DATE)",
        },
    ),
    (
        "(EXTRACT(year FROM created) = '2024'::numeric)",
        "eq",
        {"column": "created", "value": 2024, "wrapped": "extract", "expression": "EXTRACT(YEAR FROM created)"},
    ),
    (
        "(date_trunc('day'::text, created) = now())",
        "eq",
        {"column": "created", "wrapped": "date_trunc", "expression": "DATE_TRUNC('day', created)"},
    ),
    (
        "((o.tracking_number)::bigint = 12345678)",
        "eq",
        {
            "table": "o",
            "column": "tracking_number",
            "value": 12345678,
            "wrapped": "cast",
            "cast_to": "bigint",
            "expression": "CAST(tracking_number AS BIGINT)",
        },
    ),
    ("((x + 1) = 5)", "eq", {"column": "x", "value": 5, "wrapped": "arithmetic", "expression": "x + 1"}),
    (
        "((attributes -> 'weight'::text) = '77'::jsonb)",
        "json",
        {"column": "attributes", "value": "77", "expression": "attributes -> 'weight'"},
    ),
    ("(attributes @> '{}'::jsonb)", "json", {"column": "attributes", "value": "{}"}),
    ("('x'::text = ANY (a.tags))", "json", {"table": "a", "column": "tags", "value": "x"}),
    ("('x'::text <> ALL (a.tags))", "other", {}),
    ("(5 > ANY (a.sizes))", "other", {}),
    ("(o.city = ANY (a.tags))", "other", {}),
    ("(a.tags && '{x}'::text[])", "json", {"table": "a", "column": "tags", "value": "{x}"}),
    (
        "(to_tsvector('english'::regconfig, description) @@ plainto_tsquery('x'::text))",
        "search",
        {
            "column": "description",
            "wrapped": "to_tsvector",
            "expression": "TO_TSVECTOR(CAST('english' AS REGCONFIG), description)",
        },
    ),
    ("(document @@ to_tsquery('x'::text))", "search", {"column": "document"}),
    ("(hashed SubPlan 1)", "subplan", {}),
    ("(NOT (hashed SubPlan 1))", "subplan", {"negated": True}),
    ("(alternatives: SubPlan 1 or hashed SubPlan 2)", "subplan", {}),
    ("(NOT (ANY (id = (SubPlan 1).col1)))", "subplan", {"negated": True}),
    ("(total > (SubPlan expr_1))", "subplan", {"column": "total"}),
    ("(total > $0)", "subplan", {"column": "total"}),
    ("(total > (InitPlan 1).col1)", "subplan", {"column": "total"}),
    (
        "(l.order_id = o.id)",
        "join",
        {"table": "l", "column": "order_id", "other_table": "o", "other_column": "id"},
    ),
    ("(COALESCE(a, b) = 1)", "other", {}),
    ("(ROW(a, b) < ROW(1, 2))", "other", {}),
    ("false", "other", {"value": None}),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "operator", "fields"), POSTGRESQL, ids=lambda value: str(value)[:40])
def test_postgresql_plans(condition, operator, fields):
    expected = {name: value for name, value in fields.items() if value is not None}

    found = one(condition, "postgresql")

    found.pop("value", None) if condition == "false" else None
    assert found == {"operator": operator, **expected}


@pytest.mark.parametrize("condition", ["(attributes ? 'key'::text)", "(attributes ?| '{a,b}'::text[])"])
def test_keys_of_json(condition):
    found = one(condition, "postgresql")

    assert (found["operator"], found["column"]) == ("json", "attributes")


MYSQL = [
    ("(`shop`.`l`.`coupon_id` = 7)", {"operator": "eq", "table": "l", "column": "coupon_id", "value": 7}),
    ("(l.`status` = 'paid')", {"operator": "eq", "table": "l", "column": "status", "value": "paid"}),
    ("(0 <> o.archived)", {"operator": "true", "table": "o", "column": "archived", "value": True}),
    ("(0 = o.archived)", {"operator": "false", "table": "o", "column": "archived", "value": False}),
    ("(o.archived = 0)", {"operator": "eq", "table": "o", "column": "archived", "value": 0}),
    (
        "(cast(o.created as date) = DATE'2024-01-01')",
        {
            "operator": "eq",
            "table": "o",
            "column": "created",
            "value": "2024-01-01",
            "wrapped": "date",
            "cast_to": "date",
            "expression": "CAST(created AS DATE)",
        },
    ),
    ("(o.note like '%x%')", {"operator": "like", "table": "o", "column": "note", "value": "%x%"}),
    (
        "(`shop`.`shop_product`.`sku` like <cache>(cast('SKU000123%' as char charset binary)))",
        {"operator": "like", "table": "shop_product", "column": "sku", "value": "SKU000123%"},
    ),
    (
        "ucase(shop_customer.email) = 'USER777@EXAMPLE.COM'",
        {
            "operator": "eq",
            "table": "shop_customer",
            "column": "email",
            "value": "USER777@EXAMPLE.COM",
            "wrapped": "upper",
            "expression": "UPPER(email)",
        },
    ),
    (
        "json_extract(shop_product.attributes,'$.weight') = 77",
        {
            "operator": "json",
            "table": "shop_product",
            "column": "attributes",
            "value": 77,
            "expression": "JSON_EXTRACT(attributes, '$.weight')",
        },
    ),
    (
        "(match p.description against ('x' in boolean mode))",
        {"operator": "search", "table": "p", "column": "description"},
    ),
    ("(o.q between 1 and 5)", {"operator": "range", "table": "o", "column": "q", "value": (1, 5)}),
    ("(o.q not in (1,2))", {"operator": "in", "table": "o", "column": "q", "value": (1, 2), "negated": True}),
    (
        "<in_optimizer>(`a`.`b`,<exists>(select 1 from `x` where (<cache>(`a`.`b`) = `x`.`y`)))",
        {"operator": "subplan"},
    ),
    ("(c.id = (select #2))", {"operator": "subplan"}),
    ("`note` REGEXP BINARY %s", {"operator": "regex", "column": "note", "value": PARAMETER}),
]


@pytest.mark.parametrize(("condition", "expected"), MYSQL, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_mysql_and_mariadb_plans(condition, expected, engine):
    assert one(condition, engine) == expected


SQLITE = [
    (
        """django_datetime_cast_date("t"."at", 'UTC', 'UTC') = %s""",
        {"operator": "eq", "table": "t", "column": "at", "value": PARAMETER, "wrapped": "date",
         "expression": "DJANGO_DATETIME_CAST_DATE(at, 'UTC', 'UTC')"},
    ),
    (
        """django_datetime_extract('year', "at", 'UTC', 'UTC') = ?""",
        {"operator": "eq", "column": "at", "value": PARAMETER, "wrapped": "extract",
         "expression": "DJANGO_DATETIME_EXTRACT('year', at, 'UTC', 'UTC')"},
    ),
    ("""t."x" LIKE %s ESCAPE '\\'""", {"operator": "like", "table": "t", "column": "x", "value": PARAMETER}),
    ("""x LIKE '%%a' ESCAPE '\\' AND y = %s""", None),
    ("""x REGEXP %s""", {"operator": "regex", "column": "x", "value": PARAMETER}),
    ("""x IN (%s, ?, :name)""", {"operator": "in", "column": "x", "value": (PARAMETER, PARAMETER, PARAMETER)}),
    ("""NOT "a" """, {"operator": "false", "column": "a", "value": False}),
    ("""[order].[id] = 1""", {"operator": "eq", "table": "order", "column": "id", "value": 1}),
    (
        """UPPER("email") = 'X'""",
        {"operator": "eq", "column": "email", "value": "X", "wrapped": "upper", "expression": "UPPER(email)"},
    ),
    (
        """CAST("n" AS integer) = 5""",
        {"operator": "eq", "column": "n", "value": 5, "wrapped": "cast", "cast_to": "integer",
         "expression": "CAST(n AS INTEGER)"},
    ),
    ("""EXISTS(SELECT 1 AS "a" FROM "b" U0 LIMIT 1)""", {"operator": "subplan"}),
    (""""a"."id" IN (SELECT U0."id" FROM "b" U0)""", {"operator": "subplan", "table": "a", "column": "id"}),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), SQLITE, ids=lambda value: str(value)[:40])
def test_conditions_of_statements(condition, expected):
    if expected is None:
        assert [part["operator"] for part in parts(condition, "sqlite")] == ["like", "eq"]
        assert parts(condition, "sqlite")[0]["value"] == "%a"
        return

    assert one(condition, "sqlite") == expected


@pytest.mark.parametrize(
    "condition",
    [
        """JSON_EXTRACT("attributes", '$."a"') = 5""",
        """"attributes" ->> 'x' = 3""",
        """JSON_TYPE("attributes", '$.x') IS NOT NULL""",
        """(CASE WHEN JSON_TYPE("attributes", %s) IN ('false') THEN JSON_TYPE("attributes", %s) ELSE 1 END) = %s""",
    ],
)
def test_json_of_sqlite(condition):
    found = one(condition, "sqlite")

    assert (found["operator"], found["column"]) == ("json", "attributes")


def test_ands_are_taken_apart_and_keep_their_text():
    condition = "((((a)::text = 'x AND y'::text) AND (b BETWEEN 1 AND 2)) AND (NOT (hashed SubPlan 1)))"

    found = predicates(condition, "postgresql")

    assert [(each.operator, each.text) for each in found] == [
        ("eq", "(a)::text = 'x AND y'::text"),
        ("range", "b BETWEEN 1 AND 2"),
        ("subplan", "NOT (hashed SubPlan 1)"),
    ]


def test_a_part_that_cannot_be_read_leaves_the_others():
    found = predicates("((a = 1) and (b ~=~=~ 2) and (c = <materialize>(select 3 from)))", "mysql")

    assert [(each.operator, each.column) for each in found] == [("eq", "a"), ("other", None), ("subplan", None)]


def test_or_over_different_columns_has_parts():
    condition = "((o.customer_id = 77) OR ((o.tracking_number = 5) AND (NOT o.archived)))"

    (found,) = predicates(condition, "postgresql")

    assert (found.operator, found.table, found.column) == ("or", "o", None)
    assert [[(each.operator, each.column) for each in part] for part in found.parts] == [
        [("eq", "customer_id")],
        [("eq", "tracking_number"), ("false", "archived")],
    ]


def test_a_free_cast_is_kept_beside_the_bare_column():
    (text,) = predicates("((o.status)::text = 'paid'::text)", "postgresql")
    (number,) = predicates("(o.id = 7)", "postgresql")

    assert (text.column, text.wrapped, text.as_text, number.as_text) == ("status", None, True, False)


@pytest.mark.parametrize(
    ("condition", "operator"),
    [("(a.x = a.y)", "other"), ("(a.x > b.y)", "other"), ("(upper(a.x) = b.y)", "join"), ("(x = y)", "other")],
)
def test_columns_of_one_table_are_no_join(condition, operator):
    assert one(condition, "postgresql")["operator"] == operator


@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_no_condition(nothing):
    assert predicates(nothing, "postgresql") == []


WORDS = """SELECT FROM WHERE AND OR NOT ( ) [ ] , . ; ' \" ` -- /* */ $ $$ $1 %s %% ? :a :: a b 1 2.5 = <> < > ~~ @>
-> IN ANY CASE WHEN THEN END BETWEEN LIKE ESCAPE \\ SubPlan (SubPlan <cache>( <in_optimizer>( IS NULL EXISTS UNION
GROUP BY ORDER LIMIT OFFSET JOIN ON WITH AS VALUES INSERT INTO UPDATE SET DELETE CREATE é"""


@pytest.mark.parametrize("engine", ENGINES)
def test_garbage_never_raises(engine):
    words = [*WORDS.split(), "\x00", "\n"]
    chance = random.Random(engine)

    for _ in range(300):
        text = " ".join(chance.choices(words, k=chance.randint(1, 25)))
        assert all(isinstance(each, Predicate) for each in predicates(text, engine)), text


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 3000 + "a = 1" + ")" * 3000,
        "(id = ANY ('{" + ",".join(map(str, range(20_000))) + "}'::bigint[]))",
        "a = 1 AND " * 20_000 + "b = 2",
        "'" * 50_001,
        "(" * 50_000,
    ],
    ids=["deep", "array", "long", "quotes", "open"],
)
def test_long_conditions_are_fast(condition):
    predicates("a = 1", "postgresql")
    started = time.process_time()

    assert predicates(condition, "postgresql")

    assert time.process_time() - started < 3
