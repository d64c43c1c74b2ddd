from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind, Node, Plan, Trigger
from perf_panels.explain.query import read
from perf_panels.explain.rules import engine
from perf_panels.explain.rules.base import Subject
from perf_panels.explain.rules.writes import dml_scan, fk_trigger, lock_scan, referencing
from perf_panels.explain.schema import Index, Schema, Table

COLUMNS = {"id": "bigint", "supplier_id": "integer", "quantity": "integer"}
UPDATE = "UPDATE shop_stock SET quantity = 0 WHERE supplier_id = 7"


def subject(root, sql="", database="postgresql", indexes=(), rows=200_000, **plan):
    stock = Table("shop_stock", rows, COLUMNS, [Index("pk", ("id",), unique=True), *indexes])
    plan = Plan(database, root, analyzed=bool(root and any(node.analyzed for node in root.walk())), **plan)
    return Subject(plan, read(sql, database), Schema(tables={stock.name: stock}))


def scan(**values):
    given = {
        "relation": "shop_stock",
        "alias": "shop_stock",
        "filter": "(supplier_id = 7)",
        "act_rows": 100.0,
        "removed": 199_900.0,
        "loops": 1.0,
        "self_ms": 30.0,
    }
    return Node(Kind.SCAN, "Seq Scan", **(given | values))


def modify(*children, strategy="update", relation="shop_stock"):
    return Node(Kind.MODIFY, "Update", list(children), relation=relation, strategy=strategy, act_rows=0.0, loops=1.0)


def test_an_update_that_reads_the_whole_table():
    (match,) = dml_scan(subject(modify(scan()), UPDATE))

    assert match.title == "{table}: all 200,000 rows read to change 100"
    assert (match.table, match.columns) == ("shop_stock", ("supplier_id",))
    assert match.index.equality == ("supplier_id",)


def test_it_takes_the_place_of_the_scan():
    rules = [match.rule for match in engine.run(subject(modify(scan()), UPDATE), strict=True)]

    assert "dml-scan" in rules
    assert "full-scan-filter" not in rules


@pytest.mark.parametrize(
    "values",
    [{"act_rows": 100_000.0, "removed": 100_000.0}, {"removed": 9_000.0}, {"self_ms": 4.0}, {"filter": None}],
    ids=str,
)
def test_changes_of_many_rows_and_small_scans(values):
    assert not list(dml_scan(subject(modify(scan(**values)), UPDATE)))


def test_an_index_that_the_planner_did_not_want():
    index = Index("shop_stock_supplier", ("supplier_id",))

    assert not list(dml_scan(subject(modify(scan()), UPDATE, indexes=(index,))))


def test_inserts_and_other_tables_are_the_scan_s_own_business():
    assert not list(dml_scan(subject(modify(scan(), strategy="insert"))))
    assert not list(dml_scan(subject(modify(scan(), relation="shop_order"))))
    assert not list(dml_scan(subject(scan())))


def test_mariadb_says_of_the_table_that_it_is_changed():
    (match,) = dml_scan(subject(scan(raw={"delete": 1}), "", "mariadb"))

    assert match.columns == ("supplier_id",)


def test_sqlite_shows_only_the_scan_of_a_delete():
    bare = Node(Kind.SCAN, "SCAN shop_stock", relation="shop_stock", alias="shop_stock")

    (match,) = dml_scan(subject(bare, "DELETE FROM shop_stock WHERE supplier_id = 7", "sqlite"))

    assert match.severity == "info"
    assert match.title == "{table}: all 200,000 rows read to delete those of a condition"


def test_a_lock_that_reads_the_whole_table():
    (match,) = lock_scan(subject(Node(Kind.LOCK_ROWS, "LockRows", [scan()], act_rows=100.0, loops=1.0)))

    assert match.title == "{table}: all 200,000 rows read to lock 100"


def test_a_lock_that_only_the_statement_says():
    sql = "SELECT id FROM shop_stock WHERE supplier_id = 7 FOR UPDATE"

    assert list(lock_scan(subject(scan(), sql, "mysql")))
    assert not list(lock_scan(subject(scan(), sql.removesuffix(" FOR UPDATE"), "mysql")))


def trigger(name="RI_ConstraintTrigger_a_16441", ms=50.0, constraint="shop_stock_supplier_id_fkey"):
    return Trigger(name, "shop_supplier", constraint, 1, ms)


def triggers(*found, execution_ms=100.0, indexes=()):
    return list(fk_trigger(subject(modify(), indexes=indexes, triggers=list(found), execution_ms=execution_ms)))


def test_a_foreign_key_without_an_index():
    (match,) = triggers(trigger())

    assert match.title == "50 ms spent on checking the foreign key {table}.{columns}"
    assert (match.severity, match.table, match.columns) == ("warning", "shop_stock", ("supplier_id",))
    assert match.index.equality == ("supplier_id",)


def test_a_constraint_of_an_unknown_table():
    (match,) = triggers(trigger(constraint="fk_1"), execution_ms=None)

    assert match.title == "50 ms spent on checking the foreign key constraint fk_1"
    assert match.index is None


def test_triggers_that_an_index_would_not_help():
    assert not triggers(trigger("RI_ConstraintTrigger_c_16443"))
    assert not triggers(trigger("audit_changes"))
    assert not triggers(trigger(ms=4.9))
    assert not triggers(trigger(ms=9.0))
    assert not triggers(trigger(), indexes=(Index("supplier", ("supplier_id",)),))


@pytest.mark.parametrize(
    ("constraint", "column"),
    [
        ("shop_stock_supplier_id_fkey", "supplier_id"),
        ("shop_stock_supplier_fk", "supplier_id"),
        ("shop_stock_supplier_id_4f1c_fk_shop_supplier_id", "supplier_id"),
        ("shop_stock_other_fkey", None),
    ],
)
def test_names_of_constraints_start_with_table_and_column(constraint, column):
    assert referencing(subject(modify()), trigger(constraint=constraint)) == ("shop_stock", column)
