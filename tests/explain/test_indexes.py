from __future__ import annotations

import ast

import pytest
from django.contrib.auth.models import User
from django.contrib.postgres.indexes import OpClass
from django.db import connections, migrations, models
from django.db.models.expressions import OrderBy
from django.db.models.functions import Collate
from django.db.models.indexes import IndexExpression
from shop.models import Order, Product

from perf_panels.explain import models_map
from perf_panels.explain.indexes import suggest
from perf_panels.explain.rules.base import IndexNeed
from perf_panels.explain.schema import Index, Schema, Table, index_from_postgresql, index_from_sqlite
from tests.site.models import Author, Book

ORDER, PRODUCT = Order._meta.db_table, Product._meta.db_table


def made(engine="postgresql", table=ORDER, indexes=(), **need):
    schema = Schema(tables={table: Table(table, indexes=list(indexes))})
    return suggest(IndexNeed(table, **need), schema, engine)


def index_of(suggestion):
    """
    Return the ``models.Index`` that the code makes.
    """
    *imports, call = ast.parse(suggestion.code).body
    names = {"models": models}
    exec(compile(ast.Module(imports, []), "suggested", "exec"), names)
    return eval(compile(ast.Expression(call.value), "suggested", "eval"), names)


PLAIN = {
    "one column": {"equality": ("email",)},
    "equality, then range": {"equality": ("status", "email"), "range_": "created"},
    "equality, then order": {"equality": ("status",), "order": (("created", True), ("id", False))},
    "a column named twice": {"equality": ("status",), "order": (("status", False), ("created", True))},
    "foreign key": {"equality": ("author_id",), "table": Book._meta.db_table},
}
PARTIAL = {
    "a value": {"order": (("created", False),), "condition": (("status", "eq", "open"),)},
    "quotes and percent": {"equality": ("email",), "condition": (("status", "eq", 'it\'s "50 %" \\ %s'),)},
    "a line break": {"equality": ("email",), "condition": (("status", "eq", "a\r\nb"),)},
    "values": {"equality": ("email",), "condition": (("status", "in", ("a", "b'")),)},
    "not a value": {"equality": ("email",), "condition": (("status", "ne", "done"),)},
    "both": {"equality": ("email",), "condition": (("number", "eq", "%"), ("status", "ne", "done"))},
    "the same twice": {"equality": ("email",), "condition": (("status", "eq", "open"), ("status", "eq", "open"))},
    "null": {"equality": ("name",), "condition": (("publisher_id", "null", None),), "table": Author._meta.db_table},
    "not null": {"order": (("id", True),), "condition": (("publisher_id", "not-null", None),)}
    | {"table": Author._meta.db_table},
    "true": {"equality": ("name",), "condition": (("featured", "true", True),), "table": PRODUCT},
    "false": {"equality": ("name",), "condition": (("featured", "false", False),), "table": PRODUCT},
    "a number": {"equality": ("email",), "condition": (("total_cents", "eq", 5),)},
}
EXPRESSIONS = {
    "a function": {"expression": 'UPPER("email")', "wrapped": ("upper", "email")},
    "a function and more": {"expression": 'LOWER("email")', "wrapped": ("lower", "email")}
    | {"equality": ("status",), "order": (("created", True),)},
    "anything": {"expression": "\"email\" || 'it''s \" 50 %s'"},
}
POSTGRESQL = {
    "opclass": {"range_": "email", "opclass": "varchar_pattern_ops"},
    "opclass after a number": {"equality": ("total_cents",), "range_": "email", "opclass": "varchar_pattern_ops"},
    "include": {"equality": ("email",), "include": ("status", "created")},
    "gin on an expression": {"expression": "to_tsvector('english'::regconfig, email)", "method": "gin"},
    "trigrams": {"equality": ("email",), "method": "trigram", "opclass": "gin_trgm_ops"},
    "trigrams of a function": {"expression": "upper(email)", "wrapped": ("upper", "email")}
    | {"method": "trigram", "opclass": "gin_trgm_ops"},
    "trigrams of anything": {"expression": "replace(email, '%', '')", "wrapped": ("replace", "email")}
    | {"method": "trigram"},
}


def both_ways(alias, suggestion, table, definition):
    """
    Return the index as the SQL makes it and as Django makes it from the code.
    """
    connection, found = connections[alias], []
    index, model = index_of(suggestion), models_map.model_of(table)
    for make in (lambda editor: editor.execute(suggestion.sql, None), lambda editor: editor.add_index(model, index)):
        with connection.schema_editor() as editor:
            make(editor)
        found.append(definition(connection, suggestion.name))
        with connection.schema_editor() as editor:
            editor.execute(f'DROP INDEX "{suggestion.name}"')
    return found


