"""
The JSON that MariaDB and MySQL's version 1 share: query blocks with tables in a row and operations around them.

Names of tables in it are aliases; the statement tells which tables they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf_panels.explain.plan import Kind, Node
from perf_panels.explain.plans import accesses
from perf_panels.explain.plans.joining import join
from perf_panels.explain.plans.values import mapping, mappings, number, plain, text_of, texts
from perf_panels.explain.query import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perf_panels.explain.query import Query

_SUBQUERIES = {
    "subqueries": True,
    "select_list_subqueries": True,
    "attached_subqueries": True,
    "optimized_away_subqueries": False,
    "having_subqueries": True,
    "order_by_subqueries": True,
    "group_by_subqueries": True,
}
_IMPOSSIBLE = ("impossible", "no matching", "zero", "no tables used")


class Blocks:
    """
    Reads the blocks of one plan; a subclass fills what ANALYZE measured.
    """

    def __init__(self, sql: str, engine: str) -> None:
        self.notes: list[str] = []
        query = read(sql, engine)
        self.names = aliases(query)
        self.derived = query.derived_names()
        self.groups = not query.readable or any(level.group_by or level.distinct for level in query.levels())

    def block(self, raw: dict[str, Any]) -> Node:
        """
        Return the tree of a query block.
        """
        node = self._within(raw) or self._empty(raw)
        if node.relationship == "subplan":
            # A block of nothing but a subquery, such as SELECT (SELECT …).
            node = Node(Kind.RESULT, "No table is read", [node])
        limit = raw.get("limit")
        return Node(Kind.LIMIT, "limit", [node], limit=number(limit)) if limit is not None else node

    def measure(self, node: Node, raw: dict[str, Any]) -> None:
        """
        Fill estimated and measured rows and times of a table.
        """
        raise NotImplementedError

    def _empty(self, raw: dict[str, Any]) -> Node:
        message = str(raw.get("message") or mapping(raw.get("table")).get("message") or "No table is read")
        never = message.lower().startswith(_IMPOSSIBLE[:3])
        return Node(Kind.RESULT, message, strategy="never" if never else None)

    def _within(self, raw: dict[str, Any]) -> Node | None:
        """
        Return what the keys of a block or of an operation hold, joined; subqueries hang on the last of it.
        """
        joined: Node | None = None
        subqueries: list[Node] = []
        for key, value in raw.items():
            if key in _SUBQUERIES:
                subqueries += list(self._subqueries(value, dependent=_SUBQUERIES[key]))
                continue
            node = self._operation(key, value)
            if node is not None:
                joined = node if joined is None else join(joined, node)
        if joined is None:
            return subqueries[0] if len(subqueries) == 1 else None
        joined.children += subqueries
        return joined

    def _operation(self, key: str, value: Any) -> Node | None:
        make = _OPERATIONS.get(key)
        if make is not None:
            return make(self, value) if isinstance(value, list if key == "nested_loop" else dict) else None
        if isinstance(value, dict) and ("table" in value or "nested_loop" in value):
            self.notes.append(f"A step this version does not know: {key}.")
            inner = self._within(value)
            return Node(Kind.OTHER, key, [inner] if inner else [], raw=plain(value))
        return None

    def _nested_loop(self, value: Any) -> Node | None:
        joined: Node | None = None
        for each in value if isinstance(value, list) else []:
            node = self._within(each) if isinstance(each, dict) else None
            if node is not None:
                joined = node if joined is None else join(joined, node)
        return joined

    def _table(self, raw: dict[str, Any]) -> Node | None:
        if raw.get("message") and "access_type" not in raw:
            return self._empty({"message": raw["message"]})
        node = Node(Kind.SCAN, accesses.label(raw), raw=plain(raw))
        self.name(node, str(raw.get("table_name", "")))
        accesses.fill(node, raw, self.notes)
        node.filter = text_of(raw.get("attached_condition"))
        node.possible_keys = texts(raw.get("possible_keys"))
        self.measure(node, raw)
        for key in ("materialized", "materialized_from_subquery"):
            if isinstance(raw.get(key), dict):
                node.derived, node.relation = True, None
                node.children.append(self._materialized(raw[key], node))
        for key, dependent in _SUBQUERIES.items():
            node.children += list(self._subqueries(raw.get(key), dependent=dependent))
        return node

    def name(self, node: Node, printed: str) -> None:
        """
        Fill alias and relation from the name a plan prints.
        """
        node.alias = printed or None
        node.derived = printed.startswith("<") or printed in self.derived
        node.relation = None if node.derived or not printed else self.names.get(printed, printed)

    def _materialized(self, raw: dict[str, Any], reader: Node) -> Node:
        inner = self._within(raw)
        label = "materialized (lateral)" if raw.get("lateral") else "materialized"
        return Node(Kind.MATERIALIZE, label, [inner] if inner else [], alias=reader.alias, derived=True, raw=plain(raw))

    def _subqueries(self, value: Any, *, dependent: bool) -> Iterator[Node]:
        for each in value if isinstance(value, list) else []:
            if not isinstance(each, dict):
                continue
            inner = self._within(each)
            if inner is None:
                continue
            said = each.get("dependent")
            found = self._runs_again(each) if said is None else bool(said)
            node = Node(Kind.SUBQUERY, "subquery", [inner], relationship="subplan", raw=plain(each))
            node.dependent = dependent and found
            node.loops = max((child.loops or 0 for child in inner.walk()), default=0) or inner.loops
            node.act_rows = inner.act_rows
            yield node

    def _runs_again(self, raw: dict[str, Any]) -> bool:
        if "expression_cache" in raw or "subquery_cache" in raw:
            return True
        block = raw.get("query_block")
        return isinstance(block, dict) and (number(block.get("r_loops")) or 0) > 1

    # Operations that wrap one thing

    def _sort(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within(raw)
        if inner is None:
            return None
        node = Node(Kind.SORT, "filesort", [inner], raw=plain(raw))
        node.sort_keys = tuple(part.strip() for part in str(raw.get("sort_key", "")).split(",") if part.strip())
        node.limit = number(raw.get("r_limit"))
        node.sort_on_disk = bool(number(raw.get("r_sort_passes")))
        if raw.get("r_used_priority_queue"):
            node.sort_method = "priority queue"
        node.loops = number(raw.get("r_loops"))
        node.act_rows = number(raw.get("r_output_rows"))
        if node.loops and node.act_rows is not None:
            # The time of a filesort includes its table's.
            node.total_ms = (number(raw.get("r_total_time_ms")) or 0) / node.loops
        return node

    def _read_sorted(self, raw: dict[str, Any]) -> Node | None:
        return self._within(raw)

    def _ordering(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within(raw)
        if inner is None or not raw.get("using_filesort"):
            return inner
        return Node(Kind.SORT, "ordering_operation", [inner], raw=plain(raw))

    def _grouping(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within(raw)
        if inner is None:
            return None
        if raw.get("using_filesort"):
            inner = Node(Kind.SORT, "filesort for GROUP BY", [inner])
        strategy = "temporary table" if raw.get("using_temporary_table") else "sorted"
        return Node(Kind.AGGREGATE, "grouping_operation", [inner], strategy=strategy, raw=plain(raw))

    def _temporary(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within(raw)
        if inner is None:
            return None
        if self.groups:
            return Node(Kind.AGGREGATE, "temporary_table", [inner], strategy="temporary table")
        # MariaDB also stores the rows of a join in one before it sorts them: that is no group.
        node = Node(Kind.OTHER, "temporary_table", [inner], strategy="temporary table")
        node.est_rows, node.act_rows, node.loops = inner.est_rows, inner.act_rows, inner.loops
        return node

    def _duplicates(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within(raw)
        strategy = "temporary table" if raw.get("using_temporary_table") else None
        return Node(Kind.DISTINCT, "duplicates_removal", [inner], strategy=strategy, raw=plain(raw)) if inner else None

    def _union(self, raw: dict[str, Any]) -> Node:
        name = str(raw.get("table_name", ""))
        dedup = bool(raw.get("using_temporary_table", name.startswith("<union")))
        kind = Kind.SET_OPERATION if dedup else Kind.APPEND
        node = Node(kind, f"union_result {name}".strip(), strategy="dedup" if dedup else None, raw=plain(raw))
        node.act_rows, node.loops = number(raw.get("r_rows")), number(raw.get("r_loops"))
        for each in mappings(raw.get("query_specifications")):
            inner = self._within(each)
            if inner is not None:
                inner.relationship = "member"
                node.children.append(inner)
        return node

    def _window(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within({key: value for key, value in raw.items() if key not in {"sorts", "windows"}})
        if inner is None:
            return None
        needs_sort = bool(raw.get("sorts")) or any(
            window.get("using_filesort") for window in mappings(raw.get("windows"))
        )
        if needs_sort:
            inner = Node(Kind.SORT, "filesort for a window", [inner])
        return Node(Kind.WINDOW, "window functions", [inner], raw=plain(raw))

    def _block_join(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within({key: value for key, value in raw.items() if isinstance(value, (dict, list))})
        if inner is None:
            return None
        kind = str(raw.get("join_type", "BNL"))
        hashed = kind.endswith("H")
        node = Node(Kind.HASH_JOIN if hashed else Kind.NESTED_LOOP, f"block nested loop ({kind})", [inner])
        node.raw = plain(raw)
        condition = text_of(raw.get("attached_condition"))
        node.join_cond = condition if hashed else None
        node.join_filter = condition
        kept, loops = number(raw.get("r_filtered")), number(raw.get("r_loops"))
        # Loops are rows of the outer side; each is compared with so many of the inner.
        each = number(raw.get("r_effective_rows"))
        each = inner.act_rows if each is None and not hashed else each
        if kept is not None and loops is not None and each is not None:
            node.loops = 1.0
            node.act_rows = loops * each * kept / 100
            node.removed_by_join = loops * each - node.act_rows
        return node

    def _cache(self, raw: dict[str, Any]) -> Node | None:
        inner = self._within({key: value for key, value in raw.items() if isinstance(value, dict)})
        if inner is None:
            return None
        node = Node(Kind.MEMOIZE, "subquery cache", [inner], raw=plain(raw))
        loops, hits = number(raw.get("r_loops")), number(raw.get("r_hit_ratio"))
        if loops is not None and hits is not None:
            node.loops = loops
            node.cache_hits, node.cache_misses = loops * hits / 100, loops * (100 - hits) / 100
        return node

    def _modify(self, word: str) -> Callable[[Any], Node]:
        def make(raw: Any) -> Node:
            inner = self._within(raw) if isinstance(raw, dict) else None
            return Node(Kind.MODIFY, word, [inner] if inner else [], strategy=word)

        return make

    def _query_block(self, raw: Any) -> Node | None:
        return self.block(raw) if isinstance(raw, dict) else None


_OPERATIONS: dict[str, Callable[[Blocks, Any], Node | None]] = {
    "nested_loop": Blocks._nested_loop,
    "table": Blocks._table,
    "query_block": Blocks._query_block,
    "filesort": Blocks._sort,
    "read_sorted_file": Blocks._read_sorted,
    "ordering_operation": Blocks._ordering,
    "grouping_operation": Blocks._grouping,
    "temporary_table": Blocks._temporary,
    "duplicates_removal": Blocks._duplicates,
    "union_result": Blocks._union,
    "windowing": Blocks._window,
    "window_functions_computation": Blocks._window,
    "block-nl-join": Blocks._block_join,
    "expression_cache": Blocks._cache,
    "subquery_cache": Blocks._cache,
    "buffer_result": Blocks._read_sorted,
    "insert_from": Blocks._read_sorted,
    "duplicate_removal": Blocks._duplicates,
    "duplicates_weedout": Blocks._duplicates,
    "materialized": lambda blocks, raw: blocks._materialized(raw, Node(Kind.OTHER, "")),
}


def aliases(query: Query) -> dict[str, str]:
    """
    Return {alias or name: table} of all levels of a statement.
    """
    return {name: table for level in query.levels() for name, table in level.tables.items()}
