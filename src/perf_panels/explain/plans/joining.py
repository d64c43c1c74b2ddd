"""
The nested loops that MariaDB and MySQL's version 1 do not print: their tables stand in a row, in the order of the join.
"""

from __future__ import annotations

from perf_panels.explain.plan import Kind, Node


def join(outer: Node, inner: Node) -> Node:
    """
    Return the nested loop that reads ``inner`` for each row of ``outer``; a block join takes its outer side instead.
    """
    if inner.label.startswith("block nested loop"):
        for child in inner.children:
            child.relationship = "inner"
        outer.relationship = "outer"
        inner.children.insert(0, outer)
        return inner
    outer.relationship, inner.relationship = "outer", "inner"
    node = Node(Kind.NESTED_LOOP, "nested_loop", [outer, inner], join_type="inner")
    if outer.est_rows is not None and inner.est_rows is not None:
        node.est_rows = outer.est_rows * inner.est_rows
    if inner.rows_total is not None:
        # What the inner side gave in all is what the join gave.
        node.act_rows, node.loops = inner.rows_total, 1.0
    return node