def sqlite_definition(connection, name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [name])
        (sql,) = cursor.fetchone()
    index = index_from_sqlite(sql)
    expressions = {
        place: text.strip("()").replace("(", "").replace(")", "") for place, text in index.expressions.items()
    }
    condition = index.condition and index.condition.strip().removeprefix("(").removesuffix(")").replace("(", "")
    order = [part.strip().endswith("DESC") for part in sql.partition(" WHERE ")[0].split(",")]
    return index.columns, expressions, condition and condition.replace(")", ""), order


def postgresql_definition(connection, name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef(%s::regclass)", [f'"{name}"'])
        (definition,) = cursor.fetchone()
    index_from_postgresql(definition)
    return definition


@pytest.mark.django_db(databases=["other"], transaction=True)
@pytest.mark.parametrize("case", {**PLAIN, **PARTIAL, **EXPRESSIONS})
def test_code_and_sql_make_the_same_index_on_sqlite(case):
    need = {**PLAIN, **PARTIAL, **EXPRESSIONS}[case]
    suggestion = made("sqlite", **need)

    by_sql, by_code = both_ways("other", suggestion, suggestion.table, sqlite_definition)

    if case == "anything":
        # SQLite keeps the text as it was written.
        by_sql, by_code = by_sql[0], by_code[0]
    assert by_sql == by_code


@pytest.fixture
def _postgres_app():
    """
    What ``django.contrib.postgres`` does when it is installed.
    """
    before = IndexExpression.wrapper_classes
    IndexExpression.register_wrappers(OrderBy, OpClass, Collate)
    yield
    IndexExpression.register_wrappers(*before)


@pytest.mark.django_db(databases=["default", "postgres"], transaction=True)
@pytest.mark.usefixtures("_postgres_app")
@pytest.mark.parametrize("case", {**PLAIN, **PARTIAL, **EXPRESSIONS, **POSTGRESQL})
def test_code_and_sql_make_the_same_index_on_postgresql(case, postgres):
    need = {**PLAIN, **PARTIAL, **EXPRESSIONS, **POSTGRESQL}[case]
    suggestion = made("postgresql", **need)
    if need.get("method") == "trigram":
        with connections[postgres].cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")

    by_sql, by_code = both_ways(postgres, suggestion, suggestion.table, postgresql_definition)

    assert by_sql == by_code


@pytest.mark.parametrize("engine", ["postgresql", "sqlite", "mysql", "mariadb", "oracle"])
@pytest.mark.parametrize("case", {**PLAIN, **PARTIAL, **EXPRESSIONS})
def test_the_code_is_an_index_with_a_valid_name(case, engine):
    suggestion = made(engine, **{**PLAIN, **PARTIAL, **EXPRESSIONS}[case])

    if case in EXPRESSIONS and engine == "mariadb":
        # It has no indexes on expressions.
        assert suggestion is None
        return
    index = index_of(suggestion)
    assert index.name == suggestion.name
    assert len(index.name) <= 30
    assert index.name[0].isalpha()
    assert "\n" not in suggestion.sql or case == "a line break"


class TestPartial:
    @pytest.mark.parametrize("engine", ["mysql", "mariadb", "oracle"])
    def test_without_partial_indexes_the_columns_go_first(self, engine):
        suggestion = made(engine, order=(("created", False),), condition=(("status", "eq", "open"),))

        assert index_of(suggestion).fields == ["status", "created"]
        assert "WHERE" not in suggestion.sql
        assert "condition" not in suggestion.code

    def test_without_partial_indexes_what_a_column_is_not_is_left_out(self):
        suggestion = made("mysql", equality=("email",), condition=(("status", "ne", "done"),))

        assert index_of(suggestion).fields == ["email"]

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("email", "a@example.com"),
            ("created", "2026-01-01"),
            ("id", 5),
            ("user_id", 5),
            ("status", None),
            ("number", "Lyon"),
        ],
    )
    def test_a_value_that_is_no_state_is_no_condition(self, column, value):
        suggestion = made(equality=("total_cents",), condition=((column, "eq", value),))

        assert suggestion.sql.endswith(f'("{column}", "total_cents")')

    def test_a_partial_index_that_leads_with_the_columns_is_enough(self):
        existing = Index("x", ("created", "id"), condition="status = 'a'")

        assert made(indexes=[existing], order=(("created", False),), condition=(("status", "eq", "a"),)) is None

    @pytest.mark.parametrize("condition", ["status = 'b'", "status = 'a' AND email = 'b'"])
    def test_a_partial_index_of_other_rows_is_not(self, condition):
        existing = Index("x", ("created",), condition=condition)

        assert made(indexes=[existing], order=(("created", False),), condition=(("status", "eq", "a"),))

    def test_a_whole_index_is_not_the_partial_one(self):
        existing = Index("x", ("created",))

        assert made(indexes=[existing], order=(("created", False),), condition=(("status", "eq", "a"),))


