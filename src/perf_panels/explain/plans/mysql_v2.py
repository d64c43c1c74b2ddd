"""
MySQL's JSON of version 2: a tree of iterators, in which a filter is a step of its own.

A filter over one table is folded into the table's scan, so that rows read and rows kept stand together as elsewhere.
"""

from __future__ import annotations

from typing import Any

from perf_panels.explain.plan import TABLE_SCANS, Kind, Node, Plan, fill_self_times
from perf_panels.explain.plans.values import mappings, number, text_of, texts
from perf_panels.explain.query import read

_KINDS = {
    "table": Kind.SCAN,
    "filter": Kind.FILTER,
    "sort": Kind.SORT,
    "limit": Kind.LIMIT,
    "aggregate": Kind.AGGREGATE,
    "temp_table_aggregate": Kind.AGGREGATE,
    "materialize": Kind.MATERIALIZE,
    "stream": Kind.MATERIALIZE,
    "window": Kind.WINDOW,
    "zero_rows": Kind.RESULT,
    "zero_rows_aggregated": Kind.RESULT,
    "rows_fetched_before_execution": Kind.RESULT,
    "count_rows": Kind.INDEX_ONLY_SCAN,
    "append": Kind.APPEND,
    "rowid_union": Kind.BITMAP_SCAN,
    "rowid_intersection": Kind.BITMAP_AND,
    "index_merge": Kind.BITMAP_SCAN,
    "remove_duplicates": Kind.DISTINCT,
    "duplicate_removal": Kind.DISTINCT,
    "weedout": Kind.DISTINCT,
    "materialized_table_function": Kind.TABLE_FUNCTION,
    "values_list": Kind.TABLE_FUNCTION,
    "insert_values": Kind.MODIFY,
    "insert_into_table": Kind.MODIFY,
    "replace_values": Kind.MODIFY,
    "delete_rows": Kind.MODIFY,
    "update_rows": Kind.MODIFY,
}
_NOT_RUN = "MySQL does not run this statement to explain it."


def parse(value: dict[str, Any], text: str, sql: str) -> Plan:
    """
    Return the plan of a document whose tree stands under ``query_plan``.
    """
    reader = _Tree(sql or str(value.get("query") or ""))
    root = reader.node(value["query_plan"])
    fill_self_times(root)
    plan = Plan("mysql", root, analyzed=any(node.analyzed for node in root.walk()), text=text, notes=reader.notes)
    if plan.analyzed:
        plan.execution_ms = root.elapsed_ms
    if "<not executable" in root.label:
        return Plan("mysql", None, text=text, problem=_NOT_RUN)
    return plan


