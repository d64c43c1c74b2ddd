"""
What a statement is, told from its text alone: what it reads or changes, which functions it calls, or why it is refused.

Pure functions, called before anything is sent to a server, and once more on the text with its values in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perf_panels.explain.databases.base import NotPossible
from perf_panels.explain.databases.harmless import is_harmless
from perf_panels.explain.databases.tokens import Token, UnreadableError, tokens
from perf_panels.explain.databases.verbs import READS, WRITES, verb, writes_into
from perf_panels.explain.lexical import without_cursor

if TYPE_CHECKING:
    from collections.abc import Iterator

_NO_CALL = frozenset(
    {
        "ALL", "AND", "ANY", "ARRAY", "AS", "BETWEEN", "BY", "CASE", "CHECK", "DISTINCT", "ELSE", "EXCEPT",
        "EXISTS", "FROM", "GROUP", "HAVING", "IN", "INTERSECT", "INTO", "IS", "JOIN", "LATERAL", "LIKE",
        "LIMIT", "NOT", "OFFSET", "ON", "OR", "ORDER", "PRIMARY", "RETURNING", "SELECT", "SET", "SOME", "TABLE",
        "THEN", "UNION", "UNIQUE", "USING", "VALUES", "WHEN", "WHERE", "WITH",
    }
)  # fmt: skip
_NO_CALL_OF = {
    "postgresql": frozenset({"ILIKE", "MATERIALIZED"}),
    "mysql": frozenset({"AGAINST", "DIV", "INDEX", "KEY", "MATCH", "MOD", "PARTITION", "REGEXP", "RLIKE", "XOR"}),
    "sqlite": frozenset({"GLOB", "MATCH", "MATERIALIZED", "REGEXP"}),
    "oracle": frozenset({"MINUS", "PRIOR"}),
}
_NO_CALL_AFTER = frozenset({"AS", "INTO", "WITH", "RECURSIVE"})
_NO_CALL_PAIRS = frozenset(
    {(")", "OVER"), (")", "FILTER"), (")", "WITHIN"), ("ON", "CONFLICT"), ("GROUPING", "SETS"),
     ("TABLESAMPLE", "BERNOULLI"), ("TABLESAMPLE", "SYSTEM"), (")", "REPEATABLE")}
)  # fmt: skip
_NO_WRITE_AFTER = frozenset({"FOR", "KEY", "DO", "ON", "THEN", "OR", "AS", ".", "::"})
_WITHOUT_PARENTHESES = {"NEXT": "nextval", "NEXTVAL": "nextval", "PREVIOUS": "lastval"}
_PLAIN_AGGREGATES = frozenset({"count", "sum", "min", "max", "avg"})


@dataclass(frozen=True)
class Facts:
    """
    ``text`` may stand behind EXPLAIN when ``refusal`` is None. ``functions`` are those not known to be harmless.
    """

    text: str
    kind: str
    refusal: str | None = None
    writes: bool = False
    """It changes rows, perhaps in a CTE."""
    locks: bool = False
    """FOR UPDATE and its like."""
    functions: tuple[str, ...] = ()
    derived_calls: tuple[str, ...] = ()
    """Functions called in derived tables, which MySQL and MariaDB may run for a plain EXPLAIN."""
    names: frozenset[str] = field(default=frozenset())
    """Every name in it, in lower case: the tables are among them."""
    tables: tuple[str, ...] = ()
    """What follows FROM, JOIN, INTO and UPDATE, for sentences."""


def facts_of(sql: Any, params: Any, engine: str) -> Facts:
    """
    Return what Django's ``cursor.execute`` was given, which may be psycopg's ``Composed`` with a generator.
    """
    try:
        # psycopg's need no connection but for names beyond ASCII; psycopg2's do.
        text = str(sql.as_string(None)) if hasattr(sql, "as_string") else str(sql)
    except Exception as error:  # noqa: BLE001 - whatever a driver's object needs
        return Facts(repr(sql), "", f"{type(sql).__name__} gave no text: {error}")
    if params is None or isinstance(params, (list, tuple, dict)):
        return classify(text, engine, placeholders=params is not None)
    return Facts(text, "", f"The parameters were a {type(params).__name__}, used up when the statement ran.")


def classify(sql: str, engine: str, *, placeholders: bool) -> Facts:
    """
    Return what ``sql`` is on ``engine``; ``placeholders`` says whether ``%s`` stands for a parameter.
    """
    text = without_cursor(sql).strip()
    try:
        found = tokens(text, engine, placeholders=placeholders)
    except UnreadableError as error:
        return Facts(text, "", str(error))
    if found and found[-1].text == ";":
        text = text[: found.pop().start].rstrip()
    kind = _kind(found)
    return Facts(
        text,
        kind,
        _refusal(found, kind),
        writes=_writes(found, engine),
        locks=_locks(found),
        functions=tuple(dict.fromkeys(_unknown_calls(found, engine))),
        derived_calls=tuple(dict.fromkeys(_calls_in_derived_tables(found, engine))),
        names=frozenset(_bare(token).lower() for token in found if token.kind in {"word", "name"}),
        tables=tuple(dict.fromkeys(_tables(found))),
    )


def check_with_values(text: str, facts: Facts, engine: str) -> None:
    """
    Raise ``NotPossible`` when the text that is sent, its values written into it, is not what was judged.
    """
    sent = classify(text, engine, placeholders=False)
    if sent.refusal:
        raise NotPossible(sent.refusal)
    same = (sent.kind, sent.writes, sent.locks) == (facts.kind, facts.writes, facts.locks)
    if not same or set(sent.functions) - set(facts.functions):
        raise NotPossible("With its values in it the statement is not the one that was judged.")


def _kind(found: list[Token]) -> str:
    position = verb(found)
    return found[position].upper if position is not None else ""


def _refusal(found: list[Token], kind: str) -> str | None:
    if any(token.text == ";" for token in found):
        return "It is more than one statement: there is a semicolon in it."
    if not kind:
        return "There is no statement in it."
    if kind not in READS | WRITES:
        return f"{kind} has no plan: only SELECT, VALUES, TABLE, INSERT, UPDATE, DELETE and MERGE have one."
    if any(token.upper == "INTO" and not writes_into(found, position) for position, token in enumerate(found)):
        return "SELECT … INTO makes a table, a file or a variable."
    return None


def _writes(found: list[Token], engine: str) -> bool:
    words = WRITES if engine in {"mysql", "mariadb", "sqlite"} else WRITES - {"REPLACE"}
    nothing = Token("", "", 0)
    around = zip([nothing, *found], found, [*found[1:], nothing], strict=False)
    return any(
        token.upper in words and (before.upper or before.text) not in _NO_WRITE_AFTER and after.kind in {"word", "name"}
        for before, token, after in around
    )


def _locks(found: list[Token]) -> bool:
    words = [token.upper for token in found]
    starts = (words[position : position + 4] for position, word in enumerate(words) if word in {"FOR", "LOCK"})
    return any(
        start[1:2] in (["UPDATE"], ["SHARE"])
        or start[1:3] in (["KEY", "SHARE"], ["NO", "KEY"])
        or start == ["LOCK", "IN", "SHARE", "MODE"]
        for start in starts
    )


def _unknown_calls(found: list[Token], engine: str) -> Iterator[str]:
    for name, is_builtin in _calls(found, engine):
        if not (is_builtin and is_harmless(name, engine)):
            yield name


def _calls(found: list[Token], engine: str) -> Iterator[tuple[str, bool]]:
    """
    Yield the functions called, and whether the name can only be a built-in one.
    """
    for position, token in enumerate(found):
        if token.kind not in {"word", "name"}:
            continue
        after = found[position + 1 : position + 2]
        if not after or after[0].text != "(":
            if token.upper in _WITHOUT_PARENTHESES and _is_sequence(found, position):
                yield _WITHOUT_PARENTHESES[token.upper], False
            continue
        first = position
        while first >= 2 and found[first - 1].text == "." and found[first - 2].kind in {"word", "name"}:
            first -= 2
        before = found[first - 1] if first else Token("", "", 0)
        if first == position and _is_no_call(before, token, engine):
            continue
        if before.upper in _NO_CALL_AFTER or before.text == "::":
            continue
        path = [_bare(part) for part in found[first : position + 1 : 2]]
        if engine == "postgresql" and path[0].lower() == "pg_catalog":
            path = path[1:]
        yield _function_name(path, token, engine), _is_builtin(path, token, engine)


def _is_no_call(before: Token, token: Token, engine: str) -> bool:
    own = _NO_CALL_OF["mysql" if engine == "mariadb" else engine]
    return token.upper in _NO_CALL | own or (before.upper or before.text, token.upper) in _NO_CALL_PAIRS


def _is_sequence(found: list[Token], position: int) -> bool:
    """
    Know NEXT VALUE FOR s and s.nextval, the calls that need no parentheses.
    """
    if found[position].upper == "NEXTVAL":
        return position > 0 and found[position - 1].text == "."
    return [token.upper for token in found[position + 1 : position + 3]] == ["VALUE", "FOR"]


def _function_name(path: list[str], token: Token, engine: str) -> str:
    exact = engine == "postgresql" and token.kind == "name"
    return ".".join(path) if exact else ".".join(path).lower()


def _is_builtin(path: list[str], token: Token, engine: str) -> bool:
    # With a schema it can be anybody's; in MySQL quotes too make it a stored function.
    if token.kind == "name" and engine in {"mysql", "mariadb"}:
        return False
    return len(path) == 1


def _calls_in_derived_tables(found: list[Token], engine: str) -> Iterator[str]:
    for position, token in enumerate(found[:-1]):
        before = found[position - 1] if position else token
        starts = token.text == "(" and found[position + 1].upper in {"SELECT", "WITH", "VALUES", "("}
        if not starts or not (before.upper in {"FROM", "JOIN", "LATERAL", "AS"} or before.text in {",", "("}):
            continue
        calls = _calls(found[position : _closing(found, position)], engine)
        yield from (name for name, _ in calls if name not in _PLAIN_AGGREGATES)


def _closing(found: list[Token], position: int) -> int:
    depth = 0
    for end in range(position, len(found)):
        depth += {"(": 1, ")": -1}.get(found[end].text, 0)
        if depth == 0:
            return end
    return len(found)


def _tables(found: list[Token]) -> Iterator[str]:
    for position, token in enumerate(found):
        after_key = position > 0 and found[position - 1].upper in {"KEY", "FOR", "DO"}
        if token.upper not in {"FROM", "JOIN", "INTO", "UPDATE"} or after_key:
            continue
        path = found[position + 1 : position + 4]
        if not path or path[0].kind not in {"word", "name"} or path[0].upper in _NO_CALL | READS:
            continue
        qualified = len(path) == 3 and path[1].text == "." and path[2].kind in {"word", "name"}
        yield _bare(path[2] if qualified else path[0])


def _bare(token: Token) -> str:
    if token.kind == "word":
        return token.text
    quote = {"[": "]"}.get(token.text[0], token.text[0])
    return token.text[1:-1].replace(quote * 2, quote)
