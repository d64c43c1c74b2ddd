"""
What the EXPLAIN panel's page says of stored stats, and that it is valid HTML whatever they hold.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import html5lib
import pytest
from django.template.loader import render_to_string
from django.utils import translation

from perf_panels.explain import page, plan_page
from tests.explain.page_stats import card, failed, finding, group, node, plan, stats, trial

TIMES = "\N{MULTIPLICATION SIGN}"
HOSTILE = "\u202eevil\u202c <script>alert(1)</script> \"' مرحبا 数据库 " + "x" * 3_000


def listed(stored, change=None):
    context = page.panel_context(stored, "request", change)
    shell = {"panel_id": "ExplainPanel", "finding_count": 0, "error": None, "truncated": stored.get("truncated")}
    return valid(render_to_string("perf_panels/explain/panel.html", context | shell))


def detail(stored, name="a"):
    return valid(render_to_string("perf_panels/explain/detail.html", page.detail_context(stored, name, "request")))


def valid(html):
    html5lib.HTMLParser(strict=True).parseFragment(html)
    assert "style=" not in html
    assert "<script" not in html
    return html


def text(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def rows(stored):
    return page.panel_context(stored, "request", None)["rows"]


# The list


def test_no_view_ran():
    assert "No view ran" in text(listed({"watched": False, "findings": []}))


def test_no_statement_was_sent():
    assert "No statement was sent." in text(listed(stats()))


def test_the_worst_statement_comes_first():
    stored = stats(
        group("fast", total_ms=900.0),
        group("bad", total_ms=1.0),
        group("worse", total_ms=1.0),
        plans={
            "bad": plan(node(), cards=[card()]),
            "worse": plan(node(), cards=[card(severity="critical")]),
        },
    )

    assert [row["id"] for row in rows(stored)] == ["worse", "bad", "fast"]


def test_a_row_names_the_finding_and_how_many_more():
    cards = [card(severity="info", title="It sorts"), card(title="It scans")]

    (row,) = rows(stats(group(), plans={"a": plan(node(), cards=cards)}))

    assert (row["title"], row["more"], row["severity"]) == ("It scans", "and 1 more", "warning")


@pytest.mark.parametrize(
    ("stored", "state", "severity"),
    [
        (None, "not explained", "unknown"),
        (plan(node()), "estimated", "ok"),
        (plan(node(), state="analyzed"), "analysed", "ok"),
        (failed("The server is gone."), "failed", "failed"),
    ],
)
def test_a_row_says_the_state_of_its_plan(stored, state, severity):
    (row,) = rows(stats(group(), plans={"a": stored} if stored else {}))

    assert (row["state_text"], row["severity"]) == (state, severity)


def test_a_row_says_why_there_is_no_plan():
    problem = "cannot be explained again: parameter 3 is a generator"

    html = listed(stats(group(params_problem=problem), group("b"), plans={"b": failed("The server is gone.")}))

    assert problem in html
    assert "The server is gone." in html


def test_a_slow_statement_is_a_problem_before_it_has_a_plan():
    (row,) = rows(stats(group(worst_ms=312.4)))

    assert row["severity"] == "warning"
    assert row["title"] == "312 ms for one execution, over the limit of 100 ms"


def test_a_withdrawn_suggestion_is_no_finding_of_the_row():
    (row,) = rows(stats(group(), plans={"a": plan(node(), cards=[card()])}, trials={"try1": trial(helps=False)}))

    assert (row["severity"], row["title"]) == ("ok", "")


def test_numbers_have_separators_and_units():
    html = listed(stats(group(count=12_345, rows=1_234_567, total_ms=123_456.0)))

    assert "12,345" in html
    assert "1,234,567" in html
    assert "123,456 ms" in html


def test_bars_are_written_as_browsers_read_them():
    with translation.override("de"):
        html = listed(stats(group(total_ms=31.2), group("b", total_ms=10.4)))

    assert 'width="33.3%"' in html


def test_the_filter_has_a_button_for_each_severity_that_is_there():
    stored = stats(group(), group("b"), plans={"a": plan(node(), cards=[card()])})

    assert re.findall(r'data-perf-severity="(\w+)"', listed(stored)) == ["warning", "unknown"]


def test_aliases_are_shown_when_there_are_several():
    other = {"alias": "replica", "vendor": "mysql", "queries": 1, "total_ms": 1.0}
    one = stats(group())
    two = stats(group(), group("b", alias="replica"), aliases=[*one["aliases"], other])

    assert "data-perf-alias" not in listed(one)
    assert 'data-perf-alias="replica"' in listed(two)


@pytest.mark.parametrize(
    ("planning", "said"),
    [
        ({"state": "off"}, "EXPLAIN_STATEMENTS is 0"),
        ({"state": "pending"}, "Make them now"),
        ({"state": "pending"}, "They are not stored: not yet, or they could not be, and the log says why."),
        ({"state": "failed"}, "The plans that are made after the response failed: open a statement and press Explain."),
        ({"state": "done", "left": 14}, "14 statements have none: open one and press Explain."),
    ],
)
def test_the_summary_says_which_plans_were_made(planning, said):
    stored = stats(group())
    stored["planning"] |= planning

    html = listed(stored)

    assert said in text(html)
    assert ("data-perf-pending" in html) == (planning["state"] == "pending")


def test_what_changed_since_the_request_before():
    change = {"queries_before": 1_200, "queries": 24, "ms_before": 1_500.0, "ms": 31.2, "gone": ["It scans"], "new": []}

    assert "1,200 → 24 statements, 1,500 ms → 31.2 ms. gone: It scans" in text(listed(stats(group()), change))


def test_one_row_is_reached_with_the_tab_key():
    stored = stats(*(group(str(number)) for number in range(5)))

    assert re.findall(r'tabindex="(0|-1)" data-perf-open', listed(stored)) == ["0", "-1", "-1", "-1", "-1"]


def test_600_rows_are_written_in_time():
    stored = stats(*(group(f"g{number}") for number in range(600)))
    listed(stats(group()))
    began = time.process_time()

    context = page.panel_context(stored, "request", None)
    render_to_string("perf_panels/explain/panel.html", context)

    # Measured: 110 ms. A machine of the CI may be five times slower.
    assert time.process_time() - began < 0.75


# One statement


def test_an_unknown_statement_is_a_key_error():
    with pytest.raises(KeyError):
        page.detail_context(stats(group()), "gone", "request")


def test_a_statement_without_a_plan_offers_one():
    html = detail(stats(group()))

    assert "No plan was made of this statement yet." in text(html)
    assert html.count("data-perf-post") == 2


def test_a_statement_that_cannot_be_explained_says_why():
    refused = {"verdict": "no", "reasons": ["It is not a statement that has a plan."]}

    html = detail(stats(group(may_explain=refused, may_analyze=refused)))

    assert html.count("disabled") == 2
    assert "It is not a statement that has a plan." in text(html)
    assert "data-perf-post" not in html


@pytest.mark.parametrize("verdict", ["warn", "confirm"])
def test_what_needs_a_second_click_gives_its_reasons_first(verdict):
    may = {"verdict": verdict, "reasons": ["It changes rows.", "Sequences move on."]}

    html = detail(stats(group(may_analyze=may)))

    assert "Sequences move on." in html
    assert "Analyze all the same" in text(html)


def test_a_finding_has_its_code_its_numbers_and_its_step():
    html = detail(stats(group(), plans={"a": plan(node(rules=["full-scan-filter"]), cards=[card()])}))

    assert "rows read, estimated 60,000" in text(html)
    assert "time of this step 3.50 ms" in text(html)
    assert "models.Index(" in html
    assert "CREATE INDEX order_status" in html
    assert 'data-perf-step="0"' in html
    assert 'data-perf-rule="full-scan-filter"' in html


def test_an_index_that_helps_is_shown_with_both_plans():
    html = detail(stats(group(), plans={"a": plan(node(), cards=[card()])}, trials={"try1": trial()}))

    assert "Used: the planner takes this index." in text(html)
    assert "1,628 71.00 23 times less" in text(html)
    assert html.count("perf-tree") == 3


def test_an_index_that_is_not_used_is_taken_back():
    stored = stats(group(), plans={"a": plan(node(), cards=[card()])}, trials={"try1": trial(used=False, helps=False)})

    html = detail(stored)

    assert "Not used: the planner still prefers Seq Scan shop_order." in text(html)
    assert "<s>" in html
    assert "Try" not in text(html).split("Plan without")[0].replace("Tried", "")


def test_a_trial_that_failed_says_why():
    error = {"error": "HypoPG is not installed.", "helps": None, "used": None}

    html = detail(stats(group(), plans={"a": plan(node(), cards=[card()])}, trials={"try1": error}))

    assert "The index could not be tried. HypoPG is not installed." in text(html)


def test_a_failed_plan_is_a_sentence():
    assert "There is no plan. The server is gone." in text(
        detail(stats(group(), plans={"a": failed("The server is gone.")}))
    )


def test_a_plan_without_findings_says_what_was_checked():
    undecided = plan(node(), undecided=["misestimate", "heap-fetches"])

    said = text(detail(stats(group(), plans={"a": undecided})))

    assert "No finding in this plan." in said
    assert "2 rules need a measured plan to decide" in said


def test_the_plan_before_is_compared():
    before = {"cost": 1628.0, "execution_ms": 3.5, "rows_read": 60_000, "analyzed": True, "nodes": [node()]}
    index = node(label="Index Scan", index="order_status")
    now = plan(index, state="analyzed", cost=71.0, execution_ms=0.4, rows_read=606, before=before)

    said = text(detail(stats(group(), plans={"a": now})))

    assert "the steps have changed" in said
    assert "Execution 3.50 ms → 0.40 ms" in said
    assert "Rows read 60,000 → 606" in said


@pytest.mark.parametrize("state", ["estimated", "analyzed"])
def test_nothing_in_the_data_can_break_the_page(state):
    hostile = node(
        label=HOSTILE,
        relation=HOSTILE,
        index=HOSTILE,
        name=HOSTILE,
        notes=[[HOSTILE, HOSTILE]],
        rules=[HOSTILE],
        est_rows=float("inf"),
        act_rows=1e300,
        loops=0.5,
        self_ms=float("nan"),
    )
    stored = stats(
        group(
            sql=HOSTILE,
            summary=HOSTILE,
            alias=HOSTILE,
            params=(HOSTILE, b"\0\xff"),
            origin=group()["origin"] | {"file": HOSTILE},
        ),
        plans={
            "a": plan(
                hostile,
                cards=[card(rule=HOSTILE, title=HOSTILE, code=HOSTILE, advice=HOSTILE)],
                state=state,
                text=HOSTILE,
                notes=[HOSTILE],
            )
        },
        findings=[finding(title=HOSTILE)],
    )

    assert "evil" in listed(stored)
    assert "evil" in detail(stored)


# The tree


def lines(*nodes, measured=True):
    return plan_page.drawn(list(nodes), measured=measured)["lines"]


def test_the_branches_of_the_tree():
    drawn = lines(node(0), node(1), node(2), node(1), node(2))

    assert [line["guides"] for line in drawn] == [[], ["tee"], ["line", "end"], ["end"], ["none", "end"]]


@pytest.mark.parametrize(
    ("estimated", "actual", "said", "level"),
    [
        (10, 10_000, f"{TIMES}1,000 under-estimated", "critical"),
        (200_000, 1_000, f"{TIMES}200 over-estimated", "warning"),
        (100, 1_200, f"{TIMES}12 under-estimated", "info"),
        (1, 20, f"{TIMES}20 under-estimated", "quiet"),
    ],
)
def test_how_far_an_estimate_was_off_is_said_in_words(estimated, actual, said, level):
    (line,) = lines(node(est_rows=estimated, act_rows=actual, loops=1))

    assert line["factor"] == {"text": said, "level": level}


def test_a_good_estimate_is_not_mentioned():
    (line,) = lines(node(est_rows=100, act_rows=300, loops=1))

    assert line["factor"] is None


def test_a_step_stopped_by_limit_was_not_misjudged():
    limit, loop, scan = lines(
        node(0, "limit", "Limit", est_rows=10, act_rows=10, loops=1),
        node(1, "nested loop", "Nested Loop", est_rows=9_000, act_rows=10, loops=1),
        node(2, est_rows=9_000, act_rows=10, loops=1),
    )

    assert scan["factor"]["text"] == loop["factor"]["text"] == "stopped early by LIMIT"
    assert limit["factor"] is None


def test_a_sort_reads_all_whatever_the_limit_above():
    scan = lines(
        node(0, "limit", "Limit"),
        node(1, "sort", "Sort"),
        node(2, est_rows=90_000, act_rows=100, loops=1),
    )[-1]

    assert scan["factor"]["text"] == f"{TIMES}900 over-estimated"


def test_a_step_that_never_ran_says_nothing_else():
    (line,) = lines(node(est_rows=10, act_rows=0, loops=0, self_ms=0.0))

    assert line["never"]
    assert (line["actual"], line["factor"], line["own"]) == ("", None, "")


def test_bars_are_shares_of_the_time_and_hot_where_time_is_lost():
    slow, fast = lines(node(0, self_ms=75.0), node(1, self_ms=25.0))

    assert (slow["width"], slow["percent"], slow["heat"]) == ("75.0%", "75 %", "hot")
    assert (fast["width"], fast["heat"]) == ("25.0%", "warm")


def test_a_cheap_plan_has_no_hot_step():
    (line,) = lines(node(cost=8.3, self_cost=8.3), measured=False)

    assert line["heat"] == "cool"


def test_columns_without_a_number_are_left_out():
    tree = plan_page.drawn([node(label="SCAN o", alias="o")], measured=False)

    assert not any(tree[column] for column in ("bars", "estimates", "measured", "loops", "removed", "buffers"))


def test_a_target_is_not_said_twice():
    assert plan_page.target(node(label="SCAN o", alias="o")) == "shop_order"
    assert plan_page.target(node(alias="shop_order", index="order_status")) == "shop_order using order_status"


def test_deep_plans_stay_on_the_page():
    last = lines(*(node(depth) for depth in range(60)))[-1]

    assert len(last["guides"]) == 24
    assert last["too_deep"]


def test_the_icon_is_one_the_toolbar_takes():
    icon = Path(page.__file__).parents[1] / "static" / "perf_panels" / "img" / "explain.svg"

    assert icon.read_text().startswith("<svg ")