class _Tree:
    def __init__(self, sql: str) -> None:
        self.notes: list[str] = []
        self.derived = read(sql, "mysql").derived_names()

    def node(self, raw: dict[str, Any]) -> Node:
        """
        Return one step with all below it.
        """
        access = str(raw.get("access_type", ""))
        node = Node(_kind(raw, access), str(raw.get("operation", access)), raw=_plain(raw))
        if node.kind is Kind.OTHER:
            self.notes.append(f"A step this version does not know: {access or node.label}.")
        _numbers(node, raw)
        node.children = [self.node(each) for each in mappings(raw.get("inputs"))]
        node.children += [self._subquery(each) for each in mappings(raw.get("inputs_from_select_list"))]
        node.children += [self._subquery(each) for each in mappings(raw.get("inputs_from_condition"))]
        if access == "filter":
            return self._filtered(node, raw)
        if access in {"table", "index", "count_rows"} or raw.get("table_name"):
            self._table(node, raw)
        self._details(node, raw, access)
        return node

    def _filtered(self, node: Node, raw: dict[str, Any]) -> Node:
        condition = str(raw.get("condition", ""))
        scans = [child for child in node.children if child.relationship != "subplan"]
        scan = scans[0] if len(scans) == 1 else None
        if scan is None or scan.kind not in TABLE_SCANS or scan.filter:
            node.filter = condition
            below = scan.act_rows if scan is not None else None
            if below is not None and node.act_rows is not None:
                node.removed = max(0.0, below - node.act_rows)
            return node
        scan.filter = condition
        if scan.act_rows is not None and node.act_rows is not None:
            scan.removed = max(0.0, scan.act_rows - node.act_rows)
            scan.act_rows, scan.total_ms = node.act_rows, node.total_ms
        scan.est_rows = node.est_rows
        scan.cost = node.cost if node.cost is not None else scan.cost
        scan.children += [child for child in node.children if child is not scan]
        return scan

    def _table(self, node: Node, raw: dict[str, Any]) -> None:
        name = str(raw.get("table_name") or "")
        node.alias = str(raw.get("alias") or name) or None
        node.derived = name.startswith("<") or not name or bool({name, node.alias} & self.derived)
        node.relation = None if node.derived else name
        node.schema = text_of(raw.get("schema_name"))
        node.est_scanned = node.est_rows
        node.index = text_of(raw.get("index_name"))
        pushed = raw.get("pushed_index_condition")
        if raw.get("access_type") == "index" and raw.get("index_access_type") != "index_scan":
            node.index_columns = texts(raw.get("key_columns"))
            ranges = " or ".join(texts(raw.get("ranges")))
            searched = raw.get("lookup_condition") or ranges or node.label
            node.index_cond = f"{searched} and {pushed}" if pushed else str(searched)

    def _subquery(self, raw: dict[str, Any]) -> Node:
        inner = self.node(raw)
        said = f"{raw.get('heading', '')} {raw.get('operation', '')}".lower()
        # An independent one says "run only once".
        dependent = bool(raw.get("dependent", "run only once" not in said))
        node = Node(Kind.SUBQUERY, str(raw.get("heading") or "subquery"), [inner], relationship="subplan")
        node.dependent, node.loops, node.act_rows = dependent, inner.loops, inner.act_rows
        node.total_ms = inner.total_ms
        return node

    def _details(self, node: Node, raw: dict[str, Any], access: str) -> None:
        if access == "join":
            _join(node, raw)
        node.sort_keys = texts(raw.get("sort_fields"))
        node.limit = number(raw.get("limit", raw.get("per_chunk_limit")))
        node.offset = number(raw.get("limit_offset"))
        node.grouping = texts(raw.get("group_items"))
        if access == "temp_table_aggregate":
            node.strategy = "temporary table"
        elif access.startswith("zero_rows"):
            node.strategy = "never"
        elif node.kind is Kind.MODIFY:
            node.strategy = access.partition("_")[0]
        elif access in {"materialize", "stream"}:
            node.derived = True
            if raw.get("union"):
                node.kind = Kind.SET_OPERATION if raw.get("deduplication") else Kind.APPEND
                node.strategy = "dedup" if raw.get("deduplication") else None
            elif raw.get("deduplication") or "deduplication" in node.label.lower():
                node.kind, node.strategy = Kind.DISTINCT, "temporary table"


def _kind(raw: dict[str, Any], access: str) -> Kind:
    if access == "join":
        return Kind.HASH_JOIN if raw.get("join_algorithm") == "hash" else Kind.NESTED_LOOP
    if access == "index":
        if raw.get("index_access_type") == "full_text_search":
            return Kind.INDEX_SCAN
        return Kind.INDEX_ONLY_SCAN if raw.get("covering") else Kind.INDEX_SCAN
    return _KINDS.get(access, Kind.OTHER)


def _join(node: Node, raw: dict[str, Any]) -> None:
    said = str(raw.get("join_type") or "inner").lower()
    node.join_type = next((word for word in ("semi", "anti", "left", "right") if word in said), "inner")
    conditions = raw.get("hash_condition") or []
    conditions = conditions if isinstance(conditions, list) else [conditions]
    node.join_cond = " and ".join(str(each) for each in conditions) or None
    extra = raw.get("extra_condition") or []
    node.join_filter = " and ".join(str(each) for each in (extra if isinstance(extra, list) else [extra])) or None
    sides = [child for child in node.children if child.relationship != "subplan"]
    for side, word in zip(sides, ("outer", "inner"), strict=False):
        side.relationship = word


def _numbers(node: Node, raw: dict[str, Any]) -> None:
    node.est_rows, node.cost = number(raw.get("estimated_rows")), number(raw.get("estimated_total_cost"))
    node.act_rows, node.loops = number(raw.get("actual_rows")), number(raw.get("actual_loops"))
    node.start_ms, node.total_ms = number(raw.get("actual_first_row_ms")), number(raw.get("actual_last_row_ms"))
    if node.loops == 0 and node.act_rows is None:
        node.act_rows = 0.0


def _plain(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if not key.startswith("inputs")}
