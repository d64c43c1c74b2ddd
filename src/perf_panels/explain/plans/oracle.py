"""
Oracle's ``DBMS_XPLAN.DISPLAY``: a table in text, in which the indentation of the operation is the tree.

Written after Oracle's documents and never run against a live server.
"""

from __future__ import annotations

import re
from typing import Any

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.plans.blocks import aliases
from perf_panels.explain.query import read

_KINDS = (
    ("TABLE ACCESS FULL", Kind.SCAN),
    ("TABLE ACCESS STORAGE FULL", Kind.SCAN),
    ("TABLE ACCESS BY", Kind.INDEX_SCAN),
    ("INDEX FAST FULL SCAN", Kind.INDEX_ONLY_SCAN),
    ("INDEX FULL SCAN", Kind.INDEX_ONLY_SCAN),
    ("INDEX", Kind.INDEX_ONLY_SCAN),
    ("BITMAP AND", Kind.BITMAP_AND),
    ("BITMAP OR", Kind.BITMAP_OR),
    ("BITMAP INDEX", Kind.BITMAP_INDEX),
    ("BITMAP CONVERSION", Kind.BITMAP_SCAN),
    ("NESTED LOOPS", Kind.NESTED_LOOP),
    ("HASH JOIN", Kind.HASH_JOIN),
    ("MERGE JOIN", Kind.MERGE_JOIN),
    ("SORT ORDER BY", Kind.SORT),
    ("SORT JOIN", Kind.SORT),
    ("SORT UNIQUE", Kind.DISTINCT),
    ("HASH UNIQUE", Kind.DISTINCT),
    ("SORT GROUP BY", Kind.AGGREGATE),
    ("SORT AGGREGATE", Kind.AGGREGATE),
    ("HASH GROUP BY", Kind.AGGREGATE),
    ("WINDOW", Kind.WINDOW),
    ("COUNT STOPKEY", Kind.LIMIT),
    ("UNION-ALL", Kind.APPEND),
    ("UNION", Kind.SET_OPERATION),
    ("INTERSECT", Kind.SET_OPERATION),
    ("MINUS", Kind.SET_OPERATION),
    ("CONCATENATION", Kind.APPEND),
    ("VIEW", Kind.SUBQUERY_SCAN),
    ("FILTER", Kind.FILTER),
    ("FOR UPDATE", Kind.LOCK_ROWS),
    ("PX COORDINATOR", Kind.GATHER),
    ("SELECT STATEMENT", Kind.OTHER),
    ("UPDATE", Kind.MODIFY),
    ("DELETE", Kind.MODIFY),
    ("INSERT", Kind.MODIFY),
    ("MERGE", Kind.MODIFY),
    ("PARTITION", Kind.OTHER),
    ("PX ", Kind.OTHER),
    ("BUFFER SORT", Kind.MATERIALIZE),
    ("TEMP TABLE TRANSFORMATION", Kind.MATERIALIZE),
    ("FAST DUAL", Kind.RESULT),
    ("COUNT", Kind.OTHER),
    ("SEQUENCE", Kind.OTHER),
)
_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)")
_PREDICATE = re.compile(r"^\s*(\d+) - (access|filter|storage)\((.*)\)\s*$")
_NOT_A_PLAN = "This is not a plan of Oracle: ask for the lines of DBMS_XPLAN.DISPLAY."


