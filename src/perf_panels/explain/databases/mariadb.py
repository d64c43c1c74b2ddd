"""
Plans of MariaDB 10.6 to 11.8: as MySQL's, but with a time limit that holds for every statement, and with ANALYZE, which
runs writes too; those only where a rollback undoes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf_panels.explain.databases import mysql_schema
from perf_panels.explain.databases.base import NotPossible
from perf_panels.explain.databases.mysql import MySQL

if TYPE_CHECKING:
    from perf_panels.explain.databases.base import Options
    from perf_panels.explain.databases.classify import Facts


class MariaDB(MySQL):
    """
    Implement ``Database`` for MariaDB.
    """

    engine = "mariadb"

    def _words(self, version: tuple[int, ...], options: Options, *, analyze: bool) -> str:
        limit = f"SET STATEMENT max_statement_time={options.timeout_ms / 1000:g} FOR "
        return f"{limit}{'ANALYZE' if analyze else 'EXPLAIN'} FORMAT=JSON "

    def _limits(self, version: tuple[int, ...], options: Options) -> list[str]:
        _, *waits = super()._limits((), options)
        return [f"SET SESSION max_statement_time = {options.timeout_ms / 1000:g}", *waits]

    def _check_tables(self, cursor: Any, facts: Facts, *, analyze: bool) -> None:
        super()._check_tables(cursor, facts, analyze=analyze)
        if not (analyze and facts.writes):
            return
        found = mysql_schema.tables_named(cursor, facts.names)
        if not found:
            raise NotPossible("None of its tables was found, so nobody knows whether a rollback undoes it.")
        for name, _, storage in found:
            if storage != "InnoDB":
                raise NotPossible(
                    f"The table {name} is of {storage}, where a rollback does not undo what ANALYZE runs."
                )
        triggers = mysql_schema.triggers_of(cursor, [name for name, _, _ in found])
        if triggers:
            raise NotPossible(f"The trigger {triggers[0]} would run too, and may write what no rollback undoes.")
