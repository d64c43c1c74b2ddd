"""
Schemas as servers' catalogues have them, read from a file and from single definitions.
"""

from __future__ import annotations

import sqlite3

import pytest

from perf_panels.explain.schema import (
    Index,
    columns_of_sqlite_table,
    index_from_postgresql,
    index_from_sqlite,
    indexes_of_sqlite_table,
    load,
)


def test_postgresql():
    schema = load(
        {
            "server_version": 150018,
            "tables": {
                "shop_order": {
                    "reltuples": 300000,
                    "rows": 300012,
                    "columns": {"id": "bigint", "status": "character varying"},
                    "indexes": {
                        "shop_order_pkey": "CREATE UNIQUE INDEX shop_order_pkey ON public.shop_order USING btree (id)",
                        "x": "CREATE INDEX x ON public.shop_order USING btree (status) WHERE (NOT archived)",
                    },
                },
                "new": {"reltuples": -1, "columns": {}, "indexes": {}},
            },
        },
        "postgresql",
    )

    table = schema.table("shop_order")
    assert (schema.version, schema.rows("shop_order"), schema.rows("nowhere")) == ("150018", 300012, None)
    assert (table.analysed, table.columns["status"]) == (True, "character varying")
    assert (table.led_by("id")[0].primary, table.led_by("id")[0].unique) == (True, True)
    assert table.led_by("status") == []
    assert table.modified_since_analyze == 12
    assert (schema.tables["new"].rows, schema.tables["new"].analysed) == (None, False)
    assert schema.tables["new"].modified_since_analyze is None


@pytest.mark.parametrize("engine", ["mysql", "mariadb"])
def test_mysql_and_mariadb(engine):
    indexes = {
        "PRIMARY": {"columns": ["id"], "unique": True},
        "pair": {"columns": ["city", "status"], "unique": False},
        "text": {"columns": ["note", None], "unique": False, "method": "FULLTEXT"},
    }
    entry = {"rows": 5, "columns": {"id": "bigint"}, "indexes": indexes, "engine": "InnoDB", "size_bytes": 16384}

    table = load({"server_version": "9.7.4-2", "tables": {"t": entry}}, engine).tables["t"]

    assert table.indexes == [
        Index("PRIMARY", ("id",), unique=True, primary=True),
        Index("pair", ("city", "status")),
        Index("text", ("note", ""), method="fulltext"),
    ]
    assert (table.engine, table.size_bytes, table.analysed) == ("InnoDB", 16384, None)
    assert table.led_by("city", "status")
    assert not table.led_by("status")


def test_sqlite():
    schema = load(
        {
            "sqlite_version": "3.40.1",
            "tables": {
                "shop_coupon": {
                    "sql": "CREATE TABLE shop_coupon (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, "
                    "code varchar(20) NOT NULL UNIQUE, percent decimal(10, 2) NOT NULL)",
                    "indexes": {
                        "sqlite_autoindex_shop_coupon_1": "sqlite_autoindex",
                        "p": "CREATE INDEX p ON shop_coupon(percent)",
                    },
                },
                "fts": {"rows": 20, "sql": "CREATE VIRTUAL TABLE fts USING fts5(text)", "indexes": {}},
            },
            "sqlite_stat1": [["shop_coupon", "sqlite_autoindex_shop_coupon_1", "40 1"], ["gone", None, "7"], [], None],
        },
        "sqlite",
    )

    table = schema.tables["shop_coupon"]
    assert (table.rows, table.analysed, schema.tables["fts"].analysed) == (40, True, False)
    assert table.columns == {"id": "integer", "code": "varchar(20)", "percent": "decimal(10, 2)"}
    assert [(index.name, index.columns, index.unique, index.primary) for index in table.indexes] == [
        ("INTEGER PRIMARY KEY", ("id",), True, True),
        ("sqlite_autoindex_shop_coupon_1", ("code",), True, False),
        ("p", ("percent",), False, False),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "tables"),
        ({}, "tables"),
        ({"tables": []}, "tables"),
        ({"tables": {"t": 5}}, '"t"'),
        ({"tables": {"t": {"rows": "many"}}}, '"rows"'),
        ({"tables": {"t": {"columns": ["a"]}}}, '"columns"'),
        ({"tables": {"t": {"indexes": {"i": 5}}}}, '"i"'),
        ({"tables": {"t": {"indexes": {"i": {"unique": True}}}}}, '"i"'),
        ({"tables": {"t": {"indexes": {"i": "DROP TABLE t"}}}}, "CREATE INDEX"),
        ({"tables": {"t": {"indexes": {"i": "CREATE INDEX i ON t (a"}}}}, "parenthesis"),
    ],
)
def test_what_is_no_schema_is_said(data, message):
    with pytest.raises(ValueError, match=message):
        load(data, "postgresql")


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        (
            """CREATE UNIQUE INDEX "My Idx" ON public."Order" USING btree (lower((email)::text) varchar_pattern_ops,
            "Desc" DESC NULLS LAST, status COLLATE "C" text_pattern_ops) INCLUDE (a, "B") WITH (fillfactor='70')
            WHERE ((status)::text = 'a ) WHERE'::text)""",
            Index(
                "My Idx",
                ("", "Desc", "status"),
                unique=True,
                condition="((status)::text = 'a ) WHERE'::text)",
                expressions={0: "lower((email)::text)"},
                include=("a", "B"),
                opclasses=("varchar_pattern_ops", "", "text_pattern_ops"),
            ),
        ),
        (
            "CREATE INDEX g ON ONLY s.t USING gin (attributes jsonb_path_ops)",
            Index("g", ("attributes",), method="gin", opclasses=("jsonb_path_ops",)),
        ),
        (
            "CREATE INDEX g ON t USING gin (to_tsvector('english'::regconfig, d), ((a -> 'x'::text)))",
            Index(
                "g",
                ("", ""),
                method="gin",
                expressions={0: "to_tsvector('english'::regconfig, d)", 1: "(a -> 'x'::text)"},
                opclasses=("", ""),
            ),
        ),
        (
            "CREATE INDEX x ON t USING gist (p public.gist_trgm_ops (siglen='32'))",
            Index("x", ("p",), method="gist", opclasses=("gist_trgm_ops",)),
        ),
        (
            "CREATE UNIQUE INDEX x ON t USING btree (a, b) NULLS NOT DISTINCT WHERE (NOT archived)",
            Index("x", ("a", "b"), unique=True, condition="(NOT archived)", opclasses=("", "")),
        ),
    ],
)
def test_definitions_of_postgresql(definition, expected):
    assert index_from_postgresql(definition) == expected