class TestExisting:
    @pytest.mark.parametrize("columns", [("status",), ("status", "created")])
    def test_an_index_that_starts_with_the_columns_is_enough(self, columns):
        assert made(indexes=[Index("x", columns)], equality=("status",)) is None

    @pytest.mark.parametrize(
        "existing",
        [
            Index("x", ("created", "status")),
            Index("x", ("status",), condition="status = 'a'"),
            Index("x", ("",), expressions={0: "upper(status)"}),
        ],
    )
    def test_another_index_is_not(self, existing):
        assert made(indexes=[existing], equality=("status",)) is not None

    def test_a_hash_finds_one_value_and_gives_no_order(self):
        existing = Index("x", ("status",), method="hash")

        assert made(indexes=[existing], equality=("status",)) is None
        assert made(indexes=[existing], order=(("status", True),)) is not None
        assert made(indexes=[existing], equality=("status", "email")) is not None

    @pytest.mark.parametrize("method", ["brin", "fulltext", "gin", "spatial"])
    def test_an_index_without_an_order_is_not(self, method):
        for need in ({"equality": ("status",)}, {"order": (("status", True),)}):
            assert made(indexes=[Index("x", ("status",), method=method)], **need) is not None

    def test_a_partition_tells_of_the_indexes_of_its_table(self):
        partition = Table("event_2026", columns={"id": "", "kind": ""}, indexes=[Index("x", ("kind",))])
        schema = Schema(tables={"event_2026": partition})

        assert suggest(IndexNeed("event", ("kind",), partition="event_2026"), schema, "postgresql") is None
        assert suggest(IndexNeed("event", ("id",), partition="event_2026"), schema, "postgresql").table == "event"

    def test_an_index_on_the_expression_is_enough(self):
        need = {"expression": "UPPER(email)", "wrapped": ("upper", "email")}
        existing = Index("x", ("",), expressions={0: 'upper("email")'})

        assert made(indexes=[existing], **need) is None

    @pytest.mark.parametrize(
        "existing",
        [
            Index("x", ("status", ""), expressions={1: "upper(email)"}),
            Index("x", ("",), expressions={0: "upper(email)"}, condition="status = 'a'"),
            Index("x", ("",), expressions={0: "lower(email)"}),
            Index("x", ("",), expressions={0: "upper(email)"}, method="gin"),
        ],
    )
    def test_another_index_with_the_expression_is_not(self, existing):
        assert made(indexes=[existing], expression="UPPER(email)", wrapped=("upper", "email")) is not None

    def test_a_trigram_index_is_enough_whatever_its_method(self):
        for method in ("gin", "gist"):
            existing = Index("x", ("email",), method=method, opclasses=(f"{method}_trgm_ops",))

            assert made(indexes=[existing], equality=("email",), method="trigram") is None

    def test_a_btree_on_the_expression_finds_no_trigrams(self):
        existing = Index("x", ("",), expressions={0: "upper(email)"})
        need = {"expression": "upper(email)", "wrapped": ("upper", "email"), "method": "trigram"}

        assert made(indexes=[existing], **need) is not None

    def test_the_index_of_an_operator_class_is_enough(self):
        need = {"equality": ("total_cents",), "range_": "email", "opclass": "varchar_pattern_ops"}
        right = Index("x", ("total_cents", "email"), opclasses=("", "varchar_pattern_ops"))
        wrong = Index("x", ("total_cents", "email"), opclasses=("", ""))

        assert made(indexes=[right], **need) is None
        assert made(indexes=[wrong], **need) is not None

    def test_a_gin_index_on_the_column_is_enough(self):
        assert made(indexes=[Index("x", ("email",), method="gin")], equality=("email",), method="gin") is None
        assert made(indexes=[Index("x", ("email",))], equality=("email",), method="gin") is not None


