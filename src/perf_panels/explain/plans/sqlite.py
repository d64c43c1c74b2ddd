"""
SQLite's ``EXPLAIN QUERY PLAN``: lines for people, which SQLite calls unstable, read into the common tree.

Scans of one level stand side by side in the order of the join, and what is sorted or grouped afterwards follows them;
here the scans become nested loops and the sorts stand above.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from perf_panels.explain.plan import Kind, Node, Plan
from perf_panels.explain.query import Query, read

_READ = re.compile(
    r"(?P<verb>SCAN|SEARCH) (?:TABLE )?(?P<name>SUBQUERY \d+|\S+|\(\S+ AS [^)]*\))(?: AS (?P<alias>\S+))?"
    r"(?P<exists> EXISTS)?(?: (?P<virtual>VIRTUAL TABLE INDEX .*?))?"
    r"(?: USING (?P<using>INTEGER PRIMARY KEY"
    r"|(?P<automatic>AUTOMATIC )?(?P<partial>PARTIAL )?(?P<covering>COVERING )?INDEX(?: (?P<index>[^(]\S*))?))?"
    r"(?: \((?P<cond>.*)\))?(?P<left> LEFT-JOIN)?$"
)
_TEMPORARY = re.compile(r"USE TEMP B-TREE FOR (?P<what>.*)$")
_SUBQUERY = re.compile(r"(?P<correlated>CORRELATED )?(?:SCALAR|LIST) SUBQUERY(?: \d+)?$")
_STORED = re.compile(r"(?:MATERIALIZE|CO-ROUTINE) (?P<name>.*)$")
_IN = re.compile(r"USING (?:INDEX (?P<index>\S+)|ROWID SEARCH ON TABLE (?P<table>\S+)) FOR IN-OPERATOR$")
_SET = re.compile(r"(?P<word>UNION ALL|UNION|INTERSECT|EXCEPT)(?: USING TEMP B-TREE)?$")
_MERGE = re.compile(r"MERGE \((?P<word>UNION ALL|UNION|INTERSECT|EXCEPT)\)$")
_COLUMN = re.compile(r"(?:^|AND )\s*(?:ANY\()?([A-Za-z_]\w*|<expr>)")
_NOT_A_PLAN = "This is not a plan of SQLite: ask for the rows of EXPLAIN QUERY PLAN."
_QUIET = frozenset({"CREATE BLOOM FILTER", "LEFT-MOST SUBQUERY", "COMPOUND QUERY", "SETUP", "RECURSIVE STEP"})


@dataclass
class _Line:
    id: int
    parent: int
    detail: str
    below: list[_Line] = field(default_factory=list)


def parse(answer: Any, sql: str = "") -> Plan:
    """
    Return the plan in ``answer``: rows (id, parent, notused, detail) as tuples or dicts, alone or under ``rows``.
    """
    text = answer if isinstance(answer, str) else repr(answer)
    answer = _value(answer)
    lines = _lines(answer)
    if lines is None:
        return Plan("sqlite", None, text=text, problem=_NOT_A_PLAN, problem_rule="invalid-plan")
    roots = _tree(lines)
    text = "\n".join(_drawn(roots))
    if not lines:
        # A statement without a table, or one that SQLite plans without a word, such as INSERT … VALUES.
        return Plan("sqlite", Node(Kind.RESULT, "No table is read"), text=text)
    reader = _Reader(read(sql, "sqlite"))
    root = reader.level(roots)
    return Plan("sqlite", root, text=text, notes=reader.notes, version=_version(answer))


def _value(answer: Any) -> Any:
    if not isinstance(answer, str):
        return answer
    try:
        return json.loads(answer)
    except ValueError:
        return None


def _lines(answer: Any) -> list[_Line] | None:
    rows = answer.get("rows") if isinstance(answer, dict) else answer
    if not isinstance(rows, (list, tuple)):
        return None
    try:
        return [_line(row) for row in rows]
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return None


def _line(row: Any) -> _Line:
    if isinstance(row, dict):
        return _Line(int(row["id"]), int(row["parent"]), str(row["detail"]))
    return _Line(int(row[0]), int(row[1]), str(row[3]))


def _version(answer: Any) -> str:
    return str(answer.get("sqlite_version", "")) if isinstance(answer, dict) else ""


def _tree(lines: list[_Line]) -> list[_Line]:
    known: dict[int, _Line] = {}
    roots: list[_Line] = []
    for line in lines:
        parent = known.get(line.parent)
        (parent.below if parent is not None and line.parent != line.id else roots).append(line)
        known[line.id] = line
    return roots


def _drawn(lines: list[_Line], depth: int = 0) -> list[str]:
    return [text for line in lines for text in ["  " * depth + line.detail, *_drawn(line.below, depth + 1)]]


class _Reader:
    """
    Reads the lines of one plan; names in it are aliases, which only the statement can tell from tables.
    """

    def __init__(self, query: Query) -> None:
        self.notes: list[str] = []
        self.tables: dict[str, str] = {}
        for level in query.levels():
            self.tables |= level.tables
        self.names = {name.lower(): table for name, table in self.tables.items()}
        self.derived = {name.lower() for name in query.derived_names()}
        self.stored: set[str] = set()

    def level(self, lines: list[_Line]) -> Node:
        """
        Return one query level: joined scans, what is read first and what subqueries hang on them, sorts above.
        """
        joined: Node | None = None
        above: list[str] = []
        aside: list[Node] = []
        for line in lines:
            temporary = _TEMPORARY.match(line.detail)
            if temporary:
                above.append(line.detail)
                continue
            node = self._node(line)
            if node is None:
                continue
            if node.kind in {Kind.SUBQUERY, Kind.MATERIALIZE}:
                aside.append(node)
            else:
                joined = node if joined is None else _joined(joined, node)
        root = joined or Node(Kind.RESULT, "No table is read")
        for detail in above:
            root = self._temporary(detail, root)
        root.children += [each for each in aside if each.kind is Kind.SUBQUERY]
        return self._with_stored(root, [each for each in aside if each.kind is Kind.MATERIALIZE])

    def _with_stored(self, root: Node, stored: list[Node]) -> Node:
        """
        Hang each derived table under the scan that reads it, or under the root if none does.
        """
        for each in stored:
            reader = next((node for node in root.walk() if node.derived and node.alias == each.alias), root)
            reader.children.append(each)
        return root

    def _node(self, line: _Line) -> Node | None:
        detail = line.detail
        if found := _READ.match(detail):
            return self._scan(found, line)
        if found := _SUBQUERY.match(detail):
            node = Node(Kind.SUBQUERY, detail, [self.level(line.below)], relationship="subplan", name=detail)
            node.dependent = bool(found["correlated"])
            return node
        if found := _STORED.match(detail):
            self.stored.add(found["name"])
            return Node(Kind.MATERIALIZE, detail, [self.level(line.below)], alias=found["name"], derived=True)
        if _IN.match(detail):
            # An index that is looked into stands for the list: nothing is read first.
            return None
        if detail.startswith("MULTI-INDEX OR"):
            return self._union_of_indexes(line)
        if detail.startswith("COMPOUND QUERY") or _MERGE.match(detail):
            return self._compound(line)
        if detail.startswith(("SCAN CONSTANT ROW", "SCAN ")) and "CONSTANT ROW" in detail:
            return Node(Kind.TABLE_FUNCTION, detail)
        if detail.startswith(("BLOOM FILTER ON", "RIGHT-JOIN ")) or detail in _QUIET:
            return Node(Kind.OTHER, detail, [self.level(line.below)]) if line.below else None
        self.notes.append(f"A line this version does not know: {detail}")
        return Node(Kind.OTHER, detail, [self.level(line.below)] if line.below else [])

    def _scan(self, found: re.Match[str], line: _Line) -> Node:
        printed, using = found["name"], found["using"] or ""
        alias = found["alias"] or printed
        node = Node(Kind.SCAN, line.detail, alias=alias, index_cond=found["cond"])
        table = self.names.get(alias.lower(), printed)
        made = alias.lower() in self.derived or printed in self.stored
        derived = made or printed.startswith(("(", "SUBQUERY "))
        node.derived = derived
        node.relation = None if derived else table
        if found["virtual"]:
            node.kind, node.index_cond = Kind.TABLE_FUNCTION, None
            node.index = found["virtual"].removeprefix("VIRTUAL TABLE INDEX ")
        elif using:
            node.kind = Kind.INDEX_ONLY_SCAN if found["covering"] else Kind.INDEX_SCAN
            node.index = "INTEGER PRIMARY KEY" if using == "INTEGER PRIMARY KEY" else found["index"]
            node.automatic_index = bool(found["automatic"])
            node.index_columns = tuple(dict.fromkeys(_COLUMN.findall(found["cond"] or "")))
        node.join_type = "semi" if found["exists"] else "left" if found["left"] else None
        if line.below:
            node.children = [self.level(line.below)]
        return node

    def _union_of_indexes(self, line: _Line) -> Node:
        node = Node(Kind.BITMAP_SCAN, line.detail)
        for branch in line.below:
            found = self.level(branch.below) if branch.below else Node(Kind.OTHER, branch.detail)
            found.kind = Kind.BITMAP_INDEX if found.kind in {Kind.INDEX_SCAN, Kind.INDEX_ONLY_SCAN} else found.kind
            node.children.append(found)
        first = next((child for child in node.children if child.relation), None)
        if first is not None:
            node.relation, node.alias = first.relation, first.alias
        conditions = [child.index_cond for child in node.children if child.index_cond]
        node.index_cond = " OR ".join(conditions) or line.detail
        return node

    def _compound(self, line: _Line) -> Node:
        words = [found["word"] for part in line.below if (found := _SET.match(part.detail))]
        merged = _MERGE.match(line.detail)
        words += [merged["word"]] if merged else []
        dedup = any(word == "UNION" for word in words)
        other = next((word for word in words if word in {"INTERSECT", "EXCEPT"}), None)
        kind = Kind.APPEND if words and not dedup and other is None else Kind.SET_OPERATION
        node = Node(kind, line.detail, strategy="dedup" if dedup else other.lower() if other else None)
        node.children = [self.level(part.below) for part in line.below if part.below]
        for child in node.children:
            child.relationship = "member"
        return node

    def _temporary(self, detail: str, below: Node) -> Node:
        what = detail.removeprefix("USE TEMP B-TREE FOR ")
        kind = Kind.SORT
        if what.startswith("GROUP BY"):
            kind = Kind.AGGREGATE
        elif what.startswith("DISTINCT"):
            kind = Kind.DISTINCT
        elif "(DISTINCT" in what:
            kind = Kind.AGGREGATE
        elif "TERM" in what or what.startswith("RIGHT PART"):
            kind = Kind.INCREMENTAL_SORT
        below.relationship = "outer"
        return Node(kind, detail, [below], strategy="temporary table")


def _joined(outer: Node, inner: Node) -> Node:
    outer.relationship, inner.relationship = "outer", "inner"
    kind = inner.join_type or "inner"
    return Node(Kind.NESTED_LOOP, "Nested loop", [outer, inner], join_type=kind)