def parse(answer: Any, sql: str = "") -> Plan:
    """
    Return the plan in ``answer``: the lines of DBMS_XPLAN.DISPLAY, as a list or as one text.
    """
    lines = answer.splitlines() if isinstance(answer, str) else answer
    if not isinstance(lines, (list, tuple)) or not all(isinstance(line, str) for line in lines):
        return Plan("oracle", None, text=repr(answer), problem=_NOT_A_PLAN, problem_rule="invalid-plan")
    text = "\n".join(lines)
    table = [[cell.rstrip() for cell in line.strip().strip("|").split("|")] for line in lines if line.startswith("|")]
    header = next((place for place, cells in enumerate(table) if cells[0].strip() == "Id"), None)
    if header is None or len(table) <= header + 1:
        return Plan("oracle", None, text=text, problem=_NOT_A_PLAN, problem_rule="invalid-plan")
    reader = _Reader([name.strip() for name in table[header]], sql)
    root = reader.tree(table[header + 1 :])
    if root is None:
        return Plan("oracle", None, text=text, problem=_NOT_A_PLAN, problem_rule="invalid-plan")
    reader.predicates(_joined(lines))
    return Plan("oracle", root, text=text, notes=reader.notes)


def _joined(lines: list[str] | tuple[str, ...]) -> list[str]:
    """
    Return the lines below the table with wrapped predicates put together.
    """
    joined: list[str] = []
    for line in lines:
        if joined and _begins(joined[-1]) and line.strip() and not _begins(line) and not joined[-1].endswith(")"):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line.rstrip())
    return joined


def _begins(line: str) -> bool:
    return bool(re.match(r"^\s*(?:\d+ - )?(?:access|filter|storage)\(", line))


class _Reader:
    def __init__(self, header: list[str], sql: str) -> None:
        self.header = header
        self.notes: list[str] = []
        self.nodes: dict[int, Node] = {}
        self.tables = {table.upper(): table for table in aliases(read(sql, "oracle")).values()}

    def tree(self, rows: list[list[str]]) -> Node | None:
        """
        Return the root; a row that is no step is left out.
        """
        above: list[tuple[int, Node]] = []
        root = None
        for cells in rows:
            found = dict(zip(self.header, cells, strict=False))
            number = re.search(r"\d+", found.get("Id", ""))
            operation = found.get("Operation", "")
            if number is None or not operation.strip():
                continue
            node, depth = self._node(found, operation.strip()), len(operation) - len(operation.lstrip())
            self.nodes[int(number[0])] = node
            while above and above[-1][0] >= depth:
                above.pop()
            if above:
                above[-1][1].children.append(node)
            root = root or node
            above.append((depth, node))
        return root

    def predicates(self, lines: list[str]) -> None:
        """
        Put the conditions below the table on their steps.
        """
        last: int | None = None
        for line in lines:
            found = _PREDICATE.match(line) or re.match(r"^\s+()(access|filter|storage)\((.*)\)\s*$", line)
            if not found:
                continue
            last = int(found[1]) if found[1] else last
            node = self.nodes.get(last) if last is not None else None
            if node is None:
                continue
            if found[2] == "access" and node.kind in {Kind.HASH_JOIN, Kind.MERGE_JOIN}:
                node.join_cond = found[3]
            elif found[2] == "access":
                node.index_cond = found[3]
            else:
                node.filter = found[3]

    def _node(self, found: dict[str, str], operation: str) -> Node:
        kind = next((kind for name, kind in _KINDS if operation.startswith(name)), None)
        if kind is None:
            self.notes.append(f"A step this version does not know: {operation}.")
        node = Node(kind or Kind.OTHER, operation)
        name = found.get("Name", "").strip()
        if operation.startswith(("INDEX", "BITMAP INDEX")):
            node.index = name or None
        elif kind is Kind.SUBQUERY_SCAN:
            node.alias, node.derived = name or None, True
        elif name:
            node.relation = self.tables.get(name.upper(), name)
        node.est_rows = _number(found.get("Rows", found.get("E-Rows", "")))
        node.cost = _number(found.get("Cost (%CPU)", found.get("Cost", "")))
        if kind is Kind.MODIFY:
            node.strategy = operation.partition(" ")[0].lower()
        if operation.startswith("INDEX") and "FULL" not in operation:
            node.index_cond = ""
        return node


def _number(text: str) -> float | None:
    found = _NUMBER.search(text)
    return float(found[1]) * _UNITS.get(found[2], 1) if found else None
