"""
What the databases have in common: a statement is classified, and judged by ``permissions``, before it goes anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perf_panels.explain.databases import permissions
from perf_panels.explain.databases.classify import facts_of
from perf_panels.explain.databases.connections import own_connection

if TYPE_CHECKING:
    from perf_panels.explain.databases.base import Options, Permission
    from perf_panels.explain.databases.classify import Facts
    from perf_panels.explain.databases.connections import Connect


class Judged:
    """
    The half of ``Database`` that asks no server.
    """

    engine: str

    def __init__(self, alias: str, connect: Connect = own_connection) -> None:
        self.alias = alias
        self._connect = connect

    def may_explain(self, sql: str, params: Any, *, automatic: bool = False) -> Permission:
        return permissions.to_explain(self._facts(sql, params), self.engine, automatic=automatic)

    def may_analyze(self, sql: str, params: Any) -> Permission:
        return permissions.to_analyze(self._facts(sql, params), self.engine)

    def _to_explain(self, sql: str, params: Any, options: Options) -> Facts:
        """
        Return what is known of a statement whose plan may be made. Raises ``NotPossible`` for any other.
        """
        facts = self._facts(sql, params)
        permissions.require(permissions.to_explain(facts, self.engine, automatic=options.automatic), options)
        return facts

    def _to_analyze(self, sql: str, params: Any, options: Options) -> Facts:
        """
        Return what is known of a statement that may be run. Raises ``NotPossible`` for any other.
        """
        permissions.require_click(options)
        facts = self._facts(sql, params)
        permissions.require(permissions.to_analyze(facts, self.engine), options)
        return facts

    def _facts(self, sql: str, params: Any) -> Facts:
        return facts_of(sql, params, self.engine)
