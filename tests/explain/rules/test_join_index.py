from __future__ import annotations

import pytest

from perf_panels.explain.plan import Kind
from perf_panels.explain.rules.base import IndexNeed
from tests.explain.rules.trees import above, estimated, find, scan


def join(condition="(l.coupon_id = c.id)", left=None, **fields):
    whole = left or scan(alias="l", act_rows=300_000, removed=0)
    few = scan(relation="shop_customer", alias="c", act_rows=1, removed=0)
    shape = {"join_type": "inner", "join_cond": condition, **fields}
    return above(Kind.HASH_JOIN, whole, above(Kind.HASH, few), **shape)


def test_wants_an_index_of_the_joined_column():
    (match,) = find("join-no-index", join())

    assert match.title == "{table}: 300,000 rows read for a join that keeps 8, without an index on {columns}"
    assert (match.table, match.columns) == ("shop_order", ("coupon_id",))
    assert match.index == IndexNeed("shop_order", ("coupon_id",))
    assert match.node is not None
    assert match.node.alias == "l"


@pytest.mark.parametrize("condition", ["(l.customer_id = c.id)", "(upper(l.city) = c.email)", None])
def test_leaves_columns_with_an_index_and_other_conditions(condition):
    assert find("join-no-index", join(condition)) == []


def test_leaves_joins_that_keep_much_and_small_or_filtered_sides():
    assert find("join-no-index", join(act_rows=20_000)) == []
    assert find("join-no-index", join(left=scan(alias="l", act_rows=40_000, removed=0))) == []
    assert find("join-no-index", join(left=scan("(l.total > 5)", alias="l"))) == []
    assert find("join-no-index", join(left=scan(alias="l", act_rows=300_000, removed=0, derived=True))) == []
    assert find("join-no-index", join(join_type="full")) == []


def test_the_side_that_an_outer_join_gives_in_full_has_to_be_read():
    assert find("join-no-index", join(join_type="left")) == []
    assert len(find("join-no-index", join(join_type="right"))) == 1


def test_what_other_conditions_drop_was_found_by_the_joined_column():
    assert find("join-no-index", join(join_filter="(l.total > c.id)", removed_by_join=299_992)) == []


def test_a_semi_join_needs_few_rows_on_the_other_side():
    semi = join(join_type="semi")
    semi.children[1].act_rows = semi.children[1].children[0].act_rows = 100_000

    assert find("join-no-index", semi) == []
    assert len(find("join-no-index", join(join_type="semi"))) == 1


def test_leaves_the_outer_side_of_a_nested_loop():
    loop = join()
    loop.kind = Kind.NESTED_LOOP

    assert find("join-no-index", loop) == []


def test_works_on_estimates():
    tree = above(
        Kind.HASH_JOIN,
        estimated(alias="l"),
        estimated(relation="shop_customer", alias="c"),
        join_cond="(l.coupon_id = c.id)",
        est_rows=10,
    )

    (match,) = find("join-no-index", tree)

    assert match.evidence == {"estimated_rows_read": 300_000, "estimated_rows_kept": 10}


def test_adds_up_what_the_processes_of_a_gather_are_expected_to_keep():
    whole = estimated(alias="l", parallel=True, label="Parallel Seq Scan")
    few = estimated(relation="shop_customer", alias="c", parallel=True)
    tree = above(
        Kind.GATHER,
        above(Kind.HASH_JOIN, whole, few, join_cond="(l.coupon_id = c.id)", est_rows=7_000, parallel=True),
        workers_planned=2,
    )

    # 7,000 for each of 2.4 processes are more than 5 % of 300,000.
    assert find("join-no-index", tree) == []


def test_the_block_nested_loop_of_mariadb_is_bad_whatever_it_keeps():
    outer = scan(relation="shop_customer", alias="c", act_rows=1_000, removed=0)
    inner = scan(alias="l", act_rows=300_000, removed=0, label="ALL")
    block = above(Kind.NESTED_LOOP, outer, inner, join_filter="l.coupon_id = c.`id`", act_rows=200_000)
    block.label = "block-nl-join"

    (match,) = find("join-no-index", block, engine="mariadb")

    assert "compared with every row" in match.detail
    assert match.columns == ("coupon_id",)


def test_is_info_by_the_guesses_of_mysql():
    tree = above(
        Kind.HASH_JOIN,
        estimated(alias="l", est_scanned=300_000),
        estimated(relation="shop_customer", alias="c"),
        join_cond="(l.coupon_id = c.id)",
        est_rows=10,
    )

    (match,) = find("join-no-index", tree, engine="mysql")

    assert match.severity == "info"


def test_finds_an_index_sqlite_made_for_one_statement():
    node = estimated(kind=Kind.INDEX_SCAN, automatic_index=True, index_columns=("coupon_id",), index_cond="coupon_id=?")

    (match,) = find("join-no-index", node, engine="sqlite")

    assert match.columns == ("coupon_id",)
    node.derived = True
    assert find("join-no-index", node, engine="sqlite") == []