def test_a_primary_key_is_told_by_the_caller():
    assert index_from_postgresql("CREATE UNIQUE INDEX k ON t USING btree (a)", primary=True).primary


SQLITE_INDEXES = [
    ('CREATE INDEX "a b" ON "t" ("a" DESC, upper("b"))', ("a", ""), None),
    ("CREATE UNIQUE INDEX IF NOT EXISTS x ON t(a COLLATE NOCASE, b) WHERE a IS NOT NULL", ("a", "b"), "a IS NOT NULL"),
    ("create index x on t(a+1, [b])", ("", "b"), None),
    ("CREATE INDEX x ON t -- why\n (a)", ("a",), None),
]


@pytest.mark.parametrize(("sql", "columns", "condition"), SQLITE_INDEXES)
def test_definitions_of_sqlite(sql, columns, condition):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a int, b text)")
    connection.execute(sql)
    (stored,) = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index'").fetchone()
    connection.close()

    index = index_from_sqlite(stored)

    assert (index.columns, index.condition) == (columns, condition)


SQLITE_TABLES = [
    "CREATE TABLE t (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, a varchar(20) NOT NULL UNIQUE)",
    """CREATE TABLE "t" ("id" integer PRIMARY KEY, "a" text DEFAULT 'x, UNIQUE (id)' CHECK ("a" <> 'UNIQUE'),
        "c" decimal(10, 2) NOT NULL, CONSTRAINT "u (x" UNIQUE ("a", "c"), UNIQUE(a), UNIQUE (a), UNIQUE (c))""",
    "CREATE TABLE t (a text PRIMARY KEY, b UNIQUE) WITHOUT ROWID",
    "CREATE TABLE t (a integer PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE t(a int, b integer, primary key(b))",
    "CREATE TABLE t(a int, b int, primary key(b, a), unique (a COLLATE NOCASE DESC))",
    "CREATE TABLE t(a integer primary key desc, b int UNIQUE)",
    "CREATE TABLE t(a bigint primary key)",
    "CREATE TABLE t(a text, -- x, UNIQUE (b)\n b int /* , c text */ UNIQUE REFERENCES t(a) ON DELETE CASCADE)",
    "CREATE TABLE IF NOT EXISTS t (a text GENERATED ALWAYS AS (upper(b)) VIRTUAL, b text, UNIQUE (b))",
]


@pytest.mark.parametrize("sql", SQLITE_TABLES)
def test_keys_of_sqlite_tables_are_what_sqlite_says(sql):
    connection = sqlite3.connect(":memory:")
    connection.execute(sql)
    (stored,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 't'").fetchone()
    expected = {
        name: tuple(column for _, _, column in connection.execute(f"PRAGMA index_info('{name}')"))
        for _, name, *_ in connection.execute("PRAGMA index_list('t')").fetchall()
    }
    columns = {row[1]: row[2] for row in connection.execute("PRAGMA table_xinfo('t')")}
    connection.close()

    found = {index.name: index.columns for index in indexes_of_sqlite_table("t", stored)}

    found.pop("INTEGER PRIMARY KEY", None)
    assert found == expected
    assert {name: type_.lower() for name, type_ in columns_of_sqlite_table(stored).items()} == {
        name: type_.lower() for name, type_ in columns.items()
    }


@pytest.mark.parametrize(
    ("number", "rowid"), [(0, "id"), (1, "id"), (2, None), (3, None), (4, "b"), (6, None), (7, None)]
)
def test_the_rowid_is_an_index(number, rowid):
    indexes = indexes_of_sqlite_table("t", SQLITE_TABLES[number])

    assert next((index.columns[0] for index in indexes if index.name == "INTEGER PRIMARY KEY"), None) == rowid
