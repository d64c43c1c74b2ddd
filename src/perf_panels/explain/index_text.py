"""
The texts of a suggested index: Django's code for it, SQL that does the same, and a migration around that SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
from django.apps import apps

from perf_panels.explain import models_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import Model

    from perf_panels.explain.rules.base import IndexNeed

# Django 6.1 compares a boolean with 1 on SQLite, where a partial index must say it as the statement does.
_COMPARED = frozenset({"sqlite"} if django.VERSION >= (6, 1) else ())
_FUNCTIONS = {
    "upper": "Upper",
    "lower": "Lower",
    "length": "Length",
    "trim": "Trim",
    "ucase": "Upper",
    "lcase": "Lower",
}
_QUOTE = {"mysql": "`", "mariadb": "`"}


def opclass_place(need: IndexNeed, keys: list[tuple[str, bool]]) -> int:
    """
    Return which key an operator class is for: the column that is compared with LIKE, else the first.
    """
    return next((place for place, (column, _) in enumerate(keys) if column == need.range_), 0)


def migration(text: str, name: str, table: str, engine: str) -> str:
    """
    Return the operation that runs the SQL, for tables whose models cannot have the index.
    """
    # Names of indexes are the table's own on MySQL.
    drop = f"DROP INDEX {name}{f' ON `{table}`' if engine in _QUOTE else ''}"
    return f"migrations.RunSQL(\n    {_quoted(text)},\n    {_quoted(drop)},\n)"


def code(need: IndexNeed, name: str, keys: list[tuple[str, bool]], model: type[Model] | None) -> str:
    """
    Return the index for ``Meta.indexes``, with the imports it takes.
    """
    fields = [f"{'-' * descending}{models_map.field_name(need.table, column)}" for column, descending in keys]
    imports: list[str] = []
    call, arguments = "models.Index", [f"fields=[{', '.join(_quoted(field) for field in fields)}]"]
    if need.method in {"gin", "trigram"}:
        call, arguments = "GinIndex", _gin_arguments(need, fields, imports)
    elif need.expression is not None:
        arguments = _expression_arguments(need, fields, imports)
    elif need.opclass:
        place = opclass_place(need, keys)
        opclasses = [_quoted(need.opclass if position == place else "") for position in range(len(fields))]
        arguments.append(f"opclasses=[{', '.join(opclasses)}]")
    arguments.append(f"name={_quoted(name)}")
    if need.condition:
        arguments.append(f"condition={_q(need)}")
    if need.include:
        include = ", ".join(_quoted(models_map.field_name(need.table, column)) for column in need.include)
        arguments.append(f"include=[{include}]")
    owner = model.__name__ if model is not None else None
    head = [*imports, *([f"# {owner}.Meta.indexes"] if owner else [])]
    body = "".join(f"    {argument},\n" for argument in arguments)
    return "\n".join([*head, f"{call}(\n{body})"])


def _gin_arguments(need: IndexNeed, fields: list[str], imports: list[str]) -> list[str]:
    opclass = "gin_trgm_ops" if need.method == "trigram" else need.opclass
    if need.method == "trigram":
        imports.append("# needs the extension: TrigramExtension() in a migration before this one")
    wrapped = opclass is not None and need.expression is not None
    if wrapped and not apps.is_installed("django.contrib.postgres"):
        # The app tells Django where to put the class of operators of an expression.
        imports.append('# needs "django.contrib.postgres" in INSTALLED_APPS')
    imports.append(f"from django.contrib.postgres.indexes import GinIndex{', OpClass' * wrapped}")
    if need.expression is not None:
        inner = _expression(need, imports)
        return [f"OpClass({inner}, name={_quoted(opclass)})" if opclass else inner]
    arguments = [f"fields=[{', '.join(_quoted(field) for field in fields)}]"]
    return [*arguments, *([f"opclasses=[{_quoted(opclass)}]"] if opclass else [])]


def _expression_arguments(need: IndexNeed, fields: list[str], imports: list[str]) -> list[str]:
    return [
        _expression(need, imports),
        # A name with a minus is no expression.
        *(f"models.F({_quoted(field[1:])}).desc()" if field.startswith("-") else _quoted(field) for field in fields),
    ]


def _expression(need: IndexNeed, imports: list[str]) -> str:
    function = _FUNCTIONS.get(need.wrapped[0].lower()) if need.wrapped else None
    if function is not None and need.wrapped is not None:
        imports.append(f"from django.db.models.functions import {function}")
        return f"{function}({_quoted(models_map.field_name(need.table, need.wrapped[1]))})"
    imports.append("from django.db.models.expressions import RawSQL")
    # Django puts values into the SQL of an index with the operator %.
    return f"RawSQL({_quoted((need.expression or '').replace('%', '%%'))}, [])"


def _q(need: IndexNeed) -> str:
    parts = []
    for column, operator, value in need.condition:
        field = models_map.field_name(need.table, column)
        text = {"null": f"{field}__isnull=True", "not-null": f"{field}__isnull=False"}.get(operator)
        text = text or {"true": f"{field}=True", "false": f"{field}=False"}.get(operator)
        if operator == "in":
            text = f"{field}__in=[{', '.join(_literal(need.table, column, each) for each in value)}]"
        if operator == "ne":
            parts.append(f"~models.Q({field}={_literal(need.table, column, value)})")
        else:
            parts.append(f"models.Q({text or f'{field}={_literal(need.table, column, value)}'})")
    plain = [part.removeprefix("models.Q(").removesuffix(")") for part in parts if not part.startswith("~")]
    joined = [f"models.Q({', '.join(plain)})"] if plain else []
    return " & ".join([*joined, *(part for part in parts if part.startswith("~"))])


def _literal(table: str, column: str, value: Any) -> str:
    field = models_map.field_of(models_map.model_of(table), column)
    if field is not None and field.get_internal_type() == "BooleanField":
        return str(bool(value))
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    if not text.isprintable():
        return repr(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def sql(
    need: IndexNeed, name: str, keys: list[tuple[str, bool]], engine: str, lengths: Mapping[str, str] | None = None
) -> str:
    """
    Return the CREATE INDEX; ``lengths`` has what follows the name of a column that is not indexed whole.
    """
    quote = _QUOTE.get(engine, '"')

    def quoted(identifier: str) -> str:
        return f"{quote}{identifier.replace(quote, quote * 2)}{quote}"

    cut = lengths or {}
    columns = [f"{quoted(column)}{cut.get(column, '')}{' DESC' * descending}" for column, descending in keys]
    using = ""
    if need.method in {"gin", "trigram"}:
        using = " USING gin"
        opclass = "gin_trgm_ops" if need.method == "trigram" else need.opclass
        first = f"({need.expression})" if need.expression else columns[0]
        columns = [f"{first} {opclass}" if opclass else first]
    elif need.expression is not None:
        columns = [f"({need.expression})", *columns]
    elif need.opclass:
        place = opclass_place(need, keys)
        columns[place] = f"{columns[place]} {need.opclass}"
    text = f"CREATE INDEX {quoted(name)} ON {quoted(need.table)}{using} ({', '.join(columns)})"
    if need.include and engine == "postgresql":
        text += f" INCLUDE ({', '.join(quoted(column) for column in need.include)})"
    if need.condition:
        text += " WHERE " + " AND ".join(
            _sql_condition(quoted(column), operator, _sql_value(need.table, column, value, engine), engine)
            for column, operator, value in need.condition
        )
    return text


def _sql_condition(column: str, operator: str, value: str, engine: str) -> str:
    if engine in _COMPARED and operator in {"true", "false"}:
        return f"{column} = {int(operator == 'true')}"
    return {
        "null": f"{column} IS NULL",
        "not-null": f"{column} IS NOT NULL",
        "true": column,
        "false": f"NOT {column}",
        "in": f"{column} IN ({value})",
        "ne": f"NOT ({column} = {value})",
    }.get(operator, f"{column} = {value}")


def _sql_value(table: str, column: str, value: Any, engine: str) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_sql_value(table, column, each, engine) for each in value)
    if isinstance(value, bool):
        return str(value).upper() if engine == "postgresql" else str(int(value))
    return str(value) if isinstance(value, (int, float)) else "'{}'".format(str(value).replace("'", "''"))
