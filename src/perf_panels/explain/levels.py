"""
From the tree of a statement to ``Query`` levels. Loads sqlglot: ``query`` imports it on first use.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from perf_panels.explain.conditions import Predicate
from perf_panels.explain.dialects import parse_statement, sql_of
from perf_panels.explain.lexical import patterns, without_cursor
from perf_panels.explain.operands import is_query, kind
from perf_panels.explain.predicates import read_tree
from perf_panels.explain.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANDOM = {"random", "rand", "dbms_random.value", "value"}
# What MySQL and SQLite say where there is an offset but no limit.
_NO_LIMIT = 2**63 - 1
_DERIVED = frozenset({"Subquery", "Lateral", "Unnest", "Values", "Table"})


def read_statement(sql: str, engine: str) -> Query:
    """
    Return the levels of a statement. Raises whatever sqlglot does for text it cannot read.
    """
    tree = _unwrapped(parse_statement(sql, engine))
    if not is_query(tree) and kind(tree) not in {"Insert", "Update", "Delete", "Merge", "Values"}:
        raise ValueError(f"not a query: {kind(tree)}")
    return _level(tree, sql, engine, frozenset())


def first_word(sql: str, engine: str) -> str:
    """
    Return the keyword of a statement that cannot be read, behind its comments and parentheses.
    """
    head = without_cursor(sql[:20_000])
    found = re.match(rf"(?:\s|\(|{patterns(engine).comment})*([A-Za-z]+)", head, re.DOTALL)
    return found[found.lastindex or 0].upper() if found else ""


def _unwrapped(tree: Any) -> Any:
    while kind(tree) in {"Subquery", "Paren"} and tree.this is not None:
        tree = tree.this
    return tree


def _arg(node: Any, name: str) -> Any:
    # sqlglot 28 gave names that are Python's keywords an underscore.
    return node.args.get(f"{name}_") or node.args.get(name)


def _level(tree: Any, sql: str, engine: str, outer_ctes: frozenset[str], name: str | None = None) -> Query:
    query = Query(sql, engine, readable=True, kind=_kind(tree), name=name)
    ctes = outer_ctes | {cte.alias for cte in _ctes(tree)}
    _read_subqueries(query, tree, ctes)
    _read_end(query, tree)
    if kind(tree) in {"Union", "Intersect", "Except"}:
        query.union = _union(tree)
        return query
    _read_tables(query, tree, ctes)
    where = tree.args.get("where")
    if where is not None:
        query.where = read_tree(where.this, engine)
    if kind(tree) == "Select":
        _read_select(query, tree)
    return query


def _kind(tree: Any) -> str:
    name = kind(tree).upper()
    return "SELECT" if name in {"UNION", "INTERSECT", "EXCEPT"} else name


def _ctes(tree: Any) -> list[Any]:
    with_ = _arg(tree, "with")
    return list(with_.expressions) if with_ is not None else []


def _branches(tree: Any) -> Iterator[Any]:
    """
    Yield the branches of a chain of the same set operation, in order.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        inner = _unwrapped(node)
        if node is tree or (kind(inner) == kind(tree) and inner is node and not _ctes(inner)):
            waiting += [node.expression, node.this]
        else:
            yield inner


def _union(tree: Any) -> str | None:
    if kind(tree) != "Union":
        return None
    node, distinct = tree, False
    while kind(node) == "Union":
        distinct = distinct or node.args.get("distinct") is not False
        node = node.this
    return "distinct" if distinct else "all"


def _read_subqueries(query: Query, tree: Any, ctes: frozenset[str]) -> None:
    branches = list(_branches(tree)) if kind(tree) in {"Union", "Intersect", "Except"} else []
    below: list[tuple[Any, str | None]] = [(branch, None) for branch in branches] or list(_queries_below(tree))
    if branches:
        below += [(_unwrapped(cte.this), cte.alias) for cte in _ctes(tree)]
    for each, name in below:
        query.subqueries.append(_level(each, sql_of(each, query.engine), query.engine, ctes, name))


def _queries_below(tree: Any) -> Iterator[tuple[Any, str | None]]:
    for node in tree.walk(prune=lambda node: node is not tree and is_query(node)):
        if node is not tree and is_query(node):
            parent = node.parent
            while kind(parent) in {"Paren", "Subquery"} and not parent.alias and kind(parent.parent) == "Subquery":
                parent = parent.parent
            yield node, (parent.alias or None) if kind(parent) in {"Subquery", "CTE", "Lateral"} else None


def _read_end(query: Query, tree: Any) -> None:
    limit, offset = tree.args.get("limit"), tree.args.get("offset")
    if limit is not None:
        query.limit = _integer(limit.args.get("count") or limit.args.get("expression"))
        # MySQL's LIMIT 5, 10.
        query.offset = _integer(limit.args.get("offset"))
    if offset is not None:
        query.offset = _integer(offset.args.get("expression"))
    query.for_update = bool(tree.args.get("locks"))
    order = tree.args.get("order")
    if order is not None:
        _read_order(query, order.expressions, tree)