class TestNone:
    def test_a_need_without_columns_has_no_index(self):
        assert made() is None

    def test_a_column_the_table_does_not_have_has_no_index(self):
        schema = Schema(tables={ORDER: Table(ORDER, columns={"status": "text"})})

        assert suggest(IndexNeed(ORDER, ("total",)), schema, "sqlite") is None
        assert suggest(IndexNeed(ORDER, ("status",)), schema, "sqlite")

    @pytest.mark.parametrize("engine", ["sqlite", "mysql", "mariadb", "oracle"])
    @pytest.mark.parametrize("method", ["gin", "trigram", "fulltext"])
    def test_what_postgresql_alone_has_is_not_suggested_elsewhere(self, engine, method):
        assert made(engine, equality=("email",), method=method) is None

    def test_what_postgresql_alone_has_is_left_out_of_an_index_elsewhere(self):
        suggestion = made("mysql", range_="email", opclass="varchar_pattern_ops", include=("status",))

        assert suggestion.sql == f"CREATE INDEX `{suggestion.name}` ON `{ORDER}` (`email`)"
        assert "opclasses" not in suggestion.code
        assert "include" not in suggestion.code


class TestPlace:
    def test_the_projects_model_gets_it_into_its_meta(self):
        suggestion = made(equality=("email",))

        assert suggestion.where == "Order.Meta.indexes"
        assert suggestion.file.endswith("shop/models.py")
        assert suggestion.line > 0
        assert suggestion.model == "shop.Order"
        assert suggestion.code.startswith("# Order.Meta.indexes\nmodels.Index(")

    @pytest.mark.parametrize(
        ("table", "column", "why"),
        [
            (User._meta.db_table, "first_name", "the model is a package's"),
            (Book.genres.through._meta.db_table, "genre_id", "its table is made by Django or by hand"),
            ("unheard_of", "x", "no model has this table"),
        ],
    )
    @pytest.mark.parametrize("engine", ["postgresql", "mysql"])
    def test_another_table_gets_a_migration(self, table, column, why, engine):
        value = 'it\'s "50 %" \\ %s\r\n'
        need = {"table": table, "equality": (column,), "condition": ((f"{column}s", "eq", value),)}

        suggestion = made(engine, **need)

        assert suggestion.where == f"a migration of your own: {why}"
        assert suggestion.file is None
        operation = eval(suggestion.code, {"migrations": migrations})
        assert operation.sql == suggestion.sql
        on = f" ON `{table}`" if engine == "mysql" else ""
        assert operation.reverse_sql == f"DROP INDEX {suggestion.name}{on}"

    def test_quotes_in_names_are_doubled(self):
        assert '"we""ird"' in made(table='we"ird', equality=("a",)).sql
        assert "`we``ird`" in made("mysql", table="we`ird", equality=("a",)).sql


class TestName:
    def test_it_says_table_columns_and_kind(self):
        assert made(equality=("email",)).name == "shop_order_email_idx"
        assert made(equality=("email",), condition=(("status", "eq", "open"),)).name == "shop_order_email_open_part"

    def test_a_long_one_is_cut_and_told_apart(self):
        first = made(equality=("status", "email"), range_="created").name
        second = made(equality=("status", "email"), range_="total_cents").name

        assert (len(first) <= 30, len(second) <= 30) == (True, True)
        assert first != second

    @pytest.mark.parametrize("table", ["_x", "1x", "Ünïcode", 'public"."order', "público.тест"])
    def test_it_starts_with_a_letter_and_has_nothing_to_quote(self, table):
        name = made(table=table, equality=("a",)).name

        assert name.isascii()
        assert name.isidentifier()
        assert not name.startswith("_")

    def test_different_indexes_have_different_names(self):
        needs = [
            {"equality": ("email",)},
            {"order": (("email", True),)},
            {"range_": "email", "opclass": "varchar_pattern_ops"},
            {"equality": ("email",), "condition": (("status", "eq", "a"),)},
            {"equality": ("email",), "condition": (("status", "ne", "a"),)},
            {"equality": ("email",), "condition": (("total_cents", "eq", 1),)},
            {"equality": ("email",), "condition": (("total_cents", "eq", 2),)},
            {"equality": ("email",), "condition": (("status", "null", None),)},
            {"equality": ("email",), "condition": (("status", "not-null", None),)},
            {"expression": "upper(email)", "wrapped": ("upper", "email")},
            {"expression": "upper(email)", "wrapped": ("upper", "email"), "equality": ("status",)},
            {"equality": ("email",), "method": "trigram"},
        ]

        names = [made(**need).name for need in needs]

        assert len(set(names)) == len(names)
