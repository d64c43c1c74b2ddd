"""
How a table is read, in the JSON that MariaDB and MySQL's version 1 share: its ``access_type`` and its key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf_panels.explain.plan import Kind
from perf_panels.explain.plans.values import text_of, texts

if TYPE_CHECKING:
    from perf_panels.explain.plan import Node

_LOOKUPS = frozenset(
    {"ref", "eq_ref", "const", "system", "range", "ref_or_null", "unique_subquery", "index_subquery", "fulltext"}
)


def label(raw: dict[str, Any]) -> str:
    """
    Return what a table's line of the plan is called.
    """
    words = [str(raw.get("access_type", "?")), str(raw.get("table_name", ""))]
    return " ".join(word for word in words if word)


def fill(node: Node, raw: dict[str, Any], notes: list[str]) -> None:
    """
    Fill the kind of a table's node, its index, and what is searched in it.
    """
    # MariaDB's hash join: the table is read as it says, "#hash#x" is no index, "#hash#x:name" reads one.
    access = str(raw.get("access_type", "")).removeprefix("hash_")
    node.index = text_of(raw.get("key"))
    if node.index and node.index.startswith("#hash#"):
        node.index = node.index.partition(":")[2] or None
    node.index_columns = texts(raw.get("used_key_parts")) if node.index else ()
    if access == "ALL":
        if raw.get("using_join_buffer"):
            node.join_filter = None
        return
    if access == "index_merge":
        node.kind = Kind.BITMAP_SCAN
        node.index_cond = str(node.index or raw.get("index_merge") or "index_merge")
        return
    node.kind = Kind.INDEX_ONLY_SCAN if raw.get("using_index") else Kind.INDEX_SCAN
    if access == "index":
        # All of it is walked: its columns are named, but nothing is searched.
        node.index_columns = ()
        return
    if access not in _LOOKUPS:
        # The table of an INSERT is written to, and read by nobody.
        if access:
            notes.append(f"An access this version does not know: {access}.")
        node.kind = Kind.OTHER
        return
    condition = raw.get("attached_condition") if access == "range" and not raw.get("index_condition") else None
    node.index_cond = str(condition or _searched(raw, node))


def _searched(raw: dict[str, Any], node: Node) -> str:
    given = raw.get("index_condition")
    pairs = zip(node.index_columns, texts(raw.get("ref")), strict=False)
    text = " and ".join(f"{node.alias}.{column} = {value}" for column, value in pairs)
    said = " and ".join(part for part in (text, str(given) if given else "") if part)
    return said or f"({', '.join(node.index_columns)})"