def _integer(node: Any) -> int | None:
    if kind(node) != "Literal" or node.is_string or not node.this.isdigit():
        return None
    number = int(node.this)
    return number if number < _NO_LIMIT else None


def _read_order(query: Query, terms: list[Any], tree: Any) -> None:
    keys = []
    plain = True
    for term in terms:
        node = term.this if kind(term) == "Ordered" else term
        if _is_random(node):
            query.random_order = True
        column = _plain_column(node, tree)
        plain = plain and column is not None
        if plain and column is not None:
            keys.append((*column, bool(term.args.get("desc"))))
    query.order_by = tuple(keys)
    query.order_terms = len(terms)


def _is_random(node: Any) -> bool:
    name = (node.name if kind(node) in {"Anonymous", "Dot"} else kind(node)).lower()
    return name in _RANDOM or (kind(node) == "Dot" and "random" in node.sql().lower())


def _plain_column(node: Any, tree: Any) -> tuple[str | None, str] | None:
    """
    Return the column behind a term of ORDER BY or GROUP BY, which may be a position or a name of the select list.
    """
    while kind(node) in {"Paren", "Collate"} and kind(node) == "Paren":
        node = node.this
    selected = list(tree.expressions) if kind(tree) == "Select" else []
    if kind(node) == "Literal" and not node.is_string and node.this.isdigit():
        position = int(node.this)
        node = _unaliased(selected[position - 1]) if 0 < position <= len(selected) else None
    elif kind(node) == "Column" and not node.table:
        named = next((each for each in selected if kind(each) == "Alias" and each.alias == node.name), None)
        node = _unaliased(named) if named is not None else node
    if kind(node) != "Column" or kind(node.this) == "Star":
        return None
    return node.table or None, node.name


def _unaliased(node: Any) -> Any:
    return node.this if kind(node) == "Alias" else node


def _read_tables(query: Query, tree: Any, ctes: frozenset[str]) -> None:
    sources = [_arg(tree, "from"), *(tree.args.get("joins") or ()), *_as_list(tree.args.get("using"))]
    if kind(tree) in {"Insert", "Update", "Delete", "Merge"}:
        # In MySQL's DELETE of several tables, "tables" repeats aliases of those behind FROM.
        sources = [tree.this, *sources]
    for source in sources:
        for table in _tables_in(source):
            if table.name and not (table.name in ctes and not table.db):
                query.tables[table.alias or table.name] = table.name
        query.derived |= set(_derived_in(source, ctes))
    for join in [join for source in sources for join in _joins_in(source)]:
        _read_join(query, join)


def _as_list(value: Any) -> list[Any]:
    if not value:
        return []
    return value if isinstance(value, list) else [value]


def _tables_in(source: Any) -> Iterator[Any]:
    # sqlglot also has False for "nothing here".
    for node in source.walk(prune=is_query) if source else ():
        if kind(node) == "Table" and kind(node.this) == "Identifier":
            yield node


def _derived_in(source: Any, ctes: frozenset[str]) -> Iterator[str]:
    # sqlglot also has False for "nothing here".
    for node in source.walk(prune=is_query) if source else ():
        is_table = kind(node) == "Table" and kind(node.this) == "Identifier"
        made = node.name in ctes and not node.db if is_table else kind(node) in _DERIVED
        if made and node.alias_or_name:
            yield node.alias_or_name


def _joins_in(source: Any) -> Iterator[Any]:
    # sqlglot also has False for "nothing here".
    for node in source.walk(prune=is_query) if source else ():
        if kind(node) == "Join":
            yield node


def _read_join(query: Query, join: Any) -> None:
    on = join.args.get("on")
    if on is not None:
        query.joins += read_tree(on, query.engine)
    name = join.this.alias_or_name
    for column in join.args.get("using") or ():
        query.joins.append(Predicate(f"USING ({column.name})", "join", name, column.name, other_column=column.name))


def _read_select(query: Query, tree: Any) -> None:
    selected = tree.expressions
    stars = any(kind(each) == "Star" or (kind(each) == "Column" and kind(each.this) == "Star") for each in selected)
    query.select_columns = 0 if stars else len(selected)
    query.distinct = tree.args.get("distinct") is not None
    names: list[str] = []
    for each in selected:
        for node in each.walk(prune=lambda node: is_query(node) or kind(node) == "Window"):
            if kind(node) == "Window":
                query.has_window = True
            elif isinstance(node, exp.AggFunc):
                names.append(node.sql_name().lower())
    query.aggregates = tuple(names)
    group = tree.args.get("group")
    if group is not None:
        columns = [_plain_column(node, tree) for node in group.expressions]
        query.group_by = tuple(column for column in columns if column is not None)
